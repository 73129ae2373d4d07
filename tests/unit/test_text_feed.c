/* test_text_feed.c - text that is spoken while it arrives: what is said together, and when a pause
 * is enough. Time is what the test says it is. */
#include "base/alloc.h"
#include "check.h"
#include "server/speech/text_feed.h"

#include <stdlib.h>

static kk_text_feed feed;
static kk_feed_text text;
static double wait_s;

static void begin(size_t max_chars)
{
    CHECK_INT(kk_text_feed_init(&feed, max_chars, 0.0, NULL), KOKORO_OK);
    text = (kk_feed_text){.text = KK_BUF_INIT};
}

static void end(void)
{
    kk_text_feed_fini(&feed);
    kk_buf_fini(&text.text);
}

static int add(const char *words, double now_s)
{
    return kk_text_feed_add(&feed, kk_slice_of(words), now_s, NULL);
}

static int take(double now_s, double buffered_s)
{
    return kk_text_feed_take(&feed, now_s, buffered_s, &text, &wait_s, NULL);
}

TEST(clauses_that_wait_are_joined)
{
    begin(1000);
    CHECK_INT(take(0.0, 0.0), KK_FEED_WAIT);
    CHECK_INT(add("The first one is said. The se", 0.1), KOKORO_OK);
    CHECK_INT(take(0.1, 0.0), KK_FEED_TEXT);
    CHECK_STR(kk_buf_str(&text.text), "The first one is said. ");
    CHECK_INT(text.seam_before, KOKORO_SEAM_NONE);
    CHECK_INT(text.seam_after, KOKORO_SEAM_SENTENCE);
    CHECK_INT(take(0.1, 0.0), KK_FEED_WAIT);
    CHECK_INT(add("cond one waits. The third one too. And", 0.2), KOKORO_OK);
    CHECK_INT(take(0.3, 0.0), KK_FEED_TEXT);
    CHECK_STR(kk_buf_str(&text.text), "The second one waits. The third one too. ");
    CHECK_INT(kk_text_feed_end(&feed, NULL), KOKORO_OK);
    CHECK_INT(take(0.3, 0.0), KK_FEED_TEXT);
    CHECK_STR(kk_buf_str(&text.text), "And");
    CHECK_INT(text.seam_before, KOKORO_SEAM_SENTENCE);
    CHECK_INT(text.seam_after, KOKORO_SEAM_NONE);
    CHECK_INT(take(0.3, 0.0), KK_FEED_END);
    CHECK_INT(take(0.3, 0.0), KK_FEED_END);
    end();
}

TEST(a_cut_is_told_on_both_sides)
{
    begin(1000);
    CHECK_INT(add("When the rain falls on all the roofs, it", 0.0), KOKORO_OK);
    CHECK_INT(take(0.0, 0.0), KK_FEED_TEXT);
    CHECK_STR(kk_buf_str(&text.text), "When the rain falls on all the roofs, ");
    CHECK_INT(text.seam_before, KOKORO_SEAM_NONE);
    CHECK_INT(text.seam_after, KOKORO_SEAM_CUT);
    CHECK_INT(add(" is loud. So", 0.0), KOKORO_OK);
    CHECK_INT(take(0.0, 0.0), KK_FEED_TEXT);
    CHECK_INT(text.seam_before, KOKORO_SEAM_CUT);
    CHECK_INT(text.seam_after, KOKORO_SEAM_SENTENCE);
    end();
}

/* A text, and what of it is said for itself when each piece has been heard before the next comes.
 */
static void check_paragraphs(const char *const pieces[], const char *begins)
{
    char seen[20] = "";
    size_t n_seen = 0;
    begin(1000);
    for (size_t i = 0; pieces[i] != NULL; i++) {
        CHECK_INT(add(pieces[i], (double)i), KOKORO_OK);
        if (pieces[i + 1] == NULL)
            CHECK_INT(kk_text_feed_end(&feed, NULL), KOKORO_OK);
        while (take((double)i + 0.5, 9.0) == KK_FEED_TEXT && n_seen + 1 < sizeof(seen))
            seen[n_seen++] = text.begins_paragraph ? 'p' : '.';
    }
    CHECK_STR(seen, begins);
    end();
}

