/*
 * benchmark_run.c - the order of a whole benchmark: checks, the lock, the measuring, the choice,
 * and what is kept of it. Nothing is written before all was measured, and nothing of a run that was
 * stopped.
 */
#include "benchmark.h"
#include "benchmark_check.h"
#include "benchmark_history.h"
#include "benchmark_server.h"
#include "benchmark_talk.h"
#include "frequency.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "bench/before.h"
#include "bench/choice.h"
#include "bench/compare.h"
#include "bench/history.h"
#include "bench/report.h"
#include "bench/result_json.h"
#include "bench/run.h"
#include "bench/streams.h"
#include "cache/record.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_HISTORY = 20 };

typedef struct session {
    kk_app *app;
    const kk_benchmark_request *request;
    kokoro_options options;
    char program[PATH_MAX];
    const char *command[3];
    kk_bench_watch watch;
    kk_benchmark_talk talk;
    kk_bench_request bench;
    kk_bench_result result, baseline;
    kk_history_view view; /* earlier runs, and what changed */
    kk_comparison comparison;
    bool has_comparison;
    bool streams_failed; /* no server could be listened to */
    kk_buf failures;     /* what went wrong, for the document */
    kk_way_before before;
    kk_record_lock lock;
    kokoro_error error;
} session;

/* What could be kept of a run. */
typedef struct kept {
    bool is_reported, is_recorded, has_failed;
} kept;

/* ---- signals ------------------------------------------------------------------------------- */

static volatile sig_atomic_t was_stopped, n_continued;

static void on_stop(int number)
{
    (void)number;
    was_stopped = 1;
}

static void on_continue(int number)
{
    (void)number;
    n_continued++;
}

static bool is_stopped(void *user)
{
    (void)user;
    return was_stopped != 0;
}

static unsigned times_continued(void *user)
{
    (void)user;
    return (unsigned)n_continued;
}

/* Without SA_RESTART, so that waiting ends at once. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    action.sa_handler = on_continue;
    (void)sigaction(SIGCONT, &action, NULL);
}

/* ---- checks -------------------------------------------------------------------------------- */

static int find_program(session *s)
{
    const ssize_t len = readlink("/proc/self/exe", s->program, sizeof(s->program) - 1);
    if (len <= 0)
        return kk_fail(&s->error, KOKORO_IO, "this program cannot find itself: %s",
                       strerror(errno));
    s->program[len] = '\0';
    s->command[0] = s->program;
    s->command[1] = KK_CHILD_COMMAND;
    s->command[2] = NULL;
    return KOKORO_OK;
}

static int check_voice(session *s)
{
    /* Each child would say so too, one after the other. */
    if (!kk_file_exists(s->options.model_path))
        return kk_fail(&s->error, KOKORO_NOT_FOUND, "there is no model %.300s",
                       s->options.model_path);
    if (!kk_file_exists(s->options.voices_path))
        return kk_fail(&s->error, KOKORO_NOT_FOUND, "there are no voices %.300s",
                       s->options.voices_path);
    return KOKORO_OK;
}

static int set_up(session *s)
{
    const kk_config *config = &s->app->config;
    const kk_benchmark_request *request = s->request;
    const kk_validity_rule rule = kk_frequency_rule(config);
    kk_app_engine_options(config, &s->options);
    kk_way_before_find(&s->before, &s->options, &rule, kk_wall_s());
    s->watch = (kk_bench_watch){.stopped = is_stopped, .continued = times_continued};
    s->talk = (kk_benchmark_talk){.is_verbose = request->is_verbose};
    if (request->progress_json)
        s->talk.form = KK_TALK_JSON;
    else if (!request->json)
        s->talk.form = isatty(STDERR_FILENO) ? KK_TALK_BAR : KK_TALK_LINES;
    s->bench = (kk_bench_request){.options = &s->options,
                                  .command = s->command,
                                  .voice = kk_config_text(config, KK_SET_VOICE),
                                  .text_file = request->text_file,
                                  .before = s->before.way,
                                  .continues_on_error = request->continues_on_error,
                                  .watch = &s->watch,
                                  .progress = kk_benchmark_tell,
                                  .progress_user = &s->talk};
    kk_plan_init(&s->bench.plan, request->mode, request->n_warm_ups, request->n_runs,
                 request->with_long);
    kk_plan_limit(&s->bench.plan, (double)kk_config_int(config, KK_SET_BENCHMARK_MAX_S));
    int status = find_program(s);
    if (status == KOKORO_OK)
        status = check_voice(s);
    if (status == KOKORO_OK)
        status = kk_check_report_path(request->output_file, &s->error);
    if (status == KOKORO_OK && request->baseline != NULL)
        status = kk_baseline_read(&s->baseline, request->baseline,
                                  kk_config_text(config, KK_SET_HOME), &s->error);
    return status;
}

