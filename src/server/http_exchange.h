/*
 * http_exchange.h - one request and its answer, between the connection's thread, which reads and
 * sends, and the worker that makes the answer. In between lies a bounded buffer: a worker that is
 * faster than the client waits.
 *
 *     worker                          connection's thread
 *     kk_http_begin   -> wake         kk_exchange_take_response
 *     kk_http_write   -> wake         kk_exchange_read       (parks when there is nothing)
 *     kk_http_end     -> wake         kk_exchange_close      (the client has all, or is gone)
 */
#ifndef KK_SERVER_HTTP_EXCHANGE_H
#define KK_SERVER_HTTP_EXCHANGE_H

#include "server/http.h"

#include <pthread.h>

struct kk_http_exchange {
    pthread_mutex_t mutex;
    pthread_cond_t has_room;
    int n_refs;

    kk_http_request request;
    kk_arena arena; /* of the request's strings */
    kk_buf body;
    bool is_checked; /* its headers were looked at */
    bool is_handled; /* it was whole, and went to its endpoint */

    kk_http_response response;
    uint64_t length;
    bool is_begun, is_ended, is_whole, is_gone;
    kk_buf out; /* bytes [taken, out.len) wait to be sent */
    size_t taken, buffer_len;
    unsigned idle_s;
    double audio_s;
    int status; /* what was sent; 0: nothing yet */

    /* How a parked connection is taken up again. */
    void (*wake)(void *connection);
    void *connection;
    int fd; /* -1 once closed */
    bool is_parked;
};

kk_http_exchange *kk_exchange_create(size_t buffer_len, unsigned idle_s, int fd, void *connection,
                                     void (*wake)(void *connection));

/* Called by the connection's thread. `park` suspends the connection; it runs under the lock, so
 * that no wake is lost. */
bool kk_exchange_is_begun_or_park(kk_http_exchange *exchange, void (*park)(void *connection));

enum { KK_EXCHANGE_PARKED = 0, KK_EXCHANGE_END = -1, KK_EXCHANGE_CUT = -2 };
/* Bytes copied to dst, at most max; or one of the above. */
long kk_exchange_read(kk_http_exchange *exchange, char *dst, size_t max,
                      void (*park)(void *connection));
/* Ended without an answer. */
bool kk_exchange_is_cut(kk_http_exchange *exchange);
/* The connection is done with it: nothing will be read any more. Returns the status for the log. */
int kk_exchange_close(kk_http_exchange *exchange, bool is_sent);

#endif
