/*
 * conv_singles_body.h - convolution of float by float weights over the vector type of a build. To
 * be included once, after KK_CONV is defined.
 */
#ifndef KK_CONV
#error "define KK_CONV: the name of the kernel"
#endif

#define KK_SRC float
#define KK_WEIGHT float
#define KK_STEP 1

static inline kk_vec conv_weights(const float *w, size_t half)
{
    (void)half;
    return v_load(w);
}

static inline kk_vec conv_value(const float *x, size_t half)
{
    (void)half;
    return v_set(*x);
}

#include "kernels/simd/conv_rows.h"
