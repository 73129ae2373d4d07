/* conv_ref.c - the convolutions as kernels.h defines them, one output at a time. */
#include "kernels/tables.h"

#include <math.h>

enum { PANEL = 16 };

typedef float dot_function(const kk_conv_args *args, size_t t, size_t o);

static float dot_bf16(const kk_conv_args *args, size_t t, size_t o)
{
    const size_t n_pairs = (args->C_in + 1) / 2;
    const uint16_t *x = (const uint16_t *)args->src + t * args->src_stride;
    const uint16_t *w =
        (const uint16_t *)args->weights + (o / PANEL * args->K * n_pairs * PANEL + o % PANEL) * 2;
    float sum = 0.0f;
    for (size_t k = 0; k < args->K; k++, x += args->tap_stride) {
        for (size_t i = 0; i < n_pairs; i++, w += (size_t)2 * PANEL) {
            sum += kk_float_from_bf16(x[2 * i]) * kk_float_from_bf16(w[0]) +
                   kk_float_from_bf16(x[2 * i + 1]) * kk_float_from_bf16(w[1]);
        }
    }
    return sum;
}

static float dot_pairs(const kk_conv_args *args, size_t t, size_t o)
{
    const size_t n_pairs = (args->C_in + 1) / 2;
    const float *x = (const float *)args->src + t * args->src_stride;
    const uint16_t *w =
        (const uint16_t *)args->weights + (o / PANEL * args->K * n_pairs * PANEL + o % PANEL) * 2;
    float sum = 0.0f;
    for (size_t k = 0; k < args->K; k++, x += args->tap_stride) {
        for (size_t i = 0; i < n_pairs; i++, w += (size_t)2 * PANEL) {
            sum = fmaf(x[2 * i], kk_float_from_bf16(w[0]), sum);
            sum = fmaf(x[2 * i + 1], kk_float_from_bf16(w[1]), sum);
        }
    }
    return sum;
}

static float dot_singles(const kk_conv_args *args, size_t t, size_t o)
{
    const float *x = (const float *)args->src + t * args->src_stride;
    const float *w =
        (const float *)args->weights + o / PANEL * args->K * args->C_in * PANEL + o % PANEL;
    float sum = 0.0f;
    for (size_t k = 0; k < args->K; k++, x += args->tap_stride) {
        for (size_t i = 0; i < args->C_in; i++, w += PANEL)
            sum = fmaf(x[i], *w, sum);
    }
    return sum;
}

static void conv(const kk_conv_args *args, dot_function *dot)
{
    for (size_t t = 0; t < args->T; t++) {
        float *dst = args->dst + t * args->dst_stride;
        for (size_t o = 0; o < args->C_out; o++) {
            float y = fmaf(dot(args, t, o), args->scale[o], args->bias[o]);
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
