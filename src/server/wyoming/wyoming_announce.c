/*
 * wyoming_announce.c - the announcement, from looking for avahi-daemon to its end.
 *
 *     look -> client -> the daemon runs -> group of one service -> announced
 *       ^       |  no D-Bus                  |  name taken: the next one ("Kokoro on host #2")
 *       +- 2 s -+--- the daemon went away ---+
 *
 * The library waits by itself for a daemon that does not run yet. All happens on the thread of its
 * own loop, but for start and end.
 */
#include "server/wyoming/wyoming_announce.h"

#include "base/alloc.h"
#include "base/status.h"
#include "server/wyoming/avahi.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOOK_AGAIN_S = 2 };

static const char service_type[] = "_wyoming._tcp";

struct kk_announcement {
    kk_avahi avahi;
    const kk_log *log;
    int port, interface;
    /* What is of the library; NULL: none. But for `poll` they belong to its thread. */
    void *poll, *timer, *client, *group;
    char wanted[KK_ANNOUNCED_NAME_SIZE];

    pthread_mutex_t mutex;
    kk_announcement_view view;
};

/* How it stands now; a line of the log where that is new. */
static void tell(kk_announcement *a, int level, const char *name, const char *reason)
{
    kk_announcement_view view;
    (void)snprintf(view.name, sizeof(view.name), "%s", name);
    (void)snprintf(view.reason, sizeof(view.reason), "%s", reason);
    (void)pthread_mutex_lock(&a->mutex);
    bool is_new = strcmp(a->view.name, view.name) != 0 || strcmp(a->view.reason, view.reason) != 0;
    a->view = view;
    (void)pthread_mutex_unlock(&a->mutex);
    if (is_new && name[0] != '\0')
        kk_log_write(a->log, level, "the Wyoming port is announced by mDNS as '%s'", name);
    else if (is_new)
        kk_log_write(a->log, level, "the Wyoming port is not announced: %s", reason);
}

/* --- on the library's thread --- */

static void look_later(kk_announcement *a)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct timeval when = {.tv_sec = now.tv_sec + LOOK_AGAIN_S,
                                 .tv_usec = now.tv_nsec / 1000};
    a->avahi.threaded_poll_get(a->poll)->timeout_update(a->timer, &when);
}

static void fail(kk_announcement *a, int error)
{
    char reason[sizeof(a->view.reason)];
    (void)snprintf(reason, sizeof(reason), "avahi-daemon did not take it: %s",
                   a->avahi.strerror(error));
    tell(a, KOKORO_LOG_WARNING, "", reason);
    look_later(a);
}

static bool want_another_name(kk_announcement *a)
{
    char *name = a->avahi.alternative_service_name(a->wanted);
    if (name == NULL)
        return false;
    (void)snprintf(a->wanted, sizeof(a->wanted), "%s", name);
    a->avahi.free(name);
    return true;
}

/* Fill the group, which is empty. A name that another program of this machine has is refused at
 * once, one of another machine later, by the group's state. */
static void announce(kk_announcement *a)
{
    int number;
    do {
        number = a->avahi.entry_group_add_service_strlst(a->group, a->interface, KK_AVAHI_ANY, 0,
                                                         a->wanted, service_type, NULL, NULL,
                                                         (uint16_t)a->port, NULL);
    } while (number == KK_AVAHI_ERROR_COLLISION && want_another_name(a));
    if (number >= 0)
        number = a->avahi.entry_group_commit(a->group);
    if (number < 0)
        fail(a, number);
}

static void on_group(void *group, int state, void *user)
{
    kk_announcement *a = user;
    if (state == KK_AVAHI_GROUP_ESTABLISHED) {
        tell(a, KOKORO_LOG_INFO, a->wanted, "");
    } else if (state == KK_AVAHI_GROUP_COLLISION) {
        tell(a, KOKORO_LOG_DEBUG, "", "its name is taken, and another one is being tried");
        (void)a->avahi.entry_group_reset(group);
        if (want_another_name(a))
            announce(a);
        else
            look_later(a);
    } else if (state == KK_AVAHI_GROUP_FAILURE) {
        fail(a, a->avahi.client_errno(a->avahi.entry_group_get_client(group)));
    }
}

static void begin(kk_announcement *a, void *client)
{
    const char *host = a->avahi.client_get_host_name(client);
    int len = snprintf(a->wanted, sizeof(a->wanted), "Kokoro on %s", host != NULL ? host : "");
    if (host == NULL || len >= (int)sizeof(a->wanted))
        (void)snprintf(a->wanted, sizeof(a->wanted), "Kokoro");
    if (a->group != NULL)
        (void)a->avahi.entry_group_reset(a->group);
    else
        a->group = a->avahi.entry_group_new(client, on_group, a);
    if (a->group != NULL)
        announce(a);
    else
        fail(a, a->avahi.client_errno(client));
}

