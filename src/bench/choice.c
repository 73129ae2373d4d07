#include "bench/choice.h"

#include "base/status.h"
#include "base/str.h"
#include "bench/statistics.h"

#include <math.h>

/* What the choice needs to know of a way. */
typedef struct candidate {
    bool ran;
    double seconds;     /* median of the text that decides */
    double distance_db; /* infinite where it is not known */
} candidate;

static int look_at(const kk_bench_result *result, candidate *candidates)
{
    for (size_t i = 0; i < result->n_ways; i++) {
        const kk_bench_way *way = &result->ways[i];
        const kk_bench_quality *quality = &way->quality;
        kk_summary summary;
        candidates[i] = (candidate){false, 0.0, (double)INFINITY};
        if (way->failure != NULL || result->deciding_text >= result->n_texts)
            continue;
        if (kk_summarise(&way->timings[result->deciding_text].inference_s, &summary) != KOKORO_OK)
            return KOKORO_NO_MEMORY;
        candidates[i].ran = summary.n > 0;
        candidates[i].seconds = summary.median;
        if (quality->is_reference)
            candidates[i].distance_db = 0.0;
        else if (quality->is_known && quality->log_mel_db >= 0.0)
            candidates[i].distance_db = quality->log_mel_db;
    }
    return KOKORO_OK;
}

/* The fastest of those within the limit; the first listed of equals; -1: there is none. */
static int fastest_within(const candidate *candidates, size_t n, double max_db)
{
    int best = -1;
    for (size_t i = 0; i < n; i++)
        if (candidates[i].ran && candidates[i].distance_db <= max_db &&
            (best < 0 || candidates[i].seconds < candidates[best].seconds))
            best = (int)i;
    return best;
}

/* The nearest to the reference, the faster of equals; of ways whose sound nobody compared, the
 * fastest. */
static int nearest(const candidate *candidates, size_t n)
{
    int best = -1;
    for (size_t i = 0; i < n; i++) {
        const candidate *c = &candidates[i];
        if (!c->ran)
            continue;
        if (best < 0 || c->distance_db < candidates[best].distance_db ||
            (c->distance_db <= candidates[best].distance_db &&
             c->seconds < candidates[best].seconds))
            best = (int)i;
    }
    return best;
}

static int place_of(const kk_bench_result *result, const kk_way *way)
{
    for (size_t i = 0; i < result->n_ways; i++)
        if (kk_way_equal(&result->ways[i].way, way))
            return (int)i;
    return -1;
}

/* Why what was in use takes no part; "" when it does. */
static const char *trouble_of_before(const candidate *before, double max_db)
{
    if (before == NULL)
        return "was not measured";
    if (!before->ran)
        return "failed";
    if (before->distance_db > max_db)
        return isinf(before->distance_db) ? "could not be compared with native in f32"
                                          : "sounds too far from native in f32";
    return "";
}

/* The sentence about ways[chosen], where `rival` is the fastest within the limit. */
static void explain(kk_buf *text, const kk_bench_result *result, const candidate *candidates,
                    int rival, int before, const char *trouble, bool is_unmeasured)
{
    const kk_bench_choice *choice = &result->choice;
    const char *in_use = is_unmeasured ? "what auto opens without a benchmark" : "in use";
    const int chosen = choice->recommended;
    char name[KK_WAY_TEXT], other[KK_WAY_TEXT];
    if (chosen < 0) {
        kk_buf_append_str(text, "No way to run the model gave figures.");
        return;
    }
    kk_way_text(&result->ways[chosen].way, name);
    if (choice->is_over_quality && isinf(candidates[chosen].distance_db)) {
        kk_buf_appendf(text, "%s is the fastest; no sound could be compared with native in f32.",
                       name);
        return;
    }
    if (choice->is_over_quality) {
        kk_buf_appendf(text,
                       "Nothing is within %.2f dB of native in f32; %s is the nearest, at %.2f dB.",
                       choice->max_quality_db, name, candidates[chosen].distance_db);
        return;
    }
    kk_buf_appendf(text, "%s ", name);
    if (choice->before.provider[0] == '\0') {
        kk_buf_appendf(text, "is the fastest within %.2f dB of native in f32",
                       choice->max_quality_db);
    } else if (trouble[0] != '\0') {
        kk_way_text(&choice->before, other);
        kk_buf_appendf(text, "is the fastest within %.2f dB of native in f32; %s, %s, %s",
                       choice->max_quality_db, other, in_use, trouble);
    } else if (choice->is_change) {
        kk_way_text(&choice->before, other);
        kk_buf_appendf(text,
                       "takes %.1f %% less time than %s, %s; a change needs more than "
                       "%.1f %%",
                       choice->improvement_percent, other, in_use, choice->min_improvement_percent);
    } else if (rival == before) {
        kk_buf_appendf(text, "is %s and the fastest within %.2f dB of native in f32", in_use,
                       choice->max_quality_db);
    } else {
        kk_way_text(&result->ways[rival].way, other);
        kk_buf_appendf(text,
                       "is %s; %s takes %.1f %% less time, and a change needs more than "
                       "%.1f %%",
                       in_use, other, choice->improvement_percent, choice->min_improvement_percent);
    }
    kk_buf_append_char(text, '.');
}

int kk_choose(kk_bench_result *result, const kk_choice_rule *rule, kokoro_error *err)
{
    candidate candidates[KK_BENCH_MAX_WAYS] = {{false, 0.0, 0.0}};
    kk_bench_choice *choice = &result->choice;
    const size_t n = result->n_ways;
    if (look_at(result, candidates) != KOKORO_OK)
        return kk_fail_memory(err);
    *choice = (kk_bench_choice){.recommended = -1,
                                .fastest = fastest_within(candidates, n, (double)INFINITY),
                                .best_quality = nearest(candidates, n),
                                .before = rule->before,
                                .min_improvement_percent = rule->min_improvement_percent,
                                .max_quality_db = rule->max_quality_db,
                                .reason = ""};
    const bool has_before = rule->before.provider[0] != '\0';
    const int before = has_before ? place_of(result, &rule->before) : -1;
    const char *trouble = has_before ? trouble_of_before(before >= 0 ? &candidates[before] : NULL,
                                                         rule->max_quality_db)
                                     : "";
    int rival = fastest_within(candidates, n, rule->max_quality_db);
    if (rival < 0) {
        rival = choice->best_quality;
        choice->is_over_quality = rival >= 0;
    }
    choice->recommended = rival;
    if (rival >= 0 && before >= 0 && candidates[before].ran && candidates[before].seconds > 0.0)
        choice->improvement_percent = 100.0 *
                                      (candidates[before].seconds - candidates[rival].seconds) /
                                      candidates[before].seconds;
    if (before >= 0 && trouble[0] == '\0' &&
        !(choice->improvement_percent > rule->min_improvement_percent))
        choice->recommended = before;
    choice->is_change = has_before && choice->recommended >= 0 && choice->recommended != before;

    kk_buf text = KK_BUF_INIT;
    explain(&text, result, candidates, rival, before, trouble, rule->is_unmeasured);
    choice->reason = text.failed ? NULL : kk_arena_strndup(&result->arena, text.data, text.len);
    kk_buf_fini(&text);
    if (choice->reason == NULL) {
        choice->reason = "";
        return kk_fail_memory(err);
    }
    return KOKORO_OK;
}
