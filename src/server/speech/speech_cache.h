/*
 * speech_cache.h - the cache of results on the way of a speech request.
 *
 *     kk_speech_cache_look   on the connection's thread, before the queue
 *         HIT     the response is filled in
 *         LATER   `after` is called: the disk is read, or somebody makes the same answer just now
 *         MISS    it is to be made; then, as its bytes go out,
 *     kk_speech_entry_add    what is sent on at once is copied
 *     kk_speech_entry_keep   the answer is whole: it is kept, and given to those who wait for it
 *     kk_speech_entry_drop   it failed or was cancelled: nothing is kept
 *
 * Of requests that are alike and not streamed, one is made at a time and the others wait for it: it
 * is there no later than one of their own would be. Streamed ones, who wait for a first sound, are
 * made apart. When the one that is made fails, the next of those who wait is made.
 */
#ifndef KK_SERVER_SPEECH_CACHE_H
#define KK_SERVER_SPEECH_CACHE_H

#include "cache/results.h"
#include "cache/results_disk.h"
#include "server/speech/speech_request.h"

struct kk_server;
typedef struct kk_speech_cache kk_speech_cache;

/* The part of one request; starts as zeros. */
typedef struct kk_speech_entry {
    kk_speech_cache *cache; /* NULL: nothing is looked for or kept */
    uint64_t identity;      /* kk_speech_identity of what was looked for */
    kk_buf key;
    kk_buf copy; /* of what was sent on */
    bool is_too_long;
    bool is_leading; /* others may wait for it */
    /* What `after` and a late hit need. */
    kk_http_exchange *exchange;
    const kk_http_request *http;
    const kk_speech_request *request;
    void (*after)(void *user, bool is_answered);
    void *user;
    struct kk_speech_entry *next, *followers; /* in the lists of the cache */
} kk_speech_entry;

/* NO_MEMORY. */
int kk_speech_cache_create(kk_speech_cache **out, struct kk_server *server, kokoro_error *err);
/* The disk part begins; from the thread that loads. */
void kk_speech_cache_begin(kk_speech_cache *cache);
/* Each second: the budgets as the settings say now. */
void kk_speech_cache_tick(kk_speech_cache *cache);
/* Answer those whose look is under way, and let no more look later; before the workers end. */
void kk_speech_cache_stop(kk_speech_cache *cache);
void kk_speech_cache_destroy(kk_speech_cache **cache);

enum kk_speech_look { KK_LOOK_HIT, KK_LOOK_LATER, KK_LOOK_MISS };

/*
 * Look for the answer of a request, which with the exchange outlives the entry. identity 0: nothing
 * has ever been able to speak. For LATER the exchange is held until `after` was called, on any
 * thread: is_answered, or to be made as after a MISS.
 */
enum kk_speech_look kk_speech_cache_look(kk_speech_cache *cache, kk_speech_entry *entry,
                                         kk_http_exchange *exchange, const kk_http_request *http,
                                         const kk_speech_request *request, uint64_t identity,
                                         kk_http_response *response,
                                         void (*after)(void *user, bool is_answered), void *user);

/* From the worker that makes it. */
void kk_speech_entry_add(kk_speech_entry *entry, const void *data, size_t len);
/* The answer's beginning as it would be had its length been known, in place of what was added. */
void kk_speech_entry_set_head(kk_speech_entry *entry, const void *head, size_t len);
/* `identity` of what spoke; another than was looked for is not kept. `body` NULL: what was added.
 */
void kk_speech_entry_keep(kk_speech_entry *entry, const kk_buf *body, double audio_s,
                          uint64_t identity);
/* Also after keep, and at the request's end whatever became of it. */
void kk_speech_entry_drop(kk_speech_entry *entry);

/* Let go what was not used for max_age_s seconds, 0 all; and count the disk anew. How many bytes of
 * memory that frees. Waits for the disk. */
uint64_t kk_speech_cache_trim(kk_speech_cache *cache, double max_age_s);

typedef struct kk_speech_cache_view {
    kk_results_view memory;
    kk_results_disk_view disk;
    bool has_disk;
    size_t n_waiting; /* requests for an answer that another one makes */
} kk_speech_cache_view;
void kk_speech_cache_read(kk_speech_cache *cache, kk_speech_cache_view *out);
/* As GET /status and GET /cache-status show it; NULL: memory is out. */
struct json_t *kk_speech_cache_json(const kk_speech_cache_view *view);

#endif
