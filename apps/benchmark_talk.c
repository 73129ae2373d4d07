/* benchmark_talk.c - see benchmark_talk.h. */
#include "benchmark_talk.h"

#include "bench/statistics.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 24 };
static const double LINE_EVERY_S = 5.0;

/* "native bf16, 2 threads: medium" */
static void describe(const kk_bench_progress *progress, char *text, size_t size)
{
    char way[KK_WAY_TEXT] = "";
    if (progress->way != NULL)
        kk_way_text(progress->way, way);
    const char *what =
        progress->text[0] != '\0' ? progress->text : kk_bench_step_text(progress->kind);
    (void)snprintf(text, size, "%s%s%s", way, way[0] != '\0' ? ": " : "", what);
}

static double percent_of(const kk_bench_progress *progress)
{
    const double whole_s = progress->elapsed_s + progress->left_s;
    return whole_s > 0.0 ? 100.0 * progress->elapsed_s / whole_s : 0.0;
}

static void tell_json(const kk_bench_progress *progress, const char *step)
{
    json_t *object = json_pack("{s:f, s:f, s:s, s:s, s:f}", "percent", percent_of(progress),
                               "left_s", progress->left_s, "step", step, "kind",
                               kk_bench_step_text(progress->kind), "value_s", progress->value_s);
    char *line = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (line != NULL)
        (void)fprintf(stderr, "%s\n", line);
    free(line);
    json_decref(object);
}

static void tell_bar(kk_benchmark_talk *talk, const kk_bench_progress *progress, const char *step)
{
    char bar[BAR_WIDTH + 1];
    int filled = (int)(BAR_WIDTH * percent_of(progress) / 100.0);
    filled = filled < 0 ? 0 : filled > BAR_WIDTH ? BAR_WIDTH : filled;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(stderr, "\r[%s] %.0f s left, %.48s\033[K", bar, progress->left_s, step);
    (void)fflush(stderr);
    talk->shows_bar = true;
}

static void clear_bar(kk_benchmark_talk *talk)
{
    if (talk->shows_bar)
        (void)fputs("\r\033[K", stderr);
    talk->shows_bar = false;
}

void kk_benchmark_tell(void *user, const kk_bench_progress *progress)
{
    kk_benchmark_talk *talk = user;
    char step[KK_WAY_TEXT + 64];
    describe(progress, step, sizeof(step));
    talk->spent_s[progress->kind] += progress->elapsed_s - talk->last_step_s;
    talk->last_step_s = progress->elapsed_s;
    if (talk->is_verbose) {
        clear_bar(talk);
        if (progress->message[0] != '\0')
            (void)fprintf(stderr, "%7.1f s  %s: %s\n", progress->elapsed_s, step,
                          progress->message);
        else
            (void)fprintf(stderr, "%7.1f s  %-12s %9.4f s  %s\n", progress->elapsed_s,
                          kk_bench_step_text(progress->kind), progress->value_s, step);
    }
    if (talk->form == KK_TALK_JSON) {
        tell_json(progress, step);
    } else if (talk->form == KK_TALK_BAR) {
        tell_bar(talk, progress, step);
    } else if (talk->form == KK_TALK_LINES && !talk->is_verbose &&
               progress->elapsed_s - talk->last_line_s >= LINE_EVERY_S) {
        talk->last_line_s = progress->elapsed_s;
        (void)fprintf(stderr, "%3.0f %%, %.0f s left, %s\n", percent_of(progress), progress->left_s,
                      step);
    }
}

