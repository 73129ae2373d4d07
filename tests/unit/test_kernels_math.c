/*
 * test_kernels_math.c - sin, exp, tanh, sigmoid, atan2 and gelu of every table that this CPU runs,
 * against libm in double precision over a dense sweep of floats: every KK_SWEEP_STRIDE-th bit
 * pattern of both signs.
 *
 * The limits are four times the errors beside them: the largest over ALL floats of the range,
 * measured once with avx512 (the tables do the same operations in the same order); of atan2, of two
 * numbers, over 12 million pairs.
 */
#define _GNU_SOURCE
#include "kernel_check.h"

#ifndef KK_SWEEP_STRIDE
#define KK_SWEEP_STRIDE 1009 /* a prime */
#endif

enum { BLOCK = 1003, STRIDE = KK_SWEEP_STRIDE }; /* a block with a tail at every width */

typedef void map_kernel(float *dst, const float *x, size_t n);

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* The largest error(x, got) over floats of both signs with from <= |x| <= to. */
static double sweep(map_kernel *kernel, float from, float to, double (*error)(float x, float got))
{
    float *x = edge_floats(0, BLOCK), *dst = edge_floats(1, BLOCK);
    double largest = 0.0;
    const uint32_t last = bits_of(to);
    for (uint32_t bits = bits_of(from); bits <= last;) {
        size_t n = 0;
        for (; n + 2 <= BLOCK && bits <= last; bits += STRIDE) {
            x[n++] = of_bits(bits);
            x[n++] = -of_bits(bits);
        }
        for (; n < BLOCK; n++)
            x[n] = of_bits(last);
        kernel(dst, x, BLOCK);
        for (size_t i = 0; i < BLOCK; i++)
            keep_largest(&largest, error(x[i], dst[i]));
    }
    return largest;
}

static double absolute(double got, double want)
{
    return fabs(got - want);
}

static double relative(double got, double want)
{
    return want != 0.0 ? fabs(got / want - 1.0) : fabs(got);
}

static double sin_absolute(float x, float got)
{
    return absolute((double)got, sin((double)x));
}

static double sin_relative(float x, float got)
{
    return relative((double)got, sin((double)x));
}

static double exp_relative(float x, float got)
{
    const double clamped = fmin(fmax((double)x, -87.0), 88.0);
    return relative((double)got, exp(clamped));
}

static double tanh_relative(float x, float got)
{
    return relative((double)got, tanh((double)x));
}

static double sigmoid_relative(float x, float got)
{
    return relative((double)got, 1.0 / (1.0 + exp(-(double)x)));
}

static double sigmoid_absolute(float x, float got)
{
    return absolute((double)got, 1.0 / (1.0 + exp(-(double)x)));
}

/* Of the whole x: the function lies between 0 and x. */
static double gelu_of_x(float x, float got)
{
    const double v = (double)x;
    const double z = sqrt(2.0 / 3.14159265358979323846) * (v + 0.044715 * v * v * v);
    const double want = v / (1.0 + exp(-2.0 * z));
    return x != 0.0f ? absolute((double)got, want) / fabs(v) : fabs((double)got);
}

TEST(sine)
{
    FOR_EACH_TABLE(table)
    {
        CHECK_ERROR(table, "sin, |x| <= 1e6", sweep(table->sin, 0.0f, 1e6f, sin_absolute),
                    7.9e-7); /* 1.97e-7 */
        CHECK_ERROR(table, "sin, |x| <= 100", sweep(table->sin, 0.0f, 100.0f, sin_absolute),
                    5e-7); /* 1.25e-7 */
        CHECK_ERROR(table, "sin, |x| <= 1, relative", sweep(table->sin, 1e-37f, 1.0f, sin_relative),
                    2.9e-7); /* 7.29e-8 */
    }
}

TEST(exponential)
{
    FOR_EACH_TABLE(table)
    {
        CHECK_ERROR(table, "exp, relative", sweep(table->exp, 0.0f, 1e30f, exp_relative),
                    4e-7); /* 1.00e-7 */
    }
}

TEST(hyperbolic_tangent)
{
    FOR_EACH_TABLE(table)
    {
        CHECK_ERROR(table, "tanh, relative", sweep(table->tanh, 1e-37f, 1e30f, tanh_relative),
                    5.7e-7); /* 1.43e-7 */
    }
}

TEST(logistic)
{
    FOR_EACH_TABLE(table)
    {
        CHECK_ERROR(table, "sigmoid, relative",
                    sweep(table->sigmoid, 0.0f, 86.0f, sigmoid_relative), 6.2e-7); /* 1.56e-7 */
        CHECK_ERROR(table, "sigmoid, beyond", sweep(table->sigmoid, 86.0f, 1e30f, sigmoid_absolute),
                    2.4e-38); /* 6.05e-39 */
    }
}

/* The table of kernels that have another form than a map. */
static const kk_kernels *map_table;

