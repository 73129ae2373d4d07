/* kernels_avx512bf16.c - the table of AVX-512 with bf16 products. */
#if !defined(__AVX512BF16__)
#error "compile this file with -mavx512bf16"
#endif

#include "kernels/simd/vec_avx512.h"
#include "kernels/tables.h"
#include "kernels/toom.h"
#include "kernels/x86/avx512.h"

#include <math.h>

#include "kernels/simd/elementwise_body.h"
#include "kernels/simd/peak_body.h"
#include "kernels/simd/toom_body.h"
#include "kernels/x86/lstm_avx512_body.h"

const kk_kernels kk_kernels_avx512bf16 = {
    .name = "avx512bf16",
    .panel = 64,
    .has_bf16 = 1,
    .conv_bf16 = kk_conv_bf16_avx512bf16,
    .conv_pairs = kk_conv_pairs_avx512,
    .conv_singles = kk_conv_singles_avx512,
    .toom = KK_TOOM_BF16,
    .toom_input = toom_input_kernel,
    .conv_toom = kk_conv_toom_avx512bf16,
#include "kernels/simd/elementwise_slots.h"
    .lstm_step = lstm_step,
    .peak_fma = peak_fma,
    .peak_bf16 = kk_peak_bf16_avx512bf16,
};
