/*
 * metrics.h - what the server has done: since its start, in the last minute and in the last five.
 * Any thread may add, any thread may read; a reader never makes a writer wait. Nothing here is
 * estimated but the quantiles (histogram.h tells how far off they may be): a figure that nothing
 * was measured for is 0.
 */
#ifndef KK_METRICS_METRICS_H
#define KK_METRICS_METRICS_H

#include "kokoro/kokoro.h"
#include "metrics/histogram.h"

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

/* What is measured of each request or inference, with its quantiles. */
enum kk_metrics_kind {
    KK_METRICS_INFERENCE,   /* seconds of one inference */
    KK_METRICS_FIRST_SOUND, /* seconds from a request to its first sample that is not silence */
    KK_METRICS_RTF,         /* of a request answered whole: its time by the length of its sound */
    KK_METRICS_CANCEL,      /* seconds from a client's going away to the end of its work */
    KK_METRICS_N_KINDS
};

enum kk_metrics_window {
    KK_METRICS_1_MIN,
    KK_METRICS_5_MIN,
    KK_METRICS_SINCE_START,
    KK_METRICS_N_WINDOWS
};

typedef double kk_metrics_clock(void);

typedef struct kk_metrics_options {
    kk_metrics_clock *now_s; /* NULL: kk_now_s */
    double rtf;              /* targets, as first_sound_target_s is; a success met them all */
    double efficiency;       /* sound made a second of its time, at least */
} kk_metrics_options;

typedef struct kk_metrics kk_metrics;

/* NULL when memory is out. */
kk_metrics *kk_metrics_create(const kk_metrics_options *options);
void kk_metrics_destroy(kk_metrics **metrics);

/* One speech request at its end. */
typedef struct kk_metrics_speech {
    int error;            /* an enum kk_metrics_error */
    double queue_s;       /* waiting for a worker */
    double first_sound_s; /* from the request to its first sound; negative: there was none */
    double first_sound_target_s;
    double total_s;     /* from the request to its last sample */
    double cancel_s;    /* from its client's going away to its end; negative: he did not, or it is
                           not known when */
    kokoro_stats stats; /* as far as it came */
} kk_metrics_speech;

void kk_metrics_add_speech(kk_metrics *metrics, const kk_metrics_speech *speech);
/* One inference, booked to what ran it: "native", "CPUExecutionProvider". */
void kk_metrics_add_inference(kk_metrics *metrics, const char *provider, double model_s);
/* A speech request that never reached the engine. */
void kk_metrics_add_refusal(kk_metrics *metrics, enum kk_metrics_error error);
/* A look into the cache of results that found nothing. */
void kk_metrics_add_cache_miss(kk_metrics *metrics);
/* A speech request answered from it: a request that met its targets, and no more: no inference, no
 * sound made, and none of the times, whose quantiles are of speech that was made. */
void kk_metrics_add_cache_hit(kk_metrics *metrics);
/* Any HTTP answer. */
void kk_metrics_add_answer(kk_metrics *metrics, int http_status);
/* A warning in the log. */
void kk_metrics_add_warning(kk_metrics *metrics);

/* ---- reading ------------------------------------------------------------------------------ */

typedef struct kk_metrics_summary {
    uint64_t n;
    double sum, mean, p50, p95, p99;
} kk_metrics_summary;

/* Of one window. Its end is now; its start is exact to ten seconds. */
typedef struct kk_metrics_span {
    double length_s;
    uint64_t n_speech;  /* speech requests, refused ones too */
    uint64_t n_done;    /* answered whole */
    uint64_t n_success; /* of which met the targets */
    uint64_t n_failed;  /* n_speech - n_done */
    double audio_s;     /* sound made */
    kk_metrics_summary kinds[KK_METRICS_N_KINDS];
} kk_metrics_span;

enum {
    KK_METRICS_MAX_PROVIDERS = 8,
    KK_METRICS_PROVIDER_NAME = 48,
    KK_METRICS_FIRST_HTTP = 100, /* HTTP statuses are counted from here */
    KK_METRICS_N_HTTP = 500,     /* so many */
    KK_METRICS_N_EDGES = KK_HISTOGRAM_OCTAVES + 1
};

typedef struct kk_metrics_provider {
    char name[KK_METRICS_PROVIDER_NAME];
    uint64_t n_inferences;
    double model_s;
} kk_metrics_provider;

typedef struct kk_metrics_view {
    double uptime_s;
    kk_metrics_span spans[KK_METRICS_N_WINDOWS];
    uint64_t errors[KK_METRICS_N_ERRORS]; /* of speech requests */
    kk_metrics_provider providers[KK_METRICS_MAX_PROVIDERS];
    size_t n_providers;
    size_t last_provider;             /* the one that ran the last inference */
    double model_s;                   /* model time, that of unfinished inferences too */
    double queue_s;                   /* waited for workers, all requests with sound together */
    double efficiency;                /* mean of those answered whole */
    uint64_t n_queued;                /* requests that queue_s is of */
    uint64_t words[KOKORO_N_SOURCES]; /* spoken, by where their phonemes came from */
    uint64_t unknown_symbols;         /* dropped */
    uint64_t n_cache_hits, n_cache_misses; /* of results; never counted as inferences */
    uint64_t n_answers, n_client_errors, n_server_errors; /* HTTP: all, 4xx, 5xx */
    uint64_t http[KK_METRICS_N_HTTP];
    uint64_t n_warnings;
    /* Values up to 2^-10, 2^-9 ... 2^10, since the start; the rest are larger. */
    uint64_t up_to[KK_METRICS_N_KINDS][KK_METRICS_N_EDGES];
    double memory_slope_mb; /* growth a request over the last 100 requests; 0 below 10 */
    size_t n_memory;        /* requests that slope is made of */
} kk_metrics_view;

/* All figures as they stood at one moment. */
void kk_metrics_read(kk_metrics *metrics, kk_metrics_view *view);

/* ---- memory of this process, from /proc; 0 where there is none ----------------------------- */

uint64_t kk_resident_bytes(void);
/* The most it ever was. */
uint64_t kk_peak_resident_bytes(void);

#endif
