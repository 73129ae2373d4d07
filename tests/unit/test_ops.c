/*
 * test_ops.c - the layers over the kernels that KOKORO_CPU_MASK leaves: the pool, the workspace,
 * and each layer against a plain double-precision loop, bit for bit the same with 1, 2 and 3
 * threads.
 */
#include "check.h"

#include "ops/ops.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { MAX_THREADS = 4, WORKSPACE = 64 << 20 };

static kk_workspace ws;
static kk_ops ops = {.ws = &ws};

static void begin(int n_threads)
{
    ops.kernels = kk_kernels_choose(getenv("KOKORO_CPU_MASK"));
    CHECK(ops.kernels != NULL);
    CHECK_INT(kk_pool_create(&ops.pool, n_threads, NULL), KOKORO_OK);
    CHECK_INT(kk_pool_size(ops.pool), n_threads);
    CHECK_INT(kk_workspace_reserve(&ws, WORKSPACE, NULL), KOKORO_OK);
    ops.scratch = kk_workspace_alloc(&ws, (size_t)n_threads * KK_SCRATCH_SIZE);
    CHECK(ops.scratch != NULL);
}

static void end(void)
{
    kk_pool_destroy(&ops.pool);
    CHECK(ops.pool == NULL);
    kk_workspace_fini(&ws);
}

/* Numbers from -1 to 1, the same in every run. */
static float noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static float *noises(size_t n, uint32_t seed)
{
    float *values = malloc((n + 1) * sizeof(*values));
    for (size_t i = 0; i < n; i++)
        values[i] = noise(&seed);
    return values;
}

static double relative_error(const float *got, const double *want, size_t n)
{
    double square = 0.0, reference = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)got[i] - want[i];
        square += d * d;
        reference += want[i] * want[i];
    }
    return sqrt(square / reference); /* NaN fails every limit */
}

/* ---- pool ---- */

typedef struct counts {
    atomic_uint runs[1000];
    atomic_uint n_wrong_workers;
    size_t n_workers;
    kk_pool *pool;
    size_t cancel_at; /* of task numbers */
} counts;

static void count(void *context, size_t task, size_t worker)
{
    counts *c = context;
    atomic_fetch_add(&c->runs[task], 1);
    if (worker >= c->n_workers)
        atomic_fetch_add(&c->n_wrong_workers, 1);
    if (task == c->cancel_at)
        kk_pool_cancel(c->pool);
}

static size_t total(const counts *c)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof(c->runs) / sizeof(c->runs[0]); i++)
        n += atomic_load(&c->runs[i]);
    return n;
}

TEST(the_pool_runs_every_task_once)
{
    static const size_t sizes[] = {0, 1, 2, 3, 7, 64, 1000};
    static counts c;
    for (int n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        begin(n_threads);
        for (size_t round = 0; round < 70; round++) {
            const size_t n = sizes[round % 7];
            memset(&c, 0, sizeof(c));
            c.n_workers = (size_t)n_threads;
            c.cancel_at = SIZE_MAX;
            kk_pool_run(ops.pool, count, &c, n);
            CHECK_INT(total(&c), n);
            for (size_t i = 0; i < n; i++) {
                if (atomic_load(&c.runs[i]) != 1)
                    CHECK_INT(atomic_load(&c.runs[i]), 1);
            }
            CHECK_INT(atomic_load(&c.n_wrong_workers), 0);
        }
        end();
    }
}

TEST(a_limit_leaves_threads_out_from_the_next_run_on)
{
    static const int limits[] = {1, 4, 2, 0, 3, 1, 9, 2, 4};
    static counts c;
    atomic_int limit;
    begin(MAX_THREADS);
    kk_pool_limit(ops.pool, &limit);
    for (size_t round = 0; round < 90; round++) {
        const int most = limits[round % 9];
        atomic_store(&limit, most);
        memset(&c, 0, sizeof(c));
        c.n_workers = (size_t)(most < 1 ? 1 : most > MAX_THREADS ? MAX_THREADS : most);
        c.cancel_at = SIZE_MAX;
        kk_pool_run(ops.pool, count, &c, 200);
        CHECK_INT(total(&c), 200);
        CHECK_INT(atomic_load(&c.n_wrong_workers), 0);
        CHECK_INT(kk_pool_size(ops.pool), MAX_THREADS);
    }
    kk_pool_limit(ops.pool, NULL);
    kk_pool_run(ops.pool, count, &c, 200);
    CHECK_INT(total(&c), 400);
    end();
}

