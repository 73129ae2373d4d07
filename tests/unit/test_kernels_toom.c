/*
 * test_kernels_toom.c - convolution with fewer multiplications (kernels/toom.h), of every table
 * that this CPU runs. First that the three transforms belong together: with small whole numbers,
 * whose transforms are exact, they give the direct convolution to the last digits of a double. Then
 * each kernel alone against double precision. Buffers end at an unmapped page.
 */
#define _GNU_SOURCE
#include "kernel_check.h"
#include "kernels/toom.h"

enum { SLOTS = KK_TOOM_MAX_POINTS + 4 };
enum { AT_SRC, AT_PLANES, AT_WEIGHTS, AT_SCALE, AT_BIAS, AT_RESIDUAL, AT_DST, AT_SUMS, AT_ALPHA };

static const double POINTS[] = {0.0, 1.0, -1.0, 2.0, -0.5, -2.0}; /* and infinity, the last */
static const size_t WIDTHS[] = {3, 7, 11};

/* A^T: the product of point p of n in output i. */
static double back(size_t i, size_t p, size_t n)
{
    return p + 1 == n ? (double)(i == 3) : pow(POINTS[p], (double)i);
}

/* Whether planes and weights are floats in the case at hand. */
static int in_float;

static size_t element(void)
{
    return in_float ? sizeof(float) : sizeof(uint16_t);
}

static float element_at(const void *p, size_t i)
{
    return in_float ? ((const float *)p)[i] : kk_float_from_bf16(((const uint16_t *)p)[i]);
}

/* The types that a table's products take; plain C takes both. */
static int takes(const kk_kernels *table, int is_float)
{
    return table->toom == KK_TOOM_NONE || (table->toom == KK_TOOM_FLOAT) == is_float;
}

static float plane_value(const kk_toom_input *in, size_t plane, size_t row, size_t c)
{
    return element_at(in->planes, plane * in->plane_stride + row * in->C + c);
}

static size_t n_planes(const kk_toom_shape *shape)
{
    return shape->n_points + (shape->n_direct > 0 ? 4 : 0);
}

/* An input of T outputs and its planes, both at the edge. Values as in `fill`. */
static kk_toom_input make_input(size_t K, size_t points, size_t T, size_t C, size_t dilation,
                                size_t n_before, int src_is_bf16, float (*fill)(void))
{
    const size_t d = dilation, n_blocks = (T + 4 * d - 1) / (4 * d);
    kk_toom_input in = {.shape = kk_toom_cut(K, points), .C = C, .dilation = d};
    in.n_rows = (n_blocks + in.shape.n_groups - 1) * d;
    in.plane_stride = in.n_rows * C;
    in.planes = edge_take(AT_PLANES, n_planes(&in.shape) * in.plane_stride * element());
    in.is_float = in_float;
    in.n_before = n_before;
    in.n_inside = T + (K - 1) * d - 2 * n_before;
    in.src_stride = C + 16;
    const size_t n = (in.n_inside - 1) * in.src_stride + C;
    in.src_is_bf16 = src_is_bf16;
    if (src_is_bf16) {
        uint16_t *src = edge_take(AT_SRC, n * sizeof(*src));
        for (size_t i = 0; i < n; i++)
            src[i] = kk_bf16_from_float(fill());
        in.src = src;
    } else {
        float *src = edge_floats(AT_SRC, n);
        for (size_t i = 0; i < n; i++)
            src[i] = fill();
        in.src = src;
    }
    return in;
}

/* Sample t of the padded input, before its activation. */
static double sample(const kk_toom_input *in, size_t t, size_t c, int *is_inside)
{
    *is_inside = t >= in->n_before && t - in->n_before < in->n_inside;
    if (!*is_inside)
        return 0.0;
    const size_t at = (t - in->n_before) * in->src_stride + c;
    return in->src_is_bf16 ? (double)kk_float_from_bf16(((const uint16_t *)in->src)[at])
                           : (double)((const float *)in->src)[at];
}

static float minus_one_to_one(void)
{
    const float x = any_number() * 1.5f;
    return x < -0.5f ? -1.0f : (x > 0.5f ? 1.0f : 0.0f);
}

