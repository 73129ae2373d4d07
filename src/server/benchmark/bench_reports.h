/*
 * bench_reports.h - where the reports of the server's own benchmarks go: each into a directory of
 * its own below KOKORO_HOME/reports, and, where that can be written to, into the working directory.
 */
#ifndef KK_SERVER_BENCH_REPORTS_H
#define KK_SERVER_BENCH_REPORTS_H

#include "base/log.h"
#include "config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* How a run ended. */
typedef struct kk_bench_end {
    double ended_at_s; /* since 1970; 0: there was none */
    double duration_s;
    bool was_good;
    char message[512];      /* what it recommends and why, or why it failed */
    char results_file[512]; /* the report; "" of one that failed */
} kk_bench_end;

/* The report of a run that begins now, "<home>/reports/20261124-170559-00017/benchmark_results.md":
 * local time, and a number by which it is newer than all others, whatever the clock says. Its
 * directory is made, and the oldest are removed, so that there are fifty. IO, NO_MEMORY. */
int kk_bench_report_path(char *path, size_t size, const kk_config *config, kokoro_error *err);

/* Remove the directory of a run that wrote nothing. */
void kk_bench_report_drop(const char *report_path);
/* The same of a run that failed; where there is a report nonetheless it is noted beside it. */
void kk_bench_report_fail(const char *report_path, const kk_bench_end *end);

/* Put a copy of a report and what lies beside it into the working directory (kk_report_copy). What
 * cannot be written is told and is no error. */
void kk_bench_reports_publish(const char *report_path, const kk_log *log);

/* The results beside a report, as they stand; NULL when there are none. */
json_t *kk_bench_report_results(const char *report_path);
/* What a report says of its run; false: it says nothing. */
bool kk_bench_report_look(kk_bench_end *out, const char *report_path);
/* How the newest run below KOKORO_HOME/reports ended, and the newest that went well, which a server
 * before may have made; ended_at_s 0: there is none. */
void kk_bench_report_newest(kk_bench_end *last, kk_bench_end *last_good, const kk_config *config);

#endif