TEST(a_cancelled_pool_leaves_out_what_has_not_begun)
{
    static counts c;
    for (int n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        begin(n_threads);
        memset(&c, 0, sizeof(c));
        c.n_workers = (size_t)n_threads;
        c.pool = ops.pool;
        c.cancel_at = 5;
        CHECK(!kk_pool_cancelled(ops.pool));
        kk_pool_run(ops.pool, count, &c, 1000);
        CHECK(kk_pool_cancelled(ops.pool));
        CHECK_INT(atomic_load(&c.runs[5]), 1);
        if (n_threads == 1)
            CHECK_INT(total(&c), 6);
        const size_t before = total(&c);
        kk_pool_run(ops.pool, count, &c, 1000);
        kk_pool_run(ops.pool, count, &c, 1);
        CHECK_INT(total(&c), before);
        kk_pool_reset(ops.pool);
        CHECK(!kk_pool_cancelled(ops.pool));
        c.cancel_at = SIZE_MAX;
        kk_pool_run(ops.pool, count, &c, 1000);
        CHECK_INT(total(&c), before + 1000);
        end();
    }
    kk_pool_destroy(&ops.pool); /* NULL is allowed */
}

typedef struct rows {
    atomic_uint seen[100];
    size_t largest;
} rows;

static void see_rows(void *context, size_t first, size_t n)
{
    rows *r = context;
    for (size_t i = first; i < first + n && i < 100; i++)
        atomic_fetch_add(&r->seen[i], 1);
    if (n > r->largest)
        r->largest = n;
}

TEST(rows_are_seen_once)
{
    begin(1); /* `largest` is no atomic */
    for (size_t n = 0; n <= 100; n += 9) {
        rows r = {.largest = 0};
        kk_for_rows(&ops, see_rows, &r, n, 16);
        for (size_t i = 0; i < 100; i++)
            CHECK_INT(atomic_load(&r.seen[i]), i < n);
        CHECK_INT(r.largest, n < 16 ? n : 16);
    }
    end();
}

/* ---- workspace ---- */

TEST(the_workspace_is_a_stack)
{
    kk_workspace w = {NULL, 0, 0, 0, 0};
    CHECK(kk_workspace_alloc(&w, 1) == NULL);
    CHECK_INT(kk_workspace_reserve(&w, 10000, NULL), KOKORO_OK);
    CHECK_INT(w.overflown, 0);
    CHECK(w.size >= 10000);
    unsigned char *a = kk_workspace_alloc(&w, 1);
    const kk_mark mark = kk_workspace_mark(&w);
    float *b = kk_workspace_floats(&w, 100);
    unsigned char *c = kk_workspace_alloc(&w, 63);
    CHECK(a != NULL && b != NULL && c != NULL);
    CHECK_INT((uintptr_t)a % 64 + (uintptr_t)b % 64 + (uintptr_t)c % 64, 0);
    CHECK((unsigned char *)b >= a + 1 && c >= (unsigned char *)(b + 100));
    memset(c, 0xAB, 63);
    const size_t peak = w.peak;
    kk_workspace_release(&w, mark);
    CHECK((float *)kk_workspace_floats(&w, 100) == b);
    CHECK_INT(w.peak, peak);

    CHECK_INT(w.overflown, 0);
    CHECK(kk_workspace_alloc(&w, w.size) == NULL);
    CHECK_INT(w.overflown, 1);
    CHECK(kk_workspace_floats(&w, SIZE_MAX / 4 + 2) == NULL);
    CHECK(kk_workspace_alloc(&w, SIZE_MAX) == NULL);
    CHECK(kk_workspace_alloc(&w, SIZE_MAX - 62) == NULL);

    /* A new reservation begins afresh, in the same memory when that suffices. */
    unsigned char *base = w.base;
    CHECK_INT(kk_workspace_reserve(&w, 100, NULL), KOKORO_OK);
    CHECK(w.base == base && w.overflown == 0 && w.used == 0 && w.peak == 0);
    enum { HUGE_PAGE = 2 << 20, SIZE = 3 * HUGE_PAGE };
    CHECK_INT(kk_workspace_reserve(&w, SIZE, NULL), KOKORO_OK);
    CHECK(w.size >= SIZE);
    unsigned char *all = kk_workspace_alloc(&w, SIZE);
    CHECK(all != NULL);
    memset(all, 0xCD, SIZE);
    kk_workspace_trim(&w, 8192); /* the rest of a huge page stays */
    CHECK_INT(all[HUGE_PAGE - 1], 0xCD);
    CHECK_INT(all[HUGE_PAGE], 0); /* the system's fresh page */
    CHECK_INT(all[SIZE - 1], 0);
    kk_workspace_trim(&w, 2 * (size_t)SIZE);
    CHECK_INT(all[0], 0xCD);
    kk_workspace_trim(&w, 0);
    CHECK_INT(all[0], 0);

    kokoro_error err = {0, ""};
    CHECK_INT(kk_workspace_reserve(&w, SIZE_MAX / 2, &err), KOKORO_NO_MEMORY);
    CHECK_HAS(err.message, "memory");
    CHECK(kk_workspace_alloc(&w, 1) == NULL);
    kk_workspace_fini(&w);
    kk_workspace_fini(&w);
    CHECK(w.base == NULL);
}

/* ---- convolution ---- */

/* Weights w[o][k][c], whole numbers when they are pairs, and as the kernels want them. */
typedef struct weights {
    kk_conv conv;
    float *plain, *scale, *bias;
    void *packed;
} weights;

