#include "model/ort/ort_cache.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAYOUT = 1, N_BLOCKS = 64, BLOCK_SIZE = 4096 };

#define TRAILER_MAGIC "KKORT\0\0\1"

typedef struct trailer {
    char magic[8];
    uint64_t len;  /* bytes before the trailer */
    uint64_t hash; /* XXH3-64 of them */
} trailer;

/* What the name of a cached form hangs on. */
typedef struct identity {
    uint64_t size, seconds, nanoseconds, layout;
    uint64_t blocks[N_BLOCKS]; /* hashes */
    char version[32];
} identity;

static int identify(identity *id, const char *model_path, const char *version, kokoro_error *err)
{
    memset(id, 0, sizeof(*id));
    struct stat st;
    if (stat(model_path, &st) != 0)
        return kk_fail(err, errno == ENOENT ? KOKORO_NOT_FOUND : KOKORO_IO,
                       "cannot open model %s: %s", model_path, strerror(errno));
    kk_map map;
    int status = kk_map_open(&map, model_path, "model", err);
    if (status != KOKORO_OK)
        return status;
    id->size = (uint64_t)map.len;
    id->seconds = (uint64_t)st.st_mtim.tv_sec;
    id->nanoseconds = (uint64_t)st.st_mtim.tv_nsec;
    id->layout = LAYOUT;
    strncpy(id->version, version, sizeof(id->version) - 1);
    for (size_t i = 0; i < N_BLOCKS; i++) {
        size_t at = map.len / N_BLOCKS * i;
        size_t len = map.len - at < BLOCK_SIZE ? map.len - at : BLOCK_SIZE;
        id->blocks[i] = kk_hash(map.data + at, len);
    }
    kk_map_close(&map);
    return KOKORO_OK;
}

int kk_ort_cache_path(char **out, const char *cache_dir, const char *model_path,
                      const char *version, kokoro_error *err)
{
    *out = NULL;
    identity id;
    int status = identify(&id, model_path, version, err);
    if (status != KOKORO_OK)
        return status;
    kk_buf path = KK_BUF_INIT;
    kk_buf_appendf(&path, "%s/ort", cache_dir);
    if (!path.failed)
        status = kk_make_dirs(path.data, err);
    kk_buf_appendf(&path, "/%016llx.ort", (unsigned long long)kk_hash(&id, sizeof(id)));
    if (path.failed)
        status = kk_fail_memory(err);
    if (status != KOKORO_OK)
        kk_buf_fini(&path);
    *out = path.data;
    return status;
}

int kk_ort_cache_open(kk_map *map, size_t *len, const char *path, kokoro_error *err)
{
    int status = kk_map_open(map, path, "cached model", err);
    if (status != KOKORO_OK)
        return status;
    trailer end;
    bool is_whole = map->len > sizeof(end);
    if (is_whole) {
        memcpy(&end, map->data + map->len - sizeof(end), sizeof(end));
        *len = map->len - sizeof(end);
        is_whole = memcmp(end.magic, TRAILER_MAGIC, sizeof(end.magic)) == 0 && end.len == *len &&
                   end.hash == kk_hash(map->data, *len);
    }
    if (is_whole)
        return KOKORO_OK;
    kk_map_close(map);
    return kk_fail(err, KOKORO_BAD_DATA, "the cached model %s is damaged", path);
}

static int seal(const char *temp_path, kokoro_error *err)
{
    kk_map map;
    int status = kk_map_open(&map, temp_path, "cached model", err);
    if (status != KOKORO_OK)
        return status;
    trailer end = {.len = (uint64_t)map.len, .hash = kk_hash(map.data, map.len)};
    memcpy(end.magic, TRAILER_MAGIC, sizeof(end.magic));
    kk_map_close(&map);
    int fd = open(temp_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    int number = fd < 0 ? errno : kk_write_all(fd, &end, sizeof(end));
    if (number == 0 && fsync(fd) != 0)
        number = errno;
    if (fd >= 0 && close(fd) != 0 && number == 0)
        number = errno;
    if (number != 0)
        return kk_fail(err, KOKORO_IO, "cannot write the cached model %s: %s", temp_path,
                       strerror(number));
    return KOKORO_OK;
}

int kk_ort_cache_commit(const char *temp_path, const char *path, kokoro_error *err)
{
    int status = seal(temp_path, err);
    if (status == KOKORO_OK && rename(temp_path, path) != 0)
        status =
            kk_fail(err, KOKORO_IO, "cannot write the cached model %s: %s", path, strerror(errno));
    if (status != KOKORO_OK)
        (void)unlink(temp_path);
    return status;
}