/* Output t of channel c alone, by the planes and by the taps. */
static double transforms_error(const kk_toom_input *in, const double *w, size_t K, size_t t,
                               size_t c)
{
    double g[KK_TOOM_MAX_PRODUCTS], direct = 0.0, fast = 0.0;
    const size_t d = in->dilation, P = in->shape.n_points;
    const size_t row = t / (4 * d) * d + t % d, i = t / d % 4;
    kk_toom_weights(g, w, K, &in->shape);
    for (size_t p = 0; p < P; p++) {
        for (size_t group = 0; group < in->shape.n_groups; group++)
            fast += back(i, p, P) * g[p * in->shape.n_groups + group] *
                    (double)plane_value(in, p, row + group * d, c);
    }
    for (size_t n = 0; n < in->shape.n_direct; n++) { /* taps 3 and 7 */
        const size_t from = i + 3 + 4 * n;
        fast += g[P * in->shape.n_groups + n] *
                (double)plane_value(in, P + from % 4, row + from / 4 * d, c);
    }
    for (size_t k = 0; k < K; k++) {
        int is_inside;
        direct += w[k] * sample(in, t + k * d, c, &is_inside);
    }
    return fabs(fast - direct);
}

TEST(transforms_belong_together)
{
    FOR_EACH_TABLE(table)
    {
        in_float = table->toom == KK_TOOM_FLOAT;
        double largest = 0.0, w[KK_TOOM_MAX_WIDTH];
        for (size_t i = 0; i < 3 * 2 * 3; i++) {
            const size_t K = WIDTHS[i % 3], points = 6 + i / 3 % 2, d = 1 + 2 * (i / 6), T = 50;
            kk_toom_input in =
                make_input(K, points, T, 32, d, (K - 1) / 2 * d, 0, minus_one_to_one);
            table->toom_input(&in);
            for (size_t k = 0; k < K; k++)
                w[k] = (double)any_number();
            for (size_t t = 0; t < T; t++) {
                for (size_t c = 0; c < in.C; c++)
                    keep_largest(&largest, transforms_error(&in, w, K, t, c));
            }
            CHECK(edge_is_whole(AT_PLANES));
        }
        /* Derived: some 30 terms of at most 16 (of B^T x) times 16 (A^T, G), rounded as doubles. */
        CHECK_ERROR(table, "toom, transforms", largest, 30.0 * 256.0 * 0x1p-53);
    }
}

TEST(widths_are_cut)
{
    for (size_t K = 0; K < 14; K++) {
        const kk_toom_shape six = kk_toom_cut(K, 6), seven = kk_toom_cut(K, 7);
        const int is_known = K == 3 || K == 7 || K == 11;
        CHECK((six.n_groups > 0) == is_known && (seven.n_groups > 0) == is_known);
        /* Every tap is in a group of three or multiplied directly; groups of four hold all. */
        CHECK(!is_known || six.n_groups * 3 + six.n_direct == K);
        CHECK(!is_known || K == 3 || (seven.n_groups * 4 >= K && seven.n_direct == 0));
        CHECK(kk_toom_products(&six) <= KK_TOOM_MAX_PRODUCTS);
        CHECK(kk_toom_products(&seven) <= KK_TOOM_MAX_PRODUCTS);
    }
}

/* B^T by what the kernel makes of unit impulses; rows that the direct planes add are the sample. */
static void measure_transform(const kk_kernels *table, size_t K, size_t points,
                              double b[SLOTS][KK_TOOM_MAX_POINTS])
{
    float impulse[16 * KK_TOOM_MAX_POINTS];
    float planes[SLOTS * 16]; /* or as many bf16 */
    for (size_t at = 0; at < KK_TOOM_MAX_POINTS; at++) {
        memset(impulse, 0, sizeof(impulse));
        impulse[16 * at] = 1.0f;
        kk_toom_input in = {.planes = planes,
                            .is_float = in_float,
                            .src = impulse,
                            .src_stride = 16,
                            .n_inside = KK_TOOM_MAX_POINTS,
                            .n_rows = 1,
                            .plane_stride = 16,
                            .C = 16,
                            .dilation = 1,
                            .shape = kk_toom_cut(K, points)};
        table->toom_input(&in);
        for (size_t p = 0; p < n_planes(&in.shape); p++)
            b[p][at] = (double)plane_value(&in, p, 0, 0);
    }
}

