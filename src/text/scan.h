/*
 * scan.h - folded text to pieces: runs that belong together (a word, a number with its signs, an
 * address) and marks.
 */
#ifndef KK_TEXT_SCAN_H
#define KK_TEXT_SCAN_H

#include "text/fold.h"

#include <stdbool.h>

enum kk_piece_kind { KK_PIECE_RUN, KK_PIECE_MARK };

typedef struct kk_piece {
    enum kk_piece_kind kind;
    kk_slice text; /* UTF-8 in the arena */
    uint32_t mark; /* of a MARK */
    size_t offset; /* span of the original, bytes */
    size_t len;
    bool space_before; /* white space or the start of the text */
    bool space_after;  /* white space or the end of the text */
    bool breaks;       /* a blank line or the end of the text follows */
} kk_piece;

typedef struct kk_pieces {
    kk_piece *items; /* [n] */
    size_t n;
} kk_pieces;

/* NO_MEMORY. Linear in the text. */
int kk_scan(kk_arena *arena, const kk_folded *folded, kk_pieces *out, kokoro_error *err);

/* Letters of any script; digits are ASCII here, because folding made the others so or left them
 * letters. */
bool kk_is_letter(uint32_t c);
bool kk_is_digit(uint32_t c);

#endif
