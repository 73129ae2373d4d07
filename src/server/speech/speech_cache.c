/* speech_cache.c - see speech_cache.h. The disk is read by one thread and written by another, so
 * that no connection and nobody who speaks waits for it. */
#define _DEFAULT_SOURCE
#include "server/speech/speech_cache.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "server/server_state.h"
#include "server/speech/speech_answer.h"
#include "server/speech/speech_key.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_READS = 64, MAX_WRITES = 16, MAX_WAITING = 64, WRITE_PRIORITY = 10 };
#define MB 1048576ULL

struct kk_speech_cache {
    kk_server *server;
    kk_results *results;
    _Atomic(kk_results_disk *) disk; /* NULL until the first time that it is wanted */
    atomic_bool uses_disk, has_complained;
    atomic_size_t collecting; /* bytes in the copies of all entries */
    kk_jobs *readers, *writers;
    pthread_mutex_t mutex;
    kk_speech_entry *leaders; /* not streamed, being made */
    size_t n_waiting;
    bool is_stopping;
};

/* An answer on its way to the disk. */
typedef struct write_job {
    kk_speech_cache *cache;
    kk_result *result;
} write_job;

static kk_results_disk *disk_of(kk_speech_cache *cache)
{
    return atomic_load(&cache->uses_disk) ? atomic_load(&cache->disk) : NULL;
}

/* --- start and end --- */

int kk_speech_cache_create(kk_speech_cache **out, kk_server *server, kokoro_error *err)
{
    *out = NULL;
    kk_speech_cache *cache = kk_calloc(1, sizeof(*cache));
    if (cache == NULL || pthread_mutex_init(&cache->mutex, NULL) != 0) {
        kk_free(cache);
        return kk_fail_memory(err);
    }
    cache->server = server;
    int status = kk_results_create(&cache->results, 0, err);
    if (status == KOKORO_OK)
        status = kk_jobs_start(&cache->readers, 1, MAX_READS, err);
    if (status == KOKORO_OK)
        status = kk_jobs_start(&cache->writers, 1, MAX_WRITES, err);
    if (status != KOKORO_OK)
        kk_speech_cache_destroy(&cache);
    else
        kk_speech_cache_tick(cache);
    *out = cache;
    return status;
}

static void complain(kk_speech_cache *cache, const kokoro_error *err)
{
    if (!atomic_exchange(&cache->has_complained, true))
        kk_log_write(&cache->server->log, KOKORO_LOG_WARNING, "answers are not kept on disk: %s",
                     err->message);
}

static void open_disk(kk_speech_cache *cache, const kk_config *config, uint64_t max_bytes)
{
    kk_results_disk *disk = NULL;
    kokoro_error err;
    if (kk_results_disk_open(&disk, kk_config_text(config, KK_SET_CACHE), max_bytes, &err) ==
        KOKORO_OK)
        atomic_store(&cache->disk, disk);
    else
        complain(cache, &err);
}

static void follow_settings(kk_speech_cache *cache, bool may_open)
{
    const kk_config *config = kk_server_config(cache->server);
    const uint64_t on_disk = MB * (uint64_t)kk_config_int(config, KK_SET_RESULT_CACHE_DISK_MB);
    kk_results_set_limit(cache->results,
                         MB * (uint64_t)kk_config_int(config, KK_SET_RESULT_CACHE_MEMORY_MB));
    if (on_disk > 0 && may_open && atomic_load(&cache->disk) == NULL)
        open_disk(cache, config, on_disk);
    if (atomic_load(&cache->disk) != NULL)
        kk_results_disk_set_limit(atomic_load(&cache->disk), on_disk);
    atomic_store(&cache->uses_disk, on_disk > 0);
}

void kk_speech_cache_begin(kk_speech_cache *cache)
{
    follow_settings(cache, true);
}

/* The disk is opened here only when it was not wanted at the start: one that could not be opened
 * then is not tried every second. */
void kk_speech_cache_tick(kk_speech_cache *cache)
{
    follow_settings(cache,
                    !atomic_load(&cache->has_complained) && kk_server_is_ready(cache->server));
}

