/*
 * report.h - what people get of a result: benchmark_results.md, and beside it, named after it,
 * benchmark_results.json and the plots benchmark_results_timing.svg, _memory.svg and _history.svg.
 * Each is written under a temporary name and renamed.
 */
#ifndef KK_BENCH_REPORT_H
#define KK_BENCH_REPORT_H

#include "bench/history.h"
#include "bench/result.h"

/*
 * Write all files; directories are made. `history` may be NULL or empty: then there is no history
 * plot, and an older one is removed. What the server wrote into the section "Runtime Performance
 * Tracking" of an older report stays. A path that ends in .md loses that ending where the other
 * names are made. IO names the file, NO_MEMORY. All files are made before the first is renamed, and
 * the report last: on failure what was there remains.
 */
int kk_report_write(const kk_bench_result *result, const kk_history_view *history,
                    const char *markdown_path, kokoro_error *err);

/*
 * Put the report that was written to `from_path`, with all files beside it, in the place of the one
 * at `to_path`, as kk_report_write would: all or nothing, under the lock, and with the text that
 * the section "Runtime Performance Tracking" has there.
 */
int kk_report_copy(const char *from_path, const char *to_path, kokoro_error *err);

/*
 * Replace the text of the section "Runtime Performance Tracking", between its two marker comments,
 * and nothing else; atomically. `text` is Markdown; a marker in it loses its meaning. NOT_FOUND (no
 * report), BAD_DATA (it has not exactly one such section: it is left alone), IO, TOO_LONG,
 * NO_MEMORY.
 */
int kk_report_update_runtime(const char *markdown_path, const char *text, kokoro_error *err);

#endif
