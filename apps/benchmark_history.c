/* benchmark_history.c - earlier benchmark runs and comparisons with them, for people or as JSON. */
#include "benchmark_history.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "frequency.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_RUNS = 10, MAX_RUNS = 1000 };

static void way_text(const kk_way *way, char text[KK_WAY_TEXT])
{
    if (way->provider[0] != '\0')
        kk_way_text(way, text);
    else
        (void)snprintf(text, KK_WAY_TEXT, "-");
}

void kk_print_changes(const kk_history_view *view)
{
    char runs[KK_HISTORY_RUNS_TEXT], name[KK_WAY_TEXT];
    if (view->n_compared > 0 && view->n_changes == 0)
        (void)printf("No change beside %s.\n", kk_history_runs_text(view->n_compared, runs));
    for (size_t i = 0; i < view->n_changes; i++) {
        const kk_history_change *change = &view->changes[i];
        kk_way_text(&change->way, name);
        (void)printf("%s: %s on %s takes %.3f s, %+.1f %% beside %.3f s in %s (p = %.2g)\n",
                     change->change_percent > 0.0 ? "REGRESSION" : "Improvement", name,
                     change->text, change->after_s, change->change_percent, change->before_s,
                     kk_history_runs_text(change->n_runs, runs), change->p);
    }
}

/* ---- history ------------------------------------------------------------------------------ */

static void print_runs(const kk_history_view *view)
{
    (void)printf("%4s  %-19s  %-13s  %-8s  %-30s  %9s  %s\n", "run", "began", "mode", "version",
                 "recommended", "its time", "comparable");
    for (size_t i = 0; i < view->n_runs; i++) {
        const kk_history_run *run = &view->runs[i];
        char began[KK_DATE_SIZE], name[KK_WAY_TEXT], seconds[32] = "-";
        way_text(&run->recommended, name);
        const kk_history_figure *figure =
            kk_history_find(run, &run->recommended, run->deciding_text);
        if (figure != NULL)
            (void)snprintf(seconds, sizeof(seconds), "%.3f s", figure->inference_s);
        (void)printf("%4lld  %-19s  %-13s  %-8s  %-30s  %9s  %s%s%s\n", run->number,
                     kk_date_text(run->started_at_s, began), run->mode, run->version, name, seconds,
                     run->is_comparable ? "yes" : "no", run->is_interrupted ? ", interrupted" : "",
                     run->busy[0] != '\0' ? ", the machine was busy" : "");
    }
    (void)puts("");
    kk_print_changes(view);
}

/* Text that is no UTF-8 cannot stand in JSON. */
static json_t *text_to_json(const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("?");
}

static json_t *way_to_json(const kk_way *way)
{
    if (way->provider[0] == '\0')
        return json_null();
    return json_pack("{s:o, s:o, s:i}", "provider", text_to_json(way->provider), "precision",
                     text_to_json(way->precision), "threads", way->n_threads);
}

static json_t *run_to_json(const kk_history_run *run)
{
    json_t *figures = json_array();
    for (size_t i = 0; i < run->n_figures; i++) {
        const kk_history_figure *figure = &run->figures[i];
        (void)json_array_append_new(
            figures,
            json_pack("{s:o, s:o, s:f, s:f, s:f, s:I}", "way", way_to_json(&figure->way), "text",
                      text_to_json(figure->text), "inference_s", figure->inference_s,
                      "first_audio_s", figure->first_audio_s, "audio_s", figure->audio_s, "samples",
                      (json_int_t)figure->n_samples));
    }
    return json_pack("{s:I, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "run",
                     (json_int_t)run->number, "started_at_s", run->started_at_s, "duration_s",
                     run->duration_s, "mode", text_to_json(run->mode), "version",
                     text_to_json(run->version), "voice", text_to_json(run->voice), "machine",
                     text_to_json(run->machine), "busy", text_to_json(run->busy), "interrupted",
                     run->is_interrupted, "comparable", run->is_comparable, "recommended",
                     way_to_json(&run->recommended), "deciding_text",
                     text_to_json(run->deciding_text), "figures", figures);
}

