/*
 * str.h - text as a slice of somebody's bytes, and a growing buffer.
 */
#ifndef KK_BASE_STR_H
#define KK_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that belong to somebody else; not ended by NUL. */
typedef struct kk_slice {
    const char *data;
    size_t len;
} kk_slice;

#define KK_SLICE(literal) ((kk_slice){(literal), sizeof(literal) - 1})

/* Letters of ASCII only; any other byte is neither and stays as it is. */
static inline bool kk_ascii_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static inline bool kk_ascii_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static inline char kk_ascii_lower(char c)
{
    return kk_ascii_is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

kk_slice kk_slice_of(const char *text);
/* Whether the first byte is a capital of ASCII. */
bool kk_slice_is_capital(kk_slice text);
bool kk_slice_equal(kk_slice a, kk_slice b);
/* ASCII letters in either case are the same. */
bool kk_slice_equal_nocase(kk_slice a, kk_slice b);
bool kk_slice_starts(kk_slice text, kk_slice prefix);
bool kk_slice_ends(kk_slice text, kk_slice suffix);
/* Without ASCII white space at both ends. */
kk_slice kk_slice_trim(kk_slice text);

/*
 * A growing string. `failed` stays set once memory was out: append as often as you like, look once
 * at the end.
 *
 *     kk_buf buf = KK_BUF_INIT;
 *     kk_buf_appendf(&buf, "%zu voices", n);
 *     if (buf.failed) ...
 *     kk_buf_fini(&buf);
 */
typedef struct kk_buf {
    char *data; /* ended by NUL when not NULL */
    size_t len; /* without that NUL */
    size_t capacity;
    bool failed;
} kk_buf;

#define KK_BUF_INIT                                                                                \
    {                                                                                              \
        NULL, 0, 0, false                                                                          \
    }

void kk_buf_append(kk_buf *buf, const void *data, size_t len);
void kk_buf_append_str(kk_buf *buf, const char *text);
void kk_buf_append_slice(kk_buf *buf, kk_slice text);
void kk_buf_append_char(kk_buf *buf, char c);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void kk_buf_appendf(kk_buf *buf, const char *format, ...);
/* The text; "" when nothing was appended or memory was out. */
const char *kk_buf_str(const kk_buf *buf);
/* Empty it and keep its memory; `failed` is cleared. */
void kk_buf_clear(kk_buf *buf);
void kk_buf_fini(kk_buf *buf);

/* The whole of `text` as a decimal number; false for anything else, out-of-range, NaN or infinity.
 */
bool kk_parse_int(const char *text, long long *out);
bool kk_parse_real(const char *text, double *out);
/* true/false, yes/no, on/off, 1/0 in any case. */
bool kk_parse_bool(const char *text, bool *out);

#endif
