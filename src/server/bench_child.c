#define _GNU_SOURCE /* posix_spawn_file_actions_addclosefrom_np */
/*
 * bench_child.c - posix_spawn of this program, its signals and its progress lines:
 *
 *     {"percent": 41.5, "left_s": 12.3, "step": "native bf16, 2 threads: medium"}
 */
#include "server/bench_child.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 8 + 2 * KK_N_SETTINGS, LOWEST_PRIORITY = 19, MAX_LINE = 4096 };

/* Which way is used is what the benchmark is to find out. */
static const char *const set_aside[] = {"KOKORO_PROVIDER=auto", "KOKORO_PRECISION=auto"};
enum { N_SET_ASIDE = sizeof(set_aside) / sizeof(set_aside[0]) };

static bool is_set_aside(const char *assignment)
{
    for (size_t i = 0; i < N_SET_ASIDE; i++) {
        size_t len = strcspn(set_aside[i], "=") + 1;
        if (strncmp(assignment, set_aside[i], len) == 0)
            return true;
    }
    return false;
}

/* The environment with those set aside; freed by the caller. NULL when memory is out. */
static char **make_environment(void)
{
    size_t n = 0, kept = 0;
    while (environ[n] != NULL)
        n++;
    char **environment = kk_calloc(n + N_SET_ASIDE + 1, sizeof(*environment));
    if (environment == NULL)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (!is_set_aside(environ[i]))
            environment[kept++] = environ[i];
    }
    for (size_t i = 0; i < N_SET_ASIDE; i++)
        environment[kept++] = (char *)(uintptr_t)set_aside[i];
    return environment;
}

static int spawn(pid_t *pid, const char *program, char **arguments, char **environment, int fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGTERM);
    (void)sigaddset(&defaults, SIGINT);
    (void)sigaddset(&defaults, SIGPIPE);
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed == 0) {
        failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        if (failed == 0)
            failed = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        if (failed == 0)
            failed = posix_spawn_file_actions_adddup2(&actions, fd, 2);
        if (failed == 0)
            failed = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        if (failed == 0)
            failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                                               POSIX_SPAWN_SETSIGMASK |
                                                               POSIX_SPAWN_SETSIGDEF);
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
        if (failed == 0)
            failed = posix_spawn(pid, program, &actions, &attributes, arguments, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

int kk_bench_child_start(kk_bench_child *child, const kk_config *config, const char *mode,
                         const char *output_file, kokoro_error *err)
{
    char program[PATH_MAX];
    /* One provider that fails must not keep the others from being compared. */
    char *arguments[MAX_ARGUMENTS] = {program, "benchmark", "--progress-json",
                                      "--continue-on-error", NULL};
    /* What else was set on the server's command line; the rest the child finds as the server did.
     */
    static const enum kk_setting_id left_out[] = {KK_SET_PROVIDER, KK_SET_PRECISION, KK_SET_HOST,
                                                  KK_SET_PORT};
    char output_option[] = "--output-file", quick_option[] = "--quick";
    kk_arena arena = KK_ARENA_INIT;
    int fds[2] = {-1, -1}, failed = ENOMEM;
    size_t n = 4;
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    *child = (kk_bench_child){.progress_fd = -1, .line = KK_BUF_INIT, .left_s = -1.0};
    if (len <= 0)
        return kk_fail(err, KOKORO_IO, "this program cannot be found: %s", strerror(errno));
    program[len] = '\0';
    arguments[n++] = output_option;
    arguments[n++] = (char *)(uintptr_t)output_file;
    if (strcmp(mode, "quick") == 0)
        arguments[n++] = quick_option;
    char **environment = make_environment();
    int status = kk_config_arguments(config, left_out, sizeof(left_out) / sizeof(left_out[0]),
                                     &arena, arguments, &n);
    if (environment != NULL && status == KOKORO_OK && pipe2(fds, O_CLOEXEC) == 0) {
        (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
        arguments[n] = NULL;
        failed = spawn(&child->pid, program, arguments, environment, fds[1]);
        (void)close(fds[1]);
    }
    kk_free(environment);
    kk_arena_fini(&arena);
    if (failed != 0) {
        child->pid = 0;
        if (fds[0] >= 0)
            (void)close(fds[0]);
        return kk_fail(err, KOKORO_IO, "the benchmark cannot be started: %s", strerror(failed));
    }
    child->progress_fd = fds[0];
    (void)setpriority(PRIO_PGRP, (id_t)child->pid, LOWEST_PRIORITY);
    return KOKORO_OK;
}

static void take_line(kk_bench_child *child, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    if (!json_is_object(object)) {
        (void)snprintf(child->last, sizeof(child->last), "%s", line);
    } else {
        const json_t *left = json_object_get(object, "left_s");
        const char *step = json_string_value(json_object_get(object, "step"));
        child->percent = json_number_value(json_object_get(object, "percent"));
        child->left_s = json_is_number(left) ? json_number_value(left) : -1.0;
        (void)snprintf(child->step, sizeof(child->step), "%s", step != NULL ? step : "");
    }
    json_decref(object);
}

void kk_bench_child_read(kk_bench_child *child)
{
    char bytes[1024];
    ssize_t len;
    while (child->progress_fd >= 0 && (len = read(child->progress_fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            if (bytes[i] != '\n') {
                if (child->line.len < MAX_LINE)
                    kk_buf_append_char(&child->line, bytes[i]);
                continue;
            }
            if (!child->line.failed && child->line.len > 0)
                take_line(child, kk_buf_str(&child->line));
            kk_buf_fini(&child->line);
        }
    }
}

static void forget(kk_bench_child *child)
{
    if (child->progress_fd >= 0)
        (void)close(child->progress_fd);
    child->progress_fd = -1;
    kk_buf_fini(&child->line);
    child->pid = 0;
}

bool kk_bench_child_has_ended(kk_bench_child *child, int *exit_status)
{
    int how = 0;
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0)
        return false;
    kk_bench_child_read(child);
    /* Its own children end with it. While it is not reaped, its number is not another's. */
    (void)kill(-child->pid, SIGKILL);
    pid_t pid = waitpid(child->pid, &how, 0);
    *exit_status = pid < 0            ? 1
                   : WIFEXITED(how)   ? WEXITSTATUS(how)
                   : WIFSIGNALED(how) ? 128 + WTERMSIG(how)
                                      : 1;
    forget(child);
    return true;
}

void kk_bench_child_stop(const kk_bench_child *child)
{
    if (child->pid > 0)
        (void)kill(-child->pid, SIGSTOP);
}

void kk_bench_child_go_on(const kk_bench_child *child)
{
    if (child->pid > 0)
        (void)kill(-child->pid, SIGCONT);
}

void kk_bench_child_kill(const kk_bench_child *child)
{
    if (child->pid > 0)
        (void)kill(-child->pid, SIGKILL);
}

void kk_bench_child_end(kk_bench_child *child)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int exit_status;
    if (child->pid <= 0)
        return;
    (void)kill(-child->pid, SIGTERM);
    (void)kill(-child->pid, SIGCONT);
    double end_s = kk_now_s() + 2.0;
    while (!kk_bench_child_has_ended(child, &exit_status)) {
        if (kk_now_s() > end_s)
            (void)kill(-child->pid, SIGKILL);
        (void)nanosleep(&pause, NULL);
    }
}
