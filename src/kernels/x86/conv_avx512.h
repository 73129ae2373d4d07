/*
 * conv_avx512.h - what the AVX-512 convolutions share: the walk over tiles and the way out, where
 * scale, bias and residual are applied and the sums for the next normalisation are taken.
 */
#ifndef KK_KERNELS_X86_CONV_AVX512_H
#define KK_KERNELS_X86_CONV_AVX512_H

#if !defined(__AVX512F__) || !defined(__AVX512DQ__) || !defined(__AVX512BW__) ||                   \
    !defined(__AVX512VL__)
#error "compile this file with -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma"
#endif

#include "kernels/kernels.h"

#include <immintrin.h>
#include <string.h>

enum { PANEL = 64, TILE_ROWS = 6 };

/* The mask of one vector of outputs of which n remain. */
static inline __mmask16 lanes(size_t n)
{
    return (__mmask16)((1u << (n < 16 ? n : 16)) - 1u);
}

static inline void conv_store(const kk_conv_args *args, size_t t, size_t panel, size_t n_rows,
                              __m512 (*acc)[4])
{
    const size_t o = panel * PANEL;
    const __m512 gain = _mm512_set1_ps(args->gain);
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) {
        const size_t at = o + 16 * v;
        if (at >= args->C_out)
            return;
        const __mmask16 mask = lanes(args->C_out - at);
        const __m512 scale = _mm512_loadu_ps(args->scale + at),
                     bias = _mm512_loadu_ps(args->bias + at);
        __m512 sum = _mm512_setzero_ps(), square = _mm512_setzero_ps();
        for (size_t r = 0; r < n_rows; r++) {
            float *dst = args->dst + (t + r) * args->dst_stride + at;
            __m512 y = _mm512_fmadd_ps(acc[r][v], scale, bias);
            if (args->residual != NULL) {
                const float *residual =
                    args->residual + ((t + r) >> args->residual_shift) * args->residual_stride + at;
                y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, residual));
            }
            y = _mm512_mul_ps(y, gain);
            if (args->accumulate)
                y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, dst));
            _mm512_mask_storeu_ps(dst, mask, y);
            sum = _mm512_add_ps(sum, y);
            square = _mm512_fmadd_ps(y, y, square);
        }
        if (args->sums != NULL) {
            float *sums = args->sums + at, *squares = sums + args->sums_stride;
            _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_loadu_ps(sums), sum));
            _mm512_storeu_ps(squares, _mm512_add_ps(_mm512_loadu_ps(squares), square));
        }
    }
}

typedef void conv_tile(const kk_conv_args *args, size_t t, size_t panel);

/* Panels outside, rows inside: one panel's weights stay in the second-level cache for all rows. */
static inline void conv_walk(const kk_conv_args *args, conv_tile *const tiles[TILE_ROWS])
{
    const size_t n_panels = (args->C_out + PANEL - 1) / PANEL;
    for (size_t panel = 0; panel < n_panels; panel++) {
        size_t t = 0;
        for (; t + TILE_ROWS <= args->T; t += TILE_ROWS)
            tiles[TILE_ROWS - 1](args, t, panel);
        if (t < args->T)
            tiles[args->T - t - 1](args, t, panel);
    }
}

#endif
