/* origin.c - compares the hosts of Origin, Host and the configuration. */
#include "server/http/origin.h"

#include "base/status.h"
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

/* --- the list of other sites --- */

static kk_slice next_origin(const char **at)
{
    *at += strspn(*at, " ,\t");
    kk_slice origin = {*at, strcspn(*at, " ,\t")};
    *at += origin.len;
    return origin;
}

/* "scheme://host[:port]" and nothing behind it. */
static bool is_origin(kk_slice text)
{
    const bool is_http = kk_slice_starts(text, KK_SLICE("http://"));
    if (!is_http && !kk_slice_starts(text, KK_SLICE("https://")))
        return false;
    size_t scheme_len = is_http ? 7 : 8;
    kk_slice rest = {text.data + scheme_len, text.len - scheme_len};
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.data[i] <= ' ' || strchr("/?#@*", rest.data[i]) != NULL)
            return false;
    }
    return host_of(rest).len > 0;
}

int kk_origins_check(const char *origins, kokoro_error *err)
{
    for (kk_slice origin = next_origin(&origins); origin.len > 0; origin = next_origin(&origins)) {
        if (!is_origin(origin))
            return kk_fail(err, KOKORO_INVALID,
                           "KOKORO_ALLOW_ORIGINS must list origins such as https://example.org or "
                           "http://localhost:3000, each by its name, not '%.*s'",
                           origin.len < 60 ? (int)origin.len : 60, origin.data);
    }
    return KOKORO_OK;
}

bool kk_origins_have(const char *origins, const char *origin)
{
    kk_slice wanted = kk_slice_of(origin);
    for (kk_slice one = next_origin(&origins); one.len > 0; one = next_origin(&origins)) {
        if (kk_slice_equal_nocase(one, wanted))
            return true;
    }
    return false;
}
