/*
 * conv_bf16_body.h - convolution of bf16 by bf16 over the vector type of a build that has no
 * instruction for it: both factors are widened to float, the products are exact. To be included
 * once, after KK_CONV is defined.
 */
#ifndef KK_CONV
#error "define KK_CONV: the name of the kernel"
#endif

#define KK_SRC uint16_t
#define KK_WEIGHT uint16_t
#define KK_STEP 2

static inline kk_vec conv_weights(const uint16_t *w, size_t half)
{
    return half == 0 ? v_even(v_load_pairs(w)) : v_odd(v_load_pairs(w));
}

static inline kk_vec conv_value(const uint16_t *x, size_t half)
{
    return v_set_bf16(x + half);
}

#include "kernels/simd/conv_rows.h"
