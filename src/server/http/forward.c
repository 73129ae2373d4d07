/* forward.c - addresses, networks, and the two headers of proxies (RFC 7239 has Forwarded). */
#include "server/http/forward.h"

#include "base/status.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* An address as bytes; one of IPv4 in IPv6's clothes (::ffff:1.2.3.4) is one of IPv4. */
static bool read_address(kk_slice text, unsigned char bytes[16], size_t *len)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    char copy[KK_ADDRESS_LEN];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        *len = 4;
        return true;
    }
    if (inet_pton(AF_INET6, copy, bytes) != 1)
        return false;
    *len = 16;
    if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        memmove(bytes, bytes + 12, 4);
        *len = 4;
    }
    return true;
}

static bool read_network(kk_slice text, kk_network *network)
{
    const char *slash = memchr(text.data, '/', text.len);
    kk_slice address = text;
    if (slash != NULL)
        address.len = (size_t)(slash - text.data);
    if (!read_address(address, network->bytes, &network->len))
        return false;
    network->n_bits = (unsigned)network->len * 8;
    if (slash == NULL)
        return true;
    char number[8];
    long long n_bits;
    size_t digits = text.len - address.len - 1;
    if (digits == 0 || digits >= sizeof(number))
        return false;
    memcpy(number, slash + 1, digits);
    number[digits] = '\0';
    if (!kk_parse_int(number, &n_bits) || n_bits < 0 || n_bits > (long long)network->n_bits)
        return false;
    network->n_bits = (unsigned)n_bits;
    return true;
}

int kk_proxies_parse(kk_proxies *proxies, const char *text, kokoro_error *err)
{
    proxies->n = 0;
    for (;;) {
        text += strspn(text, " ,\t");
        size_t len = strcspn(text, " ,\t");
        if (len == 0)
            return KOKORO_OK;
        if (proxies->n >= KK_MAX_PROXIES)
            return kk_fail(err, KOKORO_INVALID,
                           "KOKORO_TRUSTED_PROXIES names more than %d networks", KK_MAX_PROXIES);
        if (!read_network((kk_slice){text, len}, &proxies->items[proxies->n]))
            return kk_fail(err, KOKORO_INVALID,
                           "KOKORO_TRUSTED_PROXIES must hold addresses or networks such as "
                           "127.0.0.1 or 10.0.0.0/8, not '%.*s'",
                           len < 60 ? (int)len : 60, text);
        proxies->n++;
        text += len;
    }
}

static bool is_in(const kk_network *network, const unsigned char *bytes, size_t len)
{
    size_t n_whole = network->n_bits / 8;
    unsigned n_rest = network->n_bits % 8;
    if (len != network->len || memcmp(bytes, network->bytes, n_whole) != 0)
        return false;
    return n_rest == 0 ||
           (bytes[n_whole] >> (8 - n_rest)) == (network->bytes[n_whole] >> (8 - n_rest));
}

static bool have(const kk_proxies *proxies, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < proxies->n; i++) {
        if (is_in(&proxies->items[i], bytes, len))
            return true;
    }
    return false;
}

bool kk_proxies_have(const kk_proxies *proxies, const char *address)
{
    unsigned char bytes[16];
    size_t len;
    return proxies->n > 0 && read_address(kk_slice_of(address), bytes, &len) &&
           have(proxies, bytes, len);
}

/* Without quotes, brackets and port. */
static kk_slice strip(kk_slice node)
{
    node = kk_slice_trim(node);
    if (node.len >= 2 && node.data[0] == '"' && node.data[node.len - 1] == '"')
        node = (kk_slice){node.data + 1, node.len - 2};
    if (node.len > 0 && node.data[0] == '[') {
        const char *end = memchr(node.data, ']', node.len);
        return end != NULL ? (kk_slice){node.data + 1, (size_t)(end - node.data) - 1} : node;
    }
    const char *colon = memchr(node.data, ':', node.len);
    if (colon != NULL && memchr(colon + 1, ':', node.len - (size_t)(colon - node.data) - 1) == NULL)
        node.len = (size_t)(colon - node.data);
    return node;
}

/* The value of for= in one element of Forwarded; empty where there is none. */
static kk_slice for_of(kk_slice element)
{
    while (element.len > 0) {
        const char *end = memchr(element.data, ';', element.len);
        size_t len = end != NULL ? (size_t)(end - element.data) : element.len;
        kk_slice pair = kk_slice_trim((kk_slice){element.data, len});
        if (pair.len > 4 && kk_slice_equal_nocase((kk_slice){pair.data, 4}, KK_SLICE("for=")))
            return (kk_slice){pair.data + 4, pair.len - 4};
        len += end != NULL;
        element = (kk_slice){element.data + len, element.len - len};
    }
    return element;
}

/* Walk from the end of the list to the first that is no listed proxy. */
static void walk(const kk_proxies *proxies, const char *list, bool has_pairs,
                 char client[KK_ADDRESS_LEN])
{
    kk_slice rest = kk_slice_of(list);
    while (rest.len > 0) {
        unsigned char bytes[16];
        size_t len, at = rest.len;
        while (at > 0 && rest.data[at - 1] != ',')
            at--;
        kk_slice element = {rest.data + at, rest.len - at};
        rest.len = at > 0 ? at - 1 : 0;
        if (!read_address(strip(has_pairs ? for_of(element) : element), bytes, &len))
            return;
        (void)inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, client, KK_ADDRESS_LEN);
        if (!have(proxies, bytes, len))
            return;
    }
}

void kk_forwarded_client(const kk_proxies *proxies, const char *peer, const char *forwarded_for,
                         const char *forwarded, char client[KK_ADDRESS_LEN])
{
    char by_for[KK_ADDRESS_LEN], by_forwarded[KK_ADDRESS_LEN];
    (void)snprintf(client, KK_ADDRESS_LEN, "%s", peer);
    if (!kk_proxies_have(proxies, peer))
        return;
    memcpy(by_for, client, sizeof(by_for));
    memcpy(by_forwarded, client, sizeof(by_forwarded));
    if (forwarded_for != NULL)
        walk(proxies, forwarded_for, false, by_for);
    if (forwarded != NULL)
        walk(proxies, forwarded, true, by_forwarded);
    if (forwarded_for != NULL && forwarded != NULL && strcmp(by_for, by_forwarded) != 0)
        return;
    memcpy(client, forwarded_for != NULL ? by_for : by_forwarded, KK_ADDRESS_LEN);
}
