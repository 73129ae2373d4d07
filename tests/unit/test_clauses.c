/* test_clauses.c - text that arrives in pieces: which clauses come out, when, and that it does not
 * matter how the text was cut. */
#include "base/alloc.h"
#include "base/str.h"
#include "check.h"
#include "kokoro/kokoro.h"

#include <stdlib.h>

/* Clauses in a row, each ended by '|', or by '/' where its sentence goes on. */
static int collect(void *user, const char *text, size_t text_len, bool is_cut)
{
    kk_buf *dst = user;
    kk_buf_append(dst, text, text_len);
    kk_buf_append_char(dst, is_cut ? '/' : '|');
    return 0;
}

static int join(void *user, const char *text, size_t text_len, bool is_cut)
{
    (void)is_cut;
    kk_buf_append(user, text, text_len);
    return 0;
}

/* In pieces of `step` bytes. With `ends` false what has not come out stays away. */
static void split(kk_buf *dst, const char *text, size_t len, size_t step, bool ends,
                  kokoro_clause_fn *fn)
{
    kokoro_clauses *clauses = NULL;
    CHECK_INT(kokoro_clauses_open(&clauses, NULL), KOKORO_OK);
    for (size_t i = 0; i < len; i += step) {
        size_t n = len - i < step ? len - i : step;
        CHECK_INT(kokoro_clauses_add(clauses, text + i, n, fn, dst, NULL), KOKORO_OK);
    }
    if (ends)
        CHECK_INT(kokoro_clauses_flush(clauses, KOKORO_FLUSH_ALL, fn, dst, NULL), KOKORO_OK);
    kokoro_clauses_close(&clauses);
    CHECK(clauses == NULL);
}

/* What has come out of `text` while more may follow. */
static void check_split(const char *text, const char *want)
{
    kk_buf got = KK_BUF_INIT;
    split(&got, text, strlen(text), strlen(text) + 1, false, collect);
    CHECK_STR(kk_buf_str(&got), want);
    kk_buf_fini(&got);
}

TEST(sentences)
{
    check_split("Hello there", "");
    check_split("Hello there.", "");
    check_split("Hello there. ", "");
    check_split("Hello there. H", "Hello there. |");
    check_split("Hello there. How are you? Fine, thanks! Y",
                "Hello there. |How are you? |Fine, thanks! |");
    check_split("What is it?  \t Nothing.", "What is it?  \t |");
    /* Ogham's, mathematics' and the ideographic space; NEL ends a line as in a whole text. */
    check_split("What is it?\u1680Nothing.", "What is it?\u1680|");
    check_split("What is it?\u205FNothing.", "What is it?\u205F|");
    check_split("What is it?\u3000Nothing.", "What is it?\u3000|");
    check_split("That is the title\xC2\x85Nothing", "That is the title\xC2\x85|");
    check_split("That is the title\u2029Nothing", "That is the title\u2029|");
    check_split("Is it Yahoo! or is it Google? We know", "Is it Yahoo! or is it Google? |");
}

TEST(short_sentences_go_with_the_next)
{
    check_split("Yes. It is so. W", "Yes. It is so. |");
    check_split("1. The first thing. 2. The second thing. 3",
                "1. The first thing. |2. The second thing. |");
    check_split("Hi.\nAll is well here.\nI", "Hi.\nAll is well here.\n|");
}

TEST(no_end_behind_abbreviations)
{
    check_split("I know Dr. Smith well. H", "I know Dr. Smith well. |");
    check_split("Take fruit, e.g. Apples or pears. H", "Take fruit, e.g. Apples or pears. |");
    check_split("It is about 3.14 or so. H", "It is about 3.14 or so. |");
    check_split("It is 5 p.m. now, Mr. J. R. Fox. H", "It is 5 p.m. now, Mr. J. R. Fox. |");
    check_split("See the U.S. Congress ", "");
    check_split("See the U.S. A", "");
    check_split("See the U.S. Army go. H", "See the U.S. Army go. |");
    check_split("They live in the U.S. He", "");
    check_split("They live in the U.S. He ", "They live in the U.S. |");
    check_split("This is volume No. 5 of it. H", "This is volume No. 5 of it. |");
}

TEST(ellipses_quotes_brackets)
{
    check_split("Well, wait... what is it? Not", "Well, wait... what is it? |");
    check_split("I do not know... But", "I do not know... |");
    check_split("I do not know\xE2\x80\xA6 But", "I do not know\xE2\x80\xA6 |");
    check_split("He said \"stop it.\" Then he left.", "He said \"stop it.\" |");
    check_split("He said \xE2\x80\x9Cstop it!\xE2\x80\x9D Then",
                "He said \xE2\x80\x9Cstop it!\xE2\x80\x9D |");
    check_split("(It was all over.) Then he left.", "(It was all over.) |");
    check_split("It was all over. \"Then", "It was all over. |");
    check_split("It was all over. (Then", "It was all over. |");
    check_split("Really, is it so?! Then", "Really, is it so?! |");
}

