/* report_advice.c - what to do with the figures, what earlier runs gave, how it was measured. */
#include "bench/report_parts.h"

#include <string.h>

/* How much the recommendation is worth, in the words of the Kokoro-ONNX TTS API's reports. */
static const char *worth_of(double percent)
{
    return percent < 5.0 ? "minimal" : percent < 15.0 ? "moderate" : "significant";
}

static void append_environment(kk_buf *out, const kk_bench_choice *choice, const kk_way *way)
{
    kk_buf_append_str(out, "These lines in `.env` or the environment choose it by hand; without "
                           "them `KOKORO_PROVIDER=auto` takes it:\n\n```bash\n");
    kk_buf_appendf(out, "KOKORO_PROVIDER=%s\n", way->provider);
    if (strcmp(way->precision, "f32") == 0 || strcmp(way->precision, "bf16") == 0)
        kk_buf_appendf(out, "KOKORO_PRECISION=%s\n", way->precision);
    kk_buf_appendf(out, "KOKORO_THREADS=%d\n", way->n_threads);
    kk_buf_appendf(out, "KOKORO_MIN_IMPROVEMENT_PERCENT=%.6g\nKOKORO_MAX_QUALITY_DB=%.6g\n```\n\n",
                   choice->min_improvement_percent, choice->max_quality_db);
}

/* Ways that are faster than the recommended one, and why they are not. */
static void append_rejected(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    for (size_t i = 0; i < report->n_ran && (int)report->order[i] != result->choice.recommended;
         i++) {
        const kk_bench_way *way = &result->ways[report->order[i]];
        const bool is_far =
            !way->quality.is_known || way->quality.log_mel_db > result->choice.max_quality_db;
        kk_buf_append_str(out, "- ");
        kk_append_way(out, &way->way);
        kk_buf_appendf(out, " is faster (%.3f s), but ",
                       kk_report_median(report, report->order[i]));
        if (is_far && way->quality.is_known)
            kk_buf_appendf(out, "its sound is %.2f dB from native in f32.\n",
                           way->quality.log_mel_db);
        else
            kk_buf_append_str(out, is_far ? "its sound could not be compared.\n"
                                          : "not by enough for a change.\n");
    }
    if (report->n_ran > 0 && (int)report->order[0] != result->choice.recommended)
        kk_buf_append_char(out, '\n');
}

void kk_report_advice(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    const kk_bench_choice *choice = &result->choice;
    kk_buf_append_str(out, "## Configuration Recommendations\n\n");
    if (choice->recommended < 0 || (size_t)choice->recommended >= result->n_ways) {
        kk_buf_append_str(out, "Nothing can be recommended. ");
        kk_append_markdown(out, choice->reason);
        kk_buf_append_str(out, "\n\n");
        return;
    }
    const kk_way *way = &result->ways[choice->recommended].way;
    kk_buf_append_str(out, "**Recommended: ");
    kk_append_way(out, way);
    kk_buf_append_str(out, "**\n\n");
    kk_append_markdown(out, choice->reason);
    if (choice->is_change && choice->improvement_percent > 0.0)
        kk_buf_appendf(out, " The improvement is %s.", worth_of(choice->improvement_percent));
    kk_buf_append_str(out, "\n\n");
    if (choice->is_over_quality)
        kk_buf_append_str(out, "**Its sound is over the limit of quality; no other way is "
                               "nearer.**\n\n");
    append_rejected(out, report);
    append_environment(out, choice, way);
}

static void append_change(kk_buf *out, const kk_history_change *change)
{
    char runs[KK_HISTORY_RUNS_TEXT];
    kk_buf_append_str(out, change->change_percent > 0.0 ? "- **Regression**: " : "- Improvement: ");
    kk_append_way(out, &change->way);
    kk_buf_append_str(out, " on \"");
    kk_append_markdown(out, change->text);
    kk_buf_appendf(out, "\" takes %.3f s, %+.1f %% beside %.3f s in %s (p = %.2g)\n",
                   change->after_s, change->change_percent, change->before_s,
                   kk_history_runs_text(change->n_runs, runs), change->p);
}

