/*
 * metrics.h - what the server has done since its start: counters and running means that any thread
 * may add to, and the memory of the process. Nothing here is estimated: a figure that nothing was
 * measured for is 0.
 */
#ifndef KK_METRICS_METRICS_H
#define KK_METRICS_METRICS_H

#include "kokoro/kokoro.h"

#include <stddef.h>
#include <stdint.h>

/* Why a speech request did not end well. X(name, text) */
#define KK_METRICS_ERROR_MAP(X)                                                                    \
    X(REQUEST, "request")     /* bad input: 4xx */                                                 \
    X(BUSY, "busy")           /* refused, the queue was full */                                    \
    X(NOT_READY, "not_ready") /* refused, the model was not loaded or the server was stopping */   \
    X(CANCELLED, "cancelled") /* the client went away */                                           \
    X(ENGINE, "engine")       /* the synthesis failed */                                           \
    X(MEMORY, "memory")       /* out of memory */

enum kk_metrics_error {
    KK_METRICS_NO_ERROR = -1,
#define KK_X(name, text) KK_METRICS_##name,
    KK_METRICS_ERROR_MAP(KK_X)
#undef KK_X
        KK_METRICS_N_ERRORS
};

const char *kk_metrics_error_text(int error);

/* One speech request at its end. */
typedef struct kk_metrics_speech {
    int error;          /* an enum kk_metrics_error */
    double queue_s;     /* waiting for a worker */
    double ttfa_s;      /* from the request to its first samples; negative: there were none */
    double total_s;     /* from the request to its last samples */
    kokoro_stats stats; /* as far as it came */
} kk_metrics_speech;

typedef struct kk_metrics kk_metrics;

/* NULL when memory is out. */
kk_metrics *kk_metrics_create(void);
void kk_metrics_destroy(kk_metrics **metrics);

void kk_metrics_add_speech(kk_metrics *metrics, const kk_metrics_speech *speech);
/* A speech request that never reached the engine. */
void kk_metrics_add_refusal(kk_metrics *metrics, enum kk_metrics_error error);
/* Any HTTP answer. */
void kk_metrics_add_answer(kk_metrics *metrics, int http_status);
/* A warning in the log. */
void kk_metrics_add_warning(kk_metrics *metrics);

typedef struct kk_metrics_view {
    double uptime_s;
    uint64_t n_answers, n_client_errors, n_server_errors; /* HTTP: all, 4xx, 5xx */
    uint64_t n_speech, n_success;                         /* speech requests */
    uint64_t errors[KK_METRICS_N_ERRORS];
    uint64_t n_inferences;
    double audio_s, model_s;
    double inference_s;     /* mean of one inference */
    double queue_s, ttfa_s; /* means of the requests that had sound */
    double rtf;             /* mean of total time by length of sound, likewise */
    uint64_t n_with_sound;
    uint64_t words[KOKORO_N_SOURCES];
    uint64_t unknown_symbols;
    uint64_t n_warnings;
    double memory_slope_mb; /* growth a request over the last 100 requests; 0 below 10 */
    size_t n_memory;        /* requests that slope is made of */
} kk_metrics_view;

void kk_metrics_read(kk_metrics *metrics, kk_metrics_view *view);

/* Resident memory of this process in bytes, from /proc; 0 where there is none. */
uint64_t kk_resident_bytes(void);

#endif
