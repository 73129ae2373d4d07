/*
 * figures.c - runs with digits in them: money, times, dates, fractions, ranges, telephone numbers,
 * quantities with units, years, ordinals. A run that fits none of these forms is cut into letters
 * and numbers, so that nothing is lost.
 */
#include "text/normalise.h"

#include "text/number.h"

#include <string.h>

/* A run being read: `rest` shrinks from the left; words collect in `words`. */
typedef struct reader {
    kk_drafts *drafts;
    const kk_pieces *pieces;
    size_t index;
    enum kk_language language;
    kk_buf words;
    size_t n_read; /* pieces used */
} reader;

static bool all_digits(kk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!kk_is_digit((unsigned char)text.data[i]))
            return false;
    }
    return text.len > 0;
}

static kk_slice head(kk_slice text, size_t n)
{
    return (kk_slice){text.data, n};
}

static kk_slice tail(kk_slice text, size_t n)
{
    return (kk_slice){text.data + n, text.len - n};
}

static size_t digits_at(kk_slice text)
{
    size_t n = 0;
    while (n < text.len && kk_is_digit((unsigned char)text.data[n]))
        n++;
    return n;
}

static void say(reader *r, const char *words)
{
    if (r->words.len > 0)
        kk_buf_append_char(&r->words, ' ');
    kk_buf_append_str(&r->words, words);
}

static long number_value(kk_slice digits)
{
    long value = 0;
    for (size_t i = 0; i < digits.len && i < 9; i++)
        value = value * 10 + (digits.data[i] - '0');
    return value;
}

/* Two parts around one sign, both not empty. */
static bool split_at(kk_slice text, const char *sign, kk_slice *left, kk_slice *right)
{
    size_t sign_len = strlen(sign);
    for (size_t i = 1; i + sign_len < text.len; i++) {
        if (memcmp(text.data + i, sign, sign_len) == 0) {
            *left = head(text, i);
            *right = tail(text, i + sign_len);
            return true;
        }
    }
    return false;
}

/* A quantity: "12", "1,234", "3.14", ".5". Its digits without commas go to whole[] and *fraction.
 */
typedef struct quantity {
    char whole[32];
    size_t whole_len;
    kk_slice fraction; /* empty: none */
    bool grouped;      /* with commas */
} quantity;

static size_t read_quantity(kk_slice text, quantity *q)
{
    memset(q, 0, sizeof(*q));
    size_t i = 0;
    while (i < text.len && q->whole_len < sizeof(q->whole)) {
        if (kk_is_digit((unsigned char)text.data[i])) {
            q->whole[q->whole_len++] = text.data[i++];
        } else if (text.data[i] == ',' && q->whole_len > 0 && digits_at(tail(text, i + 1)) == 3) {
            q->grouped = true;
            i++;
        } else {
            break;
        }
    }
    size_t n = i < text.len && text.data[i] == '.' ? digits_at(tail(text, i + 1)) : 0;
    if (n > 0) {
        q->fraction = head(tail(text, i + 1), n);
        i += n + 1;
    }
    return q->whole_len > 0 || n > 0 ? i : 0;
}

static kk_slice whole_of(const quantity *q)
{
    return (kk_slice){q->whole, q->whole_len};
}

/* A quantity as a count; a plain one of four digits as a year, as the voices learnt it. */
static void say_quantity(reader *r, const quantity *q, bool may_be_year)
{
    kk_slice whole = whole_of(q);
    if (q->fraction.len > 0)
        kk_number_decimal(&r->words, whole, q->fraction);
    else if (whole.len > 1 && whole.data[0] == '0')
        kk_number_digits(&r->words, whole);
    else if (may_be_year && whole.len == 4 && !q->grouped)
        kk_number_year(&r->words, whole);
    else
        kk_number_cardinal(&r->words, whole);
}

static bool is_one(const quantity *q)
{
    return q->fraction.len == 0 && q->whole_len == 1 && q->whole[0] == '1';
}

