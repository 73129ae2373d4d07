/*
 * texts.h - what is spoken: three lengths, each with a name in it that changes from run to run, so
 * that nothing can give back an earlier result; or the lines of a file as they are.
 */
#ifndef KK_BENCH_TEXTS_H
#define KK_BENCH_TEXTS_H

#include "base/str.h"
#include "bench/result.h"

/* Fills result->texts, n_texts and deciding_text with the own texts, the long one where it is
 * wanted. NO_MEMORY. */
int kk_bench_own_texts(kk_bench_result *result, bool with_long, kokoro_error *err);

/* The lines of a file that are not blank, at most KK_BENCH_MAX_TEXTS; the one nearest to 100
 * characters decides. BAD_TEXT (not UTF-8), NO_SPEECH (no line), TOO_LONG (too many), IO (also
 * where there is none), NO_MEMORY. */
int kk_bench_file_texts(kk_bench_result *result, const char *path, kokoro_error *err);

/* The words of a text in round `round`; 0 are its own. A text of a file never changes. */
void kk_bench_text_round(const kk_bench_text *text, unsigned round, kk_buf *out);

#endif
