/*
 * conv_avx512_tile.h - one register tile of a convolution: KK_ROWS rows of time by 64 outputs, in
 * KK_ROWS * 4 accumulators. Included once a number of rows by the files that define
 *
 *     KK_TILE(rows)            the name of the function
 *     KK_SRC                   the type of src: uint16_t or float
 *     KK_STEP                  inputs that one step takes: 2 for pairs, 1 for singles
 *     KK_ACCUMULATE(acc, ...)  one step for all accumulators
 *
 * Per step of 6 rows: 4 loads of weights and 6 broadcasts feed 24 multiply-adds, so that the two
 * multipliers are the bound and not the two load ports.
 */
#ifndef KK_ROWS
#error "define KK_ROWS: the rows of the tile"
#endif

static void KK_TILE(KK_ROWS)(const kk_conv_args *args, size_t t, size_t panel)
{
    const size_t stride = args->src_stride, n_steps = (args->C_in + KK_STEP - 1) / KK_STEP;
    const KK_SRC *src = (const KK_SRC *)args->src + t * stride;
    const KK_WEIGHT *w =
        (const KK_WEIGHT *)args->weights + panel * args->K * n_steps * (PANEL * KK_STEP);
    __m512 acc[KK_ROWS][4];
#pragma GCC unroll 6
    for (size_t r = 0; r < KK_ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++)
            acc[r][v] = _mm512_setzero_ps();
    }
    for (size_t k = 0; k < args->K; k++, src += args->tap_stride) {
        const KK_SRC *x = src;
        for (size_t s = 0; s < n_steps; s++, x += KK_STEP, w += PANEL * KK_STEP) {
            KK_LOAD_WEIGHTS(w);
#pragma GCC unroll 6
            for (size_t r = 0; r < KK_ROWS; r++)
                KK_ACCUMULATE(acc[r], x + r * stride);
        }
    }
    conv_store(args, t, panel, KK_ROWS, acc);
}
