/* kernels_neon.c - the table of 64-bit ARM, and the kernels written over the vector type. */
#include "kernels/arm/neon.h"
#include "kernels/simd/vec_neon.h"
#include "kernels/tables.h"
#include "kernels/toom.h"

#include <math.h>

#include "kernels/simd/elementwise_body.h"
#include "kernels/simd/lstm_body.h"
#include "kernels/simd/peak_body.h"
#include "kernels/simd/toom_body.h"
#include "kernels/simd/toom_float_body.h"

static void conv_toom(const kk_toom_args *args)
{
    toom_float(args, kk_conv_singles_neon);
}

const kk_kernels kk_kernels_neon = {
    .name = "neon",
    .panel = 16,
    .has_bf16 = 0,
    .conv_bf16 = kk_conv_bf16_neon,
    .conv_pairs = kk_conv_pairs_neon,
    .conv_singles = kk_conv_singles_neon,
    .toom = KK_TOOM_FLOAT,
    .toom_input = toom_input_kernel,
    .conv_toom = conv_toom,
#include "kernels/simd/elementwise_slots.h"
    .lstm_step = lstm_step,
    .peak_fma = peak_fma,
};
