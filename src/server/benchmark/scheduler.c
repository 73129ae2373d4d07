/*
 * scheduler.c - when the server benchmarks: the states of scheduler.h and who changes them. The
 * housekeeping thread starts, reads and ends the child; requests only stop it.
 */
#include "server/benchmark/scheduler.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "server/benchmark/bench_child.h"
#include "server/benchmark/bench_reports.h"
#include "server/live.h"
#include "server/server_state.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Quiet after the last request before the benchmark goes on; how often the record is judged; and
 * the time a run may take while it is not stopped: at the lowest priority, beside other programs,
 * it takes many times what it promises, so this finds what hangs. */
static const double resume_after_s = 1.0, judge_every_s = 2.0;
static const double limit_quick_s = 600.0, limit_full_s = 3600.0;

struct kk_scheduler {
    kk_server *server;
    kk_live *live;
    pthread_mutex_t mutex;
    kk_scheduler_view view;
    kk_bench_child child;
    kk_fingerprint fingerprint; /* as of the last judgement; for the housekeeping thread alone */
    size_t n_speaking;
    double spoke_at_s; /* kk_now_s of the last request's end */
    double ran_s, ticked_at_s, judged_at_s;
    bool is_reminded, must_publish, is_lock_free;
};

const char *kk_bench_state_text(enum kk_bench_state state)
{
    static const char *const texts[] = {"idle", "waiting", "running", "paused"};
    return texts[state];
}

static bool is_busy(const kk_scheduler *scheduler)
{
    return scheduler->view.state == KK_BENCH_RUNNING || scheduler->view.state == KK_BENCH_PAUSED;
}

static char *attempt_path(const kk_config *config)
{
    return kk_path_join(kk_config_text(config, KK_SET_CACHE), KK_RECORD_ATTEMPT);
}

/* --- what requests do --- */

void kk_scheduler_speech_begins(kk_scheduler *scheduler)
{
    (void)pthread_mutex_lock(&scheduler->mutex);
    scheduler->n_speaking++;
    if (scheduler->view.state == KK_BENCH_RUNNING) {
        kk_bench_child_stop(&scheduler->child);
        scheduler->view.state = KK_BENCH_PAUSED;
        scheduler->view.n_pauses++;
    }
    (void)pthread_mutex_unlock(&scheduler->mutex);
}

void kk_scheduler_speech_ends(kk_scheduler *scheduler)
{
    (void)pthread_mutex_lock(&scheduler->mutex);
    scheduler->n_speaking--;
    scheduler->spoke_at_s = kk_now_s();
    (void)pthread_mutex_unlock(&scheduler->mutex);
}

size_t kk_scheduler_speaking(kk_scheduler *scheduler, double *ended_at_s)
{
    (void)pthread_mutex_lock(&scheduler->mutex);
    size_t n = scheduler->n_speaking;
    *ended_at_s = scheduler->spoke_at_s;
    (void)pthread_mutex_unlock(&scheduler->mutex);
    return n;
}

int kk_scheduler_force(kk_scheduler *scheduler, const char *mode, kokoro_error *err)
{
    int status = KOKORO_OK;
    const char *cache = kk_config_text(kk_live_config(scheduler->live), KK_SET_CACHE);
    int holder = kk_record_lock_holder(cache);
    (void)pthread_mutex_lock(&scheduler->mutex);
    kk_scheduler_view *view = &scheduler->view;
    if (is_busy(scheduler)) {
        status = kk_fail(err, KOKORO_BUSY, "a benchmark runs already (%.0f %%)", view->percent);
    } else if (view->state == KK_BENCH_WAITING && view->was_forced) {
        status = kk_fail(err, KOKORO_BUSY, "a benchmark waits already, until nobody speaks");
    } else if (holder != 0) {
        status = holder > 0 ? kk_fail(err, KOKORO_BUSY, "process %d benchmarks already", holder)
                            : kk_fail(err, KOKORO_BUSY, "another process benchmarks already");
    } else {
        view->state = KK_BENCH_WAITING;
        view->was_forced = true;
        view->percent = 0.0;
        view->left_s = -1.0;
        (void)snprintf(view->mode, sizeof(view->mode), "%s", mode);
        (void)snprintf(view->step, sizeof(view->step), "waiting until nobody speaks");
    }
    (void)pthread_mutex_unlock(&scheduler->mutex);
    return status;
}

