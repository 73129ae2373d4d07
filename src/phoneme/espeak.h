/*
 * espeak.h - client of the helper program kokoro-espeak, which pronounces what the lexicon lacks.
 *
 * espeak-ng is GPL-3, keeps its state in globals and may crash; so it lives in a process of its
 * own. The protocol is one line each way, over a socket that is the helper's standard input and
 * output:
 *
 *     > en-us TAB text LF        < phonemes LF
 *
 * The helper is started at the first question, and again when it has died or kept silent too long,
 * but not more often than a few times in a row: a helper that always dies must not cost every word
 * a process.
 */
#ifndef KK_PHONEME_ESPEAK_H
#define KK_PHONEME_ESPEAK_H

#include "base/arena.h"
#include "base/log.h"
#include "phoneme/phoneme.h"

typedef struct kk_espeak kk_espeak;

/* `program` is copied; NULL or "": every question goes unanswered. NO_MEMORY. */
int kk_espeak_open(kk_espeak **out, const char *program, const kk_log *log, kokoro_error *err);
/* Ends the helper and waits for it. */
void kk_espeak_close(kk_espeak **espeak);

/*
 * The model's phonemes for `word` in *out, in the arena; NULL there when the helper cannot be had
 * or has nothing to say. NO_MEMORY. Safe for several threads at once: they take turns.
 */
int kk_espeak_word(kk_espeak *espeak, kk_arena *arena, kk_slice word, enum kk_language language,
                   const char **out);

/* Whether there is a program to ask. */
bool kk_espeak_has_program(const kk_espeak *espeak);

void kk_espeak_get_counts(const kk_espeak *espeak, kk_phonemizer_counts *out);

#endif
