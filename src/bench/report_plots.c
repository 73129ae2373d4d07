/*
 * report_plots.c - the three plots. Bars lie, a way a line, so that its name has room; a whisker
 * shows from the minimum to the 95th percentile.
 */
#include "bench/report_parts.h"

#include "bench/report_svg.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const double WIDTH = 860.0, LEFT = 220.0, RIGHT = 740.0, TOP = 56.0;
static const double BAR = 16.0, ROW = 24.0;

/* Grid lines, numbers below them and what they mean, for a value axis that runs to the right. */
static void draw_axis_below(kk_buf *out, const kk_svg_axis *axis, double top, double bottom,
                            const char *label)
{
    char text[40];
    for (int i = 0; i <= axis->n_steps; i++) {
        const double value = axis->step * i;
        const double x = kk_svg_place(axis, value);
        kk_svg_line(out, x, top, x, bottom, value > 0.0 ? "grid" : "axis");
        (void)snprintf(text, sizeof(text), "%.*f", axis->n_decimals, value);
        kk_svg_text(out, x, bottom + 18.0, "middle", "faint", text);
    }
    kk_svg_text(out, (axis->from + axis->to) / 2.0, bottom + 40.0, "middle", "label", label);
}

/* ---- timing ------------------------------------------------------------------------------- */

/* Whether there is a bar for it. Only warm runs have one. */
static bool has_rtf(const kk_report *report, size_t way, size_t text)
{
    return report->inference[way][text].n > 0 &&
           report->result->ways[way].timings[text].audio_s > 0.0;
}

static bool has_bars(const kk_report *report, size_t text)
{
    for (size_t way = 0; way < report->result->n_ways; way++)
        if (has_rtf(report, way, text))
            return true;
    return false;
}

static void draw_timing_bar(kk_buf *out, const kk_report *report, const kk_svg_axis *axis,
                            size_t way, size_t text, double y)
{
    const kk_summary *s = &report->inference[way][text];
    const double audio_s = report->result->ways[way].timings[text].audio_s;
    const double middle = y + BAR / 2.0, low = kk_svg_place(axis, s->min / audio_s),
                 high = kk_svg_place(axis, s->p95 / audio_s);
    char label[KK_WAY_TEXT + 32];
    kk_way_text(&report->result->ways[way].way, label);
    kk_svg_text(out, LEFT - 10.0, middle + 4.0, "end", "label", label);
    kk_svg_bar(out, LEFT, y, kk_svg_place(axis, s->median / audio_s) - LEFT, BAR, way, 1.0);
    if (s->n > 1) {
        kk_svg_line(out, low, middle, high, middle, "whisker");
        kk_svg_line(out, low, middle - 4.0, low, middle + 4.0, "whisker");
        kk_svg_line(out, high, middle - 4.0, high, middle + 4.0, "whisker");
    }
    (void)snprintf(label, sizeof(label), "%.3f s, RTF %.3f", s->median, s->median / audio_s);
    kk_svg_text(out, high + 8.0, middle + 4.0, "start", "faint", label);
}

void kk_plot_timing(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    double max = 0.0, height = TOP;
    for (size_t text = 0; text < result->n_texts; text++) {
        height += has_bars(report, text) ? ROW + 8.0 : 0.0;
        for (size_t way = 0; way < result->n_ways; way++) {
            if (!has_rtf(report, way, text))
                continue;
            const double rtf =
                report->inference[way][text].p95 / result->ways[way].timings[text].audio_s;
            max = rtf > max ? rtf : max;
            height += ROW;
        }
    }
    const kk_svg_axis axis = kk_svg_axis_make(max, 6, LEFT, RIGHT - 60.0);
    kk_svg_begin(out, WIDTH, height + 60.0, "Time for a second of speech",
                 "Bars: for each text and way the median inference time divided by the length of "
                 "the speech. Whiskers: minimum to 95th percentile. Shorter is faster.");
    draw_axis_below(out, &axis, TOP - 8.0, height,
                    "seconds of computing for a second of speech (RTF); less is faster");
    double y = TOP;
    for (size_t text = 0; text < result->n_texts; text++) {
        if (!has_bars(report, text))
            continue;
        kk_svg_text(out, 20.0, y + 14.0, "start", "strong", result->texts[text].name);
        y += ROW;
        for (size_t way = 0; way < result->n_ways; way++) {
            if (!has_rtf(report, way, text))
                continue;
            draw_timing_bar(out, report, &axis, way, text, y);
            y += ROW;
        }
        y += 8.0;
    }
    kk_svg_end(out);
}

