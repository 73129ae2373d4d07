/*
 * test_kernels_conv.c - the convolutions of every table that this CPU runs, against double
 * precision. Every buffer ends at an unmapped page, and gaps between rows keep what they held.
 *
 * The bound: a sum of n products in any order, rounded n times, is off by at most
 * n 2^-24 sum |x w| (Higham 2002, 3.1; second-order terms covered by two more), and each step of
 * the way out by 2^-24 of its terms. An instruction that takes denormals for zero adds at most
 * 2^-126 (1 + |x| + |w|) a product.
 */
#define _GNU_SOURCE
#include "kernel_check.h"

enum conv_kind { BF16, PAIRS, SINGLES };
static const char *const kind_names[] = {"conv_bf16", "conv_pairs", "conv_singles"};

typedef struct conv_case {
    enum conv_kind kind;
    size_t T, K, C_in, C_out, dilation, stride; /* stride: rows of src a row of dst */
    int residual;                               /* 0: none; 1: of its own; 2: dst itself */
    unsigned residual_shift;
    float gain;
    int accumulate, with_sums;
    size_t gap; /* between the rows of dst and of the residual */
    float size; /* of the inputs */
} conv_case;

/* Slots of the buffers. */
enum { AT_SRC, AT_WEIGHTS, AT_SCALE, AT_BIAS, AT_RESIDUAL, AT_DST, AT_SUMS };

/* A case with its buffers. Plain numbers for the test: src and weights as floats. */
typedef struct conv_data {
    const kk_kernels *table;
    kk_conv_args args;
    size_t n_src, n_padded, n_dst;
    float *x;      /* [n_src] */
    float *w;      /* [C_out][K][C_in] */
    float *before; /* [n_dst]: dst as it was */
    float *sums_before;
} conv_data;

static float as_bf16(float x)
{
    return kk_float_from_bf16(kk_bf16_from_float(x));
}

static float *new_floats(size_t n)
{
    float *p = malloc((n + 1) * sizeof(float));
    if (p == NULL)
        exit(2);
    return p;
}

static void make_src(conv_data *d, const conv_case *c)
{
    const size_t row = c->kind == SINGLES ? c->C_in : (c->C_in + 1) / 2 * 2;
    d->args.src_stride = c->stride * row;
    d->args.tap_stride = c->dilation * row;
    d->n_src = (c->T - 1) * d->args.src_stride + (c->K - 1) * d->args.tap_stride + row;
    d->x = new_floats(d->n_src);
    fill_any(d->x, d->n_src, c->size);
    for (size_t i = 0; i < d->n_src && c->kind == BF16; i++)
        d->x[i] = as_bf16(d->x[i]);
    if (c->kind == BF16) {
        uint16_t *src = edge_take(AT_SRC, d->n_src * sizeof(*src));
        for (size_t i = 0; i < d->n_src; i++)
            src[i] = kk_bf16_from_float(d->x[i]);
        d->args.src = src;
    } else
        d->args.src = edge_copy(AT_SRC, d->x, d->n_src);
}

/* Panels as kernels.h lays them out: [C_out / panel][K][C_in / step][panel][step]. */
static void make_weights(conv_data *d, const conv_case *c)
{
    const size_t panel = d->table->panel, step = c->kind == SINGLES ? 1 : 2;
    const size_t n_steps = (c->C_in + step - 1) / step;
    const size_t n_panels = (c->C_out + panel - 1) / panel;
    const size_t n = n_panels * c->K * n_steps * panel * step;
    d->n_padded = n_panels * panel;
    d->w = new_floats(c->C_out * c->K * c->C_in);
    fill_any(d->w, c->C_out * c->K * c->C_in, 1.0f);
    float *singles = c->kind == SINGLES ? edge_floats(AT_WEIGHTS, n) : NULL;
    uint16_t *pairs = c->kind != SINGLES ? edge_take(AT_WEIGHTS, n * sizeof(*pairs)) : NULL;
    memset(singles != NULL ? (void *)singles : (void *)pairs, 0, edges[AT_WEIGHTS].size);
    for (size_t o = 0; o < c->C_out; o++) {
        for (size_t k = 0; k < c->K; k++) {
            for (size_t i = 0; i < c->C_in; i++) {
                float *w = &d->w[(o * c->K + k) * c->C_in + i];
                const size_t at =
                    (((o / panel * c->K + k) * n_steps + i / step) * panel + o % panel) * step +
                    i % step;
                if (singles != NULL)
                    singles[at] = *w;
                else {
                    *w = as_bf16(*w);
                    pairs[at] = kk_bf16_from_float(*w);
                }
            }
        }
    }
    d->args.weights = singles != NULL ? (const void *)singles : (const void *)pairs;
}

