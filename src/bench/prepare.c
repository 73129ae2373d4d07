/* prepare.c - which ways there are to measure, on which texts, before anything is started. */
#include "bench/run.h"

#include "base/status.h"
#include "bench/providers.h"
#include "bench/texts.h"
#include "kernels/kernels.h"

#include <string.h>

/* Collects what kokoro_list_providers tells. */
typedef struct finder {
    kk_bench_result *result;
    const kk_bench_request *request;
    kk_plan_machine machine;
    const char *wanted; /* name of a provider; NULL: all */
    bool is_known;      /* the wanted one is among those told */
    bool out_of_memory;
} finder;

static void add_absent(finder *f, const kokoro_provider *provider)
{
    kk_bench_result *result = f->result;
    if (result->n_absent == KK_BENCH_MAX_WAYS)
        return;
    kk_bench_absent *absent = &result->absent[result->n_absent];
    absent->provider = kk_arena_strdup(&result->arena, provider->name);
    absent->reason = kk_arena_strdup(&result->arena, provider->reason);
    if (absent->provider == NULL || absent->reason == NULL)
        f->out_of_memory = true;
    else
        result->n_absent++;
}

static void on_provider(void *user, const kokoro_provider *provider)
{
    finder *f = user;
    kk_bench_result *result = f->result;
    kk_way ways[2];
    f->is_known = true;
    if (!provider->available) {
        add_absent(f, provider);
        return;
    }
    const size_t n = kk_plan_ways(ways, 2, provider->name, &f->machine, &f->request->plan);
    /* One place is kept for the best way with half of the threads. */
    for (size_t i = 0; i < n && result->n_ways + 1 < KK_BENCH_MAX_WAYS; i++) {
        kk_bench_way *way = &result->ways[result->n_ways++];
        *way = (kk_bench_way){
            .way = ways[i], .execution_provider = "", .version = "", .placement = ""};
    }
}

/* The order in which they are loaded, and left out where time is short: native, the way in use,
 * the others as they are. */
static int importance(const kk_bench_request *request, const kk_way *way)
{
    return strcmp(way->provider, "native") == 0 ? 0 : kk_way_equal(way, &request->before) ? 1 : 2;
}

static void sort_ways(kk_bench_result *result, const kk_bench_request *request)
{
    for (size_t i = 1; i < result->n_ways; i++) {
        const kk_bench_way way = result->ways[i];
        size_t k = i;
        for (;
             k > 0 && importance(request, &result->ways[k - 1].way) > importance(request, &way.way);
             k--)
            result->ways[k] = result->ways[k - 1];
        result->ways[k] = way;
    }
}

static int find_ways(finder *f, kokoro_error *err)
{
    const kokoro_options *options = f->request->options;
    f->result->n_ways = 0;
    f->result->n_absent = 0;
    int status = kk_bench_list_providers(options, f->wanted, f->request->command, f->request->watch,
                                         on_provider, f, err);
    if (status != KOKORO_OK)
        return status;
    if (f->out_of_memory)
        return kk_fail_memory(err);
    sort_ways(f->result, f->request);
    if (f->result->n_ways > 0)
        return KOKORO_OK;
    if (f->wanted != NULL && !f->is_known)
        return kk_fail(err, KOKORO_INVALID,
                       "unknown provider '%.40s'; kokoro providers lists those that there are",
                       f->wanted);
    return kk_fail(err, KOKORO_PROVIDER, "provider %s is not available: %s",
                   f->result->n_absent > 0 ? f->result->absent[0].provider : "native",
                   f->result->n_absent > 0 ? f->result->absent[0].reason : "nothing is");
}

static bool is_text(const char *value, const char *text)
{
    return value != NULL && strcmp(value, text) == 0;
}

int kk_bench_prepare(kk_bench_result *result, const kk_bench_request *request, kokoro_error *err)
{
    const kokoro_options *options = request->options;
    const kk_kernels *kernels = kk_kernels_choose(options->cpu_mask);
    kk_hardware_read(&result->hardware);
    const bool has_provider = options->provider != NULL && !is_text(options->provider, "auto");
    finder f = {.result = result,
                .request = request,
                .wanted = has_provider ? options->provider : NULL,
                .machine = {.has_bf16 = kernels != NULL && kernels->has_bf16 != 0,
                            .n_threads = options->n_threads > 0
                                             ? options->n_threads
                                             : kk_hardware_threads(&result->hardware),
                            .in_f32_only = is_text(options->precision, "f32"),
                            .in_bf16_only = is_text(options->precision, "bf16")}};
    result->mode = kk_bench_mode_text(request->plan.mode);
    result->version = kokoro_version();
    result->busy = "";
    result->voice = kk_arena_strdup(&result->arena, request->voice);
    if (result->voice == NULL)
        return kk_fail_memory(err);
    int status = find_ways(&f, err);
    if (status == KOKORO_OK)
        status = request->text_file != NULL
                     ? kk_bench_file_texts(result, request->text_file, err)
                     : kk_bench_own_texts(result, request->plan.with_long, err);
    return status;
}

double kk_bench_guess_s(const kk_bench_result *result, const kk_bench_plan *plan)
{
    double sum_s = 0.0;
    for (size_t i = 0; i < result->n_ways; i++) {
        sum_s += 1.0; /* start and load */
        for (size_t t = 0; t < result->n_texts; t++)
            sum_s += (plan->n_warm_ups + plan->n_runs) *
                     kk_plan_guess_s(&result->ways[i].way, result->texts[t].n_chars);
    }
    return sum_s < plan->budget_s ? sum_s : plan->budget_s;
}
