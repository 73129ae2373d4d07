/*
 * captions.c - words to captions. A caption ends with its sentence, and before it would be too long
 * to be read: 80 characters (two lines of 40, as subtitles have it), 6 seconds, or a silence
 * within.
 */
#include "captions.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"
#include "server/json.h"

#include <string.h>

enum { MAX_CHARS = 80 };
static const double MAX_S = 6.0, MAX_SILENCE_S = 1.0;

enum form { FORM_NONE, FORM_JSON, FORM_SRT, FORM_VTT };

static enum form form_of(const char *path)
{
    const kk_slice whole = kk_slice_of(path);
    static const struct {
        const char *ending;
        enum form form;
    } table[] = {{".json", FORM_JSON}, {".srt", FORM_SRT}, {".vtt", FORM_VTT}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const size_t len = strlen(table[i].ending);
        if (whole.len > len && kk_slice_equal_nocase((kk_slice){path + whole.len - len, len},
                                                     kk_slice_of(table[i].ending)))
            return table[i].form;
    }
    return FORM_NONE;
}

bool kk_captions_is_made(const char *path)
{
    return form_of(path) != FORM_NONE;
}

void kk_captions_add(kk_captions *captions, const kokoro_chunk *chunk)
{
    if (captions->n + chunk->n_words > captions->capacity) {
        const size_t capacity = 2 * (captions->n + chunk->n_words);
        kokoro_timed_word *words = kk_calloc(capacity, sizeof(*words));
        if (words == NULL) {
            captions->failed = true;
            return;
        }
        if (captions->n > 0)
            memcpy(words, captions->words, captions->n * sizeof(*words));
        kk_free(captions->words);
        captions->words = words;
        captions->capacity = capacity;
    }
    for (size_t i = 0; i < chunk->n_words; i++)
        captions->words[captions->n++] = chunk->words[i];
}

void kk_captions_fini(kk_captions *captions)
{
    kk_free(captions->words);
    *captions = (kk_captions){0};
}

/* --- every word --- */

static void write_json(kk_buf *dst, const kk_captions *captions, kk_slice text)
{
    json_t *list = json_array();
    size_t byte = 0, n_chars = 0;
    for (size_t i = 0; i < captions->n; i++) {
        const kokoro_timed_word *word = &captions->words[i];
        const kk_slice span = {text.data + word->offset, word->len};
        n_chars += kk_utf8_count((kk_slice){text.data + byte, word->offset - byte});
        byte = word->offset;
        json_t *object = json_pack(
            "{s:o, s:o, s:o, s:I, s:I}", "word", json_stringn_nocheck(span.data, span.len), "start",
            kk_json_real(word->start_s), "end", kk_json_real(word->end_s), "offset",
            (json_int_t)n_chars, "length", (json_int_t)kk_utf8_count(span));
        if (json_array_append_new(list, object) != 0)
            dst->failed = true;
    }
    kk_json_write(dst, json_pack("{s:o}", "timestamps", list));
    kk_buf_append_char(dst, '\n');
}

/* --- captions --- */

typedef struct caption {
    size_t first, end; /* of the words */
} caption;

static bool has_sentence_end(kk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(".!?\n", text.data[i]) != NULL && text.data[i] != '\0')
            return true;
    }
    return false;
}

/* Whether word i, which follows others of a caption, belongs to the next one. */
static bool begins_caption(const kk_captions *captions, kk_slice text, size_t first, size_t i)
{
    const kokoro_timed_word *words = captions->words, *before = &words[i - 1];
    const size_t gap = before->offset + before->len, start = words[first].offset;
    const size_t end = words[i].offset + words[i].len;
    return has_sentence_end((kk_slice){text.data + gap, words[i].offset - gap}) ||
           words[i].start_s - before->end_s > MAX_SILENCE_S ||
           words[i].end_s - words[first].start_s > MAX_S ||
           kk_utf8_count((kk_slice){text.data + start, end - start}) > MAX_CHARS;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text of a caption with the marks that stand at its ends; white space becomes one space. */
static void append_text(kk_buf *dst, const kk_captions *captions, kk_slice text, caption c,
                        bool escapes)
{
    const kokoro_timed_word *words = captions->words, *last = &words[c.end - 1];
    const size_t low = c.first > 0 ? words[c.first - 1].offset + words[c.first - 1].len : 0;
    const size_t high = c.end < captions->n ? words[c.end].offset : text.len;
    size_t from = words[c.first].offset, to = last->offset + last->len;
    while (from > low && !is_space(text.data[from - 1]))
        from--;
    while (to < high && !is_space(text.data[to]))
        to++;
    for (size_t i = from; i < to; i++) {
        const char byte = text.data[i];
        if (is_space(byte) && (i + 1 >= to || is_space(text.data[i + 1])))
            continue;
        if (escapes && byte == '&')
            kk_buf_append_str(dst, "&amp;");
        else if (escapes && byte == '<')
            kk_buf_append_str(dst, "&lt;");
        else if (escapes && byte == '>')
            kk_buf_append_str(dst, "&gt;");
        else
            kk_buf_append_char(dst, is_space(byte) ? ' ' : byte);
    }
}

static void append_time(kk_buf *dst, double time_s, char point)
{
    const unsigned long long ms = (unsigned long long)(time_s * 1e3 + 0.5);
    kk_buf_appendf(dst, "%02llu:%02llu:%02llu%c%03llu", ms / 3600000, ms / 60000 % 60,
                   ms / 1000 % 60, point, ms % 1000);
}

static void write_captions(kk_buf *dst, const kk_captions *captions, kk_slice text, bool is_vtt)
{
    size_t number = 1;
    if (is_vtt)
        kk_buf_append_str(dst, "WEBVTT\n\n");
    for (caption c = {0, 0}; c.first < captions->n; c.first = c.end) {
        c.end = c.first + 1;
        while (c.end < captions->n && !begins_caption(captions, text, c.first, c.end))
            c.end++;
        if (!is_vtt)
            kk_buf_appendf(dst, "%zu\n", number++);
        append_time(dst, captions->words[c.first].start_s, is_vtt ? '.' : ',');
        kk_buf_append_str(dst, " --> ");
        append_time(dst, captions->words[c.end - 1].end_s, is_vtt ? '.' : ',');
        kk_buf_append_char(dst, '\n');
        append_text(dst, captions, text, c, is_vtt);
        kk_buf_append_str(dst, "\n\n");
    }
}

int kk_captions_write(const kk_captions *captions, const char *path, kk_slice text,
                      kokoro_error *err)
{
    kk_buf file = KK_BUF_INIT;
    kk_writer writer;
    if (form_of(path) == FORM_JSON)
        write_json(&file, captions, text);
    else
        write_captions(&file, captions, text, form_of(path) == FORM_VTT);
    int status = file.failed || captions->failed ? kk_fail_memory(err) : KOKORO_OK;
    if (status == KOKORO_OK)
        status = kk_writer_open(&writer, path, err);
    if (status == KOKORO_OK) {
        kk_writer_write(&writer, file.data, file.len);
        status = kk_writer_commit(&writer, err);
    }
    kk_buf_fini(&file);
    return status;
}
