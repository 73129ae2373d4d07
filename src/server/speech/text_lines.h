/*
 * text_lines.h - the body of POST /v1/audio/speech/stream, as it arrives: lines, each a JSON object
 *
 *     {"voice": "af_heart", "response_format": "wav"}     the first: how to speak
 *     {"text": "Hello "}                                  the others: what to say, in pieces
 *     {"text": "there."}
 *     {"done": true}                                      the end, which the body's end is too
 *
 * Pure. Empty lines say nothing, and neither do lines without a known field.
 */
#ifndef KK_SERVER_TEXT_LINES_H
#define KK_SERVER_TEXT_LINES_H

#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>

enum { KK_TEXT_LINE_MAX = 256 << 10 };

typedef struct kk_text_lines {
    kk_buf in; /* bytes that came */
    size_t at; /* of which so many were taken */
    size_t n_lines;
    size_t n_looked; /* bytes of the line without its end */
    bool is_ended;   /* no more bytes will come */
    bool is_done;    /* the text has ended */
} kk_text_lines;

void kk_text_lines_fini(kk_text_lines *lines);
/* False when memory is out. */
bool kk_text_lines_add(kk_text_lines *lines, const char *data, size_t len);
/* No more will come: the last line needs no end. */
void kk_text_lines_end(kk_text_lines *lines);

/* The next line as it stands, valid until more is added; false when there is none yet. TOO_LONG
 * shows in *status, else it is OK. */
bool kk_text_lines_next(kk_text_lines *lines, kk_slice *out, int *status, kokoro_error *err);

/* What a line says: its text (empty for none, in *dst, which is cleared first), or that it is the
 * last, in lines->is_done. OK; BAD_TEXT: names the line; NO_MEMORY. */
int kk_text_lines_read(kk_text_lines *lines, kk_slice line, kk_buf *dst, kokoro_error *err);

#endif
