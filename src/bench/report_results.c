/* report_results.c - the figures: ways beside each other, then in detail. */
#include "bench/report_parts.h"

/* Words for how many times the time of the fastest a way takes. */
static const char *band_of(double relative)
{
    return relative <= 1.0  ? "fastest"
           : relative < 1.2 ? "excellent"
           : relative < 1.5 ? "good"
                            : "slower";
}

static void append_rtf(kk_buf *out, double seconds, double audio_s)
{
    if (audio_s > 0.0)
        kk_buf_appendf(out, "%.3f", seconds / audio_s);
    else
        kk_buf_append_str(out, "-");
}

static void append_comparison(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    const size_t text = result->deciding_text;
    const double best = kk_report_median(report, report->order[0]);
    kk_buf_append_str(out, "Of the text that decides, \"");
    kk_append_markdown(out, result->texts[text].name);
    kk_buf_appendf(out,
                   "\" (%zu characters). RTF is the time to make a second of speech: below 1 is "
                   "faster than it plays.\n\n"
                   "| Way | Inference Time | RTF | Relative Performance | Status |\n"
                   "|---|---:|---:|---:|---|\n",
                   result->texts[text].n_chars);
    for (size_t i = 0; i < report->n_ran; i++) {
        const size_t way = report->order[i];
        const double median = kk_report_median(report, way);
        const double relative = best > 0.0 ? median / best : 1.0;
        kk_buf_append_str(out, "| ");
        kk_append_way(out, &result->ways[way].way);
        kk_buf_appendf(out, " | %.3f s | ", median);
        append_rtf(out, median, result->ways[way].timings[text].audio_s);
        kk_buf_appendf(out, " | %.2fx | %s%s |\n", relative, band_of(relative),
                       result->choice.recommended == (int)way ? ", recommended" : "");
    }
    for (size_t i = 0; i < result->n_ways; i++) {
        if (report->inference[i][text].n > 0 && result->ways[i].failure == NULL)
            continue;
        kk_buf_append_str(out, "| ");
        kk_append_way(out, &result->ways[i].way);
        kk_buf_append_str(out, " | - | - | - | ");
        kk_buf_append_str(out, result->ways[i].failure != NULL ? "failed: " : "not measured");
        if (result->ways[i].failure != NULL)
            kk_append_markdown(out, result->ways[i].failure);
        kk_buf_append_str(out, " |\n");
    }
    kk_buf_append_char(out, '\n');
}

static void append_analysis(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    const size_t first = report->order[0], last = report->order[report->n_ran - 1];
    const double fast = kk_report_median(report, first), slow = kk_report_median(report, last);
    kk_buf_append_str(out, "### Performance Analysis\n\n- Fastest: ");
    kk_append_way(out, &result->ways[first].way);
    kk_buf_appendf(out, ", %.3f s\n", fast);
    if (report->n_ran > 1) {
        kk_buf_append_str(out, "- Slowest: ");
        kk_append_way(out, &result->ways[last].way);
        kk_buf_appendf(out, ", %.3f s\n- Difference: %.3f s", slow, slow - fast);
        if (slow > 0.0)
            kk_buf_appendf(out, " (the fastest takes %.1f %% less time)",
                           100.0 * (slow - fast) / slow);
        kk_buf_append_char(out, '\n');
    }
    kk_buf_append_str(out, "- Current selection: ");
    if (result->choice.before.provider[0] != '\0')
        kk_append_way(out, &result->choice.before);
    else
        kk_buf_append_str(out, "none yet");
    kk_buf_append_str(out, "\n\n");
}

static void append_picture(kk_buf *out, const kk_report *report, const char *what,
                           const char *suffix)
{
    kk_buf_appendf(out, "![%s](%s_%s.svg)\n\n", what, report->stem, suffix);
}

static void append_timing_row(kk_buf *out, const kk_report *report, size_t way, size_t text)
{
    const kk_bench_way *w = &report->result->ways[way];
    const kk_bench_timing *timing = &w->timings[text];
    const kk_summary *s = &report->inference[way][text], *a = &report->first_audio[way][text];
    if (s->n == 0 && !(timing->first_s > 0.0))
        return;
    kk_buf_append_str(out, "| ");
    kk_append_way(out, &w->way);
    if (s->n > 0)
        kk_buf_appendf(out, " | %.3f | %.3f | %.3f | %.1f %% | ", s->min, s->median, s->p95,
                       s->spread_percent);
    else
        kk_buf_append_str(out, " | - | - | - | - | ");
    append_rtf(out, s->n > 0 ? s->median : timing->first_s, timing->audio_s);
    kk_buf_appendf(out, " | %.3f | ", timing->first_s);
    if (a->n > 0)
        kk_buf_appendf(out, "%.3f", a->median);
    else
        kk_buf_append_str(out, "-");
    kk_buf_appendf(out, " | %zu |\n", s->n);
}

