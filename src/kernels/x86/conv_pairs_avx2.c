/* conv_pairs_avx2.c - convolution of float by pairs of bf16 weights, for AVX2 with FMA. */
#include "kernels/simd/vec_avx2.h"
#include "kernels/x86/avx2.h"

#define KK_CONV kk_conv_pairs_avx2
#include "kernels/simd/conv_pairs_body.h"
