/*
 * compare.h - two results, way by way and text by text: what is faster, what is slower, and what
 * the samples do not show.
 */
#ifndef KK_BENCH_COMPARE_H
#define KK_BENCH_COMPARE_H

#include "bench/result.h"

/* X(name, text) */
#define KK_VERDICT_MAP(X)                                                                          \
    X(FASTER, "faster")                                                                            \
    X(SLOWER, "slower")                                                                            \
    X(SAME, "no difference shown")                                                                 \
    X(FEW, "too few samples to show one")

enum kk_verdict {
#define KK_X(name, text) KK_VERDICT_##name,
    KK_VERDICT_MAP(KK_X)
#undef KK_X
        KK_N_VERDICTS
};

const char *kk_verdict_text(enum kk_verdict verdict);

typedef struct kk_comparison_row {
    kk_way way;
    const char *text; /* its name */
    double before_s, after_s, change_percent;
    double p; /* two-sided, Mann-Whitney */
    size_t n_before, n_after;
    enum kk_verdict verdict;
} kk_comparison_row;

typedef struct kk_comparison {
    kk_comparison_row *rows; /* [n_rows] */
    size_t n_rows;
    size_t n_only_before, n_only_after; /* ways on texts that only one of them has */
    const char *difference; /* of the fingerprints, the first; NULL: they are the same */
    double before_at_s, after_at_s;
    kk_arena arena;
} kk_comparison;

/*
 * The level of p for a verdict is 0.01. Sets so small that even sets that do not meet would not
 * reach it are FEW. Texts are the same when their words are. NO_MEMORY.
 */
int kk_compare(kk_comparison *out, const kk_bench_result *before, const kk_bench_result *after,
               kokoro_error *err);
void kk_comparison_fini(kk_comparison *comparison);

/* Read a baseline: the number of a run of the history in `home`, or else a benchmark_results.json.
 * INVALID (there is none), BAD_DATA, IO, BUSY, NO_MEMORY. */
int kk_baseline_read(kk_bench_result *out, const char *baseline, const char *home,
                     kokoro_error *err);

#endif
