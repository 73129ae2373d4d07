/*
 * sealed_file.h - a form of a model that a runtime wrote itself, kept in the cache, and whether
 * what lies there is whole.
 *
 * The file is the runtime's own, followed by a trailer of ours with a checksum over it, so that a
 * damaged one is made anew and never handed to a parser.
 */
#ifndef KK_MODEL_SEALED_FILE_H
#define KK_MODEL_SEALED_FILE_H

#include "base/known_files.h"
#include "kokoro/kokoro.h"

/*
 * Map a sealed file and check its trailer. *len counts the runtime's part, map->len all. What
 * is known to be whole is not summed; known may be NULL.
 * NOT_FOUND: none there. BAD_DATA: damaged; make it anew.
 */
int kk_sealed_open(kk_map *map, size_t *len, const char *path, kokoro_known_files *known,
                   kokoro_error *err);

/* Seal a file that the runtime wrote at temp_path with the trailer, and move it to path. Removes it
 * on failure. */
int kk_sealed_commit(const char *temp_path, const char *path, kokoro_error *err);

#endif