static size_t whole_panels(size_t n)
{
    return (n + ops.kernels->panel - 1) / ops.kernels->panel * ops.kernels->panel;
}

/* [C_out / panel][K][C_in (/ 2)][panel]([2]) from w[o][k][c]. */
static void *pack(const float *w, size_t C_out, size_t K, size_t C_in, bool is_pairs)
{
    const size_t panel = ops.kernels->panel, inputs = is_pairs ? (C_in + 1) / 2 * 2 : C_in;
    float *singles = calloc(whole_panels(C_out) * K * inputs, sizeof(float));
    uint16_t *pairs = calloc(whole_panels(C_out) * K * inputs, sizeof(uint16_t));
    for (size_t o = 0; o < C_out; o++) {
        for (size_t k = 0; k < K; k++) {
            for (size_t c = 0; c < C_in; c++) {
                const float value = w[(o * K + k) * C_in + c];
                const size_t row = o / panel * K + k, lane = o % panel;
                singles[(row * inputs + c) * panel + lane] = value;
                pairs[((row * inputs / 2 + c / 2) * panel + lane) * 2 + c % 2] =
                    kk_bf16_from_float(value);
            }
        }
    }
    free(is_pairs ? (void *)singles : (void *)pairs);
    return is_pairs ? (void *)pairs : (void *)singles;
}

static void make_weights(weights *w, size_t C_out, size_t K, size_t C_in, bool is_pairs)
{
    uint32_t seed = (uint32_t)(C_out * 31 + K * 7 + C_in);
    w->plain = noises(C_out * K * C_in, seed);
    for (size_t i = 0; is_pairs && i < C_out * K * C_in; i++)
        w->plain[i] = rintf(127.0f * w->plain[i]);
    w->scale = noises(whole_panels(C_out), seed + 1);
    w->bias = noises(whole_panels(C_out), seed + 2);
    for (size_t o = 0; o < C_out; o++)
        w->scale[o] = (is_pairs ? 0.002f : 0.2f) * (1.5f + w->scale[o]);
    w->packed = pack(w->plain, C_out, K, C_in, is_pairs);
    w->conv = (kk_conv){w->packed, w->scale, w->bias, C_in, C_out, K, is_pairs};
}

static void free_weights(weights *w)
{
    free(w->plain), free(w->scale), free(w->bias), free(w->packed);
}

static double activated(const kk_activation *a, double x, size_t c)
{
    double y = a->scale != NULL ? x * (double)a->scale[c] + (double)a->shift[c] : x;
    if (a->kind == KK_LEAKY)
        return y < 0 ? (double)a->slope * y : y;
    if (a->kind != KK_SNAKE)
        return y;
    const double s = sin((double)a->alpha[c] * y);
    return y + s * s * (double)a->inv_alpha[c];
}

/* want[t][o], dense. The input is rounded to bf16 where the layer does so. */
static void plain_convolution(const kk_conv_run *run, const weights *w, const float *before,
                              double *want)
{
    const kk_conv *conv = run->conv;
    const size_t d = run->dilation != 0 ? run->dilation : 1, C = conv->C_in;
    const bool rounds = run->in_bf16 && conv->is_pairs && ops.kernels->has_bf16;
    double *x = malloc(run->T_in * C * sizeof(*x));
    for (size_t i = 0; i < run->T_in * C; i++) {
        x[i] =
            activated(&run->activation, (double)run->src[i / C * run->src_stride + i % C], i % C);
        if (rounds)
            x[i] = (double)kk_float_from_bf16(kk_bf16_from_float((float)x[i]));
    }
    for (size_t t = 0; t < run->T_out; t++) {
        for (size_t o = 0; o < conv->C_out; o++) {
            double sum = 0.0;
            for (size_t k = 0; k < conv->K; k++) {
                const size_t at = t + k * d - run->pad;
                if (at >= run->T_in) /* also what wraps in front */
                    continue;
                const float *row = w->plain + (o * conv->K + k) * C;
                for (size_t c = 0; c < C; c++)
                    sum += (double)row[c] * x[at * C + c];
            }
            double y = (double)w->scale[o] * sum + (double)w->bias[o];
            if (run->residual != NULL)
                y += (double)run->residual[(t >> run->residual_shift) * run->residual_stride + o];
            y *= run->gain != 0.0f ? (double)run->gain : 1.0;
            want[t * conv->C_out + o] =
                y + (run->accumulate ? (double)before[t * run->dst_stride + o] : 0.0);
        }
    }
    free(x);
}

typedef struct conv_row {
    size_t C_in, C_out, K, dilation, pad, T_in, T_out;
    int is_pairs, in_bf16, activation, has_residual, accumulate;
    unsigned residual_shift;
    float gain;
} conv_row;

/* Wide and narrow, odd numbers of inputs, outputs that fill no panel, short and long (tiles of
 * their own from 1537 rows on), one tap and eleven. */
