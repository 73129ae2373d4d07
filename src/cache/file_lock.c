#define _GNU_SOURCE /* flock */
#include "cache/file_lock.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Who asks for the holder has the file for a moment too (see kk_file_lock_holder). */
static const double least_patience_s = 0.05;

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Whether the file at the path is still the one that is open. */
static bool is_same_file(int fd, const char *path)
{
    struct stat open_file, named;
    return fstat(fd, &open_file) == 0 && stat(path, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

static void write_number(int fd)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0)
        (void)kk_write_all(fd, text, (size_t)len);
}

int kk_file_lock_take(int *fd, const char *path, double patience_s, kokoro_error *err)
{
    const double until_s =
        kk_now_s() + (patience_s > least_patience_s ? patience_s : least_patience_s);
    *fd = -1;
    for (;;) {
        int file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (file < 0)
            return kk_fail(err, KOKORO_IO, "cannot open the lock %s: %s", path, strerror(errno));
        if (flock(file, LOCK_EX | LOCK_NB) == 0) {
            if (is_same_file(file, path)) {
                write_number(file);
                *fd = file;
                return KOKORO_OK;
            }
        } else if (errno != EWOULDBLOCK && errno != EINTR) {
            int number = errno;
            (void)close(file);
            return kk_fail(err, KOKORO_IO, "cannot lock %s: %s", path, strerror(number));
        }
        (void)close(file);
        if (kk_now_s() >= until_s)
            return kk_fail(err, KOKORO_BUSY, "process %d holds %s", kk_file_lock_holder(path),
                           path);
        pause_ms(5);
    }
}

void kk_file_lock_give(int *fd)
{
    if (*fd < 0)
        return;
    if (ftruncate(*fd, 0) != 0) {
        /* The number that stays says nothing once the lock is free. */
    }
    (void)close(*fd);
    *fd = -1;
}

static int read_number(int fd)
{
    char text[24] = "";
    int number = 0;
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    if (n > 0 && sscanf(text, "%d", &number) != 1)
        number = 0;
    return number > 0 ? number : 0;
}

int kk_file_lock_holder(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return 0;
    int holder = 0;
    /* The holder writes its number just after it has the lock. */
    for (int i = 0; holder <= 0 && i < 10; i++) {
        if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
            holder = 0;
            break;
        }
        holder = read_number(fd);
        if (holder == 0) {
            holder = -1;
            pause_ms(5);
        }
    }
    (void)close(fd);
    return holder;
}