/* Also from within avahi_client_new, before that has returned the client. */
static void on_client(void *client, int state, void *user)
{
    kk_announcement *a = user;
    switch (state) {
    case KK_AVAHI_CLIENT_RUNNING:
        begin(a, client);
        break;
    case KK_AVAHI_CLIENT_REGISTERING:
    case KK_AVAHI_CLIENT_COLLISION:
        if (a->group != NULL)
            (void)a->avahi.entry_group_reset(a->group);
        tell(a, KOKORO_LOG_DEBUG, "", "avahi-daemon is looking for a name for this machine");
        break;
    case KK_AVAHI_CLIENT_CONNECTING:
        tell(a, KOKORO_LOG_WARNING, "",
             "avahi-daemon does not run on this machine; start it, or install it with: apt-get "
             "install avahi-daemon; the port is announced as soon as it runs");
        break;
    case KK_AVAHI_CLIENT_FAILURE: /* this client is of no more use, nor is its group */
        tell(a, KOKORO_LOG_DEBUG, "", "avahi-daemon went away");
        look_later(a);
        break;
    default:
        break;
    }
}

static void look(void *timer, void *user)
{
    kk_announcement *a = user;
    int error = 0;
    (void)timer;
    if (a->client != NULL)
        a->avahi.client_free(a->client); /* and its group */
    a->group = NULL;
    a->client = a->avahi.client_new(a->avahi.threaded_poll_get(a->poll), KK_AVAHI_CLIENT_NO_FAIL,
                                    on_client, a, &error);
    if (a->client != NULL)
        return;
    char reason[sizeof(a->view.reason)];
    (void)snprintf(reason, sizeof(reason),
                   "the system's D-Bus, which avahi-daemon needs, cannot be reached (%s); install "
                   "both with: apt-get install avahi-daemon; the port is announced as soon as they "
                   "run",
                   a->avahi.strerror(error));
    tell(a, KOKORO_LOG_WARNING, "", reason);
    look_later(a);
}

/* --- start and end --- */

static bool start_loop(kk_announcement *a)
{
    a->poll = a->avahi.threaded_poll_new();
    if (a->poll == NULL)
        return false;
    const struct timeval at_once = {0};
    const kk_avahi_loop *l = a->avahi.threaded_poll_get(a->poll);
    a->timer = l->timeout_new(l, &at_once, look, a);
    return a->timer != NULL && a->avahi.threaded_poll_start(a->poll) >= 0;
}

int kk_announcement_start(kk_announcement **out, int port, unsigned interface, const kk_log *log,
                          kokoro_error *err)
{
    kk_announcement *a = kk_calloc(1, sizeof(*a));
    *out = NULL;
    if (a == NULL || pthread_mutex_init(&a->mutex, NULL) != 0) {
        kk_free(a);
        return kk_fail_memory(err);
    }
    a->log = log;
    a->port = port;
    a->interface = interface != 0 ? (int)interface : KK_AVAHI_ANY;
    if (!kk_avahi_load(&a->avahi)) {
        tell(a, KOKORO_LOG_WARNING, "",
             "the library libavahi-client.so.3 is not installed here; install it with: apt-get "
             "install avahi-daemon libavahi-client3; then start the server again");
    } else if (!start_loop(a)) {
        kk_announcement_stop(&a);
        return kk_fail_memory(err);
    }
    *out = a;
    return KOKORO_OK;
}

void kk_announcement_withdraw(kk_announcement *a)
{
    if (a == NULL)
        return;
    if (a->poll != NULL) {
        (void)a->avahi.threaded_poll_stop(a->poll);
        if (a->client != NULL)
            a->avahi.client_free(a->client);
        if (a->timer != NULL)
            a->avahi.threaded_poll_get(a->poll)->timeout_free(a->timer);
        a->avahi.threaded_poll_free(a->poll);
        a->poll = a->timer = a->client = a->group = NULL;
    }
    tell(a, KOKORO_LOG_DEBUG, "", "the server ends");
}

void kk_announcement_stop(kk_announcement **announcement)
{
    kk_announcement *a = *announcement;
    if (a == NULL)
        return;
    *announcement = NULL;
    kk_announcement_withdraw(a);
    (void)pthread_mutex_destroy(&a->mutex);
    kk_free(a);
}

void kk_announcement_read(kk_announcement *a, kk_announcement_view *view)
{
    *view = (kk_announcement_view){.reason = "KOKORO_WYOMING_ANNOUNCE is false"};
    if (a == NULL)
        return;
    (void)pthread_mutex_lock(&a->mutex);
    *view = a->view;
    (void)pthread_mutex_unlock(&a->mutex);
}
