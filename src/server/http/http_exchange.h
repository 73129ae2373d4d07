/*
 * http_exchange.h - one request and its answer, between the connection's thread, which reads and
 * sends, and the worker that makes the answer. In between lies a bounded buffer: a worker that is
 * faster than the client waits.
 *
 *     worker                          connection's thread
 *     kk_http_begin   -> wake         kk_exchange_take_response
 *     kk_http_write   -> wake         kk_exchange_read       (parks when there is nothing)
 *     kk_http_end     -> wake         kk_exchange_close      (the client has all, or is gone)
 *
 * The library takes no answer while a body still arrives. Such an exchange is its own writer: the
 * thread of http_watch.h sends its head and its chunks straight into the socket (http_own.c), and
 * the library only reads.
 */
#ifndef KK_SERVER_HTTP_EXCHANGE_H
#define KK_SERVER_HTTP_EXCHANGE_H

#include "server/http/http.h"

#include <pthread.h>
#include <stdatomic.h>

struct kk_watch;

/* What waits in all exchanges of a server. */
typedef struct kk_http_waiting {
    atomic_size_t len;
    size_t max; /* 0: no limit */
} kk_http_waiting;

struct kk_http_exchange {
    pthread_mutex_t mutex;
    pthread_cond_t has_room;
    int n_refs;

    kk_http_request request;
    kk_arena arena; /* of the request's strings */
    kk_buf body;
    kk_slice target; /* of the first line, where the library had it; only its place still counts */
    bool is_checked; /* its headers were looked at */
    bool is_handled; /* it was whole, and went to its endpoint */

    kk_http_response response;
    uint64_t length;
    bool is_begun, is_ended, is_whole;
    bool was_lost;       /* its client was gone before its end */
    atomic_bool is_gone; /* set under the lock, read without */
    double gone_at_s;    /* written before that is set, never again */
    kk_buf out;          /* bytes [taken, out.len) wait to be sent */
    size_t taken, buffer_len;
    size_t collected;         /* bytes that the answer's maker has before it begins */
    kk_http_waiting *waiting; /* NULL: of none, or closed */
    size_t counted;           /* of this exchange in there */
    unsigned idle_s;
    double audio_s;
    int status;  /* what was sent; 0: nothing yet */
    int failure; /* for the log, of an answer that is cut by this side; 0: 500 */

    kk_http_gone_fn *on_gone;
    void *gone_user;
    kk_http_take_fn *on_body;
    void *body_user;
    bool is_streaming; /* handled at the first byte of its body */
    bool has_body;     /* all of it has come */
    size_t body_len;   /* of which so much went to on_body */

    kk_http_block_fn *on_block; /* of the thread that writes */
    void *block_user;

    /* How fast the client takes: bytes since the look at `looked_s`. */
    bool has_writer_waiting;
    uint64_t n_taken, n_taken_then;
    double looked_s;

    /* Of an answer that this side writes itself. */
    bool is_own, has_head, has_last;
    kk_buf wire; /* bytes [wire_sent, wire.len) go into the socket next */
    size_t wire_sent;
    double written_s; /* when all of it was; 0: not yet */
    unsigned stream_s;

    /* Of http_watch.c, under its lock. */
    struct kk_watch *watch;
    uint64_t watch_id;
    bool wants_room;
    kk_http_exchange *watch_next, *watch_previous;

    /* How a parked connection is taken up again. */
    void (*wake)(void *connection);
    void *connection;
    int fd; /* -1 once closed */
    bool is_parked;
};

/* `waiting` of the new exchange is for the caller to set. */
kk_http_exchange *kk_exchange_create(size_t buffer_len, unsigned idle_s, int fd, void *connection,
                                     void (*wake)(void *connection));

/* Called by the connection's thread. `park` suspends the connection; it runs under the lock, so
 * that no wake is lost. */
bool kk_exchange_is_begun_or_park(kk_http_exchange *exchange, void (*park)(void *connection));

enum { KK_EXCHANGE_PARKED = 0, KK_EXCHANGE_END = -1, KK_EXCHANGE_CUT = -2 };
/* Bytes copied to dst, at most max; or one of the above. */
long kk_exchange_read(kk_http_exchange *exchange, char *dst, size_t max,
                      void (*park)(void *connection));
/* Ended without an answer, or its client is gone. */
bool kk_exchange_is_cut(kk_http_exchange *exchange);
/* Of a streamed body: nothing was answered, and nothing will be but what the caller sends now.
 * False when the answer has begun. */
bool kk_exchange_refuse(kk_http_exchange *exchange, int status);
/* Bytes of a streamed body; len 0: its end. */
void kk_exchange_give_body(kk_http_exchange *exchange, const char *data, size_t len);

/* Called by the watching thread: the socket broke or takes bytes again, or a second went by. */
void kk_exchange_lose(kk_http_exchange *exchange);
void kk_exchange_pump(kk_http_exchange *exchange);
void kk_exchange_look(kk_http_exchange *exchange, double now_s);

/* Between the files of an exchange, under its lock. */
void kk_exchange_set_gone(kk_http_exchange *exchange);
void kk_exchange_wake(kk_http_exchange *exchange);
size_t kk_exchange_take(kk_http_exchange *exchange, char *dst, size_t max);
void kk_own_pump(kk_http_exchange *exchange);

/* The connection is done with it: nothing will be read any more. Returns the status for the log. */
int kk_exchange_close(kk_http_exchange *exchange, bool is_sent);

#endif
