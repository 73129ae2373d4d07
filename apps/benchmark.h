/* benchmark.h - `kokoro benchmark`: what it is asked to do. */
#ifndef KK_APPS_BENCHMARK_H
#define KK_APPS_BENCHMARK_H

#include "cli.h"

#include "bench/plan.h"

typedef struct kk_benchmark_request {
    enum kk_bench_mode mode;
    int n_warm_ups, n_runs, with_long; /* KK_PLAN_UNSET: as the mode has it */
    const char *output_file;           /* of the report */
    const char *text_file;             /* NULL: the own texts */
    const char *baseline;              /* NULL: nothing to compare with */
    bool continues_on_error, validates_only, is_verbose, json, progress_json;
    bool is_inherited; /* the options that are settings are those of who started it, and uses it */
    int nice;          /* added to the priority number */
} kk_benchmark_request;

void kk_benchmark_request_init(kk_benchmark_request *request);

/* Measure, choose, write record, history and report, print. The exit status; messages were given.
 * Takes the settings of the app: its provider, precision and threads restrict what is tried. */
int kk_run_benchmark(kk_app *app, const kk_benchmark_request *request);

int kk_benchmark_kernels(kk_app *app, bool json);

#endif