static void make_rest(conv_data *d, const conv_case *c)
{
    kk_conv_args *a = &d->args;
    float *scale = edge_floats(AT_SCALE, d->n_padded), *bias = edge_floats(AT_BIAS, d->n_padded);
    fill_any(scale, d->n_padded, 1.0f);
    fill_any(bias, d->n_padded, c->size);
    a->scale = scale;
    a->bias = bias;
    a->dst_stride = a->residual_stride = c->C_out + c->gap;
    d->n_dst = (c->T - 1) * a->dst_stride + c->C_out;
    a->dst = edge_floats(AT_DST, d->n_dst);
    fill_any(a->dst, d->n_dst, 1.0f);
    d->before = new_floats(d->n_dst);
    memcpy(d->before, a->dst, d->n_dst * sizeof(float));
    a->residual_shift = c->residual_shift;
    if (c->residual == 1) {
        const size_t n = ((c->T - 1) >> c->residual_shift) * a->residual_stride + c->C_out;
        float *residual = edge_floats(AT_RESIDUAL, n);
        fill_any(residual, n, 1.0f);
        a->residual = residual;
    } else if (c->residual == 2)
        a->residual = a->dst;
    a->gain = c->gain;
    a->accumulate = c->accumulate;
    a->sums_stride = d->n_padded;
    d->sums_before = new_floats(2 * d->n_padded);
    fill_any(d->sums_before, 2 * d->n_padded, 1.0f);
    a->sums = c->with_sums ? edge_copy(AT_SUMS, d->sums_before, 2 * d->n_padded) : NULL;
    a->T = c->T;
    a->K = c->K;
    a->C_in = c->C_in;
    a->C_out = c->C_out;
}

static conv_data make_conv(const kk_kernels *table, const conv_case *c)
{
    conv_data d = {.table = table};
    make_src(&d, c);
    make_weights(&d, c);
    make_rest(&d, c);
    return d;
}

static void free_conv(conv_data *d)
{
    free(d->x);
    free(d->w);
    free(d->before);
    free(d->sums_before);
}

static kk_conv_kernel *kernel_of(const kk_kernels *table, enum conv_kind kind)
{
    return kind == BF16 ? table->conv_bf16
                        : (kind == PAIRS ? table->conv_pairs : table->conv_singles);
}

/* One output in double precision, and how far a correct kernel may be off. */
static double want_output(const conv_data *d, const conv_case *c, size_t t, size_t o, double *limit)
{
    double sum = 0.0, size = 0.0, residual = 0.0, flushed = 0.0;
    for (size_t k = 0; k < c->K; k++) {
        const float *x = d->x + t * d->args.src_stride + k * d->args.tap_stride;
        const float *w = d->w + (o * c->K + k) * c->C_in;
        for (size_t i = 0; i < c->C_in; i++) {
            const double product = (double)x[i] * (double)w[i];
            sum += product;
            size += fabs(product);
            flushed += 0x1p-126 * (1.0 + fabs((double)x[i]) + fabs((double)w[i]));
        }
    }
    const double scale = (double)d->args.scale[o], bias = (double)d->args.bias[o];
    const double gain = (double)c->gain, before = (double)d->before[t * d->args.dst_stride + o];
    if (c->residual == 1)
        residual = (double)d->args.residual[(t >> c->residual_shift) * d->args.residual_stride + o];
    else if (c->residual == 2)
        residual = before;
    const double old = c->accumulate ? before : 0.0;
    const double n = (double)(c->K * c->C_in);
    *limit =
        HALF_ULP *
            (fabs(gain * scale) * (n + 2.0) * size +
             4.0 * (fabs(gain) * (fabs(scale) * size + fabs(bias) + fabs(residual)) + fabs(old))) +
        fabs(gain * scale) * flushed;
    return gain * (scale * sum + bias + residual) + old;
}

