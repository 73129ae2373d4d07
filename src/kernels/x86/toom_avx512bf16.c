/*
 * toom_avx512bf16.c - the products of toom.h with VDPBF16PS. Six rows of the planes by 64 outputs
 * at a time: each point is a convolution of its plane over the groups, in the registers' tile of
 * conv_avx512_tile.h; the results wait in the first-level cache for the transform back.
 */
#if !defined(__AVX512BF16__)
#error "compile this file with -mavx512bf16"
#endif

#include "kernels/toom.h"
#include "kernels/x86/avx512.h"
#include "kernels/x86/pairs_avx512bf16.h"

#include <immintrin.h>

enum { PANEL = 64, ROWS = 6, SLOTS = KK_TOOM_MAX_POINTS + 4 };

/* Products of one point or direct phase for up to 6 rows: [slot][row][64]. */
typedef float products[SLOTS][ROWS][PANEL];

/* dst [n_rows][64] = sum over K taps and all inputs; six rows always, those beyond n_rows repeat
 * the last one, so that one loop serves all. */
static void multiply(float (*dst)[PANEL], const uint16_t *x, size_t stride, size_t tap_stride,
                     size_t K, size_t n_pairs, const uint16_t *w, size_t n_rows)
{
    const uint16_t *row[ROWS];
    __m512 acc[ROWS][4];
    for (size_t r = 0; r < ROWS; r++)
        row[r] = x + (r < n_rows ? r : n_rows - 1) * stride;
#pragma GCC unroll 6
    for (size_t r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++)
            acc[r][v] = _mm512_setzero_ps();
    }
    for (size_t k = 0; k < K; k++) {
        const size_t at = k * tap_stride;
        for (size_t i = 0; i < n_pairs; i++, w += (size_t)2 * PANEL) {
            const __m512bh w0 = load_pairs(w), w1 = load_pairs(w + 32), w2 = load_pairs(w + 64),
                           w3 = load_pairs(w + 96);
#pragma GCC unroll 6
            for (size_t r = 0; r < ROWS; r++) {
                const __m512bh value = broadcast_pair(row[r] + at + 2 * i);
                acc[r][0] = _mm512_dpbf16_ps(acc[r][0], value, w0);
                acc[r][1] = _mm512_dpbf16_ps(acc[r][1], value, w1);
                acc[r][2] = _mm512_dpbf16_ps(acc[r][2], value, w2);
                acc[r][3] = _mm512_dpbf16_ps(acc[r][3], value, w3);
            }
        }
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++)
            _mm512_store_ps(dst[r] + 16 * v, acc[r][v]);
    }
}

/* Four outputs y of one row and vector of channels: A^T, and the direct products. */
static inline void transform_back(__m512 y[4], float (*m)[ROWS][PANEL], size_t r, size_t v,
                                  const kk_toom_shape *shape)
{
    const size_t P = shape->n_points;
#define M(p) _mm512_load_ps(m[p][r] + 16 * v)
    const __m512 m1 = M(1), m2 = M(2), m3 = M(3), m4 = M(4);
    const __m512 sum = _mm512_add_ps(m1, m2), difference = _mm512_sub_ps(m1, m2);
    y[0] = _mm512_add_ps(_mm512_add_ps(M(0), sum), _mm512_add_ps(m3, m4));
    y[1] = _mm512_fmadd_ps(_mm512_set1_ps(2.0f), m3,
                           _mm512_fmadd_ps(_mm512_set1_ps(-0.5f), m4, difference));
    y[2] =
        _mm512_fmadd_ps(_mm512_set1_ps(4.0f), m3, _mm512_fmadd_ps(_mm512_set1_ps(0.25f), m4, sum));
    y[3] = _mm512_fmadd_ps(_mm512_set1_ps(8.0f), m3,
                           _mm512_fmadd_ps(_mm512_set1_ps(-0.125f), m4, difference));
    y[3] = _mm512_add_ps(y[3], M(P - 1));
    if (P == 7) {
        const __m512 m5 = M(5);
        y[0] = _mm512_add_ps(y[0], m5);
        y[1] = _mm512_fmadd_ps(_mm512_set1_ps(-2.0f), m5, y[1]);
        y[2] = _mm512_fmadd_ps(_mm512_set1_ps(4.0f), m5, y[2]);
        y[3] = _mm512_fmadd_ps(_mm512_set1_ps(-8.0f), m5, y[3]);
    }
    if (shape->n_direct > 0) {
        for (size_t i = 0; i < 4; i++)
            y[i] = _mm512_add_ps(y[i], M(P + i));
    }
#undef M
}

