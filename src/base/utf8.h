/*
 * utf8.h - Unicode text as bytes (RFC 3629: no surrogates, nothing over U+10FFFF, shortest form
 * only).
 */
#ifndef KK_BASE_UTF8_H
#define KK_BASE_UTF8_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The code point at text[0] in *out. Returns its length in bytes, 1 to 4; 0 where the bytes are not
 * UTF-8 or text is empty (then *out is U+FFFD).
 */
size_t kk_utf8_decode(kk_slice text, uint32_t *out);
/* Writes 1 to 4 bytes and returns how many; 0 for a number that is no code point. */
size_t kk_utf8_encode(char dst[4], uint32_t code_point);
/* Offset of the first byte that is not UTF-8; text.len when all is well. */
size_t kk_utf8_valid_len(kk_slice text);
/* The text as a terminal or a JSON string may have it, cut to `size` bytes with its NUL: a ? for
 * each control character and for what is not UTF-8, so it never gets longer. Returns dst. */
const char *kk_text_shown(char *dst, size_t size, const char *text);
/* Number of code points of valid text. */
size_t kk_utf8_count(kk_slice text);
/* Unicode's White_Space: one answer for all stages. */
bool kk_is_white_space(uint32_t code_point);
/* Those of them that end a line here: CR (with a LF behind it one end), LF, NEL, the separators of
 * lines and of paragraphs. The vertical tab and the form feed are spaces. */
bool kk_is_line_break(uint32_t code_point);
void kk_buf_append_code_point(kk_buf *buf, uint32_t code_point);

#endif
