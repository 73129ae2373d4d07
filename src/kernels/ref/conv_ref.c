/* conv_ref.c - the convolutions as kernels.h defines them, one output at a time. Sums
 * are doubles: exact beside floats, and quicker than a fused multiply-add without an instruction.
 */
#include "kernels/tables.h"

enum { PANEL = 16 };

typedef double dot_function(const kk_conv_args *args, size_t t, size_t o);

static double dot_bf16(const kk_conv_args *args, size_t t, size_t o)
{
    const size_t n_pairs = (args->C_in + 1) / 2;
    const uint16_t *x = (const uint16_t *)args->src + t * args->src_stride;
    const uint16_t *w =
        (const uint16_t *)args->weights + (o / PANEL * args->K * n_pairs * PANEL + o % PANEL) * 2;
    double sum = 0.0;
    for (size_t k = 0; k < args->K; k++, x += args->tap_stride) {
        for (size_t i = 0; i < n_pairs; i++, w += (size_t)2 * PANEL) {
            sum += (double)kk_float_from_bf16(x[2 * i]) * (double)kk_float_from_bf16(w[0]) +
                   (double)kk_float_from_bf16(x[2 * i + 1]) * (double)kk_float_from_bf16(w[1]);
        }
    }
    return sum;
}

static double dot_pairs(const kk_conv_args *args, size_t t, size_t o)
{
    const size_t n_pairs = (args->C_in + 1) / 2;
    const float *x = (const float *)args->src + t * args->src_stride;
    const uint16_t *w =
        (const uint16_t *)args->weights + (o / PANEL * args->K * n_pairs * PANEL + o % PANEL) * 2;
    double sum = 0.0;
    for (size_t k = 0; k < args->K; k++, x += args->tap_stride) {
        for (size_t i = 0; i < n_pairs; i++, w += (size_t)2 * PANEL) {
            sum += (double)x[2 * i] * (double)kk_float_from_bf16(w[0]) +
                   (double)x[2 * i + 1] * (double)kk_float_from_bf16(w[1]);
        }
    }
    return sum;
}

static double dot_singles(const kk_conv_args *args, size_t t, size_t o)
{
    const float *x = (const float *)args->src + t * args->src_stride;
    const float *w =
        (const float *)args->weights + o / PANEL * args->K * args->C_in * PANEL + o % PANEL;
    double sum = 0.0;
    for (size_t k = 0; k < args->K; k++, x += args->tap_stride) {
        for (size_t i = 0; i < args->C_in; i++, w += PANEL)
            sum += (double)x[i] * (double)*w;
    }
    return sum;
}

static void conv(const kk_conv_args *args, dot_function *dot)
{
    for (size_t t = 0; t < args->T; t++) {
        float *dst = args->dst + t * args->dst_stride;
        for (size_t o = 0; o < args->C_out; o++) {
            float y = (float)(dot(args, t, o) * (double)args->scale[o] + (double)args->bias[o]);
            if (args->residual != NULL)
                y += args->residual[(t >> args->residual_shift) * args->residual_stride + o];
            y *= args->gain;
            if (args->accumulate)
                y += dst[o];
            dst[o] = y;
            if (args->sums != NULL) {
                args->sums[o] += y;
                args->sums[args->sums_stride + o] += y * y;
            }
        }
    }
}

void kk_conv_bf16_ref(const kk_conv_args *args)
{
    conv(args, dot_bf16);
}

void kk_conv_pairs_ref(const kk_conv_args *args)
{
    conv(args, dot_pairs);
}

void kk_conv_singles_ref(const kk_conv_args *args)
{
    conv(args, dot_singles);
}
