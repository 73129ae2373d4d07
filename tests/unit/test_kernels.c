/*
 * test_kernels.c - the choice of a table, bf16, and the kernels over rows (activation, sums,
 * normalisations, softmax, LSTM step) of every table that this CPU runs, against double precision.
 * The convolutions are in test_kernels_conv.c, functions of one number in test_kernels_math.c.
 *
 * Limits are derived where a line says so, else four times the error measured over these inputs on
 * an x86 CPU with AVX-512 BF16; the largest of all tables stands beside each.
 */
#define _GNU_SOURCE
#include "hardware/cpu.h"
#include "kernel_check.h"

enum { AT_SRC, AT_DST, AT_SECOND, AT_GAIN, AT_SHIFT, AT_ALPHA, AT_INVERSE, AT_WEIGHTS, AT_STATE };

TEST(choice_of_a_table)
{
    const kk_kernels *best = kk_kernels_choose(NULL);
    CHECK(kk_kernels_choose("") == best);
    CHECK_STR(best->name, kk_cpu_instruction_set());
    CHECK(kk_kernels_choose("sse9") == NULL);
    CHECK(kk_kernels_choose("AVX2") == NULL);
    CHECK_STR(kk_kernels_choose("ref")->name, "ref");
    CHECK_STR(kk_kernels_all[0]->name, "ref");
    /* A mask never raises the level: of an unknown higher one the best of this CPU is left. */
    CHECK(kk_kernels_choose("avx512bf16") == best || strcmp(best->name, "neon") == 0);
    FOR_EACH_TABLE(table)
    {
        CHECK(table->panel == 16 || table->panel == 64);
        CHECK(table->conv_bf16 && table->conv_pairs && table->conv_singles);
        CHECK(table->activate_bf16 && table->activate && table->column_sums);
        CHECK(table->layer_norm && table->gelu_tanh && table->softmax && table->lstm_step);
        CHECK(table->sin && table->exp && table->tanh && table->sigmoid && table->atan2);
        CHECK(table->toom_input && table->conv_toom && table->peak_fma);
    }
}

/* The nearest of all bf16 by search among the neighbours; the even one of two as near. */
TEST(bf16_rounds_to_nearest_even)
{
    size_t n_wrong = 0;
    for (uint32_t bits = 0; bits < 0x7F7F0000u; bits += 4093) {
        float x;
        memcpy(&x, &bits, sizeof(x));
        const uint16_t low = (uint16_t)(bits >> 16), got = kk_bf16_from_float(x);
        const double below = (double)x - (double)kk_float_from_bf16(low);
        const double above = (double)kk_float_from_bf16((uint16_t)(low + 1)) - (double)x;
        const uint16_t tie = (low & 1u) != 0 ? (uint16_t)(low + 1) : low;
        const uint16_t want = below < above ? low : (above < below ? (uint16_t)(low + 1) : tie);
        n_wrong += got != want;
        n_wrong += kk_bf16_from_float(-x) != (want | 0x8000u);
    }
    CHECK_INT(n_wrong, 0);
    for (uint32_t i = 0; i <= 0xFFFF; i++) {
        const float x = kk_float_from_bf16((uint16_t)i);
        const uint16_t again = kk_bf16_from_float(x);
        if (isnan(x) ? !isnan(kk_float_from_bf16(again)) : again != i)
            n_wrong++;
    }
    CHECK_INT(n_wrong, 0);
    CHECK(isinf(kk_float_from_bf16(kk_bf16_from_float(3.4e38f))));
}

/* Parameters of C channels at the edge. */
static kk_activation make_activation(int kind, int is_affine, size_t C)
{
    float *scale = edge_floats(AT_GAIN, C), *shift = edge_floats(AT_SHIFT, C);
    float *alpha = edge_floats(AT_ALPHA, C), *inverse = edge_floats(AT_INVERSE, C);
    fill_any(scale, C, 2.0f);
    fill_any(shift, C, 2.0f);
    for (size_t c = 0; c < C; c++) {
        alpha[c] = 3.0f + 2.9f * any_number();
        inverse[c] = 1.0f / alpha[c];
    }
    kk_activation act = {.kind = kind, .slope = 0.2f};
    if (is_affine) {
        act.scale = scale;
        act.shift = shift;
    }
    if (kind == KK_SNAKE) {
        act.alpha = alpha;
        act.inv_alpha = inverse;
    }
    return act;
}

