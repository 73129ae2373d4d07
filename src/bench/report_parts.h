/*
 * report_parts.h - the inside of the report: figures worked out once, and the functions that append
 * a part each to a buffer. A buffer that ran out of memory says so at the end.
 *
 *     report.c           the files and their names
 *     report_system.c    title, System Information
 *     report_results.c   Performance Benchmark Results
 *     report_advice.c    recommendation, History, Technical Notes
 *     report_runtime.c   Runtime Performance Tracking, also in a report that lies there
 *     report_plots.c     the plots, drawn with report_svg.h
 *     report_text.c      text from outside made harmless
 */
#ifndef KK_BENCH_REPORT_PARTS_H
#define KK_BENCH_REPORT_PARTS_H

#include "base/str.h"
#include "bench/report.h"
#include "bench/statistics.h"

typedef struct kk_report {
    const kk_bench_result *result;
    const kk_history_view *history; /* NULL: none */
    kk_summary inference[KK_BENCH_MAX_WAYS][KK_BENCH_MAX_TEXTS];
    kk_summary first_audio[KK_BENCH_MAX_WAYS][KK_BENCH_MAX_TEXTS];
    size_t order[KK_BENCH_MAX_WAYS]; /* [n_ran] ways with figures for the text that decides, fastest
                                        first */
    size_t n_ran;
    const char *stem; /* of the file names, "benchmark_results" */
} kk_report;

/* NO_MEMORY. */
int kk_report_init(kk_report *report, const kk_bench_result *result, const kk_history_view *history,
                   kokoro_error *err);

/* Median of the text that decides. */
double kk_report_median(const kk_report *report, size_t way);
/* Whether there is a history to draw: two runs or more. */
bool kk_report_has_history(const kk_report *report);

/* ---- parts of the Markdown file ----------------------------------------------------------- */

void kk_report_system(kk_buf *out, const kk_report *report);
void kk_report_results(kk_buf *out, const kk_report *report);
void kk_report_advice(kk_buf *out, const kk_report *report);
void kk_report_runs(kk_buf *out, const kk_report *report);
void kk_report_notes(kk_buf *out, const kk_report *report);
/* The section with its markers; `kept` is what stood there before, data NULL: nothing did. */
void kk_report_runtime(kk_buf *out, kk_slice kept);

/* Where the text between the markers of a report lies; false when it has not exactly one such
 * section. */
bool kk_report_find_runtime(kk_slice report, size_t *start, size_t *end);

/* Of a whole report: its section gets the text of the section of `old`, where both have one. */
void kk_report_keep_runtime(kk_buf *report, kk_slice old);

/* The report at `path` locked against others who would replace it, or -1: it is not there. */
int kk_report_lock(const char *path);
void kk_report_unlock(int fd);

/* ---- plots: whole files ------------------------------------------------------------------- */

void kk_plot_timing(kk_buf *out, const kk_report *report);
void kk_plot_memory(kk_buf *out, const kk_report *report);
void kk_plot_history(kk_buf *out, const kk_report *report);

/* ---- text --------------------------------------------------------------------------------- */

/* Text from outside within a line or a table cell of Markdown: what would be markup stands for
 * itself; control characters and line ends are spaces, what is no UTF-8 is U+FFFD. */
void kk_append_markdown(kk_buf *out, const char *text);
/* kk_way_text, made harmless so. */
void kk_append_way(kk_buf *out, const kk_way *way);
/* As kk_append_markdown, for text and attributes of XML. */
void kk_append_xml(kk_buf *out, const char *text);
/* "2026-09-21 14:13:20 UTC" */
void kk_append_time(kk_buf *out, double seconds);
/* "2.0 GB" of 1024^3 bytes. */
void kk_append_bytes(kk_buf *out, double bytes);

#endif
