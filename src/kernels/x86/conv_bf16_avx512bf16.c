/*
 * conv_bf16_avx512bf16.c - convolution of bf16 by bf16 with VDPBF16PS: two products and their sum a
 * lane and instruction, accumulated in float. The instruction flushes denormals and does not round
 * between the two products (Intel ISE reference, VDPBF16PS).
 */
#if !defined(__AVX512BF16__)
#error "compile this file with -mavx512bf16"
#endif

#include "kernels/x86/avx512.h"
#include "kernels/x86/conv_avx512.h"
#include "kernels/x86/pairs_avx512bf16.h"

#define KK_CONV kk_conv_bf16_avx512bf16
#define KK_TILE(rows) KK_TILE_(rows)
#define KK_TILE_(rows) tile_##rows
#define KK_SRC uint16_t
#define KK_WEIGHT uint16_t
#define KK_STEP 2
#define KK_LOAD_WEIGHTS(w)                                                                         \
    const __m512bh w0 = load_pairs(w), w1 = load_pairs((w) + 32), w2 = load_pairs((w) + 64),       \
                   w3 = load_pairs((w) + 96)
#define KK_ACCUMULATE(acc, x)                                                                      \
    do {                                                                                           \
        const __m512bh value = broadcast_pair(x);                                                  \
        (acc)[0] = _mm512_dpbf16_ps((acc)[0], value, w0);                                          \
        (acc)[1] = _mm512_dpbf16_ps((acc)[1], value, w1);                                          \
        (acc)[2] = _mm512_dpbf16_ps((acc)[2], value, w2);                                          \
        (acc)[3] = _mm512_dpbf16_ps((acc)[3], value, w3);                                          \
    } while (0)
#include "kernels/x86/conv_avx512_rows.h"