static const conv_row conv_rows[] = {
    {64, 64, 1, 0, 0, 5, 5, 0, 0, KK_LINEAR, 0, 0, 0, 0},
    {20, 22, 3, 1, 1, 1, 1, 0, 0, KK_LINEAR, 0, 0, 0, 0},
    {9, 70, 3, 1, 1, 97, 97, 1, 0, KK_LEAKY, 0, 0, 0, 0},
    {9, 70, 3, 1, 1, 97, 97, 1, 1, KK_LEAKY, 1, 0, 0, 0.7f},
    {32, 64, 11, 5, 25, 200, 200, 1, 1, KK_SNAKE, 1, 0, 0, 0},
    {32, 64, 11, 5, 25, 200, 200, 1, 0, KK_SNAKE, 0, 1, 0, 0.5f},
    {33, 128, 5, 1, 2, 96, 96, 0, 0, KK_SNAKE, 1, 1, 0, 0},
    {16, 130, 2, 1, 1, 50, 51, 1, 1, KK_LINEAR, 0, 0, 0, 0},
    {16, 32, 1, 0, 0, 40, 40, 1, 0, KK_LEAKY, 1, 0, 1, 0.70710678f},
    {22, 16, 3, 3, 3, 1537, 1537, 0, 0, KK_LEAKY, 0, 0, 0, 0},
    {24, 64, 7, 3, 9, 2000, 2000, 1, 1, KK_SNAKE, 1, 0, 0, 0},
    {24, 22, 7, 1, 3, 1999, 1999, 1, 0, KK_LEAKY, 0, 1, 0, 2.0f},
    {17, 66, 3, 5, 5, 1600, 1606, 1, 1, KK_LINEAR, 1, 1, 1, 0},
};

typedef struct conv_case {
    const conv_row *row;
    weights w;
    kk_conv_run run;
    float *src, *residual, *before,
        *dst;     /* of dst_stride; columns behind C_out keep their values */
    float *norms; /* [4][C_in] */
    kk_sums sums;
} conv_case;

static void make_case(conv_case *c, const conv_row *row)
{
    memset(c, 0, sizeof(*c));
    c->row = row;
    make_weights(&c->w, row->C_out, row->K, row->C_in, row->is_pairs != 0);
    const size_t src_stride = row->C_in + 3, dst_stride = row->C_out + 5, C = row->C_in;
    c->src = noises(row->T_in * src_stride, 1);
    c->residual = noises(row->T_out * dst_stride, 2);
    c->before = noises(row->T_out * dst_stride, 3);
    c->dst = malloc(row->T_out * dst_stride * sizeof(float));
    c->norms = noises(4 * C, 4);
    for (size_t i = 0; i < C; i++) {
        c->norms[2 * C + i] = 1.5f + c->norms[2 * C + i];
        c->norms[3 * C + i] = 1.0f / c->norms[2 * C + i];
    }
    c->run = (kk_conv_run){.conv = &c->w.conv,
                           .src = c->src,
                           .src_stride = src_stride,
                           .T_in = row->T_in,
                           .dilation = row->dilation,
                           .pad = row->pad,
                           .activation = {.kind = row->activation,
                                          .slope = 0.2f,
                                          .alpha = c->norms + 2 * C,
                                          .inv_alpha = c->norms + 3 * C},
                           .dst = c->dst,
                           .dst_stride = dst_stride,
                           .T_out = row->T_out,
                           .residual = row->has_residual ? c->residual : NULL,
                           .residual_stride = dst_stride,
                           .residual_shift = row->residual_shift,
                           .gain = row->gain,
                           .accumulate = row->accumulate,
                           .in_bf16 = row->in_bf16,
                           .sums = &c->sums};
    if (row->activation != KK_LINEAR) {
        c->run.activation.scale = c->norms;
        c->run.activation.shift = c->norms + C;
    }
}

static void free_case(conv_case *c)
{
    free_weights(&c->w);
    free(c->src), free(c->residual), free(c->before), free(c->dst), free(c->norms);
}

/* Sums over all tiles against those of what was written. */
static void check_sums(const conv_case *c)
{
    const size_t C = c->row->C_out;
    double worst = 0.0;
    for (size_t o = 0; o < C; o++) {
        double sum = 0.0, square = 0.0, size = 0.0;
        for (size_t t = 0; t < c->row->T_out; t++) {
            const double y = (double)c->dst[t * c->run.dst_stride + o];
            sum += y, square += y * y, size += fabs(y);
        }
        for (size_t i = 0; i < c->sums.n_tiles; i++) {
            sum -= (double)c->sums.rows[2 * i * c->sums.stride + o];
            square -= (double)c->sums.rows[(2 * i + 1) * c->sums.stride + o];
        }
        worst = fmax(worst, fabs(sum) / (size + 1e-9));
        worst = fmax(worst, fabs(square) / (size * size / (double)c->row->T_out + 1e-9));
    }
    CHECK_NEAR(worst, 0.0, 1e-4); /* sums in float of up to 384 rows */
}