static json_t *view_to_json(const kk_history_view *view)
{
    json_t *runs = json_array(), *changes = json_array();
    for (size_t i = 0; i < view->n_runs; i++)
        (void)json_array_append_new(runs, run_to_json(&view->runs[i]));
    for (size_t i = 0; i < view->n_changes; i++) {
        const kk_history_change *change = &view->changes[i];
        (void)json_array_append_new(
            changes,
            json_pack("{s:o, s:o, s:f, s:f, s:f, s:f, s:I, s:b}", "way", way_to_json(&change->way),
                      "text", text_to_json(change->text), "before_s", change->before_s, "after_s",
                      change->after_s, "change_percent", change->change_percent, "p", change->p,
                      "earlier_runs", (json_int_t)change->n_runs, "regression",
                      change->change_percent > 0.0));
    }
    return json_pack("{s:o, s:o, s:I, s:I}", "runs", runs, "changes", changes, "compared_runs",
                     (json_int_t)view->n_compared, "regressions", (json_int_t)view->n_regressions);
}

/* The last runs, and what the newest of them changed. */
static int look(kk_history *history, size_t n_runs, kk_history_view *view, kokoro_error *error)
{
    kk_bench_result newest;
    int status = kk_history_look(history, 1, NULL, view, error);
    const long long number = status == KOKORO_OK && view->n_runs > 0 ? view->runs[0].number : 0;
    if (status != KOKORO_OK || number == 0)
        return status;
    kk_history_view_fini(view);
    status = kk_history_result(history, number, &newest, error);
    if (status == KOKORO_OK)
        status = kk_history_look(history, n_runs, &newest, view, error);
    kk_bench_result_fini(&newest);
    return status;
}

int kk_print_history(const kk_config *config, const char *count, bool json)
{
    kokoro_error error;
    kk_history *history = NULL;
    kk_history_view view = KK_HISTORY_VIEW_INIT;
    long long n_runs = DEFAULT_RUNS;
    if (count != NULL && count[0] != '\0' &&
        (!kk_parse_int(count, &n_runs) || n_runs < 1 || n_runs > MAX_RUNS)) {
        kk_complain("--history shows 1 to %d runs, not '%.40s'", (int)MAX_RUNS, count);
        return KK_EXIT_USAGE;
    }
    char *path = kk_path_join(kk_config_text(config, KK_SET_HOME), KK_HOME_HISTORY);
    if (path == NULL) {
        kk_complain("out of memory");
        return KK_EXIT_FAILED;
    }
    int status = kk_history_open(&history, path, KK_HISTORY_READ, &error);
    if (status == KOKORO_OK)
        status = look(history, (size_t)n_runs, &view, &error);
    int ended = KK_EXIT_OK;
    if (status != KOKORO_OK && !(status == KOKORO_NOT_FOUND && json))
        ended = kk_complain_of(&error);
    else if (json)
        ended = kk_app_print_json(view_to_json(&view));
    else
        print_runs(&view);
    kk_history_view_fini(&view);
    kk_history_close(&history);
    kk_free(path);
    return ended;
}

/* ---- comparison --------------------------------------------------------------------------- */

void kk_print_comparison(const kk_comparison *comparison, const char *baseline)
{
    char began[KK_DATE_SIZE];
    long long number;
    const bool is_number = kk_parse_int(baseline, &number);
    (void)printf("Beside %s%s, of %s:\n\n", is_number ? "run " : "", baseline,
                 kk_date_text(comparison->before_at_s, began));
    (void)printf("%-30s  %-10s  %9s  %9s  %8s  %8s  %s\n", "way", "text", "before", "after",
                 "change", "p", "verdict");
    for (size_t i = 0; i < comparison->n_rows; i++) {
        const kk_comparison_row *row = &comparison->rows[i];
        char name[KK_WAY_TEXT];
        kk_way_text(&row->way, name);
        (void)printf("%-30s  %-10s  %7.3f s  %7.3f s  %+6.1f %%  %8.2g  %s\n", name, row->text,
                     row->before_s, row->after_s, row->change_percent, row->p,
                     kk_verdict_text(row->verdict));
    }
    if (comparison->n_rows == 0)
        (void)puts("The two have no way on the same text in common.");
    if (comparison->n_only_before > 0)
        (void)printf("Only there: %zu ways on texts.\n", comparison->n_only_before);
    if (comparison->n_only_after > 0)
        (void)printf("Only here: %zu ways on texts.\n", comparison->n_only_after);
    if (comparison->difference != NULL)
        (void)printf("The two differ in more than time: %s is not the same.\n",
                     comparison->difference);
}
