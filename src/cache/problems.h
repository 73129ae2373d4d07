/*
 * problems.h - what went wrong with single files while the work went on: a short list of sentences
 * that fits into a result without allocating.
 */
#ifndef KK_CACHE_PROBLEMS_H
#define KK_CACHE_PROBLEMS_H

#include <stddef.h>

enum { KK_PROBLEMS_MAX = 20, KK_PROBLEM_SIZE = 256 };

typedef struct kk_problems {
    char text[KK_PROBLEMS_MAX][KK_PROBLEM_SIZE]; /* [n] UTF-8 */
    size_t n;
    size_t n_more; /* that found no room */
} kk_problems;

/* "<path>: <what>"; bytes of the path that are no printable text are shown as '?', and of a long
 * one the end is shown. NULL is allowed for `problems`. */
void kk_problems_add(kk_problems *problems, const char *path, const char *what);

/* Append all of src. */
void kk_problems_join(kk_problems *dst, const kk_problems *src);

#endif
