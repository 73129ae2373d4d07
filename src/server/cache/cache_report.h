/*
 * cache_report.h - statistics and clean-ups of the cache as JSON, in the names and units of the
 * Kokoro-ONNX TTS API (MB are 2^20 bytes), with kinds, limits and what is preserved as ours. For
 * the endpoints and the command alike. NULL: memory is out.
 */
#ifndef KK_SERVER_CACHE_REPORT_H
#define KK_SERVER_CACHE_REPORT_H

#include "cache/cleanup.h"

#include <jansson.h>

double kk_cache_mb(uint64_t bytes);

/* total_size_mb, file_count, dir_count, temp_dirs, cache_path, needs_cleanup, and ages. */
json_t *kk_cache_statistics_json(const kk_cache_statistics *statistics);
/* needs_cleanup, size_mb, temp_dirs, recommended_action. */
json_t *kk_cache_advice_json(const kk_cache_statistics *statistics);
/* Ours, put into `object`: kinds, preserved, limits, errors. */
void kk_cache_add_details(json_t *object, const kk_cache_statistics *statistics,
                          const char *patterns);

/* initial_size_mb, final_size_mb, total_freed_mb, cleanup_results {age, temp_dirs, size, patterns},
 * and ours. */
json_t *kk_cleanup_result_json(const kk_cleanup_result *result);

/* "freed 12.3MB" */
enum { KK_CLEANUP_MESSAGE_SIZE = 160 };
void kk_cleanup_message(char message[KK_CLEANUP_MESSAGE_SIZE], const kk_cleanup_result *result);

#endif
