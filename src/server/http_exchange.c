/* http_exchange.c - requests and responses as values, and the buffer between two threads. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "server/http_exchange.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A client must take at least this much in idle_s, an eighth of the speed of 16-bit speech. */
enum { MIN_BYTES_PER_S = 6000, KEEP_LEN = 1 << 20 };

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
    pthread_condattr_t attributes;
    if (exchange == NULL)
        return NULL;
    bool has_mutex = pthread_mutex_init(&exchange->mutex, NULL) == 0;
    bool has_room = false;
    if (has_mutex && pthread_condattr_init(&attributes) == 0) {
        has_room = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                   pthread_cond_init(&exchange->has_room, &attributes) == 0;
        (void)pthread_condattr_destroy(&attributes);
    }
    if (!has_room) {
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
    return exchange;
}

void kk_http_hold(kk_http_exchange *exchange)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->n_refs++;
    (void)pthread_mutex_unlock(&exchange->mutex);
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
    kk_buf_fini(&exchange->body);
    kk_buf_fini(&exchange->response.body);
    kk_buf_fini(&exchange->out);
    kk_arena_fini(&exchange->arena);
    kk_free(exchange);
}

/* Under the lock. */
static void wake_if_parked(kk_http_exchange *exchange)
{
    if (exchange->is_parked) {
        exchange->is_parked = false;
        exchange->wake(exchange->connection);
    }
}

void kk_http_begin(kk_http_exchange *exchange, kk_http_response *response, uint64_t length)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->response = *response;
    exchange->length = length;
    /* A body that is whole already is sent through the same buffer. */
    exchange->out = response->body;
    response->body = (kk_buf)KK_BUF_INIT;
    exchange->response.body = (kk_buf)KK_BUF_INIT;
    exchange->is_begun = true;
    wake_if_parked(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
}

/* Under the lock: wait until there is room. A client that takes next to nothing is as good as gone,
 * and its worker has others to serve. */
static bool wait_for_room(kk_http_exchange *exchange)
{
    double since_s = kk_now_s();
    size_t waiting = exchange->out.len - exchange->taken;
    while (!exchange->is_gone && exchange->out.len - exchange->taken >= exchange->buffer_len) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        (void)pthread_cond_timedwait(&exchange->has_room, &exchange->mutex, &until);
        double elapsed_s = kk_now_s() - since_s;
        if (elapsed_s > (double)exchange->idle_s) {
            size_t now = exchange->out.len - exchange->taken;
            if ((double)(waiting - now) < MIN_BYTES_PER_S * elapsed_s)
                exchange->is_gone = true;
            since_s = kk_now_s();
            waiting = now;
        }
    }
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
    }
    wake_if_parked(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
    return is_well ? 0 : -1;
}

void kk_http_end(kk_http_exchange *exchange, bool is_whole)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    exchange->is_ended = true;
    exchange->is_whole = is_whole;
    wake_if_parked(exchange);
    (void)pthread_mutex_unlock(&exchange->mutex);
}

/*
 * A parked connection is not watched by its thread, so it is looked at here. A client that closes
 * and one that only shuts its sending side look the same; both are taken as gone, as most servers
 * do, because a client that waits for speech keeps its side open.
 */
bool kk_http_is_gone(kk_http_exchange *exchange)
{
    (void)pthread_mutex_lock(&exchange->mutex);
    if (!exchange->is_gone && exchange->fd >= 0) {
        struct pollfd fd = {.fd = exchange->fd, .events = POLLRDHUP};
        if (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0)
            exchange->is_gone = true;
    }
    bool is_gone = exchange->is_gone;
    (void)pthread_mutex_unlock(&exchange->mutex);
    return is_gone;
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
    bool is_begun = exchange->is_begun;
    if (!is_begun && !exchange->is_ended)
        park_connection(exchange, park);
    (void)pthread_mutex_unlock(&exchange->mutex);
    return is_begun;
}

long kk_exchange_read(kk_http_exchange *exchange, char *dst, size_t max,
                      void (*park)(void *connection))
{
    long result;
    (void)pthread_mutex_lock(&exchange->mutex);
    size_t waiting = exchange->out.len - exchange->taken;
    if (exchange->is_gone) {
        result = KK_EXCHANGE_CUT;
    } else if (waiting > 0) {
        size_t len = waiting < max ? waiting : max;
        memcpy(dst, exchange->out.data + exchange->taken, len);
        exchange->taken += len;
        result = (long)len;
        if (exchange->taken == exchange->out.len && exchange->out.capacity > KEEP_LEN) {
            kk_buf_fini(&exchange->out);
            exchange->taken = 0;
        }
        (void)pthread_cond_signal(&exchange->has_room);
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
    bool is_cut = exchange->is_ended && !exchange->is_begun;
    (void)pthread_mutex_unlock(&exchange->mutex);
    return is_cut;
}

int kk_exchange_close(kk_http_exchange *exchange, bool is_sent)
{
    enum { CLIENT_CLOSED_REQUEST = 499, INTERNAL_ERROR = 500 };
    (void)pthread_mutex_lock(&exchange->mutex);
    int status = exchange->status;
    bool was_cut_here = exchange->is_ended && !exchange->is_whole && !exchange->is_gone;
    if (status == 0 || (!is_sent && exchange->is_begun))
        status = was_cut_here ? INTERNAL_ERROR : CLIENT_CLOSED_REQUEST;
    exchange->is_gone = true;
    exchange->connection = NULL;
    exchange->is_parked = false;
    exchange->fd = -1;
    (void)pthread_cond_signal(&exchange->has_room);
    (void)pthread_mutex_unlock(&exchange->mutex);
    return status;
}
