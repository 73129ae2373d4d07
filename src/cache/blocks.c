/* blocks.c - see blocks.h. */
#include "cache/blocks.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK_SIZE = 4096 };

int kk_blocks_read(kk_blocks *out, const char *path, const char *what, kokoro_error *err)
{
    memset(out, 0, sizeof(*out));
    struct stat st;
    if (stat(path, &st) != 0)
        return kk_fail(err, errno == ENOENT ? KOKORO_NOT_FOUND : KOKORO_IO, "cannot open %s %s: %s",
                       what, path, strerror(errno));
    kk_map map;
    int status = kk_map_open(&map, path, what, err);
    if (status != KOKORO_OK)
        return status;
    out->size = (uint64_t)map.len;
    out->seconds = (uint64_t)st.st_mtim.tv_sec;
    out->nanoseconds = (uint64_t)st.st_mtim.tv_nsec;
    for (size_t i = 0; i < KK_BLOCKS; i++) {
        size_t at = map.len / KK_BLOCKS * i;
        size_t len = map.len - at < BLOCK_SIZE ? map.len - at : BLOCK_SIZE;
        out->hashes[i] = kk_hash(map.data + at, len);
    }
    kk_map_close(&map);
    return KOKORO_OK;
}

uint64_t kk_blocks_hash(const kk_blocks *blocks)
{
    uint64_t all[KK_BLOCKS + 1];
    all[0] = blocks->size;
    memcpy(all + 1, blocks->hashes, sizeof(blocks->hashes));
    return kk_hash(all, sizeof(all));
}
