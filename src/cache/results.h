/*
 * results.h - answers that were made once and are asked for again: the encoded bytes of a whole
 * answer under the text of all that they hang on (the key). The least recently used go first, so
 * that all together stay within a budget of bytes; what takes more than a quarter of it is not
 * kept. A disk part (results_disk.h) may stand behind the memory.
 *
 * Keys are compared as a whole, never by their hash alone: a text made up to collide gets no other
 * text's sound.
 *
 * Any thread may call any function; none waits for the disk but those that say so.
 */
#ifndef KK_CACHE_RESULTS_H
#define KK_CACHE_RESULTS_H

#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One answer; never changed once made. Counted by reference. */
typedef struct kk_result {
    kk_slice key, data;
    double audio_s; /* length of the sound */
    atomic_uint n_refs;
} kk_result;

/* A copy of both; the first reference is the caller's. NULL: memory is out. */
kk_result *kk_result_make(kk_slice key, kk_slice data, double audio_s);
/* Room for key_len and data_len bytes, to be filled by who made it before anybody else sees it. */
kk_result *kk_result_make_room(size_t key_len, size_t data_len);
void kk_result_hold(kk_result *result);
void kk_result_release(kk_result *result); /* NULL is allowed */

/* Of a budget, how much one answer may take. */
uint64_t kk_results_share(uint64_t budget_bytes);

typedef struct kk_results kk_results;

/* NO_MEMORY. */
int kk_results_create(kk_results **out, uint64_t max_bytes, kokoro_error *err);
void kk_results_destroy(kk_results **results);

/* Another budget; 0 keeps nothing. What is over it goes at once. */
void kk_results_set_limit(kk_results *results, uint64_t max_bytes);

/* What is kept under a key, held for the caller, and the most recently used from now on; NULL:
 * nothing. */
kk_result *kk_results_get(kk_results *results, kk_slice key);

/* Keep an answer, in place of one with its key; the caller's reference stays the caller's. False:
 * it takes more than its share, or memory is out. */
bool kk_results_put(kk_results *results, kk_result *result);

/* Let go what was not used for max_age_s seconds; 0: all. How many bytes that frees. */
uint64_t kk_results_trim(kk_results *results, double max_age_s);

typedef struct kk_results_view {
    size_t n_entries;
    uint64_t bytes, max_bytes;
    uint64_t n_stored, n_evicted; /* since the start; evicted: to make room */
} kk_results_view;
void kk_results_read(kk_results *results, kk_results_view *out);

#endif