static float any_of_three(void)
{
    return any_number() * 3.0f;
}

/* A rounding to bf16, and seven roundings as floats of the terms and of the activation. */
static size_t wrong_planes(const kk_toom_input *in, double b[SLOTS][KK_TOOM_MAX_POINTS])
{
    size_t n_wrong = 0;
    const size_t d = in->dilation;
    const kk_activation *act = &in->activation;
    for (size_t row = 0; row < in->n_rows; row++) {
        for (size_t at = 0; at < n_planes(&in->shape) * in->C; at++) {
            const size_t p = at / in->C, c = at % in->C;
            double want = 0.0, size = 0.0;
            for (size_t i = 0; i < in->shape.n_points || i < 4; i++) {
                int is_inside;
                double x = sample(in, row / d * 4 * d + row % d + i * d, c, &is_inside);
                double terms = fabs(x);
                if (is_inside && act->scale != NULL) {
                    terms = fabs(x * (double)act->scale[c]) + fabs((double)act->shift[c]);
                    x = x * (double)act->scale[c] + (double)act->shift[c];
                }
                if (is_inside && act->kind == KK_SNAKE) {
                    const double s = sin((double)act->alpha[c] * x);
                    x += s * s * (double)act->inv_alpha[c];
                    terms += (double)act->inv_alpha[c];
                }
                want += b[p][i] * x;
                size += fabs(b[p][i]) * terms;
            }
            const double limit = (in_float ? 0.0 : 0x1p-8) * fabs(want) + 12.0 * HALF_ULP * size;
            n_wrong += !(fabs((double)plane_value(in, p, row, c) - want) <= limit);
        }
    }
    return n_wrong;
}

TEST(planes_of_the_input)
{
    FOR_EACH_TABLE(table)
    {
        for (size_t i = 0; i < 3 * 2 * 3 * 4; i++) {
            in_float = i / 3 % 4 == 1;
            const size_t K = WIDTHS[i % 3], points = 6 + i / 3 % 2, d = 1 + 2 * (i / 6 % 3);
            double b[SLOTS][KK_TOOM_MAX_POINTS];
            memset(b, 0, sizeof(b));
            measure_transform(table, K, points, b);
            kk_toom_input in = make_input(K, points, 7 + i, 16 + 16 * (i % 4), d,
                                          i % 2 * (K - 1) / 2 * d, i / 18 % 2, any_of_three);
            float *scale = edge_floats(AT_SCALE, in.C), *shift = edge_floats(AT_BIAS, in.C);
            float *alpha = edge_floats(AT_ALPHA, 2 * in.C);
            fill_any(scale, in.C, 2.0f);
            fill_any(shift, in.C, 2.0f);
            for (size_t c = 0; c < in.C; c++) {
                alpha[c] = 1.5f + any_number();
                alpha[in.C + c] = 1.0f / alpha[c];
            }
            if (i / 36 == 1)
                in.activation = (kk_activation){.kind = KK_SNAKE,
                                                .scale = scale,
                                                .shift = shift,
                                                .alpha = alpha,
                                                .inv_alpha = alpha + in.C};
            table->toom_input(&in);
            CHECK_INT(wrong_planes(&in, b), 0);
            CHECK(edge_is_whole(AT_PLANES));
        }
    }
}

typedef struct toom_case {
    size_t K, points, T, C_in, C_out, dilation;
    int dst_is_bf16, residual_is_bf16, has_residual, accumulate, with_sums;
    float gain;
} toom_case;

static uint16_t *edge_bf16(size_t slot, size_t n, float size)
{
    uint16_t *p = edge_take(slot, n * sizeof(*p));
    for (size_t i = 0; i < n; i++)
        p[i] = kk_bf16_from_float(any_number() * size);
    return p;
}

static void *edge_values(size_t slot, size_t n, int is_bf16)
{
    if (is_bf16)
        return edge_bf16(slot, n, 1.0f);
    float *p = edge_floats(slot, n);
    fill_any(p, n, 1.0f);
    return p;
}

