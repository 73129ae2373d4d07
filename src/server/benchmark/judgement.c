#include "server/benchmark/judgement.h"

#include <math.h>

kk_bench_verdict kk_bench_judge(const kk_bench_facts *facts)
{
    const double tried_s = facts->tried_at_s, now_s = facts->now_s;
    const double again_s = tried_s > 0.0 ? tried_s + kk_validity_s(&facts->rule) : 0.0;
    const bool is_valid = facts->record->state == KK_RECORD_VALID;
    const double next_s = fmax(again_s, is_valid ? facts->record->expires_at_s : 0.0);
    if (facts->is_skipped || facts->rule.frequency == KK_MANUALLY || !isfinite(next_s))
        return (kk_bench_verdict){.is_due = false};
    return (kk_bench_verdict){.is_due = now_s >= next_s, .next_at_s = fmax(next_s, now_s)};
}
