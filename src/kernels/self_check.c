/*
 * self_check.c - each kernel of a table and the plain C one of its slot on the same inputs.
 *
 * Inputs are multiples of 1/64 below 1, which bf16 holds exactly. The tolerance is derived: a sum
 * of n terms in any order is off by at most n 2^-24 of the terms' sizes (Higham 2002, 3.1), the way
 * out and the functions of kernels.h by less than 8 more; both sides may be off, and a result in
 * bf16 by a unit in its last place. What is wrong differs by parts of 1.
 */
#include "kernels/self_check.h"

#include "kernels/tables.h"
#include "kernels/toom.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    ROWS = 9,
    WIDTH = 3,
    N_IN = 16,
    N_OUT = 64,     /* one or four panels */
    N_PRODUCTS = 6, /* of WIDTH taps in 6 points */
    WIDE = 7,
    N_WIDE = 14, /* of WIDE taps in 7 points, two groups */
    HIDDEN = 64,
    OUT_SIZE = 64, /* of a convolution's outputs: 0.5 (2.5 WIDTH N_IN + 2) + 1, rounded up */
    N_VALUES = 37, /* two vectors and an odd rest at any instruction set */
    MAX_SOURCE = (ROWS + WIDTH) * N_OUT,
    MAX_OUT = ROWS * N_OUT + 2 * N_OUT
};

typedef struct bench {
    float x[MAX_SOURCE];
    uint16_t x_bf16[MAX_SOURCE];
    float scale[N_OUT * 4], bias[N_OUT * 4];
    union {
        float singles[4 * HIDDEN * HIDDEN];
        uint16_t pairs[4 * HIDDEN * HIDDEN];
    } w;
    union {
        float floats[(N_PRODUCTS + 4) * ROWS * N_IN];
        uint16_t bf16[(N_PRODUCTS + 4) * ROWS * N_IN];
    } planes;
    float gates[4 * HIDDEN];
} bench;

/* Some multiple of 1/64 in [-1, 1): by Knuth's multiplicative hash. */
static float number_at(size_t i)
{
    return (float)((int)((uint32_t)i * 2654435761u >> 25) - 64) * 0x1p-6f;
}

static void fill(bench *b)
{
    for (size_t i = 0; i < MAX_SOURCE; i++) {
        b->x[i] = number_at(i);
        b->x_bf16[i] = kk_bf16_from_float(b->x[i]);
    }
    for (size_t i = 0; i < (size_t)N_OUT * 4; i++) {
        b->scale[i] = number_at(i + 7) + 1.5f;
        b->bias[i] = number_at(i + 9000);
    }
}

/* Weights of n_out outputs, `taps` and n_in inputs in panels (kernels.h). */
static const void *pack(bench *b, size_t panel, bool are_pairs, size_t n_out, size_t taps,
                        size_t n_in)
{
    const size_t step = are_pairs ? 2 : 1, n_steps = n_in / step;
    for (size_t i = 0; i < n_out * taps * n_in; i++) {
        const size_t o = i / (taps * n_in), k = i / n_in % taps, c = i % n_in;
        const size_t at =
            (((o / panel * taps + k) * n_steps + c / step) * panel + o % panel) * step + c % step;
        if (are_pairs)
            b->w.pairs[at] = kk_bf16_from_float(number_at(i));
        else
            b->w.singles[at] = number_at(i);
    }
    return &b->w;
}

/* ---- one function a slot: fills out[] and returns how many ------------------------------- */

static size_t run_conv(kk_conv_kernel *kernel, bench *b, float *out, const void *src,
                       const void *weights)
{
    memcpy(out, b->x, MAX_OUT * sizeof(float));
    kernel(&(kk_conv_args){.dst = out,
                           .dst_stride = N_OUT,
                           .src = src,
                           .src_stride = N_IN,
                           .tap_stride = N_IN,
                           .weights = weights,
                           .scale = b->scale,
                           .bias = b->bias,
                           .residual = b->x,
                           .residual_stride = N_OUT,
                           .gain = 0.5f,
                           .accumulate = 1,
                           .sums = out + (size_t)ROWS * N_OUT,
                           .sums_stride = N_OUT,
                           .T = ROWS,
                           .K = WIDTH,
                           .C_in = N_IN,
                           .C_out = N_OUT});
    /* Means, and squares by the size of what is squared: as large as an output at most. */
    for (size_t o = 0; o < N_OUT; o++) {
        out[ROWS * N_OUT + o] /= ROWS;
        out[(ROWS + 1) * N_OUT + o] /= ROWS * OUT_SIZE;
    }
    return MAX_OUT;
}

