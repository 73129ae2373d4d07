/*
 * history.h - every benchmark run, in an SQLite file of KOKORO_HOME: who ran what when on what,
 * each raw sample, what was recommended. A run is added in one transaction: a kill at any moment
 * leaves it whole or absent.
 *
 *     runs 1-* ways, runs 1-* texts, (run, way, text) 1-* samples
 *
 * A file that is damaged or of another program is moved aside to <path>.damaged-<seconds since
 * 1970>, never deleted, and a new one begun.
 */
#ifndef KK_BENCH_HISTORY_H
#define KK_BENCH_HISTORY_H

#include "bench/result.h"

#define KK_HOME_HISTORY "history.db" /* in KOKORO_HOME */

typedef struct kk_history kk_history;

/* One way on one text of a run: medians of its samples. */
typedef struct kk_history_figure {
    kk_way way;
    const char *text;     /* its name */
    double inference_s;   /* of the warm inferences */
    double first_audio_s; /* 0: not measured */
    double audio_s;
    size_t n_samples; /* inferences */
} kk_history_figure;

typedef struct kk_history_run {
    long long number; /* 1, 2, ... */
    double started_at_s, duration_s;
    const char *mode, *version, *voice;
    const char *machine;       /* model of the CPU */
    const char *busy;          /* "" when nothing kept the machine busy */
    const char *deciding_text; /* name; "" where there was no text */
    bool is_interrupted;
    bool is_comparable;         /* of the same fingerprint and voice as the run of the view */
    kk_way recommended;         /* empty provider: nothing ran */
    kk_history_figure *figures; /* [n_figures] */
    size_t n_figures;
} kk_history_run;

/* A median that differs from that of the earlier comparable runs by more than noise: Mann-Whitney
 * p < 0.01, more than 5 %, and beyond the medians of all of them. */
typedef struct kk_history_change {
    kk_way way;
    const char *text; /* its name */
    double before_s, after_s;
    double change_percent; /* of before_s; positive: slower, a regression */
    double p;
    size_t n_runs; /* earlier ones, together */
} kk_history_change;

typedef struct kk_history_view {
    kk_history_run *runs; /* [n_runs] newest first */
    size_t n_runs;
    kk_history_change *changes; /* [n_changes] regressions first */
    size_t n_changes, n_regressions;
    size_t n_compared; /* earlier comparable runs that the result was held against; 0: none */
    kk_arena arena;
} kk_history_view;

#define KK_HISTORY_VIEW_INIT                                                                       \
    {                                                                                              \
        .runs = NULL                                                                               \
    }

enum kk_history_access {
    KK_HISTORY_READ, /* NOT_FOUND when there is none; nothing is written or moved */
    KK_HISTORY_WRITE /* made, brought to this version's form, or begun anew */
};

/* IO (cannot be opened or written), BAD_DATA (READ only: damaged or foreign), BUSY (another process
 * kept it locked for 10 s), NO_MEMORY. */
int kk_history_open(kk_history **out, const char *path, enum kk_history_access access,
                    kokoro_error *err);
void kk_history_close(kk_history **history);

/* A sentence about a file that was moved aside when this one was opened; "" else. */
const char *kk_history_note(const kk_history *history);

/* Add a run with all its samples; its number in *number (may be NULL). On failure the file is as
 * it was. IO (also a full disk), BUSY, NO_MEMORY. */
int kk_history_add(kk_history *history, const kk_bench_result *result, long long *number,
                   kokoro_error *err);

/*
 * The last max_runs runs; where `result` is given also what changed between it and the up to five
 * comparable runs that began before it, itself, when it was added already, left out. NULL: runs
 * are comparable with the newest.
 */
int kk_history_look(kk_history *history, size_t max_runs, const kk_bench_result *result,
                    kk_history_view *out, kokoro_error *err);
void kk_history_view_fini(kk_history_view *view);

/* The figure of a way on the text of that name; NULL when the run has none. */
const kk_history_figure *kk_history_find(const kk_history_run *run, const kk_way *way,
                                         const char *text);

/* "the last comparable run", "the last 5 comparable runs" */
enum { KK_HISTORY_RUNS_TEXT = 56 };
const char *kk_history_runs_text(size_t n, char text[KK_HISTORY_RUNS_TEXT]);

/* A run as a result: mode, version, voice, times, fingerprint, texts, ways and samples; what the
 * history does not keep is empty. NOT_FOUND, IO, BUSY, NO_MEMORY. */
int kk_history_result(kk_history *history, long long number, kk_bench_result *out,
                      kokoro_error *err);

#endif
