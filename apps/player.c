/*
 * player.c - finds and runs a player, which reads a WAV from a pipe.
 */
#include "player.h"

#include "base/spawn.h"
#include "base/status.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static const char *const *arguments_of(const char *name)
{
    size_t i = 0;
    while (i + 1 < N_PLAYERS && strcmp(players[i][0], name) != 0)
        i++;
    return players[i];
}

int kk_player_start(const char *name, pid_t *pid, int *fd, kokoro_error *err)
{
    int ends[2];
    int number = kk_spawn_pipe(ends);
    if (number == 0) {
        const kk_spawn spawn = {.program = name,
                                .arguments = arguments_of(name),
                                .fds = {ends[0], KK_SPAWN_NUL, KK_SPAWN_KEEP, KK_SPAWN_KEEP},
                                .searches_path = true};
        number = kk_spawn_start(pid, &spawn);
    }
    kk_spawn_close(&ends[0]);
    if (number != 0) {
        kk_spawn_close(&ends[1]);
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