static size_t run_conv_bf16(const kk_kernels *t, bench *b, float *out)
{
    return run_conv(t->conv_bf16, b, out, b->x_bf16, pack(b, t->panel, true, N_OUT, WIDTH, N_IN));
}

static size_t run_conv_pairs(const kk_kernels *t, bench *b, float *out)
{
    return run_conv(t->conv_pairs, b, out, b->x, pack(b, t->panel, true, N_OUT, WIDTH, N_IN));
}

static size_t run_conv_singles(const kk_kernels *t, bench *b, float *out)
{
    return run_conv(t->conv_singles, b, out, b->x, pack(b, t->panel, false, N_OUT, WIDTH, N_IN));
}

/* Rows of the outputs' planes. */
static const size_t N_BLOCKS = (ROWS + 3) / 4;

/* As the model has them: few taps in 6 points, more in 7. */
static kk_toom_shape cut(size_t K)
{
    return kk_toom_cut(K, K == WIDTH ? 6 : 7);
}

/* Rows of N_IN of a plane of K taps: with those that only later groups read. */
static size_t n_plane_rows(size_t K)
{
    return N_BLOCKS + cut(K).n_groups - 1;
}

/* Floats where `is_float`. */
static size_t make_planes(const kk_kernels *t, bench *b, size_t K, bool is_float)
{
    const size_t n_rows = n_plane_rows(K);
    t->toom_input(&(kk_toom_input){.planes = &b->planes,
                                   .is_float = is_float,
                                   .plane_stride = n_rows * N_IN,
                                   .src = b->x,
                                   .src_stride = N_IN,
                                   .n_before = (K - 1) / 2,
                                   .n_inside = ROWS,
                                   .n_rows = n_rows,
                                   .C = N_IN,
                                   .dilation = 1,
                                   .shape = cut(K)});
    return cut(K).n_points * n_rows * N_IN;
}

static size_t run_toom_input(const kk_kernels *t, bench *b, float *out, size_t K, bool is_float)
{
    const size_t n = make_planes(t, b, K, is_float);
    for (size_t i = 0; i < n; i++)
        out[i] = is_float ? b->planes.floats[i] : kk_float_from_bf16(b->planes.bf16[i]);
    return n;
}

/* On planes of plain C, so that a rounding of the transform is not counted twice. */
static size_t run_toom(const kk_kernels *t, bench *b, float *out, size_t K, bool is_float)
{
    const kk_toom_shape shape = cut(K);
    const size_t n_products = kk_toom_products(&shape);
    (void)make_planes(&kk_kernels_ref, b, K, is_float);
    t->conv_toom(&(kk_toom_args){.planes = &b->planes,
                                 .plane_stride = n_plane_rows(K) * N_IN,
                                 .weights = pack(b, t->panel, !is_float, N_OUT, n_products, N_IN),
                                 .is_float = is_float,
                                 .scale = b->scale,
                                 .bias = b->bias,
                                 .dst = out,
                                 .dst_stride = N_OUT,
                                 .gain = 1.0f,
                                 .n_rows = N_BLOCKS,
                                 .T = ROWS,
                                 .C_in = N_IN,
                                 .C_out = N_OUT,
                                 .dilation = 1,
                                 .panel = t->panel,
                                 .shape = shape});
    return (size_t)ROWS * N_OUT;
}

#define TOOM(name, K, is_float)                                                                    \
    static size_t run_toom_input_##name(const kk_kernels *t, bench *b, float *out)                 \
    {                                                                                              \
        return run_toom_input(t, b, out, K, is_float);                                             \
    }                                                                                              \
    static size_t run_toom_##name(const kk_kernels *t, bench *b, float *out)                       \
    {                                                                                              \
        return run_toom(t, b, out, K, is_float);                                                   \
    }
