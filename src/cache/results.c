/* results.c - a hash table of a list in the order of use, under one mutex that is held for no
 * longer than a look or a change of links takes. */
#include "cache/results.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/status.h"

#include <pthread.h>
#include <string.h>

enum { FIRST_BUCKETS = 256, SHARE = 4 };

typedef struct entry {
    kk_result *result;
    uint64_t hash;
    double used_s; /* kk_now_s */
    struct entry *next_in_bucket;
    struct entry *newer, *older;
} entry;

struct kk_results {
    pthread_mutex_t mutex;
    entry **buckets; /* [n_buckets], a power of two */
    size_t n_buckets;
    entry *newest, *oldest;
    kk_results_view view;
};

/* --- one answer --- */

kk_result *kk_result_make_room(size_t key_len, size_t data_len)
{
    if (data_len > SIZE_MAX / 4 || key_len > SIZE_MAX / 4)
        return NULL;
    kk_result *result = kk_alloc(sizeof(*result) + key_len + data_len);
    if (result == NULL)
        return NULL;
    char *bytes = (char *)(result + 1);
    result->key = (kk_slice){bytes, key_len};
    result->data = (kk_slice){bytes + key_len, data_len};
    result->audio_s = 0.0;
    atomic_init(&result->n_refs, 1);
    return result;
}

kk_result *kk_result_make(kk_slice key, kk_slice data, double audio_s)
{
    kk_result *result = kk_result_make_room(key.len, data.len);
    if (result == NULL)
        return NULL;
    char *bytes = (char *)(result + 1);
    if (key.len > 0)
        memcpy(bytes, key.data, key.len);
    if (data.len > 0)
        memcpy(bytes + key.len, data.data, data.len);
    result->audio_s = audio_s;
    return result;
}

void kk_result_hold(kk_result *result)
{
    (void)atomic_fetch_add_explicit(&result->n_refs, 1, memory_order_relaxed);
}

void kk_result_release(kk_result *result)
{
    if (result != NULL && atomic_fetch_sub_explicit(&result->n_refs, 1, memory_order_acq_rel) == 1)
        kk_free(result);
}

uint64_t kk_results_share(uint64_t budget_bytes)
{
    return budget_bytes / SHARE;
}

static uint64_t cost_of(const kk_result *result)
{
    return sizeof(entry) + sizeof(*result) + result->key.len + result->data.len;
}

/* --- all of them --- */

int kk_results_create(kk_results **out, uint64_t max_bytes, kokoro_error *err)
{
    *out = NULL;
    kk_results *results = kk_calloc(1, sizeof(*results));
    if (results == NULL)
        return kk_fail_memory(err);
    results->buckets = kk_calloc(FIRST_BUCKETS, sizeof(entry *));
    if (results->buckets == NULL || pthread_mutex_init(&results->mutex, NULL) != 0) {
        kk_free(results->buckets);
        kk_free(results);
        return kk_fail_memory(err);
    }
    results->n_buckets = FIRST_BUCKETS;
    results->view.max_bytes = max_bytes;
    *out = results;
    return KOKORO_OK;
}

/* The link that points to the entry of a key, or the one at the end of its bucket. */
static entry **find(kk_results *results, uint64_t hash, kk_slice key)
{
    entry **link = &results->buckets[hash & (results->n_buckets - 1)];
    while (*link != NULL && !((*link)->hash == hash && kk_slice_equal((*link)->result->key, key)))
        link = &(*link)->next_in_bucket;
    return link;
}

