/*
 * choice.h - which way to run the model is recommended, and why: the fastest of those whose sound
 * is near enough to native in f32, where it is enough faster than what is in use.
 */
#ifndef KK_BENCH_CHOICE_H
#define KK_BENCH_CHOICE_H

#include "bench/result.h"
#include "cache/record.h"

typedef struct kk_choice_rule {
    double min_improvement_percent; /* KOKORO_MIN_IMPROVEMENT_PERCENT */
    double max_quality_db;          /* KOKORO_MAX_QUALITY_DB */
    kk_way before;                  /* in use now; empty provider: nothing is */
    bool
        is_unmeasured; /* `before` is what auto opens without a benchmark, by no benchmark's word */
} kk_choice_rule;

/* Fills result->choice. Ways that failed take no part. NO_MEMORY. */
int kk_choose(kk_bench_result *result, const kk_choice_rule *rule, kokoro_error *err);

/* The record of a result that has a choice. */
void kk_choice_record(const kk_bench_result *result, kk_record *out);

#endif
