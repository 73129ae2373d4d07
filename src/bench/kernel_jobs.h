/* kernel_jobs.h - what the kernel benchmark runs: each kernel on the shapes of the network. */
#ifndef KK_BENCH_KERNEL_JOBS_H
#define KK_BENCH_KERNEL_JOBS_H

#include "kernels/kernels.h"

#include <stddef.h>

/* A thread's own memory for all jobs. */
typedef struct kk_job_buffers {
    void *block;
    float *src, *dst, *weights; /* numbers whose halves are bf16 numbers too */
    float *small;               /* scales, shifts and the like: ones */
    float *sums, *state;
} kk_job_buffers;

enum kk_job_peak { KK_PEAK_NONE, KK_PEAK_FMA, KK_PEAK_BF16 };

typedef struct kk_kernel_job kk_kernel_job;
struct kk_kernel_job {
    const char *kernel, *shape;
    /* One piece of work; returns its multiply-adds or values. */
    double (*run)(const kk_kernel_job *job, const kk_kernels *kernels, kk_job_buffers *buffers);
    int counts_macs;
    enum kk_job_peak peak; /* what it is measured against */
    size_t T, K, C_in, C_out;
    int kind; /* of an activation; of a convolution's or LSTM's weights: whether they are pairs */
};

/* NO_MEMORY leaves nothing behind. */
int kk_job_buffers_init(kk_job_buffers *buffers);
void kk_job_buffers_fini(kk_job_buffers *buffers);

/* The jobs for a table, its peaks first; how many. */
size_t kk_kernel_jobs(kk_kernel_job *jobs, size_t max, const kk_kernels *kernels);

#endif
