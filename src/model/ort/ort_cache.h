/*
 * ort_cache.h - where ONNX Runtime's optimised form of a model is kept, and whether what lies there
 * is whole.
 *
 *     <cache>/ort/<fingerprint of model, runtime version, layout>.ort
 *
 * The file is the runtime's own ORT format, which can be mapped and used in place by several
 * processes, followed by a trailer of ours with a checksum over it.
 */
#ifndef KK_MODEL_ORT_ORT_CACHE_H
#define KK_MODEL_ORT_ORT_CACHE_H

#include "base/file.h"
#include "kokoro/kokoro.h"

/*
 * Map a cached form and check its trailer. map->len counts the runtime's part only in *len.
 * NOT_FOUND: none there. BAD_DATA: damaged; make it anew.
 */
int kk_ort_cache_open(kk_map *map, size_t *len, const char *path, kokoro_error *err);

/* Seal a file that the runtime wrote at temp_path with the trailer, and move it to path. Removes it
 * on failure. */
int kk_ort_cache_commit(const char *temp_path, const char *path, kokoro_error *err);

#endif
