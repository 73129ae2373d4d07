/* run_state.h - a run in progress, shared by run.c (the order) and step.c (one step of it). */
#ifndef KK_BENCH_RUN_STATE_H
#define KK_BENCH_RUN_STATE_H

#include "bench/lane.h"
#include "bench/run.h"

typedef struct kk_run_state {
    kk_bench_result *result;
    const kk_bench_request *request;
    kk_bench_plan plan; /* its budget is that of the group */
    kk_lane_context context;
    kk_lane lanes[KK_BENCH_MAX_WAYS]; /* [n_lanes] of the group */
    size_t n_lanes;
    kk_arena sounds;                              /* of the reference */
    kk_bench_sound reference[KK_BENCH_MAX_TEXTS]; /* empty: not known */
    kk_buf words;                                 /* of the text being spoken */
    double start_s, away_s, slowness;
    double reference_s[KK_BENCH_MAX_TEXTS]; /* its last inference; 0: none yet */
    double pace; /* how much slower than guessed things are here, at least 1 */
    uint64_t seed;
    size_t n_done;
    bool has_half; /* the last of the ways is the leader's rival */
    bool is_over;  /* stopped, or a failure ends it */
} kk_run_state;

/* native in f32: what all others are compared with. */
bool kk_bench_is_reference(const kk_way *way);

/* Time that the run used, without that in which it was stopped. */
double kk_bench_elapsed_s(const kk_run_state *r);

/* Seconds that a way needs for a text, by the nearest that was measured. */
double kk_bench_expected_s(const kk_run_state *r, const kk_lane *lane, size_t text);

/* Whether a way may speak a text now, of which it has n_had samples; and whether it may be loaded.
 */
bool kk_bench_may_speak(const kk_run_state *r, const kk_lane *lane, size_t text, size_t n_had);
bool kk_bench_may_load(const kk_run_state *r, const kk_lane *lane);

/* Seconds after which an inference counts as hanging. */
double kk_bench_longest_s(const kk_run_state *r, const kk_lane *lane, size_t text);

/* A time limit for an answer, cut where the run ends before it, or has to go on with what its more
 * important ways still need. */
double kk_bench_cut_limit_s(const kk_run_state *r, const kk_lane *lane, double limit_s,
                            bool *is_cut);

/* Learn from a way that has spoken the text that decides. */
void kk_bench_note_pace(kk_run_state *r, const kk_lane *lane);

/* Enter a way, which is not in the lists yet, among those left out. NO_MEMORY. */
int kk_bench_leave_out(kk_run_state *r, const kk_lane *lane, kokoro_error *err);

/* Tell the request's progress function. `text` SIZE_MAX: of none. */
void kk_bench_tell(kk_run_state *r, enum kk_bench_step_kind kind, const kk_way *way, size_t text,
                   double value_s, const char *message);

/* Open a way. A failure of it is kept in the way, and ends the run where it shall: OK. NO_MEMORY.
 */
int kk_bench_open_lane(kk_run_state *r, kk_lane *lane, kokoro_error *err);

/* Speak a text in the words of a round without counting it as warm; the first of a way is compared
 * with the reference, or is it. Statuses as above. */
int kk_bench_warm_up(kk_run_state *r, kk_lane *lane, size_t text, unsigned round,
                     kokoro_error *err);

/* One timed inference, and one first sound. Statuses as above. */
int kk_bench_sample(kk_run_state *r, kk_lane *lane, size_t text, unsigned round, kokoro_error *err);

#endif
