/*
 * compound.h - a written word that is several: ninety-nine, AT&T, iPhone. It is cut into parts, the
 * longest run of parts that the lexicon has is taken from the right, and the parts' stresses are
 * evened out.
 */
#ifndef KK_PHONEME_COMPOUND_H
#define KK_PHONEME_COMPOUND_H

#include "phoneme/english.h"

typedef struct kk_part {
    kk_slice text;
    const char *phonemes; /* NULL: not found; "" for a sign that is not spoken, or a part read with
                             the one before it */
    int source;
} kk_part;

/* Cut a word into parts, in the arena; NULL when memory is out. */
kk_part *kk_compound_split(kk_arena *arena, kk_slice word, size_t *n);

/*
 * The phonemes of a whole word, "" where it is nothing but signs. A part that is unknown is spelt
 * with `spell`; without it the answer is then NULL, and the whole must be asked for elsewhere.
 * *source is the weakest of its parts' sources.
 */
const char *kk_compound_word(kk_english *e, kk_slice word, enum kk_tag tag, bool spell,
                             int *source);

#endif
