/*
 * toom_body.h - the input side of toom.h over the vector type of a build: one vector of channels at
 * a time is activated into a small buffer that stays in the first-level cache, then transformed.
 */
#ifndef KK_KERNELS_SIMD_TOOM_BODY_H
#define KK_KERNELS_SIMD_TOOM_BODY_H

#if !defined(KK_KERNELS_SIMD_ELEMENTWISE_BODY_H) || !defined(KK_KERNELS_TOOM_H)
#error "include elementwise_body.h and toom.h first"
#endif

static inline kk_vec toom_load(const kk_toom_input *in, size_t t, size_t c)
{
    const size_t at = t * in->src_stride + c;
    return in->src_is_bf16 ? v_load_bf16((const uint16_t *)in->src + at)
                           : v_load((const float *)in->src + at);
}

static void toom_activate(float *rows, const kk_toom_input *in, size_t c, size_t n_samples)
{
    const channel_part part = load_part(&in->activation, c, KK_LANES);
    const kk_vec zero = v_set(0.0f);
    size_t t = 0;
    for (; t < in->n_before && t < n_samples; t++, rows += KK_LANES)
        v_store(rows, zero);
    for (size_t i = 0; i < in->n_inside && t < n_samples; i++, t++, rows += KK_LANES)
        v_store(rows, activate_vec(toom_load(in, i, c), in->activation.kind, &part));
    for (; t < n_samples; t++, rows += KK_LANES)
        v_store(rows, zero);
}

static inline void toom_store(void *planes, size_t at, int is_float, kk_vec x)
{
    store_as(planes, at, !is_float, x, KK_LANES);
}

/* a * x + y for a constant a. */
static inline kk_vec axpy(float a, kk_vec x, kk_vec y)
{
    return v_fma(v_set(a), x, y);
}

/* B^T of six points; x[0..5] at `step` floats. */
static inline void toom_points6(void *dst, size_t at, int is_float, size_t plane, const float *x,
                                size_t step)
{
    const kk_vec x0 = v_load(x), x1 = v_load(x + step), x2 = v_load(x + 2 * step),
                 x3 = v_load(x + 3 * step), x4 = v_load(x + 4 * step), x5 = v_load(x + 5 * step);
    toom_store(dst, at, is_float, axpy(1.5f, v_sub(x1, x3), axpy(-2.0f, x2, v_add(x0, x4))));
    toom_store(dst, at + plane, is_float, axpy(-2.5f, x2, axpy(-0.5f, x3, v_sub(x4, x1))));
    toom_store(dst, at + 2 * plane, is_float, axpy(-2.5f, x3, axpy(0.5f, x2, v_add(x4, x1))));
    toom_store(dst, at + 3 * plane, is_float, axpy(0.5f, v_sub(x3, x1), v_sub(x4, x2)));
    toom_store(dst, at + 4 * plane, is_float, axpy(2.0f, v_sub(x1, x3), v_sub(x4, x2)));
    toom_store(dst, at + 5 * plane, is_float,
               axpy(1.5f, v_sub(x2, x4), axpy(-2.0f, x3, v_add(x1, x5))));
}

/* B^T of seven points. */
static inline void toom_points7(void *dst, size_t at, int is_float, size_t plane, const float *x,
                                size_t step)
{
    const kk_vec x0 = v_load(x), x1 = v_load(x + step), x2 = v_load(x + 2 * step),
                 x3 = v_load(x + 3 * step), x4 = v_load(x + 4 * step), x5 = v_load(x + 5 * step),
                 x6 = v_load(x + 6 * step);
    const kk_vec a = axpy(2.0f, x1, x5), b = axpy(0.5f, x4, axpy(-2.5f, x2, x5));
    toom_store(dst, at, is_float, axpy(2.0f, x0, axpy(4.0f, x1, axpy(-5.0f, x3, b))));
    toom_store(dst, at + plane, is_float,
               axpy(-6.0f, x2, axpy(-3.5f, x3, axpy(1.5f, x4, axpy(-4.0f, x1, a)))));
    toom_store(dst, at + 2 * plane, is_float, axpy(2.0f, x2, axpy(-4.5f, x3, axpy(-0.5f, x4, a))));
    toom_store(dst, at + 3 * plane, is_float, axpy(2.5f, v_sub(x4, x2), v_sub(x5, x1)));
    toom_store(dst, at + 4 * plane, is_float, axpy(4.0f, x1, axpy(-5.0f, x3, x5)));
    toom_store(dst, at + 5 * plane, is_float,
               axpy(1.5f, v_sub(x2, x4), axpy(-2.0f, x3, v_add(x1, x5))));
    toom_store(
        dst, at + 6 * plane, is_float,
        axpy(2.0f, x1, axpy(4.0f, x2, axpy(-2.5f, x3, axpy(-5.0f, x4, axpy(0.5f, x5, x6))))));
}

static inline void toom_rows(const kk_toom_input *in, const float *rows, size_t c, int is_float)
{
    const size_t d = in->dilation, plane = in->plane_stride, step = d * KK_LANES,
                 n_blocks = in->n_rows / d;
    size_t at = c;
    for (size_t b = 0; b < n_blocks; b++) {
        for (size_t phase = 0; phase < d; phase++, at += in->C) {
            const float *x = rows + (4 * d * b + phase) * KK_LANES;
            if (in->shape.n_points == 6)
                toom_points6(in->planes, at, is_float, plane, x, step);
            else
                toom_points7(in->planes, at, is_float, plane, x, step);
            for (size_t i = 0; in->shape.n_direct > 0 && i < 4; i++)
                toom_store(in->planes, at + (in->shape.n_points + i) * plane, is_float,
                           v_load(x + i * step));
        }
    }
}

static void toom_input_kernel(const kk_toom_input *in)
{
    float rows[KK_TOOM_MAX_ROWS * KK_LANES];
    const size_t d = in->dilation, n_samples = 4 * d * (in->n_rows / d - 1) + d * 7;
    for (size_t c = 0; c < in->C; c += KK_LANES) {
        toom_activate(rows, in, c, n_samples);
        if (in->is_float)
            toom_rows(in, rows, c, 1);
        else
            toom_rows(in, rows, c, 0);
    }
}

#endif
