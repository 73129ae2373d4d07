/* benchmark.c - `kokoro benchmark`: its options, checked. */
#include "benchmark.h"

#include "benchmark_history.h"
#include "options.h"

enum { MAX_WARM_UPS = 10000, MANY_WARM_UPS = 100, MAX_RUNS = 10000, MANY_RUNS = 50 };

void kk_benchmark_request_init(kk_benchmark_request *request)
{
    *request = (kk_benchmark_request){.mode = KK_BENCH_FULL,
                                      .n_warm_ups = KK_PLAN_UNSET,
                                      .n_runs = KK_PLAN_UNSET,
                                      .with_long = KK_PLAN_UNSET,
                                      .output_file = "benchmark_results.md"};
}

static const char *value(const kk_app *app, enum kk_benchmark_option option)
{
    return app->values[option];
}

static bool is_given(const kk_app *app, enum kk_benchmark_option option)
{
    return app->values[option] != NULL;
}

/* A number of an option, left alone where it is not given. */
static int read_number(const kk_app *app, enum kk_benchmark_option option, int least, int most,
                       int *out)
{
    long long number = 0;
    const char *text = value(app, option);
    if (text == NULL)
        return KK_EXIT_OK;
    if (!kk_parse_int(text, &number) || number < least || number > most) {
        kk_complain("--%s must be a whole number from %d to %d, not '%.40s'",
                    app->command->options[option].name, least, most, text);
        return KK_EXIT_USAGE;
    }
    *out = (int)number;
    return KK_EXIT_OK;
}

static int read_numbers(const kk_app *app, kk_benchmark_request *request)
{
    int status = KK_EXIT_OK;
    if (is_given(app, KK_BENCHMARK_RUNS) && is_given(app, KK_BENCHMARK_CONSISTENCY_RUNS)) {
        kk_complain("--runs and --consistency-runs are the same; give one of them");
        return KK_EXIT_USAGE;
    }
    status = read_number(app, KK_BENCHMARK_WARM_UPS, 0, MAX_WARM_UPS, &request->n_warm_ups);
    if (status == KK_EXIT_OK)
        status = read_number(app, KK_BENCHMARK_RUNS, 1, MAX_RUNS, &request->n_runs);
    if (status == KK_EXIT_OK)
        status = read_number(app, KK_BENCHMARK_CONSISTENCY_RUNS, 1, MAX_RUNS, &request->n_runs);
    if (status == KK_EXIT_OK)
        status = read_number(app, KK_BENCHMARK_NICE, 0, 19, &request->nice);
    if (status != KK_EXIT_OK)
        return status;
    if (request->n_warm_ups > MANY_WARM_UPS)
        kk_complain("warning: %d warm-up runs will take long; 1 is enough", request->n_warm_ups);
    if (request->n_runs > MANY_RUNS)
        kk_complain("warning: %d runs will take long; 5 to 20 tell enough", request->n_runs);
    return KK_EXIT_OK;
}

static int read_switches(const kk_app *app, kk_benchmark_request *request)
{
    const bool quick = is_given(app, KK_BENCHMARK_QUICK);
    const bool all = is_given(app, KK_BENCHMARK_COMPREHENSIVE);
    const bool with = is_given(app, KK_BENCHMARK_ENABLE_LONG);
    const bool without = is_given(app, KK_BENCHMARK_DISABLE_LONG);
    if (quick && all) {
        kk_complain("--quick and --comprehensive exclude each other");
        return KK_EXIT_USAGE;
    }
    if (with && without) {
        kk_complain("--enable-long-text and --disable-long-text exclude each other");
        return KK_EXIT_USAGE;
    }
    request->mode = quick ? KK_BENCH_QUICK : all ? KK_BENCH_COMPREHENSIVE : KK_BENCH_FULL;
    request->with_long = with ? 1 : without ? 0 : KK_PLAN_UNSET;
    request->text_file = value(app, KK_BENCHMARK_TEXT_FILE);
    if (request->text_file != NULL && (with || without)) {
        kk_complain("--text-file brings its own texts; leave out --%s",
                    with ? "enable-long-text" : "disable-long-text");
        return KK_EXIT_USAGE;
    }
    return KK_EXIT_OK;
}

static int read_options(const kk_app *app, kk_benchmark_request *request)
{
    kk_benchmark_request_init(request);
    int status = read_switches(app, request);
    if (status == KK_EXIT_OK)
        status = read_numbers(app, request);
    request->continues_on_error = is_given(app, KK_BENCHMARK_CONTINUE);
    request->validates_only = is_given(app, KK_BENCHMARK_VALIDATE);
    request->is_verbose = is_given(app, KK_BENCHMARK_VERBOSE);
    request->json = is_given(app, KK_BENCHMARK_JSON);
    request->progress_json = is_given(app, KK_BENCHMARK_PROGRESS);
    request->is_inherited = is_given(app, KK_BENCHMARK_INHERITED);
    request->baseline = value(app, KK_BENCHMARK_COMPARE);
    if (is_given(app, KK_BENCHMARK_OUTPUT_FILE))
        request->output_file = value(app, KK_BENCHMARK_OUTPUT_FILE);
    if (status == KK_EXIT_OK && request->output_file[0] == '\0') {
        kk_complain("--output-file needs the path of a file");
        return KK_EXIT_USAGE;
    }
    return status;
}

static int print_history(const kk_app *app)
{
    const int status = kk_print_history(&app->config, app->n_words > 0 ? app->words[0] : NULL,
                                        is_given(app, KK_BENCHMARK_JSON));
    return kk_app_flush() != KK_EXIT_OK ? KK_EXIT_FAILED : status;
}

int kk_app_benchmark(kk_app *app)
{
    kk_benchmark_request request;
    const bool shows_history = is_given(app, KK_BENCHMARK_HISTORY);
    if (shows_history && app->n_words < 2)
        return print_history(app);
    if (app->n_words > 0) {
        kk_complain("benchmark takes no argument '%.40s'", app->words[0]);
        return KK_EXIT_USAGE;
    }
    const int status = read_options(app, &request);
    if (status != KK_EXIT_OK)
        return status;
    if (is_given(app, KK_BENCHMARK_KERNELS))
        return kk_benchmark_kernels(app, request.json);
    return kk_run_benchmark(app, &request);
}
