#define _GNU_SOURCE /* pipe2, posix_spawn_file_actions_addclosefrom_np */
/* spawn.c - posix_spawn and what it needs around it. See spawn.h. */
#include "base/spawn.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#if !defined(__GLIBC__)
extern char **environ;
#endif

static int add_descriptors(posix_spawn_file_actions_t *files, const kk_spawn *spawn)
{
    int number = 0, last = 2;
    for (int fd = 0; number == 0 && fd < KK_SPAWN_N_FDS; fd++) {
        const int from = spawn->fds[fd];
        if (from == KK_SPAWN_NUL)
            number = posix_spawn_file_actions_addopen(files, fd, "/dev/null",
                                                      fd == 0 ? O_RDONLY : O_WRONLY, 0);
        else if (from != KK_SPAWN_KEEP)
            number = posix_spawn_file_actions_adddup2(files, from, fd);
        last = from != KK_SPAWN_KEEP && fd > last ? fd : last;
    }
#if defined(__GLIBC__)
    if (number == 0 && spawn->closes_rest)
        number = posix_spawn_file_actions_addclosefrom_np(files, last + 1);
#else
    (void)last;
#endif
    return number;
}

static int set_attributes(posix_spawnattr_t *attributes, const kk_spawn *spawn)
{
    sigset_t none, defaults;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    if (spawn->default_signals) {
        (void)sigaddset(&defaults, SIGINT);
        (void)sigaddset(&defaults, SIGQUIT);
        (void)sigaddset(&defaults, SIGTERM);
    }
    if (spawn->own_group)
        flags |= POSIX_SPAWN_SETPGROUP; /* 0, the initial value, makes a new one */
    int number = posix_spawnattr_setsigmask(attributes, &none);
    if (number == 0)
        number = posix_spawnattr_setsigdefault(attributes, &defaults);
    return number == 0 ? posix_spawnattr_setflags(attributes, flags) : number;
}

static int run(pid_t *pid, const kk_spawn *spawn, const posix_spawn_file_actions_t *files,
               const posix_spawnattr_t *attributes)
{
    /* char *const[] is for the sake of old callers: nothing is changed. */
    char *const *arguments = (char *const *)(uintptr_t)spawn->arguments;
    char *const *environment =
        spawn->environment != NULL ? (char *const *)(uintptr_t)spawn->environment : environ;
    return spawn->searches_path
               ? posix_spawnp(pid, spawn->program, files, attributes, arguments, environment)
               : posix_spawn(pid, spawn->program, files, attributes, arguments, environment);
}

int kk_spawn_start(pid_t *pid, const kk_spawn *spawn)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int number = posix_spawn_file_actions_init(&files);
    if (number != 0)
        return number;
    number = posix_spawnattr_init(&attributes);
    if (number == 0) {
        number = add_descriptors(&files, spawn);
        if (number == 0)
            number = set_attributes(&attributes, spawn);
        if (number == 0)
            number = run(pid, spawn, &files, &attributes);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    /* A program that runs at our priority is better than none. */
    if (number == 0 && spawn->niceness > 0)
        (void)setpriority(spawn->own_group ? PRIO_PGRP : PRIO_PROCESS, (id_t)*pid, spawn->niceness);
    return number;
}

int kk_spawn_pipe(int ends[2])
{
    ends[0] = ends[1] = -1;
#if defined(__linux__)
    /* Closed on exec from birth: another thread may start a program meanwhile. */
    if (pipe2(ends, O_CLOEXEC) == 0)
        return 0;
#else
    if (pipe(ends) == 0) {
        (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
        (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
        return 0;
    }
#endif
    const int number = errno;
    ends[0] = ends[1] = -1;
    return number;
}

void kk_spawn_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static bool is_replaced(const char *variable, const char *const *assignments, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strncmp(variable, assignments[i], strcspn(assignments[i], "=") + 1) == 0)
            return true;
    }
    return false;
}

const char **kk_spawn_environment(const char *const *assignments, size_t n)
{
    size_t n_ours = 0, kept = 0;
    while (environ != NULL && environ[n_ours] != NULL)
        n_ours++;
    const char **environment = kk_calloc(n_ours + n + 1, sizeof(*environment));
    if (environment == NULL)
        return NULL;
    for (size_t i = 0; i < n_ours; i++) {
        if (!is_replaced(environ[i], assignments, n))
            environment[kept++] = environ[i];
    }
    for (size_t i = 0; i < n; i++)
        environment[kept++] = assignments[i];
    return environment;
}