static void append_changes(kk_buf *out, const kk_history_view *history)
{
    char runs[KK_HISTORY_RUNS_TEXT];
    if (history->n_compared == 0) {
        kk_buf_append_str(out, "No earlier run is comparable with this one: same hardware, system, "
                               "model, libraries, settings and voice.\n\n");
        return;
    }
    if (history->n_changes == 0)
        kk_buf_appendf(out,
                       "No change beside %s: no median differs by more than 5 %% with p below "
                       "0.01.\n",
                       kk_history_runs_text(history->n_compared, runs));
    for (size_t i = 0; i < history->n_changes; i++)
        append_change(out, &history->changes[i]);
    kk_buf_append_char(out, '\n');
}

static void append_run(kk_buf *out, const kk_history_run *run)
{
    const kk_history_figure *figure = kk_history_find(run, &run->recommended, run->deciding_text);
    kk_buf_appendf(out, "| %lld | ", run->number);
    kk_append_time(out, run->started_at_s);
    kk_buf_append_str(out, " | ");
    kk_append_markdown(out, run->mode);
    kk_buf_append_str(out, run->is_interrupted ? ", interrupted | " : " | ");
    kk_append_markdown(out, run->version);
    kk_buf_append_str(out, " | ");
    if (run->recommended.provider[0] != '\0')
        kk_append_way(out, &run->recommended);
    else
        kk_buf_append_str(out, "-");
    if (figure != NULL)
        kk_buf_appendf(out, " | %.3f s | ", figure->inference_s);
    else
        kk_buf_append_str(out, " | - | ");
    kk_buf_append_str(out, run->is_comparable ? "yes" : "no");
    kk_buf_append_str(out, run->busy[0] != '\0' ? ", busy |\n" : " |\n");
}

void kk_report_runs(kk_buf *out, const kk_report *report)
{
    const kk_history_view *history = report->history;
    kk_buf_append_str(out, "## History\n\n");
    if (history == NULL || history->n_runs == 0) {
        kk_buf_append_str(out, "There is no earlier run.\n\n");
        return;
    }
    append_changes(out, history);
    kk_buf_append_str(out,
                      "| Run | Began | Mode | Program | Recommended | Its time | Comparable |\n"
                      "|---:|---|---|---|---|---:|---|\n");
    for (size_t i = 0; i < history->n_runs; i++)
        append_run(out, &history->runs[i]);
    kk_buf_append_char(out, '\n');
    if (kk_report_has_history(report))
        kk_buf_appendf(out, "![Inference time over the last runs](%s_history.svg)\n\n",
                       report->stem);
}

void kk_report_notes(kk_buf *out, const kk_report *report)
{
    kk_buf_append_str(
        out,
        "## Technical Notes\n\n"
        "- Each way runs in a process of its own, so that its memory and its failures are its own. "
        "Ways take turns, so that what disturbs the machine disturbs all alike.\n"
        "- A sample is the model time of one whole text, after the warm-ups. Nothing of an earlier "
        "synthesis is reused: no cache of results takes part.\n"
        "- The median decides. p95 interpolates between order statistics (R's type 7). Spread is "
        "1.4826 times the median absolute deviation, in percent of the median: a standard "
        "deviation "
        "that outliers do not move.\n"
        "- RTF is computed from the samples of sound that were made.\n"
        "- Log-mel distance: each token's frames are compared with those of the same token in "
        "native f32, so that a duration that differs does not count twice.\n"
        "- Runs are compared by the Mann-Whitney test of all their samples, two-sided; a change is "
        "named when p is below 0.01, the medians differ by more than 5 %, and the new one lies "
        "beyond that of each earlier run.\n");
    kk_buf_appendf(out, "- Every raw sample stands in [%s.json](%s.json).\n\n---\n\n", report->stem,
                   report->stem);
    kk_buf_append_str(out, "Made by `kokoro benchmark`, version ");
    kk_append_markdown(out, report->result->version);
    kk_buf_append_str(out, ".\n");
}
