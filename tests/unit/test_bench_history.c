/*
 * test_bench_history.c - the history of runs: what goes in comes out, nothing finished is lost
 * whenever a writer is killed, what is no history is moved aside, changes beyond noise are named.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "bench/choice.h"
#include "bench/compare.h"
#include "bench/history.h"
#include "bench/result_json.h"
#include "bench_fixture.h"
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static kk_bench_result result;
static kokoro_error error;
static kk_history *history;
static char dir[] = "/tmp/kokoro-test-XXXXXX";
static char path[64];

static void make(void)
{
    const kk_choice_rule rule = {5.0, 1.0, {"onnxruntime", "file", 2}, false};
    fixture_make(&result);
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
}

/* Files in the directory whose names hold `part`. */
static size_t count_files(const char *part)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;)
        n += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    (void)closedir(d);
    return n;
}

static void empty_directory(void)
{
    DIR *d = opendir(dir);
    for (const struct dirent *entry; (entry = readdir(d)) != NULL;) {
        char name[512];
        (void)snprintf(name, sizeof(name), "%s/%s", dir, entry->d_name);
        (void)unlink(name);
    }
    (void)closedir(d);
}

static int open_it(enum kk_history_access access)
{
    return kk_history_open(&history, path, access, &error);
}

/* Add a run that began so many seconds later and whose times are so many times as long. */
static int add(double later_s, double factor)
{
    kk_bench_result run;
    long long number = 0;
    fixture_make(&run);
    run.started_at_s += later_s;
    for (size_t i = 0; i < run.n_ways; i++)
        for (size_t k = 0; k < run.n_texts; k++)
            for (size_t s = 0; s < run.ways[i].timings[k].inference_s.n; s++)
                run.ways[i].timings[k].inference_s.values[s] *= factor;
    const int status = kk_history_add(history, &run, &number, &error);
    CHECK(status != KOKORO_OK || number > 0);
    kk_bench_result_fini(&run);
    return status;
}

static size_t count_runs(void)
{
    kk_history_view view;
    CHECK_INT(kk_history_look(history, 100000, NULL, &view, &error), KOKORO_OK);
    const size_t n = view.n_runs;
    kk_history_view_fini(&view);
    return n;
}

TEST(a_run_comes_back)
{
    kk_bench_result back;
    long long number = 0;
    make();
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    CHECK_STR(kk_history_note(history), "");
    CHECK_INT(kk_history_add(history, &result, &number, &error), KOKORO_OK);
    CHECK_INT(number, 1);
    kk_history_close(&history);
    CHECK(history == NULL);
    CHECK_INT(open_it(KK_HISTORY_READ), KOKORO_OK);
    CHECK_INT(kk_history_result(history, 1, &back, &error), KOKORO_OK);
    /* What the history keeps is all of the document but hardware, limits, places of nodes, and what
     * a choice was made from. */
    CHECK_STR(back.mode, "full");
    CHECK_STR(back.voice, "af_heart");
    CHECK_NEAR(back.started_at_s, result.started_at_s, 0.0);
    CHECK_NEAR(back.load_after, 2.02, 0.0);
    CHECK(kk_fingerprint_difference(&back.fingerprint, &result.fingerprint) == NULL);
    CHECK_INT(back.deciding_text, 1);
    CHECK_STR(back.texts[2].text, result.texts[2].text);
    CHECK_INT(back.n_ways, FIXTURE_N_WAYS);
    CHECK_STR(back.ways[FIXTURE_FAILED].failure, result.ways[FIXTURE_FAILED].failure);
    CHECK(back.ways[0].failure == NULL);
    CHECK(back.ways[FIXTURE_F32].quality.is_reference);
    CHECK(!back.ways[FIXTURE_FAILED].quality.is_known);
    CHECK_INT(back.ways[FIXTURE_ORT].quality.n_durations_differ, 3);
    CHECK_INT(back.choice.recommended, FIXTURE_BF16);
    CHECK_STR(back.choice.reason, result.choice.reason);
    for (size_t i = 0; i < back.n_ways; i++) {
        CHECK(kk_way_equal(&back.ways[i].way, &result.ways[i].way));
        for (size_t k = 0; k < back.n_texts; k++) {
            const kk_bench_timing *got = &back.ways[i].timings[k],
                                  *want = &result.ways[i].timings[k];
            CHECK_NEAR(got->audio_s, want->audio_s, 0.0);
            CHECK_INT(got->inference_s.n, want->inference_s.n);
            CHECK_INT(got->first_audio_s.n, want->first_audio_s.n);
            for (size_t s = 0; s < got->inference_s.n && s < want->inference_s.n; s++)
                CHECK_NEAR(got->inference_s.values[s], want->inference_s.values[s], 0.0);
            for (size_t s = 0; s < got->first_audio_s.n && s < want->first_audio_s.n; s++)
                CHECK_NEAR(got->first_audio_s.values[s], want->first_audio_s.values[s], 0.0);
        }
    }
    kk_bench_result_fini(&back);
    CHECK_INT(kk_history_result(history, 2, &back, &error), KOKORO_NOT_FOUND);
    CHECK_HAS(error.message, "has no run 2");
    kk_history_close(&history);
    kk_bench_result_fini(&result);
    empty_directory();
}

