/* plan.c - see plan.h. */
#include "bench/plan.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    int n_runs;
    bool with_long, tries_half;
    double budget_s, end_s; /* less than the time that is promised: 30 s, 5 min; the rest is for
                               the end of the children and for the report */
} modes[] = {
    [KK_BENCH_QUICK] = {"quick", 5, false, false, 25.0, 27.5},
    [KK_BENCH_FULL] = {"full", 7, true, true, 270.0, 290.0},
    [KK_BENCH_COMPREHENSIVE] = {"comprehensive", 7, true, true, 270.0, 290.0},
};

const char *kk_bench_mode_text(enum kk_bench_mode mode)
{
    return modes[mode].name;
}

void kk_plan_init(kk_bench_plan *plan, enum kk_bench_mode mode, int n_warm_ups, int n_runs,
                  int with_long)
{
    *plan = (kk_bench_plan){
        .mode = mode,
        .n_warm_ups = n_warm_ups == KK_PLAN_UNSET ? 1 : n_warm_ups,
        .n_runs = n_runs == KK_PLAN_UNSET ? modes[mode].n_runs : n_runs,
        .with_long = with_long == KK_PLAN_UNSET ? modes[mode].with_long : with_long != 0,
        .tries_half = modes[mode].tries_half,
        .budget_s = n_runs == KK_PLAN_UNSET ? modes[mode].budget_s : (double)INFINITY,
        .end_s = n_runs == KK_PLAN_UNSET ? modes[mode].end_s : (double)INFINITY,
    };
}

void kk_plan_limit(kk_bench_plan *plan, double max_s)
{
    static const double share = 0.9, end_share = 0.95; /* the rest is for the report */
    if (max_s > 0.0) {
        plan->budget_s = fmin(plan->budget_s, share * max_s);
        plan->end_s = fmin(plan->end_s, end_share * max_s);
    }
}

static void set_text(char dst[KK_WAY_NAME], const char *src)
{
    const size_t len = strlen(src) < KK_WAY_NAME ? strlen(src) : KK_WAY_NAME - 1;
    memcpy(dst, src, len);
    dst[len] = '\0';
}

size_t kk_plan_ways(kk_way *ways, size_t max, const char *provider, const kk_plan_machine *machine,
                    const kk_bench_plan *plan)
{
    const char *precisions[2];
    size_t n = 0;
    const bool is_native = strcmp(provider, "native") == 0;
    const bool has_choice = is_native || strcmp(provider, "openvino") == 0;
    if (!has_choice)
        precisions[n++] = "file";
    if (has_choice && machine->has_bf16 && !machine->in_f32_only)
        precisions[n++] = "bf16";
    /* Beside bf16 the other runtime's f32 is never the faster; a quick run spares its time. */
    const bool skips_f32 = machine->has_bf16 &&
                           (machine->in_bf16_only ||
                            (!is_native && plan->mode == KK_BENCH_QUICK && !machine->in_f32_only));
    if (has_choice && !skips_f32)
        precisions[n++] = "f32";
    n = n < max ? n : max;
    for (size_t i = 0; i < n; i++) {
        ways[i] = (kk_way){.n_threads = machine->n_threads};
        set_text(ways[i].provider, provider);
        set_text(ways[i].precision, precisions[i]);
    }
    return n;
}

bool kk_plan_admits(const kk_bench_plan *plan, double elapsed_s, double expected_s, size_t n_had,
                    bool is_deciding)
{
    const double end_s = elapsed_s + expected_s;
    if (end_s <= plan->budget_s)
        return true;
    return is_deciding && n_had < KK_PLAN_MIN_RUNS && end_s <= plan->end_s;
}

double kk_plan_limit_s(double expected_s, double slowness)
{
    return slowness * (20.0 + 10.0 * expected_s);
}

double kk_plan_patience_s(double likely_s)
{
    static const double least_s = 8.0, times = 10.0;
    return fmax(least_s, times * likely_s);
}

double kk_plan_guess_s(const kk_way *way, size_t n_chars)
{
    /* 15 characters are about a second of speech; a tenth to a third of that on two cores. Native
     * in f32 is the reference, which spares no multiplications. */
    const double audio_s = 0.7 + (double)n_chars / 15.0;
    const bool is_native = strcmp(way->provider, "native") == 0;
    const double rtf = !is_native ? 0.33 : strcmp(way->precision, "bf16") == 0 ? 0.1 : 0.25;
    return audio_s * rtf * 2.0 / (way->n_threads > 1 ? 2.0 : 1.0);
}

double kk_plan_guess_mb(const kk_way *way)
{
    if (strcmp(way->provider, "native") == 0)
        return 350.0;
    return strcmp(way->provider, "openvino") == 0 ? 1900.0 : 1300.0;
}

double kk_plan_guess_load_s(const kk_way *way, bool is_cached)
{
    if (strcmp(way->provider, "native") == 0)
        return is_cached ? 0.1 : 2.0;
    if (strcmp(way->provider, "openvino") == 0)
        return is_cached ? 1.5 : 7.0;
    return is_cached ? 1.0 : 4.0;
}

size_t kk_plan_groups(const double *need_mb, size_t n, double available_mb, size_t *group)
{
    double used_mb = 0.0;
    size_t current = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && available_mb > 0.0 && used_mb + need_mb[i] > available_mb) {
            current++;
            used_mb = 0.0;
        }
        used_mb += need_mb[i];
        group[i] = current;
    }
    return n > 0 ? current + 1 : 0;
}

/* xorshift64* (Vigna). */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t x = *seed != 0 ? *seed : 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *seed = x;
    return x * 0x2545F4914F6CDD1DULL;
}

void kk_plan_shuffle(size_t *order, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        const size_t k = (size_t)(next_random(seed) >> 33) % i;
        const size_t kept = order[i - 1];
        order[i - 1] = order[k];
        order[k] = kept;
    }
}
