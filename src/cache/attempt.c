#include "cache/attempt.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARK_LEN = 16 };

/* No period is longer than 60 days (kk_validity_s): older ones hold nothing back. */
static const double longest_s = 61 * 86400.0;

static void name_of(const kk_fingerprint *fingerprint, char name[MARK_LEN + 1])
{
    uint64_t hash = 0;
#define KK_X(field, text)                                                                          \
    hash = hash * 31 + kk_hash(fingerprint->field, strlen(fingerprint->field));
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    (void)snprintf(name, MARK_LEN + 1, "%016llx", (unsigned long long)hash);
}

/* The directory of the attempts, or -1 and errno. Step by step, since a link on the way would lead
 * out of the cache; `makes` it where it is not there. */
static int open_attempts(const char *cache_dir, bool makes)
{
    static const char *const steps[] = {KK_ATTEMPTS_PARENT, KK_ATTEMPTS_NAME};
    if (makes)
        (void)kk_make_dirs(cache_dir, NULL);
    int fd = open(cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && fd >= 0; i++) {
        if (makes)
            (void)mkdirat(fd, steps[i], 0777);
        const int next = openat(fd, steps[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const int number = errno;
        (void)close(fd);
        errno = number;
        fd = next;
    }
    return fd;
}

/* O_CREAT among the flags makes a file that is not there. */
static bool date(int dir, const char *name, int flags, double now_s)
{
    const struct timespec now = {.tv_sec = (time_t)now_s}, both[2] = {now, now};
    const int fd =
        openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, 0644);
    const bool is_dated = fd >= 0 && futimens(fd, both) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_dated;
}

double kk_attempt_read(const char *cache_dir, const kk_fingerprint *fingerprint, double now_s)
{
    static const double slack_s = 60.0; /* by which clocks are set right all the time */
    struct stat st;
    double tried_s = 0.0;
    char name[MARK_LEN + 1];
    const int dir = open_attempts(cache_dir, false);
    name_of(fingerprint, name);
    if (dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
        tried_s = fmin((double)st.st_mtim.tv_sec, now_s);
        if ((double)st.st_mtim.tv_sec > now_s + slack_s && !date(dir, name, 0, now_s))
            tried_s = 0.0;
    }
    if (dir >= 0)
        (void)close(dir);
    return tried_s;
}

/* Remove the attempts that were made before `until_s`; 0 or an errno. */
static int sweep(const char *cache_dir, double until_s)
{
    int number = 0;
    const int fd = open_attempts(cache_dir, false);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    if (dir == NULL) {
        number = errno;
        if (fd >= 0)
            (void)close(fd);
    }
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct stat st;
        if (strlen(entry->d_name) != MARK_LEN ||
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            (double)st.st_mtim.tv_sec >= until_s)
            continue;
        if (unlinkat(fd, entry->d_name, 0) != 0 && errno != ENOENT)
            number = errno;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return number;
}

bool kk_attempt_note(const char *cache_dir, const kk_fingerprint *fingerprint, double now_s)
{
    char name[MARK_LEN + 1];
    const int dir = open_attempts(cache_dir, true);
    name_of(fingerprint, name);
    const bool is_noted = dir >= 0 && date(dir, name, O_CREAT, now_s);
    if (dir >= 0)
        (void)close(dir);
    (void)sweep(cache_dir, now_s - longest_s);
    return is_noted;
}

void kk_attempt_forget(const char *cache_dir, const kk_fingerprint *fingerprint)
{
    char name[MARK_LEN + 1];
    const int dir = open_attempts(cache_dir, false);
    name_of(fingerprint, name);
    if (dir >= 0) {
        (void)unlinkat(dir, name, 0);
        (void)close(dir);
    }
}

int kk_attempts_clear(const char *cache_dir, kokoro_error *err)
{
    const int number = sweep(cache_dir, (double)INFINITY);
    if (number == 0 || number == ENOENT || number == ENOTDIR || number == ELOOP)
        return KOKORO_OK;
    return kk_fail(err, KOKORO_IO, "cannot clear %s/" KK_ATTEMPTS ": %s", cache_dir,
                   strerror(number));
}
