/* conv_singles_avx2.c - convolution of float by float weights, for AVX2 with FMA. */
#include "kernels/simd/vec_avx2.h"
#include "kernels/x86/avx2.h"

#define KK_CONV kk_conv_singles_avx2
#include "kernels/simd/conv_singles_body.h"