static void unlink_by_age(kk_results *results, entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &results->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &results->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_as_newest(kk_results *results, entry *e)
{
    e->older = results->newest;
    *(e->older != NULL ? &e->older->newer : &results->oldest) = e;
    results->newest = e;
    e->used_s = kk_now_s();
}

/* Returns the bytes that it took. */
static uint64_t drop(kk_results *results, entry *e)
{
    const uint64_t cost = cost_of(e->result);
    *find(results, e->hash, e->result->key) = e->next_in_bucket;
    unlink_by_age(results, e);
    results->view.n_entries--;
    results->view.bytes -= cost;
    kk_result_release(e->result);
    kk_free(e);
    return cost;
}

static void make_room(kk_results *results, uint64_t bytes)
{
    while (results->oldest != NULL && results->view.bytes + bytes > results->view.max_bytes) {
        (void)drop(results, results->oldest);
        results->view.n_evicted++;
    }
}

void kk_results_destroy(kk_results **results_ptr)
{
    kk_results *results = results_ptr != NULL ? *results_ptr : NULL;
    if (results == NULL)
        return;
    *results_ptr = NULL;
    while (results->oldest != NULL)
        (void)drop(results, results->oldest);
    (void)pthread_mutex_destroy(&results->mutex);
    kk_free(results->buckets);
    kk_free(results);
}

void kk_results_set_limit(kk_results *results, uint64_t max_bytes)
{
    (void)pthread_mutex_lock(&results->mutex);
    results->view.max_bytes = max_bytes;
    make_room(results, 0);
    (void)pthread_mutex_unlock(&results->mutex);
}

kk_result *kk_results_get(kk_results *results, kk_slice key)
{
    const uint64_t hash = kk_hash(key.data, key.len);
    (void)pthread_mutex_lock(&results->mutex);
    entry *e = *find(results, hash, key);
    kk_result *result = e != NULL ? e->result : NULL;
    if (e != NULL) {
        unlink_by_age(results, e);
        link_as_newest(results, e);
        kk_result_hold(result);
    }
    (void)pthread_mutex_unlock(&results->mutex);
    return result;
}

/* Twice as many buckets; where memory is out, the chains grow longer instead. */
static void grow(kk_results *results)
{
    const size_t n = 2 * results->n_buckets;
    entry **buckets = kk_calloc(n, sizeof(entry *));
    if (buckets == NULL)
        return;
    for (entry *e = results->newest; e != NULL; e = e->older) {
        e->next_in_bucket = buckets[e->hash & (n - 1)];
        buckets[e->hash & (n - 1)] = e;
    }
    kk_free(results->buckets);
    results->buckets = buckets;
    results->n_buckets = n;
}

bool kk_results_put(kk_results *results, kk_result *result)
{
    const uint64_t hash = kk_hash(result->key.data, result->key.len), cost = cost_of(result);
    bool is_kept = false;
    (void)pthread_mutex_lock(&results->mutex);
    entry *before = *find(results, hash, result->key);
    if (cost <= kk_results_share(results->view.max_bytes)) {
        entry *e = kk_calloc(1, sizeof(*e));
        is_kept = e != NULL;
        if (is_kept && before != NULL)
            (void)drop(results, before);
        if (is_kept) {
            make_room(results, cost);
            if (results->view.n_entries >= results->n_buckets)
                grow(results);
            kk_result_hold(result);
            *e = (entry){.result = result, .hash = hash};
            *find(results, hash, result->key) = e;
            link_as_newest(results, e);
            results->view.n_entries++;
            results->view.bytes += cost;
            results->view.n_stored++;
        }
    }
    (void)pthread_mutex_unlock(&results->mutex);
    return is_kept;
}

uint64_t kk_results_trim(kk_results *results, double max_age_s)
{
    uint64_t freed = 0;
    (void)pthread_mutex_lock(&results->mutex);
    const double now_s = kk_now_s();
    while (results->oldest != NULL &&
           (max_age_s <= 0.0 || now_s - results->oldest->used_s > max_age_s))
        freed += drop(results, results->oldest);
    (void)pthread_mutex_unlock(&results->mutex);
    return freed;
}

void kk_results_read(kk_results *results, kk_results_view *out)
{
    (void)pthread_mutex_lock(&results->mutex);
    *out = results->view;
    (void)pthread_mutex_unlock(&results->mutex);
}
