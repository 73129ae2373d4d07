/*
 * toom_float_body.h - the products of toom.h in float over the vector type of a build: each point
 * is a convolution of its plane by the table's conv_singles, for as many rows as leave the results
 * of all points in the first-level cache; then they are transformed back.
 */
#ifndef KK_KERNELS_SIMD_TOOM_FLOAT_BODY_H
#define KK_KERNELS_SIMD_TOOM_FLOAT_BODY_H

enum { TOOM_SLOTS = KK_TOOM_MAX_POINTS + 4, TOOM_PRODUCTS = 384 /* rows times panel: 17 KB */ };

static const float toom_ones[64] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const float toom_zeros[64];

/* The way out of one row and vector of outputs; m [slot] at TOOM_PRODUCTS floats. Rows of dst and
 * residual are floats. */
static inline void toom_finish(const kk_toom_args *args, const float *m, size_t row, size_t at,
                               kk_vec *sum, kk_vec *square)
{
    const size_t P = args->shape.n_points, d = args->dilation;
    const size_t t0 = row / d * 4 * d + row % d;
    kk_vec y[4], x[TOOM_SLOTS];
    for (size_t p = 0; p < P; p++)
        x[p] = v_load(m + p * TOOM_PRODUCTS);
    const kk_vec even = v_add(x[1], x[2]), odd = v_sub(x[1], x[2]);
    y[0] = v_add(v_add(x[0], even), v_add(x[3], x[4]));
    y[1] = v_fma(v_set(2.0f), x[3], v_fma(v_set(-0.5f), x[4], odd));
    y[2] = v_fma(v_set(4.0f), x[3], v_fma(v_set(0.25f), x[4], even));
    y[3] = v_add(v_fma(v_set(8.0f), x[3], v_fma(v_set(-0.125f), x[4], odd)), x[P - 1]);
    if (P == 7) {
        y[0] = v_add(y[0], x[5]);
        y[1] = v_fma(v_set(-2.0f), x[5], y[1]);
        y[2] = v_fma(v_set(4.0f), x[5], y[2]);
        y[3] = v_fma(v_set(-8.0f), x[5], y[3]);
    }
    const kk_vec scale = v_load(args->scale + at), bias = v_load(args->bias + at),
                 gain = v_set(args->gain);
    for (size_t i = 0; i < 4 && t0 + d * i < args->T; i++) {
        const size_t t = t0 + d * i;
        if (args->shape.n_direct > 0)
            y[i] = v_add(y[i], v_load(m + (P + i) * TOOM_PRODUCTS));
        float *dst = (float *)args->dst + t * args->dst_stride + at;
        kk_vec z = v_fma(y[i], scale, bias);
        if (args->residual != NULL)
            z = v_add(z, v_load((const float *)args->residual + t * args->residual_stride + at));
        z = v_mul(z, gain);
        if (args->accumulate)
            z = v_add(z, v_load(dst));
        v_store(dst, z);
        *sum = v_add(*sum, z);
        *square = v_fma(z, z, *square);
    }
}

static void toom_store_rows(const kk_toom_args *args, const float *m, size_t first, size_t n_rows,
                            size_t o)
{
    for (size_t v = 0; v < args->panel; v += KK_LANES) {
        kk_vec sum = v_set(0.0f), square = v_set(0.0f);
        for (size_t r = 0; r < n_rows; r++)
            toom_finish(args, m + r * args->panel + v, first + r, o + v, &sum, &square);
        if (args->sums != NULL) {
            float *sums = args->sums + o + v, *squares = sums + args->sums_stride;
            v_store(sums, v_add(v_load(sums), sum));
            v_store(squares, v_add(v_load(squares), square));
        }
    }
}

static void toom_float(const kk_toom_args *args, kk_conv_kernel *conv_singles)
{
    float m[TOOM_SLOTS * TOOM_PRODUCTS];
    const kk_toom_shape *shape = &args->shape;
    const size_t C = args->C_in, d = args->dilation, P = shape->n_points, panel = args->panel;
    const size_t product_size = C * panel, n_products = kk_toom_products(shape);
    const size_t rows = TOOM_PRODUCTS / panel;
    kk_conv_args conv = {.dst_stride = panel,
                         .src_stride = C,
                         .tap_stride = d * C,
                         .scale = toom_ones,
                         .bias = toom_zeros,
                         .gain = 1.0f,
                         .C_in = C,
                         .C_out = panel};
    for (size_t o = 0; o < args->C_out; o += panel) {
        const float *weights = (const float *)args->weights + o / panel * n_products * product_size;
        for (size_t row = 0; row < args->n_rows; row += rows) {
            conv.T = args->n_rows - row < rows ? args->n_rows - row : rows;
            conv.K = shape->n_groups;
            for (size_t p = 0; p < P; p++) {
                conv.dst = m + p * TOOM_PRODUCTS;
                conv.src = (const float *)args->planes + p * args->plane_stride + row * C;
                conv.weights = weights + p * shape->n_groups * product_size;
                conv_singles(&conv);
            }
            conv.K = shape->n_direct;
            conv.weights = weights + P * shape->n_groups * product_size;
            for (size_t i = 0; shape->n_direct > 0 && i < 4; i++) {
                const size_t from = i + 3; /* tap 3 of output i; tap 7 lies one block on */
                conv.dst = m + (P + i) * TOOM_PRODUCTS;
                conv.src = (const float *)args->planes + (P + from % 4) * args->plane_stride +
                           (row + from / 4 * d) * C;
                conv_singles(&conv);
            }
            toom_store_rows(args, m, row, conv.T, o);
        }
    }
}

#endif
