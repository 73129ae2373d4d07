#include "server/speech/text_lines.h"

#include "base/status.h"
#include "server/json.h"

#include <string.h>

void kk_text_lines_fini(kk_text_lines *lines)
{
    kk_buf_fini(&lines->in);
}

bool kk_text_lines_add(kk_text_lines *lines, const char *data, size_t len)
{
    if (lines->at > 0) {
        lines->in.len -= lines->at;
        memmove(lines->in.data, lines->in.data + lines->at, lines->in.len);
        lines->at = 0;
    }
    kk_buf_append(&lines->in, data, len);
    return !lines->in.failed;
}

void kk_text_lines_end(kk_text_lines *lines)
{
    lines->is_ended = true;
}

/* The next line, be it empty. */
static bool take_line(kk_text_lines *lines, kk_slice *out, int *status, kokoro_error *err)
{
    const kk_slice rest = {lines->in.data + lines->at, lines->in.len - lines->at};
    const char *end = rest.len > lines->n_looked
                          ? memchr(rest.data + lines->n_looked, '\n', rest.len - lines->n_looked)
                          : NULL;
    const size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;
    lines->n_looked = rest.len;
    if (len > KK_TEXT_LINE_MAX) {
        *status = kk_fail(err, KOKORO_TOO_LONG, "line %zu has more than %d bytes",
                          lines->n_lines + 1, KK_TEXT_LINE_MAX);
        return false;
    }
    if (end == NULL && (!lines->is_ended || rest.len == 0)) {
        lines->is_done = lines->is_done || lines->is_ended;
        return false;
    }
    lines->n_looked = 0;
    lines->n_lines++;
    lines->at += len + (end != NULL);
    *out = kk_slice_trim((kk_slice){rest.data, len});
    return true;
}

bool kk_text_lines_next(kk_text_lines *lines, kk_slice *out, int *status, kokoro_error *err)
{
    *status = KOKORO_OK;
    while (!lines->is_done && take_line(lines, out, status, err)) {
        if (out->len > 0)
            return true;
    }
    return false;
}

static int read_object(kk_text_lines *lines, const json_t *object, kk_buf *dst, kokoro_error *err)
{
    static const char *const names[] = {"text", "input"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const json_t *text = json_object_get(object, names[i]);
        if (text == NULL || json_is_null(text))
            continue;
        if (!json_is_string(text))
            return kk_fail(err, KOKORO_BAD_TEXT, "'%s' of line %zu must be a string", names[i],
                           lines->n_lines);
        kk_buf_append(dst, json_string_value(text), json_string_length(text));
    }
    lines->is_done = lines->is_done || json_is_true(json_object_get(object, "done"));
    return dst->failed ? kk_fail_memory(err) : KOKORO_OK;
}

int kk_text_lines_read(kk_text_lines *lines, kk_slice line, kk_buf *dst, kokoro_error *err)
{
    json_t *object = NULL;
    json_error_t problem;
    kk_buf_clear(dst);
    (void)kk_json_take_no_memory();
    if (kk_json_depth(line) <= KK_JSON_MAX_DEPTH)
        object = json_loadb(line.data, line.len, KK_JSON_REQUEST, &problem);
    if (object == NULL && kk_json_take_no_memory())
        return kk_fail_memory(err);
    int status = json_is_object(object)
                     ? read_object(lines, object, dst, err)
                     : kk_fail(err, KOKORO_BAD_TEXT, "line %zu is not a JSON object in UTF-8",
                               lines->n_lines);
    json_decref(object);
    return status;
}
