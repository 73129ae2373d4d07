/*
 * blocks.c - see blocks.h. The blocks are read, not mapped: what a file costs is then what was
 * asked for, and a file that is cut short meanwhile is an error, not a signal.
 */
#include "cache/blocks.h"

#include "base/hash.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_SIZE = 4096 };

/* The bytes at `at`, up to a block of them; false: the file does not have them any more. */
static bool read_block(int fd, uint64_t at, unsigned char *block, size_t len)
{
    for (size_t n = 0; n < len;) {
        const ssize_t got = pread(fd, block + n, len - n, (off_t)(at + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    return true;
}

static int read_all(kk_blocks *out, int fd, const char *path, const char *what, kokoro_error *err)
{
    unsigned char block[BLOCK_SIZE];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return kk_fail(err, KOKORO_IO, "cannot read %s %s: %s", what, path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return kk_fail(err, KOKORO_IO, "cannot read %s %s: it is not a regular file", what, path);
    if (st.st_size == 0)
        return kk_fail(err, KOKORO_BAD_DATA, "cannot use %s %s: it is empty", what, path);
    out->size = (uint64_t)st.st_size;
    out->seconds = (uint64_t)st.st_mtim.tv_sec;
    out->nanoseconds = (uint64_t)st.st_mtim.tv_nsec;
    for (size_t i = 0; i < KK_BLOCKS; i++) {
        const uint64_t at = out->size / KK_BLOCKS * i, rest = out->size - at;
        const size_t len = rest < BLOCK_SIZE ? (size_t)rest : BLOCK_SIZE;
        errno = EIO; /* of an end that came too early */
        if (!read_block(fd, at, block, len))
            return kk_fail(err, KOKORO_IO, "cannot read %s %s: %s", what, path, strerror(errno));
        out->hashes[i] = kk_hash(block, len);
    }
    return KOKORO_OK;
}

int kk_blocks_read(kk_blocks *out, const char *path, const char *what, kokoro_error *err)
{
    memset(out, 0, sizeof(*out));
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return kk_fail(err, errno == ENOENT ? KOKORO_NOT_FOUND : KOKORO_IO, "cannot open %s %s: %s",
                       what, path, strerror(errno));
    const int status = read_all(out, fd, path, what, err);
    (void)close(fd);
    return status;
}

uint64_t kk_blocks_hash(const kk_blocks *blocks)
{
    uint64_t all[KK_BLOCKS + 1];
    all[0] = blocks->size;
    memcpy(all + 1, blocks->hashes, sizeof(blocks->hashes));
    return kk_hash(all, sizeof(all));
}
