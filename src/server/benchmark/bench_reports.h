/*
 * bench_reports.h - where the reports of the server's own benchmarks go: each into a directory of
 * its own below KOKORO_HOME/reports, and, where that can be written to, into the working directory.
 */
#ifndef KK_SERVER_BENCH_REPORTS_H
#define KK_SERVER_BENCH_REPORTS_H

#include "base/log.h"
#include "config/config.h"

#include <stddef.h>

/* The report of a run that begins now, "<home>/reports/20261124-170559/benchmark_results.md"; its
 * directory is made, and all but the newest fifty of those before are removed. IO, NO_MEMORY. */
int kk_bench_report_path(char *path, size_t size, const kk_config *config, kokoro_error *err);

/* Remove the directory of a run that wrote nothing. */
void kk_bench_report_drop(const char *report_path);

/* Copy what lies beside a report into the working directory, file by file, atomically. What cannot
 * be written is told once and is no error. */
void kk_bench_reports_publish(const char *report_path, const kk_log *log);

#endif
