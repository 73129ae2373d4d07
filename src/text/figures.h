/*
 * figures.h - shared by the files that read runs with digits in them: the run being read, and the
 * quantity that most of them begin with.
 */
#ifndef KK_TEXT_FIGURES_H
#define KK_TEXT_FIGURES_H

#include "text/normalise.h"

/* A run being read; words collect in `words`. */
typedef struct kk_reader {
    kk_drafts *drafts;
    const kk_pieces *pieces;
    size_t index;
    enum kk_language language;
    kk_buf words;
    size_t n_read; /* pieces used */
} kk_reader;

/* A quantity: "12", "1,234", "3.14", ".5". Its digits are without commas here. */
typedef struct kk_quantity {
    char digits[32];
    kk_slice whole;    /* in digits; may be empty */
    kk_slice fraction; /* empty: none */
    bool grouped;      /* with commas */
} kk_quantity;

kk_slice kk_slice_head(kk_slice text, size_t n);
kk_slice kk_slice_tail(kk_slice text, size_t n);
/* How many digits stand at the start. */
size_t kk_digits_at(kk_slice text);
bool kk_all_digits(kk_slice text);
/* Of the first nine digits. */
long kk_digits_value(kk_slice digits);
/* Two parts around one sign, both not empty. */
bool kk_split_at(kk_slice text, const char *sign, kk_slice *left, kk_slice *right);

/* One more word, or several. */
void kk_reader_say(kk_reader *r, const char *words);
/* The run after this one, if it is on the same line and only a space away; else "". */
kk_slice kk_reader_next_run(const kk_reader *r);

/* Bytes that the quantity at the start of `text` takes; 0 when there is none. *q points into
 * itself: it is not to be copied. */
size_t kk_quantity_read(kk_slice text, kk_quantity *q);
/* As a count; a plain one of four digits as a year where it may be one, as the voices learnt it. */
void kk_quantity_say(kk_reader *r, const kk_quantity *q, bool may_be_year);
bool kk_quantity_is_one(const kk_quantity *q);

/* The forms. Each reads the whole of `text` (and may take pieces after it), or returns false and
 * has said nothing. */
bool kk_read_money(kk_reader *r, kk_slice text);
bool kk_read_time(kk_reader *r, kk_slice text);
/* The pm behind the space in "3 pm"; one with full stops is read as an abbreviation of its own. */
bool kk_read_half_day(kk_reader *r);
bool kk_read_hour(kk_reader *r, kk_slice text);
bool kk_read_date(kk_reader *r, kk_slice text);
bool kk_read_telephone(kk_reader *r, kk_slice text);
bool kk_read_fraction(kk_reader *r, kk_slice text);

/* A unit behind a number. */
typedef struct kk_unit {
    const char *written; /* case decides: mV is not MV */
    const char *one, *many;
    bool attached_only; /* "5 m" may be a name; "5m" is not */
} kk_unit;

/* NULL: none. `is_attached`: no space stood before it. */
const kk_unit *kk_unit_find(kk_slice text, bool is_attached);

#endif
