/* watchdog.c - see watchdog.h. */
#include "server/status/watchdog.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "server/server_state.h"

#include <malloc.h>
#include <string.h>

/* So long after a speech the allocator's free pages are given back, some 10 MB after several at
 * once; the next one takes them anew in less time than can be told. */
static const double settle_s = 2.0;

/* The allocator's own locks are taken for that, so it is done here and not where it is shown. */
static double fragmentation(void)
{
    struct mallinfo2 info = mallinfo2();
    size_t held = info.arena + info.hblkhd;
    return held > 0 ? 100.0 * (double)info.fordblks / (double)held : 0.0;
}

static void trim(kk_server *server)
{
    kk_watchdog_view *view = &server->watchdog.view;
    kokoro_engine *engine = kk_server_take_engine(server);
    if (engine == NULL)
        return;
    kk_cleanup event = {.time_s = kk_wall_s(), .before_bytes = kk_resident_bytes()};
    double start_s = kk_now_s();
    kokoro_trim(engine);
    event.took_ms = 1e3 * (kk_now_s() - start_s);
    event.after_bytes = kk_resident_bytes();
    kk_server_give_engine(server, engine);

    (void)pthread_mutex_lock(&server->mutex);
    view->n_cleanups++;
    if (event.before_bytes > event.after_bytes)
        view->freed_bytes += event.before_bytes - event.after_bytes;
    memmove(view->events + 1, view->events, (KK_WATCHDOG_N_EVENTS - 1) * sizeof(view->events[0]));
    view->events[0] = event;
    if (view->n_events < KK_WATCHDOG_N_EVENTS)
        view->n_events++;
    (void)pthread_mutex_unlock(&server->mutex);
    kk_log_write(&server->log, KOKORO_LOG_DEBUG, "memory: %.1f MB before the clean-up, %.1f after",
                 (double)event.before_bytes / 1048576.0, (double)event.after_bytes / 1048576.0);
}

/* A benchmark in a process of its own needs nothing of this engine; but it will have a result, for
 * which another is opened, and it runs at all only because nobody speaks. */
static void unload(kk_server *server, double limit_s)
{
    kk_scheduler_view *bench = kk_calloc(1, sizeof(*bench));
    if (bench == NULL)
        return;
    kk_scheduler_read(server->scheduler, bench);
    const bool is_measuring = bench->state == KK_BENCH_RUNNING || bench->state == KK_BENCH_PAUSED;
    kk_free(bench);
    if (is_measuring || kk_server_is_draining(server))
        return;
    const uint64_t before = kk_resident_bytes();
    if (kk_server_unload(server))
        kk_log_write(&server->log, KOKORO_LOG_INFO,
                     "the model was closed after %g s without speech: %.0f MB before, %.0f after",
                     limit_s, (double)before / 1048576.0, (double)kk_resident_bytes() / 1048576.0);
}

void kk_watchdog_tick(kk_server *server)
{
    kk_watchdog *w = &server->watchdog;
    const kk_config *config = kk_server_config(server);
    const double trim_s = kk_config_real(config, KK_SET_TRIM_AFTER_S);
    const double unload_s = kk_config_real(config, KK_SET_UNLOAD_AFTER_S);
    const double share = fragmentation();
    double spoke_at_s;
    const bool is_quiet = kk_scheduler_speaking(server->scheduler, &spoke_at_s) == 0;
    kk_reload reload;
    kk_server_reload_view(server, &reload);
    const double since_s = spoke_at_s > reload.loaded_at_s ? spoke_at_s : reload.loaded_at_s;
    const double quiet_s = kk_now_s() - since_s;
    (void)pthread_mutex_lock(&server->mutex);
    w->view.fragmentation_percent = share;
    (void)pthread_mutex_unlock(&server->mutex);
    if (!is_quiet || spoke_at_s > w->spoke_at_s)
        w->is_trimmed = w->is_settled = false;
    w->spoke_at_s = spoke_at_s;
    if (is_quiet && unload_s > 0.0 && quiet_s >= unload_s) {
        unload(server, unload_s);
    } else if (is_quiet && trim_s > 0.0 && quiet_s >= trim_s && !w->is_trimmed) {
        w->is_trimmed = w->is_settled = true;
        trim(server);
    } else if (is_quiet && trim_s > 0.0 && quiet_s >= settle_s && !w->is_settled) {
        w->is_settled = true;
        (void)malloc_trim(0);
    }
}

void kk_watchdog_read(kk_server *server, kk_watchdog_view *out)
{
    (void)pthread_mutex_lock(&server->mutex);
    *out = server->watchdog.view;
    (void)pthread_mutex_unlock(&server->mutex);
}
