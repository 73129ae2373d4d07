/*
 * prometheus.h - figures as text for Prometheus to collect, in its exposition format 0.0.4: of each
 * family two lines that say what it is, then a line a sample.
 *
 *     # HELP kokoro_words_total Words spoken, by where their phonemes came from.
 *     # TYPE kokoro_words_total counter
 *     kokoro_words_total{source="gold"} 17
 */
#ifndef KK_METRICS_PROMETHEUS_H
#define KK_METRICS_PROMETHEUS_H

#include "base/str.h"
#include "metrics/metrics.h"

#define KK_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Begin a family; type "counter", "gauge" or "histogram". Help and names are the caller's literals,
 * without line breaks and backslashes. Memory out shows in dst->failed. */
void kk_prometheus_family(kk_buf *dst, const char *name, const char *type, const char *help);
/* A sample with one label (NULL: none), whose value may be any text. */
void kk_prometheus_sample(kk_buf *dst, const char *name, const char *label, const char *value,
                          double number);
/* A family of one sample without a label. */
void kk_prometheus_single(kk_buf *dst, const char *name, const char *type, const char *help,
                          double number);
/* A histogram family: buckets, sum and count of a kind since the start. */
void kk_prometheus_histogram(kk_buf *dst, const char *name, const char *help,
                             const kk_metrics_view *view, enum kk_metrics_kind kind);

/* A label's value with \, " and line ends escaped. */
void kk_prometheus_escape(kk_buf *dst, const char *text);

#endif
