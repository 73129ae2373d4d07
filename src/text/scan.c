#include "text/scan.h"

#include "base/status.h"
#include "base/utf8.h"

#include <utf8proc.h>

bool kk_is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

bool kk_is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

static bool is_alnum(uint32_t c)
{
    return kk_is_digit(c) || kk_is_letter(c) ||
           utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}

static bool is_capital(uint32_t c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_small(uint32_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_space(uint32_t c)
{
    return c == ' ' || c == '\n';
}

static bool is_currency(uint32_t c)
{
    return c == '$' || c == 0xA3 || c == 0x20AC || c == 0xA5 || c == 0x20B9;
}

static bool matches(const uint32_t *chars, const char *text)
{
    for (; *text != '\0'; chars++, text++) {
        uint32_t c = *chars >= 'A' && *chars <= 'Z' ? *chars + 32 : *chars;
        if (c != (uint32_t)(unsigned char)*text)
            return false;
    }
    return true;
}

/* No word is this long; a longer run is read in parts, which bounds the work on each. */
enum { RUN_MAX = 100 };

/* An address runs to the next white space, less the marks that end the sentence around it. */
static size_t address_end(const uint32_t *chars, size_t i)
{
    size_t end = i;
    while (end - i < RUN_MAX && chars[end] != 0 && !is_space(chars[end]) && chars[end] != 0x201D &&
           chars[end] != '"' && chars[end] != '>')
        end++;
    while (end > i && (chars[end - 1] == '.' || chars[end - 1] == ',' || chars[end - 1] == '!' ||
                       chars[end - 1] == '?' || chars[end - 1] == ';' || chars[end - 1] == ':' ||
                       chars[end - 1] == ')' || chars[end - 1] == ']' || chars[end - 1] == '\''))
        end--;
    return end;
}

/* Whether chars[i], a character that is neither letter nor digit, binds the run on both its sides.
 */
static bool binds(const uint32_t *chars, size_t start, size_t i)
{
    uint32_t c = chars[i], before = i > start ? chars[i - 1] : 0, after = chars[i + 1];
    switch (c) {
    case '\'':
        /* don't, o'clock, rock'n'roll; at the end dogs' and goin', unless the run itself was quoted
         */
        return is_alnum(before) &&
               (is_alnum(after) || ((before == 's' || before == 'n') && chars[start] != '\''));
    case '.':
        /* "left.She": two sentences whose space was forgotten, not a host's name */
        if (is_capital(after) && is_small(before) && is_small(chars[i + 2]) && i > start + 1)
            return false;
        return is_alnum(before) && is_alnum(after);
    case '-':
        return is_alnum(before) && (is_alnum(after) || is_currency(after));
    case '_':
    case '@':
        return is_alnum(before) && is_alnum(after);
    case ',':
    case ':':
        return kk_is_digit(before) && kk_is_digit(after);
    case 0x2013:
        return kk_is_digit(before) && (kk_is_digit(after) || is_currency(after));
    case '/': /* 1/2, km/h, m/s */
        return (kk_is_digit(before) && kk_is_digit(after)) ||
               (before == 'm' && (after == 'h' || after == 's') && !is_alnum(chars[i + 2]));
    case '&':
        return kk_is_letter(before) && kk_is_letter(after);
    case '%':
    case 0xA2:
    case 0xB0:
        return kk_is_digit(before);
    case '$':
    case 0xA3:
    case 0x20AC: /* the second sign of $5-$10 */
        return (before == '-' || before == 0x2013) && kk_is_digit(after);
    case '+':
        return (before == 'C' || before == '+') &&
               (after == '+' || (before == '+' && !is_alnum(after)));
    case '#':
        return (before == 'C' || before == 'F') && i == start + 1 && !is_alnum(after);
    default:
        return false;
    }
}

static bool starts_run(const uint32_t *chars, size_t i, bool space_before)
{
    uint32_t c = chars[i], after = chars[i + 1];
    if (is_alnum(c))
        return true;
    if (is_currency(c) || c == '#')
        return kk_is_digit(after) || (is_currency(c) && after == '.' && kk_is_digit(chars[i + 2]));
    if (c == '\'' || c == '-' || c == '+' || c == '.')
        return space_before && (kk_is_digit(after) ||
                                (c != '\'' && is_currency(after) && kk_is_digit(chars[i + 2])) ||
                                (c == '\'' && kk_is_letter(after)));
    return false;
}

static size_t run_end(const uint32_t *chars, size_t start)
{
    if (matches(chars + start, "http://") || matches(chars + start, "https://") ||
        matches(chars + start, "www."))
        return address_end(chars, start);
    size_t i = start + 1;
    if (!is_alnum(chars[start]) && is_currency(chars[i])) /* -$5 */
        i++;
    bool has_name = false; /* a dot between letters: perhaps a host name */
    while (chars[i] != 0 && i - start < RUN_MAX) {
        if (chars[i] == '.' && i > start && kk_is_letter(chars[i - 1]) &&
            kk_is_letter(chars[i + 1]) && i > start + 1)
            has_name = true;
        if (has_name && chars[i] == '/' && is_alnum(chars[i + 1]))
            return address_end(chars, start);
        if (!is_alnum(chars[i]) && !binds(chars, start, i))
            break;
        i++;
    }
    return i;
}

static int add_piece(kk_arena *arena, const kk_folded *f, size_t start, size_t end, kk_pieces *out,
                     size_t *capacity, kk_piece piece)
{
    kk_piece *items =
        kk_arena_grow(arena, out->items, out->n, out->n + 1, sizeof(*items), capacity);
    char *text = kk_arena_alloc(arena, 4 * (end - start) + 1);
    if (items == NULL || text == NULL)
        return KOKORO_NO_MEMORY;
    size_t len = 0;
    for (size_t i = start; i < end; i++)
        len += kk_utf8_encode(text + len, f->chars[i]);
    text[len] = '\0';
    piece.text = (kk_slice){text, len};
    piece.offset = f->offsets[start];
    piece.len = f->offsets[end] - f->offsets[start];
    out->items = items;
    items[out->n++] = piece;
    return KOKORO_OK;
}

int kk_scan(kk_arena *arena, const kk_folded *f, kk_pieces *out, kokoro_error *err)
{
    *out = (kk_pieces){NULL, 0};
    size_t capacity = 0;
    bool space_before = true;
    for (size_t i = 0; i < f->n;) {
        if (is_space(f->chars[i])) {
            size_t n_lines = 0;
            for (; i < f->n && is_space(f->chars[i]); i++)
                n_lines += f->chars[i] == '\n';
            if (out->n > 0) {
                out->items[out->n - 1].space_after = true;
                out->items[out->n - 1].breaks = n_lines > 1;
            }
            space_before = true;
            continue;
        }
        bool is_run =
            starts_run(f->chars, i, space_before || (i > 0 && !is_alnum(f->chars[i - 1])));
        size_t end = is_run ? run_end(f->chars, i) : i + 1;
        if (end > f->n)
            end = f->n;
        const kk_piece piece = {.kind = is_run ? KK_PIECE_RUN : KK_PIECE_MARK,
                                .mark = is_run ? 0 : f->chars[i],
                                .space_before = space_before};
        if (add_piece(arena, f, i, end, out, &capacity, piece) != KOKORO_OK)
            return kk_fail_memory(err);
        space_before = false;
        i = end;
    }
    if (out->n > 0)
        out->items[out->n - 1].space_after = out->items[out->n - 1].breaks = true;
    return KOKORO_OK;
}
