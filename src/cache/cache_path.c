/* cache_path.c - the name of a cached form; and old temporary files. */
#include "cache/cache_path.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "cache/blocks.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ABANDONED_S = 3600 };

/* What the name of a cached form hangs on. */
typedef struct identity {
    uint64_t size, seconds, nanoseconds, layout;
    uint64_t blocks[KK_BLOCKS];
    char version[32];
} identity;

static int identify(identity *id, const char *model_path, const kk_cache_kind *kind,
                    kokoro_error *err)
{
    memset(id, 0, sizeof(*id));
    kk_blocks blocks;
    int status = kk_blocks_read(&blocks, model_path, "model", err);
    if (status != KOKORO_OK)
        return status;
    id->size = blocks.size;
    id->seconds = blocks.seconds;
    id->nanoseconds = blocks.nanoseconds;
    id->layout = kind->layout;
    memcpy(id->blocks, blocks.hashes, sizeof(id->blocks));
    strncpy(id->version, kind->version, sizeof(id->version) - 1);
    return KOKORO_OK;
}

int kk_cache_place(char **out, const char *cache_dir, const char *model_path,
                   const kk_cache_kind *kind, kokoro_error *err)
{
    *out = NULL;
    identity id;
    int status = identify(&id, model_path, kind, err);
    if (status != KOKORO_OK)
        return status;
    kk_buf path = KK_BUF_INIT;
    kk_buf_appendf(&path, "%s/%s/%016llx.%s", cache_dir, kind->folder,
                   (unsigned long long)kk_hash(&id, sizeof(id)), kind->ending);
    if (path.failed) {
        kk_buf_fini(&path);
        return kk_fail_memory(err);
    }
    *out = path.data;
    return KOKORO_OK;
}

int kk_cache_path(char **out, const char *cache_dir, const char *model_path,
                  const kk_cache_kind *kind, kokoro_error *err)
{
    int status = kk_cache_place(out, cache_dir, model_path, kind, err);
    if (status != KOKORO_OK)
        return status;
    char *slash = strrchr(*out, '/');
    *slash = '\0';
    status = kk_make_dirs(*out, err);
    *slash = '/';
    if (status != KOKORO_OK) {
        kk_free(*out);
        *out = NULL;
    }
    return status;
}

static void remove_when_old(int folder, const char *name)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        kk_wall_s() - (double)st.st_mtim.tv_sec > ABANDONED_S)
        (void)unlinkat(folder, name, 0);
}

void kk_cache_sweep(const char *path)
{
    static const char ending[] = ".tmp";
    const char *slash = strrchr(path, '/');
    char *folder = slash != NULL ? kk_strndup(path, (size_t)(slash - path)) : NULL;
    const int fd =
        folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        const size_t len = strlen(entry->d_name), end = sizeof(ending) - 1;
        if (len > end && strcmp(entry->d_name + len - end, ending) == 0)
            remove_when_old(fd, entry->d_name);
    }
    if (files != NULL)
        (void)closedir(files);
    else if (fd >= 0)
        (void)close(fd);
    kk_free(folder);
}
