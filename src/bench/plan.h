/*
 * plan.h - what a run sets out to do, and when it has to stop: ways worth trying, numbers of runs,
 * time and memory. Pure arithmetic.
 */
#ifndef KK_BENCH_PLAN_H
#define KK_BENCH_PLAN_H

#include "bench/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kk_bench_mode { KK_BENCH_QUICK, KK_BENCH_FULL, KK_BENCH_COMPREHENSIVE };

/* "quick", "full", "comprehensive" */
const char *kk_bench_mode_text(enum kk_bench_mode mode);

typedef struct kk_bench_plan {
    enum kk_bench_mode mode;
    int n_warm_ups; /* runs of each text that are not timed as warm */
    int n_runs;     /* timed ones */
    bool with_long;
    bool tries_half; /* the best way also with half of the threads */
    double budget_s; /* no round is begun that would end later; infinite where n_runs was asked
                        for */
    double end_s;    /* all is ended then, but for the first way, without which there is no result;
                        infinite likewise */
} kk_bench_plan;

/* Samples of the text that decides: wished for; that a way must have time for to be begun. */
enum { KK_PLAN_MIN_RUNS = 3, KK_PLAN_FEWEST_RUNS = 1, KK_PLAN_UNSET = -1 };

/* n_warm_ups, n_runs and with_long: KK_PLAN_UNSET for what the mode does. */
void kk_plan_init(kk_bench_plan *plan, enum kk_bench_mode mode, int n_warm_ups, int n_runs,
                  int with_long);

/* Promise no more than max_s seconds; 0: what the mode promises. */
void kk_plan_limit(kk_bench_plan *plan, double max_s);

/* What the ways hang on. */
typedef struct kk_plan_machine {
    bool has_bf16; /* the instruction set in use multiplies in bf16 */
    int n_threads;
    bool in_f32_only, in_bf16_only; /* a precision was asked for */
} kk_plan_machine;

/* Adds the ways of a provider that are worth trying; returns how many. */
size_t kk_plan_ways(kk_way *ways, size_t max, const char *provider, const kk_plan_machine *machine,
                    const kk_bench_plan *plan);

/*
 * Whether a sample of the expected duration may be begun after elapsed_s. `n_had` samples of its
 * way and text are there already. The text that decides gets KK_PLAN_MIN_RUNS samples as long as
 * they end before end_s.
 */
bool kk_plan_admits(const kk_bench_plan *plan, double elapsed_s, double expected_s, size_t n_had,
                    bool is_deciding);

/* Seconds after which a step that should take expected_s counts as hanging. `slowness`: 1, more
 * for an instruction set that is known to be slow. */
double kk_plan_limit_s(double expected_s, double slowness);

/*
 * The same for a runtime of others in a quick run, which has to measure the other ways too:
 * `likely_s` is what it took before, or at first what native in f32 takes. Of all that was measured
 * OpenVINO's first inference is the farthest from that, with four times as long.
 */
double kk_plan_patience_s(double likely_s);

/* Model time to be expected before anything was measured, and memory. */
double kk_plan_guess_s(const kk_way *way, size_t n_chars);
double kk_plan_guess_mb(const kk_way *way);

/* Seconds to load a way: where what it keeps in the cache is there, or has to be made. */
double kk_plan_guess_load_s(const kk_way *way, bool is_cached);

/* group[i]: which run of turns each way belongs to, 0 first, so that those of one group fit into
 * the memory together; a way too large for it has a group of its own. Returns the number of
 * groups. */
size_t kk_plan_groups(const double *need_mb, size_t n, double available_mb, size_t *group);

/* A random order of 0 .. n-1. */
void kk_plan_shuffle(size_t *order, size_t n, uint64_t *seed);

#endif
