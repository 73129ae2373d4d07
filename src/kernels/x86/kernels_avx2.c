/* kernels_avx2.c - the table of AVX2 with FMA, and the kernels written over the vector type. */
#include "kernels/simd/vec_avx2.h"
#include "kernels/tables.h"
#include "kernels/toom.h"
#include "kernels/x86/avx2.h"

#include <math.h>

#include "kernels/simd/elementwise_body.h"
#include "kernels/simd/lstm_body.h"
#include "kernels/simd/peak_body.h"
#include "kernels/simd/toom_body.h"
#include "kernels/simd/toom_float_body.h"

static void conv_toom(const kk_toom_args *args)
{
    toom_float(args, kk_conv_singles_avx2);
}

const kk_kernels kk_kernels_avx2 = {
    .name = "avx2",
    .panel = 16,
    .has_bf16 = 0,
    .conv_bf16 = kk_conv_bf16_avx2,
    .conv_pairs = kk_conv_pairs_avx2,
    .conv_singles = kk_conv_singles_avx2,
    .toom = KK_TOOM_FLOAT,
    .toom_input = toom_input_kernel,
    .conv_toom = conv_toom,
#include "kernels/simd/elementwise_slots.h"
    .lstm_step = lstm_step,
    .peak_fma = peak_fma,
};
