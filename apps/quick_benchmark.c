/*
 * quick_benchmark.c - a child of its own, since a benchmark measures its process: it should start
 * as small as any. It belongs to the terminal like this program, and Ctrl-C is for it to handle.
 */
#include "quick_benchmark.h"

#include "base/alloc.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_ARGUMENTS = 4 + KK_N_SETTINGS };

static int spawn(pid_t *pid, char **arguments, bool is_quiet)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGINT);
    (void)sigaddset(&defaults, SIGQUIT);
    (void)sigaddset(&defaults, SIGPIPE);
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed == 0) {
        if (is_quiet)
            failed = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        if (failed == 0)
            failed = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
        if (failed == 0)
            failed = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, arguments, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return KK_EXIT_FAILED;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return KK_EXIT_OK;
    if (WIFSIGNALED(status))
        kk_complain("the benchmark was ended by signal %d", WTERMSIG(status));
    else
        kk_complain("the benchmark failed");
    return KK_EXIT_FAILED;
}

int kk_app_quick_benchmark(const kk_app *app, bool is_quiet)
{
    char *arguments[MAX_ARGUMENTS] = {"kokoro", "benchmark", "--quick", NULL};
    /* Which way is used is what the benchmark is to find out. */
    static const enum kk_setting_id left_out[] = {KK_SET_PROVIDER, KK_SET_PRECISION};
    kk_arena arena = KK_ARENA_INIT;
    size_t n = 3;
    pid_t pid;
    int status = KK_EXIT_FAILED, failed = ENOMEM;
    if (setenv("KOKORO_PROVIDER", "auto", 1) == 0 && setenv("KOKORO_PRECISION", "auto", 1) == 0 &&
        kk_config_arguments(&app->config, left_out, 2, &arena, arguments, &n) == KOKORO_OK) {
        (void)fflush(stdout);
        struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
        (void)sigaction(SIGINT, &ignore, &before);
        failed = spawn(&pid, arguments, is_quiet);
        if (failed == 0)
            status = wait_for(pid);
        (void)sigaction(SIGINT, &before, NULL);
    }
    if (failed != 0)
        kk_complain("the benchmark cannot be started: %s", strerror(failed));
    kk_arena_fini(&arena);
    return status;
}
