/* http_exchange.c - requests and responses as values, and the buffer between two threads. */
#include "server/http/http_exchange.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* What a client must take while bytes wait for it, on the average of idle_s: half the speed of the
 * slowest encoded speech; and when its buffer is full and a worker waits with it, who has others to
 * serve, an eighth of the speed of 16-bit speech. */
enum { MIN_BYTES_PER_S = 500, MIN_FULL_BYTES_PER_S = 6000, KEEP_LEN = 1 << 20 };
/* Time for a client to close after all of an answer was written and its body goes on. */
static const double linger_s = 2.0;

static bool is_same_name(const char *a, const char *b)
{
    return kk_slice_equal_nocase(kk_slice_of(a), kk_slice_of(b));
}

const char *kk_http_header(const kk_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        if (is_same_name(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return NULL;
}

size_t kk_http_count_headers(const kk_http_request *request, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < request->n_headers; i++)
        n += is_same_name(request->headers[i].name, name);
    return n;
}

bool kk_http_is_name(kk_slice name)
{
    /* RFC 9110, 5.6.2. */
    static const char characters[] = "!#$%&'*+-.^_`|~0123456789"
                                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '\0' || strchr(characters, name.data[i]) == NULL)
            return false;
    }
    return name.len > 0;
}

const char *kk_http_query(const kk_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_queries; i++) {
        if (strcmp(request->queries[i].name, name) == 0)
            return request->queries[i].value;
    }
    return NULL;
}

void kk_http_add_header(kk_http_response *response, const char *name, const char *format, ...)
{
    if (response->n_headers >= KK_HTTP_MAX_HEADERS)
        return;
    char *value = response->headers[response->n_headers].value;
    size_t size = sizeof(response->headers[0].value);
    va_list args;
    va_start(args, format);
    int len = vsnprintf(value, size, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= size)
        return;
    response->headers[response->n_headers++].name = name;
}

kk_http_exchange *kk_exchange_create(size_t buffer_len, unsigned idle_s, int fd, void *connection,
                                     void (*wake)(void *connection))
{
    kk_http_exchange *exchange = kk_calloc(1, sizeof(*exchange));
    if (exchange == NULL)
        return NULL;
    bool has_mutex = pthread_mutex_init(&exchange->mutex, NULL) == 0;
    if (!has_mutex || pthread_cond_init(&exchange->has_room, NULL) != 0) {
        if (has_mutex)
            (void)pthread_mutex_destroy(&exchange->mutex);
        kk_free(exchange);
        return NULL;
    }
    exchange->n_refs = 1;
    exchange->buffer_len = buffer_len;
    exchange->idle_s = idle_s;
    exchange->fd = fd;
    exchange->connection = connection;
    exchange->wake = wake;
    exchange->request.start_s = kk_now_s();
    exchange->looked_s = exchange->request.start_s;
    return exchange;
}

void kk_http_hold(kk_http_exchange *exchange)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->n_refs++;
    (void)pthread_mutex_unlock(&exchange->mutex);
}

static void give_back(kk_http_exchange *exchange)
{
    kk_http_response *response = &exchange->response;
    if (response->give_back != NULL)
        response->give_back(response->owner);
    response->give_back = NULL;
    response->lent = (kk_slice){NULL, 0};
}

/* Under the lock: what all answers have waiting follows what this one has. */
static void count_waiting(kk_http_exchange *exchange)
{
    kk_http_waiting *all = exchange->waiting;
    const size_t len = exchange->collected + exchange->out.len - exchange->taken;
    if (all == NULL || len == exchange->counted)
        return;
    (void)atomic_fetch_add(&all->len, len - exchange->counted); /* modulo: also less */
    exchange->counted = len;
}

static void leave_count(kk_http_exchange *exchange)
{
    if (exchange->waiting != NULL)
        (void)atomic_fetch_sub(&exchange->waiting->len, exchange->counted);
    exchange->waiting = NULL;
}

bool kk_http_collect(kk_http_exchange *exchange, size_t len)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    const kk_http_waiting *all = exchange->waiting;
    const bool fits = all == NULL || all->max == 0 ||
                      atomic_load(&all->len) - exchange->counted + len <= all->max;
    exchange->collected = fits ? len : 0;
    count_waiting(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
    return fits;
}

/* Bytes that wait to be sent. */
static size_t waiting_len(const kk_http_exchange *exchange)
{
    return exchange->response.lent.len + exchange->out.len - exchange->taken;
}