/* The activation in double precision, and the size of its terms. */
static double want_activation(const kk_activation *act, float value, size_t c, double *size)
{
    const double x = (double)value;
    const double y = act->scale != NULL ? x * (double)act->scale[c] + (double)act->shift[c] : x;
    *size = act->scale != NULL ? fabs(x * (double)act->scale[c]) + fabs((double)act->shift[c])
                               : fabs(x);
    if (act->kind == KK_LEAKY)
        return y < 0.0 ? y * (double)act->slope : y;
    if (act->kind == KK_SNAKE) {
        const double s = sin((double)act->alpha[c] * y);
        *size += (double)act->inv_alpha[c];
        return y + s * s * (double)act->inv_alpha[c];
    }
    return y;
}

/* Errors in units of 2^-24 of the terms; bf16 are the nearest of the floats. */
static void check_activation(const kk_kernels *table, const kk_activation *act, size_t n_rows,
                             size_t C, double *largest)
{
    const size_t src_stride = C + 3, dst_stride = C + 2;
    const size_t n_src = (n_rows - 1) * src_stride + C, n_dst = (n_rows - 1) * dst_stride + C;
    float *src = edge_floats(AT_SRC, n_src), *dst = edge_floats(AT_DST, n_dst);
    uint16_t *rounded = edge_take(AT_SECOND, n_dst * sizeof(*rounded));
    fill_any(src, n_src, 5.0f);
    memset(dst, 0x55, n_dst * sizeof(*dst));
    memset(rounded, 0x55, n_dst * sizeof(*rounded));
    table->activate(dst, dst_stride, src, src_stride, n_rows, C, act);
    table->activate_bf16(rounded, dst_stride, src, src_stride, n_rows, C, act);
    size_t n_wrong = 0;
    for (size_t at = 0; at < n_dst; at++) {
        const size_t t = at / dst_stride, c = at % dst_stride;
        double size, want;
        if (c >= C) {
            uint32_t gap;
            memcpy(&gap, &dst[at], sizeof(gap));
            n_wrong += gap != 0x55555555u || rounded[at] != 0x5555u;
            continue;
        }
        want = want_activation(act, src[t * src_stride + c], c, &size);
        keep_largest(largest, fabs((double)dst[at] - want) / (HALF_ULP * size));
        n_wrong += rounded[at] != kk_bf16_from_float(dst[at]);
    }
    CHECK_INT(n_wrong, 0);
    CHECK(edge_is_whole(AT_DST) && edge_is_whole(AT_SECOND));
}

TEST(activation)
{
    static const double limits[] = {
        [KK_LINEAR] = 1.001, /* derived: one rounding of a result below the size of its terms */
        [KK_LEAKY] = 1.3,    /* derived: one more of 0.2 y */
        [KK_SNAKE] = 99.0};  /* measured */
    static const char *const names[] = {"activate, linear", "activate, leaky", "activate, snake"};
    FOR_EACH_TABLE(table)
    {
        for (int kind = KK_LINEAR; kind <= KK_SNAKE; kind++) {
            double largest = 0.0;
            for (size_t C = 1; C <= 130; C += C < 40 ? 1 : 45) {
                for (int is_affine = 0; is_affine < 2; is_affine++) {
                    const kk_activation act = make_activation(kind, is_affine, C);
                    for (size_t n_rows = 1; n_rows <= 7; n_rows += 3)
                        check_activation(table, &act, n_rows, C, &largest);
                }
            }
            CHECK_ERROR(table, names[kind], largest, limits[kind]);
        }
    }
}

/* Derived: n_rows roundings and that of the sum before. */
TEST(sums_of_columns)
{
    FOR_EACH_TABLE(table)
    {
        size_t n_wrong = 0;
        for (size_t C = 1; C <= 130; C += C < 40 ? 1 : 45) {
            for (size_t n_rows = 0; n_rows <= 5; n_rows++) {
                const size_t stride = C + 1, sums_stride = C + 7;
                const size_t n = n_rows > 0 ? (n_rows - 1) * stride + C : 0;
                float *src = edge_floats(AT_SRC, n), *sums = edge_floats(AT_DST, sums_stride + C);
                float before[2 * 140];
                fill_any(src, n, 3.0f);
                fill_any(sums, sums_stride + C, 1.0f);
                memcpy(before, sums, (sums_stride + C) * sizeof(float));
                table->column_sums(sums, sums_stride, src, stride, n_rows, C);
                for (size_t at = 0; at < sums_stride + C; at++) {
                    double want = (double)before[at], size = fabs(want);
                    const size_t c = at % sums_stride;
                    for (size_t t = 0; t < n_rows && c < C; t++) {
                        const double x = (double)src[t * stride + c];
                        want += at < C ? x : x * x;
                        size += at < C ? fabs(x) : x * x;
                    }
                    const double limit = c < C ? HALF_ULP * (double)(n_rows + 1) * size : 0.0;
                    n_wrong += !(fabs((double)sums[at] - want) <= limit);
                }
                CHECK(edge_is_whole(AT_DST));
            }
        }
        CHECK_INT(n_wrong, 0);
    }
}

