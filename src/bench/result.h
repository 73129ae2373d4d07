/*
 * result.h - all that a benchmark found: what the runs fill and reports, history and the choice of
 * a way read. Strings and arrays belong to the arena. Times of one sample are never averaged here;
 * bench/statistics.h does that for whoever shows them.
 */
#ifndef KK_BENCH_RESULT_H
#define KK_BENCH_RESULT_H

#include "base/arena.h"
#include "cache/fingerprint.h"
#include "cache/way.h"
#include "hardware/hardware.h"

enum { KK_BENCH_MAX_TEXTS = 16, KK_BENCH_MAX_WAYS = 16, KK_BENCH_MAX_STREAMS = 4 };

typedef struct kk_samples {
    double *values; /* [n], in the order they were taken */
    size_t n;
} kk_samples;

typedef struct kk_bench_text {
    const char *name; /* "short", "medium", "long", or "text 1" of a --text-file */
    const char *text;
    size_t n_chars;
} kk_bench_text;

/* One way on one text. */
typedef struct kk_bench_timing {
    double audio_s;           /* speech made, by its samples; 0: not measured */
    size_t n_chunks;          /* inferences that the text needs */
    double first_s;           /* the first time that the process spoke this text */
    kk_samples inference_s;   /* warm: model time of the whole text */
    kk_samples first_audio_s; /* warm: from the call to the first samples, in pieces where it can */
} kk_bench_timing;

/* Beside native in f32, on all texts. */
typedef struct kk_bench_quality {
    bool is_known;
    bool is_reference;
    size_t n_tokens;
    size_t n_durations_differ; /* tokens whose duration is another */
    double log_mel_db;         /* mean over the texts, aligned token by token */
    double worst_log_mel_db;   /* of a text */
} kk_bench_quality;

/* The failure of a way that did nothing wrong: another one ended the run. */
#define KK_BENCH_NOT_REACHED "the run ended before it was measured"

typedef struct kk_bench_way {
    kk_way way;
    const char *execution_provider; /* "CPUExecutionProvider" */
    const char *version;            /* of the runtime */
    const char *placement;          /* where the runtime put the nodes; "" when it cannot tell */
    const char *failure;            /* NULL, or why there are no (more) figures */
    const char *measures; /* a JSON array: what was done for its runtime's sake; NULL: not known */
    double load_ms, pack_ms;
    double first_inference_s; /* the very first of the process: what a cold start adds */
    double resident_mb;       /* after the last inference */
    double peak_mb;           /* of the process */
    kk_bench_timing timings[KK_BENCH_MAX_TEXTS]; /* [n_texts] of the result */
    kk_bench_quality quality;
} kk_bench_way;

typedef struct kk_bench_absent {
    const char *provider;
    const char *reason; /* with what would help */
} kk_bench_absent;

/* A way for which no time was left. */
typedef struct kk_bench_left_out {
    kk_way way;
    const char *reason;
} kk_bench_left_out;

/* The running server under so many streams at once (--comprehensive). */
typedef struct kk_bench_streams {
    int n_streams;
    kk_samples first_sound_s; /* a stream each, to its first sound that is not silence */
    double audio_s, wall_s;   /* of all together */
    size_t n_failed;
    size_t n_ran_dry; /* streams whose listener would have waited */
} kk_bench_streams;

/* What to use, and why (bench/choice.h). */
typedef struct kk_bench_choice {
    int recommended;            /* place in ways[]; -1: nothing ran */
    int fastest, best_quality;  /* likewise */
    kk_way before;              /* what was in use; empty provider: nothing */
    bool is_change;             /* recommended is another than before, which is not empty */
    bool is_over_quality;       /* nothing was within the limit */
    double improvement_percent; /* of the time of `before`; 0 where there is none */
    double min_improvement_percent, max_quality_db; /* the limits that were asked for */
    const char *reason;                             /* a sentence */
} kk_bench_choice;

typedef struct kk_bench_result {
    const char *mode;    /* "quick", "full", "comprehensive" */
    const char *version; /* of the program */
    const char *voice;
    double started_at_s; /* since 1970 */
    double duration_s;
    bool is_interrupted; /* Ctrl-C, or its time was over: figures are those up to then */
    kk_hardware hardware;
    kk_fingerprint fingerprint;
    double load_before, load_after; /* load average over a minute; negative: not known */
    const char *busy;               /* what else kept the machine busy; "" when nothing did */
    int n_warm_ups, n_runs;         /* a text and way */
    size_t n_discarded;             /* samples thrown away, because something else ran */
    size_t n_groups;                /* 1: all ways took turns; more: memory was short for that */
    kk_bench_text texts[KK_BENCH_MAX_TEXTS];
    size_t n_texts;
    kk_bench_way ways[KK_BENCH_MAX_WAYS];
    size_t n_ways;
    kk_bench_absent absent[KK_BENCH_MAX_WAYS];
    size_t n_absent;
    kk_bench_left_out left_out[KK_BENCH_MAX_WAYS];
    size_t n_left_out;
    kk_bench_streams streams[KK_BENCH_MAX_STREAMS];
    size_t n_streams;
    size_t deciding_text; /* place in texts[] of the one that decides */
    kk_bench_choice choice;
    kk_arena arena;
} kk_bench_result;

void kk_bench_result_init(kk_bench_result *result);
void kk_bench_result_fini(kk_bench_result *result);

/* Warm inferences of that way on a text of those words; NULL when there are none. */
const kk_samples *kk_bench_find_samples(const kk_bench_result *result, const kk_way *way,
                                        const char *words);

#endif
