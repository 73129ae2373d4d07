/*
 * test_bench_statistics.c - order statistics and the Mann-Whitney test against values that R gives
 * (quantile, mad, wilcox.test of R 4; its own example data).
 */
#include "base/alloc.h"
#include "bench/statistics.h"
#include "check.h"

#define SAMPLES(array)                                                                             \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }

TEST(quantiles_are_of_type_7)
{
    double values[] = {20.0, 1.0, 8.0, 3.0, 7.0};
    const kk_samples samples = SAMPLES(values);
    kk_summary summary;
    CHECK_INT(kk_summarise(&samples, &summary), KOKORO_OK);
    CHECK_INT(summary.n, 5);
    CHECK_NEAR(summary.min, 1.0, 0.0);
    CHECK_NEAR(summary.median, 7.0, 0.0);
    CHECK_NEAR(summary.mean, 7.8, 1e-12);
    CHECK_NEAR(summary.p95, 17.6, 1e-12);
    CHECK_NEAR(summary.max, 20.0, 0.0);
    CHECK_NEAR(summary.spread_percent, 100.0 * 5.9304 / 7.0, 1e-9);
    CHECK_NEAR(values[0], 20.0, 0.0);
}

TEST(even_single_and_empty_sets)
{
    double values[] = {4.0, 2.0, 1.0, 3.0};
    kk_samples samples = SAMPLES(values);
    kk_summary summary;
    CHECK_INT(kk_summarise(&samples, &summary), KOKORO_OK);
    CHECK_NEAR(summary.median, 2.5, 1e-12);
    CHECK_NEAR(summary.p95, 3.85, 1e-12);
    samples.n = 1;
    CHECK_INT(kk_summarise(&samples, &summary), KOKORO_OK);
    CHECK_NEAR(summary.min, 4.0, 0.0);
    CHECK_NEAR(summary.p95, 4.0, 0.0);
    CHECK_NEAR(summary.spread_percent, 0.0, 0.0);
    samples.n = 0;
    CHECK_INT(kk_summarise(&samples, &summary), KOKORO_OK);
    CHECK_INT(summary.n, 0);
    CHECK_NEAR(summary.median, 0.0, 0.0);
}

TEST(memory_is_out)
{
    double values[] = {1.0};
    const kk_samples samples = SAMPLES(values);
    kk_summary summary = {.n = 9};
    kk_alloc_fail_at(1, 0);
    CHECK_INT(kk_summarise(&samples, &summary), KOKORO_NO_MEMORY);
    kk_alloc_fail_at(0, 0);
    CHECK_INT(summary.n, 0);
}

TEST(mann_whitney_exact)
{
    double x[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
    double y[] = {1.15, 0.88, 0.90, 0.74, 1.21};
    const kk_samples a = SAMPLES(x), b = SAMPLES(y);
    CHECK_NEAR(kk_mann_whitney(&a, &b), 2.0 * 0.1272061272, 1e-9);
    CHECK_NEAR(kk_mann_whitney(&b, &a), 2.0 * 0.1272061272, 1e-9);
}

/* Apart altogether: 2 arrangements of n over k. */
TEST(mann_whitney_of_sets_that_do_not_meet)
{
    double low[20], high[20];
    for (int i = 0; i < 20; i++) {
        low[i] = i;
        high[i] = 100.0 + i;
    }
    kk_samples a = {low, 3}, b = {high, 3};
    CHECK_NEAR(kk_mann_whitney(&a, &b), 2.0 / 20.0, 1e-12);
    a.n = 5;
    b.n = 5;
    CHECK_NEAR(kk_mann_whitney(&a, &b), 2.0 / 252.0, 1e-12);
    a.n = 20;
    b.n = 20;
    CHECK_NEAR(kk_mann_whitney(&a, &b) / (2.0 / 137846528820.0), 1.0, 1e-9);
}

TEST(mann_whitney_approximate_with_ties)
{
    /* Ozone in New York, May and August 1973 (R's data set airquality): W = 127.5. */
    double may[] = {41, 36, 12, 18, 28, 23, 19, 8, 7,  16, 11, 14,  18,
                    14, 34, 6,  30, 11, 1,  11, 4, 32, 23, 45, 115, 37};
    double august[] = {39, 9,  16, 78, 35, 66, 122, 89,  110, 44, 28,  65, 22,
                       59, 23, 31, 44, 21, 9,  45,  168, 73,  76, 118, 84, 85};
    const kk_samples a = SAMPLES(may), b = SAMPLES(august);
    CHECK_NEAR(kk_mann_whitney(&a, &b), 0.0001208, 5e-8);
}

TEST(mann_whitney_of_nothing_and_of_the_same)
{
    double values[] = {1.0, 1.0, 1.0, 1.0, 1.0};
    const kk_samples a = SAMPLES(values), none = {NULL, 0};
    CHECK_NEAR(kk_mann_whitney(&a, &none), 1.0, 0.0);
    CHECK_NEAR(kk_mann_whitney(&none, &a), 1.0, 0.0);
    CHECK_NEAR(kk_mann_whitney(&a, &a), 1.0, 0.0);
}

TEST_MAIN(T(quantiles_are_of_type_7), T(even_single_and_empty_sets), T(memory_is_out),
          T(mann_whitney_exact), T(mann_whitney_of_sets_that_do_not_meet),
          T(mann_whitney_approximate_with_ties), T(mann_whitney_of_nothing_and_of_the_same))