static void gelu_into(float *dst, const float *x, size_t n)
{
    if (dst != x)
        memcpy(dst, x, n * sizeof(float));
    map_table->gelu_tanh(dst, n);
}

TEST(gelu)
{
    FOR_EACH_TABLE(table)
    {
        map_table = table;
        CHECK_ERROR(table, "gelu, of x", sweep(gelu_into, 1e-37f, 1e6f, gelu_of_x),
                    5.9e-7); /* 1.48e-7 */
    }
}

TEST(arctangent)
{
    FOR_EACH_TABLE(table)
    {
        float *y = edge_floats(0, BLOCK), *x = edge_floats(1, BLOCK), *dst = edge_floats(2, BLOCK);
        double largest = 0.0;
        for (uint32_t bits = bits_of(1e-20f); bits < bits_of(1e20f);) {
            for (size_t i = 0; i < BLOCK; i++, bits += STRIDE / 4) {
                y[i] = of_bits(bits) * (i % 2 == 0 ? 1.0f : -1.0f);
                x[i] = any_number();
            }
            table->atan2(dst, y, x, BLOCK);
            for (size_t i = 0; i < BLOCK; i++)
                keep_largest(&largest, relative((double)dst[i], atan2((double)y[i], (double)x[i])));
        }
        CHECK_ERROR(table, "atan2, relative", largest, 6e-7); /* 1.50e-7 */
    }
}

/* On the axes, and at the centre, where C's own atan2 gives 0 too; -0 counts as 0. */
TEST(arctangent_of_the_axes)
{
    static const float points[][3] = {
        /* y, x, angle / pi */
        {0.0f, 0.0f, 0.0f},    {-0.0f, 0.0f, 0.0f},  {0.0f, 2.0f, 0.0f},    {0.0f, -2.0f, 1.0f},
        {-0.0f, -2.0f, 1.0f},  {3.0f, 0.0f, 0.5f},   {-3.0f, 0.0f, -0.5f},  {1.0f, 1.0f, 0.25f},
        {-1.0f, 1.0f, -0.25f}, {1.0f, -1.0f, 0.75f}, {-1.0f, -1.0f, -0.75f}};
    FOR_EACH_TABLE(table)
    {
        for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
            float angle;
            table->atan2(&angle, &points[i][0], &points[i][1], 1);
            const double want = (double)points[i][2] * 3.14159265358979323846;
            CHECK_NEAR(angle, want, 2.0 * HALF_ULP * fabs(want));
        }
    }
}

TEST(values_at_the_ends)
{
    static const float x[] = {0.0f, -0.0f, 1e9f, -1e9f, 90.0f, -90.0f};
    FOR_EACH_TABLE(table)
    {
        float got[6];
        table->exp(got, x, 6);
        CHECK(got[0] == 1.0f && got[1] == 1.0f && got[2] == got[4] && got[3] == got[5]);
        table->tanh(got, x, 6);
        CHECK(got[0] == 0.0f && !signbit(got[0]) && got[1] == 0.0f && signbit(got[1]));
        CHECK(got[2] == 1.0f && got[3] == -1.0f && got[4] == 1.0f && got[5] == -1.0f);
        table->sigmoid(got, x, 6);
        CHECK(got[0] == 0.5f && got[1] == 0.5f && got[2] == 1.0f && got[4] == 1.0f);
        CHECK(got[3] >= 0.0f && got[3] < 1e-37f);
        table->sin(got, x, 2);
        CHECK(got[0] == 0.0f && got[1] == 0.0f);
    }
}

/* Any length, at the edge of memory and in place, gives the bits that one number alone gives. */
static void check_lengths(map_kernel *kernel)
{
    float x[70], alone[70];
    fill_any(x, 70, 10.0f);
    for (size_t i = 0; i < 70; i++)
        kernel(&alone[i], &x[i], 1);
    for (size_t n = 1; n <= 70; n++) {
        float *src = edge_copy(0, x, n), *dst = edge_floats(1, n);
        kernel(dst, src, n);
        CHECK(memcmp(dst, alone, n * sizeof(float)) == 0);
        kernel(src, src, n);
        CHECK(memcmp(src, alone, n * sizeof(float)) == 0);
        CHECK(edge_is_whole(0) && edge_is_whole(1));
    }
}

static void atan2_of_one(float *dst, const float *x, size_t n)
{
    float *second = edge_floats(2, n);
    for (size_t i = 0; i < n; i++)
        second[i] = -0.3f;
    map_table->atan2(dst, x, second, n);
}

TEST(every_length)
{
    FOR_EACH_TABLE(table)
    {
        map_table = table;
        check_lengths(table->sin);
        check_lengths(table->exp);
        check_lengths(table->tanh);
        check_lengths(table->sigmoid);
        check_lengths(gelu_into);
        check_lengths(atan2_of_one);
    }
}

TEST_MAIN(T(sine), T(exponential), T(hyperbolic_tangent), T(logistic), T(gelu), T(arctangent),
          T(arctangent_of_the_axes), T(values_at_the_ends), T(every_length))
