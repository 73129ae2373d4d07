/*
 * figures.c - runs with digits in them: fractions, ranges, sizes, quantities with units, years,
 * ordinals; money, times, dates and telephone numbers are in files of their own. A run that fits
 * none of these forms is cut into letters and numbers, so that nothing is lost.
 */
#include "text/figures.h"

#include "text/number.h"

#include <string.h>

kk_slice kk_slice_head(kk_slice text, size_t n)
{
    return (kk_slice){text.data, n};
}

kk_slice kk_slice_tail(kk_slice text, size_t n)
{
    return (kk_slice){text.data + n, text.len - n};
}

size_t kk_digits_at(kk_slice text)
{
    size_t n = 0;
    while (n < text.len && kk_is_digit((unsigned char)text.data[n]))
        n++;
    return n;
}

bool kk_all_digits(kk_slice text)
{
    return text.len > 0 && kk_digits_at(text) == text.len;
}

long kk_digits_value(kk_slice digits)
{
    long value = 0;
    for (size_t i = 0; i < digits.len && i < 9; i++)
        value = value * 10 + (digits.data[i] - '0');
    return value;
}

bool kk_split_at(kk_slice text, const char *sign, kk_slice *left, kk_slice *right)
{
    size_t sign_len = strlen(sign);
    for (size_t i = 1; i + sign_len < text.len; i++) {
        if (memcmp(text.data + i, sign, sign_len) == 0) {
            *left = kk_slice_head(text, i);
            *right = kk_slice_tail(text, i + sign_len);
            return true;
        }
    }
    return false;
}

void kk_reader_say(kk_reader *r, const char *words)
{
    if (r->words.len > 0)
        kk_buf_append_char(&r->words, ' ');
    kk_buf_append_str(&r->words, words);
}

kk_slice kk_reader_next_run(const kk_reader *r)
{
    size_t next = r->index + r->n_read;
    if (next >= r->pieces->n || !r->pieces->items[next - 1].space_after ||
        r->pieces->items[next - 1].breaks || r->pieces->items[next].kind != KK_PIECE_RUN)
        return (kk_slice){"", 0};
    return r->pieces->items[next].text;
}

/* ---- quantities ---- */

size_t kk_quantity_read(kk_slice text, kk_quantity *q)
{
    memset(q, 0, sizeof(*q));
    size_t i = 0, n_whole = 0;
    while (i < text.len && n_whole < sizeof(q->digits)) {
        if (kk_is_digit((unsigned char)text.data[i])) {
            q->digits[n_whole++] = text.data[i++];
        } else if (text.data[i] == ',' && n_whole > 0 &&
                   kk_digits_at(kk_slice_tail(text, i + 1)) == 3) {
            q->grouped = true;
            i++;
        } else {
            break;
        }
    }
    size_t n = i < text.len && text.data[i] == '.' ? kk_digits_at(kk_slice_tail(text, i + 1)) : 0;
    q->whole = (kk_slice){q->digits, n_whole};
    q->fraction = (kk_slice){"", 0};
    if (n > 0) {
        q->fraction = kk_slice_head(kk_slice_tail(text, i + 1), n);
        i += n + 1;
    }
    return n_whole > 0 || n > 0 ? i : 0;
}

void kk_quantity_say(kk_reader *r, const kk_quantity *q, bool may_be_year)
{
    if (q->fraction.len > 0)
        kk_number_decimal(&r->words, q->whole, q->fraction);
    else if (q->whole.len > 1 && q->whole.data[0] == '0')
        kk_number_digits(&r->words, q->whole);
    else if (may_be_year && q->whole.len == 4 && !q->grouped)
        kk_number_year(&r->words, q->whole);
    else
        kk_number_cardinal(&r->words, q->whole);
}

bool kk_quantity_is_one(const kk_quantity *q)
{
    return q->fraction.len == 0 && kk_slice_equal(q->whole, KK_SLICE("1"));
}

/* ---- fractions ---- */

static void say_parts(kk_reader *r, long top, kk_slice bottom)
{
    if (kk_digits_value(bottom) == 2) {
        kk_reader_say(r, top == 1 ? "half" : "halves");
    } else if (kk_digits_value(bottom) == 4) {
        kk_reader_say(r, top == 1 ? "quarter" : "quarters");
    } else {
        kk_number_ordinal(&r->words, bottom);
        if (top != 1)
            kk_buf_append_char(&r->words, 's');
    }
}

