/*
 * stress.h - moving, adding and taking away the stress marks of a word's phonemes, after misaki's
 * rules.
 *
 *     primary U+02C8, secondary U+02CC, each in front of the syllable it stresses
 */
#ifndef KK_PHONEME_STRESS_H
#define KK_PHONEME_STRESS_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

#define KK_PRIMARY "\xCB\x88"
#define KK_SECONDARY "\xCB\x8C"

/* How much stress a word is to have: none at all, less, a little, more. */
enum kk_stress {
    KK_STRESS_KEEP, /* as it stands */
    KK_STRESS_NONE, /* no marks: misaki's -2 */
    KK_STRESS_LESS, /* primary becomes secondary: misaki's -1, and -0.5 where there is a primary */
    KK_STRESS_SOME, /* a word without marks gets a secondary: misaki's 0.5 */
    KK_STRESS_MORE, /* secondary becomes primary, none becomes primary: misaki's 2 */
    KK_STRESS_LETTERS /* of a spelt word: misaki's 0 */
};

bool kk_is_vowel(uint32_t c);
bool kk_is_consonant(uint32_t c);

/* The phonemes with that stress, in the arena; NULL when memory is out. NULL in, NULL out. */
const char *kk_stress_apply(kk_arena *arena, const char *phonemes, enum kk_stress stress);

/* A word's weight in a compound: 2 a diphthong or affricate, 1 any other symbol. */
unsigned kk_stress_weight(const char *phonemes);

#endif
