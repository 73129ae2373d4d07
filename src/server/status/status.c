/*
 * status.c - GET /status: the sections of the Kokoro-ONNX TTS API with the same names, units and
 * types, and some of our own; docs/STATUS.md lists every field. Every figure is counted or
 * measured; what does not exist here (Apple's cores, replaced functions) is told as absent, not
 * invented.
 */
#include "server/status/status.h"

#include <string.h>

double kk_percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

json_t *kk_json_count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *kk_json_problem(const char *why)
{
    return json_pack("{s:s}", "error", why);
}

const char *kk_status_provider(const kk_status *s)
{
    if (s->engine == NULL)
        return "unknown";
    return s->info.execution_provider[0] != '\0' ? s->info.execution_provider : s->info.provider;
}

uint64_t kk_status_words(const kk_status *s)
{
    uint64_t n = 0;
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        n += s->metrics.words[i];
    return n;
}

uint64_t kk_status_fallbacks(const kk_status *s)
{
    return s->metrics.words[KOKORO_SOURCE_ESPEAK] + s->metrics.words[KOKORO_SOURCE_LETTERS];
}

uint64_t kk_status_inferences(const kk_status *s)
{
    return s->metrics.spans[KK_METRICS_SINCE_START].kinds[KK_METRICS_INFERENCE].n;
}

void kk_status_take(kk_status *s, kk_server *server)
{
    memset(s, 0, sizeof(*s));
    s->server = server;
    s->engine = kk_server_take_engine(server);
    s->info.struct_size = sizeof(s->info);
    if (s->engine != NULL)
        kokoro_get_engine_info(s->engine, &s->info);
    kk_metrics_read(server->metrics, &s->metrics);
    kk_jobs_read(server->jobs, &s->jobs);
    s->jobs.max_waiting = (size_t)kk_config_int(kk_server_config(server), KK_SET_MAX_QUEUE);
    kk_server_start_times(server, &s->times);
    kk_watchdog_read(server, &s->watchdog);
    kk_server_reload_view(server, &s->reload);
    if (server->results != NULL)
        kk_speech_cache_read(server->results, &s->results);
}

void kk_status_give(kk_status *s)
{
    kk_server_give_engine(s->server, s->engine);
    s->engine = NULL;
}

static json_t *model_loaded(const kk_status *s)
{
    return json_boolean(s->engine != NULL);
}

static json_t *model_state(const kk_status *s)
{
    return json_string(s->engine != NULL       ? "loaded"
                       : s->reload.is_unloaded ? "unloaded"
                                               : "loading");
}

static json_t *uptime(const kk_status *s)
{
    return kk_json_real(s->metrics.uptime_s);
}

json_t *kk_status_make(const kk_status *s)
{
    static const struct {
        const char *name;
        json_t *(*make)(const kk_status *s);
    } sections[] = {
        {"model_loaded", model_loaded},
        {"model_state", model_state},
        {"onnx_providers", kk_status_onnx_providers},
        {"performance", kk_status_performance},
        {"patch_status", kk_status_patches},
        {"hardware", kk_status_hardware},
        {"warning_suppression", kk_status_warnings},
        {"tts_processing", kk_status_tts_processing},
        {"startup_timings", kk_status_startup},
        {"scheduled_benchmark", kk_status_benchmark},
        {"memory_fragmentation", kk_status_memory},
        {"errors", kk_status_errors},
        {"queue", kk_status_queue},
        {"wyoming", kk_status_wyoming},
        {"caches", kk_status_caches},
        {"versions", kk_status_versions},
        {"providers", kk_status_providers},
        {"uptime_seconds", uptime},
    };
    json_t *status = json_object();
    bool is_whole = status != NULL;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]) && is_whole; i++) {
        /* What of a section memory was out for must not be missing unnoticed. */
        (void)kk_json_take_no_memory();
        json_t *section = sections[i].make(s);
        if (kk_json_take_no_memory()) {
            json_decref(section);
            section = NULL;
        }
        if (section == NULL)
            section = kk_json_problem(kokoro_status_text(KOKORO_NO_MEMORY));
        is_whole = json_object_set_new(status, sections[i].name, section) == 0;
    }
    if (!is_whole) {
        json_decref(status);
        status = NULL;
    }
    return status;
}

enum kk_http_verdict kk_get_status(const kk_call *call)
{
    kk_status s;
    kk_scheduler_remind(call->server->scheduler);
    kk_status_take(&s, call->server);
    json_t *status = kk_status_make(&s);
    kk_status_give(&s);
    return kk_answer_json(call, 200, status);
}
