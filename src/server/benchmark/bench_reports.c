/* bench_reports.c - directories named by the time of their run, so that their order is the names'.
 */
#include "server/benchmark/bench_reports.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "bench/report.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { N_KEPT = 50, NAME_LEN = 15, MAX_RESULTS = 16 << 20 };

#define REPORT_NAME "benchmark_results.md"

static const char report_prefix[] = "benchmark_results";

/* "20261124-170559" */
static bool is_run(const char *name)
{
    return strlen(name) == NAME_LEN && strspn(name, "0123456789") == 8 && name[8] == '-' &&
           strspn(name + 9, "0123456789") == 6;
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

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

typedef char run_name[NAME_LEN + 1];

/* The names of all runs, oldest first; how many. */
static size_t list_runs(kk_buf *names, const char *reports)
{
    DIR *dir = opendir(reports);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_run(entry->d_name))
            kk_buf_append(names, entry->d_name, sizeof(run_name));
    }
    if (dir != NULL)
        (void)closedir(dir);
    const size_t n = names->failed ? 0 : names->len / sizeof(run_name);
    if (n > 0)
        qsort(names->data, n, sizeof(run_name), by_name);
    return n;
}

static void remove_old_runs(const char *reports)
{
    kk_buf names = KK_BUF_INIT;
    const size_t n = list_runs(&names, reports);
    for (size_t i = 0; i + N_KEPT < n; i++)
        remove_run(reports, names.data + i * sizeof(run_name));
    kk_buf_fini(&names);
}

int kk_bench_report_path(char *path, size_t size, const kk_config *config, kokoro_error *err)
{
    char name[NAME_LEN + 1] = "";
    time_t now = (time_t)kk_wall_s();
    struct tm local;
    char *reports = kk_path_join(kk_config_text(config, KK_SET_HOME), "reports");
    if (reports == NULL)
        return kk_fail_memory(err);
    if (localtime_r(&now, &local) == NULL ||
        strftime(name, sizeof(name), "%Y%m%d-%H%M%S", &local) == 0)
        (void)snprintf(name, sizeof(name), "00000000-000000");
    int dir_len = snprintf(path, size, "%s/%s", reports, name), status;
    if (dir_len < 0 || (size_t)dir_len + sizeof("/" REPORT_NAME) > size) {
        status = kk_fail(err, KOKORO_IO, "the path of the reports is too long: %.200s", reports);
    } else {
        status = kk_make_dirs(path, err);
        (void)snprintf(path + dir_len, size - (size_t)dir_len, "/" REPORT_NAME);
    }
    if (status == KOKORO_OK)
        remove_old_runs(reports);
    kk_free(reports);
    return status;
}

void kk_bench_report_drop(const char *report_path)
{
    kk_buf directory = KK_BUF_INIT;
    const char *slash = strrchr(report_path, '/');
    if (slash != NULL) {
        kk_buf_append(&directory, report_path, (size_t)(slash - report_path));
        if (!directory.failed)
            (void)rmdir(kk_buf_str(&directory));
    }
    kk_buf_fini(&directory);
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

json_t *kk_bench_report_results(const char *report_path)
{
    json_t *results = NULL;
    kk_buf path = KK_BUF_INIT, text = KK_BUF_INIT;
    const size_t len = strlen(report_path);
    if (len > 3) {
        kk_buf_append(&path, report_path, len - 3);
        kk_buf_append_str(&path, ".json");
        if (!path.failed && kk_file_read(&text, kk_buf_str(&path), MAX_RESULTS, NULL) == KOKORO_OK)
            results = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    }
    kk_buf_fini(&path);
    kk_buf_fini(&text);
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

bool kk_bench_report_newest(kk_bench_end *out, const kk_config *config)
{
    bool is_found = false;
    char path[sizeof(out->results_file)];
    kk_buf names = KK_BUF_INIT;
    char *reports = kk_path_join(kk_config_text(config, KK_SET_HOME), "reports");
    const size_t n = reports != NULL ? list_runs(&names, reports) : 0;
    for (size_t i = n; i > 0 && !is_found; i--) {
        const char *name = names.data + (i - 1) * sizeof(run_name);
        const int len = snprintf(path, sizeof(path), "%s/%s/%s", reports, name, REPORT_NAME);
        /* The report is written last: without it the run was cut off. */
        is_found = len > 0 && (size_t)len < sizeof(path) && kk_file_exists(path) &&
                   kk_bench_report_look(out, path);
    }
    kk_buf_fini(&names);
    kk_free(reports);
    return is_found;
}