void kk_http_release(kk_http_exchange *exchange)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    int n_refs = --exchange->n_refs;
    (void)pthread_mutex_unlock(&exchange->mutex);
    if (n_refs > 0)
        return;
    (void)pthread_cond_destroy(&exchange->has_room);
    (void)pthread_mutex_destroy(&exchange->mutex);
    leave_count(exchange);
    give_back(exchange);
    kk_buf_fini(&exchange->body);
    kk_buf_fini(&exchange->response.body);
    kk_buf_fini(&exchange->out);
    kk_buf_fini(&exchange->wire);
    kk_arena_fini(&exchange->arena);
    kk_free(exchange);
}

/* There is something new to send or to end. */
void kk_exchange_wake(kk_http_exchange *exchange)
{
    if (exchange->is_parked && (!exchange->is_own || exchange->is_gone)) {
        exchange->is_parked = false;
        exchange->wake(exchange->connection);
    }
    if (exchange->is_own)
        kk_own_pump(exchange);
}

void kk_exchange_set_gone(kk_http_exchange *exchange)
{
    if (exchange->is_gone)
        return;
    exchange->gone_at_s = kk_now_s();
    exchange->is_gone = true;
    (void)pthread_cond_broadcast(&exchange->has_room);
    if (exchange->on_gone != NULL)
        exchange->on_gone(exchange->gone_user);
    if (exchange->fd >= 0)
        (void)shutdown(exchange->fd, SHUT_RDWR); /* the connection's thread sees the end too */
    kk_exchange_wake(exchange);
}

/* What every answer has by its request. Pages of other sites may read it where they are listed. */
static void add_common(kk_http_response *response, const kk_http_request *request)
{
    response->must_close = response->must_close || request->must_close;
    if (request->varies)
        kk_http_add_header(response, "Vary", "Origin");
    if (request->allowed_origin == NULL)
        return;
    kk_http_add_header(response, "Access-Control-Allow-Origin", "%s", request->allowed_origin);
    kk_http_add_header(response, "Access-Control-Expose-Headers",
                       "X-Request-Id, Server-Timing, X-Cache, X-Kokoro-Ignored, Retry-After");
}

void kk_http_begin(kk_http_exchange *exchange, kk_http_response *response, uint64_t length)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    add_common(response, &exchange->request);
    exchange->response = *response;
    exchange->length = length;
    /* A body that is whole already is sent through the same buffer. */
    exchange->out = response->body;
    response->body = (kk_buf)KK_BUF_INIT;
    response->give_back = NULL;
    exchange->response.body = (kk_buf)KK_BUF_INIT;
    exchange->is_begun = true;
    exchange->collected = 0;
    count_waiting(exchange);
    kk_exchange_wake(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
}

/* Its own share is full, or a small one while all together have much: whose client reads gets on
 * with that. */
static bool is_full(const kk_http_exchange *exchange)
{
    const kk_http_waiting *all = exchange->waiting;
    const size_t len = exchange->out.len - exchange->taken;
    return len >= exchange->buffer_len || (len >= KK_HTTP_SMALL_BUFFER && all != NULL &&
                                           all->max > 0 && atomic_load(&all->len) > all->max / 2);
}

/* Under the lock, which is free meanwhile. */
static void tell_blocked(kk_http_exchange *exchange, bool is_blocked)
{
    if (exchange->on_block == NULL)
        return;
    (void)pthread_mutex_unlock(&exchange->mutex);
    exchange->on_block(exchange->block_user, is_blocked);
    (void)pthread_mutex_lock(&exchange->mutex);
}

/* Under the lock: wait until there is room. The watching thread sees to it that this ends. */
static bool wait_for_room(kk_http_exchange *exchange)
{
    const bool must_wait = !exchange->is_gone && is_full(exchange);
    if (must_wait)
        tell_blocked(exchange, true);
    exchange->has_writer_waiting = must_wait;
    while (!exchange->is_gone && is_full(exchange))
        (void)pthread_cond_wait(&exchange->has_room, &exchange->mutex);
    exchange->has_writer_waiting = false;
    if (must_wait)
        tell_blocked(exchange, false); /* only this thread fills it: it has room still */
    return !exchange->is_gone;
}

