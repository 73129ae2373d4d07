/* The contracts of src/base. */
#include "check.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/known_files.h"
#include "base/str.h"
#include "base/utf8.h"
#include "kokoro/kokoro.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TEST(alloc_fails_where_it_is_told)
{
    kk_alloc_fail_at(2, 0);
    void *a = kk_alloc(1), *b = kk_alloc(1), *c = kk_alloc(1);
    CHECK(a != NULL && b == NULL && c != NULL);
    CHECK_INT(kk_alloc_count(), 3);
    kk_alloc_fail_at(1, 1);
    CHECK(kk_alloc(1) == NULL && kk_calloc(1, 1) == NULL && kk_realloc(a, 9) == NULL);
    kk_alloc_fail_at(0, 0);
    CHECK(kk_calloc(SIZE_MAX, 2) == NULL);
    kk_free(a);
    kk_free(c);
}

TEST(arena_aligns_and_grows)
{
    kk_arena arena = KK_ARENA_INIT;
    for (size_t size = 0; size < 300000; size = size * 3 + 1) {
        unsigned char *block = kk_arena_alloc(&arena, size);
        CHECK(block != NULL && (uintptr_t)block % (size >= 64 ? 64 : 16) == 0);
        if (block != NULL)
            memset(block, 0xA5, size);
    }
    size_t capacity = 0;
    int *items = NULL;
    for (int i = 0; i < 1000; i++) {
        items = kk_arena_grow(&arena, items, (size_t)i, (size_t)i + 1, sizeof(int), &capacity);
        items[i] = i;
    }
    CHECK_INT(items[0] + items[999], 999);
    kk_arena_fini(&arena);
    CHECK_STR(kk_arena_strdup(&arena, "again"), "again");
    kk_arena_fini(&arena);
}

TEST(buf_keeps_its_failure)
{
    kk_buf buf = KK_BUF_INIT;
    kk_buf_appendf(&buf, "%d %s", 42, "voices");
    kk_buf_append_code_point(&buf, 0x20AC);
    CHECK_STR(kk_buf_str(&buf), "42 voices\xE2\x82\xAC");
    kk_alloc_fail_at(1, 1);
    for (int i = 0; i < 100; i++)
        kk_buf_append_char(&buf, 'x');
    kk_alloc_fail_at(0, 0);
    CHECK(buf.failed);
    CHECK_STR(kk_buf_str(&buf), "");
    kk_buf_fini(&buf);
}

TEST(utf8_takes_only_the_shortest_form)
{
    static const struct {
        const char *bytes;
        size_t valid;
    } rows[] = {{"abc", 3},
                {"\xC3\xA9", 2},
                {"\xC0\x80", 0},
                {"a\xED\xA0\x80", 1},
                {"\xF4\x90\x80\x80", 0},
                {"\xE2\x82", 0},
                {"\xF0\x9F\x98\x80", 4},
                {"\xE0\x80\xAF", 0},
                {"\xFF", 0},
                {"\x80", 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(kk_utf8_valid_len(kk_slice_of(rows[i].bytes)), rows[i].valid);
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char bytes[4];
        uint32_t back;
        size_t len = kk_utf8_encode(bytes, c);
        bool is_code_point = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
        if ((len > 0) != is_code_point ||
            (len > 0 && (kk_utf8_decode((kk_slice){bytes, len}, &back) != len || back != c)))
            CHECK_INT(c, -1);
    }
}

/* The list of Unicode 15's PropList.txt. */
TEST(white_space_is_unicodes)
{
    static const uint32_t spaces[] = {0x09,   0x0A,   0x0B,   0x0C,   0x0D,   0x20,   0x85,
                                      0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004,
                                      0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028,
                                      0x2029, 0x202F, 0x205F, 0x3000};
    size_t next = 0;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        const bool is_next = next < sizeof(spaces) / sizeof(spaces[0]) && spaces[next] == c;
        next += is_next;
        if (kk_is_white_space(c) != is_next || (kk_is_line_break(c) && !is_next))
            CHECK_INT(c, -1);
    }
    CHECK_INT(next, sizeof(spaces) / sizeof(spaces[0]));
    CHECK(kk_is_line_break('\n') && kk_is_line_break('\r') && kk_is_line_break(0x85));
    CHECK(kk_is_line_break(0x2028) && kk_is_line_break(0x2029));
    CHECK(!kk_is_line_break(' ') && !kk_is_line_break(0x0B) && !kk_is_line_break(0x0C));
}

