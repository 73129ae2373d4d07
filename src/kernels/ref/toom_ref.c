/* toom_ref.c - the products of toom.h in plain C; its input side is simd/toom_body.h. */
#include "kernels/tables.h"
#include "kernels/toom.h"

#include <math.h>

/* A^T: y[i] = sum_p point^i m[p], infinity in y[3] alone. */
static const float A[4][KK_TOOM_MAX_POINTS - 1] = {{1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f},
                                                   {0.0f, 1.0f, -1.0f, 2.0f, -0.5f, -2.0f},
                                                   {0.0f, 1.0f, 1.0f, 4.0f, 0.25f, 4.0f},
                                                   {0.0f, 1.0f, -1.0f, 8.0f, -0.125f, -8.0f}};

/* sum over K taps and all inputs of one row and output; w at its first product. */
static float product(const kk_toom_args *args, size_t x, size_t K, size_t first, size_t o)
{
    const size_t panel = args->panel, C = args->C_in;
    size_t w = (o / panel * kk_toom_products(&args->shape) + first) * C * panel;
    float sum = 0.0f;
    for (size_t k = 0; k < K; k++, x += args->dilation * C, w += C * panel) {
        for (size_t c = 0; c < C; c++) {
            const size_t single = w + c * panel + o % panel,
                         pair = w + (c / 2 * panel + o % panel) * 2 + c % 2;
            sum += args->is_float ? ((const float *)args->planes)[x + c] *
                                        ((const float *)args->weights)[single]
                                  : kk_float_from_bf16(((const uint16_t *)args->planes)[x + c]) *
                                        kk_float_from_bf16(((const uint16_t *)args->weights)[pair]);
        }
    }
    return sum;
}

static float value_at(const void *p, int is_bf16, size_t i)
{
    return is_bf16 ? kk_float_from_bf16(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

static void store_output(const kk_toom_args *args, float y, size_t t, size_t o)
{
    const size_t at = t * args->dst_stride + o;
    float x = fmaf(y, args->scale[o], args->bias[o]);
    if (args->residual != NULL)
        x += value_at(args->residual, args->residual_is_bf16, t * args->residual_stride + o);
    x *= args->gain;
    if (args->accumulate)
        x += ((const float *)args->dst)[at];
    if (args->dst_is_bf16)
        ((uint16_t *)args->dst)[at] = kk_bf16_from_float(x);
    else
        ((float *)args->dst)[at] = x;
    if (args->sums != NULL) {
        args->sums[o] += x;
        args->sums[args->sums_stride + o] += x * x;
    }
}

static void store_row(const kk_toom_args *args, size_t row, size_t o)
{
    const kk_toom_shape *shape = &args->shape;
    const size_t d = args->dilation, P = shape->n_points, t0 = row / d * 4 * d + row % d;
    float m[KK_TOOM_MAX_POINTS] = {0.0f};
    for (size_t p = 0; p < P; p++)
        m[p] = product(args, p * args->plane_stride + row * args->C_in, shape->n_groups,
                       p * shape->n_groups, o);
    for (size_t i = 0; i < 4 && t0 + d * i < args->T; i++) {
        float y = i == 3 ? m[P - 1] : 0.0f;
        for (size_t p = 0; p + 1 < P; p++)
            y += A[i][p] * m[p];
        const size_t from = i + 3;
        if (shape->n_direct > 0)
            y += product(args,
                         (P + from % 4) * args->plane_stride + (row + from / 4 * d) * args->C_in,
                         shape->n_direct, P * shape->n_groups, o);
        store_output(args, y, t0 + d * i, o);
    }
}

void kk_conv_toom_ref(const kk_toom_args *args)
{
    for (size_t row = 0; row < args->n_rows; row++) {
        for (size_t o = 0; o < args->C_out; o++)
            store_row(args, row, o);
    }
}