static size_t wrong_outputs(const conv_data *d, const conv_case *c)
{
    size_t n_wrong = 0;
    for (size_t at = 0; at < d->n_dst; at++) {
        const size_t t = at / d->args.dst_stride, o = at % d->args.dst_stride;
        if (o >= c->C_out) {
            n_wrong += memcmp(&d->args.dst[at], &d->before[at], sizeof(float)) != 0;
            continue;
        }
        double limit, want = want_output(d, c, t, o, &limit);
        n_wrong += !(fabs((double)d->args.dst[at] - want) <= limit);
    }
    return n_wrong;
}

/* Sums of what the kernel wrote: T roundings of each, and what was there before. */
static size_t wrong_sums(const conv_data *d, const conv_case *c)
{
    size_t n_wrong = 0;
    for (size_t o = 0; o < c->C_out && c->with_sums; o++) {
        for (size_t row = 0; row < 2; row++) {
            const size_t at = row * d->args.sums_stride + o;
            double want = (double)d->sums_before[at], size = fabs(want);
            for (size_t t = 0; t < c->T; t++) {
                double y = (double)d->args.dst[t * d->args.dst_stride + o];
                want += row == 0 ? y : y * y;
                size += row == 0 ? fabs(y) : y * y;
            }
            const double limit = HALF_ULP * (double)(c->T + 4) * size;
            n_wrong += !(fabs((double)d->args.sums[at] - want) <= limit);
        }
    }
    return n_wrong;
}

/* The same numbers again, and the same from one row and one panel at a time: the result does not
 * depend on how the caller cuts the work. */
static bool same_in_parts(const conv_data *d, const conv_case *c)
{
    kk_conv_args part = d->args;
    const size_t panel = d->table->panel, elem = c->kind == BF16 ? 2 : 4;
    const size_t step = c->kind == SINGLES ? 1 : 2, weight = c->kind == SINGLES ? 4 : 2;
    const size_t panel_bytes = panel * c->K * ((c->C_in + step - 1) / step * step) * weight;
    float *whole = new_floats(d->n_dst);
    memcpy(whole, d->args.dst, d->n_dst * sizeof(float));
    memcpy(d->args.dst, d->before, d->n_dst * sizeof(float));
    part.T = 1;
    part.sums = NULL;
    part.residual_shift = 0;
    for (size_t t = 0; t < c->T; t++) {
        for (size_t o = 0; o < c->C_out; o += panel) {
            part.dst = d->args.dst + t * part.dst_stride + o;
            part.src = (const char *)d->args.src + t * part.src_stride * elem;
            part.weights = (const char *)d->args.weights + o / panel * panel_bytes;
            part.scale = d->args.scale + o;
            part.bias = d->args.bias + o;
            if (d->args.residual != NULL)
                part.residual =
                    d->args.residual + (t >> d->args.residual_shift) * part.residual_stride + o;
            part.C_out = c->C_out - o < panel ? c->C_out - o : panel;
            kernel_of(d->table, c->kind)(&part);
        }
    }
    bool same = memcmp(whole, d->args.dst, d->n_dst * sizeof(float)) == 0;
    memcpy(d->args.dst, whole, d->n_dst * sizeof(float));
    free(whole);
    return same;
}

static void check_conv(const kk_kernels *table, conv_case c)
{
    conv_data d = make_conv(table, &c);
    kernel_of(table, c.kind)(&d.args);
    const size_t outputs = wrong_outputs(&d, &c), sums = wrong_sums(&d, &c);
    const bool cut = same_in_parts(&d, &c), whole = edge_is_whole(AT_DST) && edge_is_whole(AT_SUMS);
    if (outputs + sums > 0 || !cut || !whole)
        printf("  %s %s: T %zu K %zu C_in %zu C_out %zu dilation %zu stride %zu residual %d >> %u "
               "gain %g accumulate %d: %zu outputs wrong, %zu sums%s%s\n",
               table->name, kind_names[c.kind], c.T, c.K, c.C_in, c.C_out, c.dilation, c.stride,
               c.residual, c.residual_shift, (double)c.gain, c.accumulate, outputs, sums,
               cut ? "" : ", differs in parts", whole ? "" : ", wrote before its block");
    CHECK(outputs == 0);
    CHECK(sums == 0);
    CHECK(cut);
    CHECK(whole);
    free_conv(&d);
}

