/*
 * spool.c - see spool.h. 16 MB are almost six minutes of speech.
 */
#include "spool.h"

#include "base/file.h"

#include <errno.h>
#include <unistd.h>

enum { MEMORY_LIMIT = 16 << 20 };

void kk_spool_init(kk_spool *spool)
{
    *spool = (kk_spool){.memory = KK_BUF_INIT, .fd = -1};
}

static int move_to_file(kk_spool *spool)
{
    spool->fd = kk_file_unnamed();
    if (spool->fd < 0)
        return errno;
    int number = kk_write_all(spool->fd, spool->memory.data, spool->memory.len);
    kk_buf_fini(&spool->memory);
    return number;
}

int kk_spool_add(kk_spool *spool, const void *data, size_t len)
{
    if (spool->fd < 0 && spool->memory.len + len > MEMORY_LIMIT) {
        int number = move_to_file(spool);
        if (number != 0)
            return number;
    }
    if (spool->fd >= 0)
        return kk_write_all(spool->fd, data, len);
    kk_buf_append(&spool->memory, data, len);
    return spool->memory.failed ? ENOMEM : 0;
}

int kk_spool_drain(kk_spool *spool, size_t skip, int fd)
{
    if (spool->fd < 0 && spool->memory.len <= skip)
        return 0;
    if (spool->fd < 0)
        return kk_write_all(fd, spool->memory.data + skip, spool->memory.len - skip);
    if (lseek(spool->fd, (off_t)skip, SEEK_SET) < 0)
        return errno;
    for (;;) {
        char block[65536];
        ssize_t n = read(spool->fd, block, sizeof(block));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        int number = kk_write_all(fd, block, (size_t)n);
        if (number != 0)
            return number;
    }
}

void kk_spool_fini(kk_spool *spool)
{
    kk_buf_fini(&spool->memory);
    if (spool->fd >= 0)
        (void)close(spool->fd);
    kk_spool_init(spool);
}
