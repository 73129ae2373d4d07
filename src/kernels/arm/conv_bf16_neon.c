/* conv_bf16_neon.c - convolution of bf16 by bf16, widened to float, for 64-bit ARM. */
#include "kernels/arm/neon.h"
#include "kernels/simd/vec_neon.h"

#define KK_CONV kk_conv_bf16_neon
#include "kernels/simd/conv_bf16_body.h"
