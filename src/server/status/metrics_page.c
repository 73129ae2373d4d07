/*
 * metrics_page.c - GET /metrics: the figures of GET /status as text for Prometheus. Units are base
 * units, counters end in _total; quantiles are left to Prometheus, which takes them from the
 * histograms.
 */
#include "server/status/status.h"

#include "metrics/prometheus.h"
#include "server/speech/speech_stream.h"
#include "server/wyoming/wyoming.h"

#include <string.h>

#define COUNTER "counter"
#define GAUGE "gauge"

static void requests(kk_buf *dst, const kk_status *s)
{
    const kk_metrics_view *m = &s->metrics;
    const kk_metrics_span *all = &m->spans[KK_METRICS_SINCE_START];
    static const char name[] = "kokoro_speech_requests_total";
    kk_prometheus_family(dst, name, COUNTER, "Speech requests, by how they ended.");
    kk_prometheus_sample(dst, name, "result", "ok", (double)all->n_done);
    for (int i = 0; i < KK_METRICS_N_ERRORS; i++)
        kk_prometheus_sample(dst, name, "result", kk_metrics_error_text(i), (double)m->errors[i]);
    kk_prometheus_single(dst, "kokoro_rejections_total", COUNTER,
                         "Requests refused: the queue was full, the model not loaded, or the "
                         "origin or host foreign.",
                         (double)kk_status_rejections(s));
    kk_prometheus_single(dst, "kokoro_speech_on_target_total", COUNTER,
                         "Speech requests that met the targets of first sound, real-time factor "
                         "and efficiency.",
                         (double)all->n_success);
    kk_prometheus_single(
        dst, "kokoro_first_sound_target_seconds", GAUGE, "Target of the time to the first sound.",
        (double)kk_config_int(kk_server_config(s->server), KK_SET_TTFA_TARGET_MS) / 1e3);
    kk_prometheus_histogram(dst, "kokoro_first_sound_seconds",
                            "Time from a request to its first sample that is not silence.", m,
                            KK_METRICS_FIRST_SOUND);
    kk_prometheus_histogram(dst, "kokoro_real_time_factor",
                            "Time of a request by the length of its sound.", m, KK_METRICS_RTF);
    kk_prometheus_histogram(dst, "kokoro_cancel_seconds",
                            "Time from a client's going away to the end of its work.", m,
                            KK_METRICS_CANCEL);
    kk_prometheus_single(dst, "kokoro_audio_seconds_total", COUNTER, "Length of the sound made.",
                         all->audio_s);
    kk_prometheus_single(dst, "kokoro_queue_wait_seconds_total", COUNTER,
                         "Time that requests with sound waited for a worker.", m->queue_s);
}

static void inferences(kk_buf *dst, const kk_status *s)
{
    const kk_metrics_view *m = &s->metrics;
    static const char name[] = "kokoro_inferences_total";
    static const char time_name[] = "kokoro_inference_provider_seconds_total";
    kk_prometheus_family(dst, name, COUNTER, "Inferences, by what ran them.");
    for (size_t i = 0; i < m->n_providers; i++)
        kk_prometheus_sample(dst, name, "provider", m->providers[i].name,
                             (double)m->providers[i].n_inferences);
    kk_prometheus_family(dst, time_name, COUNTER, "Time of inferences, by what ran them.");
    for (size_t i = 0; i < m->n_providers; i++)
        kk_prometheus_sample(dst, time_name, "provider", m->providers[i].name,
                             m->providers[i].model_s);
    kk_prometheus_histogram(dst, "kokoro_inference_seconds", "Time of an inference.", m,
                            KK_METRICS_INFERENCE);
    kk_prometheus_single(dst, "kokoro_cache_hits_total", COUNTER,
                         "Answers from the cache of results.", (double)m->n_cache_hits);
    kk_prometheus_single(dst, "kokoro_cache_misses_total", COUNTER,
                         "Looks into the cache of results that found nothing.",
                         (double)m->n_cache_misses);
}

static void results(kk_buf *dst, const kk_status *s)
{
    static const char entries[] = "kokoro_cache_entries", bytes[] = "kokoro_cache_bytes",
                      limit[] = "kokoro_cache_limit_bytes",
                      evictions[] = "kokoro_cache_evictions_total";
    const kk_results_view *memory = &s->results.memory;
    const kk_results_disk_view *disk = &s->results.disk;
    kk_prometheus_family(dst, entries, GAUGE, "Answers in the cache of results.");
    kk_prometheus_sample(dst, entries, "place", "memory", (double)memory->n_entries);
    kk_prometheus_sample(dst, entries, "place", "disk", (double)disk->n_entries);
    kk_prometheus_family(dst, bytes, GAUGE, "What they take.");
    kk_prometheus_sample(dst, bytes, "place", "memory", (double)memory->bytes);
    kk_prometheus_sample(dst, bytes, "place", "disk", (double)disk->bytes);
    kk_prometheus_family(dst, limit, GAUGE, "What they may take.");
    kk_prometheus_sample(dst, limit, "place", "memory", (double)memory->max_bytes);
    kk_prometheus_sample(dst, limit, "place", "disk", (double)disk->max_bytes);
    kk_prometheus_family(dst, evictions, COUNTER, "Answers removed to make room.");
    kk_prometheus_sample(dst, evictions, "place", "memory", (double)memory->n_evicted);
    kk_prometheus_sample(dst, evictions, "place", "disk", (double)disk->n_evicted);
    kk_prometheus_single(dst, "kokoro_model_unloads_total", COUNTER,
                         "Times that the model was closed because nobody spoke.",
                         (double)s->reload.n_unloads);
    kk_prometheus_single(dst, "kokoro_model_reloads_total", COUNTER,
                         "Times that it was opened again, or that this failed.",
                         (double)s->reload.n_loads);
}

