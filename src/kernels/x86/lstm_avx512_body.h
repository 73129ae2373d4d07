/*
 * lstm_avx512_body.h - the recurrent part of one LSTM step: h [H] times the packed matrix [H][4H].
 * A panel of 64 gates takes 8 accumulators (even and odd inputs apart) to hide the latency of the
 * multiply-add; the matrix is 0.5 MB for H = 256 and comes from the second-level cache.
 */
#ifndef KK_KERNELS_X86_LSTM_AVX512_BODY_H
#define KK_KERNELS_X86_LSTM_AVX512_BODY_H

static void recurrent_pairs(float *gates, const kk_lstm_args *args, size_t o)
{
    const size_t n_pairs = args->H / 2;
    const uint16_t *w = (const uint16_t *)args->r + o * n_pairs * 2;
    __m512 even[4], odd[4];
    for (int v = 0; v < 4; v++)
        even[v] = odd[v] = _mm512_setzero_ps();
    for (size_t i = 0; i < n_pairs; i++, w += 128) {
        const __m512 a = _mm512_set1_ps(args->h[2 * i]), b = _mm512_set1_ps(args->h[2 * i + 1]);
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            const __m512i pair = _mm512_loadu_si512(w + 32 * v);
            even[v] = _mm512_fmadd_ps(a, _mm512_castsi512_ps(_mm512_slli_epi32(pair, 16)), even[v]);
            odd[v] = _mm512_fmadd_ps(
                b, _mm512_castsi512_ps(_mm512_and_si512(pair, _mm512_set1_epi32((int)0xFFFF0000))),
                odd[v]);
        }
    }
    for (size_t v = 0; v < 4; v++) {
        const size_t at = o + 16 * v;
        _mm512_storeu_ps(gates + at, _mm512_fmadd_ps(_mm512_add_ps(even[v], odd[v]),
                                                     _mm512_loadu_ps(args->r_scale + at),
                                                     _mm512_loadu_ps(args->x + at)));
    }
}

static void recurrent_singles(float *gates, const kk_lstm_args *args, size_t o)
{
    const float *w = (const float *)args->r + o * args->H;
    __m512 sum[2][4];
    for (int v = 0; v < 4; v++)
        sum[0][v] = sum[1][v] = _mm512_setzero_ps();
    for (size_t i = 0; i < args->H; i += 2, w += 128) {
        const __m512 a = _mm512_set1_ps(args->h[i]), b = _mm512_set1_ps(args->h[i + 1]);
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            sum[0][v] = _mm512_fmadd_ps(a, _mm512_loadu_ps(w + 16 * v), sum[0][v]);
            sum[1][v] = _mm512_fmadd_ps(b, _mm512_loadu_ps(w + 64 + 16 * v), sum[1][v]);
        }
    }
    for (size_t v = 0; v < 4; v++) {
        const size_t at = o + 16 * v;
        _mm512_storeu_ps(gates + at, _mm512_fmadd_ps(_mm512_add_ps(sum[0][v], sum[1][v]),
                                                     _mm512_loadu_ps(args->r_scale + at),
                                                     _mm512_loadu_ps(args->x + at)));
    }
}

static void lstm_step(const kk_lstm_args *args)
{
    for (size_t o = 0; o < 4 * args->H; o += 64)
        (args->is_pairs ? recurrent_pairs : recurrent_singles)(args->gates, args, o);
    lstm_cell(args->h, args->c, args->gates, args->H);
}

#endif
