/*
 * serve.c - the subcommand serve: starts the server, waits for signals, prints its log.
 *
 *     SIGTERM, SIGINT   accept nothing more, finish what was accepted within KOKORO_DRAIN_S and cut
 *                       the rest; exit status 0
 *     a second one      end at once, exit status 1
 *     SIGHUP            read settings and keys again
 *
 * The log and the time to finish follow the settings of the running server.
 */
#include "apps.h"

#include "base/clock.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Those of the settings that are the program's, as they are now; read by all threads. */
typedef struct manners {
    atomic_int log_level; /* a kokoro_log_level */
    atomic_bool log_as_json;
    atomic_llong drain_s;
} manners;

static void follow_settings(void *user, const kk_config *config)
{
    manners *m = user;
    atomic_store(&m->log_level, kk_config_choice(config, KK_SET_LOG_LEVEL));
    atomic_store(&m->log_as_json, kk_config_bool(config, KK_SET_LOG_JSON));
    atomic_store(&m->drain_s, kk_config_int(config, KK_SET_DRAIN_S));
}

static void log_line(void *user, int level, const char *line)
{
    const manners *m = user;
    if (level <= atomic_load(&m->log_level))
        kk_app_write_log(atomic_load(&m->log_as_json), level, line);
}

/* Bytes in this pipe wake the main thread: 's' a signal to stop, 'h' SIGHUP, 'l' the end of
 * loading.
 */
static int wake_pipe[2] = {-1, -1};

static void write_wake(char what)
{
    int saved_errno = errno;
    ssize_t written = write(wake_pipe[1], &what, 1);
    (void)written; /* a full pipe has woken the reader already */
    errno = saved_errno;
}

static void on_signal(int number)
{
    write_wake(number == SIGHUP ? 'h' : 's');
}

static void on_loaded(void *user)
{
    (void)user;
    write_wake('l');
}

static bool open_wake_pipe(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    if (pipe(wake_pipe) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        (void)fcntl(wake_pipe[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(wake_pipe[i], F_SETFL, O_NONBLOCK);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGINT, &action, NULL) == 0 &&
           sigaction(SIGHUP, &action, NULL) == 0;
}

/* One call a line, so that lines of several threads do not mix. */
static void log_request(void *user, const kk_server_log_line *line)
{
    const manners *m = user;
    if (atomic_load(&m->log_level) < KOKORO_LOG_INFO)
        return;
    if (atomic_load(&m->log_as_json)) {
        json_t *object =
            json_pack("{s:f, s:s, s:s, s:s, s:s*, s:i, s:f, s:f, s:s, s:s*}", "time", line->time_s,
                      "level", "info", "id", line->id, "method", line->method, "path", line->path,
                      "status", line->status, "ms", line->elapsed_ms, "audio_s", line->audio_s,
                      "client", line->client, "key", line->key);
        char *text =
            object != NULL ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(14)) : NULL;
        if (text != NULL)
            (void)fprintf(stderr, "%s\n", text);
        free(text);
        json_decref(object);
        return;
    }
    char when[32] = "";
    time_t seconds = (time_t)line->time_s;
    struct tm local;
    if (localtime_r(&seconds, &local) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &local);
    (void)fprintf(stderr, "%s %s %s %s %d %.1f ms %.2f s from %s%s%s\n", when, line->id,
                  line->method, line->path, line->status, line->elapsed_ms, line->audio_s,
                  line->client[0] != '\0' ? line->client : "-", line->key != NULL ? " key " : "",
                  line->key != NULL ? line->key : "");
}

static void tell_address(const kk_config *config, const kk_server *server, const char *what)
{
    const char *host = kk_config_text(config, KK_SET_HOST);
    bool needs_brackets = strchr(host, ':') != NULL && host[0] != '[';
    (void)fprintf(stderr, "%s http://%s%s%s:%d\n", what, needs_brackets ? "[" : "", host,
                  needs_brackets ? "]" : "", kk_server_port(server));
}

/* What woke the main thread: 's', 'l', or 0 when a second went by. */
static char wait_for_event(void)
{
    char what = 0;
    struct pollfd fd = {.fd = wake_pipe[0], .events = POLLIN};
    if (poll(&fd, 1, 1000) > 0 && read(wake_pipe[0], &what, 1) != 1)
        what = 0;
    return what;
}

/* Until a signal, or loading failed. */
static int serve(const kk_config *config, kk_server *server)
{
    kokoro_error error;
    for (;;) {
        char event = wait_for_event();
        if (event == 's')
            return KK_EXIT_OK;
        if (event == 'l' && kk_server_state(server, &error) == KK_SERVER_FAILED) {
            kk_complain("%s", error.message);
            return KK_EXIT_FAILED;
        }
        if (event == 'h')
            kk_server_reload(server);
        if (event == 'l')
            tell_address(config, server, "listening on");
        kk_server_tick(server);
    }
}

/* Until all accepted requests are answered, or the time for it is over; a signal ends it at once.
 */
static void finish(const manners *m, kk_server *server)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    double start_s = kk_now_s(), next_tick_s = start_s + 1.0;
    bool is_cut = false;
    kk_server_drain(server);
    while (!kk_server_is_idle(server)) {
        char event = 0;
        double now_s = kk_now_s(), limit_s = (double)atomic_load(&m->drain_s);
        if (read(wake_pipe[0], &event, 1) == 1 && event == 's') {
            (void)fprintf(stderr, "kokoro: stopped before all requests were answered\n");
            _exit(KK_EXIT_FAILED);
        }
        if (now_s - start_s >= limit_s && !is_cut) {
            kk_complain("some answers took longer than %.0f s to end (KOKORO_DRAIN_S), and are cut",
                        limit_s);
            is_cut = true;
        }
        if (is_cut)
            kk_server_cut(server);
        (void)nanosleep(&pause, NULL);
        if (now_s >= next_tick_s) {
            kk_server_tick(server);
            next_tick_s += 1.0;
        }
    }
}

int kk_app_serve(const kk_config *config)
{
    kokoro_error error;
    kk_server *server = NULL;
    manners m;
    kk_server_options options = {.config = config,
                                 .user = &m,
                                 .follow = follow_settings,
                                 .log_request = log_request,
                                 .wake = on_loaded};
    if (kk_config_bool(config, KK_SET_WYOMING_ANNOUNCE) &&
        kk_config_int(config, KK_SET_WYOMING_PORT) == 0) {
        kk_complain("KOKORO_WYOMING_ANNOUNCE (--wyoming-announce) tells of a port that is not "
                    "open; set KOKORO_WYOMING_PORT (--wyoming-port) too, usually to 10200");
        return KK_EXIT_USAGE;
    }
    follow_settings(&m, config);
    kk_app_engine_options(config, &options.engine);
    options.engine.log = log_line;
    options.engine.log_user = &m;
    if (!open_wake_pipe()) {
        kk_complain("cannot prepare for signals: %s", strerror(errno));
        return KK_EXIT_FAILED;
    }
    if (kk_server_start(&server, &options, &error) != KOKORO_OK) {
        kk_complain("%s", error.message);
        return KK_EXIT_FAILED;
    }
    if (!kk_server_is_loopback(server) && !kk_server_has_keys(server))
        kk_complain("warning: other machines can reach this server, and it asks for no key; "
                    "--host 127.0.0.1 keeps it to this one, KOKORO_API_KEYS_FILE makes it ask");
    tell_address(config, server, "loading the model for");
    int status = serve(config, server);
    if (status == KK_EXIT_OK)
        finish(&m, server);
    kk_server_stop(&server);
    return status;
}
