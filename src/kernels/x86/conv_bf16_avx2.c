/* conv_bf16_avx2.c - convolution of bf16 by bf16, widened to float, for AVX2 with FMA. */
#include "kernels/simd/vec_avx2.h"
#include "kernels/x86/avx2.h"

#define KK_CONV kk_conv_bf16_avx2
#include "kernels/simd/conv_bf16_body.h"
