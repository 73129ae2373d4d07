/*
 * http_mhd.c - HTTP by libmicrohttpd; the only file that knows it. One thread of that library
 * serves all connections by epoll; a connection whose answer is still being made is suspended and
 * taken up again when there are bytes for it.
 *
 * What the library leaves to its user is done here: a suspended connection is not watched (see
 * http_watch.h), all must be resumed before the end, and its time limit is one of silence, so that
 * one byte every few seconds holds a connection for ever (see kk_http_tick).
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "server/http/http_exchange.h"
#include "server/http/http_head.h"
#include "server/http/http_watch.h"
#include "server/http/listen.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Memory of a connection, which an idle one keeps: its header lines at most (some 16 KB of them),
 * and the piece in which an answer is sent. What is not longer than WATCHED_LEN any socket takes at
 * once, so that it cannot be read slowly. */
enum { CONNECTION_MEMORY = 24 * 1024, SEND_PIECE = 32 * 1024, WATCHED_LEN = 4096 };
/* Time for what a client sent before it closed to be read. */
static const double cut_short_s = 1.0;
/* Of the time limits, when seven of eight connections are taken. */
static const double crowded_patience = 0.125;

enum link_state {
    LINK_NEW,     /* nothing came yet */
    LINK_READING, /* a request's first line is there: it gets an answer when it is cut */
    LINK_BUSY,    /* its answer is made or sent */
    LINK_IDLE     /* waits for the next request */
};

/* One connection, for the time limits of its requests. */
typedef struct kk_link {
    struct kk_link *next, *previous;
    int fd;
    enum link_state state;
    double since_s;
    bool is_cut;
    int told; /* the status that its unfinished request got when it was cut; 0: none */
} kk_link;

struct kk_http {
    struct MHD_Daemon *daemon;
    kk_http_handler handler;
    kk_http_limits limits;
    kk_listener listener;
    kk_watch *watch;
    atomic_bool is_accepting;
    bool must_check_heads; /* the library is the version that http_head.h is for */
    pthread_mutex_t mutex; /* of the links and the counts */
    kk_link *links;
    size_t n_links, n_active;
    kk_http_waiting waiting;
};

static void park(void *connection)
{
    MHD_suspend_connection(connection);
}

static void wake(void *connection)
{
    MHD_resume_connection(connection);
}

/* --- connections --- */

static kk_link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static int fd_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

static void set_state(kk_http *http, struct MHD_Connection *connection, enum link_state state)
{
    kk_link *l = link_of(connection);
    (void)pthread_mutex_lock(&http->mutex);
    if (l != NULL) {
        l->since_s = kk_now_s();
        l->state = state;
    }
    (void)pthread_mutex_unlock(&http->mutex);
}

static void add_link(kk_http *http, struct MHD_Connection *connection, void **context)
{
    kk_link *l = kk_calloc(1, sizeof(*l));
    *context = l;
    if (l == NULL)
        return; /* served without that time limit */
    l->fd = fd_of(connection);
    l->since_s = kk_now_s();
    (void)pthread_mutex_lock(&http->mutex);
    l->next = http->links;
    if (http->links != NULL)
        http->links->previous = l;
    http->links = l;
    http->n_links++;
    (void)pthread_mutex_unlock(&http->mutex);
}

static void remove_link(kk_http *http, void **context)
{
    kk_link *l = *context;
    if (l == NULL)
        return;
    (void)pthread_mutex_lock(&http->mutex);
    if (l->next != NULL)
        l->next->previous = l->previous;
    if (l->previous != NULL)
        l->previous->next = l->next;
    else
        http->links = l->next;
    http->n_links--;
    (void)pthread_mutex_unlock(&http->mutex);
    kk_free(l);
    *context = NULL;
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        add_link(user, connection, context);
    else
        remove_link(user, context);
}

/* An answer of this side's own, where the library takes none: straight into the socket. The id is
 * NULL where the request has none yet. */