TEST(the_last_runs_newest_first)
{
    kk_history_view view;
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    for (int i = 0; i < 4; i++)
        CHECK_INT(add(i, 1.0 + i), KOKORO_OK);
    CHECK_INT(kk_history_look(history, 3, NULL, &view, &error), KOKORO_OK);
    CHECK_INT(view.n_runs, 3);
    CHECK_INT(view.runs[0].number, 4);
    CHECK_INT(view.runs[2].number, 2);
    CHECK_STR(view.runs[0].deciding_text, "medium");
    CHECK(view.runs[0].is_comparable && view.runs[2].is_comparable);
    CHECK_INT(view.runs[0].n_figures, 9);
    CHECK_STR(view.runs[0].figures[4].text, "medium");
    CHECK_STR(view.runs[0].figures[4].way.precision, "f32");
    CHECK_NEAR(view.runs[0].figures[4].inference_s, 4.0 * 0.62 * 1.018, 0.02);
    CHECK_INT(view.n_compared, 0);
    kk_history_view_fini(&view);
    kk_history_close(&history);
    empty_directory();
}

/* Look at the changes of a run that is not yet in the history. */
static size_t changes_of(double factor, kk_history_view *view)
{
    make();
    for (size_t k = 0; k < result.n_texts; k++)
        for (size_t s = 0; s < 10; s++)
            result.ways[FIXTURE_F32].timings[k].inference_s.values[s] *= factor;
    result.started_at_s += 1000.0;
    CHECK_INT(kk_history_look(history, 10, &result, view, &error), KOKORO_OK);
    kk_bench_result_fini(&result);
    return view->n_changes;
}

TEST(changes_beyond_noise_are_named)
{
    kk_history_view view;
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    CHECK_INT(changes_of(1.0, &view), 0);
    CHECK_INT(view.n_compared, 0);
    kk_history_view_fini(&view);
    for (int i = 0; i < 3; i++)
        CHECK_INT(add(i, 1.0), KOKORO_OK);
    CHECK_INT(changes_of(1.0, &view), 0);
    CHECK_INT(view.n_compared, 3);
    kk_history_view_fini(&view);
    CHECK_INT(changes_of(1.049, &view), 0);
    kk_history_view_fini(&view);
    CHECK_INT(changes_of(1.2, &view), 3);
    CHECK_INT(view.n_regressions, 3);
    CHECK_STR(view.changes[0].way.precision, "f32");
    CHECK_STR(view.changes[0].text, "short");
    CHECK_NEAR(view.changes[0].change_percent, 20.0, 1e-6);
    CHECK(view.changes[0].p < 0.01);
    CHECK_INT(view.changes[0].n_runs, 3);
    kk_history_view_fini(&view);
    CHECK_INT(changes_of(0.8, &view), 3);
    CHECK_INT(view.n_regressions, 0);
    kk_history_view_fini(&view);

    /* One earlier run that was as slow: the machine has such days. */
    CHECK_INT(add(4, 1.25), KOKORO_OK);
    CHECK_INT(changes_of(1.2, &view), 0);
    CHECK_INT(view.n_compared, 4);
    kk_history_view_fini(&view);
    kk_history_close(&history);
    empty_directory();
}

