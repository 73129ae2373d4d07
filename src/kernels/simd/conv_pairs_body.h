/*
 * conv_pairs_body.h - convolution of float by bf16 weights in pairs over the vector type of a
 * build: both halves of a 32-bit lane become floats by a shift and a mask, so that the
 * multiplication is exact in the weights. To be included once, after KK_CONV is defined.
 */
#ifndef KK_CONV
#error "define KK_CONV: the name of the kernel"
#endif

#define KK_SRC float
#define KK_WEIGHT uint16_t
#define KK_STEP 2

static inline kk_vec conv_weights(const uint16_t *w, size_t half)
{
    return half == 0 ? v_even(v_load_pairs(w)) : v_odd(v_load_pairs(w));
}

static inline kk_vec conv_value(const float *x, size_t half)
{
    return v_set(x[half]);
}

#include "kernels/simd/conv_rows.h"
