/*
 * record_json.h - the text of a record's file:
 *
 *     {
 *       "recommended_provider": "native",
 *       "current_provider": "native",            null: nothing was opened yet
 *       "benchmark_date": 1764000000.5,
 *       "benchmark_results": {"native bf16, 2 threads": 0.412, "onnxruntime file, 2 threads": 1.9},
 *       "format": "kokoro benchmark record 1",
 *       "recommended": {"provider": "native", "precision": "bf16", "threads": 2},
 *       "current": ...,                          likewise, or null
 *       "refreshed_after": 3600.5,               seconds from then to the last use
 *       "mode": "full", "reason": "...", "is_over_quality": false,
 *       "results": [{"provider": ..., "precision": ..., "threads": ..., "quality_db": 0.4}],
 *       "fingerprint": {"hardware": "...", ...}
 *     }
 *
 * The first four are those of the Kokoro-ONNX TTS API. A result's seconds stand in
 * benchmark_results only; quality_db is null where it is not known.
 */
#ifndef KK_CACHE_RECORD_JSON_H
#define KK_CACHE_RECORD_JSON_H

#include "base/str.h"
#include "cache/record.h"

/* INVALID (a record that would not be read again), NO_MEMORY. */
int kk_record_write_json(kk_buf *dst, const kk_record *record, kokoro_error *err);

/* BAD_DATA says what is wrong; NO_MEMORY. Keys that are not known are passed over. */
int kk_record_read_json(kk_record *out, kk_slice text, kokoro_error *err);

#endif