static double value_at(const void *p, int is_bf16, size_t i)
{
    return is_bf16 ? (double)kk_float_from_bf16(((const uint16_t *)p)[i])
                   : (double)((const float *)p)[i];
}

static kk_toom_args make_args(const kk_kernels *table, const toom_case *c)
{
    const size_t d = c->dilation;
    kk_toom_args a = {.shape = kk_toom_cut(c->K, c->points)};
    a.n_rows = (c->T + 4 * d - 1) / (4 * d) * d;
    a.plane_stride = (a.n_rows + (a.shape.n_groups - 1) * d) * c->C_in;
    a.is_float = in_float;
    a.planes = edge_values(AT_PLANES, n_planes(&a.shape) * a.plane_stride, !in_float);
    a.weights = edge_values(AT_WEIGHTS, kk_toom_products(&a.shape) * c->C_in * c->C_out, !in_float);
    a.scale = edge_values(AT_SCALE, c->C_out, 0);
    a.bias = edge_values(AT_BIAS, c->C_out, 0);
    a.dst_stride = a.residual_stride = c->C_out + 16;
    const size_t n = (c->T - 1) * a.dst_stride + c->C_out;
    a.dst = edge_values(AT_DST, n, c->dst_is_bf16);
    a.dst_is_bf16 = c->dst_is_bf16;
    a.residual = c->has_residual ? edge_values(AT_RESIDUAL, n, c->residual_is_bf16) : NULL;
    a.residual_is_bf16 = c->residual_is_bf16;
    a.sums = c->with_sums ? edge_floats(AT_SUMS, 2 * c->C_out) : NULL;
    if (a.sums != NULL)
        fill_any(a.sums, 2 * c->C_out, 1.0f);
    a.sums_stride = c->C_out;
    a.gain = c->gain;
    a.accumulate = c->accumulate;
    a.T = c->T;
    a.C_in = c->C_in;
    a.C_out = c->C_out;
    a.dilation = d;
    a.panel = table->panel;
    return a;
}

/* sum over K rows of a plane, d apart, and all inputs, times products from `first` on. The sum of
 * the sizes goes to *size. */
static double product(const kk_toom_args *a, size_t plane, size_t row, size_t K, size_t first,
                      size_t o, double *size)
{
    const size_t n_pairs = a->C_in / 2, panel = a->panel;
    double sum = 0.0;
    for (size_t k = 0; k < K; k++) {
        const size_t x = plane * a->plane_stride + (row + k * a->dilation) * a->C_in;
        const size_t products = o / panel * kk_toom_products(&a->shape) + first + k;
        for (size_t i = 0; i < a->C_in; i++) {
            const size_t pair = (products * n_pairs + i / 2) * panel * 2 + o % panel * 2 + i % 2,
                         single = (products * a->C_in + i) * panel + o % panel;
            const double term = (double)element_at(a->planes, x + i) *
                                (double)element_at(a->weights, in_float ? single : pair);
            sum += term;
            *size += fabs(term);
        }
    }
    return sum;
}

/* Output t, o before the way out; in *size the sizes of its terms. */
static double want_sum(const kk_toom_args *a, size_t t, size_t o, double *size)
{
    const size_t d = a->dilation, P = a->shape.n_points, groups = a->shape.n_groups;
    const size_t row = t / (4 * d) * d + t % d, i = t / d % 4, from = i + 3;
    double sum = 0.0;
    *size = 0.0;
    for (size_t p = 0; p < P; p++) {
        double terms = 0.0;
        sum += back(i, p, P) * product(a, p, row, groups, p * groups, o, &terms);
        *size += fabs(back(i, p, P)) * terms;
    }
    if (a->shape.n_direct > 0)
        sum += product(a, P + from % 4, row + from / 4 * d, a->shape.n_direct, P * groups, o, size);
    return sum;
}

/* As in test_kernels_conv.c: n roundings of a sum of n products, eight of the transform, four of
 * the way out; and one to bf16. */
