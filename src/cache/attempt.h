/*
 * attempt.h - when a server last began to measure by itself: what was tried a period ago at most is
 * not tried again. One file a fingerprint, so that servers with different models, libraries or
 * settings may share a cache; its name is the fingerprint's mark, its date that of the attempt.
 *
 *     <cache>/benchmark/attempts/9f86d081884c7d65
 *
 * Links below the cache are not followed: where one is in the way nothing is noted.
 */
#ifndef KK_CACHE_ATTEMPT_H
#define KK_CACHE_ATTEMPT_H

#include "cache/fingerprint.h"

#include <stdbool.h>

#define KK_ATTEMPTS_PARENT "benchmark"
#define KK_ATTEMPTS_NAME "attempts"
#define KK_ATTEMPTS KK_ATTEMPTS_PARENT "/" KK_ATTEMPTS_NAME

/*
 * When a benchmark of this fingerprint was last tried with this cache, by any server; 0: never. An
 * attempt from the future was made before the clock was moved back: it is dated now_s once, so that
 * its period ends; where that cannot be written, it was never made.
 */
double kk_attempt_read(const char *cache_dir, const kk_fingerprint *fingerprint, double now_s);

/* One is made at now_s. Those of any fingerprint that are older than the longest period go. False:
 * that could not be written. */
bool kk_attempt_note(const char *cache_dir, const kk_fingerprint *fingerprint, double now_s);

/* The one of this fingerprint did not count. */
void kk_attempt_forget(const char *cache_dir, const kk_fingerprint *fingerprint);
/* Nor did any. IO. */
int kk_attempts_clear(const char *cache_dir, kokoro_error *err);

#endif