int kk_http_write(kk_http_exchange *exchange, const void *data, size_t len)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    bool is_well = wait_for_room(exchange);
    if (is_well) {
        if (exchange->taken == exchange->out.len) {
            exchange->taken = 0;
            kk_buf_clear(&exchange->out);
        } else if (exchange->taken > exchange->out.len / 2) {
            size_t rest = exchange->out.len - exchange->taken;
            memmove(exchange->out.data, exchange->out.data + exchange->taken, rest);
            exchange->out.len = rest;
            exchange->taken = 0;
        }
        kk_buf_append(&exchange->out, data, len);
        is_well = !exchange->out.failed;
        count_waiting(exchange);
    }
    kk_exchange_wake(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
    return is_well ? 0 : -1;
}

void kk_http_end(kk_http_exchange *exchange, bool is_whole)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->is_ended = true;
    exchange->is_whole = is_whole;
    exchange->was_lost = exchange->is_gone;
    exchange->on_gone = NULL;
    exchange->on_body = NULL;
    kk_exchange_wake(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
}

bool kk_http_is_gone(const kk_http_exchange *exchange)
{
    return exchange->is_gone;
}

double kk_http_gone_for_s(const kk_http_exchange *exchange)
{
    return exchange->is_gone ? kk_now_s() - exchange->gone_at_s : -1.0;
}

void kk_http_on_gone(kk_http_exchange *exchange, kk_http_gone_fn *fn, void *user)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->on_gone = fn;
    exchange->gone_user = user;
    if (exchange->is_gone && fn != NULL)
        fn(user);
    (void)pthread_mutex_unlock(&exchange->mutex);
}

void kk_http_on_block(kk_http_exchange *exchange, kk_http_block_fn *fn, void *user)
{
    exchange->on_block = fn;
    exchange->block_user = user;
}

void kk_http_take_body(kk_http_exchange *exchange, kk_http_take_fn *fn, void *user)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->on_body = fn;
    exchange->body_user = user;
    (void)pthread_mutex_unlock(&exchange->mutex);
}

void kk_http_set_failure(kk_http_exchange *exchange, int status)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->failure = status;
    (void)pthread_mutex_unlock(&exchange->mutex);
}

void kk_http_set_audio(kk_http_exchange *exchange, double audio_s)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->audio_s = audio_s;
    (void)pthread_mutex_unlock(&exchange->mutex);
}

/* --- the connection's side --- */

/* Under the lock. */
static void park_connection(kk_http_exchange *exchange, void (*park)(void *connection))
{
    exchange->is_parked = true;
    park(exchange->connection);
}

bool kk_exchange_is_begun_or_park(kk_http_exchange *exchange, void (*park)(void *connection))
{
    (void)pthread_mutex_lock(&exchange->mutex);
    bool is_begun = exchange->is_begun && !exchange->is_own;
    bool is_over = exchange->is_own ? exchange->written_s > 0.0 : exchange->is_ended;
    if (!is_begun && !is_over && !exchange->is_gone)
        park_connection(exchange, park);
    (void)pthread_mutex_unlock(&exchange->mutex);
    return is_begun;
}

static size_t take_lent(kk_http_exchange *exchange, char *dst, size_t max)
{
    kk_slice *lent = &exchange->response.lent;
    size_t len = lent->len < max ? lent->len : max;
    memcpy(dst, lent->data, len);
    *lent = (kk_slice){lent->data + len, lent->len - len};
    exchange->n_taken += len;
    if (lent->len == 0)
        give_back(exchange);
    return len;
}

size_t kk_exchange_take(kk_http_exchange *exchange, char *dst, size_t max)
{
    if (exchange->response.lent.len > 0)
        return take_lent(exchange, dst, max);
    size_t waiting = exchange->out.len - exchange->taken;
    size_t len = waiting < max ? waiting : max;
    memcpy(dst, exchange->out.data + exchange->taken, len);
    exchange->taken += len;
    exchange->n_taken += len;
    if (exchange->taken == exchange->out.len && exchange->out.capacity > KEEP_LEN) {
        kk_buf_fini(&exchange->out);
        exchange->taken = 0;
    }
    count_waiting(exchange);
    (void)pthread_cond_signal(&exchange->has_room);
    return len;
}