TEST(a_run_is_not_compared_with_itself_or_with_others)
{
    kk_history_view view;
    long long number;
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    make();
    CHECK_INT(kk_history_add(history, &result, &number, &error), KOKORO_OK);
    CHECK_INT(kk_history_look(history, 10, &result, &view, &error), KOKORO_OK);
    CHECK_INT(view.n_compared, 0);
    CHECK_INT(view.n_runs, 1);
    kk_history_view_fini(&view);
    for (int i = 1; i < 9; i++)
        CHECK_INT(add(i, 1.0), KOKORO_OK);
    result.started_at_s += 1000.0;
    CHECK_INT(kk_history_look(history, 20, &result, &view, &error), KOKORO_OK);
    CHECK_INT(view.n_compared, 5);
    kk_history_view_fini(&view);
    (void)snprintf(result.fingerprint.settings, KK_FINGERPRINT_SIZE, "other");
    CHECK_INT(kk_history_look(history, 20, &result, &view, &error), KOKORO_OK);
    CHECK_INT(view.n_compared, 0);
    CHECK(!view.runs[0].is_comparable);
    kk_history_view_fini(&view);
    kk_bench_result_fini(&result);
    make();
    result.voice = "am_onyx";
    CHECK_INT(kk_history_look(history, 20, &result, &view, &error), KOKORO_OK);
    CHECK_INT(view.n_compared, 0);
    kk_history_view_fini(&view);
    kk_bench_result_fini(&result);
    kk_history_close(&history);
    empty_directory();
}

static void write_file(const void *data, size_t len)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && kk_write_all(fd, data, len) == 0 && close(fd) == 0);
}

static void check_moved_aside(const char *why)
{
    CHECK_INT(open_it(KK_HISTORY_READ), KOKORO_BAD_DATA);
    CHECK(history == NULL);
    CHECK_INT(count_files("damaged"), 0);
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    CHECK_HAS(kk_history_note(history), why);
    CHECK_HAS(kk_history_note(history), ".damaged-");
    CHECK_INT(count_files("history.db.damaged-"), 1);
    CHECK_INT(add(0, 1.0), KOKORO_OK);
    CHECK_INT(count_runs(), 1);
    kk_history_close(&history);
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    CHECK_STR(kk_history_note(history), "");
    kk_history_close(&history);
    empty_directory();
}

TEST(what_is_no_history_is_moved_aside)
{
    static char noise[9000];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(i * 7 + i / 3);
    write_file(noise, sizeof(noise));
    check_moved_aside("is damaged");

    /* A history with a page overwritten. */
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    for (int i = 0; i < 5; i++)
        CHECK_INT(add(i, 1.0), KOKORO_OK);
    kk_history_close(&history);
    const int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && pwrite(fd, noise, 4096, 4096) == 4096 &&
          pwrite(fd, noise, 4096, 5 * 4096) == 4096);
    (void)close(fd);
    check_moved_aside("damaged");

    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "CREATE TABLE photographs (name TEXT)", NULL, NULL, NULL),
              SQLITE_OK);
    (void)sqlite3_close(db);
    check_moved_aside("is a database of another program");

    /* A sound database that has lost a part of its form. */
    const char *const losses[] = {"DROP TABLE samples", "ALTER TABLE ways DROP COLUMN failure",
                                  "ALTER TABLE runs RENAME TO trips", "PRAGMA user_version = 0"};
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
        CHECK_INT(add(0, 1.0), KOKORO_OK);
        kk_history_close(&history);
        CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
        CHECK_INT(sqlite3_exec(db, losses[i], NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(db);
        check_moved_aside("is damaged: it has not all its tables");
    }
}

TEST(a_newer_history_is_left_alone)
{
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    kk_history_close(&history);
    sqlite3 *db = NULL;
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_IO);
    CHECK_HAS(error.message, "written by a newer version");
    CHECK_INT(count_files(""), 1);
    empty_directory();
}

TEST(places_where_nothing_can_be)
{
    CHECK_INT(open_it(KK_HISTORY_READ), KOKORO_NOT_FOUND);
    write_file("", 0);
    CHECK_INT(open_it(KK_HISTORY_READ), KOKORO_NOT_FOUND);
    empty_directory();
    CHECK_INT(kk_history_open(&history, "/nowhere/history.db", KK_HISTORY_WRITE, &error),
              KOKORO_IO);
    CHECK_HAS(error.message, "/nowhere/history.db");
    CHECK(history == NULL);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_IO);
    CHECK_HAS(error.message, "no regular file");
    CHECK_INT(rmdir(path), 0);
    if (geteuid() == 0)
        return; /* who may everything cannot be kept out */
    CHECK_INT(chmod(dir, 0500), 0);
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_IO);
    CHECK_INT(chmod(dir, 0700), 0);
}

