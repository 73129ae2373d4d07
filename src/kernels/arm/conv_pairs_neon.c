/* conv_pairs_neon.c - convolution of float by pairs of bf16 weights, for 64-bit ARM. */
#include "kernels/arm/neon.h"
#include "kernels/simd/vec_neon.h"

#define KK_CONV kk_conv_pairs_neon
#include "kernels/simd/conv_pairs_body.h"
