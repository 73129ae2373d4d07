/* kernels_ref.c - the table of plain C: every slot, and what each kernel means. */
#include "kernels/simd/vec_ref.h"
#include "kernels/tables.h"
#include "kernels/toom.h"

#include "kernels/simd/elementwise_body.h"
#include "kernels/simd/peak_body.h"
#include "kernels/simd/toom_body.h"

void kk_toom_input_ref(const kk_toom_input *in)
{
    toom_input_kernel(in);
}

enum { PANEL = 16 };

static double recurrent_sum(const kk_lstm_args *args, size_t o)
{
    double sum = 0.0;
    for (size_t i = 0; i < args->H; i++) {
        const size_t panel = o / PANEL * args->H * PANEL, lane = o % PANEL;
        float w =
            args->is_pairs
                ? kk_float_from_bf16(
                      ((const uint16_t *)args->r)[panel + i / 2 * 2 * PANEL + lane * 2 + i % 2])
                : ((const float *)args->r)[panel + i * PANEL + lane];
        sum += (double)args->h[i] * (double)w;
    }
    return sum;
}

static void lstm_step(const kk_lstm_args *args)
{
    for (size_t o = 0; o < 4 * args->H; o++)
        args->gates[o] =
            (float)(recurrent_sum(args, o) * (double)args->r_scale[o] + (double)args->x[o]);
    lstm_cell(args->h, args->c, args->gates, args->H);
}

const kk_kernels kk_kernels_ref = {
    .name = "ref",
    .panel = 16,
    .has_bf16 = 0,
    .conv_bf16 = kk_conv_bf16_ref,
    .conv_pairs = kk_conv_pairs_ref,
    .conv_singles = kk_conv_singles_ref,
    .toom = KK_TOOM_NONE,
    .toom_input = kk_toom_input_ref,
    .conv_toom = kk_conv_toom_ref,
#include "kernels/simd/elementwise_slots.h"
    .lstm_step = lstm_step,
    .peak_fma = peak_fma,
};
