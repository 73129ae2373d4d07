/*
 * elementwise_body.h - the element-wise kernels, written once over the vector type of a build
 * (vec_*.h) and compiled once an instruction set by the few lines of *\/elementwise_*.c.
 *
 * Polynomials: fitted in the minimax sense to the ranges named beside them; the error is that of
 * the polynomial in exact arithmetic.
 */
#ifndef KK_KERNELS_SIMD_ELEMENTWISE_BODY_H
#define KK_KERNELS_SIMD_ELEMENTWISE_BODY_H

/* sin(r) for |r| <= pi/2: r * p(r^2), 4.3e-9. */
static inline kk_vec sin_poly(kk_vec r)
{
    kk_vec u = v_mul(r, r);
    kk_vec p = v_fma(v_set(2.6050783e-6f), u, v_set(-1.9809012e-4f));
    p = v_fma(p, u, v_set(8.3330502e-3f));
    p = v_fma(p, u, v_set(-1.6666658e-1f));
    /* r + r * u * p keeps the leading term exact; the fit's constant is 1 - 4e-9. */
    return v_fma(v_mul(r, u), p, r);
}

/* x - n * pi for the nearest whole n; pi in three parts (Cody and Waite), products by fma. */
static inline kk_vec reduce_pi(kk_vec x, kk_vec *n)
{
    *n = v_round(v_mul(x, v_set(0.318309886f)));
    kk_vec r = v_fma(*n, v_set(-3.14159274f), x);
    r = v_fma(*n, v_set(8.74227766e-8f), r);
    return v_fma(*n, v_set(3.43020577e-15f), r);
}

static inline kk_vec sin_vec(kk_vec x)
{
    kk_vec n, r = reduce_pi(x, &n);
    return v_negate_odd(sin_poly(r), n);
}

/* exp(x): 2^n * p(r), |r| <= ln(2)/2, 2e-9; saturates at the ends of the normal range. */
static inline kk_vec exp_vec(kk_vec x)
{
    x = v_min(v_max(x, v_set(-87.0f)), v_set(88.0f));
    kk_vec n = v_round(v_mul(x, v_set(1.44269504f)));
    kk_vec r = v_fma(n, v_set(-0.693145752f), x);
    r = v_fma(n, v_set(-1.42860677e-6f), r);
    kk_vec p = v_fma(v_set(1.3957404e-3f), r, v_set(8.3759705e-3f));
    p = v_fma(p, r, v_set(4.1666060e-2f));
    p = v_fma(p, r, v_set(1.6666405e-1f));
    p = v_fma(p, r, v_set(0.5f));
    p = v_fma(v_mul(p, r), r, r);
    return v_scale2(v_add(p, v_set(1.0f)), n);
}

static inline kk_vec sigmoid_vec(kk_vec x)
{
    kk_vec one = v_set(1.0f);
    return v_div(one, v_add(one, exp_vec(v_sub(v_set(0.0f), x))));
}

/* tanh: near zero x + x^3 * (odd series of the quotient would lose digits in 1 - exp), else by exp.
 */
static inline kk_vec tanh_vec(kk_vec x)
{
    kk_vec a = v_abs(x), u = v_mul(x, x), one = v_set(1.0f);
    kk_vec p = v_fma(v_set(-5.70498872745e-3f), u, v_set(2.06390887954e-2f));
    p = v_fma(p, u, v_set(-5.37397155531e-2f));
    p = v_fma(p, u, v_set(1.33314422036e-1f));
    p = v_fma(p, u, v_set(-3.33332819422e-1f));
    kk_vec small = v_fma(v_mul(a, u), p, a);
    kk_vec e = exp_vec(v_mul(a, v_set(2.0f)));
    kk_vec large = v_sub(one, v_div(v_set(2.0f), v_add(e, one)));
    large = v_if_less(a, v_set(9.1f), large, one);
    return v_copysign(v_if_less(a, v_set(0.625f), small, large), x);
}

/* atan2 by t = min/max in [0, 1]: t * p(t^2), 2.1e-9, then unfolded. */
static inline kk_vec atan2_vec(kk_vec y, kk_vec x)
{
    kk_vec zero = v_set(0.0f), ax = v_abs(x), ay = v_abs(y);
    kk_vec high = v_max(ax, ay), low = v_min(ax, ay);
    kk_vec t = v_div(low, v_if_less(zero, high, high, v_set(1.0f)));
    kk_vec u = v_mul(t, t);
    kk_vec p = v_fma(v_set(-1.7872980e-3f), u, v_set(1.0876919e-2f));
    p = v_fma(p, u, v_set(-3.1085413e-2f));
    p = v_fma(p, u, v_set(5.7835585e-2f));
    p = v_fma(p, u, v_set(-8.3939894e-2f));
    p = v_fma(p, u, v_set(1.0947790e-1f));
    p = v_fma(p, u, v_set(-1.4263050e-1f));
    p = v_fma(p, u, v_set(1.9998375e-1f));
    p = v_fma(p, u, v_set(-3.3333288e-1f));
    kk_vec a = v_fma(v_mul(t, u), p, t);
    a = v_if_less(ax, ay, v_sub(v_set(1.57079633f), a), a);
    a = v_if_less(x, zero, v_sub(v_set(3.14159265f), a), a);
    return v_if_less(y, zero, v_sub(zero, a), a);
}

