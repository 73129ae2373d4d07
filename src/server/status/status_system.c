/* status_system.c - of GET /status: the machine, memory, the start, files and versions. */
#include "server/status/status.h"

#include <string.h>

#define MB 1048576.0

/* A list that spaces separate as an array of texts. */
static json_t *words(const char *list)
{
    json_t *array = json_array();
    while (*list != '\0') {
        size_t len = strcspn(list, " ");
        (void)json_array_append_new(array, json_stringn(list, len));
        list += len + strspn(list + len, " ");
    }
    return array;
}

/* 0, where there is no limit, is null. */
static json_t *limit(double value)
{
    return value > 0.0 ? kk_json_real(value) : json_null();
}

json_t *kk_status_hardware(const kk_status *s)
{
    static const double GB = 1073741824.0;
    const kk_hardware *h = &s->server->hardware;
    bool is_apple = strncmp(h->platform, "Darwin arm64", 12) == 0;
    return json_pack(
        "{s:s, s:b, s:b, s:i, s:o, s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}",
        "platform", h->platform, "is_apple_silicon", is_apple, "has_neural_engine", is_apple,
        "cpu_cores", h->n_physical, "memory_gb", kk_json_real((double)h->memory_bytes / GB),
        "cpu_model", h->cpu_model, "cpu_threads", h->n_logical, "instruction_set",
        h->instruction_set, "instruction_sets", words(h->instruction_sets), "l1d_cache_kb",
        kk_json_count(h->l1d_bytes / 1024), "l2_cache_kb", kk_json_count(h->l2_bytes / 1024),
        "l3_cache_kb", kk_json_count(h->l3_bytes / 1024), "cpu_limit", limit(h->cpu_quota),
        "memory_limit_gb", limit((double)h->memory_limit_bytes / GB), "release", h->release,
        "accelerators", words(h->accelerators));
}

json_t *kk_status_startup(const kk_status *s)
{
    char name[128] = "init_provider_";
    json_t *object =
        json_pack("{s:o}", "capabilities_detection", kk_json_real(s->times.hardware_s));
    if (s->engine == NULL)
        return object;
    (void)strncat(name, kk_status_provider(s), sizeof(name) - strlen(name) - 1);
    (void)json_object_set_new(object, name, kk_json_real(s->times.provider_s));
    (void)json_object_set_new(object, "engine_open", kk_json_real(s->times.engine_s));
    (void)json_object_set_new(object, "ready", kk_json_real(s->times.ready_s));
    (void)json_object_set_new(object, "minimal_warmup", kk_json_real(s->times.warm_up_s));
    return object;
}

static const char *memory_health(const kk_status *s, double used)
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

static json_t *cleanup_events(const kk_status *s)
{
    json_t *events = json_array();
    for (size_t i = 0; i < s->watchdog.n_events; i++) {
        const kk_cleanup *e = &s->watchdog.events[i];
        uint64_t freed = e->before_bytes > e->after_bytes ? e->before_bytes - e->after_bytes : 0;
        (void)json_array_append_new(
            events,
            json_pack("{s:o, s:o, s:o, s:o, s:o}", "time", kk_json_real(e->time_s), "freed_bytes",
                      kk_json_count(freed), "before_mb", kk_json_real((double)e->before_bytes / MB),
                      "after_mb", kk_json_real((double)e->after_bytes / MB), "duration_ms",
                      kk_json_real(e->took_ms)));
    }
    return events;
}

const char *kk_status_memory_trend(const kk_status *s)
{
    enum { MIN_REQUESTS = 10 };
    static const double stable_mb = 0.1; /* a request */
    const double slope = s->metrics.memory_slope_mb;
    if (s->metrics.n_memory < MIN_REQUESTS)
        return "unknown";
    return slope > stable_mb ? "increasing" : slope < -stable_mb ? "decreasing" : "stable";
}

json_t *kk_status_memory(const kk_status *s)
{
    double used = (double)kk_resident_bytes(), slope = s->metrics.memory_slope_mb;
    if (used <= 0.0)
        return kk_json_problem("/proc/self/statm cannot be read");
    return json_pack("{s:b, s:o, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "watchdog_active",
                     kk_config_real(kk_server_config(s->server), KK_SET_TRIM_AFTER_S) > 0.0,
                     "current_memory_mb", kk_json_real(used / MB), "peak_memory_mb",
                     kk_json_real((double)kk_peak_resident_bytes() / MB), "memory_trend",
                     kk_status_memory_trend(s), "slope_mb_per_request", kk_json_real(slope),
                     "fragmentation_score", kk_json_real(s->watchdog.fragmentation_percent),
                     "memory_health", memory_health(s, used), "cleanup_count",
                     kk_json_count(s->watchdog.n_cleanups), "freed_bytes_total",
                     kk_json_count(s->watchdog.freed_bytes), "cleanup_events", cleanup_events(s),
                     "request_count",
                     kk_json_count(s->metrics.spans[KK_METRICS_SINCE_START].n_speech));
}

json_t *kk_status_caches(const kk_status *s)
{
    const char *directory = kk_config_text(kk_server_config(s->server), KK_SET_CACHE);
    json_t *model =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "directory", directory, "made_in_s",
                  kk_json_real(s->engine != NULL ? s->info.pack_ms / 1e3 : 0.0), "unloads",
                  kk_json_count(s->reload.n_unloads), "reloads", kk_json_count(s->reload.n_loads),
                  "failed_reloads", kk_json_count(s->reload.n_failed), "last_reload_ms",
                  kk_json_real(1e3 * s->reload.took_s));
    json_t *results = kk_speech_cache_json(&s->results);
    (void)json_object_set_new(results, "hits", kk_json_count(s->metrics.n_cache_hits));
    (void)json_object_set_new(results, "misses", kk_json_count(s->metrics.n_cache_misses));
    return json_pack("{s:o, s:o}", "model", model, "results", results);
}

json_t *kk_status_versions(const kk_status *s)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "kokoro", kokoro_version(), "runtime",
                     s->engine != NULL ? s->info.runtime_version : "", "libmicrohttpd",
                     kk_http_library_version(), "jansson", jansson_version_str());
}
