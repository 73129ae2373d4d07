/*
 * wyoming.c - the port of the Wyoming protocol: one thread accepts, each connection has one of its
 * own, which is joined when its place is needed again or the server stops.
 */
#include "server/wyoming/wyoming.h"

#include "base/alloc.h"
#include "base/status.h"
#include "server/http/listen.h"
#include "server/status/status.h"
#include "server/wyoming/wyoming_announce.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct place {
    kk_wyoming *wyoming;
    pthread_t thread;
    int fd; /* -1: none */
    bool has_thread, is_over;
} place;

struct kk_wyoming {
    struct kk_server *server;
    kk_listener listener;
    kk_announcement *announcement; /* NULL: not asked for */
    int drain_pipe[2];             /* its writing end is closed to drain */
    atomic_bool must_end;
    atomic_size_t n_speaking;
    pthread_t acceptor;
    bool has_acceptor, has_mutex;

    pthread_mutex_t mutex;
    place places[KK_WYOMING_MAX_CONNECTIONS];
    kk_wyoming_view view;
};

/* --- a connection --- */

/* "192.0.2.1"; "" where it cannot be told. */
static void name_peer(kk_wyoming_peer *peer)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    if (getpeername(peer->fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((struct sockaddr *)&address, len, peer->address, sizeof(peer->address), NULL, 0,
                    NI_NUMERICHOST) != 0)
        peer->address[0] = '\0';
}