static bool is_usual_denominator(long n)
{
    return (n >= 2 && n <= 10) || n == 12 || n == 16 || n == 20 || n == 32 || n == 64 || n == 100;
}

/* 3/4 three quarters; 24/7, 9/11 and 12/25, which are names or days, as their two numbers. */
bool kk_read_fraction(kk_reader *r, kk_slice text)
{
    kk_slice a, b;
    if (!kk_split_at(text, "/", &a, &b) || !kk_all_digits(a) || !kk_all_digits(b) || a.len > 3 ||
        b.len > 3)
        return false;
    long top = kk_digits_value(a), bottom = kk_digits_value(b);
    kk_number_cardinal(&r->words, a);
    if (is_usual_denominator(bottom) && top < 2 * bottom)
        say_parts(r, top, b);
    else
        kk_number_cardinal(&r->words, b);
    return true;
}

/* The fraction of a mixed number: "2 1/2", which the scan left as a run of its own. */
static bool read_mixed_fraction(kk_reader *r)
{
    kk_slice a, b, next = kk_reader_next_run(r);
    if (!kk_split_at(next, "/", &a, &b) || !kk_all_digits(a) || !kk_all_digits(b) || b.len > 2 ||
        a.len > 2 || !is_usual_denominator(kk_digits_value(b)) ||
        kk_digits_value(a) >= kk_digits_value(b))
        return false;
    kk_reader_say(r, "and");
    if (kk_digits_value(a) == 1)
        kk_reader_say(r, "a");
    else
        kk_number_cardinal(&r->words, a);
    say_parts(r, kk_digits_value(a), b);
    r->n_read++;
    return true;
}

/* ---- two numbers ---- */

static bool say_unit(kk_reader *r, const kk_quantity *q, kk_slice written, bool is_attached)
{
    const kk_unit *unit = kk_unit_find(written, is_attached);
    if (unit == NULL)
        return false;
    kk_reader_say(r, kk_quantity_is_one(q) ? unit->one : unit->many);
    return true;
}

/* 10-20, 1990–95, 5-10km, 10-20% as "to"; 1920x1080 as "by". */
static bool read_pair(kk_reader *r, kk_slice text)
{
    static const char *const signs[][2] = {{"\xE2\x80\x93", "to"}, {"-", "to"}, {"x", "by"}};
    for (size_t i = 0; i < 3; i++) {
        kk_slice a, b;
        kk_quantity left, right;
        if (!kk_split_at(text, signs[i][0], &a, &b))
            continue;
        size_t n = kk_quantity_read(b, &right);
        kk_slice rest = kk_slice_tail(b, n);
        if (kk_quantity_read(a, &left) != a.len || n == 0 ||
            (rest.len > 0 && kk_unit_find(rest, true) == NULL))
            return false;
        kk_quantity_say(r, &left, true);
        kk_reader_say(r, signs[i][1]);
        kk_quantity_say(r, &right, true);
        if (rest.len > 0)
            (void)say_unit(r, &right, rest, true);
        else if (say_unit(r, &right, kk_reader_next_run(r), false))
            r->n_read++;
        return true;
    }
    return false;
}

/* A body height: 5'10" */
static bool read_height(kk_reader *r, kk_slice text)
{
    kk_slice feet, inches;
    size_t next = r->index + 1;
    if (!kk_split_at(text, "'", &feet, &inches) || !kk_all_digits(feet) || !kk_all_digits(inches) ||
        feet.len > 2 || kk_digits_value(inches) > 11)
        return false;
    kk_number_cardinal(&r->words, feet);
    kk_reader_say(r, "foot");
    kk_number_cardinal(&r->words, inches);
    if (next < r->pieces->n && !r->pieces->items[r->index].space_after &&
        (r->pieces->items[next].mark == '"' || r->pieces->items[next].mark == 0x201D))
        r->n_read++;
    return true;
}