static void run_case(conv_case *c)
{
    const kk_mark mark = kk_workspace_mark(&ws);
    memcpy(c->dst, c->before, c->row->T_out * c->run.dst_stride * sizeof(float));
    CHECK_INT(kk_convolve(&ops, &c->run), KOKORO_OK);
    check_sums(c);
    kk_workspace_release(&ws, mark);
    CHECK_INT(ws.overflown, 0);
}

static void check_case(conv_case *c)
{
    const size_t T = c->row->T_out, C = c->row->C_out, stride = c->run.dst_stride;
    double *want = malloc(T * C * sizeof(*want));
    float *dense = malloc(T * C * sizeof(*dense));
    plain_convolution(&c->run, &c->w, c->before, want);
    size_t n_touched = 0;
    for (size_t t = 0; t < T; t++) {
        memcpy(dense + t * C, c->dst + t * stride, C * sizeof(float));
        for (size_t o = C; o < stride; o++)
            n_touched += c->dst[t * stride + o] != c->before[t * stride + o];
    }
    CHECK_INT(n_touched, 0);
    /* A value that stands near the middle of two bf16 may be rounded to either. */
    const double error = relative_error(dense, want, T * C);
    const bool rounds = c->row->in_bf16 && ops.kernels->has_bf16;
    if (!(error < (rounds ? 3e-4 : 2e-6)))
        printf("convolution %zu: ", (size_t)(c->row - conv_rows));
    CHECK_NEAR(error, 0.0, rounds ? 3e-4 : 2e-6);
    free(want), free(dense);
}

TEST(a_convolution_is_the_double_loop)
{
    for (size_t i = 0; i < sizeof(conv_rows) / sizeof(conv_rows[0]); i++) {
        conv_case c;
        begin(1);
        make_case(&c, &conv_rows[i]);
        run_case(&c);
        check_case(&c);
        const size_t size = c.row->T_out * c.run.dst_stride * sizeof(float);
        float *first = malloc(size);
        memcpy(first, c.dst, size);
        end();
        for (int n_threads = 2; n_threads <= 3; n_threads++) {
            begin(n_threads);
            run_case(&c);
            CHECK(memcmp(c.dst, first, size) == 0);
            end();
        }
        free(first);
        free_case(&c);
    }
}

TEST(a_convolution_can_write_bf16)
{
    for (size_t i = 0; i < sizeof(conv_rows) / sizeof(conv_rows[0]); i++) {
        if (conv_rows[i].has_residual || conv_rows[i].accumulate)
            continue;
        conv_case c;
        begin(2);
        make_case(&c, &conv_rows[i]);
        run_case(&c);
        const size_t n = c.row->T_out * c.run.dst_stride;
        uint16_t *rounded = calloc(n, sizeof(*rounded));
        kk_conv_run run = c.run;
        run.dst = rounded;
        run.dst_is_bf16 = 1;
        run.sums = NULL;
        CHECK_INT(kk_convolve(&ops, &run), KOKORO_OK);
        size_t n_wrong = 0;
        for (size_t at = 0; at < n; at++) {
            const bool is_ours = at % run.dst_stride < c.row->C_out;
            n_wrong += rounded[at] != (is_ours ? kk_bf16_from_float(c.dst[at]) : 0);
        }
        CHECK_INT(n_wrong, 0);
        free(rounded);
        free_case(&c);
        end();
    }
}

/* Another cut gives the same rows, and its tiles' sums. */
TEST(a_convolution_can_be_cut_at_will)
{
    static const size_t starts[] = {0, 1, 41, 281, 500, 740, 980, 1220, 1460, 1700, 1940, 2000};
    static const size_t segments[] = {0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3};
    const kk_tiles tiles = {11, starts, segments};
    conv_case c;
    begin(2);
    make_case(&c, &conv_rows[10]);
    run_case(&c);
    const size_t size = c.row->T_out * c.run.dst_stride * sizeof(float);
    float *first = malloc(size);
    memcpy(first, c.dst, size);
    c.run.tiles = &tiles;
    run_case(&c);
    CHECK_INT(c.sums.n_tiles, tiles.n);
    double square = 0.0, reference = 0.0;
    for (size_t i = 0; i < size / sizeof(float); i++) {
        square += ((double)c.dst[i] - (double)first[i]) * ((double)c.dst[i] - (double)first[i]);
        reference += (double)first[i] * (double)first[i];
    }
    CHECK_NEAR(sqrt(square / reference), 0.0, 2e-6);
    free(first);
    free_case(&c);
    end();
}

TEST(a_layer_without_memory_says_so)
{
    conv_case c;
    begin(1);
    make_case(&c, &conv_rows[2]);
    CHECK(kk_workspace_alloc(&ws, ws.size - ws.used - 64) != NULL);
    CHECK_INT(kk_convolve(&ops, &c.run), KOKORO_NO_MEMORY);
    CHECK_INT(kk_attention(&ops, c.dst, 64, c.src, c.src, c.src, 64, 4, 1, 64), KOKORO_NO_MEMORY);
    kk_sums sums;
    CHECK_INT(kk_column_sums(&ops, &sums, c.src, 12, 97, 9, NULL), KOKORO_NO_MEMORY);
    CHECK(ws.overflown);
    free_case(&c);
    end();
}

