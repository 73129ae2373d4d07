/*
 * before.h - the way that a new choice has to be better than: what provider auto uses now.
 */
#ifndef KK_BENCH_BEFORE_H
#define KK_BENCH_BEFORE_H

#include "bench/result.h"
#include "cache/record.h"

typedef struct kk_way_before {
    kk_way way;         /* empty provider: nothing that could be told */
    bool is_unmeasured; /* no record is of this machine as it is: what auto opens without one */
} kk_way_before;

/*
 * By the record of the options' cache directory, if it is used at all: valid or expired. Without
 * such a one it is native, if its kernels agree with plain C here, as the options want it; nothing
 * where another provider is asked for.
 */
void kk_way_before_find(kk_way_before *out, const kokoro_options *options,
                        const kk_validity_rule *rule, double now_s);

/* After the run: where native's precision was left to it and turned out to be f32, it is that. */
void kk_way_before_settle(kk_way_before *before, const kk_bench_result *result);

#endif
