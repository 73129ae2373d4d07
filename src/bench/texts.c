/* texts.c - see texts.h. */
#include "bench/texts.h"

#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 20, USUAL_CHARS = 100 };

/* Of about one length in speech; the first is that of the text itself. */
static const char *const names[] = {"Anna",  "Helen", "Peter", "Laura",  "Simon", "Oscar",
                                    "Karen", "Robin", "Susan", "Edward", "Martin"};
enum { N_NAMES = sizeof(names) / sizeof(names[0]) };

static const struct {
    const char *name, *text;
} own_texts[] = {
    {"short", "Good day, Anna."},
    {"medium", "The last ferry leaves at half past nine, so Anna packed her bag and ran down the "
               "hill."},
    {"long",
     "The village lies where two rivers meet, and for most of the year it is a quiet place. "
     "In spring Anna opens the mill, and the first visitors come over the old stone bridge. "
     "They buy bread and honey, walk up to the tower, and look across the fields to the "
     "sea. By evening the last bus has gone, the lamps along the water are lit, and only "
     "the frogs can still be heard below the weir."},
};

static int add_text(kk_bench_result *result, const char *name, const char *text, size_t len,
                    kokoro_error *err)
{
    kk_bench_text *out = &result->texts[result->n_texts];
    out->name = kk_arena_strdup(&result->arena, name);
    out->text = kk_arena_strndup(&result->arena, text, len);
    out->n_chars = kk_utf8_count((kk_slice){text, len});
    if (out->name == NULL || out->text == NULL)
        return kk_fail_memory(err);
    result->n_texts++;
    return KOKORO_OK;
}

int kk_bench_own_texts(kk_bench_result *result, bool with_long, kokoro_error *err)
{
    int status = KOKORO_OK;
    result->n_texts = 0;
    result->deciding_text = 1;
    for (size_t i = 0; status == KOKORO_OK && i < (with_long ? 3U : 2U); i++)
        status =
            add_text(result, own_texts[i].name, own_texts[i].text, strlen(own_texts[i].text), err);
    return status;
}

static int add_line(kk_bench_result *result, kk_slice line, const char *path, kokoro_error *err)
{
    char name[32];
    if (result->n_texts == KK_BENCH_MAX_TEXTS)
        return kk_fail(err, KOKORO_TOO_LONG, "%.200s has more than %d texts; give the first ones",
                       path, KK_BENCH_MAX_TEXTS);
    (void)snprintf(name, sizeof(name), "text %zu", result->n_texts + 1);
    return add_text(result, name, line.data, line.len, err);
}

static size_t nearest_to_usual(const kk_bench_result *result)
{
    size_t best = 0;
    long long least = -1;
    for (size_t i = 0; i < result->n_texts; i++) {
        const long long off = llabs((long long)result->texts[i].n_chars - USUAL_CHARS);
        if (least < 0 || off < least) {
            least = off;
            best = i;
        }
    }
    return best;
}

int kk_bench_file_texts(kk_bench_result *result, const char *path, kokoro_error *err)
{
    kk_buf buf = KK_BUF_INIT;
    kokoro_error why = {0};
    int status = kk_file_read(&buf, path, FILE_LIMIT, &why);
    /* NOT_FOUND is for what the set-up brings. */
    if (status != KOKORO_OK)
        status = kk_fail(err, status == KOKORO_NOT_FOUND ? KOKORO_IO : status, "the texts: %s",
                         why.message);
    kk_slice rest = {kk_buf_str(&buf), buf.len};
    result->n_texts = 0;
    if (status == KOKORO_OK && kk_utf8_valid_len(rest) < rest.len)
        status = kk_fail(err, KOKORO_BAD_TEXT, "%.200s is not valid UTF-8 at byte %zu", path,
                         kk_utf8_valid_len(rest));
    while (status == KOKORO_OK && rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        const size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;
        const kk_slice line = kk_slice_trim((kk_slice){rest.data, len});
        if (line.len > 0)
            status = add_line(result, line, path, err);
        rest.data += end != NULL ? len + 1 : len;
        rest.len -= end != NULL ? len + 1 : len;
    }
    if (status == KOKORO_OK && result->n_texts == 0)
        status = kk_fail(err, KOKORO_NO_SPEECH, "%.200s has no line with text", path);
    result->deciding_text = nearest_to_usual(result);
    kk_buf_fini(&buf);
    return status;
}

static bool is_own(const kk_bench_text *text)
{
    for (size_t i = 0; i < sizeof(own_texts) / sizeof(own_texts[0]); i++) {
        if (strcmp(text->text, own_texts[i].text) == 0)
            return true;
    }
    return false;
}

void kk_bench_text_round(const kk_bench_text *text, unsigned round, kk_buf *out)
{
    const char *name = names[round == 0 ? 0 : 1 + (round - 1) % (N_NAMES - 1)];
    const char *at = is_own(text) ? strstr(text->text, names[0]) : NULL;
    kk_buf_clear(out);
    if (at == NULL) {
        kk_buf_append_str(out, text->text);
        return;
    }
    kk_buf_append(out, text->text, (size_t)(at - text->text));
    kk_buf_append_str(out, name);
    kk_buf_append_str(out, at + strlen(names[0]));
}