void kk_scheduler_remind(kk_scheduler *scheduler)
{
    (void)pthread_mutex_lock(&scheduler->mutex);
    scheduler->is_reminded = true;
    (void)pthread_mutex_unlock(&scheduler->mutex);
}

void kk_scheduler_read(kk_scheduler *scheduler, kk_scheduler_view *out)
{
    (void)pthread_mutex_lock(&scheduler->mutex);
    *out = scheduler->view;
    (void)pthread_mutex_unlock(&scheduler->mutex);
}

/* --- is one due? --- */

/* One line that tells fingerprints apart. */
static void attempt_mark(char mark[24], const kk_fingerprint *fingerprint)
{
    uint64_t hash = 0;
#define KK_X(field, name)                                                                          \
    hash = hash * 31 + kk_hash(fingerprint->field, strlen(fingerprint->field));
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    (void)snprintf(mark, 24, "%016llx\n", (unsigned long long)hash);
}

/* When a benchmark of this fingerprint was last tried, here or by a server before; 0: never. A
 * clock that was moved back makes it no later than now. */
static double tried_at(const kk_config *config, const kk_fingerprint *fingerprint)
{
    struct stat st;
    char mark[24];
    double tried_s = 0.0;
    kk_buf text = KK_BUF_INIT;
    char *path = attempt_path(config);
    attempt_mark(mark, fingerprint);
    if (path != NULL && stat(path, &st) == 0 &&
        kk_file_read(&text, path, sizeof(mark), NULL) == KOKORO_OK &&
        strcmp(kk_buf_str(&text), mark) == 0)
        tried_s = fmin((double)st.st_mtim.tv_sec, kk_wall_s());
    kk_buf_fini(&text);
    kk_free(path);
    return tried_s;
}

static void judge(kk_scheduler *scheduler, const kk_config *config)
{
    kokoro_options options;
    kk_fingerprint fingerprint = {.hardware = ""};
    kk_record record = {.n_results = 0};
    kk_record_view view;
    const double now_s = kk_wall_s();
    const kk_validity_rule rule = {
        .frequency = (enum kk_frequency)kk_config_choice(config, KK_SET_BENCHMARK_FREQUENCY),
        .is_extended = kk_config_bool(config, KK_SET_DEVELOPMENT_MODE) ||
                       kk_config_bool(config, KK_SET_FAST_STARTUP)};
    kk_config_engine_options(config, &options);
    bool has_fingerprint = kk_fingerprint_make(&fingerprint, &options, NULL) == KOKORO_OK;
    kk_record_look(&record, kk_config_text(config, KK_SET_CACHE),
                   has_fingerprint ? &fingerprint : NULL, &rule, now_s, &view);
    double tried_s = tried_at(config, &fingerprint), period_s = kk_validity_s(&rule);
    double next_s = fmax(tried_s > 0.0 ? tried_s + period_s : 0.0,
                         view.state == KK_RECORD_VALID ? view.expires_at_s : 0.0);
    bool is_skipped = kk_config_bool(config, KK_SET_SKIP_BENCHMARKING);
    bool is_never = is_skipped || rule.frequency == KK_MANUALLY || !isfinite(next_s);

    (void)pthread_mutex_lock(&scheduler->mutex);
    kk_scheduler_view *v = &scheduler->view;
    scheduler->fingerprint = fingerprint;
    v->rule = rule;
    v->record = record;
    v->record_view = view;
    v->is_skipped = is_skipped;
    v->tried_at_s = tried_s;
    v->is_due = !is_never && now_s >= next_s;
    v->next_at_s = is_never ? 0.0 : fmax(next_s, now_s);
    (void)pthread_mutex_unlock(&scheduler->mutex);
}

/* --- its life --- */