long kk_exchange_read(kk_http_exchange *exchange, char *dst, size_t max,
                      void (*park)(void *connection))
{
    long result;
    (void)pthread_mutex_lock(&exchange->mutex);
    if (exchange->is_gone) {
        result = KK_EXCHANGE_CUT;
    } else if (waiting_len(exchange) > 0) {
        result = (long)kk_exchange_take(exchange, dst, max);
    } else if (exchange->is_ended) {
        result = exchange->is_whole ? KK_EXCHANGE_END : KK_EXCHANGE_CUT;
    } else {
        park_connection(exchange, park);
        result = KK_EXCHANGE_PARKED;
    }
    (void)pthread_mutex_unlock(&exchange->mutex);
    return result;
}

bool kk_exchange_is_cut(kk_http_exchange *exchange)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    bool is_cut = exchange->is_own
                      ? exchange->written_s > 0.0 || exchange->is_gone
                      : !exchange->is_begun && (exchange->is_ended || exchange->is_gone);
    (void)pthread_mutex_unlock(&exchange->mutex);
    return is_cut;
}

bool kk_exchange_refuse(kk_http_exchange *exchange, int status)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    const bool is_first = !exchange->is_begun && !exchange->is_gone;
    if (is_first) {
        exchange->status = status;
        exchange->written_s = kk_now_s(); /* for kk_own_pump: all there is was written */
    }
    (void)pthread_mutex_unlock(&exchange->mutex);
    return is_first;
}

void kk_exchange_give_body(kk_http_exchange *exchange, const char *data, size_t len)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->has_body = exchange->has_body || len == 0;
    exchange->body_len += len;
    if (exchange->on_body != NULL)
        exchange->on_body(exchange->body_user, data, len);
    (void)pthread_mutex_unlock(&exchange->mutex);
}

int kk_exchange_close(kk_http_exchange *exchange, bool is_sent)
{
    enum { CLIENT_CLOSED_REQUEST = 499, INTERNAL_ERROR = 500 };
    (void)pthread_mutex_lock(&exchange->mutex);
    int status = exchange->status;
    bool was_cut_here = exchange->is_ended && !exchange->is_whole && !exchange->was_lost;
    if (exchange->is_own)
        is_sent = exchange->is_whole && exchange->written_s > 0.0;
    int failure = exchange->failure != 0 ? exchange->failure : INTERNAL_ERROR;
    if (status == 0 || (!is_sent && exchange->is_begun))
        status = was_cut_here ? failure : CLIENT_CLOSED_REQUEST;
    exchange->connection = NULL;
    exchange->is_parked = false;
    exchange->fd = -1;
    leave_count(exchange); /* nobody takes it any more, and it may outlive the server's port */
    kk_exchange_set_gone(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
    return status;
}

/* --- the watching thread's side --- */

void kk_exchange_lose(kk_http_exchange *exchange)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    kk_exchange_set_gone(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
}

void kk_exchange_pump(kk_http_exchange *exchange)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    kk_own_pump(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
}

/* Bytes that its client has not taken yet: here, or, of an answer that has ended, the last piece of
 * it in the library, which forgets the exchange as soon as the socket has that. */
static bool has_waiting_bytes(const kk_http_exchange *exchange)
{
    return waiting_len(exchange) > 0 || exchange->has_writer_waiting ||
           exchange->wire.len > exchange->wire_sent || (exchange->is_ended && !exchange->is_own);
}

/* A client that takes next to nothing is as good as gone. */
static bool is_too_slow(kk_http_exchange *exchange, double now_s)
{
    bool has_waiting = has_waiting_bytes(exchange);
    double elapsed_s = now_s - exchange->looked_s;
    if (has_waiting && elapsed_s <= (double)exchange->idle_s)
        return false;
    double taken = (double)(exchange->n_taken - exchange->n_taken_then);
    const bool has_much = exchange->out.len - exchange->taken >= exchange->buffer_len;
    double least =
        exchange->has_writer_waiting && has_much ? MIN_FULL_BYTES_PER_S : MIN_BYTES_PER_S;
    exchange->looked_s = now_s;
    exchange->n_taken_then = exchange->n_taken;
    return has_waiting && taken < least * elapsed_s;
}

void kk_exchange_look(kk_http_exchange *exchange, double now_s)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    bool lingers = exchange->written_s > 0.0 && now_s - exchange->written_s > linger_s;
    bool is_endless = exchange->is_streaming && !exchange->has_body &&
                      now_s - exchange->request.start_s > (double)exchange->stream_s;
    if (is_too_slow(exchange, now_s) || lingers || is_endless)
        kk_exchange_set_gone(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
}
