/*
 * conv_tile.h - one register tile of a convolution over the vector type of a build (vec_*.h):
 * KK_ROWS rows of time by a panel of 16 outputs, accumulated in registers. Included once a number
 * of rows by conv_rows.h.
 *
 * Pairs are taken in two half steps, first all even and then all odd inputs, so that 12
 * accumulators, 2 vectors of weights and a broadcast fit the 16 registers of AVX2. Per half step of
 * 6 rows there are 2 loads of weights and 6 broadcasts for 12 multiply-adds: the two multipliers
 * are the bound and not the two load ports.
 *
 * Weights as floats are called into the cache ahead: 93 instead of 87 % of the multipliers' peak
 * with AVX2 and 1024 inputs and outputs. With pairs, half the bytes, the same shape gains 5 %, but
 * those of 128 and 256 lose 1.5 %.
 */
#ifndef KK_ROWS
#error "define KK_ROWS: the rows of the tile"
#endif

#define KK_TILE_OF(rows) KK_TILE_OF_(rows)
#define KK_TILE_OF_(rows) tile_##rows

static void KK_TILE_OF(KK_ROWS)(const kk_conv_args *args, size_t t, size_t panel)
{
    const size_t stride = args->src_stride, n_steps = (args->C_in + KK_STEP - 1) / KK_STEP;
    const KK_SRC *src = (const KK_SRC *)args->src + t * stride;
    const KK_WEIGHT *w =
        (const KK_WEIGHT *)args->weights + panel * args->K * n_steps * (PANEL * KK_STEP);
    kk_vec acc[KK_ROWS][VECTORS];
#pragma GCC unroll 6
    for (size_t r = 0; r < KK_ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            acc[r][v] = v_set(0.0f);
    }
    for (size_t k = 0; k < args->K; k++, src += args->tap_stride) {
        const KK_SRC *x = src;
        for (size_t s = 0; s < n_steps; s++, x += KK_STEP, w += PANEL * KK_STEP) {
            if (KK_STEP == 1)
                __builtin_prefetch(w + PREFETCH_STEPS * PANEL);
#pragma GCC unroll 2
            for (size_t half = 0; half < KK_STEP; half++) {
                v_fence();
                kk_vec weights[VECTORS];
#pragma GCC unroll 4
                for (size_t v = 0; v < VECTORS; v++)
                    weights[v] = conv_weights(w + v * KK_LANES * KK_STEP, half);
#pragma GCC unroll 6
                for (size_t r = 0; r < KK_ROWS; r++) {
                    const kk_vec value = conv_value(x + r * stride, half);
#pragma GCC unroll 4
                    for (size_t v = 0; v < VECTORS; v++)
                        acc[r][v] = v_fma(value, weights[v], acc[r][v]);
                }
            }
        }
    }
    /* A copy, so that the sums themselves never need an address and stay in registers. */
    kk_vec sums[KK_ROWS][VECTORS];
#pragma GCC unroll 6
    for (size_t r = 0; r < KK_ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            sums[r][v] = acc[r][v];
    }
    conv_store(args, t, panel, KK_ROWS, sums);
}

#undef KK_TILE_OF
#undef KK_TILE_OF_
