/*
 * http_own.c - an answer that goes out while its request still comes in. The library takes none
 * then, so head, chunks and end are written into the socket here; it goes on reading the body, and
 * the connection closes after the answer. All under the exchange's lock; nothing waits.
 */
#include "server/http/http_exchange.h"
#include "server/http/http_watch.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { PIECE = 16 * 1024 };

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } table[] = {{200, "OK"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {413, "Content Too Large"},
                 {415, "Unsupported Media Type"},
                 {429, "Too Many Requests"},
                 {500, "Internal Server Error"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status)
            return table[i].reason;
    }
    return "Status";
}

static bool is_chunked(const kk_http_exchange *exchange)
{
    return exchange->length == KK_HTTP_LENGTH_UNKNOWN && !exchange->request.is_http_1_0;
}

/* The names of days and months are the standard's, not the locale's. */
static void append_date(kk_buf *dst)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)kk_wall_s();
    struct tm utc;
    if (gmtime_r(&now, &utc) == NULL)
        return;
    kk_buf_appendf(dst, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
                   days + (size_t)utc.tm_wday * 3, utc.tm_mday, months + (size_t)utc.tm_mon * 3,
                   utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

static void append_head(kk_http_exchange *exchange)
{
    const kk_http_response *r = &exchange->response;
    kk_buf *dst = &exchange->wire;
    kk_buf_appendf(dst, "HTTP/1.1 %d %s\r\n", r->status, reason_of(r->status));
    append_date(dst);
    kk_buf_append_str(dst, "Connection: close\r\n");
    for (size_t i = 0; i < r->n_headers; i++)
        kk_buf_appendf(dst, "%s: %s\r\n", r->headers[i].name, r->headers[i].value);
    if (r->content_type != NULL)
        kk_buf_appendf(dst, "Content-Type: %s\r\n", r->content_type);
    if (is_chunked(exchange))
        kk_buf_append_str(dst, "Transfer-Encoding: chunked\r\n");
    else if (exchange->length != KK_HTTP_LENGTH_UNKNOWN)
        kk_buf_appendf(dst, "Content-Length: %llu\r\n", (unsigned long long)exchange->length);
    kk_buf_append_str(dst, "\r\n");
    exchange->has_head = true;
    exchange->status = r->status;
}

/* What goes out next: the head, a piece of the body, its end. Nothing where none is there yet. */
static void fill_wire(kk_http_exchange *exchange)
{
    char piece[PIECE];
    kk_buf *dst = &exchange->wire;
    kk_buf_clear(dst);
    exchange->wire_sent = 0;
    if (!exchange->is_begun)
        return;
    if (!exchange->has_head)
        append_head(exchange);
    if (exchange->out.len > exchange->taken) {
        size_t len = kk_exchange_take(exchange, piece, sizeof(piece));
        if (is_chunked(exchange))
            kk_buf_appendf(dst, "%zx\r\n", len);
        kk_buf_append(dst, piece, len);
        if (is_chunked(exchange))
            kk_buf_append_str(dst, "\r\n");
    } else if (exchange->is_ended && !exchange->has_last) {
        exchange->has_last = true;
        if (exchange->is_whole && is_chunked(exchange))
            kk_buf_append_str(dst, "0\r\n\r\n");
    }
}

/* All is in the socket. The client has its end when this side closes; what it still sends is read
 * and dropped meanwhile, since closing on it would take back what was sent. */
static void finish(kk_http_exchange *exchange)
{
    exchange->written_s = kk_now_s();
    (void)shutdown(exchange->fd, exchange->is_whole ? SHUT_WR : SHUT_RDWR);
    if (exchange->is_parked) {
        exchange->is_parked = false;
        exchange->wake(exchange->connection);
    }
}

void kk_own_pump(kk_http_exchange *exchange)
{
    bool is_full = false;
    if (exchange->is_gone || exchange->fd < 0 || exchange->written_s > 0.0)
        return;
    while (!is_full) {
        if (exchange->wire_sent == exchange->wire.len)
            fill_wire(exchange);
        if (exchange->wire.failed) {
            kk_exchange_set_gone(exchange);
            return;
        }
        if (exchange->wire.len == 0)
            break;
        ssize_t n = send(exchange->fd, exchange->wire.data + exchange->wire_sent,
                         exchange->wire.len - exchange->wire_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            exchange->wire_sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            is_full = true;
        else if (errno != EINTR) {
            kk_exchange_set_gone(exchange);
            return;
        }
    }
    kk_watch_want_room(exchange, is_full);
    if (!is_full && exchange->is_ended)
        finish(exchange);
}
