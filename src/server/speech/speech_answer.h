/*
 * speech_answer.h - stage 7: how the speech of one request goes to its client. Samples go into the
 * encoder of the whole answer; every encoded byte comes out at one place, which sends it on or
 * collects it:
 *
 *     streamed                    headers when the text is read, then piece by piece
 *     else                        one body, its length exact
 *
 * and as the request wants it: bare, as server-sent events, or in a JSON object (speech_frame.h).
 *
 * Used by the worker that speaks, from one thread.
 */
#ifndef KK_SERVER_SPEECH_ANSWER_H
#define KK_SERVER_SPEECH_ANSWER_H

#include "codec/codec.h"
#include "server/speech/speech_cache.h"
#include "server/speech/speech_frame.h"

enum {
    /* Of an answer that is collected before it is sent: the longest text by default (100,000
     * characters, 6000 s) at its natural speed has 288 MB as samples of 24 kHz. An object has that
     * much with its sound as base64, which is why there the sound has three quarters. */
    KK_SPEECH_MAX_WHOLE = 384 << 20,
    /* Of silence put between sentences and paragraphs, which costs nothing to ask for and, unlike
     * speech, next to nothing to make: a second behind each sentence of such a text. */
    KK_SPEECH_MAX_PAUSES_S = 1800
};

typedef struct kk_speech_answer {
    kk_http_exchange *exchange;
    const kk_http_request *http;
    const kk_speech_request *request;
    kk_speech_entry *entry; /* gets the bytes too */
    kk_http_response response;
    kk_encoder *encoder;
    kk_frame_words words;
    kk_buf unframed;      /* encoded bytes that wait for their events */
    bool is_sending;      /* the headers of a streamed answer are out */
    kokoro_error problem; /* of the encoder, which the engine does not know */
    size_t max_whole;     /* bytes that may be collected */
    bool is_too_long;     /* they were more */
    bool has_no_room;     /* they were more than the others' answers leave */
    uint64_t n_samples;   /* taken so far */
    uint64_t n_framed;    /* of those, before what waits in `unframed` */
    double queue_ms;      /* waited for a worker */
    double first_s;       /* kk_now_s of the first samples; 0: none yet */
} kk_speech_answer;

/* Those that the request asks for, of a made answer and of a kept one. */
void kk_speech_answer_headers(kk_http_response *response, const kk_speech_request *request);

/* All are the caller's and outlive the answer. */
void kk_speech_answer_init(kk_speech_answer *answer, kk_http_exchange *exchange,
                           const kk_http_request *http, const kk_speech_request *request,
                           kk_speech_entry *entry);
void kk_speech_answer_fini(kk_speech_answer *answer);

/* The text can be spoken: of a streamed answer the headers go out. */
void kk_speech_answer_start(kk_speech_answer *answer, const kokoro_stats *stats);

/* The next sound. OK; CANCELLED when the client is gone, or for a cause that
 * kk_speech_answer_failed knows. */
int kk_speech_answer_add(kk_speech_answer *answer, const kokoro_chunk *chunk);

/* After the last sound: what the encoder still holds goes out. The statuses of kk_encoder_finish.
 */
int kk_speech_answer_finish(kk_speech_answer *answer, kokoro_error *err);

/* Why it was CANCELLED, if not by its client: the status and its sentence in *err; else OK. */
int kk_speech_answer_failed(const kk_speech_answer *answer, kokoro_error *err);

/* The end, once, whatever went before: the rest of the speech where `status` is OK, else the error
 * as its response where nothing is out yet, else (after an event that tells it) the connection is
 * cut. `identity` of what spoke (kk_server_identity). */
void kk_speech_answer_end(kk_speech_answer *answer, int status, const kokoro_stats *stats,
                          uint64_t identity, const kokoro_error *err);

#endif