static void check_toom(const kk_kernels *table, const toom_case *c)
{
    static unsigned char before[1 << 18];
    static float sums_before[2 * 1024];
    const kk_toom_args a = make_args(table, c);
    size_t n_wrong = 0;
    memcpy(before, a.dst, edges[AT_DST].size);
    if (a.sums != NULL)
        memcpy(sums_before, a.sums, 2 * c->C_out * sizeof(float));
    table->conv_toom(&a);
    const double n = (double)((a.shape.n_groups + a.shape.n_direct) * c->C_in) + 8.0;
    for (size_t o = 0; o < c->C_out; o++) {
        double total = 0.0, squares = 0.0, slack = 0.0, square_slack = 0.0;
        for (size_t t = 0; t < c->T; t++) {
            const size_t at = t * a.dst_stride + o;
            double size, sum = want_sum(&a, t, o, &size), y, limit;
            const double scale = (double)a.scale[o], gain = (double)a.gain;
            const double residual =
                a.residual != NULL ? value_at(a.residual, a.residual_is_bf16, at) : 0.0;
            const double old = a.accumulate ? value_at(before, a.dst_is_bf16, at) : 0.0;
            y = gain * (scale * sum + (double)a.bias[o] + residual) + old;
            limit = HALF_ULP *
                    (fabs(gain * scale) * (n + 4.0) * size +
                     4.0 * (fabs(gain) * (fabs((double)a.bias[o]) + fabs(residual)) + fabs(old)));
            total += y;
            squares += y * y;
            slack += limit + HALF_ULP * (double)(c->T + 1) * fabs(y);
            square_slack +=
                2.0 * fabs(y) * limit + limit * limit + HALF_ULP * (double)(c->T + 1) * y * y;
            limit += a.dst_is_bf16 ? 0x1p-8 * (fabs(y) + limit) : 0.0;
            n_wrong += !(fabs(value_at(a.dst, a.dst_is_bf16, at) - y) <= limit);
        }
        if (a.sums != NULL) {
            const double first = (double)sums_before[o], second = (double)sums_before[c->C_out + o];
            n_wrong += !(fabs((double)a.sums[o] - first - total) <= slack + 1e-6);
            n_wrong +=
                !(fabs((double)a.sums[c->C_out + o] - second - squares) <= square_slack + 1e-6);
        }
    }
    for (size_t at = 0; at < edges[AT_DST].size / (a.dst_is_bf16 ? 2 : 4); at++) {
        if (at % a.dst_stride >= c->C_out)
            n_wrong += value_at(a.dst, a.dst_is_bf16, at) != value_at(before, a.dst_is_bf16, at);
    }
    if (n_wrong > 0)
        printf("  %s: K %zu points %zu T %zu C_in %zu C_out %zu dilation %zu: %zu wrong\n",
               table->name, c->K, c->points, c->T, c->C_in, c->C_out, c->dilation, n_wrong);
    CHECK_INT(n_wrong, 0);
    CHECK(edge_is_whole(AT_DST));
}

TEST(products_and_the_way_back)
{
    FOR_EACH_TABLE(table)
    {
        for (size_t i = 0; i < 3 * 2 * 3 * 16; i++) {
            in_float = i % 2 == 1;
            if (!takes(table, in_float))
                continue;
            toom_case c = {.K = WIDTHS[i / 2 % 3],
                           .points = 6 + i / 6 % 2,
                           .dilation = 1 + 2 * (i / 12 % 3),
                           .T = 1 + i * 7 % 121,
                           .C_in = 16 + 16 * (i / 2 % 2),
                           .C_out = table->panel * (1 + i % 5 / 4),
                           .has_residual = i % 7 < 4,
                           .residual_is_bf16 = !in_float && i % 7 < 2,
                           .dst_is_bf16 = !in_float && i % 8 == 2,
                           .with_sums = i % 3 != 1,
                           .gain = i % 5 == 2 ? -0.7f : 1.0f};
            c.accumulate = !c.dst_is_bf16 && i % 8 < 3;
            check_toom(table, &c);
        }
    }
}

TEST_MAIN(T(widths_are_cut), T(transforms_belong_together), T(planes_of_the_input),
          T(products_and_the_way_back))
