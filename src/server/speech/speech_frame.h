/*
 * speech_frame.h - what stands around the encoded bytes of speech where they do not go out bare:
 *
 *     server-sent events   data: {"type":"speech.audio.delta","audio":"..."}
 *                          data: {"type":"speech.audio.done","usage":{...}}
 *     one JSON object      {"audio": "...", "format", "sample_rate", "timestamps": [...]}
 *
 * Memory out shows in dst->failed.
 */
#ifndef KK_SERVER_SPEECH_FRAME_H
#define KK_SERVER_SPEECH_FRAME_H

#include "server/speech/speech_request.h"

struct json_t;

/* The words of a request as JSON, kept until they go out. */
typedef struct kk_frame_words {
    const kk_speech_request *request;
    struct json_t *list;  /* of words not yet sent; NULL: none wanted */
    size_t byte, n_chars; /* a place in the text that was sent, and its characters before it */
    bool failed;
} kk_frame_words;

void kk_frame_words_init(kk_frame_words *words, const kk_speech_request *request);
void kk_frame_words_fini(kk_frame_words *words);
void kk_frame_words_add(kk_frame_words *words, const kokoro_chunk *chunk);

/* Encoded bytes, which are the sound from from_s to to_s, as events, each with the words that have
 * ended when its share of that sound has; the last with all that wait. Nothing where there are
 * neither. */
void kk_frame_deltas(kk_buf *dst, kk_slice bytes, double from_s, double to_s,
                     kk_frame_words *words);

/* The last event. Its tokens are, in, the phonemes that the model got and, out, the 25 ms frames of
 * the n_samples of sound that came of them. */
void kk_frame_done(kk_buf *dst, const kokoro_stats *stats, uint64_t n_samples);

/* The last event of speech that failed. */
void kk_frame_error(kk_buf *dst, const kk_api_error *error);

/* The object around a whole answer; its sample_rate is that of what a decoder gives. */
void kk_frame_object(kk_buf *dst, kk_slice bytes, const kk_speech_request *request,
                     kk_frame_words *words);

#endif
