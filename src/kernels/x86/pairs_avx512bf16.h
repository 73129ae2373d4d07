/* pairs_avx512bf16.h - the factors of VDPBF16PS: 16 pairs of weights, one pair of inputs in each
 * lane. */
#ifndef KK_KERNELS_X86_PAIRS_AVX512BF16_H
#define KK_KERNELS_X86_PAIRS_AVX512BF16_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

static inline __m512bh load_pairs(const uint16_t *w)
{
    return (__m512bh)_mm512_loadu_si512(w);
}

static inline __m512bh broadcast_pair(const uint16_t *x)
{
    int32_t pair;
    memcpy(&pair, x, sizeof(pair));
    return (__m512bh)_mm512_set1_epi32(pair);
}

#endif