#define KK_MAP(name, call)                                                                         \
    static void name##_kernel(float *dst, const float *x, size_t n)                                \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + KK_LANES <= n; i += KK_LANES)                                                   \
            v_store(dst + i, call(v_load(x + i)));                                                 \
        if (i < n)                                                                                 \
            v_store_n(dst + i, call(v_load_n(x + i, n - i)), n - i);                               \
    }
KK_MAP(sin, sin_vec)
KK_MAP(exp, exp_vec)
KK_MAP(tanh, tanh_vec)
KK_MAP(sigmoid, sigmoid_vec)
#undef KK_MAP

static void atan2_kernel(float *dst, const float *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + KK_LANES <= n; i += KK_LANES)
        v_store(dst + i, atan2_vec(v_load(y + i), v_load(x + i)));
    if (i < n)
        v_store_n(dst + i, atan2_vec(v_load_n(y + i, n - i), v_load_n(x + i, n - i)), n - i);
}

static inline kk_vec gelu_vec(kk_vec x)
{
    /* x * sigmoid(2 z) is 0.5 x (1 + tanh(z)). */
    kk_vec z = v_fma(v_mul(v_set(0.044715f), v_mul(x, x)), x, x);
    return v_mul(x, sigmoid_vec(v_mul(v_set(1.59576912f), z)));
}

static void gelu_tanh_kernel(float *x, size_t n)
{
    size_t i = 0;
    for (; i + KK_LANES <= n; i += KK_LANES)
        v_store(x + i, gelu_vec(v_load(x + i)));
    if (i < n)
        v_store_n(x + i, gelu_vec(v_load_n(x + i, n - i)), n - i);
}

/* The activation of one vector of channels, of which the first `n` count. */
typedef struct channel_part {
    kk_vec scale, shift, alpha, inv_alpha, slope;
} channel_part;

static inline channel_part load_part(const kk_activation *act, size_t c, size_t n)
{
    channel_part part;
    part.scale = act->scale != NULL ? v_load_n(act->scale + c, n) : v_set(1.0f);
    part.shift = act->scale != NULL ? v_load_n(act->shift + c, n) : v_set(0.0f);
    part.alpha = act->kind == KK_SNAKE ? v_load_n(act->alpha + c, n) : v_set(0.0f);
    part.inv_alpha = act->kind == KK_SNAKE ? v_load_n(act->inv_alpha + c, n) : v_set(0.0f);
    part.slope = v_set(act->slope);
    return part;
}

static inline kk_vec activate_vec(kk_vec x, int kind, const channel_part *part)
{
    kk_vec y = v_fma(x, part->scale, part->shift);
    if (kind == KK_LEAKY)
        return v_if_less(y, v_set(0.0f), v_mul(y, part->slope), y);
    if (kind == KK_SNAKE) {
        kk_vec n, s = sin_poly(reduce_pi(v_mul(part->alpha, y), &n)); /* the square has no sign */
        return v_fma(v_mul(s, s), part->inv_alpha, y);
    }
    return y;
}

/* Element `at` of dst and the n - 1 behind it, as floats or rounded to bf16. */
static inline void store_as(void *dst, size_t at, int is_bf16, kk_vec x, size_t n)
{
    uint16_t *halves = (uint16_t *)dst + at;
    float *floats = (float *)dst + at;
    if (n == KK_LANES)
        is_bf16 ? v_store_bf16(halves, x) : v_store(floats, x);
    else
        is_bf16 ? v_store_bf16_n(halves, x, n) : v_store_n(floats, x, n);
}

/* Channels outside, rows inside: the parameters of a vector of channels stay in registers. */
static inline void activate_as(void *dst, size_t dst_stride, int is_bf16, const float *src,
                               size_t src_stride, size_t n_rows, size_t C, const kk_activation *act)
{
    for (size_t c = 0; c < C; c += KK_LANES) {
        size_t n = C - c < KK_LANES ? C - c : KK_LANES;
        const channel_part part = load_part(act, c, n);
        const float *from = src + c;
        for (size_t t = 0; t < n_rows; t++, from += src_stride) {
            kk_vec x = n == KK_LANES ? v_load(from) : v_load_n(from, n);
            store_as(dst, t * dst_stride + c, is_bf16, activate_vec(x, act->kind, &part), n);
        }
    }
}

static void activate_kernel(float *dst, size_t dst_stride, const float *src, size_t src_stride,
                            size_t n_rows, size_t C, const kk_activation *act)
{
    activate_as(dst, dst_stride, 0, src, src_stride, n_rows, C, act);
}

static void activate_bf16_kernel(uint16_t *dst, size_t dst_stride, const float *src,
                                 size_t src_stride, size_t n_rows, size_t C,
                                 const kk_activation *act)
{
    activate_as(dst, dst_stride, 1, src, src_stride, n_rows, C, act);
}

