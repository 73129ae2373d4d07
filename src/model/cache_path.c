/* cache_path.c - a fingerprint of a model that costs a millisecond; and old temporary files. */
#include "model/cache_path.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_BLOCKS = 64, BLOCK_SIZE = 4096, ABANDONED_S = 3600 };

/* What the name of a cached form hangs on. */
typedef struct identity {
    uint64_t size, seconds, nanoseconds, layout;
    uint64_t blocks[N_BLOCKS]; /* hashes */
    char version[32];
} identity;

static int identify(identity *id, const char *model_path, const kk_cache_kind *kind,
                    kokoro_error *err)
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
    id->layout = kind->layout;
    strncpy(id->version, kind->version, sizeof(id->version) - 1);
    for (size_t i = 0; i < N_BLOCKS; i++) {
        size_t at = map.len / N_BLOCKS * i;
        size_t len = map.len - at < BLOCK_SIZE ? map.len - at : BLOCK_SIZE;
        id->blocks[i] = kk_hash(map.data + at, len);
    }
    kk_map_close(&map);
    return KOKORO_OK;
}

int kk_cache_path(char **out, const char *cache_dir, const char *model_path,
                  const kk_cache_kind *kind, kokoro_error *err)
{
    *out = NULL;
    identity id;
    int status = identify(&id, model_path, kind, err);
    if (status != KOKORO_OK)
        return status;
    kk_buf path = KK_BUF_INIT;
    kk_buf_appendf(&path, "%s/%s", cache_dir, kind->folder);
    if (!path.failed)
        status = kk_make_dirs(path.data, err);
    kk_buf_appendf(&path, "/%016llx.%s", (unsigned long long)kk_hash(&id, sizeof(id)),
                   kind->ending);
    if (path.failed)
        status = kk_fail_memory(err);
    if (status != KOKORO_OK)
        kk_buf_fini(&path);
    *out = path.data;
    return status;
}

static void remove_when_old(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
        kk_wall_s() - (double)st.st_mtim.tv_sec > ABANDONED_S)
        (void)unlink(path);
}

void kk_cache_sweep(const char *path)
{
    static const char ending[] = ".tmp";
    const char *slash = strrchr(path, '/');
    char *folder = slash != NULL ? kk_strndup(path, (size_t)(slash - path)) : NULL;
    DIR *files = folder != NULL ? opendir(folder) : NULL;
    const struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        const size_t len = strlen(entry->d_name), end = sizeof(ending) - 1;
        if (len <= end || strcmp(entry->d_name + len - end, ending) != 0)
            continue;
        char *file = kk_path_join(folder, entry->d_name);
        if (file != NULL)
            remove_when_old(file);
        kk_free(file);
    }
    if (files != NULL)
        (void)closedir(files);
    kk_free(folder);
}