TOOM(float, WIDTH, true)
TOOM(bf16, WIDTH, false)
TOOM(float_wide, WIDE, true)
TOOM(bf16_wide, WIDE, false)

static kk_activation snake(const bench *b)
{
    return (kk_activation){.kind = KK_SNAKE,
                           .scale = b->scale,
                           .shift = b->bias,
                           .alpha = b->scale + N_OUT,
                           .inv_alpha = b->scale + 2 * (size_t)N_OUT};
}

static size_t run_activate(const kk_kernels *t, bench *b, float *out)
{
    const kk_activation activation = snake(b);
    t->activate(out, N_VALUES, b->x, N_OUT, ROWS, N_VALUES, &activation);
    return (size_t)ROWS * N_VALUES;
}

static size_t run_activate_bf16(const kk_kernels *t, bench *b, float *out)
{
    uint16_t values[ROWS * N_VALUES];
    const kk_activation activation = snake(b);
    t->activate_bf16(values, N_VALUES, b->x, N_OUT, ROWS, N_VALUES, &activation);
    for (size_t i = 0; i < (size_t)ROWS * N_VALUES; i++)
        out[i] = kk_float_from_bf16(values[i]);
    return (size_t)ROWS * N_VALUES;
}

static size_t run_column_sums(const kk_kernels *t, bench *b, float *out)
{
    memcpy(out, b->bias, 2 * N_OUT * sizeof(float));
    t->column_sums(out, N_OUT, b->x, N_OUT, ROWS, N_VALUES);
    return (size_t)2 * N_OUT;
}

static size_t run_layer_norm(const kk_kernels *t, bench *b, float *out)
{
    t->layer_norm(out, b->x, b->x + 100, b->scale, b->bias, 1e-5f, ROWS, N_OUT);
    return (size_t)ROWS * N_OUT;
}

static size_t run_gelu(const kk_kernels *t, bench *b, float *out)
{
    memcpy(out, b->x, N_VALUES * sizeof(float));
    t->gelu_tanh(out, N_VALUES);
    return N_VALUES;
}

static size_t run_softmax(const kk_kernels *t, bench *b, float *out)
{
    memcpy(out, b->x, (size_t)ROWS * N_OUT * sizeof(float));
    t->softmax(out, N_OUT, ROWS, N_VALUES);
    return (size_t)ROWS * N_OUT;
}

static size_t run_lstm(const kk_kernels *t, bench *b, float *out, int is_pairs)
{
    memcpy(out, b->bias, 2 * HIDDEN * sizeof(float));
    /* A row of 64 weights below 1, scaled by 1/32, leaves the gates where they are steep. */
    float scale[4 * HIDDEN];
    for (size_t i = 0; i < (size_t)4 * HIDDEN; i++)
        scale[i] = 0x1p-5f;
    t->lstm_step(&(kk_lstm_args){.h = out,
                                 .c = out + HIDDEN,
                                 .gates = b->gates,
                                 .x = b->x,
                                 .r = pack(b, t->panel, is_pairs, (size_t)4 * HIDDEN, 1, HIDDEN),
                                 .is_pairs = is_pairs,
                                 .r_scale = scale,
                                 .H = HIDDEN});
    return (size_t)2 * HIDDEN;
}

static size_t run_lstm_pairs(const kk_kernels *t, bench *b, float *out)
{
    return run_lstm(t, b, out, 1);
}

static size_t run_lstm_singles(const kk_kernels *t, bench *b, float *out)
{
    return run_lstm(t, b, out, 0);
}

#define ELEMENTWISE(name)                                                                          \
    static size_t run_##name(const kk_kernels *t, bench *b, float *out)                            \
    {                                                                                              \
        t->name(out, b->x, N_VALUES);                                                              \
        return N_VALUES;                                                                           \
    }
ELEMENTWISE(sin)
ELEMENTWISE(exp)
ELEMENTWISE(tanh)
ELEMENTWISE(sigmoid)

static size_t run_atan2(const kk_kernels *t, bench *b, float *out)
{
    t->atan2(out, b->x, b->x + 100, N_VALUES);
    return N_VALUES;
}

/* ---- the comparison ----------------------------------------------------------------------- */