static void send_raw(int fd, const char *id, int status, const char *reason, const char *body)
{
    char text[1024];
    int len = snprintf(text, sizeof(text),
                       "HTTP/1.1 %d %s\r\nConnection: close\r\n%s%s%sContent-Type: "
                       "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       status, reason, id != NULL ? "X-Request-Id: " : "", id != NULL ? id : "",
                       id != NULL ? "\r\n" : "", strlen(body), body);
    if (len > 0 && (size_t)len < sizeof(text))
        (void)send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The client closed its side, and what it sent is no whole request: the library would wait on. */
static bool is_cut_short(const kk_link *l)
{
    struct pollfd fd = {.fd = l->fd, .events = POLLRDHUP};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Where a request has begun to come it gets the answer. */
static void cut_link(kk_link *l, int status, const char *reason, const char *body)
{
    if (l->state == LINK_READING) {
        send_raw(l->fd, NULL, status, reason, body);
        l->told = status;
    }
    (void)shutdown(l->fd, SHUT_RDWR);
    l->is_cut = true;
}

/* A request must come in time, whole; one that waits for nothing must go where others wait to come
 * in. An idle connection may hold the beginning of a request, which the library says nothing of. */
static void look_at(const kk_http *http, kk_link *l, double now_s, double patience)
{
    double age_s = now_s - l->since_s;
    double limit_s = l->state == LINK_IDLE ? http->limits.idle_s : http->limits.request_s;
    bool is_late = age_s >= limit_s * patience;
    if (l->is_cut || l->state == LINK_BUSY || age_s < cut_short_s)
        return;
    if (!is_late && !is_cut_short(l))
        return;
    if (is_late)
        cut_link(l, 408, "Request Timeout", http->handler.too_slow_body);
    else
        cut_link(l, 400, "Bad Request", http->handler.cut_short_body);
}

void kk_http_tick(kk_http *http)
{
    double now_s = kk_now_s();
    (void)pthread_mutex_lock(&http->mutex);
    size_t limit = http->limits.max_connections;
    double patience = http->n_links >= limit - limit / 8 ? crowded_patience : 1.0;
    for (kk_link *l = http->links; l != NULL; l = l->next)
        look_at(http, l, now_s, patience);
    (void)pthread_mutex_unlock(&http->mutex);
}

void kk_http_cut(kk_http *http)
{
    kk_watch_lose_all(http->watch);
    (void)pthread_mutex_lock(&http->mutex);
    for (kk_link *l = http->links; l != NULL; l = l->next) {
        if (l->state == LINK_READING && !l->is_cut)
            cut_link(l, 503, "Service Unavailable", http->handler.stopping_body);
    }
    (void)pthread_mutex_unlock(&http->mutex);
}

/* --- requests --- */

/* The library decodes a path to a string that ends at a NUL: what stands behind would be lost, and
 * another path be served. */
static bool has_nul(const char *uri)
{
    const char *nul = strstr(uri, "%00");
    return nul != NULL && (size_t)(nul - uri) < strcspn(uri, "?");
}

static void *on_first_line(void *user, const char *uri, struct MHD_Connection *connection)
{
    kk_http *http = user;
    set_state(http, connection, LINK_READING);
    kk_http_exchange *exchange = kk_exchange_create(http->limits.buffer_len, http->limits.idle_s,
                                                    fd_of(connection), connection, wake);
    if (exchange == NULL)
        return NULL;
    exchange->waiting = &http->waiting;
    exchange->target = kk_slice_of(uri);
    if (has_nul(uri))
        exchange->request.path = "/%00";
    return exchange;
}

/* Fields of one kind, copied: the library's strings end with the request, the log comes later. */
typedef struct fields {
    kk_arena *arena;
    kk_http_field *items;
    size_t n, capacity;
    bool failed;
    kk_head *head; /* NULL: is not looked at */
} fields;

static enum MHD_Result take_field(void *user, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    fields *f = user;
    (void)kind;
    if (f->head != NULL)
        kk_head_add(f->head, name, value);
    if (f->n == f->capacity)
        f->items =
            kk_arena_grow(f->arena, f->items, f->n, f->n + 1, sizeof(*f->items), &f->capacity);
    if (f->items != NULL) {
        f->items[f->n].name = kk_arena_strdup(f->arena, name);
        f->items[f->n].value = kk_arena_strdup(f->arena, value != NULL ? value : "");
    }
    if (f->items == NULL || f->items[f->n].name == NULL || f->items[f->n].value == NULL) {
        f->failed = true;
        return MHD_NO;
    }
    f->n++;
    return MHD_YES;
}

/* Where the other end is, in figures; an IPv4 address in IPv6's clothes as what it is. */
static void write_client(char client[KK_HTTP_ADDRESS_LEN], struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    client[0] = '\0';
    if (info == NULL || info->client_addr == NULL)
        return;
    if (info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in in4;
        memcpy(&in4, info->client_addr, sizeof(in4));
        (void)inet_ntop(AF_INET, &in4.sin_addr, client, KK_HTTP_ADDRESS_LEN);
    } else if (info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, info->client_addr, sizeof(in6));
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
        (void)inet_ntop(is_mapped ? AF_INET : AF_INET6,
                        is_mapped ? &in6.sin6_addr.s6_addr[12] : &in6.sin6_addr.s6_addr[0], client,
                        KK_HTTP_ADDRESS_LEN);
    }
}

/* The path of "http://host/path", as a proxy's clients send it; its host must be the one of Host.
 */
static bool take_absolute_form(kk_http_request *request)
{
    kk_slice path = kk_slice_of(request->path);
    size_t scheme_len = kk_slice_starts(path, KK_SLICE("http://"))    ? 7
                        : kk_slice_starts(path, KK_SLICE("https://")) ? 8
                                                                      : 0;
    if (scheme_len == 0)
        return true;
    kk_slice host = {path.data + scheme_len, strcspn(path.data + scheme_len, "/")};
    const char *named = kk_http_header(request, "Host");
    request->path = host.data[host.len] == '/' ? host.data + host.len : "/";
    return named == NULL || kk_slice_equal_nocase(host, kk_slice_of(named));
}

static bool fill_request(const kk_http *http, kk_http_exchange *exchange,
                         struct MHD_Connection *connection, const char *url, const char *method,
                         const char *version)
{
    kk_head head;
    kk_http_request *request = &exchange->request;
    fields headers = {.arena = &exchange->arena}, queries = {.arena = &exchange->arena};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    kk_head_begin(&head, method, exchange->target, version);
    headers.head = http->must_check_heads ? &head : NULL;
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, take_field, &headers);
    (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_field, &queries);
    request->is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (http->must_check_heads &&
        (info == NULL || !kk_head_is_good(&head, method, info->header_size)))
        request->is_malformed = true;
    request->method = kk_arena_strdup(&exchange->arena, method);
    if (request->path == NULL)
        request->path = kk_arena_strdup(&exchange->arena, url);
    request->headers = headers.items;
    request->n_headers = headers.n;
    request->queries = queries.items;
    request->n_queries = queries.n;
    write_client(request->client, connection);
    if (headers.failed || queries.failed || request->method == NULL || request->path == NULL)
        return false;
    request->is_malformed = !take_absolute_form(request) || request->is_malformed;
    /* A request hidden behind chunks that two programs count differently is never read. */
    request->must_close = kk_http_header(request, "Transfer-Encoding") != NULL;
    return true;
}