/* A file may grow no more, as on a full disk: the run is refused and the old ones are there. */
TEST(a_full_disk)
{
    struct rlimit old;
    struct stat st;
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    CHECK_INT(add(0, 1.0), KOKORO_OK);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct rlimit tight = {(rlim_t)st.st_size, old.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int status = KOKORO_OK;
    for (int i = 1; i < 20 && status == KOKORO_OK; i++)
        status = add(i, 1.0);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
    CHECK_INT(status, KOKORO_IO);
    const size_t n = count_runs();
    CHECK(n >= 1 && n < 19);
    CHECK_INT(add(30, 1.0), KOKORO_OK);
    CHECK_INT(count_runs(), n + 1);
    kk_history_close(&history);
    empty_directory();
}

/* In a child: add runs for ever and say which are done. */
static void add_for_ever(int pipe_end)
{
    if (open_it(KK_HISTORY_WRITE) != KOKORO_OK)
        _exit(1);
    for (int i = 1;; i++) {
        if (add(i, 1.0) != KOKORO_OK || write(pipe_end, "x", 1) != 1)
            _exit(1);
    }
}

static void sleep_ms(int ms)
{
    const struct timespec time = {0, ms * 1000000L};
    (void)nanosleep(&time, NULL);
}

TEST(a_kill_at_any_moment_loses_no_finished_run)
{
    size_t n_finished = 0;
    srand(5);
    for (int round = 0; round < 25; round++) {
        int ends[2];
        CHECK_INT(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            (void)close(ends[0]);
            add_for_ever(ends[1]);
        }
        (void)close(ends[1]);
        sleep_ms(rand() % 60);
        CHECK_INT(kill(child, SIGKILL), 0);
        CHECK_INT(waitpid(child, NULL, 0), child);
        char done[256];
        for (ssize_t n; (n = read(ends[0], done, sizeof(done))) > 0;)
            n_finished += (size_t)n;
        (void)close(ends[0]);

        CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
        CHECK_STR(kk_history_note(history), "");
        sqlite3 *db = NULL;
        sqlite3_stmt *rows = NULL;
        CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
        CHECK_INT(sqlite3_prepare_v2(db,
                                     "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM "
                                     "samples), (SELECT * FROM pragma_integrity_check)",
                                     -1, &rows, NULL),
                  SQLITE_OK);
        CHECK_INT(sqlite3_step(rows), SQLITE_ROW);
        const size_t n_runs = (size_t)sqlite3_column_int64(rows, 0);
        /* One more may have been finished without a word. */
        CHECK(n_runs == n_finished || n_runs == n_finished + 1);
        CHECK_INT(sqlite3_column_int64(rows, 1), n_runs * 3 * 3 * 20);
        CHECK_STR((const char *)sqlite3_column_text(rows, 2), "ok");
        n_finished = n_runs;
        (void)sqlite3_finalize(rows);
        (void)sqlite3_close(db);
        kk_history_close(&history);
    }
    CHECK(n_finished > 0);
    empty_directory();
}

TEST(two_processes_at_once)
{
    enum { N_RUNS = 8 };
    pid_t children[2];
    /* They also begin it at once, and find the same damaged file. */
    write_file("no database, but a text that is long enough to be looked at as one", 66);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        bool good = open_it(KK_HISTORY_WRITE) == KOKORO_OK;
        for (int k = 0; k < N_RUNS && good; k++)
            good = add(k, 1.0) == KOKORO_OK;
        _exit(good ? 0 : 1);
    }
    for (int i = 0; i < 2; i++) {
        int status = -1;
        CHECK_INT(waitpid(children[i], &status, 0), children[i]);
        CHECK_INT(status, 0);
    }
    CHECK_INT(count_files("damaged"), 1);
    CHECK_INT(open_it(KK_HISTORY_READ), KOKORO_OK);
    CHECK_INT(count_runs(), 2 * N_RUNS);
    kk_history_close(&history);
    empty_directory();
}

TEST(memory_is_out_at_every_place)
{
    kk_history_view view;
    int status = KOKORO_NO_MEMORY;
    make();
    for (size_t k = 1; status == KOKORO_NO_MEMORY && k < 1000; k++) {
        kk_alloc_fail_at(k, 0);
        status = open_it(KK_HISTORY_WRITE);
        kk_alloc_fail_at(0, 0);
        CHECK((history != NULL) == (status == KOKORO_OK));
    }
    CHECK_INT(status, KOKORO_OK);
    for (int i = 0; i < 2; i++)
        CHECK_INT(add(i, 1.0), KOKORO_OK);
    status = KOKORO_NO_MEMORY;
    for (size_t k = 1; status == KOKORO_NO_MEMORY && k < 10000; k++) {
        kk_alloc_fail_at(k, 0);
        status = kk_history_look(history, 5, &result, &view, &error);
        kk_alloc_fail_at(0, 0);
    }
    CHECK_INT(status, KOKORO_OK);
    CHECK_INT(view.n_runs, 2);
    kk_history_view_fini(&view);
    kk_history_close(&history);
    kk_bench_result_fini(&result);
    empty_directory();
}

