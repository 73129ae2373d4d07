/*
 * player.c - finds and runs a player, which reads a WAV from a pipe.
 */
#include "player.h"

#include "base/status.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_ARGUMENTS = 8 };

static const char *const players[][MAX_ARGUMENTS] = {
    {"pw-play", "-"},
    {"aplay", "-q", "-"},
    {"ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "-i", "-"},
};

enum { N_PLAYERS = sizeof(players) / sizeof(players[0]) };

const char *kk_player_names(void)
{
    return "pw-play, aplay, ffplay";
}

static bool is_in_path(const char *name)
{
    const char *at = getenv("PATH");
    bool found = false;
    while (at != NULL && !found) {
        size_t len = strcspn(at, ":");
        kk_buf path = KK_BUF_INIT;
        struct stat st;
        kk_buf_appendf(&path, "%.*s/%s", (int)len, at, name);
        found = !path.failed && len > 0 && access(kk_buf_str(&path), X_OK) == 0 &&
                stat(kk_buf_str(&path), &st) == 0 && S_ISREG(st.st_mode);
        kk_buf_fini(&path);
        at = at[len] == ':' ? at + len + 1 : NULL;
    }
    return found;
}

const char *kk_player_find(void)
{
    for (size_t i = 0; i < N_PLAYERS; i++) {
        if (is_in_path(players[i][0]))
            return players[i][0];
    }
    return NULL;
}

static char *const *arguments_of(const char *name)
{
    size_t i = 0;
    while (i + 1 < N_PLAYERS && strcmp(players[i][0], name) != 0)
        i++;
    /* posix_spawn takes char *const[] for the sake of old callers and changes nothing. */
    return (char *const *)(uintptr_t)players[i];
}

static int spawn(const char *name, int input, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int number = posix_spawn_file_actions_init(&files);
    if (number != 0)
        return number;
    number = posix_spawnattr_init(&attributes);
    if (number == 0) {
        (void)sigemptyset(&defaults);
        (void)sigaddset(&defaults, SIGPIPE);
        (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        number = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
        if (number == 0)
            number =
                posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (number == 0)
            number = posix_spawnp(pid, name, &files, &attributes, arguments_of(name), environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return number;
}

int kk_player_start(const char *name, pid_t *pid, int *fd, kokoro_error *err)
{
    int ends[2];
    if (pipe(ends) != 0)
        return kk_fail(err, KOKORO_IO, "cannot start the player %s: %s", name, strerror(errno));
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    int number = spawn(name, ends[0], pid);
    (void)close(ends[0]);
    if (number != 0) {
        (void)close(ends[1]);
        return kk_fail(err, KOKORO_IO, "cannot start the player %s: %s", name, strerror(number));
    }
    *fd = ends[1];
    return KOKORO_OK;
}

int kk_player_wait(const char *name, pid_t pid, kokoro_error *err)
{
    int state = 0;
    while (waitpid(pid, &state, 0) < 0) {
        if (errno != EINTR)
            return kk_fail(err, KOKORO_IO, "the player %s is lost: %s", name, strerror(errno));
    }
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return KOKORO_OK;
    if (WIFSIGNALED(state))
        return kk_fail(err, KOKORO_IO, "the player %s was ended by signal %d", name,
                       WTERMSIG(state));
    return kk_fail(err, KOKORO_IO, "the player %s failed with status %d", name, WEXITSTATUS(state));
}
