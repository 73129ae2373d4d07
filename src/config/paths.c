/*
 * paths.c - where things are when nobody said so. The data directory follows the XDG Base Directory
 * Specification 0.8, which also says that a relative $XDG_DATA_HOME is to be ignored.
 */
#include "config/paths.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* dir/name in the arena; NULL when memory is out. */
static const char *join(kk_config *config, const char *dir, const char *name)
{
    char *path = kk_path_join(dir, name);
    const char *copy = path != NULL ? kk_arena_strdup(&config->arena, path) : NULL;
    kk_free(path);
    return copy;
}

static int derive(kk_config *config, enum kk_setting_id id, const char *dir, const char *name,
                  kokoro_error *err)
{
    if (config->value[id][0] != '\0')
        return KOKORO_OK;
    const char *path = join(config, dir, name);
    if (path == NULL)
        return kk_fail_memory(err);
    config->value[id] = path;
    return KOKORO_OK;
}

static int derive_home(kk_config *config, kokoro_error *err)
{
    const char *xdg = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    if (xdg != NULL && xdg[0] == '/')
        return derive(config, KK_SET_HOME, xdg, "kokoro", err);
    if (home != NULL && home[0] != '\0')
        return derive(config, KK_SET_HOME, home, ".local/share/kokoro", err);
    if (config->value[KK_SET_HOME][0] != '\0')
        return KOKORO_OK;
    return kk_fail(err, KOKORO_INVALID,
                   "no data directory: neither HOME nor XDG_DATA_HOME is set; set KOKORO_HOME to "
                   "the directory of model and voices");
}

/* The helper beside the running program, where the build and packages put it. */
static int derive_helper(kk_config *config, kokoro_error *err)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (config->value[KK_SET_ESPEAK_HELPER][0] != '\0')
        return KOKORO_OK;
    if (len > 0) {
        self[len] = '\0';
        *strrchr(self, '/') = '\0';
        const char *path = join(config, self, KK_ESPEAK_HELPER_NAME);
        if (path == NULL)
            return kk_fail_memory(err);
        if (access(path, X_OK) == 0) {
            config->value[KK_SET_ESPEAK_HELPER] = path;
            return KOKORO_OK;
        }
    }
    return derive(config, KK_SET_ESPEAK_HELPER, config->value[KK_SET_HOME], KK_HOME_ESPEAK_HELPER,
                  err);
}

int kk_config_derive_paths(kk_config *config, kokoro_error *err)
{
    static const struct {
        enum kk_setting_id id;
        const char *name;
    } below_home[] = {
        {KK_SET_CACHE, KK_HOME_CACHE},
        {KK_SET_MODEL, KK_HOME_MODEL},
        {KK_SET_VOICES, KK_HOME_VOICES},
        {KK_SET_LEXICON, KK_HOME_LEXICON},
        {KK_SET_ORT_LIBRARY, KK_HOME_ORT_LIBRARY},
        {KK_SET_OPENVINO_LIBRARY, KK_HOME_OPENVINO_LIBRARY},
    };
    int status = derive_home(config, err);
    for (size_t i = 0; status == KOKORO_OK && i < sizeof(below_home) / sizeof(below_home[0]); i++)
        status =
            derive(config, below_home[i].id, config->value[KK_SET_HOME], below_home[i].name, err);
    return status == KOKORO_OK ? derive_helper(config, err) : status;
}
