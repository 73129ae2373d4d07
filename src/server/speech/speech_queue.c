/* speech_queue.c - the queue's limit, and what those get who come when it is reached. */
#include "server/speech/speech_queue.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "server/server_state.h"

#include <math.h>

size_t kk_speech_queue_limit(kk_server *server)
{
    return (size_t)kk_config_int(kk_server_config(server), KK_SET_MAX_QUEUE);
}

/* English text at its natural speed: some 170 words a minute, of five letters and a space. */
static const double SOUND_OF_CHAR_S = 0.06;
/* Until some was made here: two cores make 7 to 15 seconds of sound in one. */
static const double COST_OF_SOUND = 0.1;

double kk_speech_probable_s(const kokoro_request *request)
{
    const kk_slice text = {request->text, request->text_len};
    return SOUND_OF_CHAR_S * (double)kk_utf8_count(text) / request->speed;
}

/* When those who wait now will have begun: as it goes at present or, while none has come out yet
 * for whom another went in, by the length of their texts. */
static int queue_s(const kk_jobs_view *view)
{
    enum { MOST_S = 120 };
    const double cost = view->cost_of_sound > 0.0 ? view->cost_of_sound : COST_OF_SOUND;
    const double s =
        view->gap_s > 0.0 ? view->gap_s * (double)view->n_waiting : cost * view->waiting_sound_s;
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