/* The run after this one, if it is on the same line and only a space away. */
static kk_slice next_run(const reader *r)
{
    size_t next = r->index + r->n_read;
    if (next >= r->pieces->n || !r->pieces->items[next - 1].space_after ||
        r->pieces->items[next - 1].breaks || r->pieces->items[next].kind != KK_PIECE_RUN)
        return (kk_slice){"", 0};
    return r->pieces->items[next].text;
}

/* ---- money ---- */

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

static bool read_money(reader *r, kk_slice text)
{
    static const struct {
        const char *sign, *one, *many, *cent, *cents;
    } rows[] = {{"$", "dollar", "dollars", "cent", "cents"},
                {"\xC2\xA3", "pound", "pounds", "penny", "pence"},
                {"\xE2\x82\xAC", "euro", "euros", "cent", "cents"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kk_slice sign = kk_slice_of(rows[i].sign);
        quantity q;
        if (!kk_slice_starts(text, sign))
            continue;
        kk_slice rest = tail(text, sign.len);
        size_t n = read_quantity(rest, &q);
        rest = tail(rest, n);
        const char *scale = rest.len > 0 ? magnitude(rest) : NULL;
        if (n == 0 || (rest.len > 0 && scale == NULL))
            return false;
        if (scale == NULL && next_run(r).len > 2 && (scale = magnitude(next_run(r))) != NULL)
            r->n_read++;
        if (scale != NULL) {
            say_quantity(r, &q, false);
            say(r, scale);
            say(r, rows[i].many);
            return true;
        }
        bool has_cents = q.fraction.len == 2 && !kk_slice_equal(q.fraction, KK_SLICE("00"));
        bool has_whole = q.whole_len > 0 && !(q.whole_len == 1 && q.whole[0] == '0');
        if (q.fraction.len > 0 && q.fraction.len != 2) {
            say_quantity(r, &q, false);
            say(r, rows[i].many);
            return true;
        }
        if (has_whole || !has_cents) {
            kk_number_cardinal(&r->words, q.whole_len > 0 ? whole_of(&q) : KK_SLICE("0"));
            say(r, q.whole_len == 1 && q.whole[0] == '1' ? rows[i].one : rows[i].many);
        }
        if (has_cents) {
            if (has_whole)
                say(r, "and");
            kk_slice cents = q.fraction.data[0] == '0' ? tail(q.fraction, 1) : q.fraction;
            kk_number_cardinal(&r->words, cents);
            say(r, kk_slice_equal(cents, KK_SLICE("1")) ? rows[i].cent : rows[i].cents);
        }
        return true;
    }
    return false;
}

/* ---- times and dates ---- */

static const char *half_day(kk_slice text)
{
    static const char *const rows[][2] = {
        {"am", "A M"}, {"a.m", "A M"}, {"pm", "P M"}, {"p.m", "P M"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (kk_slice_equal_nocase(text, kk_slice_of(rows[i][0])))
            return rows[i][1];
    }
    return NULL;
}

/* 3:30, 3:05pm, 10:00; the a.m. after a space is read as an abbreviation of its own. */
static bool read_time(reader *r, kk_slice text)
{
    size_t n = digits_at(text);
    if (n == 0 || n > 2 || n >= text.len || text.data[n] != ':' ||
        digits_at(tail(text, n + 1)) != 2)
        return false;
    kk_slice hour = head(text, n), minute = head(tail(text, n + 1), 2), rest = tail(text, n + 3);
    if (number_value(hour) > 24 || number_value(minute) > 59)
        return false;
    const char *half = rest.len > 0 ? half_day(rest) : NULL;
    if (rest.len > 0 && half == NULL)
        return false;
    kk_number_cardinal(&r->words, hour.len == 2 && hour.data[0] == '0' ? tail(hour, 1) : hour);
    if (minute.data[0] != '0') {
        kk_number_cardinal(&r->words, minute);
    } else if (minute.data[1] != '0') {
        say(r, "oh");
        kk_number_cardinal(&r->words, tail(minute, 1));
    } else if (half == NULL && half_day(next_run(r)) == NULL) {
        say(r, number_value(hour) > 12 || number_value(hour) == 0 ? "hundred" : "o'clock");
    }
    if (half != NULL)
        say(r, half);
    return true;
}

/* 3pm */
static bool read_hour(reader *r, kk_slice text)
{
    size_t n = digits_at(text);
    if (n == 0 || n > 2 || n == text.len || half_day(tail(text, n)) == NULL ||
        number_value(head(text, n)) > 12)
        return false;
    kk_number_cardinal(&r->words, head(text, n));
    say(r, half_day(tail(text, n)));
    return true;
}

static bool say_date(reader *r, kk_slice year, long month, kk_slice day)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    if (day.len == 2 && day.data[0] == '0')
        day = tail(day, 1);
    if (month < 1 || month > 12 || number_value(day) < 1 || number_value(day) > 31)
        return false;
    say(r, months[month - 1]);
    kk_number_ordinal(&r->words, day);
    kk_number_year(&r->words, year);
    return true;
}

/* 2021-03-05, and 3/5/2021 in the order of the language: month first in en-us, day first in en-gb.
 */
static bool read_date(reader *r, kk_slice text)
{
    kk_slice a, b, c, rest;
    const char *sign = memchr(text.data, '/', text.len) != NULL ? "/" : "-";
    if (!split_at(text, sign, &a, &rest) || !split_at(rest, sign, &b, &c))
        return false;
    if (!all_digits(a) || !all_digits(b) || !all_digits(c) || b.len > 2)
        return false;
    if (a.len == 4 && c.len <= 2)
        return say_date(r, a, number_value(b), c);
    if (*sign != '/' || c.len != 4 || a.len > 2)
        return false;
    bool day_first = r->language == KK_LANG_EN_GB || number_value(a) > 12;
    return day_first ? say_date(r, c, number_value(b), a) : say_date(r, c, number_value(a), b);
}

/* ---- fractions, ranges, telephone numbers ---- */

static bool read_fraction(reader *r, kk_slice text)
{
    kk_slice a, b;
    if (!split_at(text, "/", &a, &b) || !all_digits(a) || !all_digits(b) || a.len > 3 || b.len > 3)
        return false;
    kk_number_cardinal(&r->words, a);
    long bottom = number_value(b);
    bool one = number_value(a) == 1;
    if (bottom == 2) {
        say(r, one ? "half" : "halves");
    } else if (bottom == 4) {
        say(r, one ? "quarter" : "quarters");
    } else if (bottom > 2 && bottom <= 100 && number_value(a) < bottom) {
        kk_number_ordinal(&r->words, b);
        if (!one)
            kk_buf_append_char(&r->words, 's');
    } else {
        say(r, "over");
        kk_number_cardinal(&r->words, b);
    }
    return true;
}

/* 555-1234 and 1-800-555-0199 digit by digit; 10-20 and 1990-95 as "to". */
static bool read_dashed(reader *r, kk_slice text)
{
    kk_slice a, b;
    bool is_en_dash = split_at(text, "\xE2\x80\x93", &a, &b);
    if (!is_en_dash && !split_at(text, "-", &a, &b))
        return false;
    quantity left, right;
    bool is_phone = !is_en_dash && all_digits(a) &&
                    (memchr(b.data, '-', b.len) != NULL || (a.len == 3 && b.len == 4));
    if (is_phone) {
        for (size_t i = 0; i < b.len; i++) {
            if (b.data[i] != '-' && !kk_is_digit((unsigned char)b.data[i]))
                return false;
        }
        kk_number_digits(&r->words, a);
        for (kk_slice rest = b; rest.len > 0;) {
            size_t n = digits_at(rest);
            kk_number_digits(&r->words, head(rest, n));
            rest = tail(rest, n < rest.len ? n + 1 : n);
        }
        return true;
    }
    if (read_quantity(a, &left) != a.len || a.len == 0)
        return false;
    size_t n = read_quantity(b, &right);
    bool is_percent = n + 1 == b.len && b.data[n] == '%';
    if (n == 0 || (n != b.len && !is_percent))
        return false;
    say_quantity(r, &left, true);
    say(r, "to");
    say_quantity(r, &right, true);
    if (is_percent)
        say(r, "percent");
    return true;
}

/* ---- quantities with something behind them ---- */

typedef struct unit {
    const char *written; /* case decides: mV is not MV */
    const char *one, *many;
    bool attached_only; /* "5 m" may be a name; "5m" is not */
} unit;

static const unit units[] = {
    {"km", "kilometer", "kilometers", false},
    {"cm", "centimeter", "centimeters", false},
    {"mm", "millimeter", "millimeters", false},
    {"m", "meter", "meters", true},
    {"mi", "mile", "miles", false},
    {"ft", "foot", "feet", false},
    {"yd", "yard", "yards", false},
    {"kg", "kilogram", "kilograms", false},
    {"g", "gram", "grams", true},
    {"mg", "milligram", "milligrams", false},
    {"lb", "pound", "pounds", false},
    {"lbs", "pound", "pounds", false},
    {"oz", "ounce", "ounces", false},
    {"ml", "milliliter", "milliliters", false},
    {"l", "liter", "liters", true},
    {"L", "liter", "liters", true},
    {"mph", "mile per hour", "miles per hour", false},
    {"km/h", "kilometer per hour", "kilometers per hour", false},
    {"kph", "kilometer per hour", "kilometers per hour", false},
    {"ms", "millisecond", "milliseconds", false},
    {"s", "second", "seconds", true},
    {"sec", "second", "seconds", false},
    {"min", "minute", "minutes", false},
    {"h", "hour", "hours", true},
    {"hr", "hour", "hours", false},
    {"hrs", "hour", "hours", false},
    {"kB", "kilobyte", "kilobytes", false},
    {"KB", "kilobyte", "kilobytes", false},
    {"MB", "megabyte", "megabytes", false},
    {"GB", "gigabyte", "gigabytes", false},
    {"TB", "terabyte", "terabytes", false},
    {"Hz", "hertz", "hertz", false},
    {"kHz", "kilohertz", "kilohertz", false},
    {"MHz", "megahertz", "megahertz", false},
    {"GHz", "gigahertz", "gigahertz", false},
    {"W", "watt", "watts", true},
    {"kW", "kilowatt", "kilowatts", false},
    {"MW", "megawatt", "megawatts", false},
    {"mW", "milliwatt", "milliwatts", false},
    {"kWh", "kilowatt hour", "kilowatt hours", false},
    {"V", "volt", "volts", true},
    {"mV", "millivolt", "millivolts", false},
    {"kV", "kilovolt", "kilovolts", false},
    {"A", "amp", "amps", true},
    {"mA", "milliamp", "milliamps", false},
    {"dB", "decibel", "decibels", false},
    {"%", "percent", "percent", false},
    {"\xC2\xB0", "degree", "degrees", true},
    {"\xC2\xB0"
     "C",
     "degree Celsius", "degrees Celsius", false},
    {"\xC2\xB0"
     "F",
     "degree Fahrenheit", "degrees Fahrenheit", false},
};

static const unit *find_unit(kk_slice text, bool is_attached)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (kk_slice_equal(text, kk_slice_of(units[i].written)) &&
            (is_attached || !units[i].attached_only))
            return &units[i];
    }
    return NULL;
}

