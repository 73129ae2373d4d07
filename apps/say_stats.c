/* say_stats.c - see say_stats.h. */
#include "say_stats.h"

#include "apps.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Peak resident memory. What getrusage says also covers the program that started this one, before
 * its exec; /proc does not. */
static double peak_rss_mb(void)
{
    char line[256];
    long long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && kb == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtoll(line + 6, NULL, 10);
    }
    if (file != NULL)
        (void)fclose(file);
    struct rusage usage;
    if (kb == 0 && getrusage(RUSAGE_SELF, &usage) == 0)
        kb = usage.ru_maxrss;
    return (double)kb / 1024.0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void add_repeats(json_t *object, const kk_say_stats *stats)
{
    double first = stats->model_s[0];
    size_t n = stats->n;
    qsort(stats->model_s, n, sizeof(*stats->model_s), by_value);
    double median = n % 2 == 1 ? stats->model_s[n / 2]
                               : (stats->model_s[n / 2 - 1] + stats->model_s[n / 2]) / 2;
    (void)json_object_set_new(object, "first_s", json_real(first));
    (void)json_object_set_new(object, "best_s", json_real(stats->model_s[0]));
    (void)json_object_set_new(object, "median_s", json_real(median));
}

static json_t *sources_of(const kokoro_stats *stats)
{
    json_t *sources = json_object();
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        (void)json_object_set_new(sources, kokoro_source_text(i),
                                  json_integer((json_int_t)stats->g2p_sources[i]));
    return sources;
}

void kk_say_print_stats(const kk_say_stats *stats, const kokoro_engine *engine)
{
    const kokoro_stats *first = &stats->first;
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    kokoro_get_engine_info(engine, &info);
    double rtf = first->audio_s > 0 ? first->model_ms / 1e3 / first->audio_s : 0.0;
    json_t *object = json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:s, s:i, s:f, s:I, s:o, s:I}", "audio_s",
        first->audio_s, "g2p_ms", first->g2p_ms, "model_ms", first->model_ms, "load_ms",
        info.load_ms, "pack_ms", info.pack_ms, "first_audio_ms", stats->first_audio_ms, "rtf", rtf,
        "provider", info.provider, "precision", info.precision, "threads", info.n_threads, "rss_mb",
        peak_rss_mb(), "chunks", (json_int_t)first->n_chunks, "g2p_sources", sources_of(first),
        "unknown_symbols", (json_int_t)first->unknown_symbols);
    if (object != NULL && stats->is_repeated)
        add_repeats(object, stats);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(7)) : NULL;
    if (text != NULL)
        (void)fprintf(stderr, "%s\n", text);
    else
        kk_complain("out of memory for the figures");
    free(text);
    json_decref(object);
}