/* ---- what comes of it ---------------------------------------------------------------------- */

static bool has_failures(const kk_bench_result *result)
{
    for (size_t i = 0; i < result->n_ways; i++) {
        if (result->ways[i].failure != NULL)
            return true;
    }
    return false;
}

static int choose(session *s)
{
    const kk_config *config = &s->app->config;
    kk_way_before_settle(&s->before, &s->result);
    const kk_choice_rule rule = {.min_improvement_percent =
                                     kk_config_real(config, KK_SET_MIN_IMPROVEMENT_PERCENT),
                                 .max_quality_db = kk_config_real(config, KK_SET_MAX_QUALITY_DB),
                                 .before = s->before.way,
                                 .is_unmeasured = s->before.is_unmeasured};
    return kk_choose(&s->result, &rule, &s->error);
}

/* Nothing can be said to be faster than a way that was not measured. */
static bool leaves_out_way_in_use(const session *s)
{
    for (size_t i = 0; i < s->result.n_left_out; i++) {
        if (kk_way_equal(&s->result.left_out[i].way, &s->before.way))
            return true;
    }
    return false;
}

/* An option by which the run is of other conditions than programs without it have: "--threads". The
 * record is theirs too, and would be worth nothing to them. NULL: there is none. */
static const char *own_condition(const session *s)
{
    const char *name = kk_fingerprint_option(&s->app->config);
    return s->request->is_inherited ? NULL : name;
}

/* The record is for provider auto: a run that looked at one provider only says nothing of the
 * others, and one that a failure ended too early neither. */
static bool is_for_record(const session *s)
{
    const char *provider = kk_config_text(&s->app->config, KK_SET_PROVIDER);
    const char *precision = kk_config_text(&s->app->config, KK_SET_PRECISION);
    if (s->result.choice.recommended < 0 || strcmp(provider, "auto") != 0 ||
        strcmp(precision, "auto") != 0 || own_condition(s) != NULL)
        return false;
    return !leaves_out_way_in_use(s) &&
           (!has_failures(&s->result) || s->request->continues_on_error);
}

/* Keep what was told last for the document. */
static void note_failure(session *s)
{
    kk_buf_append_str(&s->failures, s->failures.len > 0 ? "; " : "");
    kk_buf_append_str(&s->failures, kk_app_last_complaint());
}

static bool is_told(session *s, int status)
{
    if (status == KOKORO_OK)
        return true;
    kk_complain("%s", s->error.message);
    note_failure(s);
    return false;
}

/* Add the run to the history, and look at it beside the earlier ones; false where it is not in it.
 */
static bool enter_history(session *s)
{
    kk_history *history = NULL;
    const char *home = kk_config_text(&s->app->config, KK_SET_HOME);
    char *path = kk_path_join(home, KK_HOME_HISTORY);
    int status = path != NULL ? kk_make_dirs(home, &s->error) : kk_fail_memory(&s->error);
    if (status == KOKORO_OK)
        status = kk_history_open(&history, path, KK_HISTORY_WRITE, &s->error);
    if (status == KOKORO_OK && kk_history_note(history)[0] != '\0')
        kk_complain("%s", kk_history_note(history));
    if (status == KOKORO_OK)
        status = kk_history_add(history, &s->result, NULL, &s->error);
    const bool is_entered = status == KOKORO_OK;
    if (!is_entered) {
        kk_complain("the history does not have this run: %s", s->error.message);
        note_failure(s);
    } else if (kk_history_look(history, MAX_HISTORY, &s->result, &s->view, &s->error) !=
               KOKORO_OK) {
        kk_complain("warning: this run is held against none of the earlier ones: %s",
                    s->error.message);
    }
    kk_history_close(&history);
    kk_free(path);
    return is_entered;
}

