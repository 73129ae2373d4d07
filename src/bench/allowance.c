/*
 * allowance.c - who may still do what in the time of a run. Ways are in the order of their
 * importance: native, the one in use, the others. What a way needs at least is one warm-up and one
 * sample of the text that decides; nothing is begun that would take this from one that is there.
 */
#include "bench/run_state.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/str.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t n_samples(const kk_run_state *r, const kk_lane *lane)
{
    return lane->way->timings[r->result->deciding_text].inference_s.n;
}

/* Without the first way there is no result: until it has a sample no time limit cuts. */
static bool is_exempt(const kk_run_state *r, const kk_lane *lane)
{
    return lane->way == r->result->ways && n_samples(r, lane) == 0;
}

/* Seconds until a way has n samples of the text that decides, and its warm-up. */
static double need_s(const kk_run_state *r, const kk_lane *lane, size_t n)
{
    const double first_sound = 0.2; /* of a whole inference */
    const size_t had = n_samples(r, lane), text = r->result->deciding_text;
    double runs = had < n ? (1.0 + first_sound) * (double)(n - had) : 0.0;
    if (r->plan.n_warm_ups > 0 && lane->n_spoken[text] == 0)
        runs += 1.0;
    return runs * kk_bench_expected_s(r, lane, text);
}

/* Of the lanes that are open, but for `except` (NULL: none), up to `end`. */
static double sum_need_s(const kk_run_state *r, const kk_lane *end, const kk_lane *except, size_t n)
{
    double sum_s = 0.0;
    for (const kk_lane *lane = r->lanes; lane < end; lane++) {
        if (lane != except && lane->is_open)
            sum_s += need_s(r, lane, n);
    }
    return sum_s;
}

bool kk_bench_may_speak(const kk_run_state *r, const kk_lane *lane, size_t text, size_t n_had)
{
    const bool is_deciding = text == r->result->deciding_text;
    const bool is_needed = is_deciding && n_samples(r, lane) == 0;
    if (is_deciding && is_exempt(r, lane))
        return true;
    /* Of what is needed, that of the more important ways comes first. */
    const double others_s =
        sum_need_s(r, is_needed ? lane : r->lanes + r->n_lanes, is_deciding ? lane : NULL, 1);
    return kk_plan_admits(&r->plan, kk_bench_elapsed_s(r) + others_s,
                          kk_bench_expected_s(r, lane, text), n_had, is_deciding);
}

/* Whether the provider keeps anything in the cache: a model of another name is a rare case, and
 * only costs the time until the limit. */
static bool has_cache(const kk_run_state *r, const kk_way *way)
{
    const char *dir = r->context.options->cache_dir;
    const char *folder = strcmp(way->provider, "onnxruntime") == 0 ? "ort" : way->provider;
    char *path = dir != NULL && dir[0] != '\0' ? kk_path_join(dir, folder) : NULL;
    DIR *entries = path != NULL ? opendir(path) : NULL;
    const struct dirent *entry;
    bool is_found = false;
    while (entries != NULL && !is_found && (entry = readdir(entries)) != NULL)
        is_found = entry->d_name[0] != '.';
    if (entries != NULL)
        (void)closedir(entries);
    kk_free(path);
    return is_found;
}

/* To load a way and to measure it as seldom as makes sense. */
static double cost_s(const kk_run_state *r, const kk_lane *lane)
{
    return r->pace * kk_plan_guess_load_s(&lane->way->way, has_cache(r, &lane->way->way)) +
           need_s(r, lane, KK_PLAN_FEWEST_RUNS);
}

bool kk_bench_may_load(const kk_run_state *r, const kk_lane *lane)
{
    return is_exempt(r, lane) ||
           kk_bench_elapsed_s(r) + cost_s(r, lane) +
                   sum_need_s(r, r->lanes + r->n_lanes, lane, KK_PLAN_FEWEST_RUNS) <=
               r->plan.end_s;
}

static bool has_spoken(const kk_run_state *r, const kk_lane *lane)
{
    for (size_t t = 0; t < r->result->n_texts; t++) {
        if (lane->expected_s[t] > 0.0)
            return true;
    }
    return false;
}

double kk_bench_longest_s(const kk_run_state *r, const kk_lane *lane, size_t text)
{
    const double expected_s = kk_bench_expected_s(r, lane, text);
    const double longest_s = kk_plan_limit_s(expected_s, r->slowness);
    if (r->plan.mode != KK_BENCH_QUICK || !isfinite(r->plan.end_s) ||
        strcmp(lane->way->way.provider, "native") == 0)
        return longest_s;
    const bool is_first = !has_spoken(r, lane) && r->reference_s[text] > 0.0;
    double patience_s = kk_plan_patience_s(is_first ? r->reference_s[text] : expected_s);
    /* Alone it is not cut, and has the rest of the run. */
    if (is_exempt(r, lane))
        patience_s =
            fmax(fmin(patience_s, r->plan.end_s - kk_bench_elapsed_s(r)), kk_plan_patience_s(0.0));
    return fmin(longest_s, patience_s);
}

double kk_bench_cut_limit_s(const kk_run_state *r, const kk_lane *lane, double limit_s,
                            bool *is_cut)
{
    const double others_s = sum_need_s(r, lane, NULL, KK_PLAN_FEWEST_RUNS);
    const double left_s = fmax(r->plan.end_s - others_s - kk_bench_elapsed_s(r), 0.05);
    *is_cut = left_s < limit_s && !is_exempt(r, lane);
    return *is_cut ? left_s : limit_s;
}

void kk_bench_note_pace(kk_run_state *r, const kk_lane *lane)
{
    const size_t text = r->result->deciding_text;
    const double guess_s = kk_plan_guess_s(&lane->way->way, r->result->texts[text].n_chars);
    if (lane->expected_s[text] > 0.0)
        r->pace = fmax(1.0, lane->expected_s[text] / guess_s);
}

int kk_bench_leave_out(kk_run_state *r, const kk_lane *lane, kokoro_error *err)
{
    kk_bench_result *result = r->result;
    kk_buf text = KK_BUF_INIT;
    const kk_way *way = &lane->way->way;
    if (lane->is_open)
        kk_buf_appendf(&text,
                       "no time was left: it could not be measured once in the %.0f s of this run",
                       r->plan.end_s);
    else
        kk_buf_appendf(&text,
                       "no time was left: %.0f of %.0f s were over, and to load and measure it "
                       "takes about %.0f s",
                       kk_bench_elapsed_s(r), r->plan.end_s, cost_s(r, lane));
    kk_buf_appendf(&text, "; --provider %s measures it alone", way->provider);
    const char *reason = text.failed ? NULL : kk_arena_strdup(&result->arena, kk_buf_str(&text));
    kk_buf_fini(&text);
    if (reason == NULL)
        return kk_fail_memory(err);
    result->left_out[result->n_left_out++] = (kk_bench_left_out){*way, reason};
    kk_bench_tell(r, KK_BENCH_STEP_LEFT_OUT, way, SIZE_MAX, 0.0, reason);
    return KOKORO_OK;
}
