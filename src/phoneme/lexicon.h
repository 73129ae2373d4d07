/*
 * lexicon.h - misaki's gold (checked by hand) and silver (made by machine) English lexicons, as one
 * mapped file.
 *
 * A word that stands in the lexicon in lower case is also found capitalised, and the other way
 * round.
 */
#ifndef KK_PHONEME_LEXICON_H
#define KK_PHONEME_LEXICON_H

#include "base/str.h"
#include "kokoro/kokoro.h"
#include "text/text.h"

#include <stdbool.h>

typedef struct kk_lexicon kk_lexicon;

/* Map and check the whole file (its checksum too, where it is not known; known may be NULL).
 * NOT_FOUND, IO, BAD_DATA, NO_MEMORY. */
int kk_lexicon_open(kk_lexicon **out, const char *path, kokoro_known_files *known,
                    kokoro_error *err);
void kk_lexicon_close(kk_lexicon **lexicon);

/* What the lexicon says of a word; a zeroed one says nothing. */
typedef struct kk_reading {
    const char *values; /* n pairs of NUL-ended strings: tag, phonemes */
    unsigned n;
} kk_reading;

/* NULL lexicon: nothing is found. */
bool kk_lexicon_gold(const kk_lexicon *lexicon, enum kk_language language, kk_slice word,
                     kk_reading *out);
bool kk_lexicon_silver(const kk_lexicon *lexicon, enum kk_language language, kk_slice word,
                       kk_reading *out);

/* The phonemes under a tag, or NULL; tag "" is the default, which every reading has. */
const char *kk_reading_find(const kk_reading *reading, const char *tag);

#endif
