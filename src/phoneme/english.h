/*
 * english.h - the pronunciation of one English word: special cases, lexicon, letters of an acronym,
 * and stems with -s, -ed and -ing. Method: misaki 0.9.4.
 */
#ifndef KK_PHONEME_ENGLISH_H
#define KK_PHONEME_ENGLISH_H

#include "base/arena.h"
#include "phoneme/lexicon.h"
#include "phoneme/stress.h"
#include "phoneme/tagger.h"

#include <stdbool.h>

/* What follows a word: its first sound, or a mark or the end. */
enum kk_next { KK_NEXT_PAUSE, KK_NEXT_CONSONANT, KK_NEXT_VOWEL };

typedef struct kk_english {
    kk_arena *arena;
    const kk_lexicon *lexicon; /* NULL: none */
    enum kk_language language;
    enum kk_next next;
    bool next_is_to; /* the word "to" follows */
    bool failed;     /* memory was out */
} kk_english;

/*
 * The phonemes of `word` (apostrophes plain, any case) with its source in *source, in the arena;
 * NULL when neither the lexicon nor a rule has it.
 */
const char *kk_english_word(kk_english *e, kk_slice word, enum kk_tag tag, int *source);

/* Note what has been said, so that the word to its left knows what follows it. */
void kk_english_said(kk_english *e, kk_slice word, enum kk_tag tag, const char *phonemes);

/* A word by the names of its letters; never NULL but for memory. Works without a lexicon. */
const char *kk_english_letters(kk_english *e, kk_slice word);

/*
 * The word without its accents, in *plain: naive for the same with a diaeresis. False where it has
 * none, where letters of other scripts are in it, and where it ends in e-acute, which is a syllable
 * of its own (rose is another word).
 */
bool kk_english_plain(kk_english *e, kk_slice word, kk_slice *plain);

#endif
