/* base64.c - three bytes to four letters. */
#include "base/base64.h"

enum { BLOCK = 3 * 256 }; /* bytes turned at once: multiples of three need no padding */

static size_t encode(char *dst, const unsigned char *src, size_t len)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        const unsigned b = i + 1 < len ? src[i + 1] : 0U, c = i + 2 < len ? src[i + 2] : 0U;
        const unsigned bits = (unsigned)src[i] << 16 | b << 8 | c;
        dst[n++] = letters[bits >> 18 & 63U];
        dst[n++] = letters[bits >> 12 & 63U];
        dst[n++] = i + 1 < len ? letters[bits >> 6 & 63U] : '=';
        dst[n++] = i + 2 < len ? letters[bits & 63U] : '=';
    }
    return n;
}

void kk_base64_append(kk_buf *dst, const void *data, size_t len)
{
    char block[BLOCK / 3 * 4];
    const unsigned char *src = data;
    while (len > 0) {
        const size_t now = len < BLOCK ? len : BLOCK;
        kk_buf_append(dst, block, encode(block, src, now));
        src += now;
        len -= now;
    }
}
