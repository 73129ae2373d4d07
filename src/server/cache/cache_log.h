/*
 * cache_log.h - what each clean-up of the cache cost: its time, the bytes that it freed, and the
 * latency of the speech requests that ran during it beside those before it.
 */
#ifndef KK_SERVER_CACHE_LOG_H
#define KK_SERVER_CACHE_LOG_H

#include "cache/cleanup.h"
#include "kokoro/kokoro.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct kk_cache_log kk_cache_log;

/* NO_MEMORY. */
int kk_cache_log_create(kk_cache_log **out, kokoro_error *err);
void kk_cache_log_destroy(kk_cache_log **log);

/* A speech request that was answered, at its end: from start_s (kk_now_s) for total_s; negative
 * first_s: it had no sound, and does not count. */
void kk_cache_log_add_speech(kk_cache_log *log, double start_s, double first_s, double total_s);

/* A clean-up begins; its number for the end. `cause` is static: "start", "request". */
unsigned kk_cache_log_begin(kk_cache_log *log, const char *cause, bool is_aggressive);
/* It ended; result NULL: it could not run, and `problem` says why. */
void kk_cache_log_end(kk_cache_log *log, unsigned number, const kk_cleanup_result *result,
                      const char *problem);

/* One that ended, as it goes into the file of all (cleanup_file.h); NULL: it is none of the last
 * any more, or memory is out. */
json_t *kk_cache_log_entry(kk_cache_log *log, unsigned number);

/* {"count", "total_freed_mb", "recent": [newest first]}; among the recent are those of `others`, a
 * list of entries of that file (NULL: none), that are not this log's own. */
json_t *kk_cache_log_json(kk_cache_log *log, const json_t *others);

#endif
