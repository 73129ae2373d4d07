/*
 * lane.h - one way in a child process: what the parent asks of it, and what it measured.
 *
 *     {"do": "open", "provider": ..., "precision": ..., "threads": ..., paths}
 *         {"provider", "precision", "execution_provider", "version", "placement", "threads",
 *          "load_ms", "pack_ms", "measures": [{"name", "target", "applied", "detail", "error"}]}
 *     {"do": "place", the same}
 *         the same, placement filled where it can be
 *     {"do": "speak", "text": ..., "voice": ..., "pieces": false, "keep": false}
 *         {"model_s", "first_audio_s", "audio_s", "n_chunks", "resident_mb", "peak_mb",
 *          "is_partial", "n_samples", "n_durations"}
 *     {"do": "quit"}
 *         {}
 *
 * With pieces the child stops behind the first one and says is_partial; a provider that gives none
 * speaks to the end, and the answer is one of the whole. With keep the samples (float) and behind
 * them the durations (int32) lie in the file.
 */
#ifndef KK_BENCH_LANE_H
#define KK_BENCH_LANE_H

#include "bench/child.h"
#include "bench/quality.h"
#include "bench/result.h"

typedef struct kk_lane_context {
    const kokoro_options *options; /* paths, cpu_mask */
    const char *const *command;    /* the program of the child, see kk_child_start */
    const char *voice;
    const kk_bench_watch *watch; /* NULL: none */
    kk_arena *arena;             /* of the result, for strings */
} kk_lane_context;

typedef struct kk_lane {
    kk_bench_way *way;
    kk_child child;
    bool is_open;
    bool in_auto; /* the precision is left to the provider, its answer becomes the way's */
    double expected_s[KK_BENCH_MAX_TEXTS];   /* of a whole inference, as measured; 0: not yet */
    double audio_sum_s[KK_BENCH_MAX_TEXTS];  /* of all whole ones */
    size_t n_spoken[KK_BENCH_MAX_TEXTS];     /* whole ones */
    size_t n_compared;                       /* texts whose sound was compared */
    double distance_sum_db;                  /* of these */
    bool is_skipped[KK_BENCH_MAX_TEXTS];     /* there was no time for its first */
    bool is_left_out;                        /* no time for it at all, or it ran out of it */
    bool gives_no_piece[KK_BENCH_MAX_TEXTS]; /* the first sound comes with the last */
} kk_lane;

/* Start the child and open the engine; fills the way. PROVIDER, CANCELLED, IO, NO_MEMORY. */
int kk_lane_open(kk_lane *lane, const kk_lane_context *context, double limit_s, kokoro_error *err);
void kk_lane_close(kk_lane *lane);
/* Its process may take so long to end by itself. */
void kk_lane_close_within(kk_lane *lane, double patience_s);

/* Where the runtime puts the nodes: the child opens the model once more, which takes longer when it
 * is to tell that. Leaves placement alone where it fails. */
void kk_lane_place(kk_lane *lane, const kk_lane_context *context, double limit_s);

typedef struct kk_lane_sample {
    double model_s, first_audio_s, audio_s;
    double resident_mb, peak_mb;
    size_t n_chunks, n_samples, n_durations;
    bool is_partial;
} kk_lane_sample;

/* {"do": what} and the paths of the options; NULL when memory is out. */
json_t *kk_lane_question(const char *what, const kokoro_options *options);

typedef struct kk_lane_request {
    const char *text;
    bool pieces, keep;
    double limit_s;
} kk_lane_request;

int kk_lane_speak(kk_lane *lane, const kk_lane_context *context, const kk_lane_request *request,
                  kk_lane_sample *out, kokoro_error *err);

/* The sound kept by the last sample; its memory belongs to the arena. IO, BAD_DATA, NO_MEMORY. */
int kk_lane_sound(const kk_lane *lane, const kk_lane_sample *sample, kk_arena *arena,
                  kk_bench_sound *out, kokoro_error *err);

#endif