int kk_scheduler_create(kk_scheduler **out, kk_server *server, kokoro_error *err)
{
    kk_scheduler *scheduler = kk_calloc(1, sizeof(*scheduler));
    *out = NULL;
    if (scheduler == NULL || pthread_mutex_init(&scheduler->mutex, NULL) != 0) {
        kk_free(scheduler);
        return kk_fail_memory(err);
    }
    scheduler->server = server;
    scheduler->live = server->live;
    scheduler->spoke_at_s = scheduler->ticked_at_s = kk_now_s();
    scheduler->judged_at_s = -INFINITY;
    scheduler->child.progress_fd = -1;
    scheduler->view.left_s = -1.0;
    judge(scheduler, kk_live_config(server->live)); /* who asks in the first second is told too */
    *out = scheduler;
    return KOKORO_OK;
}

void kk_scheduler_destroy(kk_scheduler **scheduler_ptr)
{
    kk_scheduler *scheduler = *scheduler_ptr;
    if (scheduler == NULL)
        return;
    /* What the server's own end interrupts has not failed: the next server may try at once. */
    char *path = is_busy(scheduler) ? attempt_path(kk_live_config(scheduler->live)) : NULL;
    kk_bench_child_end(&scheduler->child);
    if (path != NULL)
        (void)unlink(path);
    kk_free(path);
    (void)pthread_mutex_destroy(&scheduler->mutex);
    kk_free(scheduler);
    *scheduler_ptr = NULL;
}

/* --- a run --- */

static void fail_run(kk_scheduler *scheduler, const char *message)
{
    kk_scheduler_view *view = &scheduler->view;
    view->state = KK_BENCH_IDLE;
    view->ended_at_s = kk_wall_s();
    view->was_good = false;
    (void)snprintf(view->message, sizeof(view->message), "%s", message);
    kk_bench_report_drop(view->results_file);
    kk_log_write(&scheduler->server->log, KOKORO_LOG_WARNING, "benchmark: %s", view->message);
}

/* Remember that it was tried, so that a failure is not tried again before its time. */
static void note_attempt(const kk_config *config, const kk_fingerprint *fingerprint)
{
    kk_writer writer;
    char *path = attempt_path(config), mark[24];
    attempt_mark(mark, fingerprint);
    char *slash = path != NULL ? strrchr(path, '/') : NULL;
    if (slash != NULL) {
        *slash = '\0';
        (void)kk_make_dirs(path, NULL);
        *slash = '/';
        if (kk_writer_open(&writer, path, NULL) == KOKORO_OK) {
            kk_writer_write(&writer, mark, strlen(mark));
            (void)kk_writer_commit(&writer, NULL);
        }
    }
    kk_free(path);
}

/* Under the mutex. */
static void start(kk_scheduler *scheduler, const kk_config *config)
{
    kokoro_error error;
    kk_scheduler_view *view = &scheduler->view;
    note_attempt(config, &scheduler->fingerprint);
    int status =
        kk_bench_report_path(view->results_file, sizeof(view->results_file), config, &error);
    if (status == KOKORO_OK)
        status =
            kk_bench_child_start(&scheduler->child, config, view->mode, view->results_file, &error);
    if (status != KOKORO_OK) {
        fail_run(scheduler, error.message);
        return;
    }
    view->state = KK_BENCH_RUNNING;
    view->percent = 0.0;
    view->left_s = -1.0;
    view->n_pauses = 0;
    view->started_at_s = kk_wall_s();
    scheduler->ran_s = 0.0;
    scheduler->judged_at_s = -INFINITY;
    (void)snprintf(view->step, sizeof(view->step), "starting");
    kk_log_write(&scheduler->server->log, KOKORO_LOG_INFO, "benchmark: %s run begins, report %s",
                 view->mode, view->results_file);
}

/* Under the mutex. */
static void finish(kk_scheduler *scheduler, int exit_status)
{
    kk_scheduler_view *view = &scheduler->view;
    char message[512];
    scheduler->judged_at_s = -INFINITY;
    view->duration_s = kk_wall_s() - view->started_at_s;
    if (exit_status != 0) {
        (void)snprintf(message, sizeof(message), "it ended with exit status %d: %.180s",
                       exit_status, scheduler->child.last);
        fail_run(scheduler, message);
        return;
    }
    view->state = KK_BENCH_IDLE;
    view->ended_at_s = kk_wall_s();
    view->was_good = true;
    view->percent = 100.0;
    (void)snprintf(view->message, sizeof(view->message), "done");
    scheduler->must_publish = true;
    kk_log_write(&scheduler->server->log, KOKORO_LOG_INFO, "benchmark: done in %.0f s",
                 view->duration_s);
}