static ssize_t on_read(void *user, uint64_t position, char *dst, size_t max)
{
    (void)position;
    long n = kk_exchange_read(user, dst, max, park);
    if (n == KK_EXCHANGE_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    return n == KK_EXCHANGE_CUT ? MHD_CONTENT_READER_END_WITH_ERROR : (ssize_t)n;
}

/* Once no more connections are accepted, each ends with its next answer, so that a client who asks
 * again and again does not hold up the end. */
static enum MHD_Result queue_response(kk_http *http, kk_http_exchange *exchange,
                                      struct MHD_Connection *connection)
{
    const kk_http_response *r = &exchange->response;
    uint64_t length =
        exchange->length == KK_HTTP_LENGTH_UNKNOWN ? MHD_SIZE_UNKNOWN : exchange->length;
    struct MHD_Response *response =
        MHD_create_response_from_callback(length, SEND_PIECE, on_read, exchange, NULL);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_YES;
    for (size_t i = 0; i < r->n_headers && result == MHD_YES; i++)
        result = MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
    if (r->content_type != NULL && result == MHD_YES)
        result = MHD_add_response_header(response, "Content-Type", r->content_type);
    if ((r->must_close || !atomic_load(&http->is_accepting)) && result == MHD_YES)
        result = MHD_add_response_header(response, "Connection", "close");
    exchange->status = r->status;
    if (result == MHD_YES)
        result = MHD_queue_response(connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return result;
}

/* The response is whole: make it the exchange's. */
static enum MHD_Result answer_now(kk_http *http, kk_http_exchange *exchange,
                                  struct MHD_Connection *connection, kk_http_response *response)
{
    if (response->body.failed) {
        kk_buf_fini(&response->body);
        return MHD_NO;
    }
    const uint64_t length = response->body.len + response->lent.len;
    kk_http_begin(exchange, response, length);
    kk_http_end(exchange, true);
    if (length > WATCHED_LEN)
        kk_watch_add(http->watch, exchange, true);
    return queue_response(http, exchange, connection);
}

static enum MHD_Result on_headers(kk_http *http, kk_http_exchange *exchange,
                                  struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version)
{
    kk_http_response response = {.status = 200};
    exchange->is_checked = true;
    (void)pthread_mutex_lock(&http->mutex);
    http->n_active++;
    (void)pthread_mutex_unlock(&http->mutex);
    if (!fill_request(http, exchange, connection, url, method, version))
        return MHD_NO;
    enum kk_http_verdict verdict =
        http->handler.check(http->handler.user, &exchange->request, &response);
    exchange->is_streaming = verdict == KK_HTTP_STREAM;
    if (verdict != KK_HTTP_NOW)
        return MHD_YES;
    set_state(http, connection, LINK_BUSY);
    return answer_now(http, exchange, connection, &response);
}

/* The first of a body that is answered while it comes, behind the library's own 100 Continue. */
static void on_stream(kk_http *http, kk_http_exchange *exchange, struct MHD_Connection *connection)
{
    kk_http_response response = {.status = 200};
    exchange->is_handled = true;
    exchange->is_own = true;
    exchange->stream_s = http->limits.stream_s;
    set_state(http, connection, LINK_BUSY);
    kk_watch_add(http->watch, exchange, false);
    if (http->handler.handle(http->handler.user, exchange, &exchange->request, &response) !=
        KK_HTTP_NOW)
        return;
    bool is_whole = !response.body.failed;
    kk_http_begin(exchange, &response, response.body.len);
    kk_http_end(exchange, is_whole);
}

static enum MHD_Result on_streamed_body(kk_http *http, kk_http_exchange *exchange, const char *data,
                                        size_t *len)
{
    if (*len > http->limits.max_body_len - exchange->body_len) {
        if (kk_exchange_refuse(exchange, 413))
            send_raw(exchange->fd, exchange->request.id, 413, "Content Too Large",
                     http->handler.too_long_body);
        return MHD_NO;
    }
    kk_exchange_give_body(exchange, data, *len);
    *len = 0;
    return kk_http_is_gone(exchange) ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_body(kk_http *http, kk_http_exchange *exchange, const char *data,
                               size_t *len)
{
    if (*len > http->limits.max_body_len - exchange->body.len) {
        send_raw(exchange->fd, exchange->request.id, 413, "Content Too Large",
                 http->handler.too_long_body);
        exchange->status = 413;
        return MHD_NO;
    }
    kk_buf_append(&exchange->body, data, *len);
    *len = 0;
    return exchange->body.failed ? MHD_NO : MHD_YES;
}

/* The request is whole: send what there is of the answer, or wait for it. */
static enum MHD_Result go_on(kk_http *http, kk_http_exchange *exchange,
                             struct MHD_Connection *connection)
{
    if (kk_exchange_is_begun_or_park(exchange, park))
        return queue_response(http, exchange, connection);
    return kk_exchange_is_cut(exchange) ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_whole(kk_http *http, kk_http_exchange *exchange,
                                struct MHD_Connection *connection)
{
    kk_http_response response = {.status = 200};
    exchange->is_handled = true;
    exchange->request.body = (kk_slice){kk_buf_str(&exchange->body), exchange->body.len};
    set_state(http, connection, LINK_BUSY);
    if (http->handler.handle(http->handler.user, exchange, &exchange->request, &response) ==
        KK_HTTP_NOW)
        return answer_now(http, exchange, connection, &response);
    kk_watch_add(http->watch, exchange, false);
    return go_on(http, exchange, connection);
}

/* The library calls this for the headers, for each piece of body, for its end, and again when a
 * suspended connection is resumed. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **context)
{
    kk_http *http = user;
    kk_http_exchange *exchange = *context;
    if (exchange == NULL)
        return MHD_NO; /* memory was out at the first line */
    if (!exchange->is_checked)
        return on_headers(http, exchange, connection, url, method, version);
    if (exchange->is_streaming && !exchange->is_handled)
        on_stream(http, exchange, connection);
    if (*len > 0 && exchange->is_streaming)
        return on_streamed_body(http, exchange, data, len);
    if (*len > 0)
        return on_body(http, exchange, data, len);
    if (!exchange->is_handled)
        return on_whole(http, exchange, connection);
    if (exchange->is_streaming && !exchange->has_body)
        kk_exchange_give_body(exchange, "", 0);
    return go_on(http, exchange, connection);
}

/* The status that a request got which was cut before it was whole; 0: it was not. */
static int end_request(kk_http *http, struct MHD_Connection *connection)
{
    const kk_link *l = link_of(connection);
    set_state(http, connection, LINK_IDLE);
    (void)pthread_mutex_lock(&http->mutex);
    const int told = l != NULL ? l->told : 0;
    (void)pthread_mutex_unlock(&http->mutex);
    return told;
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    kk_http *http = user;
    kk_http_exchange *exchange = *context;
    const int told = end_request(http, connection);
    if (exchange == NULL)
        return;
    *context = NULL;
    bool is_sent = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (exchange->status == 0)
        exchange->status = told;
    kk_watch_remove(exchange);
    int status = kk_exchange_close(exchange, is_sent);
    if (exchange->is_checked) {
        (void)pthread_mutex_lock(&http->mutex);
        http->n_active--;
        (void)pthread_mutex_unlock(&http->mutex);
        if (exchange->request.path != NULL)
            http->handler.done(http->handler.user, &exchange->request, status, exchange->audio_s);
    }
    kk_http_release(exchange);
}

/* --- the server --- */

const char *kk_http_library_version(void)
{
    return MHD_get_version();
}

static struct MHD_Daemon *start_daemon(kk_http *http)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (http->listener.is_ipv6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(flags, (uint16_t)http->listener.port, NULL, NULL, on_request, http,
                            MHD_OPTION_LISTEN_SOCKET, http->listener.fd,                      //
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, (void *)http,        //
                            MHD_OPTION_URI_LOG_CALLBACK, on_first_line, (void *)http,         //
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, (void *)http,          //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,    //
                            MHD_OPTION_CONNECTION_LIMIT, http->limits.max_connections,        //
                            MHD_OPTION_PER_IP_CONNECTION_LIMIT, http->limits.max_per_address, //
                            MHD_OPTION_CONNECTION_TIMEOUT, http->limits.idle_s,               //
                            MHD_OPTION_STRICT_FOR_CLIENT, 1,                                  //
                            MHD_OPTION_END);
}

int kk_http_start(kk_http **out, const char *host, int port, const kk_http_limits *limits,
                  const kk_http_handler *handler, bool *is_loopback, kokoro_error *err)
{
    *out = NULL;
    kk_http *http = kk_calloc(1, sizeof(*http));
    if (http == NULL)
        return kk_fail_memory(err);
    http->handler = *handler;
    http->limits = *limits;
    http->waiting.max = limits->max_waiting_len;
    http->listener.fd = -1;
    http->must_check_heads = strcmp(MHD_get_version(), "0.9.75") == 0;
    if (pthread_mutex_init(&http->mutex, NULL) != 0) {
        kk_free(http);
        return kk_fail_memory(err);
    }
    int status = kk_watch_start(&http->watch, err);
    if (status == KOKORO_OK)
        status = kk_listen(&http->listener, host, port, err);
    if (status == KOKORO_OK) {
        atomic_store(&http->is_accepting, true);
        *is_loopback = http->listener.is_loopback;
        http->daemon = start_daemon(http);
        if (http->daemon == NULL)
            status = kk_fail(err, KOKORO_IO, "the HTTP server could not be started on port %d",
                             http->listener.port);
    }
    if (status != KOKORO_OK)
        kk_http_stop(&http);
    *out = http;
    return status;
}

int kk_http_port(const kk_http *http)
{
    return http->listener.port;
}

void kk_http_stop_accepting(kk_http *http)
{
    if (http->daemon == NULL || !atomic_exchange(&http->is_accepting, false))
        return;
    MHD_socket fd = MHD_quiesce_daemon(http->daemon);
    if (fd != MHD_INVALID_SOCKET) {
        (void)close(fd);
        http->listener.fd = -1;
    }
}

size_t kk_http_active(kk_http *http)
{
    (void)pthread_mutex_lock(&http->mutex);
    size_t n = http->n_active;
    (void)pthread_mutex_unlock(&http->mutex);
    return n;
}

void kk_http_stop(kk_http **http_ptr)
{
    kk_http *http = http_ptr != NULL ? *http_ptr : NULL;
    if (http == NULL)
        return;
    *http_ptr = NULL;
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon); /* closes the listening socket too */
    else if (http->listener.fd >= 0)
        (void)close(http->listener.fd);
    kk_watch_stop(&http->watch);
    (void)pthread_mutex_destroy(&http->mutex);
    kk_free(http);
}
