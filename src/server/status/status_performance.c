/* status_performance.c - of GET /status: what was spoken, how fast, and what went wrong. */
#include "server/status/status.h"

#include "server/speech/speech_stream.h"

#include <string.h>

/* "CoreMLExecutionProvider"; and what computes on the CPU: "native", "CPUExecutionProvider",
 * "OpenVINO:CPU". Others (a GPU) are neither. */
static bool is_coreml(const char *provider)
{
    return strstr(provider, "CoreML") != NULL;
}

static bool is_cpu(const char *provider)
{
    return strcmp(provider, "native") == 0 || strstr(provider, "CPU") != NULL;
}

static uint64_t inferences_of(const kk_status *s, bool (*is)(const char *provider))
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->metrics.n_providers; i++)
        n += is(s->metrics.providers[i].name) ? s->metrics.providers[i].n_inferences : 0;
    return n;
}

static json_t *words_by_source(const kk_status *s)
{
    json_t *object = json_object();
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        (void)json_object_set_new(object, kokoro_source_text(i),
                                  kk_json_count(s->metrics.words[i]));
    return object;
}

/* The other system's names: misaki is its lexicon and rules, phonemizer its espeak. */
static json_t *words_by_method(const kk_status *s)
{
    const uint64_t *words = s->metrics.words;
    return json_pack("{s:i, s:o, s:o, s:o}", "fast_path", 0, "misaki",
                     kk_json_count(words[KOKORO_SOURCE_GOLD] + words[KOKORO_SOURCE_SILVER] +
                                   words[KOKORO_SOURCE_RULE]),
                     "phonemizer",
                     kk_json_count(words[KOKORO_SOURCE_ESPEAK] + words[KOKORO_SOURCE_OOV]),
                     "character", kk_json_count(words[KOKORO_SOURCE_LETTERS]));
}

static json_t *by_provider(const kk_status *s)
{
    json_t *object = json_object();
    for (size_t i = 0; i < s->metrics.n_providers; i++) {
        const kk_metrics_provider *p = &s->metrics.providers[i];
        double mean = p->n_inferences > 0 ? p->model_s / (double)p->n_inferences : 0.0;
        (void)json_object_set_new(
            object, p->name,
            json_pack("{s:o, s:o, s:o}", "inferences", kk_json_count(p->n_inferences), "percent",
                      kk_json_real(kk_percent(p->n_inferences, kk_status_inferences(s))),
                      "average_inference_time", kk_json_real(mean)));
    }
    return object;
}

static json_t *quantiles(const kk_metrics_summary *summary, double unit)
{
    return json_pack("{s:o, s:o, s:o}", "p50", kk_json_real(unit * summary->p50), "p95",
                     kk_json_real(unit * summary->p95), "p99", kk_json_real(unit * summary->p99));
}

static json_t *span(const kk_metrics_span *w)
{
    const kk_metrics_summary *inference = &w->kinds[KK_METRICS_INFERENCE];
    const kk_metrics_summary *ttfa = &w->kinds[KK_METRICS_FIRST_SOUND];
    const kk_metrics_summary *rtf = &w->kinds[KK_METRICS_RTF];
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "seconds",
                     kk_json_real(w->length_s), "total_requests", kk_json_count(w->n_speech),
                     "completed_count", kk_json_count(w->n_done), "success_count",
                     kk_json_count(w->n_success), "error_count", kk_json_count(w->n_failed),
                     "total_inferences", kk_json_count(inference->n), "audio_seconds",
                     kk_json_real(w->audio_s), "average_inference_time",
                     kk_json_real(inference->mean), "inference_time", quantiles(inference, 1.0),
                     "ttfa_average", kk_json_real(1e3 * ttfa->mean), "ttfa", quantiles(ttfa, 1e3),
                     "rtf_average", kk_json_real(rtf->mean), "rtf", quantiles(rtf, 1.0));
}

static json_t *windows(const kk_status *s)
{
    return json_pack("{s:o, s:o, s:o}", "last_1_min", span(&s->metrics.spans[KK_METRICS_1_MIN]),
                     "last_5_min", span(&s->metrics.spans[KK_METRICS_5_MIN]), "since_start",
                     span(&s->metrics.spans[KK_METRICS_SINCE_START]));
}

