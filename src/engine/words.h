/*
 * words.h - when each word of the text is heard: the model's durations, a token each, put together
 * for the words that the tokens came from.
 *
 *     text     |The|  |42|          |dogs|.      spans of the user's text
 *     tokens   ð ə _ f ˈ ɔ ɹ T i _ t ˈ u _ d ˈ ɔ ɡ z .
 *     frames   2 2 1 4 1 3 2 ...                 25 ms each
 *     times    [....] [...............] [......]
 *
 * Chunks neither lose nor move a symbol that the model knows, spaces aside (token/token.h). So the
 * k-th such symbol of the chunks is the k-th of the sentences, and counting is all that is needed.
 */
#ifndef KK_ENGINE_WORDS_H
#define KK_ENGINE_WORDS_H

#include "base/arena.h"
#include "kokoro/kokoro.h"
#include "model/model.h"
#include "phoneme/phoneme.h"
#include "token/token.h"

#include <stdint.h>

typedef struct kk_word_entry kk_word_entry;

/* All zero is empty. What it points to lives in the arena of the request. */
typedef struct kk_words {
    kk_word_entry *entries; /* [n] words, and marks between them, as they are spoken */
    size_t n, capacity;
    kokoro_timed_word *items; /* [n_items] the words among them */
    size_t n_items, items_capacity;
    size_t n_placed; /* entries whose last symbol is in this chunk or an earlier one */
    size_t n_heard, n_heard_items; /* entries that were given out, and the words among them */
    uint64_t n_samples;            /* given out so far, of all chunks */
} kk_words;

/* The words of the next sentence. NO_MEMORY. */
int kk_words_add(kk_words *words, kk_arena *arena, const kk_spoken *sentence, kokoro_error *err);

/* A part of a chunk on its way to the caller. */
typedef struct kk_word_window {
    const kk_chunk *chunk;
    const kk_pcm *whole;    /* the chunk's sound with its durations */
    size_t start, n;        /* the samples of it that are given out */
    bool is_first, is_last; /* part of the chunk */
} kk_word_window;

/* Sets words and n_words of *out: those that are heard to their end in this part, with their times.
 * None where the model tells no durations. Once for each part, in order. */
void kk_words_hear(kk_words *words, const kk_word_window *window, kokoro_chunk *out);

/* So many samples of silence are given out between two chunks. */
void kk_words_wait(kk_words *words, size_t n_samples);

#endif