/* ---- one number ---- */

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
static void say_plural(kk_reader *r, const kk_quantity *q)
{
    kk_quantity_say(r, q, true);
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

static bool read_plain(kk_reader *r, kk_slice text)
{
    kk_quantity q;
    size_t n = kk_quantity_read(text, &q);
    if (n == 0)
        return false;
    kk_slice rest = kk_slice_tail(text, n);
    bool is_whole = q.fraction.len == 0;
    if (rest.len == 0) {
        const kk_unit *unit = kk_unit_find(kk_reader_next_run(r), false);
        kk_quantity_say(r, &q, unit == NULL);
        if (unit != NULL) {
            kk_reader_say(r, kk_quantity_is_one(&q) ? unit->one : unit->many);
            r->n_read++;
        } else if (is_whole && q.whole.len < 4 && !read_mixed_fraction(r) && q.whole.len < 3) {
            (void)kk_read_half_day(r);
        }
        return true;
    }
    if (is_whole && is_ordinal_ending(rest)) {
        kk_number_ordinal(&r->words, q.whole);
        return true;
    }
    bool is_decade = is_whole && q.whole.len >= 2 && q.whole.data[q.whole.len - 1] == '0';
    if (is_whole && (kk_slice_equal(rest, KK_SLICE("'s")) ||
                     (kk_slice_equal(rest, KK_SLICE("s")) && is_decade))) {
        say_plural(r, &q);
        return true;
    }
    if (kk_unit_find(rest, true) == NULL)
        return false;
    kk_quantity_say(r, &q, false);
    return say_unit(r, &q, rest, true);
}

/* ---- anything else ---- */

/* The letters and signs between two numbers of a mixed run, without the signs that join them. */
static void say_letters(kk_reader *r, kk_slice part, bool number_follows)
{
    static const char joiners[] = "-.,:/_'";
    if (part.len == 1 && part.data[0] == '.' && number_follows)
        kk_reader_say(r, "point");
    while (part.len > 0 && memchr(joiners, part.data[0], sizeof(joiners) - 1) != NULL)
        part = kk_slice_tail(part, 1);
    while (part.len > 0 && memchr(joiners, part.data[part.len - 1], sizeof(joiners) - 1) != NULL)
        part.len--;
    if (part.len == 0)
        return;
    if (kk_slice_equal(part, KK_SLICE("%"))) {
        kk_reader_say(r, "percent");
    } else if (kk_slice_equal(part, KK_SLICE("$"))) {
        kk_reader_say(r, "dollars");
    } else {
        kk_reader_say(r, "");
        kk_buf_append_slice(&r->words, part);
    }
}

/* Letters and figures mixed (B2B, mp3, 4K, A-10): each part on its own, and joining signs part
 * them. */
static void read_mixed(kk_reader *r, kk_slice text)
{
    size_t i = 0;
    while (i < text.len) {
        size_t n = kk_digits_at(kk_slice_tail(text, i));
        kk_slice part;
        if (n > 0) {
            part = kk_slice_head(kk_slice_tail(text, i), n);
            if (part.data[0] == '0' || n > 4)
                kk_number_digits(&r->words, part);
            else
                kk_number_cardinal(&r->words, part);
            i += n;
            continue;
        }
        while (i + n < text.len && !kk_is_digit((unsigned char)text.data[i + n]))
            n++;
        part = kk_slice_head(kk_slice_tail(text, i), n);
        i += n;
        say_letters(r, part, i < text.len);
    }
}

size_t kk_normalise_number(kk_drafts *drafts, const kk_pieces *pieces, size_t index,
                           enum kk_language language)
{
    static bool (*const forms[])(kk_reader *, kk_slice) = {
        kk_read_money,    kk_read_time, kk_read_hour, kk_read_date, kk_read_telephone,
        kk_read_fraction, read_height,  read_pair,    read_plain};
    kk_reader r = {drafts, pieces, index, language, KK_BUF_INIT, 1};
    kk_slice text = pieces->items[index].text;
    if (text.data[0] == '\'')
        text = kk_slice_tail(text, 1);
    if (text.len > 1 && text.data[0] == '#') {
        kk_reader_say(&r, "number");
        text = kk_slice_tail(text, 1);
    } else if (text.len > 1 && (text.data[0] == '-' || text.data[0] == '+')) {
        kk_reader_say(&r, text.data[0] == '-' ? "minus" : "plus");
        text = kk_slice_tail(text, 1);
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