/* ---- fewer multiplications ---- */

typedef struct toom_row {
    size_t C, K, n_points, dilation, T;
    int src_is_bf16, dst_is_bf16, has_residual, accumulate;
} toom_row;

static const toom_row toom_rows[] = {
    {64, 3, 6, 1, 500, 0, 0, 0, 0},   {64, 3, 6, 5, 37, 0, 0, 1, 0},
    {64, 7, 7, 1, 241, 0, 0, 0, 1},   {64, 7, 7, 3, 500, 1, 0, 1, 1},
    {128, 11, 7, 1, 239, 0, 1, 0, 0}, {64, 11, 7, 5, 700, 0, 0, 1, 0},
    {64, 11, 6, 3, 100, 0, 0, 0, 0},  {64, 7, 6, 1, 1, 0, 0, 0, 0},
};

static bool takes_floats(void)
{
    return ops.kernels->toom == KK_TOOM_FLOAT;
}

/* Weights of w[o][k][c]: bf16 [C / panel][products][C / 2][panel][2], or where the kernels take
 * floats [C / panel][products][C][panel]. */
static void *pack_toom(const float *w, size_t C, size_t K, const kk_toom_shape *shape)
{
    const size_t panel = ops.kernels->panel, n = kk_toom_products(shape);
    float *singles = calloc(whole_panels(C) * n * C, sizeof(*singles)); /* room for either */
    uint16_t *packed = (uint16_t *)(void *)singles;
    for (size_t o = 0; o < C; o++) {
        for (size_t c = 0; c < C; c++) {
            double taps[KK_TOOM_MAX_WIDTH], products[KK_TOOM_MAX_PRODUCTS];
            for (size_t k = 0; k < K; k++)
                taps[k] = (double)w[(o * K + k) * C + c];
            kk_toom_weights(products, taps, K, shape);
            for (size_t p = 0; takes_floats() && p < n; p++)
                singles[((o / panel * n + p) * C + c) * panel + o % panel] = (float)products[p];
            for (size_t p = 0; !takes_floats() && p < n; p++)
                packed[((((o / panel) * n + p) * C / 2 + c / 2) * panel + o % panel) * 2 + c % 2] =
                    kk_bf16_from_float((float)products[p]);
        }
    }
    return singles;
}

static uint16_t *rounded(const float *values, size_t n)
{
    uint16_t *to = malloc((n + 1) * sizeof(*to));
    for (size_t i = 0; i < n; i++)
        to[i] = kk_bf16_from_float(values[i]);
    return to;
}

static void check_toom(const toom_row *row)
{
    const size_t C = row->C, T = row->T, n = T * C;
    weights w;
    begin(1);
    make_weights(&w, C, row->K, C, true);
    const kk_toom_shape shape = kk_toom_cut(row->K, row->n_points);
    CHECK(shape.n_groups > 0);
    void *packed = pack_toom(w.plain, C, row->K, &shape);
    float *src = noises(n, 5), *residual = noises(n, 6), *before = noises(n, 7);
    float *dst = malloc(n * sizeof(*dst)), *first = malloc(n * sizeof(*first));
    uint16_t *src_bf16 = rounded(src, n), *dst_bf16 = malloc(n * sizeof(*dst_bf16));
    const kk_toom toom = {.weights = packed,
                          .is_float = takes_floats(),
                          .scale = w.scale,
                          .bias = w.bias,
                          .C = C,
                          .K = row->K,
                          .shape = shape};
    const bool dst_is_bf16 = row->dst_is_bf16 && !takes_floats();
    const kk_conv_run direct = {.conv = &w.conv,
                                .src = src,
                                .src_stride = C,
                                .T_in = T,
                                .dilation = row->dilation,
                                .pad = (row->K - 1) / 2 * row->dilation,
                                .activation = {.kind = KK_LEAKY, .slope = 0.3f},
                                .dst_stride = C,
                                .T_out = T,
                                .residual = row->has_residual ? residual : NULL,
                                .residual_stride = C,
                                .accumulate = row->accumulate};
    double *want = malloc(n * sizeof(*want));
    plain_convolution(&direct, &w, before, want);
    end();
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        begin(n_threads);
        memcpy(dst, before, n * sizeof(*dst));
        const kk_toom_run run = {.toom = &toom,
                                 .src = row->src_is_bf16 ? (void *)src_bf16 : (void *)src,
                                 .src_is_bf16 = row->src_is_bf16,
                                 .T = T,
                                 .dilation = row->dilation,
                                 .activation = direct.activation,
                                 .dst = dst_is_bf16 ? (void *)dst_bf16 : (void *)dst,
                                 .dst_is_bf16 = dst_is_bf16,
                                 .residual = direct.residual,
                                 .accumulate = row->accumulate};
        CHECK_INT(kk_toom_convolve(&ops, &run), KOKORO_OK);
        for (size_t i = 0; dst_is_bf16 && i < n; i++)
            dst[i] = kk_float_from_bf16(dst_bf16[i]);
        if (n_threads == 1) {
            memcpy(first, dst, n * sizeof(*dst));
            /* 6 points keep 49 dB over real inputs, 7 points 46 (kernels/toom.h); 40 is 1e-2.
             * Floats keep some 110; but the source may be rounded. */
            const bool is_rounded = !takes_floats() || row->src_is_bf16;
            CHECK_NEAR(relative_error(dst, want, n), 0.0, is_rounded ? 1e-2 : 2e-5);
        }
        CHECK(memcmp(first, dst, n * sizeof(*dst)) == 0);
        end();
    }
    free(packed), free(src), free(residual), free(before), free(dst), free(first), free(src_bf16);
    free(dst_bf16), free(want);
    free_weights(&w);
}

