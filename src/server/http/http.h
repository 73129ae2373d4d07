/*
 * http.h - the seam to HTTP: what the endpoints see of a request, and the two ways they answer it.
 *
 *     at once   fill the response's body and return: health, voices, every error
 *     later     hold the exchange, return KK_HTTP_LATER, and from another thread
 *               kk_http_begin, kk_http_write ..., kk_http_end, kk_http_release
 *
 * and one way to answer while the body still arrives: a route whose check gives KK_HTTP_STREAM is
 * handled at the first byte of its body, names with kk_http_take_body who gets the bytes, and
 * answers later like any other.
 *
 * Only http_mhd.c knows which library does the work.
 */
#ifndef KK_SERVER_HTTP_H
#define KK_SERVER_HTTP_H

#include "base/arena.h"
#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KK_HTTP_MAX_HEADERS = 20, KK_HTTP_ID_LEN = 128, KK_HTTP_ADDRESS_LEN = 46 };

typedef struct kk_http_field {
    const char *name;
    const char *value; /* never NULL */
} kk_http_field;

typedef struct kk_http_request {
    const char *method; /* "POST" */
    const char *path;   /* decoded, without the query */
    const kk_http_field *headers;
    size_t n_headers;
    const kk_http_field *queries;
    size_t n_queries;
    kk_slice body;
    char id[KK_HTTP_ID_LEN + 1]; /* X-Request-Id, the client's or made here */
    double start_s;              /* kk_now_s when its first line came */
    bool is_http_1_0;
    bool is_malformed; /* its head is not as the standard has it */
    bool must_close;   /* where it ends is not sure enough for another to follow */

    /* Of access.h; the client is at first the other end of the connection. */
    char client[KK_HTTP_ADDRESS_LEN]; /* its address in figures */
    bool is_forwarded;                /* by a proxy that is trusted */
    bool varies;                      /* the answer's headers depend on Origin */
    const char *allowed_origin;       /* its page may read the answer; NULL: none or foreign */
    bool needs_key;                   /* keys are in force */
    struct kk_key_use *key;           /* NULL: none that is valid */
    const char *key_name;             /* of that one, for the log; NULL */
    bool holds_stream;                /* counts among the key's answers in the making */
    uint64_t group; /* of one key, for a fair share of the model; 0: no keys are set */
} kk_http_request;

/* First value of a header (its name in any case) or query; NULL when it is absent. */
const char *kk_http_header(const kk_http_request *request, const char *name);
size_t kk_http_count_headers(const kk_http_request *request, const char *name);
/* Whether a header may have this name. */
bool kk_http_is_name(kk_slice name);
const char *kk_http_query(const kk_http_request *request, const char *name);

typedef struct kk_http_response {
    int status;
    const char *content_type; /* static; NULL: none */
    struct {
        const char *name; /* static */
        char value[160];
    } headers[KK_HTTP_MAX_HEADERS];
    size_t n_headers;
    kk_buf body;   /* of an answer at once; owned */
    kk_slice lent; /* in place of it, bytes that others have too; given back once they are sent */
    void (*give_back)(void *owner); /* NULL: nothing is lent */
    void *owner;
    bool must_close; /* the connection cannot be used again */
} kk_http_response;

/* Add a header; one that does not fit is left out. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void kk_http_add_header(kk_http_response *response, const char *name, const char *format, ...);

/* One request and its answer, counted by reference. */
typedef struct kk_http_exchange kk_http_exchange;

enum kk_http_verdict { KK_HTTP_NOW, KK_HTTP_LATER, KK_HTTP_STREAM };

/* What the endpoints give to the connection's side; all run on its thread and must not wait. */
typedef struct kk_http_handler {
    void *user;
    /* Headers are there, the body is not. Sets request->id. KK_HTTP_LATER reads the body first,
     * KK_HTTP_STREAM calls handle at its first byte, KK_HTTP_NOW sends the response filled in and
     * closes. */
    enum kk_http_verdict (*check)(void *user, kk_http_request *request, kk_http_response *response);
    /* The whole request, without its body after KK_HTTP_STREAM. For KK_HTTP_LATER it has called
     * kk_http_hold. */
    enum kk_http_verdict (*handle)(void *user, kk_http_exchange *exchange,
                                   const kk_http_request *request, kk_http_response *response);
    /* The answer is over or was cut: `status` 499 when the client went away before its end. */
    void (*done)(void *user, const kk_http_request *request, int status, double audio_s);
    /* Bodies of the answers this side must make itself: to a request that came too slowly, one
     * whose end is missing, one whose body is longer than it may be, and one that has not come
     * whole when all is cut. Static JSON. */
    const char *too_slow_body, *cut_short_body, *too_long_body, *stopping_body;
} kk_http_handler;

