/* conv_singles_avx512.c - convolution of float by float weights. */
#include "kernels/x86/avx512.h"
#include "kernels/x86/conv_avx512.h"

#define KK_CONV kk_conv_singles_avx512
#define KK_TILE(rows) KK_TILE_(rows)
#define KK_TILE_(rows) tile_##rows
#define KK_SRC float
#define KK_WEIGHT float
#define KK_STEP 1
#define KK_LOAD_WEIGHTS(w)                                                                         \
    const __m512 w0 = _mm512_loadu_ps(w), w1 = _mm512_loadu_ps((w) + 16),                          \
                 w2 = _mm512_loadu_ps((w) + 32), w3 = _mm512_loadu_ps((w) + 48)
#define KK_ACCUMULATE(acc, x)                                                                      \
    do {                                                                                           \
        const __m512 value = _mm512_set1_ps(*(x));                                                 \
        (acc)[0] = _mm512_fmadd_ps(value, w0, (acc)[0]);                                           \
        (acc)[1] = _mm512_fmadd_ps(value, w1, (acc)[1]);                                           \
        (acc)[2] = _mm512_fmadd_ps(value, w2, (acc)[2]);                                           \
        (acc)[3] = _mm512_fmadd_ps(value, w3, (acc)[3]);                                           \
    } while (0)
#include "kernels/x86/conv_avx512_rows.h"