TEST(numbers_are_read_whole_or_not)
{
    long long n;
    double x;
    bool b;
    CHECK(kk_parse_int("8000", &n) && n == 8000);
    CHECK(!kk_parse_int("8000x", &n) && !kk_parse_int("", &n) && !kk_parse_int(" 1", &n));
    CHECK(!kk_parse_int("99999999999999999999", &n));
    CHECK(kk_parse_real("1.25", &x) && x > 1.2 && x < 1.3);
    CHECK(!kk_parse_real("nan", &x) && !kk_parse_real("inf", &x) && !kk_parse_real("0x10", &x));
    CHECK(kk_parse_bool("Yes", &b) && b && kk_parse_bool("0", &b) && !b && !kk_parse_bool("2", &b));
}

TEST(writer_leaves_all_or_nothing)
{
    char dir[] = "/tmp/kokoro-test-XXXXXX";
    CHECK(mkdtemp(dir) != NULL);
    char *path = kk_path_join(dir, "file");
    kk_writer writer;
    kokoro_error err;
    CHECK_INT(kk_writer_open(&writer, path, &err), KOKORO_OK);
    kk_writer_write(&writer, "....data", 8);
    kk_writer_rewrite(&writer, 0, "head", 4);
    CHECK(!kk_file_exists(path));
    CHECK_INT(kk_writer_commit(&writer, &err), KOKORO_OK);
    kk_buf buf = KK_BUF_INIT;
    CHECK_INT(kk_file_read(&buf, path, 100, &err), KOKORO_OK);
    CHECK_STR(kk_buf_str(&buf), "headdata");
    CHECK_INT(kk_file_read(&buf, path, 7, &err), KOKORO_TOO_LONG);
    CHECK_INT(kk_writer_open(&writer, path, &err), KOKORO_OK);
    kk_writer_write(&writer, "other", 5);
    kk_writer_abort(&writer);
    kk_map map;
    CHECK_INT(kk_map_open(&map, path, "file", &err), KOKORO_OK);
    CHECK_INT(map.len, 8);
    kk_map_close(&map);
    CHECK_INT(kk_map_open(&map, dir, "model", &err), KOKORO_IO);
    CHECK_HAS(err.message, "not a regular file");
    (void)unlink(path);
    CHECK_INT(kk_map_open(&map, path, "model", &err), KOKORO_NOT_FOUND);
    CHECK_INT(rmdir(dir), 0);
    kk_buf_fini(&buf);
    kk_free(path);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "r+");
    if (file == NULL)
        file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0);
    if (file != NULL)
        CHECK_INT(fclose(file), 0);
}

/* What was found whole is known until the file is another, or in another state. */
TEST(a_file_found_whole_is_known_until_it_changes)
{
    char path[] = "/tmp/kokoro-known-XXXXXX", other[] = "/tmp/kokoro-known-XXXXXX";
    int fd = mkstemp(path), fd_other = mkstemp(other);
    CHECK(fd >= 0 && fd_other >= 0);
    (void)close(fd), (void)close(fd_other);
    const struct timespec settle = {.tv_nsec = 250000000};
    kk_map map;
    kokoro_known_files *known = kokoro_known_files_new();
    CHECK(known != NULL);
    write_text(path, "whole"), write_text(other, "whole");
    CHECK_INT(kk_map_open(&map, path, "file", NULL), KOKORO_OK);
    kk_known_files_add(known, &map, 7);
    CHECK(!kk_known_files_has(known, &map, 7)); /* written just now: it may change unseen */
    kk_map_close(&map);
    (void)nanosleep(&settle, NULL);
    CHECK_INT(kk_map_open(&map, path, "file", NULL), KOKORO_OK);
    kk_known_files_add(known, &map, 7);
    CHECK(kk_known_files_has(known, &map, 7));
    CHECK(!kk_known_files_has(known, &map, 8));
    kk_map_close(&map);
    CHECK(!kk_known_files_has(known, &map, 7));
    CHECK_INT(kk_map_open(&map, path, "file", NULL), KOKORO_OK);
    CHECK(kk_known_files_has(known, &map, 7));
    kk_map_close(&map);
    CHECK_INT(kk_map_open(&map, other, "file", NULL), KOKORO_OK);
    CHECK(!kk_known_files_has(known, &map, 7));
    kk_map_close(&map);
    write_text(path, "wrong");
    CHECK_INT(kk_map_open(&map, path, "file", NULL), KOKORO_OK);
    CHECK(!kk_known_files_has(known, &map, 7));
    kk_map_close(&map);
    /* Who keeps nothing in mind knows nothing. */
    CHECK_INT(kk_map_open(&map, other, "file", NULL), KOKORO_OK);
    kk_known_files_add(NULL, &map, 7);
    CHECK(!kk_known_files_has(NULL, &map, 7));
    kk_map_close(&map);
    kokoro_known_files_free(&known);
    CHECK(known == NULL);
    (void)unlink(path), (void)unlink(other);
}

