/*
 * forward.h - whose request is it behind a proxy? What X-Forwarded-For or Forwarded say is believed
 * only as far as it was written by addresses that the user has listed.
 */
#ifndef KK_SERVER_FORWARD_H
#define KK_SERVER_FORWARD_H

#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stddef.h>

enum { KK_ADDRESS_LEN = 46, KK_MAX_PROXIES = 64 };

/* "10.0.0.0/8": the first `n_bits` of the bytes count. */
typedef struct kk_network {
    unsigned char bytes[16];
    size_t len; /* 4 or 16 */
    unsigned n_bits;
} kk_network;

typedef struct kk_proxies {
    kk_network items[KK_MAX_PROXIES];
    size_t n;
} kk_proxies;

/* Addresses and networks, separated by spaces or commas. INVALID names the wrong one. */
int kk_proxies_parse(kk_proxies *proxies, const char *text, kokoro_error *err);
bool kk_proxies_have(const kk_proxies *proxies, const char *address);

/*
 * The client: the last address that no listed proxy has, in the order peer, then the addresses of
 * the headers from behind. `forwarded_for` is the value of X-Forwarded-For, `forwarded` that of
 * Forwarded, several of them joined by commas; NULL: absent. Where both are there and disagree one
 * of them is the client's own invention, and the address stays the last that was believed. What is
 * no address ends the walk.
 */
void kk_forwarded_client(const kk_proxies *proxies, const char *peer, const char *forwarded_for,
                         const char *forwarded, char client[KK_ADDRESS_LEN]);

#endif