/* Each for itself: a full disk in one place costs nothing in another, and the figures are shown in
 * any case. What went wrong is told. */
static kept keep(session *s)
{
    kept k = {.has_failed = !enter_history(s)};
    int status = KOKORO_OK;
    if (s->request->baseline != NULL) {
        status = kk_compare(&s->comparison, &s->baseline, &s->result, &s->error);
        s->has_comparison = is_told(s, status);
        k.has_failed = k.has_failed || !s->has_comparison;
    }
    status = kk_report_write(&s->result, &s->view, s->request->output_file, &s->error);
    k.is_reported = is_told(s, status);
    k.has_failed = k.has_failed || !k.is_reported;
    if (is_for_record(s)) {
        kk_record record;
        kk_choice_record(&s->result, &record);
        if (s->before.is_unmeasured) /* nobody has opened it yet */
            record.current = (kk_way){.n_threads = 0};
        status = kk_record_store(&record, s->options.cache_dir, &s->error);
        k.is_recorded = is_told(s, status);
        k.has_failed = k.has_failed || !k.is_recorded;
    }
    return k;
}

static void say_why_unrecorded(const session *s)
{
    const char *name = own_condition(s);
    if (name != NULL)
        (void)printf("Provider auto goes on as before: --%s holds for this run alone. What every "
                     "program is to use is set in the environment or in .env.\n",
                     name);
    else
        (void)puts(
            "Provider auto goes on as before: only a whole run of all that is there, without "
            "failures and with the way in use, changes what it uses.");
}

static void print_result(const session *s, const kept *k)
{
    kk_benchmark_print(&s->result);
    if (s->has_comparison)
        kk_print_comparison(&s->comparison, s->request->baseline);
    kk_print_changes(&s->view);
    if (k->is_reported)
        (void)printf("\nReport: %s\n", s->request->output_file);
    if (!k->is_recorded && !is_for_record(s))
        say_why_unrecorded(s);
}

/* Before the fields of the result, which as text keep all their digits. */
static void put_success(kk_buf *text, bool is_success, const char *failures)
{
    json_t *message = json_string(failures);
    char *quoted = json_dumps(message, JSON_ENCODE_ANY);
    kk_buf_appendf(text, "{\n  \"success\": %s,\n", is_success ? "true" : "false");
    if (!is_success) /* what is no UTF-8, of a path perhaps, cannot stand in JSON */
        kk_buf_appendf(text, "  \"error\": %s,\n",
                       quoted != NULL ? quoted : "\"see standard error\"");
    free(quoted);
    json_decref(message);
}

static int print_document(session *s, int ended)
{
    static const char begin[] = "{\n";
    kk_buf result = KK_BUF_INIT, text = KK_BUF_INIT;
    int status = kk_result_to_json(&result, &s->result, &s->view,
                                   s->has_comparison ? &s->comparison : NULL, &s->error);
    if (status == KOKORO_OK) {
        put_success(&text, ended == KK_EXIT_OK, kk_buf_str(&s->failures));
        kk_buf_append_str(&text, result.data + sizeof(begin) - 1);
        status = text.failed ? kk_fail_memory(&s->error) : KOKORO_OK;
    }
    if (status == KOKORO_OK)
        kk_app_put_document(kk_buf_str(&text));
    kk_buf_fini(&result);
    kk_buf_fini(&text);
    if (own_condition(s) != NULL)
        kk_complain("warning: the benchmark record stays as it is: --%s holds for this run alone",
                    own_condition(s));
    return status == KOKORO_OK ? ended : kk_complain_of(&s->error);
}

