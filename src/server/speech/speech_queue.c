/* speech_queue.c - the queue's limit, and what those get who come when it is reached. */
#include "server/speech/speech_queue.h"

#include "base/clock.h"
#include "server/server_state.h"

#include <math.h>

size_t kk_speech_queue_limit(kk_server *server)
{
    return (size_t)kk_config_int(kk_server_config(server), KK_SET_MAX_QUEUE);
}

/* When those who wait now will have begun, as it goes at present. */
static int queue_s(const kk_jobs_view *view)
{
    enum { MOST_S = 120 };
    const double s = view->gap_s * (double)view->n_waiting;
    return s < 1.0 ? 1 : s > MOST_S ? MOST_S : (int)ceil(s);
}

int kk_speech_queue_refuse(kk_server *server, kk_api_error *error)
{
    const size_t limit = kk_speech_queue_limit(server);
    kk_jobs_view view;
    kk_jobs_read(server->jobs, &view);
    const int wait_s = queue_s(&view);
    (void)kk_api_fail(
        error, 429, NULL, "queue_full",
        "%zu requests wait already%s (KOKORO_MAX_QUEUE is %zu); try again in %d s", view.n_waiting,
        view.n_waiting < limit ? ", of one key as many as there is room for others" : "", limit,
        wait_s);
    error->retry_after_s = wait_s;
    return error->http_status;
}

int kk_speech_queue_check(kk_server *server, uint64_t group, kk_api_error *error)
{
    if (kk_jobs_has_room(server->jobs, group, kk_speech_queue_limit(server)))
        return 0;
    return kk_speech_queue_refuse(server, error);
}

double kk_speech_due_s(kk_server *server, double arrived_s)
{
    const double least_s = 1e-3; /* 0 would say that nobody waits */
    const double target_s =
        (double)kk_config_int(kk_server_config(server), KK_SET_TTFA_TARGET_MS) / 1e3;
    const double left_s = target_s - (kk_now_s() - arrived_s);
    return left_s > least_s ? left_s : least_s;
}
