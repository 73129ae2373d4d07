/* avx2.h - the AVX2 kernels by name, for the table. */
#ifndef KK_KERNELS_X86_AVX2_H
#define KK_KERNELS_X86_AVX2_H

#include "kernels/kernels.h"

kk_conv_kernel kk_conv_bf16_avx2, kk_conv_pairs_avx2, kk_conv_singles_avx2;

#endif