/* What failed is told. */
static int exit_status(session *s, const kept *k)
{
    for (size_t i = 0; i < s->result.n_ways; i++) {
        char name[KK_WAY_TEXT];
        kk_way_text(&s->result.ways[i].way, name);
        if (s->result.ways[i].failure == NULL)
            continue;
        kk_complain("%s failed: %s", name, s->result.ways[i].failure);
        note_failure(s);
    }
    if (k->has_failed)
        return KK_EXIT_FAILED;
    if (!has_failures(&s->result) && !s->streams_failed)
        return KK_EXIT_OK;
    return s->request->continues_on_error && s->result.choice.recommended >= 0 ? KK_EXIT_OK
                                                                               : KK_EXIT_FAILED;
}

/* --comprehensive: without a server that can be listened to there are no streams, and it is told.
 */
static int measure_streams(session *s)
{
    kk_benchmark_server server;
    const double start_s = kk_now_s();
    const int recommended = s->result.choice.recommended;
    if (s->request->mode != KK_BENCH_COMPREHENSIVE || recommended < 0)
        return KOKORO_OK;
    int status = kk_benchmark_server_find(&server, s->app, &s->result.ways[recommended].way,
                                          &s->watch, &s->error);
    if (status == KOKORO_CANCELLED) {
        s->result.is_interrupted = true;
        return KOKORO_OK;
    }
    if (status == KOKORO_OK)
        status = kk_bench_measure_streams(&s->result, &s->bench, &server.target, &s->error);
    kk_benchmark_server_end(&server);
    s->result.duration_s += kk_now_s() - start_s;
    if (status == KOKORO_NO_MEMORY)
        return status;
    s->streams_failed = !is_told(s, status);
    return KOKORO_OK;
}

static int give_up(void)
{
    kk_complain("stopped; earlier results stay as they are");
    return KK_EXIT_FAILED;
}

/* Under the lock. */
static int measure(session *s)
{
    int status = kk_bench_run(&s->result, &s->bench, &s->error);
    if (status == KOKORO_OK && !s->result.is_interrupted)
        status = choose(s);
    if (status == KOKORO_OK && !s->result.is_interrupted)
        status = measure_streams(s);
    kk_benchmark_tell_end(&s->talk);
    if (s->result.is_interrupted || was_stopped != 0)
        return give_up();
    if (status != KOKORO_OK)
        return kk_complain_of_set_up(&s->error);
    const kept k = keep(s);
    if (!s->request->json)
        print_result(s, &k);
    int ended = exit_status(s, &k);
    if (s->request->json)
        ended = print_document(s, ended);
    return kk_app_flush() != KK_EXIT_OK ? KK_EXIT_FAILED : ended;
}

/* --validate-only */
static int validate(session *s)
{
    const int status = kk_bench_validate(&s->result, &s->bench, &s->error);
    kk_benchmark_tell_end(&s->talk);
    if (s->result.is_interrupted || was_stopped != 0)
        return give_up();
    if (status != KOKORO_OK)
        return kk_complain_of_set_up(&s->error);
    const int printed =
        kk_print_validation(&s->result, &s->bench, s->request->output_file, s->request->json);
    return has_failures(&s->result) ? KK_EXIT_FAILED : printed;
}

static int run_locked(session *s)
{
    const int status = kk_record_lock_take(&s->lock, s->options.cache_dir, &s->error);
    if (status != KOKORO_OK)
        return kk_complain_of(&s->error);
    const int ended = measure(s);
    kk_record_lock_give(&s->lock);
    return ended;
}

int kk_run_benchmark(kk_app *app, const kk_benchmark_request *request)
{
    session s = {.app = app, .request = request, .view = KK_HISTORY_VIEW_INIT, .lock = {.fd = -1}};
    if (request->nice > 0)
        (void)setpriority(PRIO_PROCESS, 0, request->nice);
    kk_bench_result_init(&s.result);
    kk_bench_result_init(&s.baseline);
    catch_signals();
    int status = set_up(&s);
    if (status != KOKORO_OK)
        status = kk_complain_of_set_up(&s.error);
    else
        status = request->validates_only ? validate(&s) : run_locked(&s);
    if (s.has_comparison)
        kk_comparison_fini(&s.comparison);
    kk_history_view_fini(&s.view);
    kk_bench_result_fini(&s.result);
    kk_bench_result_fini(&s.baseline);
    kk_buf_fini(&s.failures);
    return status;
}
