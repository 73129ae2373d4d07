/*
 * hardware.h - what machine this is, as far as the choice of threads and kernels and the reports
 * need it.
 */
#ifndef KK_HARDWARE_HARDWARE_H
#define KK_HARDWARE_HARDWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kk_hardware {
    char platform[64]; /* "Linux x86_64" */
    char release[128]; /* of the operating system's kernel */
    char cpu_model[128];
    int n_logical;               /* CPUs this process may run on */
    int n_physical;              /* cores behind them */
    double cpu_quota;            /* CPUs its control group may use at once; 0: no limit */
    uint64_t memory_bytes;       /* of the machine */
    uint64_t memory_limit_bytes; /* of the control group; 0: none */
    const char *
        instruction_set; /* "avx512bf16", "avx512", "avx2", "neon", "ref": the highest usable one */
    uint64_t l1d_bytes, l2_bytes, l3_bytes; /* of the first CPU's caches; 0: not told */
    /* Words separated by spaces: "avx2 avx512f", "/dev/dri/renderD128". */
    char instruction_sets[256];
    char accelerators[256]; /* device nodes of GPUs and NPUs */
} kk_hardware;

void kk_hardware_read(kk_hardware *out);

/* Physical cores that this process may use, at least 1: the default number of threads. */
int kk_hardware_threads(const kk_hardware *hardware);

#endif