/* One row in double precision; the error of the kernel's in units of 2^-24 of the terms, where
 * those of the normalised x count by the size of x before. */
static double layer_norm_error(const float *got, const float *x, const float *gain,
                               const float *shift, double eps, size_t C)
{
    double mean = 0.0, square = 0.0, size = 0.0, largest = 0.0;
    for (size_t c = 0; c < C; c++)
        mean += (double)x[c] / (double)C;
    for (size_t c = 0; c < C; c++) {
        square += ((double)x[c] - mean) * ((double)x[c] - mean);
        size = fmax(size, fabs((double)x[c]));
    }
    const double deviation = sqrt(square / (double)C + eps);
    for (size_t c = 0; c < C; c++) {
        const double y = ((double)x[c] - mean) / deviation, g = (double)gain[c];
        const double want = y * g + (double)shift[c];
        const double terms = fabs(g) * (fabs(y) + size / deviation) + fabs((double)shift[c]);
        keep_largest(&largest, fabs((double)got[c] - want) / (HALF_ULP * terms));
    }
    return largest;
}

static void check_layer_norm(const kk_kernels *table, size_t n_rows, size_t C, int in,
                             double *largest)
{
    static float a[3 * 800], b[3 * 800], sum[3 * 800];
    const size_t n = n_rows * C;
    const float offset = in > 0 ? 10.0f : 0.0f;
    for (size_t i = 0; i < n; i++) {
        a[i] = any_number() + offset;
        b[i] = any_number();
        sum[i] = in > 0 ? a[i] + b[i] : a[i];
    }
    float *gain = edge_floats(AT_GAIN, C), *shift = edge_floats(AT_SHIFT, C);
    fill_any(gain, C, 2.0f);
    fill_any(shift, C, 1.0f);
    float *at_a = edge_copy(AT_SRC, a, n), *at_b = edge_copy(AT_SECOND, b, n);
    float *dst = in == 1 ? edge_floats(AT_DST, n) : (in == 2 ? at_b : at_a);
    table->layer_norm(dst, at_a, in > 0 ? at_b : NULL, gain, shift, 1e-5f, n_rows, C);
    for (size_t t = 0; t < n_rows; t++)
        keep_largest(largest,
                     layer_norm_error(dst + t * C, sum + t * C, gain, shift, (double)1e-5f, C));
    CHECK(edge_is_whole(AT_SRC) && edge_is_whole(AT_SECOND));
}

/* In place, of a sum, and of a sum into its second part. */
TEST(layer_normalisation)
{
    FOR_EACH_TABLE(table)
    {
        double largest = 0.0;
        for (size_t C = 1; C <= 768; C += C < 40 ? 1 : 104) {
            for (size_t n_rows = 1; n_rows <= 3; n_rows++) {
                for (int in = 0; in < 3; in++)
                    check_layer_norm(table, n_rows, C, in, &largest);
            }
        }
        /* Measured: 15 of ref, whose sum is one long chain, 2.63 of the others. */
        CHECK_ERROR(table, "layer_norm", largest, strcmp(table->name, "ref") == 0 ? 60.0 : 10.6);
    }
}

static void check_softmax(const kk_kernels *table, size_t n, double *largest)
{
    static float x[4 * 520];
    const size_t n_rows = 3, stride = n + 2, all = (n_rows - 1) * stride + n;
    fill_any(x, all, 20.0f);
    float *got = edge_copy(AT_DST, x, all);
    table->softmax(got, stride, n_rows, n);
    for (size_t t = 0; t < n_rows; t++) {
        const float *row = x + t * stride;
        double top = (double)row[0], sum = 0.0;
        for (size_t i = 0; i < n; i++)
            top = fmax(top, (double)row[i]);
        for (size_t i = 0; i < n; i++)
            sum += exp((double)row[i] - top);
        for (size_t i = 0; i < n; i++) {
            const double want = exp((double)row[i] - top) / sum;
            /* The difference from the largest is rounded: that error grows with it. */
            const double terms = want * (1.0 + fabs((double)row[i] - top));
            keep_largest(largest, fabs((double)got[t * stride + i] - want) / (HALF_ULP * terms));
        }
        for (size_t i = n; i < stride && t + 1 < n_rows; i++)
            CHECK(memcmp(&got[t * stride + i], &row[i], sizeof(float)) == 0);
    }
    CHECK(edge_is_whole(AT_DST));
}