static void append_timing(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    kk_buf_append_str(out,
                      "### Detailed Timing\n\nSeconds of model time for the whole text. First: "
                      "the first time that the process spoke it. First audio: from the call "
                      "to the first samples, median.\n\n");
    for (size_t text = 0; text < result->n_texts; text++) {
        double audio_s = 0.0;
        for (size_t way = 0; way < result->n_ways && !(audio_s > 0.0); way++)
            audio_s = result->ways[way].timings[text].audio_s;
        kk_buf_append_str(out, "**");
        kk_append_markdown(out, result->texts[text].name);
        kk_buf_appendf(out, "**: %zu characters, %.1f s of speech\n\n", result->texts[text].n_chars,
                       audio_s);
        kk_buf_append_str(out, "| Way | Min | Median | p95 | Spread | RTF | First | First audio | "
                               "Samples |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
        for (size_t way = 0; way < result->n_ways; way++)
            append_timing_row(out, report, way, text);
        kk_buf_append_char(out, '\n');
    }
    kk_buf_append_str(out,
                      "Starting up:\n\n| Way | Load | Of which packing | Very first inference |"
                      "\n|---|---:|---:|---:|\n");
    for (size_t way = 0; way < result->n_ways; way++) {
        const kk_bench_way *w = &result->ways[way];
        if (!(w->load_ms > 0.0))
            continue;
        kk_buf_append_str(out, "| ");
        kk_append_way(out, &w->way);
        kk_buf_appendf(out, " | %.0f ms | %.0f ms | %.3f s |\n", w->load_ms, w->pack_ms,
                       w->first_inference_s);
    }
    kk_buf_append_char(out, '\n');
}

static void append_memory(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    kk_buf_append_str(out, "### Memory Usage\n\nOf the process that ran it, in MB of 1024^2 bytes."
                           "\n\n| Way | Resident after the last inference | Peak |\n"
                           "|---|---:|---:|\n");
    for (size_t i = 0; i < result->n_ways; i++) {
        const kk_bench_way *way = &result->ways[i];
        if (!(way->peak_mb > 0.0))
            continue;
        kk_buf_append_str(out, "| ");
        kk_append_way(out, &way->way);
        kk_buf_appendf(out, " | %.0f MB | %.0f MB |\n", way->resident_mb, way->peak_mb);
    }
    kk_buf_append_char(out, '\n');
    append_picture(out, report, "Memory of each way", "memory");
}

static void append_quality_row(kk_buf *out, const kk_bench_way *way, double max_db)
{
    const kk_bench_quality *q = &way->quality;
    kk_buf_append_str(out, "| ");
    kk_append_way(out, &way->way);
    if (!q->is_known) {
        kk_buf_append_str(out, " | - | - | - | could not be compared |\n");
        return;
    }
    if (q->is_reference) {
        kk_buf_append_str(out, " | 0 | 0.00 dB | 0.00 dB | the reference |\n");
        return;
    }
    kk_buf_appendf(out, " | %zu of %zu | %.2f dB | %.2f dB | %s |\n", q->n_durations_differ,
                   q->n_tokens, q->log_mel_db, q->worst_log_mel_db,
                   q->log_mel_db <= max_db ? "within the limit" : "**over the limit**");
}

static void append_quality(kk_buf *out, const kk_bench_result *result)
{
    kk_buf_appendf(
        out,
        "### Quality\n\nBeside native in f32 on the same phonemes: tokens whose duration "
        "is another, and the log-mel distance after aligning token by token. A way may "
        "be chosen up to %.2f dB (`KOKORO_MAX_QUALITY_DB`).\n\n"
        "| Way | Durations that differ | Log-mel distance | Worst text | |\n"
        "|---|---:|---:|---:|---|\n",
        result->choice.max_quality_db);
    for (size_t i = 0; i < result->n_ways; i++)
        if (result->ways[i].failure == NULL)
            append_quality_row(out, &result->ways[i], result->choice.max_quality_db);
    kk_buf_append_char(out, '\n');
}

static void append_streams(kk_buf *out, const kk_bench_result *result)
{
    if (result->n_streams == 0)
        return;
    kk_buf_append_str(out,
                      "### Server Under Load\n\nThe running server, so many streams at once. "
                      "First sound: to the first sample that is not silence. Speed: seconds of "
                      "speech a second, of all streams together.\n\n"
                      "| Streams | First sound, median | Slowest | Speed | Ran dry | Failed |\n"
                      "|---:|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < result->n_streams; i++) {
        const kk_bench_streams *s = &result->streams[i];
        kk_summary first;
        if (kk_summarise(&s->first_sound_s, &first) != KOKORO_OK)
            out->failed = true;
        kk_buf_appendf(out, "| %d | %.3f s | %.3f s | %.2fx | %zu | %zu |\n", s->n_streams,
                       first.median, first.max, s->wall_s > 0.0 ? s->audio_s / s->wall_s : 0.0,
                       s->n_ran_dry, s->n_failed);
    }
    kk_buf_append_char(out, '\n');
}

void kk_report_results(kk_buf *out, const kk_report *report)
{
    kk_buf_append_str(out, "## Performance Benchmark Results\n\n");
    if (report->n_ran == 0) {
        kk_buf_append_str(out, "**Warning: no way to run the model gave figures for the text that "
                               "decides.** What failed stands under Providers.\n\n");
        return;
    }
    if (report->result->busy[0] != '\0') {
        kk_buf_append_str(out,
                          "**The machine was busy; the times are longer and less certain than on "
                          "an idle one**: ");
        kk_append_markdown(out, report->result->busy);
        kk_buf_append_str(out, "\n\n");
    }
    append_comparison(out, report);
    append_picture(out, report, "Time for a second of speech, by text and way", "timing");
    append_analysis(out, report);
    append_timing(out, report);
    append_memory(out, report);
    append_quality(out, report->result);
    append_streams(out, report->result);
}