static inline __m512 load_value(const void *p, int is_bf16, size_t at)
{
    if (!is_bf16)
        return _mm512_loadu_ps((const float *)p + at);
    const __m256i half =
        _mm256_loadu_si256((const __m256i *)(const void *)((const uint16_t *)p + at));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

static inline void store_value(void *p, int is_bf16, size_t at, __m512 y)
{
    if (is_bf16)
        _mm256_storeu_si256((__m256i *)(void *)((uint16_t *)p + at),
                            (__m256i)_mm512_cvtneps_pbh(y));
    else
        _mm512_storeu_ps((float *)p + at, y);
}

/* The way out of `n_rows` rows of the planes from row `first` on. */
static void store_rows(const kk_toom_args *args, products m, size_t first, size_t n_rows, size_t o)
{
    const size_t d = args->dilation;
    const __m512 gain = _mm512_set1_ps(args->gain);
    for (size_t v = 0; v < 4; v++) {
        const size_t at = o + 16 * v;
        const __m512 scale = _mm512_loadu_ps(args->scale + at),
                     bias = _mm512_loadu_ps(args->bias + at);
        __m512 sum = _mm512_setzero_ps(), square = _mm512_setzero_ps();
        for (size_t r = 0; r < n_rows; r++) {
            __m512 y[4];
            transform_back(y, m, r, v, &args->shape);
            const size_t row = first + r, t0 = row / d * 4 * d + row % d;
            for (size_t i = 0; i < 4; i++) {
                const size_t t = t0 + d * i;
                if (t >= args->T)
                    break;
                __m512 x = _mm512_fmadd_ps(y[i], scale, bias);
                if (args->residual != NULL)
                    x = _mm512_add_ps(x, load_value(args->residual, args->residual_is_bf16,
                                                    t * args->residual_stride + at));
                x = _mm512_mul_ps(x, gain);
                if (args->accumulate)
                    x = _mm512_add_ps(x, load_value(args->dst, 0, t * args->dst_stride + at));
                store_value(args->dst, args->dst_is_bf16, t * args->dst_stride + at, x);
                sum = _mm512_add_ps(sum, x);
                square = _mm512_fmadd_ps(x, x, square);
            }
        }
        if (args->sums != NULL) {
            float *sums = args->sums + at, *squares = sums + args->sums_stride;
            _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_loadu_ps(sums), sum));
            _mm512_storeu_ps(squares, _mm512_add_ps(_mm512_loadu_ps(squares), square));
        }
    }
}

void kk_conv_toom_avx512bf16(const kk_toom_args *args)
{
    _Alignas(64) products m;
    const kk_toom_shape *shape = &args->shape;
    const size_t C = args->C_in, n_pairs = C / 2, d = args->dilation, P = shape->n_points;
    const size_t panel_size = kk_toom_products(shape) * n_pairs * PANEL * 2;
    const size_t point_size = shape->n_groups * n_pairs * PANEL * 2;
    const uint16_t *planes = args->planes;
    for (size_t o = 0; o < args->C_out; o += PANEL) {
        const uint16_t *weights = (const uint16_t *)args->weights + o / PANEL * panel_size;
        for (size_t row = 0; row < args->n_rows; row += ROWS) {
            const size_t n = args->n_rows - row < ROWS ? args->n_rows - row : ROWS;
            for (size_t p = 0; p < P; p++)
                multiply(m[p], planes + p * args->plane_stride + row * C, C, d * C, shape->n_groups,
                         n_pairs, weights + p * point_size, n);
            for (size_t i = 0; shape->n_direct > 0 && i < 4; i++) {
                const size_t from = i + 3; /* tap 3 of output i; tap 7 lies one block on */
                multiply(m[P + i],
                         planes + (P + from % 4) * args->plane_stride + (row + from / 4 * d) * C, C,
                         d * C, shape->n_direct, n_pairs, weights + P * point_size, n);
            }
            store_rows(args, m, row, n, o);
        }
    }
}
