/* avx512.h - the AVX-512 kernels by name, for the tables. */
#ifndef KK_KERNELS_X86_AVX512_H
#define KK_KERNELS_X86_AVX512_H

#include "kernels/kernels.h"

kk_conv_kernel kk_conv_bf16_avx512bf16, kk_conv_bf16_avx512, kk_conv_pairs_avx512,
    kk_conv_singles_avx512;
void kk_conv_toom_avx512bf16(const struct kk_toom_args *args);
double kk_peak_bf16_avx512bf16(size_t rounds);

#endif
