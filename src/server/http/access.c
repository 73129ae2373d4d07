/*
 * access.c - keys, pages and addresses under one mutex. What a key has used up is kept by its name,
 * over reloads. Minutes are buckets: full they hold a minute's worth, and they fill evenly.
 */
#include "server/http/access.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "server/http/forward.h"
#include "server/http/keys.h"
#include "server/http/origin.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

/* A key that was used, or could be. Never freed before the end: requests point at it. */
typedef struct kk_key_use {
    struct kk_key_use *next;
    char name[KK_KEY_NAME_LEN + 1];
    uint64_t group;
    kk_key_limits limits;
    double requests, chars; /* left in the bucket at filled_s */
    double filled_s;
    uint32_t n_streams;
} kk_key_use;

/* What the settings say. */
typedef struct rules {
    kk_keys keys;
    bool has_keys; /* a file is named, also one without a key in it */
    kk_proxies proxies;
    char *origins;
} rules;

struct kk_access {
    pthread_mutex_t mutex;
    rules rules;
    kk_key_use *uses;
    uint64_t n_uses;
};

static void fini_rules(rules *r)
{
    kk_keys_fini(&r->keys);
    kk_free(r->origins);
    *r = (rules){.keys = KK_KEYS_INIT};
}

static int read_rules(rules *r, const kk_config *config, kokoro_error *err)
{
    const char *path = kk_config_text(config, KK_SET_API_KEYS_FILE);
    const char *origins = kk_config_text(config, KK_SET_ALLOW_ORIGINS);
    *r = (rules){.keys = KK_KEYS_INIT, .has_keys = path[0] != '\0'};
    int status = kk_proxies_parse(&r->proxies, kk_config_text(config, KK_SET_TRUSTED_PROXIES), err);
    if (status == KOKORO_OK)
        status = kk_origins_check(origins, err);
    if (status == KOKORO_OK && r->has_keys)
        status = kk_keys_read(&r->keys, path, err);
    if (status == KOKORO_OK) {
        r->origins = kk_strdup(origins);
        if (r->origins == NULL)
            status = kk_fail_memory(err);
    }
    if (status != KOKORO_OK)
        fini_rules(r);
    return status;
}

static kk_key_use *find_use(const kk_access *access, const char *name)
{
    kk_key_use *use = access->uses;
    while (use != NULL && strcmp(use->name, name) != 0)
        use = use->next;
    return use;
}

/* A place for what each key uses, made before the keys are in force. */
static int prepare_uses(kk_access *access, const kk_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++) {
        const kk_key *key = &keys->items[i];
        kk_key_use *use = find_use(access, key->name);
        if (use == NULL) {
            use = kk_calloc(1, sizeof(*use));
            if (use == NULL)
                return KOKORO_NO_MEMORY;
            memcpy(use->name, key->name, sizeof(use->name));
            use->group = ++access->n_uses;
            use->next = access->uses;
            access->uses = use;
            use->filled_s = -1e9; /* long ago: full */
        }
        use->limits = key->limits;
    }
    return KOKORO_OK;
}

int kk_access_create(kk_access **out, const kk_config *config, kokoro_error *err)
{
    *out = NULL;
    kk_access *access = kk_calloc(1, sizeof(*access));
    if (access == NULL)
        return kk_fail_memory(err);
    if (pthread_mutex_init(&access->mutex, NULL) != 0) {
        kk_free(access);
        return kk_fail_memory(err);
    }
    int status = read_rules(&access->rules, config, err);
    if (status == KOKORO_OK && prepare_uses(access, &access->rules.keys) != KOKORO_OK)
        status = kk_fail_memory(err);
    if (status != KOKORO_OK)
        kk_access_destroy(&access);
    *out = access;
    return status;
}

void kk_access_destroy(kk_access **access_ptr)
{
    kk_access *access = *access_ptr;
    if (access == NULL)
        return;
    *access_ptr = NULL;
    fini_rules(&access->rules);
    for (kk_key_use *use = access->uses, *next; use != NULL; use = next) {
        next = use->next;
        kk_free(use);
    }
    (void)pthread_mutex_destroy(&access->mutex);
    kk_free(access);
}

