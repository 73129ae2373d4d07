/*
 * test_bench.c - the kernel benchmark: what it lists and how it fails. How fast the kernels are is
 * no test.
 */
#include "base/alloc.h"
#include "bench/kernel_bench.h"
#include "check.h"
#include "kernels/kernels.h"

static kk_kernel_bench small_bench(int n_threads)
{
    return (kk_kernel_bench){.n_threads = n_threads, .n_rounds = 1, .window_s = 1e-6};
}

static size_t count_of(const kk_kernel_bench *bench, const char *kernel)
{
    size_t n = 0;
    for (size_t i = 0; i < bench->n_figures; i++)
        n += strcmp(bench->figures[i].kernel, kernel) == 0;
    return n;
}

TEST(every_kernel_is_measured)
{
    static const char *const names[] = {"peak_fma",   "activate_bf16", "activate",  "column_sums",
                                        "layer_norm", "softmax",       "gelu_tanh", "lstm_step",
                                        "sin",        "exp",           "tanh",      "sigmoid",
                                        "atan2"};
    kokoro_error err;
    kk_kernel_bench bench = small_bench(3);
    const kk_kernels *kernels = kk_kernels_choose(NULL);
    CHECK_INT(kk_kernel_bench_run(&bench, NULL, &err), KOKORO_OK);
    CHECK_STR(bench.instruction_set, kernels->name);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        CHECK(count_of(&bench, names[i]) >= 1);
    CHECK_INT(count_of(&bench, "conv_bf16"), 6);
    CHECK_INT(count_of(&bench, "conv_toom"), kernels->toom != KK_TOOM_NONE ? 5 : 0);
    CHECK_INT(count_of(&bench, "toom_tile"), kernels->toom != KK_TOOM_NONE ? 5 : 0);
    CHECK_INT(count_of(&bench, "conv_pairs"), 6);
    CHECK_INT(count_of(&bench, "conv_singles"), 6);
    CHECK_INT(count_of(&bench, "peak_bf16"), kernels->peak_bf16 != NULL);
    for (size_t i = 0; i < bench.n_figures; i++) {
        const kk_kernel_figure *f = &bench.figures[i];
        CHECK(f->one > 0.0 && f->all > 0.0 && isfinite(f->one) && isfinite(f->all));
        CHECK((f->one_of_peak > 0.0) == (f->counts_macs != 0));
        CHECK((f->all_of_peak > 0.0) == (f->counts_macs != 0));
    }
}

TEST(peaks_count_what_they_do)
{
    const kk_kernels *kernels = kk_kernels_choose(NULL);
    CHECK(kernels->peak_fma(0) == 0.0);
    CHECK(kernels->peak_fma(10) > 0.0 && kernels->peak_fma(20) == 2.0 * kernels->peak_fma(10));
    if (kernels->peak_bf16 != NULL)
        CHECK(kernels->peak_bf16(20) == 2.0 * kernels->peak_bf16(10));
}

TEST(what_cannot_be_measured_is_refused)
{
    kokoro_error err;
    kk_kernel_bench bench = small_bench(1);
    CHECK_INT(kk_kernel_bench_run(&bench, "sse9", &err), KOKORO_INVALID);
    CHECK_HAS(err.message, "sse9");
    bench.n_threads = 0;
    CHECK_INT(kk_kernel_bench_run(&bench, NULL, &err), KOKORO_INVALID);
    bench = small_bench(1);
    bench.n_rounds = 0;
    CHECK_INT(kk_kernel_bench_run(&bench, NULL, &err), KOKORO_INVALID);
}

TEST(each_failed_allocation_is_told)
{
    kokoro_error err;
    for (size_t k = 1; k <= 20; k++) {
        kk_kernel_bench bench = small_bench(2);
        kk_alloc_fail_at(k, 0);
        const int status = kk_kernel_bench_run(&bench, NULL, &err);
        kk_alloc_fail_at(0, 0);
        if (status == KOKORO_OK) {
            CHECK(k == 5); /* samples, workers, and memory of two workers before */
            return;
        }
        CHECK_INT(status, KOKORO_NO_MEMORY);
    }
    CHECK(0);
}

TEST_MAIN(T(every_kernel_is_measured), T(peaks_count_what_they_do),
          T(what_cannot_be_measured_is_refused), T(each_failed_allocation_is_told))
