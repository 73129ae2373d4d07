/*
 * fold.h - the many ways to write one character, made one: compatibility forms (full width,
 * ligatures, superscripts), curly apostrophes, dashes, ellipses; invisible characters and pictures
 * are dropped. Every character keeps the byte offset of the original it came from.
 */
#ifndef KK_TEXT_FOLD_H
#define KK_TEXT_FOLD_H

#include "base/arena.h"
#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stdint.h>

typedef struct kk_folded {
    uint32_t *chars; /* [n + 1]; 0 behind the last. White space is ' ', a line break '\n' */
    size_t *offsets; /* [n + 1] into the original, in rising order; the last is its length */
    size_t n;
} kk_folded;

/* BAD_TEXT names the first byte that is not UTF-8. NO_MEMORY. Linear in the text. */
int kk_fold(kk_arena *arena, kk_slice text, kk_folded *out, kokoro_error *err);

#endif
