/*
 * conv_bf16_avx512.c - convolution of bf16 by bf16 where there is no instruction for it: both
 * factors are widened to float, the products are exact.
 */
#include "kernels/x86/avx512.h"

#include <immintrin.h>
#include <string.h>

static inline __m512i broadcast_pair(const uint16_t *x)
{
    int32_t pair;
    memcpy(&pair, x, sizeof(pair));
    return _mm512_set1_epi32(pair);
}

#define KK_CONV kk_conv_bf16_avx512
#define KK_SRC uint16_t
#define KK_VALUES(x)                                                                               \
    const __m512i pair = broadcast_pair(x);                                                        \
    const __m512 a = even(pair), b = odd(pair)
#include "kernels/x86/conv_widened_avx512.h"
