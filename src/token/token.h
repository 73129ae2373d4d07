/*
 * token.h - stage 3: phonemes to the model's ids, in chunks that it can take.
 *
 * The vocabulary is the 114 symbols of Kokoro-82M v1.0's config.json; id 0 pads a chunk in front
 * and behind.
 */
#ifndef KK_TOKEN_TOKEN_H
#define KK_TOKEN_TOKEN_H

#include "base/arena.h"
#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The id of a symbol, 1 to 177; 0 for one that the model does not know. */
int64_t kk_token_id(uint32_t code_point);

typedef struct kk_chunk {
    int64_t *ids;       /* [n_phonemes + 2]: 0, the phonemes, 0 */
    size_t n_phonemes;  /* 1 to KOKORO_MAX_PHONEMES */
    bool ends_sentence; /* false: the sentence goes on in the next chunk */
    bool ends_paragraph;
} kk_chunk;

typedef struct kk_chunks {
    kk_chunk *items; /* [n] */
    size_t n;
    size_t unknown_symbols; /* dropped */
} kk_chunks;

/* One sentence's phonemes, UTF-8 ended by NUL. */
typedef struct kk_utterance {
    const char *phonemes;
    bool ends_paragraph;
    bool is_apart; /* shares no chunk with what follows */
} kk_utterance;

/*
 * Phonemes that a chunk may have at a speed: KOKORO_MAX_PHONEMES, and below 0.5 less in proportion,
 * so that no chunk lasts longer than some 60 s and memory has a bound before anything is computed.
 */
size_t kk_chunk_limit(double speed);

/*
 * Cut utterances into chunks of at most `limit` phonemes: short ones share a chunk, one over the
 * limit is cut behind a clause mark, else at a space, else between two symbols. No symbol that the
 * model knows is lost. Lives in the arena. NO_MEMORY.
 */
int kk_chunks_make(kk_arena *arena, const kk_utterance *utterances, size_t n, size_t limit,
                   kk_chunks *out, kokoro_error *err);

#endif