/* ---- memory ------------------------------------------------------------------------------- */

void kk_plot_memory(kk_buf *out, const kk_report *report)
{
    const kk_bench_result *result = report->result;
    double max = 0.0, height = TOP, y = TOP;
    for (size_t way = 0; way < result->n_ways; way++) {
        const double peak = result->ways[way].peak_mb;
        max = peak > max ? peak : max;
        height += peak > 0.0 ? ROW : 0.0;
    }
    const kk_svg_axis axis = kk_svg_axis_make(max, 6, LEFT, RIGHT - 60.0);
    kk_svg_begin(out, WIDTH, height + 60.0, "Memory of the process",
                 "Bars: for each way the resident memory after the last inference, and paler the "
                 "peak.");
    draw_axis_below(out, &axis, TOP - 8.0, height,
                    "MB; full colour: resident after the last inference, pale: peak");
    for (size_t way = 0; way < result->n_ways; way++) {
        const kk_bench_way *w = &result->ways[way];
        char label[KK_WAY_TEXT + 32];
        if (!(w->peak_mb > 0.0))
            continue;
        kk_way_text(&w->way, label);
        kk_svg_text(out, LEFT - 10.0, y + 12.0, "end", "label", label);
        kk_svg_bar(out, LEFT, y, kk_svg_place(&axis, w->peak_mb) - LEFT, BAR, way, 0.35);
        kk_svg_bar(out, LEFT, y, kk_svg_place(&axis, w->resident_mb) - LEFT, BAR, way, 1.0);
        (void)snprintf(label, sizeof(label), "%.0f MB, peak %.0f MB", w->resident_mb, w->peak_mb);
        kk_svg_text(out, kk_svg_place(&axis, w->peak_mb) + 8.0, y + 12.0, "start", "faint", label);
        y += ROW;
    }
    kk_svg_end(out);
}

/* ---- history ------------------------------------------------------------------------------ */

static const double HISTORY_LEFT = 80.0, HISTORY_RIGHT = 830.0;

/* Ways of all runs, the newest run's first. */
static size_t collect_ways(const kk_history_view *history, const char *text,
                           kk_way ways[KK_BENCH_MAX_WAYS])
{
    size_t n = 0;
    for (size_t i = 0; i < history->n_runs; i++) {
        for (size_t k = 0; k < history->runs[i].n_figures; k++) {
            const kk_history_figure *figure = &history->runs[i].figures[k];
            bool is_new = strcmp(figure->text, text) == 0;
            for (size_t w = 0; w < n; w++)
                is_new = is_new && !kk_way_equal(&ways[w], &figure->way);
            if (is_new && n < KK_BENCH_MAX_WAYS)
                ways[n++] = figure->way;
        }
    }
    return n;
}

/* Oldest at the left. */
static double run_x(const kk_history_view *history, size_t run)
{
    const double step = (HISTORY_RIGHT - 40.0 - HISTORY_LEFT) / (double)(history->n_runs - 1);
    return HISTORY_LEFT + 20.0 + step * (double)(history->n_runs - 1 - run);
}

