/*
 * bench_reports.c - directories named by the local time of their run and a running number, which
 * tells their order: clocks are moved back, and every autumn an hour comes twice.
 */
#include "server/benchmark/bench_reports.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "bench/report.h"
#include "server/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    N_KEPT = 50,
    TIME_LEN = 15,
    MAX_DIGITS = 9,
    MAX_NAME = TIME_LEN + 1 + MAX_DIGITS,
    MAX_RESULTS = 16 << 20
};

#define REPORT_NAME "benchmark_results.md"

#define FAILURE_NAME "benchmark_results_failure.json"

static const char report_prefix[] = "benchmark_results";

typedef struct run_dir {
    unsigned long number;
    char name[MAX_NAME + 1];
} run_dir;

/* "20261124-170559-00017", or without a number, as before there were any. */
static bool read_run(run_dir *run, const char *name)
{
    const size_t len = strlen(name);
    if (len < TIME_LEN || len > MAX_NAME || strspn(name, "0123456789") != 8 || name[8] != '-')
        return false;
    const size_t digits = strspn(name + 9, "0123456789");
    const char *number = name + TIME_LEN;
    if (digits != 6 || (number[0] != '\0' && (number[0] != '-' || number[1] == '\0')))
        return false;
    if (number[0] == '-' && number[1 + strspn(number + 1, "0123456789")] != '\0')
        return false;
    run->number = number[0] == '-' ? strtoul(number + 1, NULL, 10) : 0;
    memcpy(run->name, name, len + 1);
    return true;
}

static bool is_report(const char *name)
{
    return strncmp(name, report_prefix, sizeof(report_prefix) - 1) == 0;
}

/* A directory that holds more than reports stays. */
static void remove_run(const char *reports, const char *name)
{
    char *path = kk_path_join(reports, name);
    DIR *dir = path != NULL ? opendir(path) : NULL;
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_report(entry->d_name))
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL) {
        (void)closedir(dir);
        (void)rmdir(path);
    }
    kk_free(path);
}

static int by_order(const void *a, const void *b)
{
    const run_dir *left = a, *right = b;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* All runs, oldest first. Free the list with kk_free; NULL where there are none. */
static run_dir *list_runs(const char *reports, size_t *n)
{
    kk_buf found = KK_BUF_INIT;
    run_dir run, *runs = NULL;
    DIR *dir = opendir(reports);
    const struct dirent *entry;
    *n = 0;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (read_run(&run, entry->d_name))
            kk_buf_append(&found, &run, sizeof(run));
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (!found.failed && found.len > 0)
        runs = kk_alloc(found.len);
    if (runs != NULL) {
        memcpy(runs, found.data, found.len);
        *n = found.len / sizeof(run);
        qsort(runs, *n, sizeof(run), by_order);
    }
    kk_buf_fini(&found);
    return runs;
}

/* All but the newest. Returns the number of the last one. */
static unsigned long remove_old_runs(const char *reports, size_t n_kept)
{
    size_t n;
    run_dir *runs = list_runs(reports, &n);
    const unsigned long last = n > 0 ? runs[n - 1].number : 0;
    for (size_t i = 0; i + n_kept < n; i++)
        remove_run(reports, runs[i].name);
    kk_free(runs);
    return last;
}

/* A directory that was not there, behind all others; its path's length, 0 on failure. */
static size_t make_run(char *path, size_t size, const char *reports, kokoro_error *err)
{
    char when[TIME_LEN + 1] = "";
    const time_t now = (time_t)kk_wall_s();
    struct tm local;
    if (kk_make_dirs(reports, err) != KOKORO_OK)
        return 0;
    if (localtime_r(&now, &local) == NULL ||
        strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &local) == 0)
        (void)snprintf(when, sizeof(when), "00000000-000000");
    /* With the new one they are as many as are kept. */
    for (unsigned long number = remove_old_runs(reports, N_KEPT - 1) + 1;; number++) {
        const int len = snprintf(path, size, "%s/%s-%05lu", reports, when, number);
        if (len < 0 || (size_t)len + sizeof("/" REPORT_NAME) > size) {
            (void)kk_fail(err, KOKORO_IO, "the path of the reports is too long: %.200s", reports);
            return 0;
        }
        if (mkdir(path, 0700) == 0)
            return (size_t)len;
        if (errno != EEXIST) {
            (void)kk_fail(err, KOKORO_IO, "cannot make %.300s: %s", path, strerror(errno));
            return 0;
        }
    }
}

int kk_bench_report_path(char *path, size_t size, const kk_config *config, kokoro_error *err)
{
    char *reports = kk_path_join(kk_config_text(config, KK_SET_HOME), "reports");
    if (reports == NULL)
        return kk_fail_memory(err);
    const size_t len = make_run(path, size, reports, err);
    if (len > 0)
        (void)snprintf(path + len, size - len, "/" REPORT_NAME);
    kk_free(reports);
    return len > 0 ? KOKORO_OK : KOKORO_IO;
}

/* The report's directory and a name in it; owned by the caller, NULL when memory is out. */
static char *beside(const char *report_path, const char *name)
{
    const char *slash = strrchr(report_path, '/');
    char *directory =
        slash != NULL ? kk_strndup(report_path, (size_t)(slash - report_path)) : kk_strdup(".");
    char *path = directory != NULL ? kk_path_join(directory, name) : NULL;
    kk_free(directory);
    return path;
}