static conv_case plain_case(int kind)
{
    return (conv_case){.kind = (enum conv_kind)kind,
                       .T = 7,
                       .K = 2,
                       .C_in = 3,
                       .C_out = 21,
                       .dilation = 1,
                       .stride = 1,
                       .gain = 1.0f,
                       .with_sums = 1,
                       .size = 1.0f};
}

TEST(every_number_of_rows_and_outputs)
{
    FOR_EACH_TABLE(table)
    {
        (void)edge_take(AT_SUMS, 0);
        for (int kind = BF16; kind <= SINGLES; kind++) {
            conv_case c = plain_case(kind);
            for (c.T = 1; c.T <= 13; c.T++) {
                for (c.C_out = 1; c.C_out <= 2 * table->panel + 1; c.C_out++)
                    check_conv(table, c);
            }
        }
    }
}

TEST(every_number_of_inputs_and_taps)
{
    FOR_EACH_TABLE(table)
    {
        for (int kind = BF16; kind <= SINGLES; kind++) {
            conv_case c = plain_case(kind);
            for (c.C_in = 1; c.C_in <= 35; c.C_in++) {
                for (c.K = 1; c.K <= 4; c.K++)
                    check_conv(table, c);
            }
        }
    }
}

/* Each way out: residual, its shift, gain, accumulation, sums, gaps between rows. */
TEST(every_way_out)
{
    FOR_EACH_TABLE(table)
    {
        for (unsigned bits = 0; bits < 3 * 3 * 64; bits++) {
            conv_case c = plain_case((int)(bits % 3));
            c.residual = (int)(bits / 3 % 3);
            const unsigned flags = bits / 9;
            c.residual_shift = c.residual == 1 ? flags & 1u : 0;
            c.gain = (flags & 2u) != 0 ? -0.70710678f : 1.0f;
            c.accumulate = (flags & 4u) != 0;
            c.with_sums = (flags & 8u) != 0;
            c.gap = (flags & 16u) != 0 ? 5 : 0;
            c.C_out = (flags & 32u) != 0 ? 2 * table->panel : table->panel + 3;
            c.T = 9;
            check_conv(table, c);
        }
    }
}

TEST(strides_and_dilations)
{
    FOR_EACH_TABLE(table)
    {
        for (int kind = BF16; kind <= SINGLES; kind++) {
            conv_case c = plain_case(kind);
            c.K = 5;
            c.C_in = 9;
            for (c.stride = 1; c.stride <= 10; c.stride++) {
                for (c.dilation = 1; c.dilation <= 6; c.dilation++)
                    check_conv(table, c);
            }
        }
    }
}

/* Shapes of the network, where a sum has a thousand terms and more. */
TEST(shapes_of_the_network)
{
    static const size_t shapes[][5] = {/* T, K, C_in, C_out, dilation */
                                       {20, 11, 128, 128, 5}, {8, 7, 128, 128, 3},
                                       {7, 3, 256, 256, 1},   {5, 3, 1090, 96, 1},
                                       {9, 1, 514, 200, 1},   {6, 7, 22, 128, 1}};
    FOR_EACH_TABLE(table)
    {
        for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
            for (int kind = BF16; kind <= SINGLES; kind++) {
                conv_case c = plain_case(kind);
                c.T = shapes[i][0];
                c.K = shapes[i][1];
                c.C_in = shapes[i][2];
                c.C_out = shapes[i][3];
                c.dilation = shapes[i][4];
                c.residual = 1;
                check_conv(table, c);
            }
        }
    }
}

/* Numbers so small that products or inputs are denormal. */
TEST(tiny_numbers)
{
    FOR_EACH_TABLE(table)
    {
        for (int kind = BF16; kind <= SINGLES; kind++) {
            conv_case c = plain_case(kind);
            for (c.size = 1e-30f; c.size > 1e-40f; c.size *= 0.01f)
                check_conv(table, c);
        }
    }
}

TEST_MAIN(T(every_number_of_rows_and_outputs), T(every_number_of_inputs_and_taps), T(every_way_out),
          T(strides_and_dilations), T(shapes_of_the_network), T(tiny_numbers))
