/* providers.c - the providers that this build knows, best first. */
#include "model/model.h"
#include "model/native/native_provider.h"
#include "model/openvino/ov_provider.h"
#include "model/ort/ort_provider.h"

#include "base/alloc.h"

#include <string.h>

const kk_provider *const kk_providers[KK_N_PROVIDERS] = {
    &kk_provider_native, &kk_provider_onnxruntime, &kk_provider_openvino};

const kk_provider *kk_provider_find(const char *name)
{
    for (size_t i = 0; i < KK_N_PROVIDERS; i++) {
        if (strcmp(kk_providers[i]->name, name) == 0)
            return kk_providers[i];
    }
    return NULL;
}

void kk_model_cached(kk_arena *arena, const kk_model_options *options, const kk_cache_kind *kind,
                     kokoro_cached *out)
{
    kokoro_error err;
    char *path = NULL;
    out->folder = kind->folder;
    if (kk_cache_place(&path, options->cache_dir, options->model_path, kind, &err) == KOKORO_OK)
        out->path = kk_arena_strdup(arena, path);
    else
        out->reason = kk_arena_strdup(arena, err.message);
    if (out->path == NULL && out->reason == NULL)
        out->reason = "out of memory";
    kk_free(path);
}
