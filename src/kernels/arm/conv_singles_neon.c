/* conv_singles_neon.c - convolution of float by float weights, for 64-bit ARM. */
#include "kernels/arm/neon.h"
#include "kernels/simd/vec_neon.h"

#define KK_CONV kk_conv_singles_neon
#include "kernels/simd/conv_singles_body.h"
