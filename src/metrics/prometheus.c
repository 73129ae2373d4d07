/* prometheus.c - see prometheus.h. Source: the Prometheus documentation, "Exposition formats". */
#include "metrics/prometheus.h"

#include <math.h>
#include <string.h>

void kk_prometheus_escape(kk_buf *dst, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            kk_buf_append_str(dst, "\\n");
            continue;
        }
        if (*text == '\\' || *text == '"')
            kk_buf_append_char(dst, '\\');
        kk_buf_append_char(dst, *text);
    }
}

/* Whole numbers, which most are, without an exponent. */
static void append_number(kk_buf *dst, double number)
{
    if (isinf(number) != 0)
        kk_buf_append_str(dst, number > 0.0 ? "+Inf" : "-Inf");
    else if (isnan(number) != 0)
        kk_buf_append_str(dst, "NaN");
    else if (fabs(number) < 9e15 && number == floor(number))
        kk_buf_appendf(dst, "%.0f", number);
    else
        kk_buf_appendf(dst, "%.12g", number);
}

void kk_prometheus_family(kk_buf *dst, const char *name, const char *type, const char *help)
{
    kk_buf_appendf(dst, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void kk_prometheus_sample(kk_buf *dst, const char *name, const char *label, const char *value,
                          double number)
{
    kk_buf_append_str(dst, name);
    if (label != NULL) {
        kk_buf_appendf(dst, "{%s=\"", label);
        kk_prometheus_escape(dst, value);
        kk_buf_append_str(dst, "\"}");
    }
    kk_buf_append_char(dst, ' ');
    append_number(dst, number);
    kk_buf_append_char(dst, '\n');
}

void kk_prometheus_single(kk_buf *dst, const char *name, const char *type, const char *help,
                          double number)
{
    kk_prometheus_family(dst, name, type, help);
    kk_prometheus_sample(dst, name, NULL, NULL, number);
}

void kk_prometheus_histogram(kk_buf *dst, const char *name, const char *help,
                             const kk_metrics_view *view, enum kk_metrics_kind kind)
{
    const kk_metrics_summary *all = &view->spans[KK_METRICS_SINCE_START].kinds[kind];
    kk_prometheus_family(dst, name, "histogram", help);
    for (size_t edge = 0; edge < KK_METRICS_N_EDGES; edge++) {
        kk_buf_appendf(dst, "%s_bucket{le=\"%.10g\"} %llu\n", name,
                       kk_histogram_edge(edge * KK_HISTOGRAM_PER_OCTAVE),
                       (unsigned long long)view->up_to[kind][edge]);
    }
    kk_buf_appendf(dst, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", name, (unsigned long long)all->n,
                   name);
    append_number(dst, all->sum);
    kk_buf_appendf(dst, "\n%s_count %llu\n", name, (unsigned long long)all->n);
}