void kk_bench_report_drop(const char *report_path)
{
    char *directory = beside(report_path, "");
    if (directory != NULL)
        (void)rmdir(directory);
    kk_free(directory);
}

/* A run may fail behind its report, where the record cannot be written. */
void kk_bench_report_fail(const char *report_path, const kk_bench_end *end)
{
    kk_writer writer;
    kk_buf text = KK_BUF_INIT;
    if (!kk_file_exists(report_path)) {
        kk_bench_report_drop(report_path);
        return;
    }
    char *path = beside(report_path, FAILURE_NAME);
    json_t *object = json_pack("{s:f, s:f, s:s}", "ended_at_s", end->ended_at_s, "duration_s",
                               end->duration_s, "message", end->message);
    kk_json_write(&text, object);
    if (path != NULL && !text.failed && kk_writer_open(&writer, path, NULL) == KOKORO_OK) {
        kk_writer_write(&writer, text.data, text.len);
        (void)kk_writer_commit(&writer, NULL);
    }
    kk_buf_fini(&text);
    kk_free(path);
}

void kk_bench_reports_publish(const char *report_path, const kk_log *log)
{
    kokoro_error error;
    if (kk_report_copy(report_path, REPORT_NAME, &error) != KOKORO_OK)
        kk_log_write(log, KOKORO_LOG_INFO,
                     "benchmark: the report is in %s only; the working directory: %s", report_path,
                     error.message);
}

/* ---- what a run found ----------------------------------------------------------------------- */

static json_t *read_json(const char *path)
{
    json_t *object = NULL;
    kk_buf text = KK_BUF_INIT;
    if (kk_file_read(&text, path, MAX_RESULTS, NULL) == KOKORO_OK)
        object = json_loadb(kk_buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
    kk_buf_fini(&text);
    return object;
}

json_t *kk_bench_report_results(const char *report_path)
{
    json_t *results = NULL;
    kk_buf path = KK_BUF_INIT;
    const size_t len = strlen(report_path);
    if (len > 3) {
        kk_buf_append(&path, report_path, len - 3);
        kk_buf_append_str(&path, ".json");
        if (!path.failed)
            results = read_json(kk_buf_str(&path));
    }
    kk_buf_fini(&path);
    return results;
}

bool kk_bench_report_look(kk_bench_end *out, const char *report_path)
{
    json_t *results = kk_bench_report_results(report_path);
    const char *reason =
        json_string_value(json_object_get(json_object_get(results, "choice"), "reason"));
    const double began_s = json_number_value(json_object_get(results, "started_at_s"));
    const double duration_s = json_number_value(json_object_get(results, "duration_s"));
    const bool is_one = reason != NULL && began_s > 0.0 && duration_s >= 0.0;
    if (is_one) {
        *out = (kk_bench_end){
            .ended_at_s = began_s + duration_s, .duration_s = duration_s, .was_good = true};
        (void)snprintf(out->message, sizeof(out->message), "%s", reason);
        (void)snprintf(out->results_file, sizeof(out->results_file), "%s", report_path);
    }
    json_decref(results);
    return is_one;
}

/* What was noted of a run that failed behind its report; false: it went well. */
static bool look_at_failure(kk_bench_end *out, const char *report_path)
{
    char *path = beside(report_path, FAILURE_NAME);
    const bool has_failed = path != NULL && kk_file_exists(path);
    json_t *object = has_failed ? read_json(path) : NULL;
    if (has_failed) {
        const char *message = json_string_value(json_object_get(object, "message"));
        const double ended_s = json_number_value(json_object_get(object, "ended_at_s"));
        const double duration_s = json_number_value(json_object_get(object, "duration_s"));
        *out = (kk_bench_end){.ended_at_s = ended_s > 0.0 ? ended_s : out->ended_at_s,
                              .duration_s = ended_s > 0.0 ? duration_s : out->duration_s};
        (void)snprintf(out->message, sizeof(out->message), "%s",
                       message != NULL ? message : "it failed behind its report");
    }
    json_decref(object);
    kk_free(path);
    return has_failed;
}

void kk_bench_report_newest(kk_bench_end *last, kk_bench_end *last_good, const kk_config *config)
{
    char path[sizeof(last->results_file)];
    size_t n = 0;
    char *reports = kk_path_join(kk_config_text(config, KK_SET_HOME), "reports");
    run_dir *runs = reports != NULL ? list_runs(reports, &n) : NULL;
    *last = *last_good = (kk_bench_end){.was_good = false};
    for (size_t i = n; i > 0 && !last_good->was_good; i--) {
        kk_bench_end end;
        const int len =
            snprintf(path, sizeof(path), "%s/%s/%s", reports, runs[i - 1].name, REPORT_NAME);
        /* The report is written last: without it the run was cut off. */
        if (len < 0 || (size_t)len >= sizeof(path) || !kk_file_exists(path) ||
            !kk_bench_report_look(&end, path))
            continue;
        if (!look_at_failure(&end, path))
            *last_good = end;
        if (!(last->ended_at_s > 0.0))
            *last = end;
    }
    kk_free(runs);
    kk_free(reports);
}
