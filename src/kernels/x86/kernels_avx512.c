/* kernels_avx512.c - the table of AVX-512 without bf16 products, and the kernels written over
 * vec.h. */
#include "kernels/simd/vec_avx512.h"
#include "kernels/tables.h"
#include "kernels/x86/avx512.h"

#include <math.h>

#include "kernels/simd/elementwise_body.h"
#include "kernels/simd/peak_body.h"
#include "kernels/x86/lstm_avx512_body.h"

const kk_kernels kk_kernels_avx512 = {
    .name = "avx512",
    .panel = 64,
    .has_bf16 = 0,
    .conv_bf16 = kk_conv_bf16_avx512,
    .conv_pairs = kk_conv_pairs_avx512,
    .conv_singles = kk_conv_singles_avx512,
    .toom_input = kk_toom_input_ref,
    .conv_toom = kk_conv_toom_ref,
#include "kernels/simd/elementwise_slots.h"
    .lstm_step = lstm_step,
    .peak_fma = peak_fma,
};
