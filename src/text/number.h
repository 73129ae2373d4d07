/*
 * number.h - digits to English words, in the wording of num2words without its "and" and hyphens,
 * because the voices were trained on that: 1984 -> nineteen eighty four; 342 -> three hundred forty
 * two.
 *
 * Each function appends lower-case words, separated by one space, to *dst.
 */
#ifndef KK_TEXT_NUMBER_H
#define KK_TEXT_NUMBER_H

#include "base/str.h"

#include <stdint.h>

/* 0 to 10^18 - 1; `digits` holds 1 to 18 ASCII digits. More digits are read one by one. */
void kk_number_cardinal(kk_buf *dst, kk_slice digits);
void kk_number_ordinal(kk_buf *dst, kk_slice digits);
/* 1984 nineteen eighty four, 1905 nineteen oh five, 1900 nineteen hundred, 2005 two thousand five.
 */
void kk_number_year(kk_buf *dst, kk_slice digits);
/* One by one: 007 -> zero zero seven. */
void kk_number_digits(kk_buf *dst, kk_slice digits);
/* "3.14", ".5": three point one four. */
void kk_number_decimal(kk_buf *dst, kk_slice whole, kk_slice fraction);

#endif
