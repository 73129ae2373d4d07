#define _GNU_SOURCE /* madvise */
#include "base/file.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno(kokoro_error *err, int number, const char *verb, const char *what,
                      const char *path)
{
    int status = number == ENOENT ? KOKORO_NOT_FOUND : KOKORO_IO;
    return kk_fail(err, status, "cannot %s %s %s: %s", verb, what, path, strerror(number));
}

static int64_t nanoseconds(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static kk_file_id id_of(const struct stat *st)
{
    return (kk_file_id){.device = (uint64_t)st->st_dev,
                        .inode = (uint64_t)st->st_ino,
                        .size = (uint64_t)st->st_size,
                        .modified_ns = nanoseconds(&st->st_mtim),
                        .changed_ns = nanoseconds(&st->st_ctim)};
}

void kk_file_identify(kk_file_id *id, const char *path)
{
    struct stat st;
    *id = stat(path, &st) == 0 ? id_of(&st) : (kk_file_id){.inode = 0};
}

bool kk_file_id_equal(const kk_file_id *a, const kk_file_id *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

bool kk_file_id_is_settled(const kk_file_id *id)
{
    const int64_t now_ns = (int64_t)(1e9 * kk_wall_s()), moment_ns = 100 * 1000 * 1000;
    return id->changed_ns < now_ns - moment_ns || id->changed_ns > now_ns + moment_ns;
}

int kk_map_open(kk_map *map, const char *path, const char *what, kokoro_error *err)
{
    *map = (kk_map){.data = NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, errno, "open", what, path);
    struct stat st;
    int status = KOKORO_OK;
    if (fstat(fd, &st) != 0) {
        status = fail_errno(err, errno, "read", what, path);
    } else if (!S_ISREG(st.st_mode)) {
        status = kk_fail(err, KOKORO_IO, "cannot read %s %s: it is not a regular file", what, path);
    } else if (st.st_size == 0) {
        status = kk_fail(err, KOKORO_BAD_DATA, "cannot use %s %s: it is empty", what, path);
    } else {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            status = fail_errno(err, errno, "map", what, path);
        else
            *map = (kk_map){data, (size_t)st.st_size, id_of(&st)};
    }
    (void)close(fd);
    return status;
}

void kk_map_close(kk_map *map)
{
    if (map->data != NULL)
        (void)munmap((void *)(uintptr_t)map->data, map->len);
    *map = (kk_map){.data = NULL};
}

void kk_map_forget(const kk_map *map, size_t from, size_t to)
{
    const size_t page = 4096; /* or a multiple; madvise refuses what is not aligned */
    from = (from + page - 1) / page * page;
    to = to < map->len ? to / page * page : map->len;
    if (map->data != NULL && to > from)
        (void)madvise((void *)((uintptr_t)map->data + from), to - from, MADV_DONTNEED);
}

void kk_map_ask_huge(const kk_map *map)
{
#if defined(MADV_HUGEPAGE)
    if (map->data != NULL)
        (void)madvise((void *)(uintptr_t)map->data, map->len, MADV_HUGEPAGE);
#else
    (void)map;
#endif
}

int kk_file_read(kk_buf *buf, const char *path, size_t limit, kokoro_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, errno, "open", "file", path);
    int status = KOKORO_OK;
    size_t total = 0;
    for (;;) {
        char block[16384];
        ssize_t n = read(fd, block, sizeof(block));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = fail_errno(err, errno, "read", "file", path);
        if (n <= 0)
            break;
        total += (size_t)n;
        if (total > limit) {
            status = kk_fail(err, KOKORO_TOO_LONG, "file %s is larger than %zu bytes", path, limit);
            break;
        }
        kk_buf_append(buf, block, (size_t)n);
    }
    (void)close(fd);
    if (status == KOKORO_OK && buf->failed)
        status = kk_fail_memory(err);
    return status;
}

int kk_write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

char *kk_temp_path(const char *path)
{
    static atomic_uint serial;
    kk_buf name = KK_BUF_INIT;
    kk_buf_appendf(&name, "%s.%ld.%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1));
    if (name.failed)
        kk_buf_fini(&name);
    return name.data;
}

static void writer_fini(kk_writer *writer)
{
    kk_free(writer->path);
    kk_free(writer->temp_path);
    *writer = (kk_writer){.fd = -1};
}

int kk_writer_open(kk_writer *writer, const char *path, kokoro_error *err)
{
    *writer = (kk_writer){.fd = -1, .path = kk_strdup(path), .temp_path = kk_temp_path(path)};
    int status = KOKORO_OK;
    if (writer->path == NULL || writer->temp_path == NULL)
        status = kk_fail_memory(err);
    else if ((writer->fd = open(writer->temp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) <
             0)
        status = fail_errno(err, errno, "create", "file", path);
    if (status != KOKORO_OK)
        writer_fini(writer);
    return status;
}

void kk_writer_write(kk_writer *writer, const void *data, size_t len)
{
    if (writer->saved_errno != 0)
        return;
    writer->saved_errno = kk_write_all(writer->fd, data, len);
    writer->written += len;
}

void kk_writer_rewrite(kk_writer *writer, uint64_t offset, const void *data, size_t len)
{
    if (writer->saved_errno != 0)
        return;
    ssize_t n = pwrite(writer->fd, data, len, (off_t)offset);
    if (n < 0 || (size_t)n != len)
        writer->saved_errno = n < 0 ? errno : EIO;
}

int kk_writer_commit(kk_writer *writer, kokoro_error *err)
{
    int number = writer->saved_errno;
    if (number == 0 && fsync(writer->fd) != 0 && errno != EINVAL && errno != EROFS)
        number = errno;
    if (close(writer->fd) != 0 && number == 0)
        number = errno;
    if (number == 0 && rename(writer->temp_path, writer->path) != 0)
        number = errno;
    int status = KOKORO_OK;
    if (number != 0) {
        status = kk_fail(err, KOKORO_IO, "cannot write %s: %s", writer->path, strerror(number));
        (void)unlink(writer->temp_path);
    }
    writer_fini(writer);
    return status;
}

void kk_writer_abort(kk_writer *writer)
{
    if (writer->fd < 0)
        return;
    (void)close(writer->fd);
    (void)unlink(writer->temp_path);
    writer_fini(writer);
}

int kk_make_dirs(const char *path, kokoro_error *err)
{
    char *part = kk_strdup(path);
    if (part == NULL)
        return kk_fail_memory(err);
    int number = 0;
    for (char *at = part + 1; number == 0; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            number = errno;
        *at = end;
        if (end == '\0')
            break;
    }
    struct stat st;
    if (number == 0 && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        number = ENOTDIR;
    kk_free(part);
    if (number != 0)
        return kk_fail(err, KOKORO_IO, "cannot make directory %s: %s", path, strerror(number));
    return KOKORO_OK;
}

bool kk_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *kk_path_join(const char *dir, const char *name)
{
    kk_buf buf = KK_BUF_INIT;
    size_t len = strlen(dir);
    kk_buf_appendf(&buf, "%s%s%s", dir, len > 0 && dir[len - 1] == '/' ? "" : "/", name);
    if (buf.failed) {
        kk_buf_fini(&buf);
        return NULL;
    }
    return buf.data;
}

int kk_file_unnamed(void)
{
    const char *dir = getenv("TMPDIR");
    kk_buf path = KK_BUF_INIT;
    kk_buf_appendf(&path, "%s/kokoro-XXXXXX", dir != NULL && dir[0] != '\0' ? dir : "/tmp");
    int fd = path.failed ? -1 : mkstemp(path.data);
    if (path.failed)
        errno = ENOMEM;
    if (fd >= 0) {
        (void)unlink(path.data);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    kk_buf_fini(&path);
    return fd;
}
