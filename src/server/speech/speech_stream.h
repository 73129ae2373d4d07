/*
 * speech_stream.h - POST /v1/audio/speech/stream: the text arrives in lines (text_lines.h) while
 * its speech goes out. Each has a thread of its own, which waits for its client most of the time;
 * the workers that speak whole texts are not for that. While it speaks it has a place among them
 * (speech_queue.h).
 */
#ifndef KK_SERVER_SPEECH_STREAM_H
#define KK_SERVER_SPEECH_STREAM_H

#include "kokoro/kokoro.h"

#include <stddef.h>

typedef struct kk_speech_streams kk_speech_streams;
struct kk_server;

enum {
    KK_SPEECH_MAX_STREAMS = 64,
    KK_SPEECH_STREAM_IDLE_S = 120 /* no byte came: it has ended badly */
};

int kk_speech_streams_create(kk_speech_streams **out, struct kk_server *server, kokoro_error *err);
/* Cut those that still run and wait for them; those that come later are refused. NULL is allowed.
 */
void kk_speech_streams_end(kk_speech_streams *streams);
/* The same, and free it, when no request can come any more. Sets *streams to NULL. */
void kk_speech_streams_destroy(kk_speech_streams **streams);
/* At work; 0 of NULL. */
size_t kk_speech_streams_count(kk_speech_streams *streams);

#endif