static void phonemes(kk_buf *dst, const kk_status *s)
{
    static const char name[] = "kokoro_words_total";
    kk_prometheus_family(dst, name, COUNTER, "Words spoken, by where their phonemes came from.");
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        kk_prometheus_sample(dst, name, "source", kokoro_source_text(i),
                             (double)s->metrics.words[i]);
    kk_prometheus_single(dst, "kokoro_phonemizer_fallbacks_total", COUNTER,
                         "Words that neither the lexicon nor its rules knew.",
                         (double)kk_status_fallbacks(s));
    kk_prometheus_single(dst, "kokoro_unknown_symbols_total", COUNTER,
                         "Phoneme symbols that the model does not know, dropped.",
                         (double)s->metrics.unknown_symbols);
}

static void http(kk_buf *dst, const kk_status *s)
{
    static const char name[] = "kokoro_http_responses_total";
    kk_prometheus_family(dst, name, COUNTER, "HTTP answers, by status.");
    for (int i = 0; i < KK_METRICS_N_HTTP; i++) {
        char code[16];
        (void)snprintf(code, sizeof(code), "%d", KK_METRICS_FIRST_HTTP + i);
        if (s->metrics.http[i] > 0)
            kk_prometheus_sample(dst, name, "code", code, (double)s->metrics.http[i]);
    }
    kk_prometheus_single(dst, "kokoro_warnings_total", COUNTER, "Warnings in the log.",
                         (double)s->metrics.n_warnings);
}

static void queue(kk_buf *dst, const kk_status *s)
{
    const kk_jobs_view *j = &s->jobs;
    kk_wyoming_view wyoming;
    kk_wyoming_read(s->server->wyoming, &wyoming);
    const struct {
        const char *name, *help;
        size_t n;
    } gauges[] = {
        {"kokoro_requests_active", "Speech requests at work.", j->n_running},
        {"kokoro_requests_queued", "Speech requests that wait for a worker.", j->n_waiting},
        {"kokoro_requests_active_peak", "The most speech requests at work at once.",
         j->peak_running},
        {"kokoro_requests_queued_peak", "The most speech requests that waited at once.",
         j->peak_waiting},
        {"kokoro_workers", "Speech requests that can be at work at once.", j->n_workers},
        {"kokoro_queue_limit", "Speech requests that may wait; more are refused.", j->max_waiting},
        {"kokoro_wyoming_connections", "Connections of the Wyoming protocol.",
         wyoming.n_connections},
        {"kokoro_text_streams", "Texts that are spoken while they arrive.",
         kk_speech_streams_count(s->server->streams)},
    };
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
        kk_prometheus_single(dst, gauges[i].name, GAUGE, gauges[i].help, (double)gauges[i].n);
}

static void start(kk_buf *dst, const kk_status *s)
{
    static const char name[] = "kokoro_startup_seconds", info[] = "kokoro_build_info";
    size_t n_applied, n_failed;
    kk_progress progress;
    kk_server_progress(s->server, &progress);
    kk_status_count_patches(s, &n_applied, &n_failed);
    kk_prometheus_family(dst, info, GAUGE, "1; its label is the program's version.");
    kk_prometheus_sample(dst, info, "version", kokoro_version(), 1.0);
    kk_prometheus_family(dst, "kokoro_provider_info", GAUGE,
                         "1; its label is what runs the model.");
    kk_prometheus_sample(dst, "kokoro_provider_info", "provider", kk_status_provider(s), 1.0);
    kk_prometheus_single(dst, "kokoro_model_loaded", GAUGE, "1 when speech can be made.",
                         s->engine != NULL ? 1.0 : 0.0);
    kk_prometheus_single(dst, "process_start_time_seconds", GAUGE,
                         "When the server started, since 1970.", progress.started_at_s);
    kk_prometheus_family(dst, name, GAUGE, "Time that parts of the start took.");
    kk_prometheus_sample(dst, name, "part", "capabilities_detection", s->times.hardware_s);
    kk_prometheus_sample(dst, name, "part", "init_provider", s->times.provider_s);
    kk_prometheus_sample(dst, name, "part", "engine_open", s->times.engine_s);
    kk_prometheus_sample(dst, name, "part", "ready", s->times.ready_s);
    kk_prometheus_sample(dst, name, "part", "minimal_warmup", s->times.warm_up_s);
    kk_prometheus_single(dst, "kokoro_measures_applied", GAUGE,
                         "Measures in force for other programs' peculiarities.", (double)n_applied);
    kk_prometheus_single(dst, "kokoro_measures_failed", GAUGE, "Such measures that failed.",
                         (double)n_failed);
}

enum kk_http_verdict kk_get_metrics(const kk_call *call)
{
    static void (*const parts[])(kk_buf * dst, const kk_status *s) = {start,
                                                                      requests,
                                                                      inferences,
                                                                      results,
                                                                      phonemes,
                                                                      queue,
                                                                      http,
                                                                      kk_metrics_memory,
                                                                      kk_metrics_hardware,
                                                                      kk_metrics_benchmark};
    kk_status s;
    kk_status_take(&s, call->server);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        parts[i](&call->response->body, &s);
    kk_status_give(&s);
    call->response->status = 200;
    call->response->content_type = KK_PROMETHEUS_TYPE;
    return KK_HTTP_NOW;
}
