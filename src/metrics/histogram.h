/*
 * histogram.h - how often a value fell where, in buckets of equal ratio: what is kept does not grow
 * with the number of values, and every quantile is right to the same part of its own size.
 *
 *     bucket b, 1 ... 320:   edge(b - 1) < value <= edge(b),   edge(b) = 2^(b / 16 - 10)
 *     bucket 0: at most 2^-10 (about 0.001);   bucket 321: over 2^10 = 1024
 *
 * A quantile is the geometric middle of the bucket that holds it: at most 2.2 % (2^(1/32) - 1) off.
 * Every 16th edge is a power of two and so exact in a double: those are the edges of /metrics.
 * Method: HdrHistogram's idea (buckets of bounded relative width) with logarithms in place of
 * halved powers of two.
 */
#ifndef KK_METRICS_HISTOGRAM_H
#define KK_METRICS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    KK_HISTOGRAM_PER_OCTAVE = 16,
    KK_HISTOGRAM_OCTAVES = 20,
    KK_HISTOGRAM_LOWEST = -10, /* power of two of the lowest edge */
    KK_HISTOGRAM_N = KK_HISTOGRAM_OCTAVES * KK_HISTOGRAM_PER_OCTAVE + 2
};

/* The largest part by which a quantile may be off. */
#define KK_HISTOGRAM_ERROR 0.022

/* The bucket of a value; what is not above zero, and NaN, is in the lowest. */
size_t kk_histogram_bucket(double value);

/* Upper edge of bucket b; infinite of the last. */
double kk_histogram_edge(size_t bucket);

/* The value below or at which a part q (0 to 1) of all values lies, by nearest rank; 0 when there
 * are none. counts[KK_HISTOGRAM_N]. */
double kk_histogram_quantile(const uint64_t *counts, double q);

#endif