TEST(softmax)
{
    FOR_EACH_TABLE(table)
    {
        double largest = 0.0;
        for (size_t n = 1; n <= 512; n += n < 40 ? 1 : 59)
            check_softmax(table, n, &largest);
        /* Measured: 7.36 of ref, whose sum is one long chain, 3.08 of the others. */
        CHECK_ERROR(table, "softmax", largest, strcmp(table->name, "ref") == 0 ? 29.0 : 12.4);
    }
}

static double logistic(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* Panels of the recurrent matrix [4H][H], as kernels.h lays them out; w as it can be stored. */
static void *pack_recurrent(float *w, int is_pairs, size_t panel, size_t H)
{
    const size_t n = 4 * H * H;
    float *singles = is_pairs ? NULL : edge_floats(AT_WEIGHTS, n);
    uint16_t *pairs = is_pairs ? edge_take(AT_WEIGHTS, n * sizeof(*pairs)) : NULL;
    for (size_t o = 0; o < 4 * H; o++) {
        for (size_t i = 0; i < H; i++) {
            const size_t step = is_pairs ? 2 : 1;
            const size_t at =
                o / panel * panel * H + (i / step * panel + o % panel) * step + i % step;
            if (is_pairs) {
                pairs[at] = kk_bf16_from_float(w[o * H + i]);
                w[o * H + i] = kk_float_from_bf16(pairs[at]);
            } else
                singles[at] = w[o * H + i];
        }
    }
    return is_pairs ? (void *)pairs : (void *)singles;
}

/* One step in double precision from the state before: the largest error of h and c. */
static double lstm_error(const kk_lstm_args *args, const float *w, const float *h, const float *c)
{
    const size_t H = args->H;
    double largest = 0.0;
    for (size_t j = 0; j < H; j++) {
        double gate[4];
        for (size_t g = 0; g < 4; g++) {
            const size_t o = g * H + j;
            gate[g] = 0.0;
            for (size_t i = 0; i < H; i++)
                gate[g] += (double)h[i] * (double)w[o * H + i];
            gate[g] = gate[g] * (double)args->r_scale[o] + (double)args->x[o];
        }
        const double cell = logistic(gate[2]) * (double)c[j] + logistic(gate[0]) * tanh(gate[3]);
        keep_largest(&largest, fabs((double)args->c[j] - cell));
        keep_largest(&largest, fabs((double)args->h[j] - logistic(gate[1]) * tanh(cell)));
    }
    return largest;
}

static double check_lstm(const kk_kernels *table, int is_pairs, size_t H)
{
    static float w[4 * 256 * 256], h[256], c[256];
    double largest = 0.0;
    fill_any(w, 4 * H * H, 1.0f);
    float *state = edge_floats(AT_STATE, 2 * H), *x = edge_floats(AT_SRC, 4 * H);
    float *scale = edge_floats(AT_GAIN, 4 * H);
    fill_any(state, 2 * H, 1.0f);
    for (size_t o = 0; o < 4 * H; o++)
        scale[o] = 0.2f + 0.1f * any_number();
    kk_lstm_args args = {.h = state + H,
                         .c = state,
                         .gates = edge_floats(AT_DST, 4 * H),
                         .x = x,
                         .r = pack_recurrent(w, is_pairs, table->panel, H),
                         .is_pairs = is_pairs,
                         .r_scale = scale,
                         .H = H};
    for (int step = 0; step < 4; step++) {
        fill_any(x, 4 * H, 2.0f);
        memcpy(h, args.h, H * sizeof(float));
        memcpy(c, args.c, H * sizeof(float));
        table->lstm_step(&args);
        keep_largest(&largest, lstm_error(&args, w, h, c));
        CHECK(edge_is_whole(AT_STATE) && edge_is_whole(AT_DST));
    }
    return largest;
}

TEST(lstm_step)
{
    FOR_EACH_TABLE(table)
    {
        double largest = 0.0;
        for (size_t H = 64; H <= 256; H += 64) {
            keep_largest(&largest, check_lstm(table, 0, H));
            keep_largest(&largest, check_lstm(table, 1, H));
        }
        CHECK_ERROR(table, "lstm_step", largest, 3.6e-6); /* measured: 8.95e-07 */
    }
}

TEST_MAIN(T(choice_of_a_table), T(bf16_rounds_to_nearest_even), T(activation), T(sums_of_columns),
          T(layer_normalisation), T(softmax), T(lstm_step))
