/*
 * money.c - $5.20, £3m, $1.5 billion, $5-$10.
 */
#include "text/figures.h"

#include "text/number.h"

#include <string.h>

typedef struct currency {
    const char *sign, *one, *many, *cent, *cents;
} currency;

static const currency currencies[] = {
    {"$", "dollar", "dollars", "cent", "cents"},
    {"\xC2\xA3", "pound", "pounds", "penny", "pence"},
    {"\xE2\x82\xAC", "euro", "euros", "cent", "cents"},
    {"\xC2\xA5", "yen", "yen", "sen", "sen"},
    {"\xE2\x82\xB9", "rupee", "rupees", "paisa", "paise"},
};

static const char *magnitude(kk_slice text)
{
    static const char *const rows[][2] = {
        {"million", "million"},   {"billion", "billion"}, {"trillion", "trillion"},
        {"thousand", "thousand"}, {"hundred", "hundred"}, {"k", "thousand"},
        {"m", "million"},         {"mn", "million"},      {"bn", "billion"},
        {"b", "billion"},         {"tn", "trillion"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (kk_slice_equal_nocase(text, kk_slice_of(rows[i][0])))
            return rows[i][1];
    }
    return NULL;
}

static bool is_zero(kk_slice digits)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] != '0')
            return false;
    }
    return true;
}

/* Whole units and hundredths: five dollars and twenty cents; without units where there are none. */
static void say_amount(kk_reader *r, const kk_quantity *q, const currency *c)
{
    bool has_cents = q->fraction.len == 2 && !is_zero(q->fraction);
    if (q->fraction.len > 0 && !has_cents && !is_zero(q->fraction)) {
        kk_quantity_say(r, q, false);
        kk_reader_say(r, c->many);
        return;
    }
    bool has_whole = !is_zero(q->whole) || !has_cents;
    if (has_whole) {
        kk_number_cardinal(&r->words, q->whole.len > 0 ? q->whole : KK_SLICE("0"));
        kk_reader_say(r, kk_slice_equal(q->whole, KK_SLICE("1")) ? c->one : c->many);
    }
    if (has_cents) {
        if (has_whole)
            kk_reader_say(r, "and");
        kk_slice cents = q->fraction.data[0] == '0' ? kk_slice_tail(q->fraction, 1) : q->fraction;
        kk_number_cardinal(&r->words, cents);
        kk_reader_say(r, kk_slice_equal(cents, KK_SLICE("1")) ? c->cent : c->cents);
    }
}

/* Behind "$5" the rest of "$5-10" or "$5-$10": the second amount, when that is all that is left. */
static bool is_range(kk_slice rest, kk_slice sign, kk_quantity *to)
{
    if (kk_slice_starts(rest, KK_SLICE("-")))
        rest = kk_slice_tail(rest, 1);
    else if (kk_slice_starts(rest, KK_SLICE("\xE2\x80\x93")))
        rest = kk_slice_tail(rest, 3);
    else
        return false;
    if (kk_slice_starts(rest, sign))
        rest = kk_slice_tail(rest, sign.len);
    return rest.len > 0 && kk_quantity_read(rest, to) == rest.len;
}

bool kk_read_money(kk_reader *r, kk_slice text)
{
    for (size_t i = 0; i < sizeof(currencies) / sizeof(currencies[0]); i++) {
        const currency *c = &currencies[i];
        kk_slice sign = kk_slice_of(c->sign);
        if (!kk_slice_starts(text, sign))
            continue;
        kk_quantity q, to;
        kk_slice rest = kk_slice_tail(text, sign.len);
        size_t n = kk_quantity_read(rest, &q);
        rest = kk_slice_tail(rest, n);
        if (n > 0 && is_range(rest, sign, &to)) {
            kk_quantity_say(r, &q, false);
            kk_reader_say(r, "to");
            say_amount(r, &to, c);
            return true;
        }
        const char *scale = rest.len > 0 ? magnitude(rest) : NULL;
        if (n == 0 || (rest.len > 0 && scale == NULL))
            return false;
        kk_slice next = kk_reader_next_run(r);
        if (rest.len == 0 && next.len > 2 && (scale = magnitude(next)) != NULL)
            r->n_read++;
        if (scale == NULL) {
            say_amount(r, &q, c);
            return true;
        }
        kk_quantity_say(r, &q, false);
        kk_reader_say(r, scale);
        kk_reader_say(r, c->many);
        return true;
    }
    return false;
}
