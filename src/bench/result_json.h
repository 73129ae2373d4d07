/*
 * result_json.h - a result as JSON (benchmark_results.json, --json), with every raw sample, and
 * back. docs/BENCHMARK.md describes the shape.
 */
#ifndef KK_BENCH_RESULT_JSON_H
#define KK_BENCH_RESULT_JSON_H

#include "base/str.h"
#include "bench/compare.h"
#include "bench/history.h"
#include "bench/result.h"

/* Append the document and a newline; `history` (what changed) and `comparison` may be NULL.
 * NO_MEMORY. */
int kk_result_to_json(kk_buf *out, const kk_bench_result *result, const kk_history_view *history,
                      const kk_comparison *comparison, kokoro_error *err);

/* BAD_DATA names the field and what is wrong with it; NO_MEMORY. On failure *out is empty. The
 * caller frees it with kk_bench_result_fini. */
int kk_result_from_json(kk_bench_result *out, kk_slice text, kokoro_error *err);

/* Those of kk_result_from_json, NOT_FOUND, IO, TOO_LONG. */
int kk_result_read(kk_bench_result *out, const char *path, kokoro_error *err);

#endif
