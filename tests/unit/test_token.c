/* Chunks: nothing the model knows is lost, none is over the limit, cuts fall where a speaker would
 * breathe. */
#include "check.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "token/token.h"

#include <stdlib.h>

/* The ids of all chunks in a row, spaces left out (a space at a seam is replaced by the seam). */
static size_t flatten(const kk_chunks *chunks, int64_t *dst, size_t capacity)
{
    size_t n = 0;
    for (size_t i = 0; i < chunks->n; i++) {
        const kk_chunk *chunk = &chunks->items[i];
        CHECK(chunk->n_phonemes >= 1 && chunk->n_phonemes <= KOKORO_MAX_PHONEMES);
        CHECK(chunk->ids[0] == 0 && chunk->ids[chunk->n_phonemes + 1] == 0);
        for (size_t k = 1; k <= chunk->n_phonemes && n < capacity; k++) {
            if (chunk->ids[k] != kk_token_id(' '))
                dst[n++] = chunk->ids[k];
        }
    }
    return n;
}

TEST(vocabulary_has_the_models_ids)
{
    static const struct {
        uint32_t symbol;
        int64_t id;
    } rows[] = {{'$', 0},      {';', 1},      {',', 3},     {'.', 4},      {' ', 16},
                {'A', 24},     {'a', 43},     {0x0251, 69}, {0x0254, 76},  {0x02C8, 156},
                {0x02CC, 157}, {0x1D7B, 177}, {0x201C, 14}, {0x2192, 171}, {0x10FFFF, 0},
                {0, 0},        {'g', 0},      {0x0261, 92}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(kk_token_id(rows[i].symbol), rows[i].id);
    int n = 0;
    for (uint32_t c = 0; c < 0x3000; c++)
        n += kk_token_id(c) != 0;
    CHECK_INT(n + (kk_token_id(0xAB67) != 0),
              114); /* the published vocabulary's size; U+AB67 lies outside the range */
}

TEST(short_sentences_share_a_chunk)
{
    kk_arena arena = KK_ARENA_INIT;
    const kk_utterance utterances[] = {{"həlˈO.", false, false},
                                       {"wˈɜɹld.", false, false},
                                       {"nˈɛkst.", true, false},
                                       {"ˈɛnd.", true, false}};
    kk_chunks chunks;
    CHECK_INT(kk_chunks_make(&arena, utterances, 4, KOKORO_MAX_PHONEMES, &chunks, NULL), KOKORO_OK);
    CHECK_INT(chunks.n, 2); /* a paragraph's end is kept as a seam */
    CHECK_INT(chunks.items[0].n_phonemes, 6 + 1 + 7 + 1 + 7);
    CHECK(chunks.items[0].ends_sentence && chunks.items[0].ends_paragraph);
    CHECK_INT(chunks.unknown_symbols, 0);
    kk_arena_fini(&arena);
}

TEST(sentences_that_stand_apart_share_no_chunk)
{
    kk_arena arena = KK_ARENA_INIT;
    const kk_utterance utterances[] = {{"həlˈO.", false, true}, {"wˈɜɹld.", true, true}};
    kk_chunks chunks;
    CHECK_INT(kk_chunks_make(&arena, utterances, 2, KOKORO_MAX_PHONEMES, &chunks, NULL), KOKORO_OK);
    CHECK_INT(chunks.n, 2);
    CHECK(chunks.items[0].ends_sentence && !chunks.items[0].ends_paragraph);
    kk_arena_fini(&arena);
}

TEST(unknown_symbols_are_dropped_and_counted)
{
    kk_arena arena = KK_ARENA_INIT;
    const kk_utterance utterances[] = {{"  a#b\xF0\x9F\x98\x80 \xFF c  ", true, false},
                                       {"@@@", true, false}};
    kk_chunks chunks;
    CHECK_INT(kk_chunks_make(&arena, utterances, 2, KOKORO_MAX_PHONEMES, &chunks, NULL), KOKORO_OK);
    CHECK_INT(chunks.n, 1);
    CHECK_INT(chunks.items[0].n_phonemes, 4); /* "ab c" */
    CHECK_INT(chunks.unknown_symbols, 6);
    kk_arena_fini(&arena);
}

TEST(a_long_sentence_is_cut_behind_a_clause)
{
    kk_arena arena = KK_ARENA_INIT;
    char text[1200];
    memset(text, 'a', sizeof(text));
    for (size_t i = 9; i < sizeof(text); i += 10)
        text[i] = ' ';
    text[400] = ',';
    text[sizeof(text) - 1] = '\0';
    const kk_utterance utterance = {text, true, false};
    kk_chunks chunks;
    CHECK_INT(kk_chunks_make(&arena, &utterance, 1, KOKORO_MAX_PHONEMES, &chunks, NULL), KOKORO_OK);
    CHECK(chunks.n >= 3);
    CHECK_INT(chunks.items[0].n_phonemes, 401);
    CHECK(!chunks.items[0].ends_sentence && chunks.items[chunks.n - 1].ends_sentence);
    CHECK(chunks.items[1].n_phonemes > 400);
    kk_arena_fini(&arena);
}

TEST(no_symbol_is_lost_in_random_text)
{
    static const char *const symbols[] = {"a", "ɹ", "ˈ", " ", " ", ",",
                                          ".", "—", "t", "ə", "I", "…"};
    enum { N_SYMBOLS = sizeof(symbols) / sizeof(symbols[0]), MAX = 6000 };
    static int64_t want[MAX], got[MAX];
    srand(7);
    for (int round = 0; round < 300; round++) {
        kk_arena arena = KK_ARENA_INIT;
        kk_utterance utterances[8];
        size_t n = (size_t)(rand() % 8) + 1, n_want = 0;
        int variety = round % 3 == 0 ? 3 : N_SYMBOLS; /* with 3 there is no place to cut at all */
        for (size_t i = 0; i < n; i++) {
            kk_buf text = KK_BUF_INIT;
            int len = rand() % (round % 5 == 0 ? 1400 : 120);
            for (int k = 0; k < len; k++) {
                const char *symbol = symbols[rand() % variety];
                kk_buf_append_str(&text, symbol);
                uint32_t c = 0;
                (void)kk_utf8_decode(kk_slice_of(symbol), &c);
                if (c != ' ' && n_want < MAX)
                    want[n_want++] = kk_token_id(c);
            }
            utterances[i] = (kk_utterance){kk_arena_strdup(&arena, kk_buf_str(&text)),
                                           rand() % 4 == 0, rand() % 7 == 0};
            kk_buf_fini(&text);
        }
        kk_chunks chunks;
        CHECK_INT(kk_chunks_make(&arena, utterances, n, KOKORO_MAX_PHONEMES, &chunks, NULL),
                  KOKORO_OK);
        size_t n_got = flatten(&chunks, got, MAX);
        CHECK_INT(n_got, n_want);
        CHECK(memcmp(got, want, (n_got < n_want ? n_got : n_want) * sizeof(*got)) == 0);
        kk_arena_fini(&arena);
    }
}

TEST(every_failed_allocation_is_reported)
{
    char text[3000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    kk_utterance utterances[40];
    for (size_t i = 0; i < 40; i++)
        utterances[i] = (kk_utterance){text, true, false};
    int status = KOKORO_NO_MEMORY;
    for (size_t k = 1; status != KOKORO_OK && k < 100; k++) {
        kk_arena arena = KK_ARENA_INIT;
        kk_chunks chunks;
        kokoro_error err = {KOKORO_OK, ""};
        kk_alloc_fail_at(k, 0);
        status = kk_chunks_make(&arena, utterances, 40, KOKORO_MAX_PHONEMES, &chunks, &err);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || err.status == KOKORO_NO_MEMORY);
        kk_arena_fini(&arena);
    }
    CHECK_INT(status, KOKORO_OK);
}

/* Four times as slow is four times as long: such chunks have fewer phonemes. */
TEST(slow_chunks_are_shorter)
{
    static char words[4096];
    kk_arena arena = KK_ARENA_INIT;
    kk_chunks chunks;
    CHECK_INT(kk_chunk_limit(4.0), KOKORO_MAX_PHONEMES);
    CHECK_INT(kk_chunk_limit(0.5), KOKORO_MAX_PHONEMES);
    CHECK_INT(kk_chunk_limit(0.4), KOKORO_MAX_PHONEMES * 4 / 5);
    CHECK_INT(kk_chunk_limit(0.25), KOKORO_MAX_PHONEMES / 2);
    for (size_t i = 0; i + 5 < sizeof(words); i += 5)
        memcpy(words + i, "tata ", 5);
    const kk_utterance utterance = {words, true, false};
    CHECK_INT(kk_chunks_make(&arena, &utterance, 1, kk_chunk_limit(0.25), &chunks, NULL),
              KOKORO_OK);
    size_t n = 0;
    for (size_t i = 0; i < chunks.n; i++) {
        CHECK(chunks.items[i].n_phonemes <= KOKORO_MAX_PHONEMES / 2);
        n += chunks.items[i].n_phonemes;
    }
    CHECK(chunks.n > 15 && n > 4000);
    kk_arena_fini(&arena);
}

TEST_MAIN(T(slow_chunks_are_shorter), T(vocabulary_has_the_models_ids),
          T(short_sentences_share_a_chunk), T(sentences_that_stand_apart_share_no_chunk),
          T(unknown_symbols_are_dropped_and_counted), T(a_long_sentence_is_cut_behind_a_clause),
          T(no_symbol_is_lost_in_random_text), T(every_failed_allocation_is_reported))
