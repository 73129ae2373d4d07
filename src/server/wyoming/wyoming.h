/*
 * wyoming.h - speech over the Wyoming protocol, as Home Assistant speaks it: a TCP port of its own,
 * a thread a connection. A connection speaks one text at a time, with what every speech request
 * uses: the engine in use, its limits, its counters.
 */
#ifndef KK_SERVER_WYOMING_H
#define KK_SERVER_WYOMING_H

#include "kokoro/kokoro.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kk_server;
typedef struct kk_wyoming kk_wyoming;

enum {
    KK_WYOMING_MAX_CONNECTIONS = 128,
    KK_WYOMING_IDLE_S = 120, /* nothing moves: the connection is closed */
    KK_WYOMING_EVENT_S = 30  /* an event must have come whole within this time */
};

typedef struct kk_wyoming_options {
    const char *host;
    int port;
    bool loopback_only; /* refuse an address that other machines reach */
    bool announces;     /* tell the network of the port; refuse one that no other machine reaches */
} kk_wyoming_options;

/* Listen and answer. IO with a message that names the port; INVALID where the address is refused;
 * NO_MEMORY. */
int kk_wyoming_start(kk_wyoming **out, struct kk_server *server, const kk_wyoming_options *options,
                     kokoro_error *err);
bool kk_wyoming_is_loopback(const kk_wyoming *wyoming);
/* Accept no more; connections end as soon as they have nothing to say. NULL is allowed, as in the
 * next three. */
void kk_wyoming_drain(kk_wyoming *wyoming);
/* End them now; does not wait for it. */
void kk_wyoming_cut(kk_wyoming *wyoming);
/* Cut all and wait for their threads. Sets *wyoming to NULL. */
void kk_wyoming_stop(kk_wyoming **wyoming);

typedef struct kk_wyoming_view {
    int port; /* 0: off */
    size_t n_connections, n_speaking, peak_connections;
    uint64_t n_accepted, n_refused; /* refused: too many at once */
} kk_wyoming_view;
void kk_wyoming_read(kk_wyoming *wyoming, kk_wyoming_view *view);

/* --- one connection: wyoming_session.c --- */

typedef struct kk_wyoming_peer {
    struct kk_server *server;
    int fd;                      /* not blocking; stays open */
    int drain_fd;                /* readable once the server drains */
    const atomic_bool *must_end; /* now, whatever goes on */
    atomic_size_t *n_speaking;
    char address[64]; /* of the client */
} kk_wyoming_peer;

/* Until the client goes away, sends what is no event, or the server wants it to end. */
void kk_wyoming_session_run(const kk_wyoming_peer *peer);

#endif