TEST(line_breaks)
{
    check_split("A line without a mark\n", "A line without a mark\n|");
    check_split("A line without a mark\r\nAnd another one\r\n",
                "A line without a mark\r\n|And another one\r\n|");
    check_split("\n\nA line without a mark\n\n\nX", "\n\nA line without a mark\n|");
}

TEST(first_clause_may_be_cut)
{
    check_split("Well, as you asked for the weather, it will rain, and then it will snow, I think",
                "Well, as you asked for the weather, /");
    check_split("When the rain falls on roofs; it is loud", "When the rain falls on roofs; /");
    check_split("There are so many of these: one", "There are so many of these: /");
    check_split("It costs a million, 1,000,000", "");
    check_split("It costs about 1,000,000 dollars", "");
    check_split("The end of the long story\xE2\x80\x94"
                "here",
                "The end of the long story\xE2\x80\x94/");
    check_split("It was fun. When the rain falls on roofs, it is", "It was fun. |");
}

TEST(long_clauses_are_cut)
{
    kk_buf text = KK_BUF_INIT, got = KK_BUF_INIT;
    kk_buf_append_str(&text, "It was all fun. And ");
    for (int i = 0; i < 40; i++)
        kk_buf_append_str(&text, "and so on and on, ");
    split(&got, text.data, text.len, 7, false, collect);
    const char *first = strchr(got.data, '|'), *second = strchr(got.data, '/');
    CHECK(first != NULL && second != NULL);
    if (second != NULL) {
        CHECK_INT(second[-2], ',');
        CHECK(second - first > 240 && second - first < 270);
    }
    kk_buf_clear(&text);
    kk_buf_clear(&got);
    for (int i = 0; i < 1000; i++)
        kk_buf_append_str(&text, "\xE3\x81\x82");
    split(&got, text.data, text.len, 5, false, collect);
    CHECK_INT(strcspn(kk_buf_str(&got), "/"), 3 * 480);
    kk_buf_fini(&text);
    kk_buf_fini(&got);
}

static void check_flush(const char *text, int kind, const char *want)
{
    kk_buf got = KK_BUF_INIT;
    kokoro_clauses *clauses = NULL;
    CHECK_INT(kokoro_clauses_open(&clauses, NULL), KOKORO_OK);
    CHECK_INT(kokoro_clauses_add(clauses, text, strlen(text), collect, &got, NULL), KOKORO_OK);
    CHECK_INT(got.len, 0);
    CHECK_INT(kokoro_clauses_flush(clauses, kind, collect, &got, NULL), KOKORO_OK);
    CHECK_STR(kk_buf_str(&got), want);
    kk_buf_fini(&got);
    kokoro_clauses_close(&clauses);
}

TEST(flush)
{
    check_flush("Hello there.", KOKORO_FLUSH_SENTENCE, "Hello there.|");
    check_flush("Yes. ", KOKORO_FLUSH_SENTENCE, "Yes. |");
    check_flush("He said \"no.\"", KOKORO_FLUSH_SENTENCE, "He said \"no.\"|");
    check_flush("One line\n", KOKORO_FLUSH_SENTENCE, "One line\n|");
    check_flush("They live in the U.S.", KOKORO_FLUSH_SENTENCE, "They live in the U.S.|");
    check_flush("I saw Dr.", KOKORO_FLUSH_SENTENCE, "");
    check_flush("It is 3.", KOKORO_FLUSH_SENTENCE, "");
    check_flush("Hello there", KOKORO_FLUSH_SENTENCE, "");
    check_flush("Hello,", KOKORO_FLUSH_SENTENCE, "");
    check_flush(" \n ", KOKORO_FLUSH_SENTENCE, "");
    check_flush("Hello there my fri", KOKORO_FLUSH_WORDS, "Hello there my /");
    check_flush("Hel", KOKORO_FLUSH_WORDS, "");
    check_flush(" Hel", KOKORO_FLUSH_WORDS, "");
    check_flush("Hello there my fri", KOKORO_FLUSH_ALL, "Hello there my fri|");
    check_flush("Caf\xC3", KOKORO_FLUSH_SENTENCE, "");
    check_flush("", KOKORO_FLUSH_ALL, "");
}

static const char *const parts[] = {"Hello",
                                    " ",
                                    "  ",
                                    ". ",
                                    ".",
                                    "! ",
                                    "?\" ",
                                    "...",
                                    "\n",
                                    "\r\n",
                                    ", ",
                                    "; ",
                                    "Dr. ",
                                    "U.S. ",
                                    "3.14 ",
                                    "e.g. ",
                                    "The",
                                    "he ",
                                    "word ",
                                    "Xerox",
                                    "\"",
                                    "(",
                                    ") ",
                                    "\xE2\x80\x94",
                                    "1,000 ",
                                    "$5 ",
                                    "p.m. ",
                                    "No. ",
                                    "5",
                                    "\xE2\x80\xA6 ",
                                    "\xC3\xA9t\xC3\xA9 ",
                                    "\xF0\x9F\x98\x80 ",
                                    "\xE3\x80\x82",
                                    "\xE2\x80\x9C",
                                    "\xE2\x80\x9D ",
                                    "*bold* ",
                                    "- ",
                                    "https://a.b/c?d=e. ",
                                    "St. John ",
                                    "a\xCC\x81",
                                    "\xFF",
                                    "\xC3",
                                    "\xE2\x80",
                                    "&",
                                    "It's "};