void kk_benchmark_tell_end(kk_benchmark_talk *talk)
{
    clear_bar(talk);
    if (!talk->is_verbose)
        return;
    (void)fputs("time spent:", stderr);
    for (int kind = 0; kind < (int)(sizeof(talk->spent_s) / sizeof(talk->spent_s[0])); kind++) {
        if (talk->spent_s[kind] > 0.0)
            (void)fprintf(stderr, " %s %.1f s", kk_bench_step_text((enum kk_bench_step_kind)kind),
                          talk->spent_s[kind]);
    }
    (void)fputc('\n', stderr);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void print_quality(const kk_bench_quality *quality)
{
    if (!quality->is_known)
        (void)printf("  %8s", "?");
    else if (quality->is_reference)
        (void)printf("  %8s", "is it");
    else
        (void)printf("  %5.2f dB", quality->log_mel_db);
    if (quality->is_known && quality->n_durations_differ > 0)
        (void)printf(", %zu of %zu durations differ", quality->n_durations_differ,
                     quality->n_tokens);
}

/* Of a text that no way has a sample of. */
static void print_why_unmeasured(const kk_bench_result *result)
{
    const kk_bench_way *failed = NULL;
    bool has_failed = result->n_ways > 0;
    for (size_t i = 0; i < result->n_ways; i++) {
        const kk_bench_way *way = &result->ways[i];
        has_failed = has_failed && way->failure != NULL;
        if (failed == NULL && way->failure != NULL &&
            strcmp(way->failure, KK_BENCH_NOT_REACHED) != 0)
            failed = way;
    }
    if (has_failed && failed != NULL) {
        char name[KK_WAY_TEXT];
        kk_way_text(&failed->way, name);
        (void)printf("not measured: %s failed: %s\n", name, failed->failure);
    } else {
        (void)puts("not measured: the time was over");
    }
}

static void print_text(const kk_bench_result *result, size_t text)
{
    (void)printf("\n%s text, %zu characters%s\n", result->texts[text].name,
                 result->texts[text].n_chars, text == result->deciding_text ? " (decides)" : "");
    size_t n_measured = 0;
    for (size_t i = 0; i < result->n_ways; i++)
        n_measured += result->ways[i].timings[text].inference_s.n;
    if (n_measured == 0) {
        print_why_unmeasured(result);
        return;
    }
    (void)printf("%-28s %8s %8s %8s %7s %7s %11s %4s\n", "", "first", "median", "p95", "spread",
                 "RTF", "first sound", "runs");
    for (size_t i = 0; i < result->n_ways; i++) {
        char name[KK_WAY_TEXT];
        kk_summary warm, sound;
        const kk_bench_timing *timing = &result->ways[i].timings[text];
        kk_way_text(&result->ways[i].way, name);
        if (kk_summarise(&timing->inference_s, &warm) != KOKORO_OK ||
            kk_summarise(&timing->first_audio_s, &sound) != KOKORO_OK || warm.n == 0)
            continue;
        (void)printf("%-28s %6.3f s %6.3f s %6.3f s %5.1f %% %7.4f %9.3f s %4zu\n", name,
                     timing->first_s, warm.median, warm.p95, warm.spread_percent,
                     timing->audio_s > 0.0 ? warm.median / timing->audio_s : 0.0, sound.median,
                     warm.n);
    }
}

static void print_ways(const kk_bench_result *result)
{
    (void)printf("%-28s %8s %9s  %s\n", "", "load", "peak", "distance from native f32");
    for (size_t i = 0; i < result->n_ways; i++) {
        char name[KK_WAY_TEXT];
        const kk_bench_way *way = &result->ways[i];
        kk_way_text(&way->way, name);
        (void)printf("%-28s", name);
        if (way->load_ms > 0.0)
            (void)printf(" %6.2f s %6.0f MB", way->load_ms / 1e3, way->peak_mb);
        if (way->load_ms > 0.0)
            print_quality(&way->quality);
        if (way->failure != NULL)
            (void)printf("  FAILED: %s", way->failure);
        (void)puts("");
    }
    for (size_t i = 0; i < result->n_absent; i++)
        (void)printf("%-28s not available: %s\n", result->absent[i].provider,
                     result->absent[i].reason);
    for (size_t i = 0; i < result->n_left_out; i++) {
        char name[KK_WAY_TEXT];
        kk_way_text(&result->left_out[i].way, name);
        (void)printf("%-28s not measured: %s\n", name, result->left_out[i].reason);
    }
}

static void print_streams(const kk_bench_result *result)
{
    if (result->n_streams == 0)
        return;
    (void)printf("\n%-10s %12s %12s %14s %7s %8s\n", "streams", "first sound", "worst",
                 "sound per s", "failed", "ran dry");
    for (size_t i = 0; i < result->n_streams; i++) {
        const kk_bench_streams *s = &result->streams[i];
        kk_summary sound;
        if (kk_summarise(&s->first_sound_s, &sound) != KOKORO_OK)
            continue;
        (void)printf("%-10d %10.3f s %10.3f s %12.1f s %7zu %8zu\n", s->n_streams, sound.median,
                     sound.max, s->wall_s > 0.0 ? s->audio_s / s->wall_s : 0.0, s->n_failed,
                     s->n_ran_dry);
    }
}

void kk_benchmark_print(const kk_bench_result *result)
{
    char name[KK_WAY_TEXT];
    (void)printf("%s benchmark of %s, instruction set %s, %.0f s\n\n", result->mode,
                 result->hardware.cpu_model, result->hardware.instruction_set, result->duration_s);
    print_ways(result);
    for (size_t t = 0; t < result->n_texts; t++)
        print_text(result, t);
    print_streams(result);
    if (result->busy[0] != '\0')
        (void)printf("\nThe machine was busy: %s.\n", result->busy);
    if (result->n_groups > 1)
        (void)printf("\nMemory was short: the ways took turns in %zu groups, not all together.\n",
                     result->n_groups);
    if (result->n_discarded > 0)
        (void)printf("\n%zu samples were thrown away, because the run was stopped meanwhile.\n",
                     result->n_discarded);
    if (result->choice.recommended < 0)
        return;
    kk_way_text(&result->ways[result->choice.recommended].way, name);
    (void)printf("\nRecommended: %s\n%s\n", name, result->choice.reason);
}
