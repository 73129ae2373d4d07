/* history_view.c - the last runs beside each other, and what the newest changed. */
#include "base/status.h"
#include "bench/compare.h"
#include "bench/history_db.h"
#include "bench/statistics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_COMPARED = 5 };
static const double MAX_P = 0.01, MIN_CHANGE_PERCENT = 5.0;

/* The numbers that a statement gives, at most `max`; finalizes it. -1 on failure. */
static int read_numbers(sqlite3_stmt *statement, long long *numbers, size_t max, size_t *n)
{
    int code = SQLITE_ERROR;
    *n = 0;
    while (statement != NULL && *n < max && (code = sqlite3_step(statement)) == SQLITE_ROW)
        numbers[(*n)++] = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return code == SQLITE_DONE || code == SQLITE_ROW ? 0 : -1;
}

/* ---- runs --------------------------------------------------------------------------------- */

static int fill_figures(kk_history_view *view, kk_history_run *run, const kk_bench_result *result)
{
    run->figures =
        kk_arena_calloc(&view->arena, result->n_ways * result->n_texts + 1, sizeof(*run->figures));
    if (run->figures == NULL)
        return KOKORO_NO_MEMORY;
    for (size_t way = 0; way < result->n_ways; way++) {
        for (size_t text = 0; text < result->n_texts; text++) {
            const kk_bench_timing *timing = &result->ways[way].timings[text];
            kk_summary inference, first_audio;
            if (kk_summarise(&timing->inference_s, &inference) != KOKORO_OK ||
                kk_summarise(&timing->first_audio_s, &first_audio) != KOKORO_OK)
                return KOKORO_NO_MEMORY;
            if (inference.n == 0)
                continue;
            run->figures[run->n_figures] =
                (kk_history_figure){.way = result->ways[way].way,
                                    .text = kk_arena_strdup(&view->arena, result->texts[text].name),
                                    .inference_s = inference.median,
                                    .first_audio_s = first_audio.median,
                                    .audio_s = timing->audio_s,
                                    .n_samples = inference.n};
            if (run->figures[run->n_figures++].text == NULL)
                return KOKORO_NO_MEMORY;
        }
    }
    return KOKORO_OK;
}

static int fill_run(kk_history_view *view, long long number, const kk_bench_result *result,
                    const kk_bench_result *newest)
{
    kk_history_run *run = &view->runs[view->n_runs];
    kk_arena *arena = &view->arena;
    *run = (kk_history_run){
        .number = number,
        .started_at_s = result->started_at_s,
        .duration_s = result->duration_s,
        .mode = kk_arena_strdup(arena, result->mode),
        .version = kk_arena_strdup(arena, result->version),
        .voice = kk_arena_strdup(arena, result->voice),
        .machine = kk_arena_strdup(arena, result->hardware.cpu_model),
        .busy = kk_arena_strdup(arena, result->busy),
        .deciding_text = kk_arena_strdup(
            arena, result->n_texts > 0 ? result->texts[result->deciding_text].name : ""),
        .is_interrupted = result->is_interrupted,
        .is_comparable =
            kk_fingerprint_difference(&result->fingerprint, &newest->fingerprint) == NULL &&
            strcmp(result->voice, newest->voice) == 0};
    if (run->mode == NULL || run->version == NULL || run->voice == NULL || run->machine == NULL ||
        run->busy == NULL || run->deciding_text == NULL)
        return KOKORO_NO_MEMORY;
    if (result->choice.recommended >= 0)
        run->recommended = result->ways[result->choice.recommended].way;
    view->n_runs++;
    return fill_figures(view, run, result);
}

