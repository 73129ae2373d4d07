/* kernels_avx512.c - the table of AVX-512 without bf16 products, and the kernels written over
 * vec.h. */
#include "kernels/simd/vec_avx512.h"
#include "kernels/tables.h"
#include "kernels/toom.h"
#include "kernels/x86/avx512.h"

#include <math.h>

#include "kernels/simd/elementwise_body.h"
#include "kernels/simd/peak_body.h"
#include "kernels/simd/toom_body.h"
#include "kernels/simd/toom_float_body.h"

static void conv_toom(const kk_toom_args *args)
{
    toom_float(args, kk_conv_singles_avx512);
}
#include "kernels/x86/lstm_avx512_body.h"

const kk_kernels kk_kernels_avx512 = {
    .name = "avx512",
    .panel = 64,
    .has_bf16 = 0,
    .conv_bf16 = kk_conv_bf16_avx512,
    .conv_pairs = kk_conv_pairs_avx512,
    .conv_singles = kk_conv_singles_avx512,
    .toom = KK_TOOM_FLOAT,
    .toom_input = toom_input_kernel,
    .conv_toom = conv_toom,
#include "kernels/simd/elementwise_slots.h"
    .lstm_step = lstm_step,
    .peak_fma = peak_fma,
};
