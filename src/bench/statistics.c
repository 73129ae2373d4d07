#include "bench/statistics.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Makes the median absolute deviation of a normal distribution its standard deviation:
 * 1 / (the upper quartile of the standard normal distribution). */
static const double MAD_TO_DEVIATION = 1.4826;

enum { MAX_EXACT = 20 };

static int by_value(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double part)
{
    const double place = part * (double)(n - 1);
    const size_t below = (size_t)place;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

int kk_summarise(const kk_samples *samples, kk_summary *out)
{
    const size_t n = samples->n;
    *out = (kk_summary){0};
    if (n == 0)
        return KOKORO_OK;
    double *sorted = kk_calloc(n, sizeof(*sorted));
    if (sorted == NULL)
        return KOKORO_NO_MEMORY;
    memcpy(sorted, samples->values, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_value);
    const double median = quantile(sorted, n, 0.5);
    *out = (kk_summary){.n = n,
                        .min = sorted[0],
                        .median = median,
                        .p95 = quantile(sorted, n, 0.95),
                        .max = sorted[n - 1]};
    for (size_t i = 0; i < n; i++) {
        out->mean += sorted[i] / (double)n;
        sorted[i] = fabs(sorted[i] - median);
    }
    qsort(sorted, n, sizeof(*sorted), by_value);
    if (median > 0.0)
        out->spread_percent = 100.0 * MAD_TO_DEVIATION * quantile(sorted, n, 0.5) / median;
    kk_free(sorted);
    return KOKORO_OK;
}

/*
 * P(U <= u) without ties: the number of arrangements with each U are the coefficients of the
 * Gaussian binomial, the product over i = 1 .. n_a of (1 - q^(n_b + i)) / (1 - q^i). They are at
 * most 40 choose 20, exact in double.
 */
static double exact_lower_tail(size_t n_a, size_t n_b, size_t u)
{
    double ways[MAX_EXACT * MAX_EXACT + 1] = {1.0};
    const size_t top = n_a * n_b;
    for (size_t i = 1; i <= n_a; i++) {
        for (size_t k = top; k >= n_b + i; k--)
            ways[k] -= ways[k - n_b - i];
        for (size_t k = i; k <= top; k++)
            ways[k] += ways[k - i];
    }
    double below = 0.0, all = 0.0;
    for (size_t k = 0; k <= top; k++) {
        all += ways[k];
        if (k <= u)
            below += ways[k];
    }
    return below / all;
}

static size_t count_equal(const kk_samples *samples, double value)
{
    size_t n = 0;
    for (size_t i = 0; i < samples->n; i++)
        n += samples->values[i] == value ? 1 : 0;
    return n;
}

/* Sum of t^3 - t over the groups of t equal values of both sets: each of the t values of a group
 * gives t^2 - 1. */
static double tie_sum(const kk_samples *a, const kk_samples *b)
{
    const kk_samples *const sets[] = {a, b};
    double sum = 0.0;
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < sets[s]->n; i++) {
            const double value = sets[s]->values[i];
            const double t = (double)(count_equal(a, value) + count_equal(b, value));
            sum += t * t - 1.0;
        }
    }
    return sum;
}

/* Method: Mann and Whitney 1947; the normal approximation with correction for ties and continuity
 * as in Hollander and Wolfe, Nonparametric Statistical Methods, 4.1. All pairs are compared: sets
 * of a benchmark are tens of values, and no memory is needed. */
double kk_mann_whitney(const kk_samples *a, const kk_samples *b)
{
    if (a->n == 0 || b->n == 0)
        return 1.0;
    double u = 0.0; /* pairs whose a is larger, half a pair where they are equal */
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n; k++)
            u += a->values[i] > b->values[k] ? 1.0 : a->values[i] == b->values[k] ? 0.5 : 0.0;
    const double n_a = (double)a->n, n_b = (double)b->n, n = n_a + n_b;
    const double ties = tie_sum(a, b);
    if (ties == 0.0 && a->n <= MAX_EXACT && b->n <= MAX_EXACT) {
        const double nearer = u < n_a * n_b - u ? u : n_a * n_b - u;
        return fmin(1.0, 2.0 * exact_lower_tail(a->n, b->n, (size_t)nearer));
    }
    const double variance = n_a * n_b / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
    const double distance = fmax(0.0, fabs(u - n_a * n_b / 2.0) - 0.5);
    if (!(variance > 0.0))
        return 1.0;
    return erfc(distance / sqrt(2.0 * variance));
}
