/*
 * input.c - reads text and refuses what no engine could speak, before an engine is opened.
 */
#include "input.h"

#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

enum kk_input_kind kk_input_kind_of(const kk_app *app, const char *file)
{
    bool is_dash = app->n_words == 1 && strcmp(app->words[0], "-") == 0;
    if (app->n_words == 0 && file == NULL) {
        kk_complain("no text: give it as TEXT, as -f FILE, or as - for standard input");
        return KK_INPUT_NONE;
    }
    if (app->n_words > 0 && file != NULL) {
        kk_complain("text was given twice: as -f FILE and as '%.40s'", app->words[0]);
        return KK_INPUT_NONE;
    }
    if (is_dash || (file != NULL && strcmp(file, "-") == 0))
        return KK_INPUT_STDIN;
    return file != NULL ? KK_INPUT_FILE : KK_INPUT_WORDS;
}

size_t kk_input_byte_limit(const kk_app *app)
{
    return 4 * (size_t)kk_config_int(&app->config, KK_SET_MAX_INPUT_CHARS);
}

static int too_long(const kk_app *app, const char *what, kokoro_error *err)
{
    return kk_fail(err, KOKORO_TOO_LONG,
                   "%s is over the limit of %lld characters; KOKORO_MAX_INPUT_CHARS raises it",
                   what, kk_config_int(&app->config, KK_SET_MAX_INPUT_CHARS));
}

int kk_input_check(const kk_app *app, kk_slice text, const char *what, kokoro_error *err)
{
    size_t valid = kk_utf8_valid_len(text);
    if (valid < text.len)
        return kk_fail(err, KOKORO_BAD_TEXT, "%s is not valid UTF-8 at byte %zu", what, valid);
    if (text.len > kk_input_byte_limit(app) ||
        kk_utf8_count(text) > (size_t)kk_config_int(&app->config, KK_SET_MAX_INPUT_CHARS))
        return too_long(app, what, err);
    return KOKORO_OK;
}

static int read_stdin(const kk_app *app, kk_buf *text, kokoro_error *err)
{
    char block[16384];
    size_t n;
    while ((n = fread(block, 1, sizeof(block), stdin)) > 0) {
        kk_buf_append(text, block, n);
        if (text->len > kk_input_byte_limit(app))
            return too_long(app, "the text", err);
    }
    if (ferror(stdin))
        return kk_fail(err, KOKORO_IO, "cannot read standard input: %s", strerror(errno));
    return KOKORO_OK;
}

int kk_input_read(const kk_app *app, const char *file, kk_buf *text)
{
    kokoro_error error;
    int status = KOKORO_OK;
    switch (kk_input_kind_of(app, file)) {
    case KK_INPUT_NONE:
        return KK_EXIT_USAGE;
    case KK_INPUT_WORDS:
        kk_cli_join_words(app, text);
        break;
    case KK_INPUT_FILE:
        status = kk_file_read(text, file, kk_input_byte_limit(app), &error);
        if (status == KOKORO_TOO_LONG)
            status = too_long(app, "the text", &error);
        break;
    case KK_INPUT_STDIN:
        status = read_stdin(app, text, &error);
        break;
    }
    if (status == KOKORO_OK && text->failed)
        status = kk_fail_memory(&error);
    kk_slice all = {kk_buf_str(text), text->len};
    if (status == KOKORO_OK)
        status = kk_input_check(app, all, "the text", &error);
    if (status == KOKORO_OK && kk_slice_trim(all).len == 0)
        status = kk_fail(&error, KOKORO_NO_SPEECH, "the text is empty");
    return status == KOKORO_OK ? KK_EXIT_OK : kk_complain_of(&error);
}

enum kk_line kk_input_line(FILE *file, size_t limit, kk_buf *line)
{
    bool is_long = false;
    int c;
    kk_buf_clear(line);
    while ((c = getc(file)) != EOF && c != '\n') {
        if (line->len < limit)
            kk_buf_append_char(line, (char)c);
        else
            is_long = true;
    }
    if (ferror(file))
        return KK_LINE_BROKEN;
    if (line->failed)
        return KK_LINE_NO_MEMORY;
    if (c == EOF && line->len == 0)
        return KK_LINE_END;
    if (line->len > 0 && line->data[line->len - 1] == '\r')
        line->data[--line->len] = '\0';
    return is_long ? KK_LINE_TOO_LONG : KK_LINE_OK;
}
