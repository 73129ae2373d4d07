/*
 * normalise.h - pieces to tokens: what is written in figures and signs becomes words.
 */
#ifndef KK_TEXT_NORMALISE_H
#define KK_TEXT_NORMALISE_H

#include "text/scan.h"
#include "text/text.h"

/* A token with what the sentence splitter needs to know of it. */
typedef struct kk_draft {
    kk_text_token token;
    bool abbreviation_end; /* its full stop was part of an abbreviation, and may end the sentence
                              too */
    bool title;            /* Dr. Mr. St.: a name follows, no sentence ends here */
    bool breaks;           /* a paragraph ends behind it */
} kk_draft;

typedef struct kk_drafts {
    kk_arena *arena;
    kk_draft *items; /* [n] */
    size_t n;
    size_t capacity;
    bool failed;
} kk_drafts;

/* Drafts live in drafts->arena; `failed` tells that memory was out. */
void kk_normalise(kk_drafts *drafts, const kk_pieces *pieces, enum kk_language language);

/* For the files of this stage: append the words of `words` (separated by spaces) for a piece. */
void kk_drafts_add_words(kk_drafts *drafts, const kk_piece *piece, kk_slice words, unsigned flags);
void kk_drafts_add_mark(kk_drafts *drafts, const kk_piece *piece, uint32_t mark);

/*
 * Read a run that has digits in it, with the piece after it where the two belong together ($5
 * million, 3 km). Returns how many pieces were read; 0 when this is no number.
 */
size_t kk_normalise_number(kk_drafts *drafts, const kk_pieces *pieces, size_t index,
                           enum kk_language language);

/* Dr., e.g., U.S., J.: returns how many pieces were read; 0 when it is no abbreviation. */
size_t kk_normalise_abbreviation(kk_drafts *drafts, const kk_pieces *pieces, size_t index);
/* Whether a word with a capital behind an abbreviation's full stop begins a sentence (He, The) and
 * is no name. */
bool kk_starts_sentence(kk_slice word);

/* An address of the net; false when the run is none. */
bool kk_normalise_address(kk_drafts *drafts, const kk_piece *piece);

#endif
