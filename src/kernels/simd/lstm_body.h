/*
 * lstm_body.h - the recurrent part of one LSTM step over the vector type of a build: h [H] times
 * the packed matrix [H][4H], in panels of 16 gates. Two panels at a time, even and odd inputs apart
 * make at least 8 independent sums, which hides the latency of the multiply-add.
 */
#ifndef KK_KERNELS_SIMD_LSTM_BODY_H
#define KK_KERNELS_SIMD_LSTM_BODY_H

enum { PANEL = 16, PANELS = 2, VECTORS = PANEL / KK_LANES };

/* gates[o] = (even + odd) * scale[o] + x[o], for the outputs of PANELS panels from o on. */
static inline void store_gates(const kk_lstm_args *args, size_t o, kk_vec (*even)[VECTORS],
                               kk_vec (*odd)[VECTORS])
{
#pragma GCC unroll 2
    for (size_t p = 0; p < PANELS; p++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++) {
            const size_t at = o + p * PANEL + v * KK_LANES;
            v_store(args->gates + at, v_fma(v_add(even[p][v], odd[p][v]),
                                            v_load(args->r_scale + at), v_load(args->x + at)));
        }
    }
}

static void recurrent_pairs(const kk_lstm_args *args, size_t o)
{
    const size_t H = args->H;
    const uint16_t *w = (const uint16_t *)args->r + o * H;
    kk_vec even[PANELS][VECTORS], odd[PANELS][VECTORS];
#pragma GCC unroll 2
    for (size_t p = 0; p < PANELS; p++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            even[p][v] = odd[p][v] = v_set(0.0f);
    }
    for (size_t i = 0; i < H; i += 2, w += (size_t)2 * PANEL) {
        const kk_vec a = v_set(args->h[i]), b = v_set(args->h[i + 1]);
#pragma GCC unroll 2
        for (size_t p = 0; p < PANELS; p++) {
#pragma GCC unroll 4
            for (size_t v = 0; v < VECTORS; v++) {
                const kk_pairs pairs = v_load_pairs(w + p * PANEL * H + 2 * v * KK_LANES);
                even[p][v] = v_fma(a, v_even(pairs), even[p][v]);
                odd[p][v] = v_fma(b, v_odd(pairs), odd[p][v]);
            }
        }
    }
    store_gates(args, o, even, odd);
}

static void recurrent_singles(const kk_lstm_args *args, size_t o)
{
    const size_t H = args->H;
    const float *w = (const float *)args->r + o * H;
    kk_vec even[PANELS][VECTORS], odd[PANELS][VECTORS];
#pragma GCC unroll 2
    for (size_t p = 0; p < PANELS; p++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            even[p][v] = odd[p][v] = v_set(0.0f);
    }
    for (size_t i = 0; i < H; i += 2, w += (size_t)2 * PANEL) {
        const kk_vec a = v_set(args->h[i]), b = v_set(args->h[i + 1]);
#pragma GCC unroll 2
        for (size_t p = 0; p < PANELS; p++) {
#pragma GCC unroll 4
            for (size_t v = 0; v < VECTORS; v++) {
                const float *at = w + p * PANEL * H + v * KK_LANES;
                even[p][v] = v_fma(a, v_load(at), even[p][v]);
                odd[p][v] = v_fma(b, v_load(at + PANEL), odd[p][v]);
            }
        }
    }
    store_gates(args, o, even, odd);
}

static void lstm_step(const kk_lstm_args *args)
{
    for (size_t o = 0; o < 4 * args->H; o += (size_t)PANELS * PANEL)
        (args->is_pairs ? recurrent_pairs : recurrent_singles)(args, o);
    lstm_cell(args->h, args->c, args->gates, args->H);
}

#endif