static json_t *inferences(const kk_status *s)
{
    const kk_metrics_view *m = &s->metrics;
    const kk_metrics_summary *all = &m->spans[KK_METRICS_SINCE_START].kinds[KK_METRICS_INFERENCE];
    uint64_t coreml = inferences_of(s, is_coreml), cpu = inferences_of(s, is_cpu);
    const char *used =
        m->n_providers > 0 ? m->providers[m->last_provider].name : kk_status_provider(s);
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:i, s:o, s:o}", "total_inferences",
        kk_json_count(all->n), "coreml_inferences", kk_json_count(coreml), "cpu_inferences",
        kk_json_count(cpu), "average_inference_time", kk_json_real(all->mean), "provider_used",
        used, "coreml_usage_percent", kk_json_real(kk_percent(coreml, all->n)), "cpu_usage_percent",
        kk_json_real(kk_percent(cpu, all->n)), "inferences_by_provider", by_provider(s),
        "coreml_context_warnings", 0, "cache_hits", kk_json_count(m->n_cache_hits), "cache_misses",
        kk_json_count(m->n_cache_misses));
}

static json_t *requests(const kk_status *s)
{
    kk_server *server = s->server;
    const kk_metrics_span *all = &s->metrics.spans[KK_METRICS_SINCE_START];
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o}",
                     "total_requests", kk_json_count(all->n_speech), "completed_count",
                     kk_json_count(all->n_done), "success_count", kk_json_count(all->n_success),
                     "success_rate", kk_json_real(kk_percent(all->n_success, all->n_done) / 100.0),
                     "ttfa_average", kk_json_real(1e3 * all->kinds[KK_METRICS_FIRST_SOUND].mean),
                     "rtf_average", kk_json_real(all->kinds[KK_METRICS_RTF].mean),
                     "efficiency_average", kk_json_real(s->metrics.efficiency), "ttfa_target",
                     (int)kk_config_int(kk_server_config(server), KK_SET_TTFA_TARGET_MS),
                     "rtf_target", kk_json_real(KK_SERVER_RTF_TARGET), "efficiency_target",
                     kk_json_real(KK_SERVER_EFFICIENCY_TARGET), "audio_seconds_total",
                     kk_json_real(all->audio_s), "windows", windows(s), "quantile_error_percent",
                     kk_json_real(100.0 * KK_HISTOGRAM_ERROR));
}

static json_t *phonemes(const kk_status *s)
{
    return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o}", "phonemizer_fallbacks",
                     kk_json_count(kk_status_fallbacks(s)), "phonemizer_fallback_rate",
                     kk_json_real(kk_percent(kk_status_fallbacks(s), kk_status_words(s))),
                     "phonemizer_preinitialized", s->engine != NULL,
                     "text_processing_method_counts", words_by_method(s), "g2p_sources",
                     words_by_source(s), "unknown_symbols",
                     kk_json_count(s->metrics.unknown_symbols));
}

/* The other system's names, flat: its sessions for kinds of devices are here the one model, whose
 * inferences are told by what ran them; what is at work at once are the workers. */
static json_t *sessions(const kk_status *s)
{
    const uint64_t all = kk_status_inferences(s), coreml = inferences_of(s, is_coreml),
                   cpu = inferences_of(s, is_cpu), gpu = all - coreml - cpu;
    const char *now = kk_status_provider(s);
    const bool has_one = s->engine != NULL, at_coreml = has_one && is_coreml(now),
               at_cpu = has_one && is_cpu(now);
    json_t *available = json_pack("{s:b, s:b, s:b}", "ane", at_coreml, "gpu",
                                  has_one && !at_coreml && !at_cpu, "cpu", at_cpu);
    return json_pack(
        "{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "dual_session_available", 0,
        "total_requests", kk_json_count(all), "ane_requests", kk_json_count(coreml), "gpu_requests",
        kk_json_count(gpu), "cpu_requests", kk_json_count(cpu), "ane_percentage",
        kk_json_real(kk_percent(coreml, all)), "gpu_percentage", kk_json_real(kk_percent(gpu, all)),
        "cpu_percentage", kk_json_real(kk_percent(cpu, all)), "concurrent_segments_active",
        kk_json_count(s->jobs.n_running), "max_concurrent_segments",
        kk_json_count(s->jobs.n_workers), "concurrent_efficiency",
        kk_json_real(kk_percent(s->jobs.n_running, s->jobs.n_workers)), "sessions_available",
        available);
}

json_t *kk_status_performance(const kk_status *s)
{
    json_t *object =
        json_pack("{s:o, s:o, s:o}", "memory_cleanup_count", kk_json_count(s->watchdog.n_cleanups),
                  "session_utilization", sessions(s), "memory_fragmentation", kk_status_memory(s));
    json_t *parts[] = {inferences(s), requests(s), phonemes(s)};
    bool is_whole = object != NULL;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        is_whole = is_whole && parts[i] != NULL && json_object_update(object, parts[i]) == 0;
        json_decref(parts[i]);
    }
    if (is_whole)
        return object;
    json_decref(object);
    return NULL;
}

