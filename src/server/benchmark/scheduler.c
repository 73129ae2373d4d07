/*
 * scheduler.c - when the server benchmarks: the states of scheduler.h and who changes them. The
 * housekeeping thread starts, reads and ends the child; requests only stop it.
 */
#include "server/benchmark/scheduler.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"
#include "cache/attempt.h"
#include "server/benchmark/bench_child.h"
#include "server/benchmark/judgement.h"
#include "server/live.h"
#include "server/server_state.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

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
    kk_bench_child child; /* its pid; the rest of it is the housekeeping's */
    size_t n_speaking;
    double spoke_at_s; /* kk_now_s of the last request's end */
    bool is_reminded;

    /* For the housekeeping thread alone: */
    kk_fingerprint_kept fingerprint;
    kk_file_id record_id; /* of the record in the view */
    bool has_record;
    char results_file[512];                               /* of the run */
    kk_fingerprint tried;                                 /* of the run too */
    double ran_s, ticked_at_s, judged_at_s, unnoted_at_s; /* kk_now_s; the last: of an attempt that
                                                            could not be written down, or 0 */
    bool is_lock_free;
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

static const char *cache_of(const kk_config *config)
{
    return kk_config_text(config, KK_SET_CACHE);
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
    int holder = kk_record_lock_holder(cache_of(kk_live_config(scheduler->live)));
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

/* The record and its state, read only where it or what it hangs on may have changed, or the clock
 * was moved back. */
static void look_at_record(kk_scheduler *scheduler, const kk_config *config,
                           const kk_validity_rule *rule, double now_s, kk_record *record,
                           kk_record_view *view)
{
    kk_file_id id;
    const kk_fingerprint *fingerprint = &scheduler->fingerprint.fingerprint;
    char *path = kk_record_path(cache_of(config));
    kk_file_identify(&id, path != NULL ? path : "");
    kk_free(path);
    if (fingerprint->model[0] == '\0')
        fingerprint = NULL; /* it could not be taken */
    if (scheduler->has_record && kk_file_id_equal(&id, &scheduler->record_id) &&
        !kk_record_is_ahead(&scheduler->view.record, now_s)) {
        *record = scheduler->view.record;
        kk_record_judge(record, fingerprint, rule, now_s, view);
        return;
    }
    (void)kk_record_redate(cache_of(config), now_s, NULL);
    kk_record_look(record, cache_of(config), fingerprint, rule, now_s, view);
    scheduler->has_record = view->state != KK_RECORD_MISSING && view->state != KK_RECORD_DAMAGED;
    scheduler->record_id = id;
}

/* Also one that could not be written down. */
static double tried_at(const kk_scheduler *scheduler, const kk_config *config, double now_s)
{
    const double read_s =
        kk_attempt_read(cache_of(config), &scheduler->fingerprint.fingerprint, now_s);
    return scheduler->unnoted_at_s > 0.0
               ? fmax(read_s, now_s - (kk_now_s() - scheduler->unnoted_at_s))
               : read_s;
}

static void judge(kk_scheduler *scheduler, const kk_config *config)
{
    kokoro_options options;
    kk_record record = {.n_results = 0};
    kk_record_view view;
    const kk_validity_rule rule = {
        .frequency = (enum kk_frequency)kk_config_choice(config, KK_SET_BENCHMARK_FREQUENCY),
        .is_extended = kk_config_bool(config, KK_SET_DEVELOPMENT_MODE) ||
                       kk_config_bool(config, KK_SET_FAST_STARTUP)};
    kk_bench_facts facts = {.now_s = kk_wall_s(),
                            .rule = rule,
                            .record = &view,
                            .is_skipped = kk_config_bool(config, KK_SET_SKIP_BENCHMARKING)};
    kk_config_engine_options(config, &options);
    (void)kk_fingerprint_keep(&scheduler->fingerprint, &options, NULL);
    look_at_record(scheduler, config, &rule, facts.now_s, &record, &view);
    facts.tried_at_s = tried_at(scheduler, config, facts.now_s);
    const kk_bench_verdict verdict = kk_bench_judge(&facts);
    scheduler->judged_at_s = kk_now_s();

    (void)pthread_mutex_lock(&scheduler->mutex);
    kk_scheduler_view *v = &scheduler->view;
    v->rule = rule;
    v->record = record;
    v->record_view = view;
    v->is_skipped = facts.is_skipped;
    v->tried_at_s = facts.tried_at_s;
    v->is_due = verdict.is_due;
    v->next_at_s = verdict.next_at_s;
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
    scheduler->child.progress_fd = -1;
    scheduler->view.left_s = -1.0;
    kk_bench_report_newest(&scheduler->view.last, &scheduler->view.last_good,
                           kk_live_config(server->live));
    judge(scheduler, kk_live_config(server->live)); /* who asks in the first second is told too */
    *out = scheduler;
    return KOKORO_OK;
}

void kk_scheduler_destroy(kk_scheduler **scheduler_ptr)
{
    kk_scheduler *scheduler = *scheduler_ptr;
    if (scheduler == NULL)
        return;
    const bool is_cut = is_busy(scheduler);
    kk_bench_child_end(&scheduler->child);
    /* What the server's own end interrupts has not failed: the next server may try at once. */
    if (is_cut) {
        kk_attempt_forget(cache_of(kk_live_config(scheduler->live)), &scheduler->tried);
        kk_bench_report_drop(scheduler->results_file);
    }
    (void)pthread_mutex_destroy(&scheduler->mutex);
    kk_free(scheduler);
    *scheduler_ptr = NULL;
}

/* --- a run --- */

static void end_run(kk_scheduler *scheduler, const kk_bench_end *end)
{
    (void)pthread_mutex_lock(&scheduler->mutex);
    kk_scheduler_view *view = &scheduler->view;
    view->last = *end;
    if (end->was_good) {
        view->last_good = *end;
        view->percent = 100.0;
    }
    view->state = KK_BENCH_IDLE;
    (void)pthread_mutex_unlock(&scheduler->mutex);
    kk_log_write(&scheduler->server->log, end->was_good ? KOKORO_LOG_INFO : KOKORO_LOG_WARNING,
                 "benchmark: %s", end->message);
}

static void fail_run(kk_scheduler *scheduler, double began_at_s, const char *message)
{
    const double now_s = kk_wall_s();
    kk_bench_end end = {.ended_at_s = now_s, .duration_s = fmax(now_s - began_at_s, 0.0)};
    (void)snprintf(end.message, sizeof(end.message), "%s", message);
    /* The child's words may be cut in the middle of a letter, which no JSON can hold. */
    end.message[kk_utf8_valid_len(kk_slice_of(end.message))] = '\0';
    kk_bench_report_fail(scheduler->results_file, &end);
    end_run(scheduler, &end);
}

/* The run that consider() has claimed: it is the housekeeping's alone until it has ended, and a
 * request that came meanwhile finds no child to stop, so that is done for it. */
static void start(kk_scheduler *scheduler, const kk_config *config)
{
    kokoro_error error;
    const kk_scheduler_view *view = &scheduler->view;
    kk_bench_child child = {.progress_fd = -1};
    const double began_at_s = view->started_at_s;
    /* Remembered, so that a failure is not tried again before its time. */
    scheduler->tried = scheduler->fingerprint.fingerprint;
    scheduler->unnoted_at_s =
        kk_attempt_note(cache_of(config), &scheduler->tried, kk_wall_s()) ? 0.0 : kk_now_s();
    scheduler->ran_s = 0.0;
    judge(scheduler, config);
    int status = kk_bench_report_path(scheduler->results_file, sizeof(scheduler->results_file),
                                      config, &error);
    if (status == KOKORO_OK)
        status = kk_bench_child_start(&child, config, view->mode, scheduler->results_file, &error);
    if (status != KOKORO_OK) {
        fail_run(scheduler, began_at_s, error.message);
        return;
    }
    (void)pthread_mutex_lock(&scheduler->mutex);
    scheduler->child = child;
    if (view->state == KK_BENCH_PAUSED)
        kk_bench_child_stop(&scheduler->child);
    (void)pthread_mutex_unlock(&scheduler->mutex);
    kk_log_write(&scheduler->server->log, KOKORO_LOG_INFO, "benchmark: %s run begins, report %s",
                 view->mode, scheduler->results_file);
}

static void finish(kk_scheduler *scheduler, const kk_config *config, double began_at_s,
                   int exit_status)
{
    char message[512];
    kk_bench_end end;
    if (exit_status != 0) {
        (void)snprintf(message, sizeof(message), "it ended with exit status %d: %.180s",
                       exit_status, scheduler->child.last);
        fail_run(scheduler, began_at_s, message);
    } else if (!kk_bench_report_look(&end, scheduler->results_file)) {
        (void)snprintf(message, sizeof(message), "its results beside %.400s cannot be read",
                       scheduler->results_file);
        fail_run(scheduler, began_at_s, message);
    } else {
        end.ended_at_s = kk_wall_s();
        end.duration_s = fmax(end.ended_at_s - began_at_s, 0.0);
        kk_bench_reports_publish(scheduler->results_file, &scheduler->server->log);
        scheduler->server->runtime_report.is_stale = true;
        judge(scheduler, config); /* who sees the end sees what it found */
        end_run(scheduler, &end);
    }
    scheduler->judged_at_s = -INFINITY;
}

/* Under the mutex: the child's progress, its time limit, and going on after a pause; true when it
 * has ended. It is asked for that under the mutex, since until then its number is its own, and what
 * requests do with it hits nobody else. */
static bool follow(kk_scheduler *scheduler, double elapsed_s, int *exit_status)
{
    kk_scheduler_view *view = &scheduler->view;
    kk_bench_child *child = &scheduler->child;
    if (view->state == KK_BENCH_RUNNING)
        scheduler->ran_s += elapsed_s;
    view->percent = child->percent;
    view->left_s = child->left_s;
    if (child->step[0] != '\0')
        (void)snprintf(view->step, sizeof(view->step), "%s", child->step);
    if (kk_bench_child_has_ended(child, exit_status))
        return true;
    double limit_s = strcmp(view->mode, "quick") == 0 ? limit_quick_s : limit_full_s;
    if (scheduler->ran_s > limit_s) {
        (void)snprintf(child->last, sizeof(child->last), "it took longer than %.0f s", limit_s);
        kk_bench_child_kill(child);
    } else if (view->state == KK_BENCH_PAUSED && scheduler->n_speaking == 0 &&
               kk_now_s() - scheduler->spoke_at_s >= resume_after_s) {
        kk_bench_child_go_on(child);
        view->state = KK_BENCH_RUNNING;
    }
    return false;
}

/* Under the mutex: the next run, if there is reason for one. True when it begins: then it is
 * claimed by its state, and started outside the mutex, since that takes many times longer than a
 * request should wait. */
static bool consider(kk_scheduler *scheduler, const kk_config *config)
{
    kk_scheduler_view *view = &scheduler->view;
    double quiet_s = kk_now_s() - scheduler->spoke_at_s;
    double idle_s = (double)kk_config_int(config, KK_SET_BENCHMARK_IDLE_S);
    if (view->state == KK_BENCH_IDLE && view->is_due) {
        view->was_forced = false;
        view->state = KK_BENCH_WAITING;
        view->percent = 0.0;
        view->left_s = -1.0;
        (void)snprintf(view->mode, sizeof(view->mode), "quick");
        (void)snprintf(view->step, sizeof(view->step), "due, waiting until nobody speaks");
    }
    if (view->state != KK_BENCH_WAITING)
        return false;
    if (!view->was_forced && !view->is_due) {
        view->state = KK_BENCH_IDLE;
        return false;
    }
    bool is_urgent = view->was_forced || scheduler->is_reminded;
    if (scheduler->n_speaking > 0 || (!is_urgent && quiet_s < idle_s) ||
        kk_server_is_draining(scheduler->server) || !kk_server_is_ready(scheduler->server) ||
        !scheduler->is_lock_free)
        return false;
    view->state = KK_BENCH_RUNNING;
    view->percent = 0.0;
    view->left_s = -1.0;
    view->n_pauses = 0;
    view->started_at_s = kk_wall_s();
    (void)snprintf(view->step, sizeof(view->step), "starting");
    return true;
}

void kk_scheduler_tick(kk_scheduler *scheduler)
{
    const kk_config *config = kk_live_config(scheduler->live);
    double now_s = kk_now_s(), elapsed_s = now_s - scheduler->ticked_at_s;
    int exit_status = 0;
    bool must_start = false, has_ended = false;
    scheduler->ticked_at_s = now_s;
    /* The lock first: who gave it back since the last tick has stored a record, which is then seen.
     */
    bool was_free = scheduler->is_lock_free;
    scheduler->is_lock_free = kk_record_lock_holder(cache_of(config)) == 0;
    if (now_s - scheduler->judged_at_s >= judge_every_s || (scheduler->is_lock_free && !was_free))
        judge(scheduler, config);
    kk_bench_child_read(&scheduler->child);
    (void)pthread_mutex_lock(&scheduler->mutex);
    if (is_busy(scheduler))
        has_ended = follow(scheduler, elapsed_s, &exit_status);
    else
        must_start = consider(scheduler, config);
    scheduler->is_reminded = scheduler->is_reminded && scheduler->view.state == KK_BENCH_WAITING;
    const double began_at_s = scheduler->view.started_at_s;
    (void)pthread_mutex_unlock(&scheduler->mutex);
    if (must_start)
        start(scheduler, config);
    else if (has_ended)
        finish(scheduler, config, began_at_s, exit_status);
}
