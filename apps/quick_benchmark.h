/* quick_benchmark.h - a benchmark for a command that is about something else. */
#ifndef KK_APPS_QUICK_BENCHMARK_H
#define KK_APPS_QUICK_BENCHMARK_H

#include "cli.h"

#include <jansson.h>

/*
 * Runs this program's `benchmark --quick` with the settings of this command's line, in a child, and
 * waits for it. All ways of running the model are compared, whatever provider is set, and one that
 * fails keeps no other from it. With `failures` NULL it shows what it does; else it is silent, and
 * *failures becomes an array of {"provider", "precision", "error"}, the caller's. KK_EXIT_OK, or a
 * message and KK_EXIT_FAILED.
 */
int kk_app_quick_benchmark(const kk_app *app, json_t **failures);

#endif
