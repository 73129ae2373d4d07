/* streams.h - a server under 1, 2, 4 and 8 streams at once. */
#ifndef KK_BENCH_STREAMS_H
#define KK_BENCH_STREAMS_H

#include "bench/run.h"
#include "bench/stream_client.h"

/*
 * Fills result->streams: at each number of streams eight texts, all new, so many at once. Failed
 * ones are counted; the first problem of a round is told as a failure step. Where the target has no
 * key, that of the environment is sent. The watch's stop sets is_interrupted. NO_MEMORY, IO (no
 * thread can be started; streams failed: how many, and why the first did), INVALID (what stands
 * there is no key).
 */
#define KK_STREAM_KEY_VARIABLE "KOKORO_API_KEY"
int kk_bench_measure_streams(kk_bench_result *result, const kk_bench_request *request,
                             const kk_stream_target *target, kokoro_error *err);

#endif
