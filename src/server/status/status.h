/*
 * status.h - inside GET /status and GET /metrics: the figures as they stood at one moment, and the
 * sections made of them. A section is a JSON object or value whose reference is the caller's; NULL
 * when memory is out. One that cannot be had is {"error": why}, and leaves the others alone.
 */
#ifndef KK_SERVER_STATUS_H
#define KK_SERVER_STATUS_H

#include "server/json.h"
#include "server/server_state.h"

typedef struct kk_status {
    kk_server *server;
    kokoro_engine *engine; /* held; NULL until one is loaded */
    kokoro_engine_info info;
    kk_metrics_view metrics;
    kk_jobs_view jobs;
    kk_start_times times;
    kk_watchdog_view watchdog;
    kk_reload reload;
    kk_speech_cache_view results;
} kk_status;

/* Taking holds the engine until it is given back. */
void kk_status_take(kk_status *s, kk_server *server);
void kk_status_give(kk_status *s);

/* All sections; NULL when memory is out. */
json_t *kk_status_make(const kk_status *s);

/* metrics_machine.c */
void kk_metrics_memory(kk_buf *dst, const kk_status *s);
void kk_metrics_hardware(kk_buf *dst, const kk_status *s);
void kk_metrics_benchmark(kk_buf *dst, const kk_status *s);

/* status_performance.c */
json_t *kk_status_performance(const kk_status *s);
json_t *kk_status_tts_processing(const kk_status *s);
json_t *kk_status_errors(const kk_status *s);
/* Refused: the queue was full, the model not loaded, or origin or host foreign. */
uint64_t kk_status_rejections(const kk_status *s);
json_t *kk_status_queue(const kk_status *s);
json_t *kk_status_warnings(const kk_status *s);
/* status_system.c */
json_t *kk_status_hardware(const kk_status *s);
json_t *kk_status_memory(const kk_status *s);
/* "stable", "increasing", "decreasing", "unknown" */
const char *kk_status_memory_trend(const kk_status *s);
json_t *kk_status_startup(const kk_status *s);
json_t *kk_status_caches(const kk_status *s);
json_t *kk_status_versions(const kk_status *s);
/* status_providers.c */
json_t *kk_status_onnx_providers(const kk_status *s);
json_t *kk_status_providers(const kk_status *s);
/* status_patches.c */
json_t *kk_status_patches(const kk_status *s);
/* Of measures, whose reference is taken: in force when the engine is open and none has failed. */
json_t *kk_status_patches_of(json_t *measures, bool is_open, double took_s);
json_t *kk_status_measures(const kk_status *s);
void kk_status_count_patches(const kk_status *s, size_t *n_applied, size_t *n_failed);
/* benchmark.c */
json_t *kk_status_benchmark(const kk_status *s);
bool kk_status_has_record(const kk_scheduler_view *view);
/* "unmeasured", "valid", "expired", "changed", "damaged" */
const char *kk_status_record_text(enum kk_record_state state);
/* wyoming.c */
json_t *kk_status_wyoming(const kk_status *s);

/* --- figures that several of them show --- */

/* 0 of nothing. */
double kk_percent(uint64_t part, uint64_t whole);
json_t *kk_json_count(uint64_t value);
/* A section that says why it is not there. */
json_t *kk_json_problem(const char *why);
/* What runs the model: "native", "CPUExecutionProvider"; "unknown" until one is loaded. */
const char *kk_status_provider(const kk_status *s);
/* Words spoken, and those of them that neither the lexicon nor its rules knew. */
uint64_t kk_status_words(const kk_status *s);
uint64_t kk_status_fallbacks(const kk_status *s);
uint64_t kk_status_inferences(const kk_status *s);

#endif
