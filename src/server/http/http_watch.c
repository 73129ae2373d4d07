/* http_watch.c - one epoll over the sockets, and a look at all of them each second. An event names
 * its exchange by a number, since both may be over when it is read. */
#include "server/http/http_watch.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { N_EVENTS = 64 };
static const double look_s = 1.0;

struct kk_watch {
    int epoll_fd, end_fd;
    pthread_t thread;
    bool has_mutex, has_thread;
    pthread_mutex_t mutex; /* taken before that of an exchange */
    kk_http_exchange *first;
    uint64_t last_id;
};

static kk_http_exchange *find(const kk_watch *watch, uint64_t id)
{
    kk_http_exchange *e = watch->first;
    while (e != NULL && e->watch_id != id)
        e = e->watch_next;
    return e;
}

static void handle(kk_watch *watch, const struct epoll_event *event)
{
    const uint32_t end = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    kk_http_exchange *exchange = find(watch, event->data.u64);
    if (exchange == NULL)
        return;
    if ((event->events & end) != 0) {
        /* Such an event would come again and again. */
        (void)epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, exchange->fd, NULL);
        kk_exchange_lose(exchange);
    } else {
        kk_exchange_pump(exchange);
    }
}

static void *run(void *user)
{
    kk_watch *watch = user;
    struct epoll_event events[N_EVENTS];
    double looked_s = kk_now_s();
    for (bool must_end = false; !must_end;) {
        int n = epoll_wait(watch->epoll_fd, events, N_EVENTS, (int)(1e3 * look_s));
        double now_s = kk_now_s();
        (void)pthread_mutex_lock(&watch->mutex);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == 0)
                must_end = true;
            else
                handle(watch, &events[i]);
        }
        if (now_s - looked_s >= look_s) {
            looked_s = now_s;
            for (kk_http_exchange *e = watch->first; e != NULL; e = e->watch_next)
                kk_exchange_look(e, now_s);
        }
        (void)pthread_mutex_unlock(&watch->mutex);
    }
    return NULL;
}

int kk_watch_start(kk_watch **out, kokoro_error *err)
{
    struct epoll_event end = {.events = EPOLLIN, .data.u64 = 0};
    kk_watch *watch = kk_calloc(1, sizeof(*watch));
    *out = NULL;
    if (watch == NULL)
        return kk_fail_memory(err);
    watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch->has_mutex = pthread_mutex_init(&watch->mutex, NULL) == 0;
    watch->has_thread = watch->epoll_fd >= 0 && watch->end_fd >= 0 && watch->has_mutex &&
                        epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->end_fd, &end) == 0 &&
                        pthread_create(&watch->thread, NULL, run, watch) == 0;
    if (!watch->has_thread) {
        kk_watch_stop(&watch);
        return kk_fail(err, KOKORO_NO_MEMORY,
                       "there is no descriptor or thread left to watch connections with");
    }
    *out = watch;
    return KOKORO_OK;
}

void kk_watch_stop(kk_watch **watch_ptr)
{
    const uint64_t one = 1;
    kk_watch *watch = *watch_ptr;
    if (watch == NULL)
        return;
    *watch_ptr = NULL;
    if (watch->has_thread && write(watch->end_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
        (void)pthread_join(watch->thread, NULL);
    if (watch->epoll_fd >= 0)
        (void)close(watch->epoll_fd);
    if (watch->end_fd >= 0)
        (void)close(watch->end_fd);
    if (watch->has_mutex)
        (void)pthread_mutex_destroy(&watch->mutex);
    kk_free(watch);
}

void kk_watch_add(kk_watch *watch, kk_http_exchange *exchange, bool is_whole)
{
    (void)pthread_mutex_lock(&watch->mutex);
    struct epoll_event event = {.events = is_whole ? 0U : (uint32_t)EPOLLRDHUP,
                                .data.u64 = ++watch->last_id};
    exchange->watch = watch;
    exchange->watch_id = watch->last_id;
    exchange->watch_next = watch->first;
    if (watch->first != NULL)
        watch->first->watch_previous = exchange;
    watch->first = exchange;
    int failed = epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, exchange->fd, &event);
    (void)pthread_mutex_unlock(&watch->mutex);
    if (failed != 0)
        kk_exchange_lose(exchange);
}

void kk_watch_remove(kk_http_exchange *exchange)
{
    kk_watch *watch = exchange->watch;
    if (watch == NULL)
        return;
    (void)pthread_mutex_lock(&watch->mutex);
    if (exchange->watch_next != NULL)
        exchange->watch_next->watch_previous = exchange->watch_previous;
    if (exchange->watch_previous != NULL)
        exchange->watch_previous->watch_next = exchange->watch_next;
    else
        watch->first = exchange->watch_next;
    (void)epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, exchange->fd, NULL);
    (void)pthread_mutex_unlock(&watch->mutex);
}

void kk_watch_lose_all(kk_watch *watch)
{
    (void)pthread_mutex_lock(&watch->mutex);
    for (kk_http_exchange *e = watch->first; e != NULL; e = e->watch_next)
        kk_exchange_lose(e);
    (void)pthread_mutex_unlock(&watch->mutex);
}

void kk_watch_want_room(kk_http_exchange *exchange, bool wants_it)
{
    struct epoll_event event = {.events = EPOLLRDHUP | (wants_it ? (uint32_t)EPOLLOUT : 0U),
                                .data.u64 = exchange->watch_id};
    if (exchange->watch == NULL || exchange->fd < 0 || exchange->wants_room == wants_it)
        return;
    exchange->wants_room = wants_it;
    (void)epoll_ctl(exchange->watch->epoll_fd, EPOLL_CTL_MOD, exchange->fd, &event);
}
