/* bench_reports.c - directories named by the time of their run, so that their order is the names'.
 */
#include "server/benchmark/bench_reports.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { N_KEPT = 50, NAME_LEN = 15, MAX_FILE = 64 << 20 };

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

static void remove_old_runs(const char *reports)
{
    typedef char run_name[NAME_LEN + 1];
    DIR *dir = opendir(reports);
    struct dirent *entry;
    kk_buf names = KK_BUF_INIT;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (is_run(entry->d_name))
            kk_buf_append(&names, entry->d_name, sizeof(run_name));
    }
    if (dir != NULL)
        (void)closedir(dir);
    size_t n = names.failed ? 0 : names.len / sizeof(run_name);
    if (n > N_KEPT) {
        qsort(names.data, n, sizeof(run_name), by_name);
        for (size_t i = 0; i + N_KEPT < n; i++)
            remove_run(reports, names.data + i * sizeof(run_name));
    }
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
    if (dir_len < 0 || (size_t)dir_len + sizeof("/benchmark_results.md") > size) {
        status = kk_fail(err, KOKORO_IO, "the path of the reports is too long: %.200s", reports);
    } else {
        status = kk_make_dirs(path, err);
        (void)snprintf(path + dir_len, size - (size_t)dir_len, "/benchmark_results.md");
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

static int copy_file(const char *from, const char *to, kokoro_error *err)
{
    kk_buf bytes = KK_BUF_INIT;
    kk_writer writer;
    int status = kk_file_read(&bytes, from, MAX_FILE, err);
    if (status == KOKORO_OK)
        status = kk_writer_open(&writer, to, err);
    if (status == KOKORO_OK) {
        kk_writer_write(&writer, bytes.data, bytes.len);
        status = kk_writer_commit(&writer, err);
    }
    kk_buf_fini(&bytes);
    return status;
}

void kk_bench_reports_publish(const char *report_path, const kk_log *log)
{
    kokoro_error error = {.status = KOKORO_OK};
    kk_buf directory = KK_BUF_INIT;
    const char *slash = strrchr(report_path, '/');
    struct dirent *entry;
    kk_buf_append(&directory, report_path, (size_t)(slash - report_path));
    DIR *dir = directory.failed ? NULL : opendir(kk_buf_str(&directory));
    while (dir != NULL && error.status == KOKORO_OK && (entry = readdir(dir)) != NULL) {
        char *from =
            is_report(entry->d_name) ? kk_path_join(kk_buf_str(&directory), entry->d_name) : NULL;
        if (from != NULL)
            (void)copy_file(from, entry->d_name, &error);
        kk_free(from);
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (error.status != KOKORO_OK)
        kk_log_write(log, KOKORO_LOG_INFO,
                     "benchmark: the report is in %s only; the working directory: %s",
                     kk_buf_str(&directory), error.message);
    kk_buf_fini(&directory);
}
