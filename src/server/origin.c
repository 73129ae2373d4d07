/* origin.c - compares the hosts of Origin, Host and the configuration. */
#include "server/origin.h"

#include "base/str.h"

#include <string.h>

/* "name:port" or "[address]:port" without its port and brackets; empty when it is neither. */
static kk_slice host_of(kk_slice text)
{
    static const kk_slice none = {"", 0};
    kk_slice host = text, rest;
    if (text.len > 0 && text.data[0] == '[') {
        const char *end = memchr(text.data, ']', text.len);
        if (end == NULL)
            return none;
        host = (kk_slice){text.data + 1, (size_t)(end - text.data) - 1};
        rest = (kk_slice){end + 1, text.len - host.len - 2};
    } else {
        const char *colon = memchr(text.data, ':', text.len);
        if (colon != NULL)
            host.len = (size_t)(colon - text.data);
        rest = (kk_slice){text.data + host.len, text.len - host.len};
    }
    if (rest.len > 0 && rest.data[0] != ':')
        return none;
    for (size_t i = 1; i < rest.len; i++) {
        if (rest.data[i] < '0' || rest.data[i] > '9')
            return none;
    }
    return host;
}

static bool is_local(const kk_origin_rule *rule, kk_slice host)
{
    kk_slice configured = host_of(kk_slice_of(rule->host));
    if (configured.len == 0) /* an IPv6 address without brackets */
        configured = kk_slice_of(rule->host);
    return host.len > 0 &&
           (kk_slice_equal_nocase(host, KK_SLICE("localhost")) ||
            kk_slice_equal(host, KK_SLICE("127.0.0.1")) || kk_slice_equal(host, KK_SLICE("::1")) ||
            kk_slice_equal_nocase(host, configured));
}

bool kk_host_is_own(const kk_origin_rule *rule, const char *host)
{
    return !rule->is_loopback || is_local(rule, host_of(kk_slice_of(host)));
}

bool kk_origin_is_own(const kk_origin_rule *rule, const char *origin, const char *host)
{
    const char *behind_scheme = strstr(origin, "://");
    if (behind_scheme == NULL)
        return false;
    kk_slice origin_host = host_of(kk_slice_of(behind_scheme + 3));
    if (is_local(rule, origin_host))
        return true;
    return !rule->is_loopback && host != NULL && origin_host.len > 0 &&
           kk_slice_equal_nocase(origin_host, host_of(kk_slice_of(host)));
}
