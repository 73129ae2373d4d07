/*
 * feed_speech.h - speaks a text that arrives in pieces: one call of the engine for what waits, the
 * next as soon as there is more, its sound in one row. How text is waited for and where sound goes
 * belongs to who has the client.
 *
 * It is a guest of the server's queue: its first text waits for its turn as any request does, and
 * while it waits for text its place is free for others.
 */
#ifndef KK_SERVER_FEED_SPEECH_H
#define KK_SERVER_FEED_SPEECH_H

#include "server/speech/speech_count.h"
#include "server/speech/text_feed.h"

/* The next text, waiting for it: KK_FEED_TEXT, KK_FEED_END, or a status below 0 that ends the
 * speech. `buffered_s` is for kk_text_feed_take. */
typedef int kk_feed_next_fn(void *user, double buffered_s, kk_feed_text *out, kokoro_error *err);

typedef struct kk_feed_speech {
    kokoro_request speak; /* all but the text, its seams, what the listener has and when he wants
                             it; its group is whose it is in the queue too, and its limit of pauses
                             is that of the whole */
    bool skips_silence;   /* before the first sound */
    kk_feed_next_fn *next;
    kokoro_chunk_fn *chunk;
    void *user;
    kk_speech_count count; /* its engine speaks */
    kokoro_stats stats;    /* of all calls that have ended */
    /* its own: */
    kokoro_stats call_stats; /* of the call that runs */
    double first_s;          /* kk_now_s of the first sound; 0: none yet */
    size_t n_calls;
    double pause_s;       /* before the next text that can be spoken */
    double pauses_s;      /* of all that were spoken */
    kokoro_error problem; /* which stops the call that runs, where it is not the engine's */
    kk_job_guest guest;
    bool stands_aside; /* it gave its place up for as long as its client takes nothing */
} kk_feed_speech;

/*
 * Until the text ends: OK; NO_SPEECH where it holds nothing that can be spoken; BUSY where its
 * first text finds the queue full, of which *err says nothing and nothing is counted
 * (speech_queue.h); else what stopped it. Waiting for text is not counted as time of the request.
 * Ends with kk_speech_count_end.
 */
int kk_feed_speech_run(kk_feed_speech *speech, kokoro_error *err);

/* `user` is a kk_feed_speech. From its own thread, in turns: its client takes nothing, so that
 * others may speak meanwhile. Nothing happens where it has no place, since it waits for text:
 * `next` may send too. To be called back with as it is (kk_http_on_block, kk_wyoming_link). */
void kk_feed_speech_block(void *user, bool is_blocked);

#endif