/* Under the mutex: the child's progress, its end, its time limit, and going on after a pause. */
static void follow(kk_scheduler *scheduler, double elapsed_s)
{
    kk_scheduler_view *view = &scheduler->view;
    kk_bench_child *child = &scheduler->child;
    int exit_status = 0;
    if (view->state == KK_BENCH_RUNNING)
        scheduler->ran_s += elapsed_s;
    kk_bench_child_read(child);
    view->percent = child->percent;
    view->left_s = child->left_s;
    if (child->step[0] != '\0')
        (void)snprintf(view->step, sizeof(view->step), "%s", child->step);
    if (kk_bench_child_has_ended(child, &exit_status)) {
        finish(scheduler, exit_status);
        return;
    }
    double limit_s = strcmp(view->mode, "quick") == 0 ? limit_quick_s : limit_full_s;
    if (scheduler->ran_s > limit_s) {
        (void)snprintf(child->last, sizeof(child->last), "it took longer than %.0f s", limit_s);
        kk_bench_child_kill(child);
    } else if (view->state == KK_BENCH_PAUSED && scheduler->n_speaking == 0 &&
               kk_now_s() - scheduler->spoke_at_s >= resume_after_s) {
        kk_bench_child_go_on(child);
        view->state = KK_BENCH_RUNNING;
    }
}

/* Under the mutex: the next run, if there is reason for one. */
static void consider(kk_scheduler *scheduler, const kk_config *config)
{
    kk_scheduler_view *view = &scheduler->view;
    double quiet_s = kk_now_s() - scheduler->spoke_at_s;
    double idle_s = (double)kk_config_int(config, KK_SET_BENCHMARK_IDLE_S);
    if (view->state == KK_BENCH_IDLE && view->is_due) {
        view->was_forced = false;
        view->state = KK_BENCH_WAITING;
        (void)snprintf(view->mode, sizeof(view->mode), "quick");
        (void)snprintf(view->step, sizeof(view->step), "due, waiting until nobody speaks");
    }
    if (view->state != KK_BENCH_WAITING)
        return;
    if (!view->was_forced && !view->is_due) {
        view->state = KK_BENCH_IDLE;
        return;
    }
    bool is_urgent = view->was_forced || scheduler->is_reminded;
    if (scheduler->n_speaking == 0 && (is_urgent || quiet_s >= idle_s) &&
        !kk_server_is_draining(scheduler->server) && kk_server_is_ready(scheduler->server) &&
        scheduler->is_lock_free)
        start(scheduler, config);
}

void kk_scheduler_tick(kk_scheduler *scheduler)
{
    const kk_config *config = kk_live_config(scheduler->live);
    double now_s = kk_now_s(), elapsed_s = now_s - scheduler->ticked_at_s;
    scheduler->ticked_at_s = now_s;
    /* The lock first: who gave it back since the last tick has stored a record, which is then seen.
     */
    bool was_free = scheduler->is_lock_free;
    scheduler->is_lock_free = kk_record_lock_holder(kk_config_text(config, KK_SET_CACHE)) == 0;
    if (now_s - scheduler->judged_at_s >= judge_every_s || (scheduler->is_lock_free && !was_free)) {
        judge(scheduler, config);
        scheduler->judged_at_s = now_s;
    }
    (void)pthread_mutex_lock(&scheduler->mutex);
    if (is_busy(scheduler))
        follow(scheduler, elapsed_s);
    else
        consider(scheduler, config);
    scheduler->is_reminded = scheduler->is_reminded && scheduler->view.state == KK_BENCH_WAITING;
    bool must_publish = scheduler->must_publish;
    scheduler->must_publish = false;
    (void)pthread_mutex_unlock(&scheduler->mutex);
    /* Nobody else writes results_file, and copying takes longer than a request should wait. */
    if (must_publish)
        kk_bench_reports_publish(scheduler->view.results_file, &scheduler->server->log);
}
