#define _DEFAULT_SOURCE /* getifaddrs */
/* listen.c - a listening socket, made here so that its failures can be told in plain words. */
#include "server/http/listen.h"

#include "base/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* OTHERS: files, pipes and threads of the rest of the program. */
enum { BACKLOG = 1024, OTHERS = 256 };

static int fail_listen(kokoro_error *err, const char *host, int port, const kk_listen_names *names,
                       int number)
{
    switch (number) {
    case EADDRINUSE:
        return kk_fail(err, KOKORO_IO,
                       "port %d of %s is in use by another program; stop that one, or choose "
                       "another port with %s",
                       port, host, names->port);
    case EACCES:
        return kk_fail(err, KOKORO_IO,
                       "this user may not listen on port %d; choose one from 1024 up with %s", port,
                       names->port);
    case EADDRNOTAVAIL:
        return kk_fail(err, KOKORO_IO, "%s is no address of this machine; choose one with %s", host,
                       names->host);
    default:
        return kk_fail(err, KOKORO_IO, "cannot listen on port %d of %s: %s", port, host,
                       strerror(number));
    }
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        struct sockaddr_in in4;
        memcpy(&in4, address, sizeof(in4));
        return ntohl(in4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof(in6));
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

static int port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        struct sockaddr_in in4;
        memcpy(&in4, address, sizeof(in4));
        return ntohs(in4.sin_port);
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof(in6));
    return ntohs(in6.sin6_port);
}

/* 0 and a listener, or an errno. */
static int try_address(kk_listener *out, const struct addrinfo *info)
{
    const int on = 1;
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd = socket(info->ai_family, SOCK_STREAM, 0);
    if (fd < 0)
        return errno;
    /* A restart must not wait for the old connections' last minute. */
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        int number = errno;
        (void)close(fd);
        return number;
    }
    out->fd = fd;
    out->port = port_of(&address);
    out->is_loopback = is_loopback(&address);
    out->is_ipv6 = address.ss_family == AF_INET6;
    return 0;
}

int kk_listen(kk_listener *out, const char *host, int port, kokoro_error *err)
{
    const kk_listen_names names = {"--port or KOKORO_PORT", "--host or KOKORO_HOST"};
    return kk_listen_named(out, host, port, &names, err);
}

int kk_listen_named(kk_listener *out, const char *host, int port, const kk_listen_names *names,
                    kokoro_error *err)
{
    char name[256], service[16];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    *out = (kk_listener){.fd = -1};
    size_t len = strlen(host);
    bool has_brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';
    (void)snprintf(name, sizeof(name), "%.*s", (int)(has_brackets ? len - 2 : len),
                   has_brackets ? host + 1 : host);
    (void)snprintf(service, sizeof(service), "%d", port);
    int number = getaddrinfo(name, service, &hints, &found);
    if (number != 0)
        return kk_fail(err, KOKORO_IO, "cannot listen on host '%.80s': %s; choose one with %s",
                       host, gai_strerror(number), names->host);
    number = EADDRNOTAVAIL;
    for (const struct addrinfo *at = found; at != NULL && number != 0; at = at->ai_next)
        number = try_address(out, at);
    freeaddrinfo(found);
    return number == 0 ? KOKORO_OK : fail_listen(err, host, port, names, number);
}

static bool is_same_address(const struct sockaddr_storage *a, const struct sockaddr *b)
{
    struct sockaddr_in x4, y4;
    struct sockaddr_in6 x6, y6;
    if (b == NULL || b->sa_family != a->ss_family)
        return false;
    if (b->sa_family == AF_INET) {
        memcpy(&x4, a, sizeof(x4));
        memcpy(&y4, b, sizeof(y4));
        return x4.sin_addr.s_addr == y4.sin_addr.s_addr;
    }
    if (b->sa_family != AF_INET6)
        return false;
    memcpy(&x6, a, sizeof(x6));
    memcpy(&y6, b, sizeof(y6));
    return memcmp(&x6.sin6_addr, &y6.sin6_addr, sizeof(x6.sin6_addr)) == 0;
}

unsigned kk_listen_interface(const kk_listener *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    struct ifaddrs *all = NULL;
    unsigned index = 0;
    if (getsockname(listener->fd, (struct sockaddr *)&address, &len) != 0 || getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *at = all; at != NULL && index == 0; at = at->ifa_next) {
        if (is_same_address(&address, at->ifa_addr))
            index = if_nametoindex(at->ifa_name);
    }
    freeifaddrs(all);
    return index;
}

unsigned kk_raise_descriptors(unsigned n_connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)n_connections + OTHERS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return n_connections;
    if (limit.rlim_cur < wanted) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = before;
    }
    if (limit.rlim_cur >= wanted)
        return n_connections;
    return limit.rlim_cur > OTHERS + 16 ? (unsigned)(limit.rlim_cur - OTHERS) : 16;
}
