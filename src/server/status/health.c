/* health.c - GET /health and /startup-progress: can it speak yet, and if not, how far is it? */
#include "server/server_state.h"

#include "server/json.h"

static json_t *time_or_null(double time_s)
{
    return time_s > 0.0 ? kk_json_real(time_s) : json_null();
}

static json_t *progress_object(const kk_progress *progress)
{
    return json_pack("{s:s, s:i, s:s, s:o, s:o}", "status", progress->status, "progress",
                     progress->percent, "message", progress->message, "started_at",
                     time_or_null(progress->started_at_s), "completed_at",
                     time_or_null(progress->completed_at_s));
}

enum kk_http_verdict kk_get_health(const kk_call *call)
{
    kk_progress progress;
    kk_reload reload;
    kk_server_reload_view(call->server, &reload);
    /* Who waits for model_ready before he speaks must not wait for what only speaking brings. */
    if (reload.is_unloaded)
        return kk_answer_json(
            call, 200,
            json_pack("{s:s, s:b, s:b, s:s}", "status", "online", "model_ready", 1, "model_loaded",
                      0, "message",
                      "the model was closed because nobody spoke; the next request opens it"));
    if (kk_server_is_ready(call->server))
        return kk_answer_json(call, 200,
                              json_pack("{s:s, s:b}", "status", "online", "model_ready", 1));
    kk_server_progress(call->server, &progress);
    kk_http_add_header(call->response, "Retry-After", "1");
    if (progress.percent == 0)
        return kk_answer_json(call, 503,
                              json_pack("{s:s, s:b}", "status", "starting", "model_ready", 0));
    return kk_answer_json(call, 503,
                          json_pack("{s:s, s:b, s:o, s:s}", "status", progress.status,
                                    "model_ready", 0, "progress", progress_object(&progress),
                                    "message", progress.message));
}

enum kk_http_verdict kk_get_startup_progress(const kk_call *call)
{
    kk_progress progress;
    kk_server_progress(call->server, &progress);
    return kk_answer_json(call, 200, progress_object(&progress));
}
