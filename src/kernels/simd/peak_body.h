/*
 * peak_body.h - the most multiply-adds that a core of this level can do: independent sums that stay
 * in registers, nothing loaded or stored. What benchmarks are measured against.
 */
#ifndef KK_KERNELS_SIMD_PEAK_BODY_H
#define KK_KERNELS_SIMD_PEAK_BODY_H

/* More sums than the latency times the number of multipliers (4 * 2), fewer than the registers: 32
 * of AVX-512 and of 64-bit ARM, else 16. */
enum { PEAK_SUMS = KK_LANES == 16 || KK_LANES == 4 ? 24 : 12 };

static double peak_fma(size_t rounds)
{
    kk_vec sums[PEAK_SUMS];
    const kk_vec half = v_set(0.5f), one = v_set(1.0f);
    for (size_t i = 0; i < PEAK_SUMS; i++)
        sums[i] = v_set((float)i);
    for (size_t r = 0; r < rounds; r++) {
#pragma GCC unroll 24
        for (size_t i = 0; i < PEAK_SUMS; i++)
            sums[i] = v_fma(sums[i], half, one);
    }
    volatile float keep = 0.0f; /* so that the sums are needed */
    for (size_t i = 0; i < PEAK_SUMS; i++)
        keep = keep + v_sum(sums[i]);
    return (double)rounds * PEAK_SUMS * KK_LANES;
}

#endif
