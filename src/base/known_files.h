/*
 * known_files.h - the files that were found whole: the same file, in the same state, with the same
 * checksum in its head.
 * A file that was written just now is not remembered (kk_file_id_is_settled).
 */
#ifndef KK_BASE_KNOWN_FILES_H
#define KK_BASE_KNOWN_FILES_H

#include "base/file.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stdint.h>

/* Of NULL: nothing is known, and nothing is remembered. */
bool kk_known_files_has(kokoro_known_files *known, const kk_map *map, uint64_t hash);
void kk_known_files_add(kokoro_known_files *known, const kk_map *map, uint64_t hash);

#endif