void kk_access_reload(kk_access *access, const kk_config *config, const kk_log *log)
{
    rules fresh;
    kokoro_error error;
    if (read_rules(&fresh, config, &error) != KOKORO_OK) {
        kk_log_write(log, KOKORO_LOG_WARNING, "keys, origins and proxies stay as they were: %s",
                     error.message);
        return;
    }
    (void)pthread_mutex_lock(&access->mutex);
    rules old = access->rules;
    bool is_well = prepare_uses(access, &fresh.keys) == KOKORO_OK;
    if (is_well)
        access->rules = fresh;
    (void)pthread_mutex_unlock(&access->mutex);
    if (!is_well) {
        fini_rules(&fresh);
        kk_log_write(log, KOKORO_LOG_WARNING, "the keys stay as they were: out of memory");
        return;
    }
    for (size_t i = 0; i < fresh.keys.n; i++) {
        if (kk_keys_named(&old.keys, fresh.keys.items[i].name) == NULL)
            kk_log_write(log, KOKORO_LOG_INFO, "key %s is new", fresh.keys.items[i].name);
    }
    for (size_t i = 0; i < old.keys.n; i++) {
        if (kk_keys_named(&fresh.keys, old.keys.items[i].name) == NULL)
            kk_log_write(log, KOKORO_LOG_INFO, "key %s is no longer valid", old.keys.items[i].name);
    }
    if (fresh.has_keys)
        kk_log_write(log, KOKORO_LOG_INFO, "%zu keys are valid", fresh.keys.n);
    fini_rules(&old);
}

bool kk_access_has_keys(kk_access *access)
{
    (void)pthread_mutex_lock(&access->mutex);
    bool has_keys = access->rules.has_keys;
    (void)pthread_mutex_unlock(&access->mutex);
    return has_keys;
}

/* --- who asks --- */

/* What a header carries behind a scheme; empty where there is none. */
static kk_slice secret_in(const kk_http_request *request, const char *header, kk_slice scheme)
{
    const char *text = kk_http_header(request, header);
    const kk_slice value = text != NULL ? kk_slice_of(text) : (kk_slice){"", 0};
    const kk_slice front = {value.data, value.len < scheme.len ? 0 : scheme.len};
    if (!kk_slice_equal_nocase(front, scheme))
        return (kk_slice){"", 0};
    return kk_slice_trim((kk_slice){value.data + scheme.len, value.len - scheme.len});
}

/* The key of the request, NULL for none that is valid. OpenAI's clients always send a Bearer, if
 * only an empty one, also where the key stands in the other header. */
static const kk_key *find_key(const rules *r, const kk_http_request *request)
{
    if (!r->has_keys)
        return NULL;
    const kk_key *key =
        kk_keys_find(&r->keys, secret_in(request, "Authorization", KK_SLICE("Bearer ")));
    return key != NULL ? key
                       : kk_keys_find(&r->keys, secret_in(request, "X-API-Key", KK_SLICE("")));
}

/* All values of a header that may come several times, joined by commas; NULL where there is none.
 * The first alone where memory is out. */
static const char *joined(const kk_http_request *request, const char *name, kk_buf *buf)
{
    if (kk_http_count_headers(request, name) <= 1)
        return kk_http_header(request, name);
    for (size_t i = 0; i < request->n_headers; i++) {
        if (!kk_slice_equal_nocase(kk_slice_of(request->headers[i].name), kk_slice_of(name)))
            continue;
        kk_buf_append_str(buf, buf->len > 0 ? "," : "");
        kk_buf_append_str(buf, request->headers[i].value);
    }
    return buf->failed ? kk_http_header(request, name) : kk_buf_str(buf);
}

