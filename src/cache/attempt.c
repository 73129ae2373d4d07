#include "cache/attempt.h"

#include "base/alloc.h"
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

static char *path_of(const char *cache_dir, const kk_fingerprint *fingerprint)
{
    char name[sizeof(KK_ATTEMPTS) + 1 + MARK_LEN];
    uint64_t hash = 0;
#define KK_X(field, text)                                                                          \
    hash = hash * 31 + kk_hash(fingerprint->field, strlen(fingerprint->field));
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    (void)snprintf(name, sizeof(name), KK_ATTEMPTS "/%016llx", (unsigned long long)hash);
    return kk_path_join(cache_dir, name);
}

/* O_CREAT among the flags makes a file that is not there. */
static bool date(const char *path, int flags, double now_s)
{
    const struct timespec now = {.tv_sec = (time_t)now_s}, both[2] = {now, now};
    const int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0644);
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
    char *path = path_of(cache_dir, fingerprint);
    if (path != NULL && lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        tried_s = fmin((double)st.st_mtim.tv_sec, now_s);
        if ((double)st.st_mtim.tv_sec > now_s + slack_s && !date(path, 0, now_s))
            tried_s = 0.0;
    }
    kk_free(path);
    return tried_s;
}

/* Remove the attempts that were made before `until_s`; 0 or an errno. */
static int sweep(const char *cache_dir, double until_s)
{
    int number = 0;
    char *path = kk_path_join(cache_dir, KK_ATTEMPTS);
    const int fd = path != NULL ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    if (dir == NULL) {
        number = path == NULL ? ENOMEM : errno;
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
    kk_free(path);
    return number;
}

bool kk_attempt_note(const char *cache_dir, const kk_fingerprint *fingerprint, double now_s)
{
    char *path = path_of(cache_dir, fingerprint);
    char *slash = path != NULL ? strrchr(path, '/') : NULL;
    bool is_noted = false;
    if (slash != NULL) {
        *slash = '\0';
        (void)kk_make_dirs(path, NULL);
        *slash = '/';
        is_noted = date(path, O_CREAT, now_s);
    }
    kk_free(path);
    (void)sweep(cache_dir, now_s - longest_s);
    return is_noted;
}

void kk_attempt_forget(const char *cache_dir, const kk_fingerprint *fingerprint)
{
    char *path = path_of(cache_dir, fingerprint);
    if (path != NULL)
        (void)unlink(path);
    kk_free(path);
}

int kk_attempts_clear(const char *cache_dir, kokoro_error *err)
{
    const int number = sweep(cache_dir, (double)INFINITY);
    if (number == 0 || number == ENOENT || number == ENOTDIR)
        return KOKORO_OK;
    if (number == ENOMEM)
        return kk_fail_memory(err);
    return kk_fail(err, KOKORO_IO, "cannot clear %s/" KK_ATTEMPTS ": %s", cache_dir,
                   strerror(number));
}
