#include "base/utf8.h"

#include <string.h>

size_t kk_utf8_decode(kk_slice text, uint32_t *out)
{
    *out = 0xFFFD;
    if (text.len == 0)
        return 0;
    const unsigned char *s = (const unsigned char *)text.data;
    if (s[0] < 0x80) {
        *out = s[0];
        return 1;
    }
    size_t len = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || text.len < len)
        return 0;
    uint32_t value = s[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (s[i] & 0x3Fu);
    }
    bool overlong = (len == 3 && value < 0x800) || (len == 4 && value < 0x10000);
    if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *out = value;
    return len;
}

size_t kk_utf8_encode(char dst[4], uint32_t c)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    if (c < 0x80) {
        dst[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        dst[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    dst[0] = (char)((0xF00u >> len & 0xF0u) | c);
    return len;
}

size_t kk_utf8_valid_len(kk_slice text)
{
    size_t at = 0;
    while (at < text.len) {
        uint32_t c;
        size_t len = kk_utf8_decode((kk_slice){text.data + at, text.len - at}, &c);
        if (len == 0)
            break;
        at += len;
    }
    return at;
}

const char *kk_text_shown(char *dst, size_t size, const char *text)
{
    size_t len = 0;
    kk_slice rest = kk_slice_of(text);
    while (rest.len > 0) {
        uint32_t c;
        const size_t n = kk_utf8_decode(rest, &c);
        const bool is_shown = n > 0 && c >= 0x20 && !(c >= 0x7F && c < 0xA0);
        const size_t step = n > 0 ? n : 1, out = is_shown ? n : 1;
        if (len + out + 1 > size)
            break;
        if (is_shown)
            memcpy(dst + len, rest.data, n);
        else
            dst[len] = '?';
        len += out;
        rest = (kk_slice){rest.data + step, rest.len - step};
    }
    dst[len] = '\0';
    return dst;
}

size_t kk_utf8_count(kk_slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return n;
}

bool kk_is_line_break(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool kk_is_white_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000 ||
           kk_is_line_break(c);
}

void kk_buf_append_code_point(kk_buf *buf, uint32_t code_point)
{
    char bytes[4];
    kk_buf_append(buf, bytes, kk_utf8_encode(bytes, code_point));
}
