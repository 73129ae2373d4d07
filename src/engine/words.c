/* words.c - symbols are counted when sentences come in, and again when chunks go out. */
#include "engine/words.h"

#include "base/status.h"
#include "base/utf8.h"

/*
 * The decoder looks ahead: a sound begins before the frames of its symbol do. Measured at the
 * plosives that begin a word (13 words, four voices): 25 to 65 ms, 42 ms in the mean.
 */
enum { SPACE_ID = 16, AHEAD = KOKORO_SAMPLE_RATE_HZ * 40 / 1000 };
static const double UNKNOWN_S = -1.0;

/* A word, or a mark between words. */
struct kk_word_entry {
    size_t n_symbols; /* that the model knows, without spaces; counts down when it is placed */
    bool is_word, has_begun;
    size_t begin, end; /* samples of the chunk where it begins and where it ends */
};

static size_t count_symbols(const char *phonemes)
{
    kk_slice rest = kk_slice_of(phonemes);
    size_t n = 0;
    while (rest.len > 0) {
        uint32_t c;
        const size_t len = kk_utf8_decode(rest, &c);
        const int64_t id = len > 0 ? kk_token_id(c) : 0;
        const size_t step = len > 0 ? len : 1;
        n += id != 0 && id != SPACE_ID;
        rest = (kk_slice){rest.data + step, rest.len - step};
    }
    return n;
}

static kk_word_entry *add_entry(kk_words *words, kk_arena *arena, kk_word_entry entry)
{
    kk_word_entry *entries = kk_arena_grow(arena, words->entries, words->n, words->n + 1,
                                           sizeof(*entries), &words->capacity);
    if (entries == NULL)
        return NULL;
    words->entries = entries;
    entries[words->n] = entry;
    return &entries[words->n++];
}

static bool add_item(kk_words *words, kk_arena *arena, size_t offset, size_t len)
{
    kokoro_timed_word *items =
        kk_arena_grow(arena, words->items, words->n_items, words->n_items + 1, sizeof(*items),
                      &words->items_capacity);
    if (items == NULL)
        return false;
    words->items = items;
    items[words->n_items++] = (kokoro_timed_word){offset, len, UNKNOWN_S, UNKNOWN_S};
    return true;
}

/* What is read as several words ("42") is one of the text: a token whose span touches that of the
 * word before belongs to it, with the marks between the two. */
static bool joins_last(kk_words *words, const kk_text_token *token, size_t n_symbols)
{
    if (words->n_items == 0)
        return false;
    kokoro_timed_word *last = &words->items[words->n_items - 1];
    const size_t last_end = last->offset + last->len, end = token->offset + token->len;
    if (token->offset >= last_end)
        return false;
    const size_t offset = token->offset < last->offset ? token->offset : last->offset;
    last->len = (end > last_end ? end : last_end) - offset;
    last->offset = offset;
    while (!words->entries[words->n - 1].is_word)
        n_symbols += words->entries[--words->n].n_symbols;
    words->entries[words->n - 1].n_symbols += n_symbols;
    return true;
}

int kk_words_add(kk_words *words, kk_arena *arena, const kk_spoken *sentence, kokoro_error *err)
{
    for (size_t i = 0; i < sentence->n_words; i++) {
        const kk_spoken_word *word = &sentence->words[i];
        const kk_word_entry entry = {.n_symbols = count_symbols(word->phonemes),
                                     .is_word = word->source >= 0};
        if (entry.is_word && joins_last(words, word->token, entry.n_symbols))
            continue;
        if (add_entry(words, arena, entry) == NULL ||
            (entry.is_word && !add_item(words, arena, word->token->offset, word->token->len)))
            return kk_fail_memory(err);
    }
    return KOKORO_OK;
}

/* --- hearing --- */

/* Goes through the ids of a chunk and its sound at once. */
typedef struct cursor {
    const kk_chunk *chunk;
    const kk_pcm *whole;
    size_t at;     /* the next id */
    size_t sample; /* where its sound begins */
} cursor;

static void step(cursor *c)
{
    const int32_t frames = c->whole->durations[c->at++];
    c->sample += frames > 0 ? (size_t)frames * KOKORO_SAMPLES_PER_FRAME : 0;
}

/* Skips spaces; whether the chunk has another symbol. */
static bool find_symbol(cursor *c)
{
    while (c->at <= c->chunk->n_phonemes && c->chunk->ids[c->at] == SPACE_ID)
        step(c);
    return c->at <= c->chunk->n_phonemes;
}

/* Where the sound of a symbol is that begins, or ended, there by the durations. */
static size_t heard_at(size_t sample)
{
    return sample > AHEAD ? sample - AHEAD : 0;
}

/* Where in the chunk's sound its words and marks lie. The last may go on in the next chunk. */
static void place(kk_words *words, const kk_chunk *chunk, const kk_pcm *whole)
{
    cursor c = {.chunk = chunk, .whole = whole};
    step(&c); /* the pad in front */
    for (; words->n_placed < words->n; words->n_placed++) {
        kk_word_entry *entry = &words->entries[words->n_placed];
        if (entry->n_symbols > 0 && !find_symbol(&c))
            return;
        if (!entry->has_begun)
            entry->begin = heard_at(c.sample);
        entry->has_begun = true;
        for (; entry->n_symbols > 0; entry->n_symbols--) {
            if (!find_symbol(&c))
                return;
            step(&c);
        }
        entry->end = heard_at(c.sample);
    }
}

/* A place in the chunk's sound as a time of what is given out. */
static double time_of(const kk_words *words, const kk_word_window *window, size_t sample)
{
    size_t at = sample > window->start ? sample - window->start : 0;
    at = at < window->n ? at : window->n;
    return (double)(words->n_samples + at) / KOKORO_SAMPLE_RATE_HZ;
}

void kk_words_hear(kk_words *words, const kk_word_window *window, kokoro_chunk *out)
{
    const size_t end = window->start + window->n, first = words->n_heard_items;
    const bool has_times = window->whole->n_durations == window->chunk->n_phonemes + 2;
    if (window->is_first && has_times)
        place(words, window->chunk, window->whole);
    for (; has_times && words->n_heard < words->n; words->n_heard++) {
        const kk_word_entry *entry = &words->entries[words->n_heard];
        kokoro_timed_word *item = &words->items[words->n_heard_items];
        const bool ends_in_chunk = words->n_heard < words->n_placed;
        if (!entry->has_begun)
            break;
        if (entry->is_word && item->start_s < 0.0 && (entry->begin < end || window->is_last))
            item->start_s = time_of(words, window, entry->begin);
        if (!ends_in_chunk || (entry->end > end && !window->is_last))
            break;
        if (!entry->is_word)
            continue;
        item->end_s = time_of(words, window, entry->end);
        words->n_heard_items++;
    }
    words->n_samples += window->n;
    out->words = words->items + first;
    out->n_words = words->n_heard_items - first;
}

void kk_words_wait(kk_words *words, size_t n_samples)
{
    words->n_samples += n_samples;
}