TEST(fewer_multiplications_give_the_same_convolution)
{
    for (size_t i = 0; i < sizeof(toom_rows) / sizeof(toom_rows[0]); i++)
        check_toom(&toom_rows[i]);
}

/* ---- LSTM ---- */

static double logistic(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

enum { MAX_H = 128 };

/* One direction; w of [4H][C_in] and r of [4H][H], gates i, o, f, c. */
static void plain_lstm(double *dst, size_t dst_stride, const float *src, size_t C_in, size_t T,
                       size_t H, const weights *w, size_t first, const float *r,
                       const float *r_scale, bool is_backward)
{
    double h[MAX_H] = {0}, c[MAX_H] = {0}, gates[4 * MAX_H];
    for (size_t i = 0; i < T; i++) {
        const size_t t = is_backward ? T - 1 - i : i;
        for (size_t g = 0; g < 4 * H; g++) {
            double x = 0.0, y = 0.0;
            for (size_t k = 0; k < C_in; k++)
                x += (double)w->plain[(first + g) * C_in + k] * (double)src[t * C_in + k];
            for (size_t k = 0; k < H; k++)
                y += (double)r[g * H + k] * h[k];
            gates[g] = (double)w->scale[first + g] * x + (double)w->bias[first + g] +
                       (double)r_scale[g] * y;
        }
        for (size_t k = 0; k < H; k++) {
            c[k] = logistic(gates[2 * H + k]) * c[k] + logistic(gates[k]) * tanh(gates[3 * H + k]);
            h[k] = logistic(gates[H + k]) * tanh(c[k]);
            dst[t * dst_stride + k] = h[k];
        }
    }
}

static void check_lstm(size_t H, size_t C_in, size_t T, bool is_pairs)
{
    weights w, r[2];
    begin(1);
    make_weights(&w, 8 * H, 1, C_in, is_pairs);
    make_weights(&r[0], 4 * H, 1, H, is_pairs);
    make_weights(&r[1], 4 * H, 1, H, is_pairs);
    const size_t size = 4 * H * H * (is_pairs ? sizeof(uint16_t) : sizeof(float));
    unsigned char *recurrent = malloc(2 * size);
    float *r_scale = malloc(8 * H * sizeof(*r_scale));
    for (size_t i = 0; i < 2; i++) {
        /* The second direction differs. */
        for (size_t at = 0; i == 1 && at < 4 * H * H; at++)
            r[1].plain[at] = -r[1].plain[at];
        void *packed = pack(r[i].plain, 4 * H, 1, H, is_pairs);
        memcpy(recurrent + i * size, packed, size);
        memcpy(r_scale + i * 4 * H, r[i].scale, 4 * H * sizeof(*r_scale));
        free(packed);
    }
    const kk_lstm lstm = {w.conv, recurrent, r_scale, H};
    float *src = noises(T * C_in, 8), *dst = malloc(T * 2 * H * sizeof(*dst));
    float *first = malloc(T * 2 * H * sizeof(*first));
    double *want = malloc(T * 2 * H * sizeof(*want));
    plain_lstm(want, 2 * H, src, C_in, T, H, &w, 0, r[0].plain, r_scale, false);
    plain_lstm(want + H, 2 * H, src, C_in, T, H, &w, 4 * H, r[1].plain, r_scale + 4 * H, true);
    end();
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        begin(n_threads);
        const size_t used = ws.used;
        CHECK_INT(kk_lstm_run(&ops, &lstm, dst, 2 * H, src, C_in, T), KOKORO_OK);
        CHECK_INT(ws.used, used);
        if (n_threads == 1) {
            memcpy(first, dst, T * 2 * H * sizeof(*dst));
            CHECK_NEAR(relative_error(dst, want, T * 2 * H), 0.0, 1e-5);
        }
        CHECK(memcmp(first, dst, T * 2 * H * sizeof(*dst)) == 0);
        end();
    }
    free(src), free(dst), free(first), free(want), free(recurrent), free(r_scale);
    free_weights(&w), free_weights(&r[0]), free_weights(&r[1]);
}

