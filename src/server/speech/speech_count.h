/*
 * speech_count.h - what every speech request leaves in the metrics and with the cache's keeper,
 * whichever way it came in.
 */
#ifndef KK_SERVER_SPEECH_COUNT_H
#define KK_SERVER_SPEECH_COUNT_H

#include "server/server_state.h"

typedef struct kk_speech_count {
    kk_server *server;
    kokoro_engine *engine;
    const kk_http_exchange *exchange;      /* NULL: it did not come by HTTP */
    double arrived_s, queued_s, started_s; /* kk_now_s */
    double sound_s;                        /* the first sample that is not silence; 0: none yet */
    double booked_ms;                      /* of model_ms: counted as inferences */
} kk_speech_count;

/* A chunk, from the engine's thread; model_ms is that of the request up to now. */
void kk_speech_count_chunk(kk_speech_count *count, const kokoro_chunk *chunk, double model_ms);

/* The request's end, whatever came of it. */
void kk_speech_count_end(kk_speech_count *count, int status, const kokoro_stats *stats);

/* What the log must tell: a failure that is neither the client's nor its going away. */
bool kk_speech_is_our_fault(int status);

/* What an error that the client gets counts as. */
enum kk_metrics_error kk_speech_refusal_of(const kk_api_error *error);

#endif
