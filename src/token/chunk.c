/*
 * chunk.c - sentences' phonemes to chunks of ids.
 *
 *     utterances  |a short one| |another| |one that is far over the limit ................, and
 * goes on| chunks      [a short one another]   [one that is far over the limit ......,] [and goes
 * on]
 *
 * The model speaks 100 to 250 phonemes best: fewer sound clipped, many more sound hurried at the
 * end (a known trait of Kokoro-82M). So a chunk takes whole sentences until it has enough, and only
 * a sentence over the limit is cut. The first chunk may be shorter, because a listener waits for
 * it.
 */
#include "token/token.h"

#include "base/status.h"
#include "base/utf8.h"

#include <string.h>

enum {
    FIRST_ENOUGH = 40, /* phonemes after which the first chunk takes no further sentence */
    ENOUGH = 100,      /* the same for every later one */
    JOINED_MAX = 250,  /* sentences share a chunk up to this length */
    SPACE_ID = 16
};

/* From this speed on a chunk may be as long as the model takes: 510 phonemes last 27 s at speed 1.
 */
static const double WHOLE_SPEED = 0.5;

/* A symbol's worth as a place to cut behind it: sentence mark, clause mark, space, anything else.
 */
enum cut_rank { CUT_ANYWHERE, CUT_SPACE, CUT_CLAUSE, CUT_SENTENCE };

static enum cut_rank rank_of(int64_t id)
{
    switch (id) {
    case 4:  /* . */
    case 5:  /* ! */
    case 6:  /* ? */
    case 10: /* ellipsis */
        return CUT_SENTENCE;
    case 1: /* ; */
    case 2: /* : */
    case 3: /* , */
    case 9: /* em dash */
        return CUT_CLAUSE;
    case SPACE_ID:
        return CUT_SPACE;
    default:
        return CUT_ANYWHERE;
    }
}

/*
 * How many of ids[n] to take when no more than `limit` fit. The best mark in the second half of the
 * window wins, the last of its rank; a mark in the first half would leave a stump.
 */
static size_t cut_length(const int64_t *ids, size_t n, size_t limit)
{
    if (n <= limit)
        return n;
    size_t best = limit;
    enum cut_rank best_rank = CUT_ANYWHERE;
    for (size_t i = limit / 2; i < limit; i++) {
        enum cut_rank rank = rank_of(ids[i]);
        if (rank != CUT_ANYWHERE && rank >= best_rank) {
            best = i + 1;
            best_rank = rank;
        }
    }
    return best;
}

typedef struct builder {
    kk_arena *arena;
    kk_chunks *out;
    size_t capacity;
    int64_t ids[KOKORO_MAX_PHONEMES]; /* the chunk in the making */
    size_t n;
    bool ends_paragraph; /* of the last utterance in it */
    bool is_apart;
} builder;

static int flush(builder *b, bool ends_sentence, kokoro_error *err)
{
    size_t n = b->n;
    while (n > 0 && b->ids[n - 1] == SPACE_ID)
        n--;
    if (n == 0) {
        b->n = 0;
        return KOKORO_OK;
    }
    kk_chunk *items = kk_arena_grow(b->arena, b->out->items, b->out->n, b->out->n + 1,
                                    sizeof(*items), &b->capacity);
    int64_t *ids = kk_arena_calloc(b->arena, n + 2, sizeof(*ids));
    if (items == NULL || ids == NULL)
        return kk_fail_memory(err);
    memcpy(ids + 1, b->ids, n * sizeof(*ids));
    b->out->items = items;
    items[b->out->n++] = (kk_chunk){ids, n, ends_sentence, ends_sentence && b->ends_paragraph};
    b->n = 0;
    return KOKORO_OK;
}

/* The ids of an utterance without spaces at its ends, in the arena. */
static int64_t *read_ids(kk_arena *arena, const char *phonemes, size_t *n_out, size_t *unknown)
{
    kk_slice rest = kk_slice_of(phonemes);
    int64_t *ids = kk_arena_alloc(arena, (rest.len + 1) * sizeof(*ids));
    size_t n = 0;
    while (ids != NULL && rest.len > 0) {
        uint32_t c;
        size_t len = kk_utf8_decode(rest, &c);
        int64_t id = len > 0 ? kk_token_id(c) : 0;
        if (id == 0)
            (*unknown)++;
        else if (id != SPACE_ID || (n > 0 && ids[n - 1] != SPACE_ID))
            ids[n++] = id;
        size_t step = len > 0 ? len : 1;
        rest = (kk_slice){rest.data + step, rest.len - step};
    }
    while (n > 0 && ids[n - 1] == SPACE_ID)
        n--;
    *n_out = n;
    return ids;
}

static bool fits(const builder *b, size_t n)
{
    size_t enough = b->out->n == 0 ? FIRST_ENOUGH : ENOUGH;
    return b->n > 0 && b->n < enough && b->n + 1 + n <= JOINED_MAX && !b->ends_paragraph &&
           !b->is_apart;
}

size_t kk_chunk_limit(double speed)
{
    const double share = speed / WHOLE_SPEED;
    const size_t limit = share < 1.0 ? (size_t)(share * KOKORO_MAX_PHONEMES) : KOKORO_MAX_PHONEMES;
    return limit > JOINED_MAX ? limit : JOINED_MAX;
}

int kk_chunks_make(kk_arena *arena, const kk_utterance *utterances, size_t n, size_t limit,
                   kk_chunks *out, kokoro_error *err)
{
    *out = (kk_chunks){NULL, 0, 0};
    builder b = {.arena = arena, .out = out};
    for (size_t i = 0; i < n; i++) {
        size_t n_ids = 0;
        const int64_t *ids = read_ids(arena, utterances[i].phonemes, &n_ids, &out->unknown_symbols);
        if (ids == NULL)
            return kk_fail_memory(err);
        if (n_ids == 0)
            continue;
        if (fits(&b, n_ids)) {
            b.ids[b.n++] = SPACE_ID;
        } else if (flush(&b, true, err) != KOKORO_OK) {
            return KOKORO_NO_MEMORY;
        }
        while (n_ids > 0) {
            size_t take = cut_length(ids, n_ids, limit - b.n);
            memcpy(b.ids + b.n, ids, take * sizeof(*ids));
            b.n += take;
            ids += take;
            n_ids -= take;
            if (n_ids > 0 && flush(&b, false, err) != KOKORO_OK)
                return KOKORO_NO_MEMORY;
        }
        b.ends_paragraph = utterances[i].ends_paragraph;
        b.is_apart = utterances[i].is_apart;
    }
    return flush(&b, true, err);
}
