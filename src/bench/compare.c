#include "bench/compare.h"

#include "base/status.h"
#include "bench/statistics.h"

#include <string.h>

static const double MAX_P = 0.01;

const char *kk_verdict_text(enum kk_verdict verdict)
{
    static const char *const texts[] = {
#define KK_X(name, text) text,
        KK_VERDICT_MAP(KK_X)
#undef KK_X
    };
    return (size_t)verdict < KK_N_VERDICTS ? texts[verdict] : "";
}

/* Whether even sets that do not meet have a p over the limit: 2 / (n_a + n_b over n_a). */
static bool too_few(size_t n_a, size_t n_b)
{
    double arrangements = 1.0;
    for (size_t i = 1; i <= n_a && arrangements < 1e6; i++)
        arrangements *= (double)(n_b + i) / (double)i;
    return 2.0 / arrangements >= MAX_P;
}

static int compare_samples(kk_comparison_row *row, const kk_samples *before,
                           const kk_samples *after)
{
    kk_summary old, new;
    if (kk_summarise(before, &old) != KOKORO_OK || kk_summarise(after, &new) != KOKORO_OK)
        return KOKORO_NO_MEMORY;
    row->before_s = old.median;
    row->after_s = new.median;
    row->change_percent = old.median > 0.0 ? 100.0 * (new.median - old.median) / old.median : 0.0;
    row->n_before = old.n;
    row->n_after = new.n;
    row->p = kk_mann_whitney(before, after);
    if (row->p < MAX_P)
        row->verdict = new.median < old.median   ? KK_VERDICT_FASTER
                       : new.median > old.median ? KK_VERDICT_SLOWER
                                                 : KK_VERDICT_SAME;
    else
        row->verdict = too_few(old.n, new.n) ? KK_VERDICT_FEW : KK_VERDICT_SAME;
    return KOKORO_OK;
}

static size_t count_unmatched(const kk_bench_result *result, const kk_bench_result *other)
{
    size_t n = 0;
    for (size_t i = 0; i < result->n_ways; i++)
        for (size_t k = 0; k < result->n_texts; k++)
            if (result->ways[i].timings[k].inference_s.n > 0 &&
                kk_bench_find_samples(other, &result->ways[i].way, result->texts[k].text) == NULL)
                n++;
    return n;
}

static int add_rows(kk_comparison *out, const kk_bench_result *before, const kk_bench_result *after)
{
    for (size_t i = 0; i < after->n_ways; i++) {
        for (size_t k = 0; k < after->n_texts; k++) {
            const kk_bench_way *way = &after->ways[i];
            const kk_samples *samples = &way->timings[k].inference_s;
            const kk_samples *old = kk_bench_find_samples(before, &way->way, after->texts[k].text);
            if (samples->n == 0 || old == NULL)
                continue;
            kk_comparison_row *row = &out->rows[out->n_rows++];
            row->way = way->way;
            row->text = kk_arena_strdup(&out->arena, after->texts[k].name);
            if (row->text == NULL || compare_samples(row, old, samples) != KOKORO_OK)
                return KOKORO_NO_MEMORY;
        }
    }
    return KOKORO_OK;
}

int kk_compare(kk_comparison *out, const kk_bench_result *before, const kk_bench_result *after,
               kokoro_error *err)
{
    *out = (kk_comparison){.before_at_s = before->started_at_s, .after_at_s = after->started_at_s};
    out->difference = kk_fingerprint_difference(&before->fingerprint, &after->fingerprint);
    out->n_only_before = count_unmatched(before, after);
    out->n_only_after = count_unmatched(after, before);
    out->rows =
        kk_arena_calloc(&out->arena, after->n_ways * after->n_texts + 1, sizeof(*out->rows));
    if (out->rows == NULL || add_rows(out, before, after) != KOKORO_OK) {
        kk_comparison_fini(out);
        return kk_fail_memory(err);
    }
    return KOKORO_OK;
}

void kk_comparison_fini(kk_comparison *comparison)
{
    kk_arena_fini(&comparison->arena);
    *comparison = (kk_comparison){.rows = NULL};
}
