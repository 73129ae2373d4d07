/* listen.h - the socket a server waits at. */
#ifndef KK_SERVER_LISTEN_H
#define KK_SERVER_LISTEN_H

#include "kokoro/kokoro.h"

#include <stdbool.h>

typedef struct kk_listener {
    int fd;
    int port;         /* the real one, also when 0 was asked for */
    bool is_loopback; /* only this machine can reach it */
    bool is_ipv6;
} kk_listener;

/* `host` is a name or an address, with or without the brackets of IPv6. IO with a message that says
 * what to do about it; then fd is -1. */
int kk_listen(kk_listener *out, const char *host, int port, kokoro_error *err);

/* The settings that the messages name. */
typedef struct kk_listen_names {
    const char *port; /* "--port or KOKORO_PORT" */
    const char *host;
} kk_listen_names;

int kk_listen_named(kk_listener *out, const char *host, int port, const kk_listen_names *names,
                    kokoro_error *err);

/* The network interface whose address it is bound to; 0: all of them, or it cannot be told. */
unsigned kk_listen_interface(const kk_listener *listener);

/* Raise the number of descriptors that this process may have, as far as it may, to hold
 * `n_connections` and all else; how many connections it can hold then. */
unsigned kk_raise_descriptors(unsigned n_connections);

#endif