/* Phonemes are not kept: the counts say so. */
json_t *kk_status_tts_processing(const kk_status *s)
{
    const char *helper = kk_config_text(kk_server_config(s->server), KK_SET_ESPEAK_HELPER);
    const uint64_t hits = s->metrics.n_cache_hits, looks = hits + s->metrics.n_cache_misses;
    const kk_results_view *memory = &s->results.memory;
    json_t *phoneme_cache = json_pack(
        "{s:i, s:i, s:f, s:f, s:f, s:b, s:s, s:i}", "cache_size", 0, "max_cache_size", 0,
        "cache_hit_rate", 0.0, "hit_rate", 0.0, "efficiency", 0.0, "backend_available",
        helper[0] != '\0', "padding_token", "$", "max_phoneme_length", KOKORO_MAX_PHONEMES);
    json_t *inference_cache = json_pack(
        "{s:o, s:o, s:i, s:o, s:o, s:o}", "total_entries", kk_json_count(memory->n_entries),
        "valid_entries", kk_json_count(memory->n_entries), "expired_entries", 0, "cache_size_mb",
        kk_json_real((double)memory->bytes / 1048576.0), "hit_rate",
        kk_json_real(kk_percent(hits, looks) / 100.0), "miss_rate",
        kk_json_real(kk_percent(looks - hits, looks) / 100.0));
    return json_pack("{s:b, s:s, s:o, s:o}", "phoneme_preprocessing_enabled", 1, "active_provider",
                     kk_status_provider(s), "phoneme_cache", phoneme_cache, "inference_cache",
                     inference_cache);
}

static json_t *by_http_status(const kk_status *s)
{
    json_t *object = json_object();
    for (int i = 0; i < KK_METRICS_N_HTTP; i++) {
        char code[16];
        if (s->metrics.http[i] == 0)
            continue;
        (void)snprintf(code, sizeof(code), "%d", KK_METRICS_FIRST_HTTP + i);
        (void)json_object_set_new(object, code, kk_json_count(s->metrics.http[i]));
    }
    return object;
}

uint64_t kk_status_rejections(const kk_status *s)
{
    const kk_metrics_view *m = &s->metrics;
    return m->errors[KK_METRICS_BUSY] + m->errors[KK_METRICS_NOT_READY] +
           m->http[403 - KK_METRICS_FIRST_HTTP];
}

json_t *kk_status_errors(const kk_status *s)
{
    const kk_metrics_view *m = &s->metrics;
    json_t *kinds = json_object();
    uint64_t total = 0;
    for (int i = 0; i < KK_METRICS_N_ERRORS; i++) {
        total += m->errors[i];
        (void)json_object_set_new(kinds, kk_metrics_error_text(i), kk_json_count(m->errors[i]));
    }
    const kk_metrics_summary *cancel = &m->spans[KK_METRICS_SINCE_START].kinds[KK_METRICS_CANCEL];
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "total", kk_json_count(total),
        "by_kind", kinds, "error_rate",
        kk_json_real(kk_percent(total, m->spans[KK_METRICS_SINCE_START].n_speech) / 100.0),
        "rejections", kk_json_count(kk_status_rejections(s)), "cancellations",
        kk_json_count(m->errors[KK_METRICS_CANCELLED]), "cancel_time", quantiles(cancel, 1e3),
        "warnings", kk_json_count(m->n_warnings), "http_answers", kk_json_count(m->n_answers),
        "http_4xx", kk_json_count(m->n_client_errors), "http_5xx",
        kk_json_count(m->n_server_errors), "by_http_status", by_http_status(s));
}

json_t *kk_status_queue(const kk_status *s)
{
    const kk_metrics_view *m = &s->metrics;
    double wait_s = m->n_queued > 0 ? m->queue_s / (double)m->n_queued : 0.0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "waiting",
                     kk_json_count(s->jobs.n_waiting), "running", kk_json_count(s->jobs.n_running),
                     "peak_waiting", kk_json_count(s->jobs.peak_waiting), "peak_running",
                     kk_json_count(s->jobs.peak_running), "workers",
                     kk_json_count(s->jobs.n_workers), "limit", kk_json_count(s->jobs.max_waiting),
                     "rejected", kk_json_count(m->errors[KK_METRICS_BUSY]), "average_wait_ms",
                     kk_json_real(1e3 * wait_s), "text_streams",
                     kk_json_count(kk_speech_streams_count(s->server->streams)));
}

/* No line of the log is held back. */
json_t *kk_status_warnings(const kk_status *s)
{
    return json_pack("{s:b, s:i, s:o, s:f}", "active", 0, "suppressed_warnings", 0,
                     "total_warnings", kk_json_count(s->metrics.n_warnings), "suppression_rate",
                     0.0);
}
