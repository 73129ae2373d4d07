/* input.h - the text that a command works on: words of the command line, a file, standard input. */
#ifndef KK_APPS_INPUT_H
#define KK_APPS_INPUT_H

#include "cli.h"

#include <stdio.h>

/* How the text of the command line is given; KK_INPUT_NONE when a message was given. */
enum kk_input_kind { KK_INPUT_NONE, KK_INPUT_WORDS, KK_INPUT_FILE, KK_INPUT_STDIN };

/* `file` is the value of -f, or NULL. */
enum kk_input_kind kk_input_kind_of(const kk_app *app, const char *file);

/* The whole text, checked: UTF-8, not over the limit, not blank. KK_EXIT_OK, or a message and the
 * exit status. */
int kk_input_read(const kk_app *app, const char *file, kk_buf *text);

enum kk_line { KK_LINE_END, KK_LINE_OK, KK_LINE_TOO_LONG, KK_LINE_BROKEN, KK_LINE_NO_MEMORY };

/* The next line of at most `limit` bytes without its end; the rest of a longer one is skipped.
 * KK_LINE_BROKEN: reading failed. */
enum kk_line kk_input_line(FILE *file, size_t limit, kk_buf *line);

/* KOKORO_OK, BAD_TEXT or TOO_LONG; `what` is the subject of the message. */
int kk_input_check(const kk_app *app, kk_slice text, const char *what, kokoro_error *err);

/* The most bytes that the characters of one request can have. */
size_t kk_input_byte_limit(const kk_app *app);

#endif