TEST(a_blank_line_begins_a_paragraph)
{
    static const char *const table[][5] = {
        {"The first one ends.\n\n", "The second one ends.\n\n", "And the third one ends."},
        {"The first one ends.\n", "\nThe second one ends."},
        {"The first one ends.\r\n", " \t\r\nThe second one ends."},
        {"The first one ends.\xE2\x80\xA8", "\xC2\xA0\xE2\x80\xA8The second one ends."},
        {"The first one ends.\r\n", "The second one ends.\n", "And the third one ends."},
        {"\n\nThe first one ends. ", "The second one ends."},
        {"The first one ends, of which there is more, ", "\n\nThe second one ends."},
        {"One.\n", "\nAnd so on."},
        {"One.\n\nAnd so on."}, /* said together: the engine sees the line */
    };
    static const char *const begins[] = {".pp", ".p", ".p", ".p", "...", "..", ".p", ".p", "."};
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
        check_paragraphs(table[i], begins[i]);
}

TEST(not_too_much_at_once)
{
    begin(100000);
    for (int i = 0; i < 100; i++)
        CHECK_INT(add("This is a sentence of forty characters. ", 0.0), KOKORO_OK);
    CHECK_INT(kk_text_feed_end(&feed, NULL), KOKORO_OK);
    size_t n_calls = 0, len = 0;
    for (; take(0.0, 0.0) == KK_FEED_TEXT; n_calls++) {
        CHECK(text.text.len <= 600);
        len += text.text.len;
    }
    CHECK_INT(n_calls, 7);
    CHECK_INT(len, 4000);
    end();
}

TEST(pauses)
{
    begin(1000);
    CHECK_INT(add("It may be over.", 1.0), KOKORO_OK);
    CHECK_INT(take(1.1, 0.0), KK_FEED_WAIT);
    CHECK_NEAR(wait_s, 0.2, 1e-9);
    CHECK_INT(take(1.3001, 9.0), KK_FEED_TEXT);
    CHECK_STR(kk_buf_str(&text.text), "It may be over.");
    CHECK_INT(add(" These are so", 2.0), KOKORO_OK);
    CHECK_INT(take(2.5, 0.0), KK_FEED_WAIT);
    CHECK_NEAR(wait_s, 0.5, 1e-9);
    CHECK_INT(take(3.1, 2.0), KK_FEED_WAIT);
    CHECK_NEAR(wait_s, 2.0, 1e-9);
    CHECK_INT(take(3.1, 0.0), KK_FEED_TEXT);
    CHECK_STR(kk_buf_str(&text.text), " These are ");
    CHECK_INT(text.seam_after, KOKORO_SEAM_CUT);
    CHECK_INT(take(9.0, 0.0), KK_FEED_WAIT);
    CHECK(wait_s > 0.0);
    end();
}

TEST(limit)
{
    begin(10);
    CHECK_INT(add("caf\xC3\xA9", 0.0), KOKORO_OK);
    CHECK_INT(add(" \xC3\xA9t\xC3\xA9 12", 0.0), KOKORO_TOO_LONG);
    CHECK_INT(add(" \xC3\xA9t\xC3\xA9 1", 0.0), KOKORO_OK);
    CHECK_INT(kk_text_feed_end(&feed, NULL), KOKORO_OK);
    CHECK_INT(take(0.0, 0.0), KK_FEED_TEXT);
    CHECK_STR(kk_buf_str(&text.text), "caf\xC3\xA9 \xC3\xA9t\xC3\xA9 1");
    end();
}

TEST(nothing)
{
    begin(10);
    CHECK_INT(kk_text_feed_end(&feed, NULL), KOKORO_OK);
    CHECK_INT(take(0.0, 0.0), KK_FEED_END);
    end();
}

TEST(memory_out)
{
    bool is_done = false;
    for (size_t k = 1; k < 200 && !is_done; k++) {
        feed = (kk_text_feed){0};
        text = (kk_feed_text){.text = KK_BUF_INIT};
        kk_alloc_fail_at(k, 1);
        int status = kk_text_feed_init(&feed, 100, 0.0, NULL);
        if (status == KOKORO_OK)
            status = add("It is all over now. They live in the U.S. He", 0.0);
        if (status == KOKORO_OK)
            status = kk_text_feed_end(&feed, NULL);
        if (status == KOKORO_OK)
            status = take(0.0, 0.0);
        kk_alloc_fail_at(0, 0);
        is_done = status == KK_FEED_TEXT;
        CHECK(is_done || status == KOKORO_NO_MEMORY);
        end();
    }
    CHECK(is_done);
}

TEST_MAIN(T(clauses_that_wait_are_joined), T(a_cut_is_told_on_both_sides),
          T(a_blank_line_begins_a_paragraph), T(not_too_much_at_once), T(pauses), T(limit),
          T(nothing), T(memory_out))