static int read_runs(kk_history *history, size_t max_runs, const kk_bench_result *result,
                     kk_history_view *view, kokoro_error *err)
{
    kk_bench_result newest, run;
    size_t n = 0;
    int status = KOKORO_OK;
    long long *numbers = kk_arena_calloc(&view->arena, max_runs + 1, sizeof(*numbers));
    view->runs = kk_arena_calloc(&view->arena, max_runs + 1, sizeof(*view->runs));
    if (numbers == NULL || view->runs == NULL)
        return kk_fail_memory(err);
    if (read_numbers(
            kk_history_prepare(history, "SELECT number FROM runs ORDER BY number DESC", ""),
            numbers, max_runs, &n) != 0)
        return kk_history_fail(history, "read", err);
    kk_bench_result_init(&newest);
    if (result == NULL && n > 0)
        status = kk_history_result(history, numbers[0], &newest, err);
    for (size_t i = 0; i < n && status == KOKORO_OK; i++) {
        status = kk_history_result(history, numbers[i], &run, err);
        if (status == KOKORO_OK &&
            fill_run(view, numbers[i], &run, result != NULL ? result : &newest) != KOKORO_OK)
            status = kk_fail_memory(err);
        kk_bench_result_fini(&run);
    }
    kk_bench_result_fini(&newest);
    return status;
}

/* ---- changes ------------------------------------------------------------------------------ */

/* The up to five comparable runs before the result, newest first. */
static int find_earlier(kk_history *history, const kk_bench_result *r, long long *numbers,
                        size_t *n, kokoro_error *err)
{
    const kk_fingerprint *f = &r->fingerprint;
    sqlite3_stmt *statement = kk_history_prepare(
        history,
        "SELECT number FROM runs WHERE hardware = ? AND system = ? AND model = ? AND libraries = ?"
        " AND instruction_set = ? AND settings = ? AND voice = ? AND number < ifnull((SELECT"
        " max(number) FROM runs WHERE started_at_s = ? AND duration_s = ?), 9223372036854775807)"
        " ORDER BY number DESC",
        "tttttttrr", f->hardware, f->system, f->model, f->libraries, f->instruction_set,
        f->settings, r->voice, r->started_at_s, r->duration_s);
    if (read_numbers(statement, numbers, MAX_COMPARED, n) != 0)
        return kk_history_fail(history, "read", err);
    return KOKORO_OK;
}

typedef struct earlier {
    kk_samples all;         /* of all earlier runs */
    double lowest, highest; /* medians of a run */
    size_t n_runs;
} earlier;

static int gather(kk_history_view *view, const kk_bench_result *runs, size_t n, const kk_way *way,
                  const char *words, earlier *out)
{
    size_t n_values = 0;
    *out = (earlier){.lowest = (double)INFINITY};
    for (size_t i = 0; i < n; i++) {
        const kk_samples *samples = kk_bench_find_samples(&runs[i], way, words);
        n_values += samples != NULL ? samples->n : 0;
    }
    out->all.values = kk_arena_calloc(&view->arena, n_values + 1, sizeof(*out->all.values));
    if (out->all.values == NULL)
        return KOKORO_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const kk_samples *samples = kk_bench_find_samples(&runs[i], way, words);
        kk_summary summary;
        if (samples == NULL)
            continue;
        if (kk_summarise(samples, &summary) != KOKORO_OK)
            return KOKORO_NO_MEMORY;
        memcpy(out->all.values + out->all.n, samples->values, samples->n * sizeof(double));
        out->all.n += samples->n;
        out->lowest = fmin(out->lowest, summary.median);
        out->highest = fmax(out->highest, summary.median);
        out->n_runs++;
    }
    return KOKORO_OK;
}

/* A change, where there is one, at the end of the view's. Samples of one run are alike in ways that
 * those of two runs are not, so the median must also lie beyond that of each earlier run. */
