/*
 * blocks.h - what tells one large file from another in a millisecond: its size, and the hashes of
 * 64 blocks of 4 KB spread evenly over it. Another export of a model or another build of a library
 * differs in nearly all of them.
 */
#ifndef KK_CACHE_BLOCKS_H
#define KK_CACHE_BLOCKS_H

#include "kokoro/kokoro.h"

#include <stdint.h>

enum { KK_BLOCKS = 64 };

typedef struct kk_blocks {
    uint64_t size;
    uint64_t seconds, nanoseconds; /* when it was changed last */
    uint64_t hashes[KK_BLOCKS];
} kk_blocks;

/* Reads 256 KB of the file at most. `what` names the kind of file in errors. NOT_FOUND, IO,
 * BAD_DATA (empty). */
int kk_blocks_read(kk_blocks *out, const char *path, const char *what, kokoro_error *err);

/* One number of size and blocks: a copy of the file has the same. */
uint64_t kk_blocks_hash(const kk_blocks *blocks);

#endif
