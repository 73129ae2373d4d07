#include "text/fold.h"

#include "base/status.h"
#include "base/utf8.h"

#include <utf8proc.h>

enum { DECOMPOSED_MAX = 24 };

typedef struct builder {
    kk_arena *arena;
    kk_folded *out;
    size_t capacity;
    size_t offsets_capacity;
    bool failed;
} builder;

static void push(builder *b, uint32_t c, size_t offset)
{
    kk_folded *f = b->out;
    uint32_t *chars =
        kk_arena_grow(b->arena, f->chars, f->n, f->n + 1, sizeof(*chars), &b->capacity);
    size_t *offsets =
        kk_arena_grow(b->arena, f->offsets, f->n, f->n + 1, sizeof(*offsets), &b->offsets_capacity);
    if (chars == NULL || offsets == NULL) {
        b->failed = true;
        return;
    }
    f->chars = chars;
    f->offsets = offsets;
    chars[f->n] = c;
    offsets[f->n] = offset;
    f->n++;
}

/* Marks that have one plain form here. 0: drop. The character itself: no rule. */
static uint32_t plain_form(uint32_t c)
{
    if (kk_is_line_break(c))
        return '\n';
    if (kk_is_white_space(c))
        return ' ';
    switch (c) {
    case 0x2018: /* curly single quotes, primes, modifier apostrophes */
    case 0x2019:
    case 0x201B:
    case 0x02BC:
    case 0x02B9:
    case 0x2032:
    case 0x60:
    case 0xB4:
        return '\'';
    case 0x201E:
    case 0xAB: /* guillemets, as misaki reads them */
    case 0x300C:
        return 0x201C;
    case 0xBB:
    case 0x201F:
    case 0x2033:
    case 0x300D:
        return 0x201D;
    case 0x2010: /* hyphens, minus */
    case 0x2011:
    case 0x2212:
    case 0xFE63:
        return '-';
    case 0x2012: /* figure dash */
        return 0x2013;
    case 0x2015: /* horizontal bar, double dashes */
    case 0x2E3A:
    case 0x2E3B:
        return 0x2014;
    case 0x22EF:
        return 0x2026;
    case 0x3001: /* ideographic comma and full stop */
        return ',';
    case 0x3002:
        return '.';
    case 0x2120: /* service mark, trade mark: not part of the name */
    case 0x2122:
        return 0;
    case 0xBF: /* inverted Spanish marks open a sentence that ends in the same mark */
    case 0xA1:
        return 0;
    default:
        return c;
    }
}

/* Pictures, controls, formats, variation selectors, private use: nothing to read aloud. */
static bool is_silent(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           category == UTF8PROC_CATEGORY_CS || category == UTF8PROC_CATEGORY_CO ||
           category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_ME;
}

/* A combining mark joins the character before it where the two have one code point (e + acute);
 * else it is dropped. */
static void compose(builder *b, uint32_t mark)
{
    kk_folded *f = b->out;
    if (f->n == 0)
        return;
    utf8proc_int32_t pair[2] = {(utf8proc_int32_t)f->chars[f->n - 1], (utf8proc_int32_t)mark};
    if (utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) == 1)
        f->chars[f->n - 1] = (uint32_t)pair[0];
}

static void push_plain(builder *b, uint32_t c, size_t offset)
{
    c = plain_form(c);
    if (c == 0)
        return;
    if (c != ' ' && c != '\n' && is_silent(c))
        return;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    if (category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC)
        compose(b, c);
    else
        push(b, c, offset);
}

/* Chinese and Japanese marks bring their own space. */
static bool is_wide_stop(uint32_t c)
{
    return c == 0x3001 || c == 0x3002 || c == 0xFF01 || c == 0xFF0C || c == 0xFF1A || c == 0xFF1B ||
           c == 0xFF1F || c == 0xFF61;
}

static bool starts_word(kk_slice text)
{
    uint32_t c;
    if (kk_utf8_decode(text, &c) == 0)
        return false;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

int kk_fold(kk_arena *arena, kk_slice text, kk_folded *out, kokoro_error *err)
{
    *out = (kk_folded){NULL, NULL, 0};
    size_t valid = kk_utf8_valid_len(text);
    if (valid < text.len)
        return kk_fail(err, KOKORO_BAD_TEXT, "the text is not valid UTF-8 at byte %zu", valid);
    builder b = {.arena = arena, .out = out};
    for (size_t at = 0; at < text.len && !b.failed;) {
        uint32_t c;
        size_t len = kk_utf8_decode((kk_slice){text.data + at, text.len - at}, &c);
        if (c == '\r' && at + 1 < text.len && text.data[at + 1] == '\n') {
            at += len;
            continue;
        }
        utf8proc_int32_t parts[DECOMPOSED_MAX];
        int boundary = 0;
        utf8proc_ssize_t n = 1;
        parts[0] = (utf8proc_int32_t)c;
        /* Letters with accents stay whole; only compatibility forms are taken apart. U+2026 and
         * U+2014 are the model's. */
        bool is_kept = c < 0x80 || c == 0x2026 || c == 0x2014 || c == 0x2013 || plain_form(c) != c;
        if (!is_kept)
            n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, DECOMPOSED_MAX,
                                        UTF8PROC_COMPAT | UTF8PROC_COMPOSE, &boundary);
        if (n < 0 || n > DECOMPOSED_MAX)
            n = 0; /* the one Arabic ligature that is longer has no reading here */
        /* 1 1/2, not 11/2 */
        bool is_fraction = n > 1 && (parts[0] == 0x2044 || parts[1] == 0x2044);
        if (is_fraction && out->n > 0 && out->chars[out->n - 1] >= '0' &&
            out->chars[out->n - 1] <= '9')
            push(&b, ' ', at);
        for (utf8proc_ssize_t i = 0; i < n; i++)
            push_plain(&b, parts[i] == 0x2044 ? '/' : (uint32_t)parts[i], at);
        at += len;
        if (is_wide_stop(c) && starts_word((kk_slice){text.data + at, text.len - at}))
            push(&b, ' ', at);
    }
    push(&b, 0, text.len);
    if (b.failed)
        return kk_fail_memory(err);
    out->n--;
    return KOKORO_OK;
}
