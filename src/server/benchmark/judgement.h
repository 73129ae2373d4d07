/*
 * judgement.h - is a benchmark due? Worked out from the record, the rule and the last attempt
 * alone, so that it can be tested through every frequency and every clock; and the attempt's file,
 * which outlives the server.
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

/*
 * When a benchmark of this fingerprint was last tried with this cache, by any server; 0: never. An
 * attempt from the future was made before the clock was moved back: it is dated now_s once, so that
 * its period ends; where that cannot be written, it was never made.
 */
double kk_attempt_read(const char *cache_dir, const kk_fingerprint *fingerprint, double now_s);
/* One is made now. False: that could not be written. */
bool kk_attempt_note(const char *cache_dir, const kk_fingerprint *fingerprint);
void kk_attempt_forget(const char *cache_dir);

#endif