static uint32_t state = 88172645u;

static uint32_t draw(void) /* xorshift32 (Marsaglia 2003) */
{
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

/* The clauses are the text, and the same however it is cut. */
TEST(any_cut_gives_the_same)
{
    for (int round = 0; round < 300; round++) {
        kk_buf text = KK_BUF_INIT, whole = KK_BUF_INIT, joined = KK_BUF_INIT;
        for (uint32_t n = 1 + draw() % 60; n > 0; n--)
            kk_buf_append_str(&text, parts[draw() % (sizeof(parts) / sizeof(parts[0]))]);
        split(&whole, text.data, text.len, text.len, true, collect);
        split(&joined, text.data, text.len, text.len, true, join);
        CHECK_STR(kk_buf_str(&joined), text.data);
        for (size_t step = 1; step < 8; step++) {
            kk_buf got = KK_BUF_INIT;
            split(&got, text.data, text.len, step, true, collect);
            CHECK_STR(kk_buf_str(&got), whole.data);
            kk_buf_fini(&got);
        }
        kk_buf_fini(&text);
        kk_buf_fini(&whole);
        kk_buf_fini(&joined);
    }
}

TEST(one_cut_at_every_byte)
{
    static const char text[] =
        "Dr. Smith \xE2\x80\x94 who lives in the U.S. \xE2\x80\x94 paid 3.14 "
        "\xE2\x82\xAC\xE2\x80\xA6 \xE2\x80\x9CWhy?\xE2\x80\x9D Nobody knows. He left!\nAnd so on.";
    kk_buf whole = KK_BUF_INIT;
    split(&whole, text, sizeof(text) - 1, sizeof(text), true, collect);
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        kk_buf got = KK_BUF_INIT;
        kokoro_clauses *clauses = NULL;
        CHECK_INT(kokoro_clauses_open(&clauses, NULL), KOKORO_OK);
        CHECK_INT(kokoro_clauses_add(clauses, text, cut, collect, &got, NULL), KOKORO_OK);
        CHECK_INT(
            kokoro_clauses_add(clauses, text + cut, sizeof(text) - 1 - cut, collect, &got, NULL),
            KOKORO_OK);
        CHECK_INT(kokoro_clauses_flush(clauses, KOKORO_FLUSH_ALL, collect, &got, NULL), KOKORO_OK);
        CHECK_STR(kk_buf_str(&got), kk_buf_str(&whole));
        kokoro_clauses_close(&clauses);
        kk_buf_fini(&got);
    }
    kk_buf_fini(&whole);
}

static int refuse(void *user, const char *text, size_t text_len, bool is_cut)
{
    (void)text;
    (void)is_cut;
    *(size_t *)user += text_len;
    return 1;
}

TEST(the_caller_may_stop)
{
    kokoro_clauses *clauses = NULL;
    kokoro_error err = {0};
    size_t taken = 0;
    CHECK_INT(kokoro_clauses_open(&clauses, NULL), KOKORO_OK);
    CHECK_INT(kokoro_clauses_add(clauses, "It was so. It is so. It is", 26, refuse, &taken, &err),
              KOKORO_CANCELLED);
    CHECK_INT(err.status, KOKORO_CANCELLED);
    CHECK_INT(taken, 11);
    kokoro_clauses_close(&clauses);
}

TEST(memory_out)
{
    static const char text[] = "They live in the U.S. He knows. It is so, as you see.\nDo you? ";
    bool is_done = false;
    for (size_t k = 1; k < 200 && !is_done; k++) {
        kk_buf got = KK_BUF_INIT;
        kokoro_clauses *clauses = NULL;
        size_t n_out = 0;
        kk_alloc_fail_at(k, 1);
        int status = kokoro_clauses_open(&clauses, NULL);
        if (status == KOKORO_OK)
            status = kokoro_clauses_add(clauses, text, sizeof(text) - 1, refuse, &n_out, NULL);
        if (status == KOKORO_CANCELLED)
            status = kokoro_clauses_flush(clauses, KOKORO_FLUSH_SENTENCE, refuse, &n_out, NULL);
        kk_alloc_fail_at(0, 0);
        is_done = status == KOKORO_CANCELLED || status == KOKORO_OK;
        CHECK(is_done || status == KOKORO_NO_MEMORY);
        kokoro_clauses_close(&clauses);
        kk_buf_fini(&got);
    }
    CHECK(is_done);
}

TEST_MAIN(T(sentences), T(short_sentences_go_with_the_next), T(no_end_behind_abbreviations),
          T(ellipses_quotes_brackets), T(line_breaks), T(first_clause_may_be_cut),
          T(long_clauses_are_cut), T(flush), T(any_cut_gives_the_same), T(one_cut_at_every_byte),
          T(the_caller_may_stop), T(memory_out))