static bool is_ordinal_ending(kk_slice text)
{
    static const char *const endings[] = {"st", "nd", "rd", "th"};
    for (size_t i = 0; i < 4; i++) {
        if (kk_slice_equal_nocase(text, kk_slice_of(endings[i])))
            return true;
    }
    return false;
}

/* The decade or a plural: 1990s, 90s, 747s. The last word takes its plural. */
static void say_plural(reader *r, const quantity *q)
{
    say_quantity(r, q, true);
    kk_buf *words = &r->words;
    if (words->failed || words->len == 0)
        return;
    if (words->data[words->len - 1] == 'y') {
        words->len--;
        kk_buf_append_str(words, "ies");
    } else {
        kk_buf_append_str(words, words->data[words->len - 1] == 'x' ? "es" : "s");
    }
}

static bool read_plain(reader *r, kk_slice text)
{
    quantity q;
    size_t n = read_quantity(text, &q);
    if (n == 0)
        return false;
    kk_slice rest = tail(text, n);
    bool is_whole = q.fraction.len == 0;
    if (rest.len == 0) {
        const unit *u = find_unit(next_run(r), false);
        say_quantity(r, &q, u == NULL);
        if (u != NULL) {
            say(r, is_one(&q) ? u->one : u->many);
            r->n_read++;
        }
        return true;
    }
    if (is_whole && is_ordinal_ending(rest)) {
        kk_number_ordinal(&r->words, whole_of(&q));
        return true;
    }
    bool is_decade = is_whole && q.whole_len >= 2 && q.whole[q.whole_len - 1] == '0';
    if (is_whole && (kk_slice_equal(rest, KK_SLICE("'s")) ||
                     (kk_slice_equal(rest, KK_SLICE("s")) && is_decade))) {
        say_plural(r, &q);
        return true;
    }
    const unit *u = find_unit(rest, true);
    if (u == NULL)
        return false;
    say_quantity(r, &q, false);
    say(r, is_one(&q) ? u->one : u->many);
    return true;
}

