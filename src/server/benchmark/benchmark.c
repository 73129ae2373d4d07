/*
 * benchmark.c - GET /benchmark: what is measured now and what was measured last;
 * POST /benchmark?mode=quick|full: measure now; and the section scheduled_benchmark of /status.
 */
#include "server/server_state.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "cache/record.h"
#include "server/benchmark/scheduler.h"
#include "server/json.h"
#include "server/status/status.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* "2026-11-24T17:05:28Z", or null for 0 and what no calendar knows. */
static json_t *iso_time(double wall_s)
{
    char text[32];
    time_t seconds = (time_t)wall_s;
    struct tm utc;
    if (!(wall_s > 0.0) || !isfinite(wall_s) || gmtime_r(&seconds, &utc) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return json_null();
    return json_string(text);
}

static json_t *real_or_null(double value, bool is_known)
{
    return is_known && isfinite(value) ? kk_json_real(value) : json_null();
}

static json_t *path_or_null(const char *path)
{
    return path[0] != '\0' ? json_string(path) : json_null();
}

static const char *frequency_text(enum kk_frequency frequency)
{
    static const char *const texts[] = {"daily", "weekly", "monthly", "manually"};
    return texts[frequency];
}

const char *kk_status_record_text(enum kk_record_state state)
{
    static const char *const texts[] = {"unmeasured", "valid", "expired", "changed", "damaged"};
    return texts[state];
}

bool kk_status_has_record(const kk_scheduler_view *view)
{
    return view->record_view.state != KK_RECORD_MISSING &&
           view->record_view.state != KK_RECORD_DAMAGED;
}

static json_t *way_object(const kk_way *way)
{
    return json_pack("{s:s, s:s, s:i}", "provider", way->provider, "precision", way->precision,
                     "threads", way->n_threads);
}

static json_t *record_object(const kk_scheduler_view *view)
{
    const kk_record *record = &view->record;
    const kk_record_view *judged = &view->record_view;
    json_t *object =
        json_pack("{s:s, s:s, s:s*}", "state", kk_status_record_text(judged->state), "problem",
                  judged->state == KK_RECORD_DAMAGED ? judged->problem : "", "changed",
                  judged->state == KK_RECORD_CHANGED ? judged->changed : NULL);
    if (!kk_status_has_record(view))
        return object;
    json_t *rest = json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:b, s:s}", "recommended", way_object(&record->recommended),
        "measured_at", iso_time(record->measured_at_s), "mode", record->mode, "age_hours",
        kk_json_real(judged->age_s / 3600.0), "expires_at", iso_time(judged->expires_at_s),
        "is_over_quality_limit", record->is_over_quality, "reason", record->reason);
    (void)json_object_update(object, rest);
    json_decref(rest);
    return object;
}

/* The run that is going on, or waits; null when none does. */
static json_t *current_run(const kk_scheduler_view *view)
{
    if (view->state == KK_BENCH_IDLE)
        return json_null();
    bool has_begun = view->state != KK_BENCH_WAITING;
    return json_pack("{s:s, s:b, s:o, s:o, s:s, s:o, s:i}", "mode", view->mode, "forced",
                     view->was_forced, "progress", kk_json_real(view->percent / 100.0),
                     "left_seconds", real_or_null(view->left_s, view->left_s >= 0.0), "step",
                     view->step, "started_at", iso_time(has_begun ? view->started_at_s : 0.0),
                     "pauses", (int)view->n_pauses);
}

/* A run that is over, with its results file as it stands; null when there is none. */
static json_t *ended_run(const kk_bench_end *end)
{
    if (!(end->ended_at_s > 0.0))
        return json_null();
    json_t *results = end->was_good ? kk_bench_report_results(end->results_file) : NULL;
    return json_pack("{s:b, s:o, s:o, s:s, s:o, s:o}", "success", end->was_good, "ended_at",
                     iso_time(end->ended_at_s), "duration_seconds", kk_json_real(end->duration_s),
                     "message", end->message, "results_file", path_or_null(end->results_file),
                     "results", results != NULL ? results : json_null());
}

static enum kk_http_verdict show(const kk_call *call)
{
    kk_scheduler_view view;
    kk_scheduler_read(call->server->scheduler, &view);
    return kk_answer_json(call, 200,
                          json_pack("{s:s, s:o, s:o, s:o, s:o}", "status",
                                    kk_bench_state_text(view.state), "run", current_run(&view),
                                    "last", ended_run(&view.last), "last_good",
                                    view.last.was_good ? json_null() : ended_run(&view.last_good),
                                    "record", record_object(&view)));
}

static enum kk_http_verdict force(const kk_call *call)
{
    kk_api_error error;
    kokoro_error err;
    char shown[40];
    const char *mode = kk_http_query(call->request, "mode");
    if (mode == NULL)
        mode = "quick";
    if (strcmp(mode, "quick") != 0 && strcmp(mode, "full") != 0) {
        (void)kk_api_fail(&error, 400, "mode", "invalid_mode", "mode is quick or full, not '%s'",
                          kk_text_shown(shown, sizeof(shown), mode));
        return kk_answer_error(call, &error);
    }
    if (kk_scheduler_force(call->server->scheduler, mode, &err) != KOKORO_OK) {
        (void)kk_api_fail(&error, 409, NULL, "benchmark_running", "%s; GET /benchmark shows it",
                          err.message);
        return kk_answer_error(call, &error);
    }
    return kk_answer_json(call, 202,
                          json_pack("{s:s, s:s, s:s}", "status", "waiting", "mode", mode, "message",
                                    "it begins as soon as nobody speaks; GET /benchmark shows it"));
}

enum kk_http_verdict kk_benchmark(const kk_call *call)
{
    return strcmp(call->request->method, "POST") == 0 ? force(call) : show(call);
}

/* Names and units of the Kokoro-ONNX TTS API first, then ours. */
json_t *kk_status_benchmark(const kk_status *s)
{
    kk_scheduler_view view;
    kk_scheduler_read(s->server->scheduler, &view);
    const bool has_run = kk_status_has_record(&view);
    const double measured_s = view.record.measured_at_s;
    bool is_by_itself = !view.is_skipped && view.rule.frequency != KK_MANUALLY;
    json_t *object =
        json_pack("{s:b, s:s, s:b, s:o, s:o}", "scheduler_active", is_by_itself, "frequency",
                  frequency_text(view.rule.frequency), "skip_benchmarking", view.is_skipped,
                  "last_run", iso_time(has_run ? measured_s : 0.0), "results_file",
                  path_or_null(view.last_good.results_file));
    json_t *rest =
        json_pack("{s:o, s:o, s:b, s:s, s:o, s:o, s:o}", "time_since_last_hours",
                  real_or_null((kk_wall_s() - measured_s) / 3600.0, has_run), "next_scheduled_run",
                  iso_time(view.next_at_s), "due_for_benchmark", view.is_due, "state",
                  kk_bench_state_text(view.state), "run", current_run(&view), "last_attempt",
                  iso_time(view.tried_at_s), "record", record_object(&view));
    (void)json_object_update(object, rest);
    json_decref(rest);
    return object;
}