/* A tenth of a second to both sides of now: what is dated later was written by another clock. */
TEST(a_file_is_settled_when_it_was_not_written_just_now)
{
    const int64_t now_ns = (int64_t)(1e9 * kk_wall_s()), s_ns = 1000000000;
    const struct {
        int64_t offset_ns;
        bool is_settled;
    } cases[] = {{-s_ns, true}, {-s_ns / 100, false}, {s_ns / 50, false}, {s_ns * 3600, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const kk_file_id id = {.inode = 1, .changed_ns = now_ns + cases[i].offset_ns};
        CHECK_INT(kk_file_id_is_settled(&id), cases[i].is_settled);
    }
}

/* Forgotten pages are read again, whatever part of the file is named. */
TEST(a_forgotten_map_still_reads)
{
    char path[] = "/tmp/kokoro-forget-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    static unsigned char bytes[3 * 4096 + 100];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i % 251);
    CHECK_INT(kk_write_all(fd, bytes, sizeof(bytes)), 0);
    (void)close(fd);
    kk_map map = {.data = NULL};
    kk_map_forget(&map, 0, 4096);
    kk_map_ask_huge(&map);
    CHECK_INT(kk_map_open(&map, path, "file", NULL), KOKORO_OK);
    kk_map_ask_huge(&map);
    const size_t ranges[][2] = {
        {0, map.len}, {1, 4096}, {4095, 8193}, {8192, SIZE_MAX}, {9000, 10}};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        kk_map_forget(&map, ranges[i][0], ranges[i][1]);
        CHECK(memcmp(map.data, bytes, sizeof(bytes)) == 0);
    }
    kk_map_close(&map);
    (void)unlink(path);
}

TEST(status_has_a_text)
{
    CHECK_STR(kokoro_status_text(KOKORO_OK), "success");
    CHECK_STR(kokoro_status_text(KOKORO_VOICE), "unknown voice");
    CHECK_STR(kokoro_status_text(12345), "unknown status");
}

TEST(base64_of_every_length)
{
    /* RFC 4648, section 10. */
    static const char *const coded[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    kk_buf buf = KK_BUF_INIT;
    for (size_t len = 0; len <= 6; len++) {
        kk_buf_clear(&buf);
        kk_base64_append(&buf, "foobar", len);
        CHECK_STR(kk_buf_str(&buf), coded[len]);
    }
    unsigned char bytes[2000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i % 251 ^ 0xA5);
    kk_buf whole = KK_BUF_INIT;
    kk_base64_append(&whole, bytes, sizeof(bytes));
    CHECK_INT(whole.len, (sizeof(bytes) + 2) / 3 * 4);
    kk_buf_clear(&buf);
    kk_base64_append(&buf, bytes, 999);
    kk_base64_append(&buf, bytes + 999, sizeof(bytes) - 999);
    CHECK_STR(kk_buf_str(&buf), kk_buf_str(&whole));
    kk_buf_fini(&buf);
    kk_buf_fini(&whole);
}

TEST(text_is_shown_without_what_steers_a_terminal)
{
    char shown[32];
    CHECK_STR(kk_text_shown(shown, sizeof(shown), "a\xffz\n\x1b[1m\xc2\x9b\xc3\xa9\x7f"),
              "a?z??[1m?\xc3\xa9?");
    CHECK_STR(kk_text_shown(shown, 4, "ab\xc3\xa9z"), "ab"); /* no half of a letter */
    CHECK_STR(kk_text_shown(shown, 1, "ab"), "");
}

TEST_MAIN(T(base64_of_every_length), T(alloc_fails_where_it_is_told), T(arena_aligns_and_grows),
          T(buf_keeps_its_failure), T(utf8_takes_only_the_shortest_form),
          T(white_space_is_unicodes), T(numbers_are_read_whole_or_not),
          T(writer_leaves_all_or_nothing), T(a_file_found_whole_is_known_until_it_changes),
          T(a_file_is_settled_when_it_was_not_written_just_now), T(a_forgotten_map_still_reads),
          T(status_has_a_text), T(text_is_shown_without_what_steers_a_terminal))
