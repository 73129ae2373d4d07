/*
 * guard.c - whether a directory may be cleaned at all. A cache directory is set by hand: a slip
 * must not cost more than a message.
 */
#define _DEFAULT_SOURCE
#include "cache/sorting.h"

#include "base/status.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories of the system, and below the home directory those of all programs. */
static const char *const system_places[] = {"/bin",
                                            "/boot",
                                            "/dev",
                                            "/dev/shm",
                                            "/etc",
                                            "/home",
                                            "/lib",
                                            "/mnt",
                                            "/opt",
                                            "/proc",
                                            "/root",
                                            "/run",
                                            "/sbin",
                                            "/srv",
                                            "/sys",
                                            "/tmp",
                                            "/usr",
                                            "/usr/bin",
                                            "/usr/lib",
                                            "/usr/local",
                                            "/usr/local/bin",
                                            "/usr/local/lib",
                                            "/usr/local/share",
                                            "/usr/share",
                                            "/var/cache",
                                            "/var/lib",
                                            "/var/log",
                                            "/var/run",
                                            "/var/spool",
                                            "/var/tmp"};
static const char *const home_places[] = {
    "",         ".cache", ".config",   ".local/share", ".local/state", ".local/bin",
    ".ssh",     ".gnupg", "Desktop",   "Documents",    "Downloads",    "Music",
    "Pictures", "Public", "Templates", "Videos"};

/* Whether `place` is `dir` or lies in it; one that does not exist does not. */
static bool lies_in(const char *place, const char *dir)
{
    char real[PATH_MAX];
    const size_t len = strlen(dir);
    if (place == NULL || place[0] == '\0' || realpath(place, real) == NULL)
        return false;
    return strcmp(dir, "/") == 0 ||
           (strncmp(real, dir, len) == 0 && (real[len] == '\0' || real[len] == '/'));
}

static int refuse(const char *dir, const char *place, kokoro_error *err)
{
    char real[PATH_MAX];
    if (realpath(place, real) != NULL && strcmp(real, dir) == 0)
        return kk_fail(err, KOKORO_INVALID,
                       "%.300s is not cleaned up, because it is no cache; set KOKORO_CACHE to a "
                       "directory of its own",
                       dir);
    return kk_fail(err, KOKORO_INVALID,
                   "%.160s is not cleaned up, because %.160s lies there, which is no cache; set "
                   "KOKORO_CACHE to a directory of its own",
                   dir, place);
}

static int guard_home(const char *dir, const char *home, kokoro_error *err)
{
    for (size_t i = 0; i < sizeof(home_places) / sizeof(home_places[0]); i++) {
        char place[PATH_MAX];
        if (home == NULL || home[0] != '/' ||
            snprintf(place, sizeof(place), "%s/%s", home, home_places[i]) >= (int)sizeof(place))
            continue;
        if (lies_in(place, dir))
            return refuse(dir, place, err);
    }
    return KOKORO_OK;
}

int kk_guard_dir(const kk_cleanup_rules *rules, const char *real_dir, kokoro_error *err)
{
    for (size_t i = 0; i < sizeof(system_places) / sizeof(system_places[0]); i++) {
        if (lies_in(system_places[i], real_dir))
            return refuse(real_dir, system_places[i], err);
    }
    for (size_t i = 0; i < rules->n_foreign; i++) {
        if (lies_in(rules->foreign[i], real_dir))
            return refuse(real_dir, rules->foreign[i], err);
    }
    int status = guard_home(real_dir, getenv("HOME"), err);
    char buffer[4096];
    struct passwd entry, *found = NULL;
    if (status == KOKORO_OK && getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) == 0 &&
        found != NULL)
        status = guard_home(real_dir, found->pw_dir, err);
    return status;
}
