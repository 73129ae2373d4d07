/* benchmark_talk.h - what `kokoro benchmark` says while it measures, and the figures at its end. */
#ifndef KK_APPS_BENCHMARK_TALK_H
#define KK_APPS_BENCHMARK_TALK_H

#include "bench/run.h"

#include <stdbool.h>

enum kk_talk_form { KK_TALK_NONE, KK_TALK_LINES, KK_TALK_BAR, KK_TALK_JSON };

typedef struct kk_benchmark_talk {
    enum kk_talk_form form;
    bool is_verbose;    /* a line for each sample */
    bool shows_bar;     /* one is on the terminal now */
    double last_line_s; /* elapsed time at the last plain line */
    double last_step_s; /* elapsed time at the last step */
    double spent_s[8];  /* by kind of step */
} kk_benchmark_talk;

/* Of kk_bench_request; the user is a kk_benchmark_talk. On standard error. */
void kk_benchmark_tell(void *talk, const kk_bench_progress *progress);
/* Clear the bar; when verbose also where the time went. */
void kk_benchmark_tell_end(kk_benchmark_talk *talk);

/* Tables and recommendation, on standard output. */
void kk_benchmark_print(const kk_bench_result *result);

#endif
