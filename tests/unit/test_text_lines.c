/* test_text_lines.c - a text that arrives as lines of JSON, in any pieces. */
#include "base/alloc.h"
#include "check.h"
#include "server/json.h"
#include "server/speech/text_lines.h"

/* Each line's text between < and >; * at the end; what is wrong as ! and its status. */
static void read_lines(kk_buf *dst, const char *bytes, size_t len, size_t step, bool ends)
{
    kk_text_lines lines = {.in = KK_BUF_INIT};
    kk_buf text = KK_BUF_INIT;
    for (size_t i = 0; i < len + 1; i += step) {
        int status = KOKORO_OK;
        kk_slice line;
        kokoro_error err = {0};
        if (i < len)
            CHECK(kk_text_lines_add(&lines, bytes + i, len - i < step ? len - i : step));
        if (ends && i + step >= len + 1)
            kk_text_lines_end(&lines);
        while (kk_text_lines_next(&lines, &line, &status, &err)) {
            status = kk_text_lines_read(&lines, line, &text, &err);
            if (status != KOKORO_OK)
                break;
            kk_buf_appendf(dst, "<%s>", kk_buf_str(&text));
        }
        if (status != KOKORO_OK) {
            CHECK(err.message[0] != '\0');
            kk_buf_appendf(dst, "!%s", status == KOKORO_BAD_TEXT ? "" : "long");
            break;
        }
    }
    if (lines.is_done)
        kk_buf_append_char(dst, '*');
    kk_buf_fini(&text);
    kk_text_lines_fini(&lines);
}

static void check_lines(const char *bytes, const char *want)
{
    for (size_t step = 1; step < 90; step += step < 9 ? 1 : 40) {
        kk_buf got = KK_BUF_INIT;
        read_lines(&got, bytes, strlen(bytes), step, true);
        CHECK_STR(kk_buf_str(&got), want);
        kk_buf_fini(&got);
    }
}

TEST(lines)
{
    check_lines("", "*");
    check_lines("\n\r\n  \n", "*");
    check_lines("{}\n", "<>*");
    check_lines("{\"text\":\"Hi \"}\r\n\n{\"input\":\"there.\"}", "<Hi ><there.>*");
    check_lines("{\"voice\":\"x\",\"text\":null}\n{\"text\":\"a\",\"more\":[1]}\n", "<><a>*");
    check_lines("{\"text\":\"a\\nb\\u00e9\"}\n", "<a\nb\xC3\xA9>*");
    check_lines("{\"text\":\"a\"}\n{\"done\":true}\n{\"text\":\"b\"}\nrubbish\n", "<a><>*");
    check_lines("{\"text\":\"a\",\"done\":true}\n{\"text\":\"b\"}\n", "<a>*");
    check_lines("{\"text\":\"a\"}\n{\"done\":false}\n{\"text\":\"b\"}\n", "<a><><b>*");
}

TEST(bad_lines)
{
    check_lines("{\"text\":\"a\"}\nhello\n{\"text\":\"b\"}\n", "<a>!");
    check_lines("[]\n", "!");
    check_lines("{\"text\":1}\n", "!");
    check_lines("{\"text\":\"\xFF\"}\n", "!");
    check_lines("{\"text\":\"a\",\"text\":\"b\"}\n", "!");
    check_lines("{\"text\":\"a", "!");
}

TEST(more_may_follow)
{
    kk_buf got = KK_BUF_INIT;
    static const char bytes[] = "{\"text\":\"a\"}\n{\"text\":\"b\"}";
    read_lines(&got, bytes, sizeof(bytes) - 1, 5, false);
    CHECK_STR(kk_buf_str(&got), "<a>");
    kk_buf_fini(&got);
}

TEST(long_lines)
{
    kk_buf bytes = KK_BUF_INIT, got = KK_BUF_INIT;
    for (size_t i = 0; i <= KK_TEXT_LINE_MAX; i++)
        kk_buf_append_char(&bytes, 'a');
    read_lines(&got, bytes.data, bytes.len, 1000, false);
    CHECK_STR(kk_buf_str(&got), "!long");
    kk_buf_clear(&bytes);
    kk_buf_clear(&got);
    for (int i = 0; i < 100; i++)
        kk_buf_append_str(&bytes, "{\"a\":");
    kk_buf_append_char(&bytes, '\n');
    read_lines(&got, bytes.data, bytes.len, 1000, true);
    CHECK_STR(kk_buf_str(&got), "!");
    kk_buf_fini(&bytes);
    kk_buf_fini(&got);
}

TEST(memory_out)
{
    static const char bytes[] = "{\"text\":\"Hello there.\"}\n";
    bool is_done = false;
    kk_json_use_kk_alloc();
    for (size_t k = 1; k < 100 && !is_done; k++) {
        kk_text_lines lines = {.in = KK_BUF_INIT};
        kk_buf text = KK_BUF_INIT;
        kk_slice line;
        int status = KOKORO_NO_MEMORY;
        kk_alloc_fail_at(k, 1);
        if (kk_text_lines_add(&lines, bytes, sizeof(bytes) - 1) &&
            kk_text_lines_next(&lines, &line, &status, NULL))
            status = kk_text_lines_read(&lines, line, &text, NULL);
        kk_alloc_fail_at(0, 0);
        is_done = status == KOKORO_OK;
        CHECK(is_done || status == KOKORO_NO_MEMORY);
        kk_buf_fini(&text);
        kk_text_lines_fini(&lines);
    }
    CHECK(is_done);
}

TEST_MAIN(T(lines), T(bad_lines), T(more_may_follow), T(long_lines), T(memory_out))
