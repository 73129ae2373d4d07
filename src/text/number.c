#include "text/number.h"

static const char *const small[] = {"zero",    "one",     "two",       "three",    "four",
                                    "five",    "six",     "seven",     "eight",    "nine",
                                    "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
static const char *const tens[] = {"",      "",      "twenty",  "thirty", "forty",
                                   "fifty", "sixty", "seventy", "eighty", "ninety"};
static const char *const groups[] = {"",        "thousand", "million",
                                     "billion", "trillion", "quadrillion"};

static void word(kk_buf *dst, const char *text)
{
    if (dst->len > 0 && dst->data[dst->len - 1] != ' ')
        kk_buf_append_char(dst, ' ');
    kk_buf_append_str(dst, text);
}

static uint64_t value_of(kk_slice digits)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++)
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    return value;
}

static void below_thousand(kk_buf *dst, unsigned n)
{
    if (n >= 100) {
        word(dst, small[n / 100]);
        word(dst, "hundred");
        n %= 100;
        if (n == 0)
            return;
    }
    if (n >= 20) {
        word(dst, tens[n / 10]);
        n %= 10;
        if (n == 0)
            return;
    }
    word(dst, small[n]);
}

static void cardinal(kk_buf *dst, uint64_t n)
{
    if (n == 0) {
        word(dst, small[0]);
        return;
    }
    uint64_t unit = 1000000000000000;
    for (int i = 5; i >= 0; i--, unit /= 1000) {
        unsigned part = (unsigned)(n / unit % 1000);
        if (part == 0)
            continue;
        below_thousand(dst, part);
        if (i > 0)
            word(dst, groups[i]);
    }
}

void kk_number_digits(kk_buf *dst, kk_slice digits)
{
    for (size_t i = 0; i < digits.len; i++)
        word(dst, small[digits.data[i] - '0']);
}

void kk_number_cardinal(kk_buf *dst, kk_slice digits)
{
    if (digits.len > 18)
        kk_number_digits(dst, digits);
    else
        cardinal(dst, value_of(digits));
}

/* The last word of a cardinal made ordinal. */
static void make_ordinal(kk_buf *dst)
{
    static const char *const irregular[][2] = {
        {"one", "first"},    {"two", "second"}, {"three", "third"},   {"five", "fifth"},
        {"eight", "eighth"}, {"nine", "ninth"}, {"twelve", "twelfth"}};
    size_t start = dst->len;
    while (start > 0 && dst->data[start - 1] != ' ')
        start--;
    kk_slice last = {dst->data + start, dst->len - start};
    for (size_t i = 0; i < sizeof(irregular) / sizeof(irregular[0]); i++) {
        if (kk_slice_equal(last, kk_slice_of(irregular[i][0]))) {
            dst->len = start;
            kk_buf_append_str(dst, irregular[i][1]);
            return;
        }
    }
    if (dst->data[dst->len - 1] == 'y') {
        dst->len--;
        kk_buf_append_str(dst, "ieth");
    } else {
        kk_buf_append_str(dst, "th");
    }
}

void kk_number_ordinal(kk_buf *dst, kk_slice digits)
{
    kk_number_cardinal(dst, digits);
    if (!dst->failed && dst->len > 0)
        make_ordinal(dst);
}

void kk_number_year(kk_buf *dst, kk_slice digits)
{
    uint64_t n = digits.len <= 4 ? value_of(digits) : 0;
    unsigned high = (unsigned)(n / 100), low = (unsigned)(n % 100);
    /* 1000 to 1099 and 2000 to 2009 are read as numbers, as num2words does. */
    if (digits.len != 4 || n < 1000 || (high % 10 == 0 && low < 10)) {
        kk_number_cardinal(dst, digits);
        return;
    }
    below_thousand(dst, high);
    if (low == 0) {
        word(dst, "hundred");
    } else {
        if (low < 10)
            word(dst, "oh");
        below_thousand(dst, low);
    }
}

void kk_number_decimal(kk_buf *dst, kk_slice whole, kk_slice fraction)
{
    if (whole.len > 0)
        kk_number_cardinal(dst, whole);
    word(dst, "point");
    kk_number_digits(dst, fraction);
}
