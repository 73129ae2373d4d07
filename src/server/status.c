/*
 * status.c - GET /status: the sections of the Kokoro-ONNX TTS API with the same names, units and
 * types, and some of our own. Every figure is counted or measured; what does not exist here
 * (patches, suppressed warnings, Apple's cores) is told as absent, not invented.
 */
#include "server/server_state.h"

#include "server/json.h"

#include <malloc.h>
#include <string.h>

/* The figures that several sections show. */
typedef struct snapshot {
    kk_server *server;
    kokoro_engine *engine; /* NULL until it is loaded */
    kokoro_engine_info info;
    kk_metrics_view metrics;
    kk_jobs_view jobs;
    kk_start_times times;
} snapshot;

enum { TTFA_TARGET_MS = 250 };
static const double rtf_target = 1.0;

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static bool is_coreml(const snapshot *s)
{
    return s->engine != NULL && strstr(s->info.execution_provider, "CoreML") != NULL;
}

static const char *provider_used(const snapshot *s)
{
    if (s->engine == NULL)
        return "unknown";
    return s->info.execution_provider[0] != '\0' ? s->info.execution_provider : s->info.provider;
}

static uint64_t n_words(const snapshot *s)
{
    uint64_t n = 0;
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        n += s->metrics.words[i];
    return n;
}

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *words_by_source(const snapshot *s)
{
    json_t *object = json_object();
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        (void)json_object_set_new(object, kokoro_source_text(i), integer(s->metrics.words[i]));
    return object;
}

/* The other system's names: misaki is its lexicon and rules, phonemizer its espeak. */
static json_t *words_by_method(const snapshot *s)
{
    const uint64_t *words = s->metrics.words;
    return json_pack("{s:i, s:o, s:o, s:o}", "fast_path", 0, "misaki",
                     integer(words[KOKORO_SOURCE_GOLD] + words[KOKORO_SOURCE_SILVER] +
                             words[KOKORO_SOURCE_RULE]),
                     "phonemizer", integer(words[KOKORO_SOURCE_ESPEAK] + words[KOKORO_SOURCE_OOV]),
                     "character", integer(words[KOKORO_SOURCE_LETTERS]));
}

static json_t *performance(const snapshot *s)
{
    const kk_metrics_view *m = &s->metrics;
    uint64_t coreml = is_coreml(s) ? m->n_inferences : 0;
    uint64_t fallbacks = m->words[KOKORO_SOURCE_ESPEAK] + m->words[KOKORO_SOURCE_LETTERS];
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:i, s:i}", "total_inferences",
        integer(m->n_inferences), "coreml_inferences", integer(coreml), "cpu_inferences",
        integer(m->n_inferences - coreml), "average_inference_time", kk_json_real(m->inference_s),
        "provider_used", provider_used(s), "phonemizer_fallbacks", integer(fallbacks),
        "phonemizer_fallback_rate", kk_json_real(percent(fallbacks, n_words(s))),
        "coreml_context_warnings", 0, "memory_cleanup_count", 0);
    json_t *requests = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "total_requests",
        integer(m->n_speech), "success_count", integer(m->n_success), "success_rate",
        kk_json_real(percent(m->n_success, m->n_speech) / 100.0), "ttfa_average",
        kk_json_real(1e3 * m->ttfa_s), "rtf_average", kk_json_real(m->rtf), "ttfa_target",
        TTFA_TARGET_MS, "rtf_target", kk_json_real(rtf_target), "coreml_usage_percent",
        kk_json_real(percent(coreml, m->n_inferences)), "cpu_usage_percent",
        kk_json_real(percent(m->n_inferences - coreml, m->n_inferences)),
        "text_processing_method_counts", words_by_method(s), "g2p_sources", words_by_source(s),
        "unknown_symbols", integer(m->unknown_symbols), "audio_seconds_total",
        kk_json_real(m->audio_s));
    (void)json_object_update(object, requests);
    json_decref(requests);
    return object;
}

static json_t *hardware(const snapshot *s)
{
    const kk_hardware *h = &s->server->hardware;
    bool is_apple = strncmp(h->platform, "Darwin arm64", 12) == 0;
    return json_pack("{s:s, s:b, s:b, s:i, s:o, s:i, s:s, s:s, s:o}", "platform", h->platform,
                     "is_apple_silicon", is_apple, "has_neural_engine", is_apple, "cpu_cores",
                     h->n_physical, "memory_gb",
                     kk_json_real((double)h->memory_bytes / 1073741824.0), "cpu_threads",
                     h->n_logical, "cpu_model", h->cpu_model, "instruction_set", h->instruction_set,
                     "cpu_quota", kk_json_real(h->cpu_quota));
}

