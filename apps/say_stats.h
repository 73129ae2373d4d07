/* say_stats.h - the figures of `say --stats`. */
#ifndef KK_APPS_SAY_STATS_H
#define KK_APPS_SAY_STATS_H

#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct kk_say_stats {
    kokoro_stats first;    /* of the first run, whose sound is given out */
    double first_audio_ms; /* from the start of the program to the first samples */
    double *model_s;       /* [n] model time of each run */
    size_t n;
    bool is_repeated; /* --repeat was given: say how the runs differ */
} kk_say_stats;

/* One JSON line on standard error. Sorts model_s. */
void kk_say_print_stats(const kk_say_stats *stats, const kokoro_engine *engine);

#endif
