/*
 * test_scheduler.c - the server's own benchmarks without a server and without measuring. The child
 * is this program itself, which the scheduler starts as "kokoro benchmark ...": then the test of
 * that name plays the benchmark, as the file `part` in the home directory tells it.
 */
#define _GNU_SOURCE /* mkdtemp, syscall */
#include "server/benchmark/scheduler.h"

#include "bare_server.h"
#include "base/clock.h"
#include "server/status/status.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BEGIN "<!-- kokoro runtime: begin -->\n"
#define END "<!-- kokoro runtime: end -->\n"
#define REPORT "# Report\n" BEGIN "No live figures yet\n" END "tail\n"
#define HISTORY "<svg/>"

/* The clock of this program, which can be moved. */
static long moved_s;

int clock_gettime(clockid_t id, struct timespec *t)
{
    const int status = (int)syscall(SYS_clock_gettime, id, t);
    if (status == 0 && id == CLOCK_REALTIME)
        t->tv_sec += moved_s;
    return status;
}

static kk_config config;
static kk_server server;
static char home[64], work[96];

static void nap(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static void put(const char *directory, const char *name, const char *text)
{
    char path[2048];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static const char *get(const char *directory, const char *name)
{
    static char text[1024];
    char path[2048];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    size_t n = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    text[n] = '\0';
    if (file != NULL)
        (void)fclose(file);
    return text;
}

/* The files that a run leaves. */
static void put_report(const char *directory, const char *reason, double began_s)
{
    char json[2048];
    (void)snprintf(
        json, sizeof(json),
        "{\"choice\": {\"reason\": \"%s\"}, \"started_at_s\": %.1f, \"duration_s\": 25.5}", reason,
        began_s);
    put(directory, "benchmark_results.json", json);
    put(directory, "benchmark_results_history.svg", HISTORY);
    put(directory, "benchmark_results.md", REPORT);
}

/* --- the child --- */

TEST(benchmark)
{
    char line[4096] = "", directory[1024] = "", part[256];
    FILE *file = fopen("/proc/self/cmdline", "rb");
    const size_t len = file != NULL ? fread(line, 1, sizeof(line) - 1, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    CHECK(len > 0);
    if (strcmp(line, "kokoro") != 0)
        return; /* nobody's child */
    for (const char *word = line; word < line + len; word += strlen(word) + 1) {
        if (strcmp(word, "--output-file") == 0)
            (void)snprintf(directory, sizeof(directory), "%s", word + strlen(word) + 1);
    }
    *strrchr(directory, '/') = '\0';
    (void)snprintf(part, sizeof(part), "%s", get(directory, "../../part"));
    (void)fprintf(stderr, "{\"percent\": 50.0, \"left_s\": 1.0, \"step\": \"half\"}\n");
    if (strncmp(part, "good ", 5) == 0) {
        put_report(directory, part + 5, kk_wall_s());
        _exit(0);
    }
    if (strcmp(part, "full disk") == 0) {
        put_report(directory, "native f32 is the fastest.", kk_wall_s());
        (void)fprintf(stderr, "cannot write /record.json ");
        for (int i = 0; i < 120; i++) /* cut in the middle of one of them */
            (void)fputs(i == 60 ? "e\xc3\xa9" : "\xc3\xa9", stderr);
        (void)fputs("\n", stderr);
        _exit(1);
    }
    for (int i = 0; strcmp(part, "long") == 0 && i < 600; i++)
        nap(100);
    (void)fprintf(stderr, "no such provider\n");
    _exit(3);
}

/* --- around it --- */

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char inner[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (unlink(inner) != 0)
            remove_tree(inner);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(path);
}

static const char *frequency = "manually";

static void start_scheduler(void)
{
    memset(&server, 0, sizeof(server));
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_HOME, home, NULL), KOKORO_OK);
    CHECK_INT(kk_config_set_option(&config, KK_SET_BENCHMARK_FREQUENCY, frequency, NULL),
              KOKORO_OK);
    bare_server_start(&server, &config);
    server.reload.is_unloaded = true; /* ready, without a model */
    CHECK_INT(kk_scheduler_create(&server.scheduler, &server, NULL), KOKORO_OK);
}

static void stop_scheduler(void)
{
    kk_scheduler_destroy(&server.scheduler);
    bare_server_stop(&server, &config);
}

static void set_up(void)
{
    strcpy(home, "/tmp/kokoro-home-XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    (void)snprintf(work, sizeof(work), "%s/work", home);
    CHECK(mkdir(work, 0700) == 0 && chdir(work) == 0);
    start_scheduler();
}

static void tear_down(void)
{
    moved_s = 0;
    stop_scheduler();
    CHECK_INT(chdir("/"), 0);
    remove_tree(home);
}

static kk_scheduler_view view_now(void)
{
    kk_scheduler_view view;
    kk_scheduler_read(server.scheduler, &view);
    return view;
}

static void force(void)
{
    kokoro_error error = {.message = ""};
    CHECK_INT(kk_scheduler_force(server.scheduler, "quick", &error), KOKORO_OK);
    CHECK_STR(error.message, "");
}

/* As the housekeeping does, only faster. */
static void tick_while(enum kk_bench_state state)
{
    for (int i = 0; i < 2000 && view_now().state == state; i++) {
        kk_scheduler_tick(server.scheduler);
        nap(10);
    }
}

static void run(const char *part)
{
    put(home, "part", part);
    force();
    tick_while(KK_BENCH_WAITING);
    CHECK_INT(view_now().state, KK_BENCH_RUNNING);
    tick_while(KK_BENCH_RUNNING);
    CHECK_INT(view_now().state, KK_BENCH_IDLE);
}

static json_t *status_section(void)
{
    kk_status s = {.server = &server};
    return kk_status_benchmark(&s);
}

static void check_results_file(const char *wanted)
{
    json_t *section = status_section();
    const json_t *file = json_object_get(section, "results_file");
    CHECK_STR(json_is_string(file) ? json_string_value(file) : "null", wanted);
    json_decref(section);
}

/* --- tests --- */

TEST(what_was_found_stays_until_more_is_found)
{
    set_up();
    CHECK(!(view_now().last.ended_at_s > 0.0));
    check_results_file("null");
    run("good native f32 is the fastest.");
    const kk_scheduler_view first = view_now();
    CHECK(first.last.was_good && first.last.ended_at_s > 0.0);
    CHECK_STR(first.last.message, "native f32 is the fastest.");
    check_results_file(first.last.results_file);
    CHECK(access(first.last.results_file, R_OK) == 0);

    /* While the next one runs. */
    put(home, "part", "long");
    force();
    tick_while(KK_BENCH_WAITING);
    kk_scheduler_tick(server.scheduler);
    const kk_scheduler_view during = view_now();
    CHECK_INT(during.state, KK_BENCH_RUNNING);
    CHECK(during.last.was_good);
    CHECK_STR(during.last.results_file, first.last.results_file);
    json_t *results = kk_bench_report_results(during.last.results_file);
    CHECK(json_is_object(results));
    json_decref(results);
    check_results_file(first.last.results_file);

    /* And when one has failed. */
    stop_scheduler();
    start_scheduler();
    run("bad");
    const kk_scheduler_view failed = view_now();
    CHECK(!failed.last.was_good);
    CHECK_HAS(failed.last.message, "exit status 3: no such provider");
    CHECK_STR(failed.last.results_file, "");
    CHECK_STR(failed.last_good.results_file, first.last.results_file);
    check_results_file(first.last.results_file);
    run("good native bf16 is the fastest.");
    CHECK_STR(view_now().last_good.message, "native bf16 is the fastest.");
    tear_down();
}

TEST(a_run_that_failed_behind_its_report_stays_one_that_failed)
{
    set_up();
    run("full disk");
    const kk_bench_end alone = view_now().last;
    CHECK(!alone.was_good);
    stop_scheduler();
    start_scheduler();
    CHECK_STR(view_now().last.message, alone.message);
    CHECK(!view_now().last.was_good && !(view_now().last_good.ended_at_s > 0.0));
    check_results_file("null");

    run("good native bf16 is the fastest.");
    run("full disk");
    const kk_scheduler_view before = view_now();
    CHECK_HAS(before.last.message, "exit status 1: cannot write /record.json");
    stop_scheduler();
    start_scheduler();
    const kk_scheduler_view after = view_now();
    CHECK(!after.last.was_good && after.last_good.was_good);
    CHECK_STR(after.last.message, before.last.message);
    CHECK_STR(after.last.results_file, "");
    CHECK_NEAR(after.last.ended_at_s, before.last.ended_at_s, 1e-3);
    CHECK_STR(after.last_good.message, "native bf16 is the fastest.");
    CHECK_STR(after.last_good.results_file, before.last_good.results_file);
    tear_down();
}

TEST(a_new_server_knows_the_newest_report)
{
    static const char *const runs[] = {"20251124-170559", "20261124-170559", "20261125-000000",
                                       "notes"};
    char path[2048];
    set_up();
    stop_scheduler();
    (void)snprintf(path, sizeof(path), "%s/reports", home);
    CHECK_INT(mkdir(path, 0700), 0);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/reports/%s", home, runs[i]);
        CHECK_INT(mkdir(path, 0700), 0);
        if (i != 2)
            put_report(path, runs[i], 1764000000.0);
        else /* cut off in the middle */
            put(path, "benchmark_results.json", "{\"choice\": {\"reason\": \"cut\"}");
    }
    start_scheduler();
    const kk_scheduler_view view = view_now();
    CHECK(view.last.was_good && view.last_good.was_good);
    CHECK_STR(view.last.message, runs[1]);
    CHECK_NEAR(view.last.ended_at_s, 1764000025.5, 1e-3);
    (void)snprintf(path, sizeof(path), "%s/reports/%s/benchmark_results.md", home, runs[1]);
    check_results_file(path);
    tear_down();
}

TEST(the_report_in_the_working_directory_keeps_the_live_figures)
{
    set_up();
    put(work, "benchmark_results.md", "# Old\n" BEGIN "spoken: 17\n" END "old tail\n");
    put(work, "benchmark_results_timing.svg", "old");
    run("good native f32 is the fastest.");
    CHECK_STR(get(work, "benchmark_results.md"), "# Report\n" BEGIN "spoken: 17\n" END "tail\n");
    CHECK_STR(get(work, "benchmark_results_history.svg"), HISTORY);
    CHECK_HAS(get(work, "benchmark_results.json"), "is the fastest");
    CHECK(server.runtime_report.is_stale);
    tear_down();
}

/* --- a clock that is moved back --- */

/* Ticks until the record is looked at again. */
static void tick_until_judged(void)
{
    kk_scheduler_tick(server.scheduler);
    nap(2100);
    kk_scheduler_tick(server.scheduler);
}

static size_t count_reports(void)
{
    char path[128];
    size_t n = 0;
    (void)snprintf(path, sizeof(path), "%s/reports", home);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    if (dir != NULL)
        (void)closedir(dir);
    return n;
}

/* Also where more of later dates than are kept lie there, whose names have no number. */
TEST(the_last_report_is_the_last_runs_whatever_its_date)
{
    char path[2048];
    set_up();
    (void)snprintf(path, sizeof(path), "%s/reports", home);
    CHECK_INT(mkdir(path, 0700), 0);
    for (int i = 0; i < 60; i++) {
        (void)snprintf(path, sizeof(path), "%s/reports/20361124-1705%02d", home, i);
        CHECK_INT(mkdir(path, 0700), 0);
        put_report(path, "later", 2111000000.0);
    }
    run("good first");
    const kk_bench_end first = view_now().last;
    CHECK_INT(count_reports(), 50);
    moved_s = -7200;
    run("good second");
    const kk_bench_end second = view_now().last;
    CHECK_STR(second.message, "second");
    CHECK(access(first.results_file, R_OK) == 0 && access(second.results_file, R_OK) == 0);
    CHECK(strcmp(first.results_file, second.results_file) > 0); /* by its time */
    CHECK_INT(count_reports(), 50);
    stop_scheduler();
    start_scheduler();
    CHECK_STR(view_now().last.message, "second");
    CHECK_STR(view_now().last.results_file, second.results_file);
    tear_down();
}

/* Nobody speaks, and so nobody but the server dates it anew. */
TEST(an_idle_server_dates_the_record_by_the_new_clock)
{
    static const double week_s = 7.0 * 86400.0;
    char cache[128];
    kk_record record = {.recommended = {"native", "f32", 2},
                        .mode = "quick",
                        .reason = "it is the fastest",
                        .results = {{{"native", "f32", 2}, 0.5, 0.0}},
                        .n_results = 1};
#define KK_X(field, name) (void)snprintf(record.fingerprint.field, KK_FINGERPRINT_SIZE, name);
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    frequency = "weekly";
    set_up();
    frequency = "manually";
    (void)snprintf(cache, sizeof(cache), "%s/cache", home);
    record.measured_at_s = record.refreshed_at_s = kk_wall_s() - 3600.0;
    CHECK_INT(kk_record_store(&record, cache, NULL), KOKORO_OK);
    tick_until_judged();
    CHECK_INT(view_now().record_view.state, KK_RECORD_VALID);
    CHECK_NEAR(view_now().record_view.age_s, 3600.0, 60.0);

    moved_s = -100L * 86400L;
    const double then_s = kk_wall_s();
    tick_until_judged();
    CHECK_INT(kk_record_load(&record, cache, NULL), KOKORO_OK);
    CHECK_NEAR(record.measured_at_s, then_s, 60.0);
    CHECK_NEAR(view_now().record.measured_at_s, then_s, 60.0);
    CHECK_NEAR(view_now().next_at_s, then_s + week_s, 60.0);
    /* And so its period ends by that clock. */
    moved_s += 8L * 86400L;
    tick_until_judged();
    CHECK_INT(view_now().record_view.state, KK_RECORD_EXPIRED);
    CHECK(view_now().is_due);
    tear_down();
}

/* --- a child that is stopped while somebody speaks --- */

static pid_t find_child(char *state)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    while (proc != NULL && found == 0 && (entry = readdir(proc)) != NULL) {
        char path[300], line[512], its_state = '?';
        int parent = 0;
        (void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        const char *rest = fgets(line, sizeof(line), file) != NULL ? strrchr(line, ')') : NULL;
        if (rest != NULL && sscanf(rest, ") %c %d", &its_state, &parent) == 2 &&
            parent == (int)getpid()) {
            found = (pid_t)atoi(entry->d_name);
            *state = its_state;
        }
        (void)fclose(file);
    }
    if (proc != NULL)
        (void)closedir(proc);
    return found;
}

static atomic_bool is_over;

/* Short requests, one behind the other, and one that stays. */
static void *talk(void *user)
{
    (void)user;
    int i = 0;
    while (!is_over) {
        kk_scheduler_speech_begins(server.scheduler);
        const enum kk_bench_state state = view_now().state;
        if (state == KK_BENCH_PAUSED)
            break; /* it speaks on */
        kk_scheduler_speech_ends(server.scheduler);
        if (state == KK_BENCH_RUNNING)
            CHECK(false); /* nobody speaks beside a benchmark */
        nap(i++ % 3);
    }
    return NULL;
}

/* Whoever speaks while a benchmark is being started finds it stopped, as one who speaks later. */
TEST(who_speaks_while_it_starts_stops_it)
{
    set_up();
    put(home, "part", "long");
    for (int round = 0; round < 5; round++) {
        pthread_t thread;
        char state = '?';
        is_over = false;
        force();
        CHECK_INT(pthread_create(&thread, NULL, talk, NULL), 0);
        for (int i = 0; i < 10000 && view_now().state != KK_BENCH_PAUSED; i++) {
            kk_scheduler_tick(server.scheduler);
            nap(2);
        }
        is_over = true;
        (void)pthread_join(thread, NULL);
        CHECK_INT(view_now().state, KK_BENCH_PAUSED);
        for (int i = 0; i < 100 && state != 'T'; i++) {
            nap(10);
            CHECK(find_child(&state) > 0);
        }
        CHECK_INT(state, 'T');
        kk_scheduler_speech_ends(server.scheduler);
        nap(1100); /* and a second after the last word it goes on */
        kk_scheduler_tick(server.scheduler);
        CHECK_INT(view_now().state, KK_BENCH_RUNNING);
        CHECK(find_child(&state) > 0);
        stop_scheduler();
        CHECK_INT(find_child(&state), 0);
        start_scheduler();
    }
    tear_down();
}

TEST_MAIN(T(benchmark), T(what_was_found_stays_until_more_is_found),
          T(a_run_that_failed_behind_its_report_stays_one_that_failed),
          T(a_new_server_knows_the_newest_report),
          T(the_report_in_the_working_directory_keeps_the_live_figures),
          T(the_last_report_is_the_last_runs_whatever_its_date),
          T(an_idle_server_dates_the_record_by_the_new_clock),
          T(who_speaks_while_it_starts_stops_it))