typedef struct kk_http_limits {
    size_t max_body_len;
    unsigned max_connections;
    unsigned max_per_address; /* 0: as many */
    unsigned idle_s;          /* a connection on which nothing moves is closed */
    unsigned request_s;       /* a request must have come whole within this time */
    unsigned stream_s;        /* a body that is answered while it arrives, within this */
    size_t buffer_len;        /* bytes made and not yet sent, for one answer */
    /* The same for all answers together; 0: no limit. Above half of it a streamed answer has a
     * buffer of KK_HTTP_SMALL_BUFFER, and what is collected has the other half. */
    size_t max_waiting_len;
} kk_http_limits;

enum { KK_HTTP_SMALL_BUFFER = 256 << 10 };

/* --- answering later; any thread --- */

#define KK_HTTP_LENGTH_UNKNOWN UINT64_MAX

void kk_http_hold(kk_http_exchange *exchange);
void kk_http_release(kk_http_exchange *exchange);
/* An answer that is collected before it begins has so many bytes now, which wait with those of all
 * others: false where that is more than may wait, and then they do not count. */
bool kk_http_collect(kk_http_exchange *exchange, size_t len);
/* Send status and headers of `response`, whose body (if any) is taken over and sent too. */
void kk_http_begin(kk_http_exchange *exchange, kk_http_response *response, uint64_t length);
/* Wait for room and hand over bytes. 0, or -1 when the client is gone or memory is out. */
int kk_http_write(kk_http_exchange *exchange, const void *data, size_t len);
/* Be told, from the thread that writes, when kk_http_write begins to wait for a client who takes
 * too little, and when it goes on: called in turns, without a lock. NULL takes it back. */
typedef void kk_http_block_fn(void *user, bool is_blocked);
void kk_http_on_block(kk_http_exchange *exchange, kk_http_block_fn *fn, void *user);
/* The last call. Without `is_whole` the connection is cut, so that the client sees a failure. */
void kk_http_end(kk_http_exchange *exchange, bool is_whole);
/* The client closed its side, the connection broke, or it takes too little for too long. Reads a
 * flag. */
bool kk_http_is_gone(const kk_http_exchange *exchange);
/* Seconds since that was seen; negative: it is not gone. */
double kk_http_gone_for_s(const kk_http_exchange *exchange);
/* Be told so, once and at once, until kk_http_end: from another thread and under the exchange's
 * lock, so `fn` may only signal. It runs at once when the client is gone already; a NULL takes it
 * back, and when that returns it does not run any more. */
typedef void kk_http_gone_fn(void *user);
void kk_http_on_gone(kk_http_exchange *exchange, kk_http_gone_fn *fn, void *user);
/* Of a streamed body, within handle: `fn` gets its bytes as they come, on the connection's thread
 * and under the exchange's lock, so it may only keep them and signal. len 0 is the end. A NULL
 * drops what else comes. A body over max_body_len cuts the connection. */
typedef void kk_http_take_fn(void *user, const char *data, size_t len);
void kk_http_take_body(kk_http_exchange *exchange, kk_http_take_fn *fn, void *user);
/* For the log: the status of an answer that is cut by this side; 500 where none is set. */
void kk_http_set_failure(kk_http_exchange *exchange, int status);
void kk_http_set_audio(kk_http_exchange *exchange, double audio_s);

/* --- the server --- */

/* Of the library behind this seam. */
const char *kk_http_library_version(void);

typedef struct kk_http kk_http;

/* Bind host:port and answer. `host` is a name or an address; *is_loopback tells, before the first
 * request, whether only this machine can reach it. IO with a message that names the port,
 * NO_MEMORY. */
int kk_http_start(kk_http **out, const char *host, int port, const kk_http_limits *limits,
                  const kk_http_handler *handler, bool *is_loopback, kokoro_error *err);
/* The real port, also when 0 was asked for. */
int kk_http_port(const kk_http *http);
/* Call about every second: cuts what is too slow. */
void kk_http_tick(kk_http *http);
/* Cut all answers that are not over; a request that has not come whole gets a 503. */
void kk_http_cut(kk_http *http);
/* Accept no more connections; those that are open close with their next answer. */
void kk_http_stop_accepting(kk_http *http);
/* Requests whose headers came and whose answer is not over. */
size_t kk_http_active(kk_http *http);
/* Close all. Every exchange held must have been ended. Sets *http to NULL. */
void kk_http_stop(kk_http **http);

#endif
