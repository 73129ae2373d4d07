/* tables.h - one line a table of kernels: what the choice and the tests go through. */
#ifndef KK_KERNELS_TABLES_H
#define KK_KERNELS_TABLES_H

#include "kernels/kernels.h"

extern const kk_kernels kk_kernels_ref;
#if defined(__x86_64__)
extern const kk_kernels kk_kernels_avx2;
extern const kk_kernels kk_kernels_avx512;
extern const kk_kernels kk_kernels_avx512bf16;
#elif defined(__aarch64__)
extern const kk_kernels kk_kernels_neon;
#endif

/* The plain C kernels, for tables that do not replace them. */
kk_conv_kernel kk_conv_bf16_ref, kk_conv_pairs_ref, kk_conv_singles_ref;
void kk_toom_input_ref(const struct kk_toom_input *in);
void kk_conv_toom_ref(const struct kk_toom_args *args);

#endif