void kk_speech_cache_stop(kk_speech_cache *cache)
{
    if (cache == NULL)
        return;
    (void)pthread_mutex_lock(&cache->mutex);
    kk_jobs *readers = cache->readers;
    cache->readers = NULL;
    cache->is_stopping = true;
    (void)pthread_mutex_unlock(&cache->mutex);
    kk_jobs_stop(&readers);
}

void kk_speech_cache_destroy(kk_speech_cache **cache_ptr)
{
    kk_speech_cache *cache = cache_ptr != NULL ? *cache_ptr : NULL;
    if (cache == NULL)
        return;
    *cache_ptr = NULL;
    kk_speech_cache_stop(cache);
    kk_jobs_stop(&cache->writers);
    kk_results_disk *disk = atomic_load(&cache->disk);
    kk_results_disk_close(&disk);
    kk_results_destroy(&cache->results);
    (void)pthread_mutex_destroy(&cache->mutex);
    kk_free(cache);
}

/* --- answering --- */

static void give_back(void *owner)
{
    kk_result_release(owner);
}

/* The bytes are not copied: many slow readers of one answer take no more memory than one. */
static void fill(kk_http_response *response, const kk_speech_entry *entry, kk_result *result)
{
    response->status = 200;
    response->content_type = entry->request->content_type;
    kk_speech_answer_headers(response, entry->request);
    kk_http_add_header(response, "X-Cache", "hit");
    kk_http_add_header(response, "Server-Timing", "cache;desc=hit;dur=%.2f",
                       1e3 * (kk_now_s() - entry->http->start_s));
    kk_result_hold(result);
    response->lent = result->data;
    response->give_back = give_back;
    response->owner = result;
    kk_http_set_audio(entry->exchange, result->audio_s);
    kk_metrics_add_cache_hit(entry->cache->server->metrics);
}

/* From another thread than the connection's: one that waited. */
static void answer_late(kk_speech_entry *entry, kk_result *result)
{
    kk_http_response response = {.status = 200};
    kk_http_exchange *exchange = entry->exchange;
    kk_http_add_header(&response, "X-Request-Id", "%s", entry->http->id);
    fill(&response, entry, result);
    kk_http_begin(exchange, &response, response.lent.len);
    kk_http_end(exchange, true);
    entry->after(entry->user, true);
    kk_http_release(exchange);
}

static void go_on(kk_speech_entry *entry)
{
    kk_http_exchange *exchange = entry->exchange;
    kk_metrics_add_cache_miss(entry->cache->server->metrics);
    entry->after(entry->user, false);
    kk_http_release(exchange);
}

/* --- who makes it --- */

/* Under the mutex. */
static kk_speech_entry *find_leader(kk_speech_cache *cache, const kk_buf *key)
{
    kk_speech_entry *leader = cache->leaders;
    while (leader != NULL && !kk_slice_equal((kk_slice){leader->key.data, leader->key.len},
                                             (kk_slice){key->data, key->len}))
        leader = leader->next;
    return leader;
}

/* Of requests that are not streamed: true when somebody makes this answer just now, and the entry
 * waits for it; false when it is now the one that makes it (or too many wait already). */
static bool waits_for_another(kk_speech_entry *entry)
{
    kk_speech_cache *cache = entry->cache;
    (void)pthread_mutex_lock(&cache->mutex);
    kk_speech_entry *leader = find_leader(cache, &entry->key);
    const bool waits = leader != NULL && cache->n_waiting < MAX_WAITING;
    if (waits) {
        kk_speech_entry **link = &leader->followers;
        while (*link != NULL)
            link = &(*link)->next;
        kk_http_hold(entry->exchange);
        *link = entry;
        cache->n_waiting++;
    } else if (leader == NULL) {
        entry->next = cache->leaders;
        cache->leaders = entry;
        entry->is_leading = true;
    }
    (void)pthread_mutex_unlock(&cache->mutex);
    return waits;
}

/* The leader's work is over, with a result or (NULL) without: then the first who waits is the
 * leader of the others. */