/* Neither phonemes nor sounds are kept, so far. */
static json_t *tts_processing(const snapshot *s)
{
    const char *helper = kk_config_text(s->server->options.config, KK_SET_ESPEAK_HELPER);
    json_t *phonemes = json_pack("{s:i, s:i, s:f, s:f, s:f, s:b, s:s, s:i}", "cache_size", 0,
                                 "max_cache_size", 0, "cache_hit_rate", 0.0, "hit_rate", 0.0,
                                 "efficiency", 0.0, "backend_available", helper[0] != '\0',
                                 "padding_token", "$", "max_phoneme_length", KOKORO_MAX_PHONEMES);
    json_t *sounds =
        json_pack("{s:i, s:i, s:i, s:f, s:f, s:f}", "total_entries", 0, "valid_entries", 0,
                  "expired_entries", 0, "cache_size_mb", 0.0, "hit_rate", 0.0, "miss_rate", 0.0);
    return json_pack("{s:b, s:s, s:o, s:o}", "phoneme_preprocessing_enabled", 1, "active_provider",
                     provider_used(s), "phoneme_cache", phonemes, "inference_cache", sounds);
}

static json_t *startup_timings(const snapshot *s)
{
    char name[128] = "init_provider_";
    json_t *object =
        json_pack("{s:o}", "capabilities_detection", kk_json_real(s->times.hardware_s));
    if (s->engine == NULL)
        return object;
    (void)strncat(name, provider_used(s), sizeof(name) - strlen(name) - 1);
    (void)json_object_set_new(object, name, kk_json_real(s->times.provider_s));
    (void)json_object_set_new(object, "engine_open", kk_json_real(s->times.engine_s));
    (void)json_object_set_new(object, "minimal_warmup", kk_json_real(s->times.warm_up_s));
    return object;
}

/* No benchmark runs by a schedule here yet. */
static json_t *scheduled_benchmark(void)
{
    return json_pack("{s:b, s:s, s:b, s:n, s:n}", "scheduler_active", 0, "frequency", "manually",
                     "skip_benchmarking", 1, "last_run", "results_file");
}

static const char *memory_health(const snapshot *s, double used)
{
    const kk_hardware *h = &s->server->hardware;
    uint64_t limit = h->memory_bytes;
    if (h->memory_limit_bytes > 0 && h->memory_limit_bytes < limit)
        limit = h->memory_limit_bytes;
    if (limit == 0 || used <= 0.0)
        return "unknown";
    double share = used / (double)limit;
    return share > 0.9    ? "critical"
           : share > 0.75 ? "warning"
           : share > 0.5  ? "caution"
                          : "healthy";
}

/* Share of the allocator's memory that it holds but nobody uses, 0 to 100. */
static double fragmentation_percent(void)
{
    struct mallinfo2 info = mallinfo2();
    return percent(info.fordblks, info.arena + info.hblkhd);
}

static json_t *memory_fragmentation(const snapshot *s)
{
    enum { MIN_REQUESTS = 10 };
    static const double stable_mb = 0.1; /* a request */
    double used = (double)kk_resident_bytes(), slope = s->metrics.memory_slope_mb;
    const char *trend = slope > stable_mb    ? "increasing"
                        : slope < -stable_mb ? "decreasing"
                                             : "stable";
    if (s->metrics.n_memory < MIN_REQUESTS)
        trend = "unknown";
    return json_pack("{s:b, s:o, s:s, s:o, s:s, s:i, s:o, s:o}", "watchdog_active", 0,
                     "current_memory_mb", kk_json_real(used / 1048576.0), "memory_trend", trend,
                     "fragmentation_score", kk_json_real(fragmentation_percent()), "memory_health",
                     memory_health(s, used), "cleanup_count", 0, "request_count",
                     integer(s->metrics.n_speech), "slope_mb_per_request", kk_json_real(slope));
}

static json_t *errors(const snapshot *s)
{
    json_t *kinds = json_object();
    uint64_t total = 0;
    for (int i = 0; i < KK_METRICS_N_ERRORS; i++) {
        total += s->metrics.errors[i];
        (void)json_object_set_new(kinds, kk_metrics_error_text(i), integer(s->metrics.errors[i]));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "total", integer(total), "by_kind", kinds,
                     "http_answers", integer(s->metrics.n_answers), "http_4xx",
                     integer(s->metrics.n_client_errors), "http_5xx",
                     integer(s->metrics.n_server_errors));
}

