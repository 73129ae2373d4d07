/*
 * spawn.h - starting another program: the one way to do it. POSIX.
 *
 *     kk_spawn spawn = {.program = path, .arguments = arguments,
 *                       .fds = {pipe_end, KK_SPAWN_NUL, KK_SPAWN_KEEP, KK_SPAWN_KEEP}};
 *     number = kk_spawn_start(&pid, &spawn);
 *
 * The child blocks no signal, SIGPIPE ends it, and descriptors that are closed on exec are not its.
 */
#ifndef KK_BASE_SPAWN_H
#define KK_BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Instead of a descriptor: as it is in this process, or /dev/null. */
enum { KK_SPAWN_KEEP = -1, KK_SPAWN_NUL = -2, KK_SPAWN_N_FDS = 4 };

typedef struct kk_spawn {
    const char *program;            /* a path; a name where searches_path */
    const char *const *arguments;   /* ended by NULL, the program's name first */
    const char *const *environment; /* "NAME=value", ended by NULL; NULL: that of this process */
    int fds[KK_SPAWN_N_FDS];        /* what becomes the child's descriptors 0, 1, 2 and 3; a source
                                       must not stand where an earlier one goes to */
    bool searches_path;             /* in PATH */
    bool own_group;                 /* a process group of its own: Ctrl-C at the terminal and who
                                       stops our group do not reach it */
    bool default_signals;           /* SIGINT, SIGQUIT and SIGTERM do what they do by default, also
                                       where this process ignores them */
    bool closes_rest;               /* descriptors above those named, where the system can */
    int niceness;                   /* 0: as this process; up to 19, the lowest priority; of the
                                       group where it has its own */
} kk_spawn;

/* 0 or an errno: also that the program is not there or cannot be run. */
int kk_spawn_start(pid_t *pid, const kk_spawn *spawn);

/* A pipe closed on exec, from ends[1] to ends[0]; 0 or an errno, and then both are -1. */
int kk_spawn_pipe(int ends[2]);

/* Close *fd where it is a descriptor, and make it -1. */
void kk_spawn_close(int *fd);

/*
 * The environment of this process in which the `n` assignments "NAME=value" replace what their
 * names had. Free the array with kk_free; the texts belong to the environment and the caller. NULL
 * when memory is out.
 */
const char **kk_spawn_environment(const char *const *assignments, size_t n);

#endif
