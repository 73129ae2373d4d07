/*
 * calendar.c - times of day and dates: 3:30pm, 10:00, 2021-03-05, 3/5/2021.
 */
#include "text/figures.h"

#include "text/number.h"

#include <string.h>

/* am and pm are said as the letters that they are: a word with inner dots is spelt. */
static const char *half_day(kk_slice text)
{
    static const char *const rows[][2] = {
        {"am", "A.M"}, {"a.m", "A.M"}, {"pm", "P.M"}, {"p.m", "P.M"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (kk_slice_equal_nocase(text, kk_slice_of(rows[i][0])))
            return rows[i][1];
    }
    return NULL;
}

/* 3:30, 3:05pm, 10:00; the a.m. after a space is read as an abbreviation of its own. */
bool kk_read_time(kk_reader *r, kk_slice text)
{
    size_t n = kk_digits_at(text);
    if (n == 0 || n > 2 || n >= text.len || text.data[n] != ':' ||
        kk_digits_at(kk_slice_tail(text, n + 1)) != 2)
        return false;
    kk_slice hour = kk_slice_head(text, n), minute = kk_slice_head(kk_slice_tail(text, n + 1), 2),
             rest = kk_slice_tail(text, n + 3);
    if (kk_digits_value(hour) > 24 || kk_digits_value(minute) > 59)
        return false;
    const char *half = rest.len > 0 ? half_day(rest) : NULL;
    if (rest.len > 0 && half == NULL)
        return false;
    bool is_padded = hour.len == 2 && hour.data[0] == '0';
    kk_number_cardinal(&r->words, is_padded ? kk_slice_tail(hour, 1) : hour);
    if (minute.data[0] != '0') {
        kk_number_cardinal(&r->words, minute);
    } else if (minute.data[1] != '0') {
        kk_reader_say(r, "oh");
        kk_number_cardinal(&r->words, kk_slice_tail(minute, 1));
    } else if (half == NULL && half_day(kk_reader_next_run(r)) == NULL) {
        bool is_twelve_hours = kk_digits_value(hour) <= 12 && kk_digits_value(hour) > 0;
        kk_reader_say(r, is_twelve_hours ? "o'clock" : "hundred");
    }
    if (half != NULL)
        kk_reader_say(r, half);
    else
        (void)kk_read_half_day(r);
    return true;
}

bool kk_read_half_day(kk_reader *r)
{
    kk_slice next = kk_reader_next_run(r);
    const char *half = next.len == 2 ? half_day(next) : NULL;
    if (half == NULL)
        return false;
    kk_reader_say(r, half);
    r->n_read++;
    return true;
}

/* 3pm */
bool kk_read_hour(kk_reader *r, kk_slice text)
{
    size_t n = kk_digits_at(text);
    if (n == 0 || n > 2 || n == text.len || half_day(kk_slice_tail(text, n)) == NULL ||
        kk_digits_value(kk_slice_head(text, n)) > 12)
        return false;
    kk_number_cardinal(&r->words, kk_slice_head(text, n));
    kk_reader_say(r, half_day(kk_slice_tail(text, n)));
    return true;
}

static bool say_date(kk_reader *r, kk_slice year, long month, kk_slice day)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    if (day.len == 2 && day.data[0] == '0')
        day = kk_slice_tail(day, 1);
    if (month < 1 || month > 12 || kk_digits_value(day) < 1 || kk_digits_value(day) > 31)
        return false;
    kk_reader_say(r, months[month - 1]);
    kk_number_ordinal(&r->words, day);
    kk_number_year(&r->words, year);
    return true;
}

/* 2021-03-05, and 3/5/2021 in the order of the language: month first in en-us, day first in en-gb.
 */
bool kk_read_date(kk_reader *r, kk_slice text)
{
    kk_slice a, b, c, rest;
    const char *sign = memchr(text.data, '/', text.len) != NULL ? "/" : "-";
    if (!kk_split_at(text, sign, &a, &rest) || !kk_split_at(rest, sign, &b, &c))
        return false;
    if (!kk_all_digits(a) || !kk_all_digits(b) || !kk_all_digits(c) || b.len > 2)
        return false;
    if (a.len == 4 && c.len <= 2)
        return say_date(r, a, kk_digits_value(b), c);
    if (*sign != '/' || c.len != 4 || a.len > 2)
        return false;
    bool day_first =
        (r->language == KK_LANG_EN_GB && kk_digits_value(b) <= 12) || kk_digits_value(a) > 12;
    return day_first ? say_date(r, c, kk_digits_value(b), a)
                     : say_date(r, c, kk_digits_value(a), b);
}
