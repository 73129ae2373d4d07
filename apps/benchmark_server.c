/* benchmark_server.c - see benchmark_server.h. */
#include "benchmark_server.h"

#include "base/clock.h"
#include "base/spawn.h"
#include "base/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 12 + KK_N_SETTINGS, START_LIMIT_S = 60, END_LIMIT_S = 5 };

/* A port of this machine that is free now; 0: none. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int port = 0;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return 0;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        port = ntohs(address.sin_port);
    (void)close(fd);
    return port;
}

/* It is our last word to this server: what it says is nobody's. */
static int spawn_server(pid_t *pid, const char *const *arguments)
{
    const kk_spawn spawn = {.program = "/proc/self/exe",
                            .arguments = arguments,
                            .fds = {KK_SPAWN_NUL, KK_SPAWN_NUL, KK_SPAWN_NUL, KK_SPAWN_KEEP}};
    return kk_spawn_start(pid, &spawn);
}

static bool is_about_way(int id)
{
    return id == KK_SET_PROVIDER || id == KK_SET_PRECISION || id == KK_SET_THREADS ||
           id == KK_SET_HOST || id == KK_SET_PORT;
}

/* Options of this command's line that are settings, then those of the way. False: no memory. */
static bool fill_arguments(kk_arena *arena, const kk_app *app, const kk_way *way, int port,
                           const char **arguments)
{
    char text[64];
    size_t n = 3;
    const kk_config *config = &app->config;
    for (int id = 0; id < KK_N_SETTINGS; id++) {
        if (config->origin[id] != KK_FROM_OPTION || is_about_way(id))
            continue;
        kk_buf word = KK_BUF_INIT;
        kk_buf_appendf(&word, "--%s=%s", kk_settings[id].option, config->value[id]);
        arguments[n] = word.failed ? NULL : kk_arena_strdup(arena, kk_buf_str(&word));
        kk_buf_fini(&word);
        if (arguments[n++] == NULL)
            return false;
    }
    const bool has_precision = strcmp(way->precision, "file") != 0;
    const struct {
        const char *name, *value;
        int number;
    } own[] = {{"host", "127.0.0.1", 0},
               {"port", NULL, port},
               {"provider", way->provider, 0},
               {"threads", NULL, way->n_threads},
               {"precision", has_precision ? way->precision : "auto", 0}};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (own[i].value != NULL)
            (void)snprintf(text, sizeof(text), "--%s=%s", own[i].name, own[i].value);
        else
            (void)snprintf(text, sizeof(text), "--%s=%d", own[i].name, own[i].number);
        arguments[n] = kk_arena_strdup(arena, text);
        if (arguments[n++] == NULL)
            return false;
    }
    arguments[n] = NULL;
    return true;
}

static int wait_until_well(kk_benchmark_server *server, const kk_bench_watch *watch,
                           kokoro_error *err)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    const double end_s = kk_now_s() + START_LIMIT_S;
    int state = 0;
    while (!kk_stream_server_is_well(&server->target)) {
        if (kk_watch_stopped(watch))
            return kk_fail(err, KOKORO_CANCELLED, "stopped");
        if (waitpid(server->pid, &state, WNOHANG) == server->pid) {
            server->pid = 0;
            return kk_fail(err, KOKORO_IO, "the server for the streams ended at its start");
        }
        if (kk_now_s() > end_s)
            return kk_fail(err, KOKORO_IO, "the server for the streams was not ready within %d s",
                           START_LIMIT_S);
        (void)nanosleep(&pause, NULL);
    }
    return KOKORO_OK;
}

static int start_server(kk_benchmark_server *server, const kk_app *app, const kk_way *way,
                        kokoro_error *err)
{
    const char *arguments[MAX_ARGUMENTS] = {"kokoro", KK_CHILD_COMMAND, "serve"};
    kk_arena arena = KK_ARENA_INIT;
    int number = ENOMEM;
    server->target = (kk_stream_target){.host = "127.0.0.1", .port = free_port()};
    if (server->target.port != 0 && setenv("KOKORO_SKIP_BENCHMARKING", "true", 1) == 0 &&
        fill_arguments(&arena, app, way, server->target.port, arguments))
        number = spawn_server(&server->pid, arguments);
    kk_arena_fini(&arena);
    return number == 0 ? KOKORO_OK
                       : kk_fail(err, KOKORO_IO, "a server for the streams cannot be started: %s",
                                 strerror(number));
}

int kk_benchmark_server_find(kk_benchmark_server *server, const kk_app *app, const kk_way *way,
                             const kk_bench_watch *watch, kokoro_error *err)
{
    const char *host = kk_config_text(&app->config, KK_SET_HOST);
    const bool is_any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    *server =
        (kk_benchmark_server){.target = {.host = is_any ? "127.0.0.1" : host,
                                         .port = (int)kk_config_int(&app->config, KK_SET_PORT)}};
    if (server->target.port != 0 && kk_stream_server_is_well(&server->target))
        return KOKORO_OK;
    int status = start_server(server, app, way, err);
    if (status == KOKORO_OK)
        status = wait_until_well(server, watch, err);
    if (status != KOKORO_OK)
        kk_benchmark_server_end(server);
    return status;
}

void kk_benchmark_server_end(kk_benchmark_server *server)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    const double end_s = kk_now_s() + END_LIMIT_S;
    int state = 0;
    if (server->pid == 0)
        return;
    (void)kill(server->pid, SIGTERM);
    while (waitpid(server->pid, &state, WNOHANG) == 0) {
        if (kk_now_s() > end_s)
            (void)kill(server->pid, SIGKILL);
        (void)nanosleep(&pause, NULL);
    }
    server->pid = 0;
}
