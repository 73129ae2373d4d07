#include "bench/report_parts.h"

#include "base/utf8.h"

#include <string.h>
#include <time.h>

static bool is_word(char c)
{
    return kk_ascii_is_lower(kk_ascii_lower(c)) || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* The next code point of *rest, which is not empty; 0 for the start of an ASCII letter or sign,
 * which the caller looks at itself: it is still there. */
static bool append_unless_ascii(kk_buf *out, kk_slice *rest)
{
    uint32_t code_point;
    const size_t len = kk_utf8_decode(*rest, &code_point);
    if (len == 1 && code_point >= 0x20 && code_point != 0x7f)
        return false;
    if (len == 1)
        kk_buf_append_char(out, ' ');
    else if (code_point == 0xfffe || code_point == 0xffff ||
             (code_point >= 0x80 && code_point < 0xa0))
        kk_buf_append_code_point(out, 0xfffd); /* no characters of XML 1.0, or controls */
    else
        kk_buf_append_code_point(out, code_point);
    rest->data += len > 0 ? len : 1;
    rest->len -= len > 0 ? len : 1;
    return true;
}

void kk_append_markdown(kk_buf *out, const char *text)
{
    kk_slice rest = kk_slice_of(text);
    while (rest.len > 0) {
        if (append_unless_ascii(out, &rest))
            continue;
        const char c = rest.data[0];
        /* An underscore within a word, as in af_heart, is none of Markdown's. */
        const bool inside =
            rest.data > text && is_word(rest.data[-1]) && rest.len > 1 && is_word(rest.data[1]);
        if (c == '&' || c == '<' || c == '>')
            kk_buf_append_str(out, entity_of(c));
        else if (strchr("\\`*[]|~$", c) != NULL || (c == '_' && !inside))
            kk_buf_appendf(out, "\\%c", c);
        else
            kk_buf_append_char(out, c);
        rest.data++;
        rest.len--;
    }
}

void kk_append_way(kk_buf *out, const kk_way *way)
{
    char name[KK_WAY_TEXT];
    kk_way_text(way, name);
    kk_append_markdown(out, name);
}

void kk_append_xml(kk_buf *out, const char *text)
{
    kk_slice rest = kk_slice_of(text);
    while (rest.len > 0) {
        if (append_unless_ascii(out, &rest))
            continue;
        const char *entity = entity_of(rest.data[0]);
        if (entity != NULL)
            kk_buf_append_str(out, entity);
        else
            kk_buf_append_char(out, rest.data[0]);
        rest.data++;
        rest.len--;
    }
}

void kk_append_time(kk_buf *out, double seconds)
{
    char text[40] = "at an unknown time";
    const time_t time = (time_t)seconds;
    struct tm parts;
    if (gmtime_r(&time, &parts) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
    kk_buf_append_str(out, text);
}

void kk_append_bytes(kk_buf *out, double bytes)
{
    kk_buf_appendf(out, "%.1f GB", bytes / (1024.0 * 1024.0 * 1024.0));
}
