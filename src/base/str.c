#include "base/str.h"

#include "base/alloc.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

kk_slice kk_slice_of(const char *text)
{
    return (kk_slice){text, strlen(text)};
}

bool kk_slice_is_capital(kk_slice text)
{
    return text.len > 0 && kk_ascii_is_upper(text.data[0]);
}

bool kk_slice_equal(kk_slice a, kk_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool kk_slice_equal_nocase(kk_slice a, kk_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (kk_ascii_lower(a.data[i]) != kk_ascii_lower(b.data[i]))
            return false;
    }
    return true;
}

bool kk_slice_starts(kk_slice text, kk_slice prefix)
{
    return text.len >= prefix.len && kk_slice_equal((kk_slice){text.data, prefix.len}, prefix);
}

bool kk_slice_ends(kk_slice text, kk_slice suffix)
{
    return text.len >= suffix.len &&
           kk_slice_equal((kk_slice){text.data + (text.len - suffix.len), suffix.len}, suffix);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

kk_slice kk_slice_trim(kk_slice text)
{
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

static bool reserve(kk_buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more < buf->capacity - buf->len && buf->data != NULL)
        return true;
    size_t need = buf->len + more + 1;
    size_t capacity = buf->capacity > 0 ? buf->capacity : 64;
    while (capacity < need && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    char *data = need <= buf->len || capacity < need ? NULL : kk_realloc(buf->data, capacity);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void kk_buf_append(kk_buf *buf, const void *data, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void kk_buf_append_str(kk_buf *buf, const char *text)
{
    kk_buf_append(buf, text, strlen(text));
}

void kk_buf_append_slice(kk_buf *buf, kk_slice text)
{
    kk_buf_append(buf, text.data, text.len);
}

void kk_buf_append_char(kk_buf *buf, char c)
{
    kk_buf_append(buf, &c, 1);
}

void kk_buf_appendf(kk_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    if (!reserve(buf, (size_t)len))
        return;
    va_start(args, format);
    (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

const char *kk_buf_str(const kk_buf *buf)
{
    return buf->failed || buf->data == NULL ? "" : buf->data;
}

void kk_buf_clear(kk_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

void kk_buf_fini(kk_buf *buf)
{
    kk_free(buf->data);
    *buf = (kk_buf)KK_BUF_INIT;
}

bool kk_parse_int(const char *text, long long *out)
{
    char *end;
    if (text[0] == '\0' || is_space(text[0]))
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return false;
    *out = value;
    return true;
}

bool kk_parse_real(const char *text, double *out)
{
    char *end;
    if (text[0] == '\0' || is_space(text[0]) || text[strspn(text, "+-.0123456789eE")] != '\0')
        return false;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !isfinite(value))
        return false;
    *out = value;
    return true;
}

bool kk_parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    kk_slice word = kk_slice_of(text);
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        bool is_yes = kk_slice_equal_nocase(word, kk_slice_of(yes[i]));
        if (is_yes || kk_slice_equal_nocase(word, kk_slice_of(no[i]))) {
            *out = is_yes;
            return true;
        }
    }
    return false;
}