static void end_leading(kk_speech_entry *leader, kk_result *result)
{
    kk_speech_cache *cache = leader->cache;
    kk_speech_entry *next = NULL, *followers = NULL;
    (void)pthread_mutex_lock(&cache->mutex);
    kk_speech_entry **link = &cache->leaders;
    while (*link != leader)
        link = &(*link)->next;
    *link = leader->next;
    leader->is_leading = false;
    followers = leader->followers;
    leader->next = leader->followers = NULL;
    if (result == NULL && followers != NULL) {
        next = followers;
        next->followers = next->next;
        next->next = cache->leaders;
        cache->leaders = next;
        next->is_leading = true;
        followers = NULL;
        cache->n_waiting--;
    }
    for (kk_speech_entry *f = followers; f != NULL; f = f->next)
        cache->n_waiting--;
    (void)pthread_mutex_unlock(&cache->mutex);
    if (next != NULL)
        go_on(next);
    while (followers != NULL) {
        kk_speech_entry *entry = followers;
        followers = entry->next;
        entry->next = NULL;
        answer_late(entry, result);
    }
}

/* --- looking --- */

/* By the thread that reads the disk. */
static void read_disk(void *user)
{
    kk_speech_entry *entry = user;
    kk_speech_cache *cache = entry->cache;
    kk_results_disk *disk = disk_of(cache);
    const kk_slice key = {entry->key.data, entry->key.len};
    kk_result *result = disk != NULL ? kk_results_disk_get(disk, key) : NULL;
    if (result == NULL) {
        go_on(entry);
        return;
    }
    (void)kk_results_put(cache->results, result);
    answer_late(entry, result);
    kk_result_release(result);
}

static bool is_being_read(kk_speech_entry *entry)
{
    kk_speech_cache *cache = entry->cache;
    kk_results_disk *disk = disk_of(cache);
    if (disk == NULL ||
        !kk_results_disk_may_have(disk, (kk_slice){entry->key.data, entry->key.len}))
        return false;
    kk_http_hold(entry->exchange);
    (void)pthread_mutex_lock(&cache->mutex);
    const bool is =
        cache->readers != NULL && kk_jobs_add(cache->readers, read_disk, entry) == KOKORO_OK;
    (void)pthread_mutex_unlock(&cache->mutex);
    if (!is)
        kk_http_release(entry->exchange);
    return is;
}

static bool keeps_nothing(kk_speech_cache *cache)
{
    kk_results_view view;
    kk_results_read(cache->results, &view);
    return view.max_bytes == 0 && disk_of(cache) == NULL;
}

enum kk_speech_look kk_speech_cache_look(kk_speech_cache *cache, kk_speech_entry *entry,
                                         kk_http_exchange *exchange, const kk_http_request *http,
                                         const kk_speech_request *request, uint64_t identity,
                                         kk_http_response *response,
                                         void (*after)(void *user, bool is_answered), void *user)
{
    *entry = (kk_speech_entry){.identity = identity,
                               .exchange = exchange,
                               .http = http,
                               .request = request,
                               .after = after,
                               .user = user};
    if (request->no_cache || identity == 0 || keeps_nothing(cache))
        return KK_LOOK_MISS;
    kk_speech_key(&entry->key, request, identity,
                  kk_speech_settings(kk_server_config(cache->server)));
    if (entry->key.failed)
        return KK_LOOK_MISS;
    entry->cache = cache;
    kk_result *result = kk_results_get(cache->results, (kk_slice){entry->key.data, entry->key.len});
    if (result != NULL) {
        fill(response, entry, result);
        kk_result_release(result);
        return KK_LOOK_HIT;
    }
    if (is_being_read(entry) || (!request->is_streamed && waits_for_another(entry)))
        return KK_LOOK_LATER;
    kk_metrics_add_cache_miss(cache->server->metrics);
    return KK_LOOK_MISS;
}

/* --- keeping --- */

static void forget_copy(kk_speech_entry *entry)
{
    if (entry->copy.len > 0)
        (void)atomic_fetch_sub(&entry->cache->collecting, entry->copy.len);
    kk_buf_fini(&entry->copy);
}