static void find_client(const rules *r, kk_http_request *request)
{
    kk_buf forwarded_for = KK_BUF_INIT, forwarded = KK_BUF_INIT;
    char peer[KK_ADDRESS_LEN];
    memcpy(peer, request->client, sizeof(peer));
    request->is_forwarded = kk_proxies_have(&r->proxies, peer);
    if (request->is_forwarded)
        kk_forwarded_client(&r->proxies, peer, joined(request, "X-Forwarded-For", &forwarded_for),
                            joined(request, "Forwarded", &forwarded), request->client);
    kk_buf_fini(&forwarded_for);
    kk_buf_fini(&forwarded);
}

void kk_access_identify(kk_access *access, kk_http_request *request)
{
    const char *origin = kk_http_header(request, "Origin");
    (void)pthread_mutex_lock(&access->mutex);
    const rules *r = &access->rules;
    find_client(r, request);
    request->varies = r->origins[0] != '\0';
    if (origin != NULL && kk_origins_have(r->origins, origin))
        request->allowed_origin = origin;
    request->needs_key = r->has_keys;
    const kk_key *key = find_key(r, request);
    kk_key_use *use = key != NULL ? find_use(access, key->name) : NULL;
    if (use != NULL) {
        request->key = use;
        request->key_name = use->name;
        request->group = use->group;
    }
    (void)pthread_mutex_unlock(&access->mutex);
}

/* --- limits --- */

static double filled(double level, double limit, double elapsed_s)
{
    double now = level + elapsed_s * limit / 60.0;
    return now < limit ? now : limit;
}

static void fill(kk_key_use *use, double now_s)
{
    double elapsed_s = now_s - use->filled_s;
    use->requests = filled(use->requests, use->limits.requests_per_min, elapsed_s);
    use->chars = filled(use->chars, use->limits.chars_per_min, elapsed_s);
    use->filled_s = now_s;
}

/* Seconds until `wanted` is there; 0: it is. A full bucket gives out more than it holds, once. */
static unsigned wait_for(double level, double wanted, double limit)
{
    double least = wanted < limit ? wanted : limit;
    if (limit <= 0.0 || level >= least)
        return 0;
    return (unsigned)ceil((least - level) * 60.0 / limit);
}

unsigned kk_access_begin(kk_access *access, kk_http_request *request, bool *has_all_streams)
{
    *has_all_streams = false;
    kk_key_use *use = request->key;
    if (use == NULL)
        return 0;
    (void)pthread_mutex_lock(&access->mutex);
    fill(use, kk_now_s());
    unsigned wait_s = wait_for(use->requests, 1.0, use->limits.requests_per_min);
    /* When one of its answers ends nobody knows. */
    *has_all_streams =
        wait_s == 0 && use->limits.streams > 0 && use->n_streams >= use->limits.streams;
    if (*has_all_streams)
        wait_s = 1;
    if (wait_s == 0) {
        use->requests -= 1.0;
        use->n_streams++;
        request->holds_stream = true;
    }
    (void)pthread_mutex_unlock(&access->mutex);
    return wait_s;
}

unsigned kk_access_take_chars(kk_access *access, const kk_http_request *request, size_t n_chars)
{
    kk_key_use *use = request->key;
    if (use == NULL)
        return 0;
    (void)pthread_mutex_lock(&access->mutex);
    fill(use, kk_now_s());
    unsigned wait_s = wait_for(use->chars, (double)n_chars, use->limits.chars_per_min);
    if (wait_s == 0)
        use->chars -= (double)n_chars;
    (void)pthread_mutex_unlock(&access->mutex);
    return wait_s;
}

void kk_access_add_chars(kk_access *access, const kk_http_request *request, size_t n_chars)
{
    kk_key_use *use = request->key;
    if (use == NULL)
        return;
    (void)pthread_mutex_lock(&access->mutex);
    fill(use, kk_now_s());
    use->chars -= (double)n_chars;
    (void)pthread_mutex_unlock(&access->mutex);
}

void kk_access_end(kk_access *access, const kk_http_request *request)
{
    kk_key_use *use = request->key;
    if (use == NULL || !request->holds_stream)
        return;
    (void)pthread_mutex_lock(&access->mutex);
    use->n_streams--;
    (void)pthread_mutex_unlock(&access->mutex);
}
