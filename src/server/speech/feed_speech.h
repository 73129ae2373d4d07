/*
 * feed_speech.h - speaks a text that arrives in pieces: one call of the engine for what waits, the
 * next as soon as there is more, its sound in one row. How text is waited for and where sound goes
 * belongs to who has the client.
 */
#ifndef KK_SERVER_FEED_SPEECH_H
#define KK_SERVER_FEED_SPEECH_H

#include "server/speech/speech_count.h"
#include "server/speech/text_feed.h"

/* The next text, waiting for it: KK_FEED_TEXT, KK_FEED_END, or a status below 0 that ends the
 * speech. `buffered_s` is for kk_text_feed_take. */
typedef int kk_feed_next_fn(void *user, double buffered_s, kk_feed_text *out, kokoro_error *err);

typedef struct kk_feed_speech {
    kokoro_request speak; /* all but the text, its seams and what the listener has */
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
} kk_feed_speech;

/*
 * Until the text ends: OK; NO_SPEECH where it holds nothing that can be spoken; else what stopped
 * it. Waiting for text is not counted as time of the request. Ends with kk_speech_count_end.
 */
int kk_feed_speech_run(kk_feed_speech *speech, kokoro_error *err);

#endif