/* All copies together stay within what may be kept at all. */
void kk_speech_entry_add(kk_speech_entry *entry, const void *data, size_t len)
{
    kk_speech_cache *cache = entry->cache;
    if (cache == NULL || entry->is_too_long)
        return;
    kk_results_view memory;
    kk_results_disk_view on_disk = {0};
    kk_results_read(cache->results, &memory);
    if (disk_of(cache) != NULL)
        kk_results_disk_read(disk_of(cache), &on_disk);
    const uint64_t budget =
        memory.max_bytes > on_disk.max_bytes ? memory.max_bytes : on_disk.max_bytes;
    const bool fits = entry->copy.len + len <= kk_results_share(budget) &&
                      atomic_load(&cache->collecting) + len <= budget;
    if (fits) {
        const size_t before = entry->copy.len;
        kk_buf_append(&entry->copy, data, len);
        (void)atomic_fetch_add(&cache->collecting, entry->copy.len - before);
    }
    entry->is_too_long = !fits || entry->copy.failed;
    if (entry->is_too_long)
        forget_copy(entry);
}

static void write_disk(void *user)
{
    write_job *j = user;
    kk_results_disk *disk = disk_of(j->cache);
    kokoro_error err;
    (void)setpriority(PRIO_PROCESS, 0, WRITE_PRIORITY);
    if (disk != NULL && kk_results_disk_put(disk, j->result, &err) != KOKORO_OK)
        complain(j->cache, &err);
    kk_result_release(j->result);
    kk_free(j);
}

/* When the disk is slower than what is spoken, some of it is not kept there. */
static void write_later(kk_speech_cache *cache, kk_result *result)
{
    write_job *j = disk_of(cache) != NULL ? kk_calloc(1, sizeof(*j)) : NULL;
    if (j == NULL)
        return;
    *j = (write_job){cache, result};
    kk_result_hold(result);
    if (kk_jobs_add(cache->writers, write_disk, j) == KOKORO_OK)
        return;
    kk_result_release(result);
    kk_free(j);
}

void kk_speech_entry_set_head(kk_speech_entry *entry, const void *head, size_t len)
{
    if (len > 0 && len <= entry->copy.len)
        memcpy(entry->copy.data, head, len);
}

void kk_speech_entry_keep(kk_speech_entry *entry, const kk_buf *body, double audio_s,
                          uint64_t identity)
{
    kk_speech_cache *cache = entry->cache;
    if (cache == NULL || identity != entry->identity || (body == NULL && entry->is_too_long))
        return;
    const kk_buf *bytes = body != NULL ? body : &entry->copy;
    kk_result *result = bytes->len > 0
                            ? kk_result_make((kk_slice){entry->key.data, entry->key.len},
                                             (kk_slice){bytes->data, bytes->len}, audio_s)
                            : NULL;
    if (result == NULL)
        return;
    (void)kk_results_put(cache->results, result);
    write_later(cache, result);
    if (entry->is_leading)
        end_leading(entry, result);
    kk_result_release(result);
}

void kk_speech_entry_drop(kk_speech_entry *entry)
{
    if (entry->is_leading)
        end_leading(entry, NULL);
    if (entry->cache != NULL)
        forget_copy(entry);
    kk_buf_fini(&entry->key);
    entry->cache = NULL;
}

uint64_t kk_speech_cache_trim(kk_speech_cache *cache, double max_age_s)
{
    kk_results_disk *disk = disk_of(cache);
    kokoro_error err;
    if (disk != NULL && kk_results_disk_trim(disk, &err) != KOKORO_OK)
        complain(cache, &err);
    return kk_results_trim(cache->results, max_age_s);
}

void kk_speech_cache_read(kk_speech_cache *cache, kk_speech_cache_view *out)
{
    memset(out, 0, sizeof(*out));
    kk_results_read(cache->results, &out->memory);
    kk_results_disk *disk = disk_of(cache);
    out->has_disk = disk != NULL;
    if (disk != NULL)
        kk_results_disk_read(disk, &out->disk);
    (void)pthread_mutex_lock(&cache->mutex);
    out->n_waiting = cache->n_waiting;
    (void)pthread_mutex_unlock(&cache->mutex);
}