static void draw_way(kk_buf *out, const kk_history_view *history, const kk_svg_axis *axis,
                     const kk_way *way, size_t number, const char *text)
{
    const char *colour = kk_svg_colour(number);
    /* Ways beyond the colours are told by dashes. */
    kk_buf_appendf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s points=\"",
                   colour, number >= KK_SVG_N_COLOURS ? " stroke-dasharray=\"6 3\"" : "");
    for (size_t i = history->n_runs; i-- > 0;) {
        const kk_history_figure *figure = kk_history_find(&history->runs[i], way, text);
        if (figure != NULL)
            kk_buf_appendf(out, "%.1f,%.1f ", run_x(history, i),
                           kk_svg_place(axis, figure->inference_s));
    }
    kk_buf_append_str(out, "\"/>\n");
    for (size_t i = history->n_runs; i-- > 0;) {
        const kk_history_run *run = &history->runs[i];
        const kk_history_figure *figure = kk_history_find(run, way, text);
        if (figure != NULL)
            kk_buf_appendf(out,
                           "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" stroke=\"%s\" "
                           "stroke-width=\"2\" %s=\"%s\"/>\n",
                           run_x(history, i), kk_svg_place(axis, figure->inference_s), colour,
                           run->is_comparable ? "fill" : "class",
                           run->is_comparable ? colour : "hollow");
    }
}

/* Numbers and days of the runs, as many as have room. */
static void draw_runs(kk_buf *out, const kk_history_view *history, double bottom)
{
    const size_t every = (history->n_runs + 7) / 8;
    for (size_t i = 0; i < history->n_runs; i++) {
        char text[40];
        const time_t time = (time_t)history->runs[i].started_at_s;
        struct tm parts;
        if (i % every != 0)
            continue;
        (void)snprintf(text, sizeof(text), "%lld", history->runs[i].number);
        kk_svg_text(out, run_x(history, i), bottom + 18.0, "middle", "label", text);
        if (gmtime_r(&time, &parts) != NULL && strftime(text, sizeof(text), "%d %b", &parts) > 0)
            kk_svg_text(out, run_x(history, i), bottom + 33.0, "middle", "faint", text);
    }
    kk_svg_text(out, (HISTORY_LEFT + HISTORY_RIGHT) / 2.0, bottom + 54.0, "middle", "label",
                "run and its day; hollow: of another machine, system, model, version or setting");
}

void kk_plot_history(kk_buf *out, const kk_report *report)
{
    const kk_history_view *history = report->history;
    const char *text = history->runs[0].deciding_text;
    kk_way ways[KK_BENCH_MAX_WAYS];
    const size_t n_ways = collect_ways(history, text, ways);
    double max = 0.0;
    for (size_t i = 0; i < history->n_runs; i++)
        for (size_t w = 0; w < n_ways; w++) {
            const kk_history_figure *figure = kk_history_find(&history->runs[i], &ways[w], text);
            max = figure != NULL && figure->inference_s > max ? figure->inference_s : max;
        }
    const size_t n_rows = (n_ways + 2) / 3;
    const double legend = TOP, top = TOP + 20.0 * (double)n_rows + 16.0, bottom = top + 240.0;
    char title[128];
    (void)snprintf(title, sizeof(title), "Inference time over the last runs, text \"%.60s\"", text);
    kk_svg_begin(out, WIDTH, bottom + 72.0, title,
                 "A line for each way: the median inference time of the last benchmark runs.");
    const kk_svg_axis axis = kk_svg_axis_make(max, 5, bottom, top);
    for (int i = 0; i <= axis.n_steps; i++) {
        char number[40];
        const double value = axis.step * i;
        const double y = kk_svg_place(&axis, value);
        (void)snprintf(number, sizeof(number), "%.*f s", axis.n_decimals, value);
        kk_svg_line(out, HISTORY_LEFT, y, HISTORY_RIGHT, y, value > 0.0 ? "grid" : "axis");
        kk_svg_text(out, HISTORY_LEFT - 8.0, y + 4.0, "end", "faint", number);
    }
    draw_runs(out, history, bottom);
    for (size_t w = 0; w < n_ways; w++) {
        char name[KK_WAY_TEXT];
        const size_t row = w / 3;
        const double x = 20.0 + 275.0 * (double)(w % 3), y = legend + 20.0 * (double)row;
        kk_way_text(&ways[w], name);
        kk_svg_bar(out, x, y - 5.0, 18.0, 4.0, w, 1.0);
        kk_svg_text(out, x + 26.0, y + 1.0, "start", "label", name);
        draw_way(out, history, &axis, &ways[w], w, text);
    }
    kk_svg_end(out);
}