static void *run_connection(void *user)
{
    place *p = user;
    kk_wyoming *w = p->wyoming;
    kk_wyoming_peer peer = {.server = w->server,
                            .fd = p->fd,
                            .drain_fd = w->drain_pipe[0],
                            .must_end = &w->must_end,
                            .n_speaking = &w->n_speaking};
    name_peer(&peer);
    kk_wyoming_session_run(&peer);
    (void)pthread_mutex_lock(&w->mutex);
    (void)close(p->fd);
    p->fd = -1;
    p->is_over = true;
    w->view.n_connections--;
    (void)pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* A free place, its last thread joined; NULL when all are taken. Under the mutex: a thread that is
 * over needs it no more. */
static place *find_place(kk_wyoming *w)
{
    for (size_t i = 0; i < KK_WYOMING_MAX_CONNECTIONS; i++) {
        place *p = &w->places[i];
        if (p->has_thread && !p->is_over)
            continue;
        if (p->has_thread)
            (void)pthread_join(p->thread, NULL);
        *p = (place){.wyoming = w, .fd = -1};
        return p;
    }
    return NULL;
}

/* 0, or an errno. The place's mutex is held until its thread is known. */
static bool place_connection(kk_wyoming *w, int fd)
{
    (void)pthread_mutex_lock(&w->mutex);
    place *p = find_place(w);
    if (p != NULL) {
        p->fd = fd;
        p->has_thread = pthread_create(&p->thread, NULL, run_connection, p) == 0;
        if (!p->has_thread)
            p->fd = -1;
    }
    bool is_placed = p != NULL && p->has_thread;
    if (is_placed) {
        w->view.n_accepted++;
        if (++w->view.n_connections > w->view.peak_connections)
            w->view.peak_connections = w->view.n_connections;
    } else {
        w->view.n_refused++;
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return is_placed;
}

static void accept_one(kk_wyoming *w)
{
    static const char refusal[] = "{\"type\":\"error\",\"data\":{\"text\":\"too many connections; "
                                  "try again\",\"code\":\"queue_full\"}}\n";
    const int on = 1;
    int fd = accept(w->listener.fd, NULL, NULL);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            (void)poll(NULL, 0, 50); /* it stays readable: do not spin */
        return;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (place_connection(w, fd))
        return;
    ssize_t sent = send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* who does not get it sees the end of the connection */
    (void)close(fd);
}

static void *accept_all(void *user)
{
    kk_wyoming *w = user;
    struct pollfd fds[2] = {{.fd = w->listener.fd, .events = POLLIN},
                            {.fd = w->drain_pipe[0], .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            (void)poll(NULL, 0, 50);
        else if (fds[1].revents != 0)
            return NULL;
        else if (fds[0].revents != 0)
            accept_one(w);
    }
}

/* --- start and stop --- */

static int open_pipe(kk_wyoming *w, kokoro_error *err)
{
    if (pipe(w->drain_pipe) != 0) {
        w->drain_pipe[0] = w->drain_pipe[1] = -1;
        return kk_fail(err, KOKORO_IO, "no pipe for the Wyoming server: %s", strerror(errno));
    }
    for (int i = 0; i < 2; i++)
        (void)fcntl(w->drain_pipe[i], F_SETFD, FD_CLOEXEC);
    return KOKORO_OK;
}

static int start_listening(kk_wyoming *w, const kk_wyoming_options *options, kokoro_error *err)
{
    const kk_listen_names names = {"--wyoming-port or KOKORO_WYOMING_PORT", "KOKORO_WYOMING_HOST"};
    int status = kk_listen_named(&w->listener, options->host, options->port, &names, err);
    if (status != KOKORO_OK)
        return status;
    if (options->loopback_only && !w->listener.is_loopback)
        return kk_fail(err, KOKORO_INVALID,
                       "the Wyoming protocol knows no keys, and other machines could reach its "
                       "port on %s without one; set KOKORO_WYOMING_HOST to 127.0.0.1, or "
                       "KOKORO_WYOMING_WITHOUT_KEYS to true to let them",
                       options->host);
    if (options->announces && w->listener.is_loopback)
        return kk_fail(err, KOKORO_INVALID,
                       "KOKORO_WYOMING_ANNOUNCE would tell the network of a port on %s, which no "
                       "other machine can reach; set KOKORO_WYOMING_HOST to 0.0.0.0, or "
                       "KOKORO_WYOMING_ANNOUNCE to false",
                       options->host);
    w->view.port = w->listener.port;
    w->has_acceptor = pthread_create(&w->acceptor, NULL, accept_all, w) == 0;
    if (!w->has_acceptor)
        return kk_fail(err, KOKORO_NO_MEMORY, "the Wyoming server's thread cannot be made");
    return KOKORO_OK;
}

int kk_wyoming_start(kk_wyoming **out, struct kk_server *server, const kk_wyoming_options *options,
                     kokoro_error *err)
{
    *out = NULL;
    kk_wyoming *w = kk_calloc(1, sizeof(*w));
    if (w == NULL)
        return kk_fail_memory(err);
    w->server = server;
    w->listener.fd = w->drain_pipe[0] = w->drain_pipe[1] = -1;
    w->has_mutex = pthread_mutex_init(&w->mutex, NULL) == 0;
    int status = w->has_mutex ? open_pipe(w, err) : kk_fail_memory(err);
    if (status == KOKORO_OK)
        status = start_listening(w, options, err);
    if (status == KOKORO_OK && options->announces)
        status = kk_announcement_start(&w->announcement, w->listener.port,
                                       kk_listen_interface(&w->listener), &server->log, err);
    if (status != KOKORO_OK)
        kk_wyoming_stop(&w);
    *out = w;
    return status;
}

bool kk_wyoming_is_loopback(const kk_wyoming *wyoming)
{
    return wyoming == NULL || wyoming->listener.is_loopback;
}

void kk_wyoming_drain(kk_wyoming *w)
{
    if (w == NULL)
        return;
    kk_announcement_withdraw(w->announcement);
    (void)pthread_mutex_lock(&w->mutex);
    if (w->drain_pipe[1] >= 0)
        (void)close(w->drain_pipe[1]);
    w->drain_pipe[1] = -1;
    (void)pthread_mutex_unlock(&w->mutex);
    if (w->has_acceptor)
        (void)pthread_join(w->acceptor, NULL);
    w->has_acceptor = false;
    if (w->listener.fd >= 0)
        (void)close(w->listener.fd);
    w->listener.fd = -1;
}

void kk_wyoming_cut(kk_wyoming *w)
{
    if (w == NULL)
        return;
    atomic_store(&w->must_end, true);
    (void)pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < KK_WYOMING_MAX_CONNECTIONS; i++) {
        if (w->places[i].has_thread && w->places[i].fd >= 0)
            (void)shutdown(w->places[i].fd, SHUT_RDWR);
    }
    (void)pthread_mutex_unlock(&w->mutex);
}

void kk_wyoming_stop(kk_wyoming **wyoming)
{
    kk_wyoming *w = wyoming != NULL ? *wyoming : NULL;
    if (w == NULL)
        return;
    *wyoming = NULL;
    if (w->has_mutex) {
        kk_wyoming_drain(w);
        kk_wyoming_cut(w);
        for (size_t i = 0; i < KK_WYOMING_MAX_CONNECTIONS; i++) {
            if (w->places[i].has_thread)
                (void)pthread_join(w->places[i].thread, NULL);
        }
        (void)pthread_mutex_destroy(&w->mutex);
    }
    if (w->drain_pipe[0] >= 0)
        (void)close(w->drain_pipe[0]);
    kk_announcement_stop(&w->announcement);
    kk_free(w);
}

void kk_wyoming_read(kk_wyoming *w, kk_wyoming_view *view)
{
    *view = (kk_wyoming_view){0};
    if (w == NULL)
        return;
    (void)pthread_mutex_lock(&w->mutex);
    *view = w->view;
    (void)pthread_mutex_unlock(&w->mutex);
    view->n_speaking = atomic_load(&w->n_speaking);
}

json_t *kk_status_wyoming(const kk_status *s)
{
    kk_wyoming *w = s->server->wyoming;
    kk_wyoming_view view;
    kk_announcement_view announced;
    kk_wyoming_read(w, &view);
    kk_announcement_read(w != NULL ? w->announcement : NULL, &announced);
    return json_pack("{s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:s}}", "enabled", view.port != 0,
                     "port", view.port, "connections", kk_json_count(view.n_connections),
                     "peak_connections", kk_json_count(view.peak_connections), "speaking",
                     kk_json_count(view.n_speaking), "accepted", kk_json_count(view.n_accepted),
                     "refused", kk_json_count(view.n_refused), "announcement", "name",
                     announced.name, "reason", announced.reason);
}