static json_t *queue(const snapshot *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "waiting", integer(s->jobs.n_waiting),
                     "running", integer(s->jobs.n_running), "workers", integer(s->jobs.n_workers),
                     "limit", integer(s->jobs.max_waiting), "rejected",
                     integer(s->metrics.errors[KK_METRICS_BUSY]), "average_wait_ms",
                     kk_json_real(1e3 * s->metrics.queue_s));
}

static json_t *caches(const snapshot *s)
{
    const char *directory = kk_config_text(s->server->options.config, KK_SET_CACHE);
    json_t *model = json_pack("{s:s, s:o}", "directory", directory, "made_in_s",
                              kk_json_real(s->engine != NULL ? s->info.pack_ms / 1e3 : 0.0));
    return json_pack("{s:o}", "model", model);
}

static json_t *versions(const snapshot *s)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "kokoro", kokoro_version(), "runtime",
                     s->engine != NULL ? s->info.runtime_version : "", "libmicrohttpd",
                     kk_http_library_version(), "jansson", jansson_version_str());
}

/* Names that a user of the other system asks for. */
static json_t *onnx_providers(const snapshot *s)
{
    json_t *names = json_array();
    size_t i;
    json_t *provider;
    json_array_foreach(s->engine != NULL ? s->server->providers : NULL, i, provider)
    {
        const char *at = json_string_value(json_object_get(provider, "execution_providers"));
        if (!json_is_true(json_object_get(provider, "available")))
            continue;
        while (at != NULL && *at != '\0') {
            size_t len = strcspn(at, ",");
            kk_slice name = kk_slice_trim((kk_slice){at, len});
            (void)json_array_append_new(names, json_stringn(name.data, name.len));
            at += len + (at[len] == ',');
        }
    }
    return names;
}

static json_t *providers(const snapshot *s)
{
    json_t *known = s->engine != NULL ? json_deep_copy(s->server->providers) : json_array();
    return json_pack("{s:s, s:s, s:s, s:i, s:o}", "asked_for",
                     kk_config_text(s->server->options.config, KK_SET_PROVIDER), "used",
                     s->engine != NULL ? s->info.provider : "", "precision",
                     s->engine != NULL ? s->info.precision : "", "threads",
                     s->engine != NULL ? s->info.n_threads : 0, "known", known);
}

enum kk_http_verdict kk_get_status(const kk_call *call)
{
    snapshot s = {.server = call->server, .engine = kk_server_take_engine(call->server)};
    s.info.struct_size = sizeof(s.info);
    if (s.engine != NULL)
        kokoro_get_engine_info(s.engine, &s.info);
    kk_metrics_read(call->server->metrics, &s.metrics);
    kk_jobs_read(call->server->jobs, &s.jobs);
    kk_server_start_times(call->server, &s.times);

    json_t *patches = json_pack("{s:b, s:n, s:[], s:i}", "applied", 0, "application_time",
                                "patch_errors", "original_functions_stored", 0);
    json_t *warnings =
        json_pack("{s:b, s:i, s:o, s:f}", "active", 0, "suppressed_warnings", 0, "total_warnings",
                  integer(s.metrics.n_warnings), "suppression_rate", 0.0);
    const struct {
        const char *name;
        json_t *section;
    } sections[] = {
        {"model_loaded", json_boolean(s.engine != NULL)},
        {"onnx_providers", onnx_providers(&s)},
        {"performance", performance(&s)},
        {"patch_status", patches},
        {"hardware", hardware(&s)},
        {"warning_suppression", warnings},
        {"tts_processing", tts_processing(&s)},
        {"startup_timings", startup_timings(&s)},
        {"scheduled_benchmark", scheduled_benchmark()},
        {"memory_fragmentation", memory_fragmentation(&s)},
        {"errors", errors(&s)},
        {"queue", queue(&s)},
        {"caches", caches(&s)},
        {"versions", versions(&s)},
        {"providers", providers(&s)},
        {"uptime_seconds", kk_json_real(s.metrics.uptime_s)},
    };
    json_t *status = json_object();
    bool is_whole = status != NULL;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        is_whole &= json_object_set_new(status, sections[i].name, sections[i].section) == 0;
    kk_server_give_engine(call->server, s.engine);
    if (!is_whole) {
        json_decref(status);
        status = NULL;
    }
    return kk_answer_json(call, 200, status);
}
