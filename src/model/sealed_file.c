#include "model/sealed_file.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRAILER_MAGIC "KKSEAL\0\1"

typedef struct trailer {
    char magic[8];
    uint64_t len;  /* bytes before the trailer */
    uint64_t hash; /* XXH3-64 of them */
} trailer;

int kk_sealed_open(kk_map *map, size_t *len, const char *path, kokoro_known_files *known,
                   kokoro_error *err)
{
    int status = kk_map_open(map, path, "cached model", err);
    if (status != KOKORO_OK)
        return status;
    trailer end;
    bool is_whole = map->len > sizeof(end);
    if (is_whole) {
        memcpy(&end, map->data + map->len - sizeof(end), sizeof(end));
        *len = map->len - sizeof(end);
        is_whole =
            memcmp(end.magic, TRAILER_MAGIC, sizeof(end.magic)) == 0 && end.len == *len &&
            (kk_known_files_has(known, map, end.hash) || end.hash == kk_hash(map->data, *len));
    }
    if (is_whole) {
        kk_known_files_add(known, map, end.hash);
        return KOKORO_OK;
    }
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

int kk_sealed_commit(const char *temp_path, const char *path, kokoro_error *err)
{
    int status = seal(temp_path, err);
    if (status == KOKORO_OK && rename(temp_path, path) != 0)
        status =
            kk_fail(err, KOKORO_IO, "cannot write the cached model %s: %s", path, strerror(errno));
    if (status != KOKORO_OK)
        (void)unlink(temp_path);
    return status;
}
