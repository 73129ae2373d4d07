/* benchmark_check.h - `kokoro benchmark`: what is looked at before anything is measured, and
 * --validate-only, which does nothing else. */
#ifndef KK_APPS_BENCHMARK_CHECK_H
#define KK_APPS_BENCHMARK_CHECK_H

#include "bench/run.h"

/* That a report can be written there; its directories may be missing yet. Nothing is made. IO,
 * NO_MEMORY. */
int kk_check_report_path(const char *path, kokoro_error *err);

/* What --validate-only found, as text or one JSON document. */
int kk_print_validation(const kk_bench_result *result, const kk_bench_request *request,
                        const char *report, bool json);

#endif
