/*
 * conv_widened_avx512.h - convolution by bf16 weights in pairs, widened: both halves of a 32-bit
 * lane become floats by a shift and a mask, so that the multiplication is exact in the weights.
 * Included by the files that define
 *
 *     KK_CONV           the name of the kernel
 *     KK_SRC            the type of src: uint16_t or float
 *     KK_VALUES(x)      declares a and b, the two inputs of a pair as vectors
 */
#ifndef KK_CONV
#error "define KK_CONV: the name of the kernel"
#endif

#include "kernels/x86/conv_avx512.h"

static inline __m512 even(__m512i pair)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16));
}

static inline __m512 odd(__m512i pair)
{
    return _mm512_castsi512_ps(_mm512_and_si512(pair, _mm512_set1_epi32((int)0xFFFF0000)));
}

#define KK_TILE(rows) KK_TILE_(rows)
#define KK_TILE_(rows) tile_##rows
#define KK_WEIGHT uint16_t
#define KK_STEP 2
#define KK_LOAD_WEIGHTS(w)                                                                         \
    const __m512i p0 = _mm512_loadu_si512(w), p1 = _mm512_loadu_si512((w) + 32),                   \
                  p2 = _mm512_loadu_si512((w) + 64), p3 = _mm512_loadu_si512((w) + 96);            \
    const __m512 e0 = even(p0), e1 = even(p1), e2 = even(p2), e3 = even(p3), o0 = odd(p0),         \
                 o1 = odd(p1), o2 = odd(p2), o3 = odd(p3)
#define KK_ACCUMULATE(acc, x)                                                                      \
    do {                                                                                           \
        KK_VALUES(x);                                                                              \
        (acc)[0] = _mm512_fmadd_ps(a, e0, (acc)[0]);                                               \
        (acc)[1] = _mm512_fmadd_ps(a, e1, (acc)[1]);                                               \
        (acc)[2] = _mm512_fmadd_ps(a, e2, (acc)[2]);                                               \
        (acc)[3] = _mm512_fmadd_ps(a, e3, (acc)[3]);                                               \
        (acc)[0] = _mm512_fmadd_ps(b, o0, (acc)[0]);                                               \
        (acc)[1] = _mm512_fmadd_ps(b, o1, (acc)[1]);                                               \
        (acc)[2] = _mm512_fmadd_ps(b, o2, (acc)[2]);                                               \
        (acc)[3] = _mm512_fmadd_ps(b, o3, (acc)[3]);                                               \
    } while (0)
#include "kernels/x86/conv_avx512_rows.h"
