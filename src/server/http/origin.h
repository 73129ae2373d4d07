/*
 * origin.h - whose request is this? A page of another site can make the browser of this machine's
 * user send requests here (and, with DNS rebinding, read the answers). It cannot choose the headers
 * Origin and Host, so these are compared.
 */
#ifndef KK_SERVER_ORIGIN_H
#define KK_SERVER_ORIGIN_H

#include "kokoro/kokoro.h"

#include <stdbool.h>

typedef struct kk_origin_rule {
    const char *host; /* as configured, "127.0.0.1" */
    bool is_loopback; /* bound so that only this machine reaches it */
} kk_origin_rule;

/* `host` is the header Host ("name", "name:port", "[::1]:port"). Where others reach this server its
 * names are not known, and any is right. */
bool kk_host_is_own(const kk_origin_rule *rule, const char *host);

/* `origin` is the header Origin ("http://name:port"): right when its host is localhost, the
 * configured one, or, where others reach this server, the one in Host. "null" is foreign. */
bool kk_origin_is_own(const kk_origin_rule *rule, const char *origin, const char *host);

/* `origins` is a list of those whose pages may use this server, "https://name:port", separated by
 * spaces or commas. INVALID names what is none. */
int kk_origins_check(const char *origins, kokoro_error *err);
bool kk_origins_have(const char *origins, const char *origin);

#endif
