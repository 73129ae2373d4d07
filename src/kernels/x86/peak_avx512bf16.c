/* peak_avx512bf16.c - the most bf16 products that a core can do with VDPBF16PS; as
 * simd/peak_body.h. */
#if !defined(__AVX512BF16__)
#error "compile this file with -mavx512bf16"
#endif

#include "kernels/x86/avx512.h"

#include <immintrin.h>

enum { SUMS = 24, PRODUCTS = 32 };

double kk_peak_bf16_avx512bf16(size_t rounds)
{
    __m512 sums[SUMS];
    const __m512bh small = (__m512bh)_mm512_set1_epi32(0x3C003C00); /* 2^-7, twice */
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm512_set1_ps((float)i);
    for (size_t r = 0; r < rounds; r++) {
#pragma GCC unroll 24
        for (int i = 0; i < SUMS; i++)
            sums[i] = _mm512_dpbf16_ps(sums[i], small, small);
    }
    volatile float keep = 0.0f; /* so that the sums are needed */
    for (int i = 0; i < SUMS; i++)
        keep = keep + _mm512_reduce_add_ps(sums[i]);
    return (double)rounds * SUMS * PRODUCTS;
}
