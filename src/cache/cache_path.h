/*
 * cache_path.h - where a form of a model that was made from it is kept:
 *
 *     <cache>/<folder>/<fingerprint of model, version, layout>.<ending>
 */
#ifndef KK_CACHE_CACHE_PATH_H
#define KK_CACHE_CACHE_PATH_H

#include "kokoro/kokoro.h"

#include <stdint.h>

typedef struct kk_cache_kind {
    const char *folder, *ending;
    const char *version; /* of what made it; the first 31 bytes count */
    uint64_t layout;
} kk_cache_kind;

/*
 * The path; the caller frees it, and its folder is made. The fingerprint is taken of the model's
 * size, time of change and 64 blocks spread over it, so that it costs a millisecond and another
 * export never matches. NOT_FOUND, IO, NO_MEMORY.
 */
int kk_cache_path(char **out, const char *cache_dir, const char *model_path,
                  const kk_cache_kind *kind, kokoro_error *err);

/* The same path, and nothing is made: where it would be. NOT_FOUND, IO, NO_MEMORY. */
int kk_cache_place(char **out, const char *cache_dir, const char *model_path,
                   const kk_cache_kind *kind, kokoro_error *err);

/*
 * Remove what killed processes left half made in the folder of a path: files *.tmp (kk_temp_path)
 * that nobody has written to for an hour. A folder that is a link is left alone. Nothing of it is
 * worth an error.
 */
void kk_cache_sweep(const char *path);

#endif