static void column_sums_kernel(float *sums, size_t sums_stride, const float *src, size_t src_stride,
                               size_t n_rows, size_t C)
{
    for (size_t c = 0; c < C; c += KK_LANES) {
        size_t n = C - c < KK_LANES ? C - c : KK_LANES;
        kk_vec sum = v_load_n(sums + c, n), square = v_load_n(sums + sums_stride + c, n);
        for (size_t t = 0; t < n_rows; t++) {
            kk_vec x = v_load_n(src + t * src_stride + c, n);
            sum = v_add(sum, x);
            square = v_fma(x, x, square);
        }
        v_store_n(sums + c, sum, n);
        v_store_n(sums + sums_stride + c, square, n);
    }
}

/* One row of layer_norm in two passes: the mean, then the mean square of the distances from it. */
static void layer_norm_row(float *dst, const float *a, const float *b, const float *gain,
                           const float *shift, float eps, size_t C)
{
    kk_vec sum = v_set(0.0f);
    for (size_t c = 0; c < C; c += KK_LANES) {
        size_t n = C - c < KK_LANES ? C - c : KK_LANES;
        kk_vec x = v_load_n(a + c, n);
        if (b != NULL)
            x = v_add(x, v_load_n(b + c, n));
        sum = v_add(sum, x);
    }
    const float mean = v_sum(sum) / (float)C;
    float square = 0.0f;
    kk_vec squares = v_set(0.0f);
    for (size_t c = 0; c < C; c += KK_LANES) {
        size_t n = C - c < KK_LANES ? C - c : KK_LANES;
        kk_vec x = v_load_n(a + c, n);
        if (b != NULL)
            x = v_add(x, v_load_n(b + c, n));
        x = v_sub(x, v_set(mean));
        if (n == KK_LANES)
            squares = v_fma(x, x, squares);
        else {
            float rest[KK_LANES];
            v_store_n(rest, x, n);
            for (size_t i = 0; i < n; i++)
                square += rest[i] * rest[i];
        }
    }
    const float variance = (v_sum(squares) + square) / (float)C;
    const kk_vec inverse = v_set(1.0f / sqrtf(variance + eps));
    for (size_t c = 0; c < C; c += KK_LANES) {
        size_t n = C - c < KK_LANES ? C - c : KK_LANES;
        kk_vec x = v_load_n(a + c, n);
        if (b != NULL)
            x = v_add(x, v_load_n(b + c, n));
        x = v_mul(v_sub(x, v_set(mean)), inverse);
        v_store_n(dst + c, v_fma(x, v_load_n(gain + c, n), v_load_n(shift + c, n)), n);
    }
}

static void layer_norm_kernel(float *dst, const float *a, const float *b, const float *gain,
                              const float *shift, float eps, size_t n_rows, size_t C)
{
    for (size_t t = 0; t < n_rows; t++)
        layer_norm_row(dst + t * C, a + t * C, b != NULL ? b + t * C : NULL, gain, shift, eps, C);
}

static void softmax_kernel(float *x, size_t stride, size_t n_rows, size_t n)
{
    for (size_t t = 0; t < n_rows; t++, x += stride) {
        float largest = x[0];
        size_t i = 0;
        if (n >= KK_LANES) {
            kk_vec top = v_load(x);
            for (i = KK_LANES; i + KK_LANES <= n; i += KK_LANES)
                top = v_max(top, v_load(x + i));
            largest = v_largest(top);
        }
        for (; i < n; i++)
            largest = x[i] > largest ? x[i] : largest;
        kk_vec sum = v_set(0.0f);
        float rest = 0.0f;
        for (i = 0; i + KK_LANES <= n; i += KK_LANES) {
            kk_vec e = exp_vec(v_sub(v_load(x + i), v_set(largest)));
            sum = v_add(sum, e);
            v_store(x + i, e);
        }
        if (i < n) {
            v_store_n(x + i, exp_vec(v_sub(v_load_n(x + i, n - i), v_set(largest))), n - i);
            for (; i < n; i++)
                rest += x[i];
        }
        const float inverse = 1.0f / (v_sum(sum) + rest);
        for (i = 0; i < n; i += KK_LANES) {
            size_t m = n - i < KK_LANES ? n - i : KK_LANES;
            v_store_n(x + i, v_mul(v_load_n(x + i, m), v_set(inverse)), m);
        }
    }
}

/* c = f * c + i * g, h = o * tanh(c); gates [4H] in the order i, o, f, c before their functions. */
static void lstm_cell(float *h, float *c, const float *gates, size_t H)
{
    for (size_t j = 0; j < H; j += KK_LANES) {
        kk_vec i = sigmoid_vec(v_load(gates + j)), o = sigmoid_vec(v_load(gates + H + j)),
               f = sigmoid_vec(v_load(gates + 2 * H + j)), g = tanh_vec(v_load(gates + 3 * H + j));
        kk_vec cell = v_fma(f, v_load(c + j), v_mul(i, g));
        v_store(c + j, cell);
        v_store(h + j, v_mul(o, tanh_vec(cell)));
    }
}

#endif
