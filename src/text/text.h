/*
 * text.h - stage 1: written text to sentences of words that can be pronounced one by one.
 *
 *     "Dr. Smith paid $5.20 in 1984."
 *  -> Doctor Smith paid five dollars and twenty cents in nineteen eighty four .
 *
 * Folding (Unicode forms, quotes, dashes, invisible characters), normalisation (numbers, money,
 * times, abbreviations) and splitting happen here. Every word keeps the span of the original text
 * that it stands for, so that a later stage can say where in the user's text a sound comes from.
 */
#ifndef KK_TEXT_TEXT_H
#define KK_TEXT_TEXT_H

#include "base/arena.h"
#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>

/* The languages with a code of their own; aliases are read by kk_language_parse. X(name, code) */
#define KK_LANGUAGE_MAP(X)                                                                         \
    X(EN_US, "en-us")                                                                              \
    X(EN_GB, "en-gb")

enum kk_language {
#define KK_X(name, code) KK_LANG_##name,
    KK_LANGUAGE_MAP(KK_X)
#undef KK_X
        KK_N_LANGUAGES
};

/* en-us, en, a, en_US, en-US ...; en-gb, b, en_GB ... in any case. LANGUAGE for others, naming
 * those that are. */
int kk_language_parse(const char *text, enum kk_language *out, kokoro_error *err);
const char *kk_language_code(enum kk_language language);

enum kk_token_kind {
    KK_TOKEN_WORD,  /* something to look up: letters, apostrophes, inner hyphens */
    KK_TOKEN_PUNCT, /* a mark that the model knows: ; : , . ! ? — … " ( ) “ ” */
};

typedef struct kk_text_token {
    enum kk_token_kind kind;
    kk_slice text; /* as it is to be read: folded, expanded; case kept */
    size_t offset; /* span of the original text, bytes; several tokens of one expansion share it */
    size_t len;
    bool space_after; /* white space stood behind it */
    unsigned flags;   /* kk_token_flag */
} kk_text_token;

enum kk_token_flag {
    KK_TOKEN_NUMBER = 1, /* made from digits by the normaliser */
    KK_TOKEN_SPELL = 2,  /* to be read letter by letter */
};

typedef struct kk_sentence {
    kk_text_token *tokens; /* [n_tokens] */
    size_t n_tokens;
    size_t offset; /* span of the original text, bytes */
    size_t len;
    bool ends_paragraph; /* a blank line or the end of the text follows */
} kk_sentence;

typedef struct kk_text {
    kk_sentence *sentences; /* [n_sentences]; those without any word are left out */
    size_t n_sentences;
} kk_text;

/*
 * Read `text`. Everything in *out lives in the arena. No word of the text is ever lost.
 * BAD_TEXT (not UTF-8: names the byte), NO_MEMORY. Text without a word gives n_sentences 0 and
 * KOKORO_OK.
 */
int kk_text_read(kk_arena *arena, kk_slice text, enum kk_language language, kk_text *out,
                 kokoro_error *err);

/*
 * Of a text that goes on: where its first sentence ends that, with those before it, has a word and
 * min_len bytes, as the offset at which the next one begins; 0 while that is not sure.
 * `is_last_whole`: the last word is whole; else only its first letter is looked at. BAD_TEXT,
 * NO_MEMORY.
 */
int kk_text_first_end(kk_arena *arena, kk_slice text, bool is_last_whole, size_t min_len,
                      size_t *out, kokoro_error *err);

/* Whether a sentence ends where the text ends, if no more comes: false behind a word, a title (Dr.)
 * or a comma. BAD_TEXT, NO_MEMORY. */
int kk_text_may_end(kk_arena *arena, kk_slice text, bool *out, kokoro_error *err);

#endif
