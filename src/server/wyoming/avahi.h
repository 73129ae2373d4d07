/*
 * avahi.h - libavahi-client.so.3, loaded when it is asked for, without its headers: the few
 * declarations that are used, as Avahi 0.8 has them in avahi-client/client.h and publish.h,
 * avahi-common/defs.h, error.h, watch.h, thread-watch.h and alternative.h.
 */
#ifndef KK_SERVER_AVAHI_H
#define KK_SERVER_AVAHI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

enum {
    KK_AVAHI_CLIENT_NO_FAIL = 2,
    KK_AVAHI_CLIENT_REGISTERING = 1,
    KK_AVAHI_CLIENT_RUNNING = 2,
    KK_AVAHI_CLIENT_COLLISION = 3, /* of the host's name */
    KK_AVAHI_CLIENT_FAILURE = 100,
    KK_AVAHI_CLIENT_CONNECTING = 101,
    KK_AVAHI_GROUP_ESTABLISHED = 2,
    KK_AVAHI_GROUP_COLLISION = 3,
    KK_AVAHI_GROUP_FAILURE = 4,
    KK_AVAHI_ERROR_COLLISION = -8,
    KK_AVAHI_ANY = -1 /* interface, protocol */
};

typedef void kk_avahi_client_fn(void *client, int state, void *user);
typedef void kk_avahi_group_fn(void *group, int state, void *user);
typedef void kk_avahi_timer_fn(void *timer, void *user);

/* AvahiPoll */
typedef struct kk_avahi_loop {
    void *user;
    void *watch_functions[4];
    void *(*timeout_new)(const struct kk_avahi_loop *loop, const struct timeval *when,
                         kk_avahi_timer_fn *fn, void *user);
    void (*timeout_update)(void *timer, const struct timeval *when);
    void (*timeout_free)(void *timer);
} kk_avahi_loop;

/* X(result, name, parameters): the functions that are looked up. */
#define KK_AVAHI_FUNCTIONS(X)                                                                      \
    X(void *, threaded_poll_new, (void))                                                           \
    X(const kk_avahi_loop *, threaded_poll_get, (void *poll))                                      \
    X(int, threaded_poll_start, (void *poll))                                                      \
    X(int, threaded_poll_stop, (void *poll))                                                       \
    X(void, threaded_poll_free, (void *poll))                                                      \
    X(void *, client_new,                                                                          \
      (const kk_avahi_loop *poll, int flags, kk_avahi_client_fn *fn, void *user, int *error))      \
    X(void, client_free, (void *client))                                                           \
    X(int, client_errno, (void *client))                                                           \
    X(const char *, client_get_host_name, (void *client))                                          \
    X(void *, entry_group_new, (void *client, kk_avahi_group_fn *fn, void *user))                  \
    X(void *, entry_group_get_client, (void *group))                                               \
    X(int, entry_group_reset, (void *group))                                                       \
    X(int, entry_group_commit, (void *group))                                                      \
    X(int, entry_group_add_service_strlst,                                                         \
      (void *group, int interface, int protocol, int flags, const char *name, const char *type,    \
       const char *domain, const char *host, uint16_t port, void *txt))                            \
    X(char *, alternative_service_name, (const char *name))                                        \
    X(void, free, (void *block))                                                                   \
    X(const char *, strerror, (int error))

typedef struct kk_avahi {
#define KK_X(result, name, args) result(*name) args;
    KK_AVAHI_FUNCTIONS(KK_X)
#undef KK_X
} kk_avahi;

/* False where the library is not there, or not whole. Once loaded it stays in the process. */
bool kk_avahi_load(kk_avahi *avahi);

#endif
