/*
 * telephone.c - numbers that are read digit by digit: 555-1234, 1-800-555-0199, (555) 123-4567,
 * +44 20 7946 0958.
 */
#include "text/figures.h"

#include "text/number.h"

#include <string.h>

enum { TELEPHONE_MIN = 7, TELEPHONE_MAX = 15 /* E.164 */ };

/* Groups of digits with single hyphens between; returns how many digits, 0 for anything else. */
static size_t dashed_digits(kk_slice text)
{
    size_t n_digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (kk_is_digit((unsigned char)text.data[i]))
            n_digits++;
        else if (text.data[i] != '-' || i == 0 || i + 1 == text.len || text.data[i - 1] == '-')
            return 0;
    }
    return n_digits;
}

static void say_digits(kk_reader *r, kk_slice text)
{
    while (text.len > 0) {
        size_t n = kk_digits_at(text);
        kk_number_digits(&r->words, kk_slice_head(text, n));
        text = kk_slice_tail(text, n < text.len ? n + 1 : n);
    }
}

static const kk_piece *piece_at(const kk_reader *r, size_t i)
{
    return i < r->pieces->n ? &r->pieces->items[i] : NULL;
}

/* Behind a plus, or behind an area code in brackets, the groups of digits that follow belong too.
 * Returns how many pieces; *n_digits grows. */
static size_t following_groups(const kk_reader *r, size_t first, size_t *n_digits)
{
    size_t i = first;
    for (;
         i < r->pieces->n && r->pieces->items[i - 1].space_after && !r->pieces->items[i - 1].breaks;
         i++) {
        const kk_piece *piece = &r->pieces->items[i];
        size_t n = piece->kind == KK_PIECE_RUN ? dashed_digits(piece->text) : 0;
        if (n == 0 || *n_digits + n > TELEPHONE_MAX)
            break;
        *n_digits += n;
    }
    return i - first;
}

static void say_groups(kk_reader *r, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++)
        say_digits(r, r->pieces->items[i].text);
    r->n_read += n;
}

bool kk_read_telephone(kk_reader *r, kk_slice text)
{
    size_t n_digits = dashed_digits(text);
    const kk_piece *here = piece_at(r, r->index);
    if (n_digits == 0 || here == NULL)
        return false;
    const kk_piece *before = r->index > 0 ? here - 1 : NULL;
    const kk_piece *after = piece_at(r, r->index + 1);
    bool in_brackets = before != NULL && before->mark == '(' && after != NULL &&
                       after->mark == ')' && text.len == 3 && n_digits == 3;
    bool is_international = r->words.len > 0 && kk_slice_starts(here->text, KK_SLICE("+"));
    if (in_brackets) {
        const kk_piece *next = piece_at(r, r->index + 2);
        if (next == NULL || next->kind != KK_PIECE_RUN || dashed_digits(next->text) != 7)
            return false;
        say_digits(r, text);
        return true;
    }
    if (is_international) {
        size_t n = following_groups(r, r->index + 1, &n_digits);
        if (n_digits < TELEPHONE_MIN)
            return false;
        say_digits(r, text);
        say_groups(r, r->index + 1, n);
        return true;
    }
    /* Three and four, or three groups and more that are no date. */
    const char *first = memchr(text.data, '-', text.len);
    if (first == NULL || n_digits < TELEPHONE_MIN)
        return false;
    size_t head_len = (size_t)(first - text.data), tail_len = text.len - head_len - 1;
    bool is_local = head_len == 3 && tail_len == 4;
    if (!is_local && memchr(first + 1, '-', tail_len) == NULL)
        return false;
    say_digits(r, text);
    return true;
}