TEST(an_lstm_is_its_equations)
{
    check_lstm(64, 20, 1, false);
    check_lstm(64, 20, 2, true);
    check_lstm(64, 33, 37, true);
    check_lstm(MAX_H, 64, 19, false);
    check_lstm(MAX_H, 64, 130, true);
}

/* ---- attention ---- */

/* dst [N][n_heads * D], q, k and v beside each other in rows of `stride`. */
static void plain_attention(double *dst, const float *q, size_t stride, size_t N, size_t n_heads,
                            size_t D)
{
    const float *k = q + n_heads * D, *v = k + n_heads * D;
    double *p = malloc(N * sizeof(*p));
    for (size_t n = 0; n < N * n_heads; n++) {
        const size_t row = n / n_heads, head = n % n_heads * D;
        double sum = 0.0;
        for (size_t m = 0; m < N; m++) {
            p[m] = 0.0;
            for (size_t d = 0; d < D; d++)
                p[m] += (double)q[row * stride + head + d] * (double)k[m * stride + head + d];
            p[m] = exp(p[m] / sqrt((double)D));
            sum += p[m];
        }
        for (size_t d = 0; d < D; d++) {
            double y = 0.0;
            for (size_t m = 0; m < N; m++)
                y += p[m] / sum * (double)v[m * stride + head + d];
            dst[row * n_heads * D + head + d] = y;
        }
    }
    free(p);
}

TEST(attention_is_its_equation)
{
    static const size_t shapes[][3] = {/* N, heads, D */
                                       {1, 1, 64},
                                       {5, 3, 64},
                                       {37, 12, 64},
                                       {130, 2, 64},
                                       {23, 2, 20}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const size_t N = shapes[i][0], n_heads = shapes[i][1], D = shapes[i][2], C = n_heads * D;
        const size_t stride = 3 * C + 4;
        float *q = noises(N * stride, 9), *dst = malloc(N * C * sizeof(*dst));
        float *first = malloc(N * C * sizeof(*first));
        for (size_t at = 0; at < N * stride; at++)
            q[at] *= 3.0f;
        double *want = malloc(N * C * sizeof(*want));
        plain_attention(want, q, stride, N, n_heads, D);
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            begin(n_threads);
            const size_t used = ws.used;
            CHECK_INT(kk_attention(&ops, dst, C, q, q + C, q + 2 * C, stride, N, n_heads, D),
                      KOKORO_OK);
            CHECK_INT(ws.used, used);
            if (n_threads == 1) {
                memcpy(first, dst, N * C * sizeof(*dst));
                CHECK_NEAR(relative_error(dst, want, N * C), 0.0, 1e-5);
            }
            CHECK(memcmp(first, dst, N * C * sizeof(*dst)) == 0);
            end();
        }
        free(q), free(dst), free(first), free(want);
    }
}

/* ---- normalisation ---- */

TEST(adaptive_normalisation_is_its_equation)
{
    enum { T = 333, C = 70, STRIDE = 75 };
    float *src = noises(T * STRIDE, 10), *style = noises(2 * C, 11), scale[C], shift[C];
    for (size_t i = 0; i < T * STRIDE; i++)
        src[i] = 3.0f * src[i] + (float)(i % STRIDE) / 10.0f;
    for (size_t t = 0; t < T; t++)
        src[t * STRIDE + 3] = 2.0f; /* a channel that never moves */
    begin(3);
    kk_sums sums;
    CHECK_INT(kk_column_sums(&ops, &sums, src, STRIDE, T, C, NULL), KOKORO_OK);
    kk_adain(scale, shift, &sums, style, T, C);
    for (size_t c = 0; c < C; c++) {
        double mean = 0.0, variance = 0.0;
        for (size_t t = 0; t < T; t++)
            mean += (double)src[t * STRIDE + c] / T;
        for (size_t t = 0; t < T; t++)
            variance += pow((double)src[t * STRIDE + c] - mean, 2.0) / T;
        const double factor = (1.0 + (double)style[c]) / sqrt(variance + 1e-5);
        const double limit = c == 3 ? 1e-2 : 1e-5;
        CHECK_NEAR((double)scale[c] / factor, 1.0, limit);
        CHECK_NEAR(shift[c], (double)style[C + c] - mean * factor,
                   limit * (1.0 + fabs(mean * factor)));
    }
    free(src), free(style);
    end();
}

TEST_MAIN(T(the_pool_runs_every_task_once), T(a_limit_leaves_threads_out_from_the_next_run_on),
          T(a_cancelled_pool_leaves_out_what_has_not_begun), T(rows_are_seen_once),
          T(the_workspace_is_a_stack), T(a_convolution_is_the_double_loop),
          T(a_convolution_can_write_bf16), T(a_convolution_can_be_cut_at_will),
          T(a_layer_without_memory_says_so), T(fewer_multiplications_give_the_same_convolution),
          T(an_lstm_is_its_equations), T(attention_is_its_equation),
          T(adaptive_normalisation_is_its_equation))