/* Letters and figures mixed (B2B, mp3, 4K, A-10): each part on its own, and joining signs part
 * them. */
static void read_mixed(reader *r, kk_slice text)
{
    size_t i = 0;
    while (i < text.len) {
        size_t n = digits_at(tail(text, i));
        kk_slice part;
        if (n > 0) {
            part = head(tail(text, i), n);
            if (part.data[0] == '0' || n > 4)
                kk_number_digits(&r->words, part);
            else
                kk_number_cardinal(&r->words, part);
            i += n;
            continue;
        }
        while (i + n < text.len && !kk_is_digit((unsigned char)text.data[i + n]))
            n++;
        part = head(tail(text, i), n);
        i += n;
        while (part.len > 0 && memchr("-.,:/_'", part.data[0], 7) != NULL) {
            if (part.data[0] == '.' && part.len == 1 && i < text.len)
                say(r, "point");
            part = tail(part, 1);
        }
        while (part.len > 0 && memchr("-.,:/_'", part.data[part.len - 1], 7) != NULL)
            part.len--;
        if (part.len == 0)
            continue;
        if (r->words.len > 0)
            kk_buf_append_char(&r->words, ' ');
        if (kk_slice_equal(part, KK_SLICE("%")))
            kk_buf_append_str(&r->words, "percent");
        else if (kk_slice_equal(part, KK_SLICE("$")))
            kk_buf_append_str(&r->words, "dollars");
        else
            kk_buf_append_slice(&r->words, part);
    }
}

