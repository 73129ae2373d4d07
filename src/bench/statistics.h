/*
 * statistics.h - what a set of samples says: order statistics, spread, and whether two sets differ.
 */
#ifndef KK_BENCH_STATISTICS_H
#define KK_BENCH_STATISTICS_H

#include "bench/result.h"

/* All 0 where there are no samples. */
typedef struct kk_summary {
    size_t n;
    double min, median, mean, p95, max;
    double spread_percent; /* of the median: 1.4826 times the median absolute deviation */
} kk_summary;

/* Quantiles by linear interpolation between order statistics (R's type 7). NO_MEMORY leaves *out
 * zero. */
int kk_summarise(const kk_samples *samples, kk_summary *out);

/*
 * Two-sided Mann-Whitney U test with tie correction: the probability that sets at least as unlike
 * come from one distribution. Exact where both have at most 20 values without ties, else by the
 * normal approximation. 1 where either is empty.
 */
double kk_mann_whitney(const kk_samples *a, const kk_samples *b);

#endif
