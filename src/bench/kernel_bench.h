/*
 * kernel_bench.h - how fast each kernel is on this machine, beside the most that its registers
 * could do, in the same run: a machine's speed wanders, the ratio of two neighbours does not.
 */
#ifndef KK_BENCH_KERNEL_BENCH_H
#define KK_BENCH_KERNEL_BENCH_H

#include "kokoro/kokoro.h"

#include <stddef.h>

enum { KK_BENCH_MAX_KERNELS = 64 };

typedef struct kk_kernel_figure {
    const char *kernel; /* the slot's name in kk_kernels, "conv_pairs" */
    const char *shape;  /* "128 to 128, 11 wide"; "" */
    int counts_macs;    /* speeds are in 1e9 multiply-adds a second, else 1e9 values a second */
    double one, all; /* speed of one thread, and of all at once, summed, by their processor time */
    double one_of_peak; /* part of the peak measured beside it; 0 where that means nothing */
    double all_of_peak;
} kk_kernel_figure;

typedef struct kk_kernel_bench {
    const char *instruction_set; /* the table measured */
    int n_threads, n_rounds;
    double window_s; /* of one measurement */
    size_t n_figures;
    kk_kernel_figure figures[KK_BENCH_MAX_KERNELS];
} kk_kernel_bench;

/*
 * Measure the fastest table not above `mask` (as of kk_kernels_choose): `n_rounds` rounds over all
 * kernels, each figure the median of its rounds. n_threads, n_rounds and window_s are the caller's.
 * INVALID for an unknown mask or no rounds, NO_MEMORY, also when a thread does not start.
 */
int kk_kernel_bench_run(kk_kernel_bench *bench, const char *mask, kokoro_error *err);

#endif
