#include "server/wyoming/wyoming_link.h"

#include "base/clock.h"
#include "server/json.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sys/socket.h>

/* A client that takes nothing for so long is waited for; its place is of use to others. */
enum { BLOCKED_MS = 100 };

void kk_wyoming_link_init(kk_wyoming_link *link, const kk_wyoming_peer *peer)
{
    *link = (kk_wyoming_link){.peer = peer, .moved_s = kk_now_s()};
}

void kk_wyoming_link_fini(kk_wyoming_link *link)
{
    kk_wyoming_reader_fini(&link->reader);
    kk_buf_fini(&link->out);
}

void kk_wyoming_link_pump(kk_wyoming_link *link)
{
    char bytes[16 << 10];
    while (!link->is_gone) {
        size_t room = kk_wyoming_reader_room(&link->reader);
        if (room == 0) {
            /* Nothing more is taken in, but a client that left is noticed. */
            struct pollfd fd = {.fd = link->peer->fd};
            if (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0)
                link->is_gone = true;
            return;
        }
        room = room < sizeof(bytes) ? room : sizeof(bytes);
        ssize_t n = recv(link->peer->fd, bytes, room, MSG_DONTWAIT);
        if (n > 0) {
            link->moved_s = kk_now_s();
            if (!kk_wyoming_reader_add(&link->reader, bytes, (size_t)n))
                link->is_gone = true;
        } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
            link->is_gone = true;
        } else if (errno != EINTR) {
            return;
        }
    }
}

void kk_wyoming_link_finish(kk_wyoming_link *link)
{
    const double until_s = kk_now_s() + 2.0;
    char dropped[4096];
    if (link->is_gone || shutdown(link->peer->fd, SHUT_WR) != 0)
        return;
    while (kk_now_s() < until_s && !kk_wyoming_link_is_over(link)) {
        struct pollfd fd = {.fd = link->peer->fd, .events = POLLIN};
        if (poll(&fd, 1, 100) > 0 && recv(link->peer->fd, dropped, sizeof(dropped), 0) <= 0)
            link->is_gone = true;
    }
}

static int milliseconds(double seconds)
{
    return seconds > 0.0 ? (int)ceil(1e3 * fmin(seconds, 3600.0)) : 0;
}

bool kk_wyoming_link_wait(kk_wyoming_link *link, double timeout_s, bool ends_at_drain)
{
    struct pollfd fds[2] = {{.fd = link->peer->fd, .events = POLLIN},
                            {.fd = link->peer->drain_fd, .events = POLLIN}};
    if (link->is_gone)
        return false;
    int n = poll(fds, ends_at_drain ? 2 : 1, milliseconds(timeout_s));
    if (n > 0 && fds[0].revents != 0)
        kk_wyoming_link_pump(link);
    return n > 0 && ends_at_drain && fds[1].revents != 0;
}

bool kk_wyoming_link_is_over(kk_wyoming_link *link)
{
    if (atomic_load(link->peer->must_end))
        link->is_gone = true;
    return link->is_gone;
}

bool kk_wyoming_link_is_late(kk_wyoming_link *link)
{
    const double now_s = kk_now_s();
    if (!kk_wyoming_reader_is_inside(&link->reader))
        link->begun_s = 0.0;
    else if (link->begun_s <= 0.0)
        link->begun_s = now_s;
    if (now_s - link->moved_s > KK_WYOMING_IDLE_S ||
        (link->begun_s > 0.0 && now_s - link->begun_s > KK_WYOMING_EVENT_S))
        link->is_gone = true;
    return kk_wyoming_link_is_over(link);
}

/* Wait until some can be sent, a second at most; what the client sends meanwhile is taken in: it
 * may not read before it has written. */
static void wait_to_send(kk_wyoming_link *link, bool *is_blocked)
{
    const bool has_room = kk_wyoming_reader_room(&link->reader) > 0;
    const int events = has_room && !link->is_gone ? POLLOUT | POLLIN : POLLOUT;
    struct pollfd fd = {.fd = link->peer->fd, .events = (short)events};
    const int n = poll(&fd, 1, *is_blocked ? 1000 : BLOCKED_MS);
    if (n == 0 && !*is_blocked && link->on_block != NULL) {
        *is_blocked = true;
        link->on_block(link->on_block_user, true);
    }
    if ((fd.revents & POLLIN) != 0)
        kk_wyoming_link_pump(link);
    if (kk_now_s() - link->moved_s > KK_WYOMING_IDLE_S)
        link->is_gone = true;
}

/* All bytes, while something moves. */
static bool send_all(kk_wyoming_link *link, const char *data, size_t len)
{
    bool is_blocked = false;
    while (len > 0 && !link->is_gone) {
        ssize_t n = send(link->peer->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            link->moved_s = kk_now_s();
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
            wait_to_send(link, &is_blocked);
        } else {
            link->is_gone = true;
        }
        if (atomic_load(link->peer->must_end))
            link->is_gone = true;
    }
    if (is_blocked)
        link->on_block(link->on_block_user, false);
    return len == 0;
}

bool kk_wyoming_link_send(kk_wyoming_link *link, const char *type, kk_slice data, kk_slice payload)
{
    kk_buf_clear(&link->out);
    kk_wyoming_write(&link->out, type, data, payload.len);
    kk_buf_append_slice(&link->out, payload);
    if (link->out.failed) {
        link->is_gone = true;
        return false;
    }
    return send_all(link, link->out.data, link->out.len);
}

bool kk_wyoming_link_send_json(kk_wyoming_link *link, const char *type, json_t *data)
{
    kk_buf text = KK_BUF_INIT;
    kk_json_write(&text, data);
    bool is_sent = !text.failed &&
                   kk_wyoming_link_send(link, type, (kk_slice){text.data, text.len}, KK_SLICE(""));
    if (text.failed)
        link->is_gone = true;
    kk_buf_fini(&text);
    return is_sent;
}