typedef struct check {
    const char *name;
    size_t (*run)(const kk_kernels *table, bench *b, float *out);
    double n_terms; /* of the longest sum behind a result */
    double size;    /* of all its terms, at most; of a result where it is no sum */
    bool is_bf16;
    int toom; /* run only where the table has it in this type; KK_TOOM_NONE: always */
} check;

enum { TERMS = N_PRODUCTS * N_IN, WIDE_TERMS = N_WIDE * N_IN };

/* Sizes: a transform adds up to 10 times a sample in 6 points and 18 in 7, the way back 33 products
 * and 102 (51 of each group); layer_norm's results are below the root of 64 times 2.5, and its
 * variance's rounding counts as a sum; exp to e. */
static const check checks[] = {
    {"conv_bf16", run_conv_bf16, (WIDTH * N_IN + ROWS), OUT_SIZE, false, KK_TOOM_NONE},
    {"conv_pairs", run_conv_pairs, (WIDTH * N_IN + ROWS), OUT_SIZE, false, KK_TOOM_NONE},
    {"conv_singles", run_conv_singles, (WIDTH * N_IN + ROWS), OUT_SIZE, false, KK_TOOM_NONE},
    {"toom_input", run_toom_input_float, 6, 10.0, false, KK_TOOM_FLOAT},
    {"toom_input", run_toom_input_float_wide, 7, 18.0, false, KK_TOOM_FLOAT},
    {"conv_toom", run_toom_float, TERMS, 33.0 * 10.0 * N_IN, false, KK_TOOM_FLOAT},
    {"conv_toom", run_toom_float_wide, WIDE_TERMS, 102.0 * 18.0 * N_IN, false, KK_TOOM_FLOAT},
    {"toom_input", run_toom_input_bf16, 6, 10.0, true, KK_TOOM_BF16},
    {"toom_input", run_toom_input_bf16_wide, 7, 18.0, true, KK_TOOM_BF16},
    {"conv_toom", run_toom_bf16, TERMS, 33.0 * 10.0 * N_IN, false, KK_TOOM_BF16},
    {"conv_toom", run_toom_bf16_wide, WIDE_TERMS, 102.0 * 18.0 * N_IN, false, KK_TOOM_BF16},
    {"activate", run_activate, 8, 6.0, false, KK_TOOM_NONE},
    {"activate_bf16", run_activate_bf16, 8, 6.0, true, KK_TOOM_NONE},
    {"column_sums", run_column_sums, ROWS, ROWS + 1.0, false, KK_TOOM_NONE},
    {"layer_norm", run_layer_norm, N_OUT, 20.0, false, KK_TOOM_NONE},
    {"gelu_tanh", run_gelu, 8, 1.0, false, KK_TOOM_NONE},
    {"softmax", run_softmax, N_VALUES, 1.0, false, KK_TOOM_NONE},
    {"lstm_step", run_lstm_pairs, HIDDEN, 4.0, false, KK_TOOM_NONE},
    {"lstm_step", run_lstm_singles, HIDDEN, 4.0, false, KK_TOOM_NONE},
    {"sin", run_sin, 0, 1.0, false, KK_TOOM_NONE},
    {"exp", run_exp, 0, 2.72, false, KK_TOOM_NONE},
    {"tanh", run_tanh, 0, 1.0, false, KK_TOOM_NONE},
    {"sigmoid", run_sigmoid, 0, 1.0, false, KK_TOOM_NONE},
    {"atan2", run_atan2, 0, 3.15, false, KK_TOOM_NONE},
};

static bool agrees(const check *c, const kk_kernels *table, bench *b)
{
    float got[MAX_OUT], want[MAX_OUT];
    const double tolerance =
        c->size * (2.0 * (c->n_terms + 8.0) * 0x1p-24 + (c->is_bf16 ? 0x1p-7 : 0.0));
    const size_t n = c->run(&kk_kernels_ref, b, want);
    (void)c->run(table, b, got);
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance)) /* NaN is no agreement */
            return false;
    }
    return true;
}

const char *kk_kernels_self_check(const kk_kernels *table)
{
    bench b;
    memset(&b, 0, sizeof(b));
    fill(&b);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i].toom != KK_TOOM_NONE && checks[i].toom != table->toom)
            continue;
        if (!agrees(&checks[i], table, &b))
            return checks[i].name;
    }
    return NULL;
}