/* ---- comparison --------------------------------------------------------------------------- */

static void scale(kk_bench_result *run, int way, double factor)
{
    for (size_t k = 0; k < run->n_texts; k++)
        for (size_t s = 0; s < run->ways[way].timings[k].inference_s.n; s++)
            run->ways[way].timings[k].inference_s.values[s] *= factor;
}

TEST(comparison_of_two_results)
{
    kk_bench_result after;
    kk_comparison comparison;
    make();
    fixture_make(&after);
    scale(&after, FIXTURE_BF16, 0.8);
    scale(&after, FIXTURE_F32, 1.1);
    result.ways[FIXTURE_ORT].timings[1].inference_s.n = 3;
    after.ways[FIXTURE_ORT].timings[1].inference_s.n = 3;
    result.ways[FIXTURE_ORT].timings[2].inference_s.n = 0;
    (void)snprintf(after.fingerprint.model, KK_FINGERPRINT_SIZE, "another");
    after.texts[0].name = "renamed";
    CHECK_INT(kk_compare(&comparison, &result, &after, &error), KOKORO_OK);
    CHECK_INT(comparison.n_rows, 8);
    CHECK_INT(comparison.n_only_after, 1);
    CHECK_INT(comparison.n_only_before, 0);
    CHECK_STR(comparison.difference, "model");
    const kk_comparison_row *row = comparison.rows;
    CHECK_STR(row[0].text, "renamed");
    CHECK_NEAR(row[0].change_percent, -20.0, 1e-6);
    CHECK_STR(kk_verdict_text(row[0].verdict), "faster");
    CHECK(row[0].p < 0.01);
    CHECK_STR(kk_verdict_text(row[3].verdict), "slower");
    CHECK_STR(kk_verdict_text(row[6].verdict), "no difference shown");
    CHECK_STR(kk_verdict_text(row[7].verdict), "too few samples to show one");
    kk_comparison_fini(&comparison);
    int status = KOKORO_NO_MEMORY;
    for (size_t k = 1; status == KOKORO_NO_MEMORY && k < 1000; k++) {
        kk_alloc_fail_at(k, 0);
        status = kk_compare(&comparison, &result, &after, &error);
        kk_alloc_fail_at(0, 0);
    }
    CHECK_INT(status, KOKORO_OK);
    kk_buf text = KK_BUF_INIT;
    CHECK_INT(kk_result_to_json(&text, &after, NULL, &comparison, &error), KOKORO_OK);
    CHECK_HAS(kk_buf_str(&text), "\"verdict\": \"faster\"");
    CHECK_HAS(kk_buf_str(&text), "\"differs_in\": \"model\"");
    kk_buf_fini(&text);
    kk_comparison_fini(&comparison);
    kk_bench_result_fini(&after);
    kk_bench_result_fini(&result);
}

TEST(a_baseline_is_a_run_or_a_file)
{
    kk_bench_result back;
    CHECK_INT(open_it(KK_HISTORY_WRITE), KOKORO_OK);
    CHECK_INT(add(0, 1.0), KOKORO_OK);
    kk_history_close(&history);
    CHECK_INT(kk_baseline_read(&back, "1", dir, &error), KOKORO_OK);
    CHECK_INT(back.n_ways, FIXTURE_N_WAYS);
    kk_bench_result_fini(&back);
    CHECK_INT(kk_baseline_read(&back, "7", dir, &error), KOKORO_INVALID);
    CHECK_INT(kk_baseline_read(&back, "1", "/nowhere", &error), KOKORO_INVALID);
    CHECK_INT(kk_baseline_read(&back, "/nowhere/r.json", dir, &error), KOKORO_INVALID);
    CHECK_INT(kk_baseline_read(&back, path, dir, &error), KOKORO_BAD_DATA);
    empty_directory();
}

TEST(set_up)
{
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/" KK_HOME_HISTORY, dir);
}

TEST(tear_down)
{
    CHECK_INT(rmdir(dir), 0);
}

TEST_MAIN(T(set_up), T(a_run_comes_back), T(the_last_runs_newest_first),
          T(changes_beyond_noise_are_named), T(a_run_is_not_compared_with_itself_or_with_others),
          T(what_is_no_history_is_moved_aside), T(a_newer_history_is_left_alone),
          T(places_where_nothing_can_be), T(a_full_disk),
          T(a_kill_at_any_moment_loses_no_finished_run), T(two_processes_at_once),
          T(memory_is_out_at_every_place), T(comparison_of_two_results),
          T(a_baseline_is_a_run_or_a_file), T(tear_down))
