/*
 * phoneme.h - stage 2: the words of a sentence to the phonemes the voices were trained on.
 *
 *     word -> special case -> gold lexicon -> silver lexicon -> stem + -s -ed -ing -> espeak helper
 * -> letters
 *
 * Method: the English front end of misaki 0.9.4 (Apache-2.0), whose output the model was trained
 * on. Words are taken right to left, because a word's form can hang on the sound that follows it
 * (the, a, to, in ...).
 */
#ifndef KK_PHONEME_PHONEME_H
#define KK_PHONEME_PHONEME_H

#include "base/arena.h"
#include "base/log.h"
#include "kokoro/kokoro.h"
#include "text/text.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct kk_phonemizer kk_phonemizer;

typedef struct kk_phonemizer_options {
    const char *lexicon_path;        /* NULL: none */
    const char *espeak_helper;       /* NULL: none */
    const kk_log *log;               /* outlives the phonemizer; NULL: silent */
    kokoro_known_files *known_files; /* NULL: none */
} kk_phonemizer_options;

/* NOT_FOUND, IO, BAD_DATA (the lexicon), NO_MEMORY. A helper that cannot be started is logged, not
 * an error. */
int kk_phonemizer_open(kk_phonemizer **out, const kk_phonemizer_options *options,
                       kokoro_error *err);
void kk_phonemizer_close(kk_phonemizer **phonemizer);

/* One token of the sentence, spoken. Same order as the sentence's tokens; punctuation included. */
typedef struct kk_spoken_word {
    const kk_text_token *token;
    const char *phonemes; /* UTF-8; "" for a mark that is not spoken */
    int source;           /* a kokoro_source; -1 for punctuation */
} kk_spoken_word;

typedef struct kk_spoken {
    const char *phonemes; /* the whole sentence, spaces between words as the model expects them */
    kk_spoken_word *words;
    size_t n_words;
} kk_spoken;

/* Asked before each word: a sentence may have thousands that the helper must be asked for. */
typedef struct kk_phonemize_watch {
    bool (*cancelled)(void *user); /* NULL: nobody is asked */
    void *user;
} kk_phonemize_watch;

/* Everything in *out lives in the arena. Safe for several threads at once. NO_MEMORY, CANCELLED
 * (where `watch`, which may be NULL, says so). Never loses a word. */
int kk_phonemize(kk_phonemizer *phonemizer, kk_arena *arena, const kk_sentence *sentence,
                 enum kk_language language, const kk_phonemize_watch *watch, kk_spoken *out,
                 kokoro_error *err);

/* What is done because of the lexicon's and espeak-ng's peculiarities. */
void kk_phonemizer_list_measures(const kk_phonemizer *phonemizer, kokoro_measure_fn *fn,
                                 void *user);

/* Words that the espeak helper was asked for, and times that it had to be started again. */
typedef struct kk_phonemizer_counts {
    unsigned long long espeak_words;
    unsigned long long espeak_restarts;
} kk_phonemizer_counts;
void kk_phonemizer_get_counts(const kk_phonemizer *phonemizer, kk_phonemizer_counts *out);

#endif
