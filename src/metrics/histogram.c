/* histogram.c - see histogram.h. */
#include "metrics/histogram.h"

#include <math.h>

size_t kk_histogram_bucket(double value)
{
    if (!(value > 0.0))
        return 0;
    double place = ceil(KK_HISTOGRAM_PER_OCTAVE * (log2(value) - KK_HISTOGRAM_LOWEST));
    if (place < 0.0)
        return 0;
    return place < KK_HISTOGRAM_N - 1 ? (size_t)place : KK_HISTOGRAM_N - 1;
}

double kk_histogram_edge(size_t bucket)
{
    if (bucket >= KK_HISTOGRAM_N - 1)
        return (double)INFINITY;
    return exp2((double)bucket / KK_HISTOGRAM_PER_OCTAVE + KK_HISTOGRAM_LOWEST);
}

/* The lowest and the highest bucket have no middle: their one edge stands for them. */
static double middle(size_t bucket)
{
    double half = 0.5;
    if (bucket == 0)
        half = 0.0;
    else if (bucket == KK_HISTOGRAM_N - 1)
        half = 1.0;
    return exp2(((double)bucket - half) / KK_HISTOGRAM_PER_OCTAVE + KK_HISTOGRAM_LOWEST);
}

double kk_histogram_quantile(const uint64_t *counts, double q)
{
    uint64_t n = 0, seen = 0;
    for (size_t b = 0; b < KK_HISTOGRAM_N; b++)
        n += counts[b];
    if (n == 0)
        return 0.0;
    double rank = ceil(q * (double)n);
    for (size_t b = 0; b < KK_HISTOGRAM_N; b++) {
        seen += counts[b];
        if (seen > 0 && (double)seen >= rank)
            return middle(b);
    }
    return middle(KK_HISTOGRAM_N - 1);
}