size_t kk_normalise_number(kk_drafts *drafts, const kk_pieces *pieces, size_t index,
                           enum kk_language language)
{
    static bool (*const forms[])(reader *, kk_slice) = {
        read_money, read_time, read_hour, read_date, read_fraction, read_dashed, read_plain};
    reader r = {drafts, pieces, index, language, KK_BUF_INIT, 1};
    kk_slice text = pieces->items[index].text;
    if (text.data[0] == '\'')
        text = tail(text, 1);
    if (text.len > 1 && text.data[0] == '#') {
        say(&r, "number");
        text = tail(text, 1);
    } else if (text.len > 1 && (text.data[0] == '-' || text.data[0] == '+')) {
        say(&r, text.data[0] == '-' ? "minus" : "plus");
        text = tail(text, 1);
    }
    bool is_read = false;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]) && !is_read; i++)
        is_read = forms[i](&r, text);
    if (!is_read)
        read_mixed(&r, text);
    kk_piece whole = pieces->items[index];
    const kk_piece *last = &pieces->items[index + r.n_read - 1];
    whole.len = last->offset + last->len - whole.offset;
    whole.space_after = last->space_after;
    whole.breaks = last->breaks;
    drafts->failed = drafts->failed || r.words.failed;
    kk_drafts_add_words(drafts, &whole, kk_slice_of(kk_buf_str(&r.words)), KK_TOKEN_NUMBER);
    kk_buf_fini(&r.words);
    return r.n_read;
}
