/* quick_benchmark.h - a benchmark for a command that is about something else. */
#ifndef KK_APPS_QUICK_BENCHMARK_H
#define KK_APPS_QUICK_BENCHMARK_H

#include "cli.h"

/*
 * Runs this program's `benchmark --quick` with the settings of this command's line, in a child, and
 * waits for it; it shows what it does, on standard error only where `is_quiet`. All ways of running
 * the model are compared, whatever provider is set. KK_EXIT_OK, or a message and KK_EXIT_FAILED.
 */
int kk_app_quick_benchmark(const kk_app *app, bool is_quiet);

#endif
