/*
 * conv_rows.h - a convolution over the vector type of a build, in panels of 16 outputs: the walk
 * over register tiles, and the way out, where scale, bias and residual are applied and the sums for
 * the next normalisation are taken. A file of few lines includes vec_*.h, defines
 *
 *     KK_CONV      the name of the kernel
 *     KK_SRC       the type of src, uint16_t or float
 *     KK_WEIGHT    the type of weights, the same two
 *     KK_STEP      inputs that one step takes: 2 for pairs, 1 for singles
 *     conv_weights, conv_value   functions: a vector of weights and a broadcast input of a half
 * step
 *
 * and includes this.
 */
#ifndef KK_CONV
#error "define KK_CONV: the name of the kernel"
#endif

enum { PANEL = 16, VECTORS = PANEL / KK_LANES, TILE_ROWS = 6, PREFETCH_STEPS = 16 };

static inline void store_vector(const kk_conv_args *args, size_t t, size_t at, size_t n,
                                size_t n_rows, kk_vec (*acc)[VECTORS])
{
    const size_t v = at % PANEL / KK_LANES;
    const kk_vec gain = v_set(args->gain);
    const kk_vec scale = v_load(args->scale + at), bias = v_load(args->bias + at);
    kk_vec sum = v_set(0.0f), square = v_set(0.0f);
    for (size_t r = 0; r < n_rows; r++) {
        float *dst = args->dst + (t + r) * args->dst_stride + at;
        kk_vec y = v_fma(acc[r][v], scale, bias);
        if (args->residual != NULL) {
            const float *residual =
                args->residual + ((t + r) >> args->residual_shift) * args->residual_stride + at;
            y = v_add(y, n == KK_LANES ? v_load(residual) : v_load_n(residual, n));
        }
        y = v_mul(y, gain);
        if (args->accumulate)
            y = v_add(y, n == KK_LANES ? v_load(dst) : v_load_n(dst, n));
        if (n == KK_LANES)
            v_store(dst, y);
        else
            v_store_n(dst, y, n);
        sum = v_add(sum, y);
        square = v_fma(y, y, square);
    }
    if (args->sums != NULL) {
        float *sums = args->sums + at, *squares = sums + args->sums_stride;
        v_store(sums, v_add(v_load(sums), sum));
        v_store(squares, v_add(v_load(squares), square));
    }
}

static inline void conv_store(const kk_conv_args *args, size_t t, size_t panel, size_t n_rows,
                              kk_vec (*acc)[VECTORS])
{
#pragma GCC unroll 4
    for (size_t v = 0; v < VECTORS; v++) {
        const size_t at = panel * PANEL + v * KK_LANES;
        if (at >= args->C_out)
            return;
        const size_t n = args->C_out - at < KK_LANES ? args->C_out - at : KK_LANES;
        store_vector(args, t, at, n, n_rows, acc);
    }
}

#define KK_ROWS 1
#include "kernels/simd/conv_tile.h"
#undef KK_ROWS
#define KK_ROWS 2
#include "kernels/simd/conv_tile.h"
#undef KK_ROWS
#define KK_ROWS 3
#include "kernels/simd/conv_tile.h"
#undef KK_ROWS
#define KK_ROWS 4
#include "kernels/simd/conv_tile.h"
#undef KK_ROWS
#define KK_ROWS 5
#include "kernels/simd/conv_tile.h"
#undef KK_ROWS
#define KK_ROWS 6
#include "kernels/simd/conv_tile.h"
#undef KK_ROWS

/* Panels outside, rows inside: one panel's weights stay in the second-level cache for all rows. */
void KK_CONV(const kk_conv_args *args)
{
    static void (*const tiles[TILE_ROWS])(const kk_conv_args *, size_t, size_t) = {
        tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
    const size_t n_panels = (args->C_out + PANEL - 1) / PANEL;
    for (size_t panel = 0; panel < n_panels; panel++) {
        size_t t = 0;
        for (; t + TILE_ROWS <= args->T; t += TILE_ROWS)
            tiles[TILE_ROWS - 1](args, t, panel);
        if (t < args->T)
            tiles[args->T - t - 1](args, t, panel);
    }
}