static int judge(kk_history_view *view, const kk_bench_result *runs, size_t n, const kk_way *way,
                 const kk_bench_text *text, const kk_samples *samples)
{
    earlier before;
    kk_summary old, new;
    if (gather(view, runs, n, way, text->text, &before) != KOKORO_OK ||
        kk_summarise(&before.all, &old) != KOKORO_OK || kk_summarise(samples, &new) != KOKORO_OK)
        return KOKORO_NO_MEMORY;
    if (before.n_runs == 0 || new.n == 0 || !(old.median > 0.0))
        return KOKORO_OK;
    const double percent = 100.0 * (new.median - old.median) / old.median;
    const double p = kk_mann_whitney(&before.all, samples);
    if (!(fabs(percent) > MIN_CHANGE_PERCENT) || p >= MAX_P ||
        (new.median >= before.lowest &&new.median <= before.highest))
        return KOKORO_OK;
    kk_history_change *change = &view->changes[view->n_changes++];
    *change = (kk_history_change){.way = *way,
                                  .text = kk_arena_strdup(&view->arena, text->name),
                                  .before_s = old.median,
                                  .after_s = new.median,
                                  .change_percent = percent,
                                  .p = p,
                                  .n_runs = before.n_runs};
    return change->text != NULL ? KOKORO_OK : KOKORO_NO_MEMORY;
}

/* Regressions to the front, in their order. */
static void sort_changes(kk_history_view *view)
{
    for (size_t i = 0; i < view->n_changes; i++) {
        const kk_history_change change = view->changes[i];
        if (change.change_percent <= 0.0)
            continue;
        memmove(&view->changes[view->n_regressions + 1], &view->changes[view->n_regressions],
                (i - view->n_regressions) * sizeof(change));
        view->changes[view->n_regressions++] = change;
    }
}

static int find_changes(kk_history *history, const kk_bench_result *result, kk_history_view *view,
                        kokoro_error *err)
{
    long long numbers[MAX_COMPARED];
    size_t n = 0, n_read = 0;
    kk_bench_result *runs = kk_arena_calloc(&view->arena, MAX_COMPARED, sizeof(*runs));
    view->changes =
        kk_arena_calloc(&view->arena, result->n_ways * result->n_texts + 1, sizeof(*view->changes));
    if (runs == NULL || view->changes == NULL)
        return kk_fail_memory(err);
    int status = find_earlier(history, result, numbers, &n, err);
    while (status == KOKORO_OK && n_read < n) {
        status = kk_history_result(history, numbers[n_read], &runs[n_read], err);
        n_read += status == KOKORO_OK ? 1 : 0;
    }
    for (size_t way = 0; way < result->n_ways && status == KOKORO_OK; way++)
        for (size_t text = 0; text < result->n_texts && status == KOKORO_OK; text++)
            if (judge(view, runs, n, &result->ways[way].way, &result->texts[text],
                      &result->ways[way].timings[text].inference_s) != KOKORO_OK)
                status = kk_fail_memory(err);
    view->n_compared = n;
    sort_changes(view);
    for (size_t i = 0; i < n_read; i++)
        kk_bench_result_fini(&runs[i]);
    return status;
}

int kk_history_look(kk_history *history, size_t max_runs, const kk_bench_result *result,
                    kk_history_view *out, kokoro_error *err)
{
    *out = (kk_history_view)KK_HISTORY_VIEW_INIT;
    int status = read_runs(history, max_runs, result, out, err);
    if (status == KOKORO_OK && result != NULL)
        status = find_changes(history, result, out, err);
    if (status != KOKORO_OK)
        kk_history_view_fini(out);
    return status;
}

void kk_history_view_fini(kk_history_view *view)
{
    kk_arena_fini(&view->arena);
    *view = (kk_history_view)KK_HISTORY_VIEW_INIT;
}

const kk_history_figure *kk_history_find(const kk_history_run *run, const kk_way *way,
                                         const char *text)
{
    for (size_t i = 0; i < run->n_figures; i++)
        if (kk_way_equal(&run->figures[i].way, way) && strcmp(run->figures[i].text, text) == 0)
            return &run->figures[i];
    return NULL;
}

const char *kk_history_runs_text(size_t n, char text[KK_HISTORY_RUNS_TEXT])
{
    if (n == 1)
        (void)snprintf(text, KK_HISTORY_RUNS_TEXT, "the last comparable run");
    else
        (void)snprintf(text, KK_HISTORY_RUNS_TEXT, "the last %zu comparable runs", n);
    return text;
}
