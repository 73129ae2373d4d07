/*
 * judgement.h - is a benchmark due? Worked out from the record, the rule and the last attempt
 * (cache/attempt.h) alone, so that it can be tested through every frequency and every clock.
 */
#ifndef KK_SERVER_JUDGEMENT_H
#define KK_SERVER_JUDGEMENT_H

#include "cache/record.h"

#include <stdbool.h>

typedef struct kk_bench_facts {
    double now_s;      /* since 1970, as the rest */
    double tried_at_s; /* of this fingerprint; 0: never */
    kk_validity_rule rule;
    const kk_record_view *record;
    bool is_skipped; /* KOKORO_SKIP_BENCHMARKING */
} kk_bench_facts;

typedef struct kk_bench_verdict {
    bool is_due;
    double next_at_s; /* 0: never by itself; never before now */
} kk_bench_verdict;

/* Once a period at most, also where the attempt failed, and not while a record is valid. */
kk_bench_verdict kk_bench_judge(const kk_bench_facts *facts);

#endif
