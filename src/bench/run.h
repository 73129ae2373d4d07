/*
 * run.h - the measuring: opens each way in a child, lets them take turns sample by sample, compares
 * their sound, and fills a result. It prints nothing; progress goes to a callback.
 */
#ifndef KK_BENCH_RUN_H
#define KK_BENCH_RUN_H

#include "bench/child.h"
#include "bench/plan.h"
#include "bench/result.h"

/* X(name, text) */
#define KK_BENCH_STEP_MAP(X)                                                                       \
    X(LOAD, "load")                                                                                \
    X(WARM_UP, "warm-up")                                                                          \
    X(INFERENCE, "inference")                                                                      \
    X(FIRST_AUDIO, "first audio")                                                                  \
    X(STREAMS, "streams")                                                                          \
    X(LEFT_OUT, "left out")                                                                        \
    X(FAILURE, "failure")

enum kk_bench_step_kind {
#define KK_X(name, text) KK_BENCH_STEP_##name,
    KK_BENCH_STEP_MAP(KK_X)
#undef KK_X
};

const char *kk_bench_step_text(enum kk_bench_step_kind kind);

/* One step, when it is done. */
typedef struct kk_bench_progress {
    enum kk_bench_step_kind kind;
    const kk_way *way;    /* NULL: of none */
    const char *text;     /* name of the text; "" */
    const char *message;  /* of a failure, or why it is left out; "" */
    double value_s;       /* what was measured */
    size_t n_done, n_all; /* steps */
    double elapsed_s, left_s;
} kk_bench_progress;

typedef struct kk_bench_request {
    const kokoro_options *options; /* paths, provider, precision, n_threads, cpu_mask */
    const char *const *command;    /* of the child, see kk_child_start */
    const char *voice;
    const char *text_file; /* NULL: the own texts */
    kk_bench_plan plan;
    kk_way before; /* the way in use, measured right behind native; empty: none */
    bool continues_on_error;
    const kk_bench_watch *watch;                                     /* NULL: none */
    void (*progress)(void *user, const kk_bench_progress *progress); /* NULL: none */
    void *progress_user;
} kk_bench_request;

/*
 * Fill *result, initialised before, with all but its choice. A way that fails keeps its sentence in
 * ways[].failure and does not fail the run; unless continues_on_error it ends the measuring, and
 * what there is stays. A way for which no time is left is in left_out[] instead of ways[]. Where
 * the watch says stop, is_interrupted is set. PROVIDER (the provider asked for is not there, or
 * none is), INVALID (no such provider), the statuses of kk_fingerprint_make and
 * kk_bench_file_texts.
 */
int kk_bench_run(kk_bench_result *result, const kk_bench_request *request, kokoro_error *err);

/* Without measuring: that there is a way to run, and texts; fills texts, ways and absent. */
int kk_bench_prepare(kk_bench_result *result, const kk_bench_request *request, kokoro_error *err);

/* The same, and opens and closes each way: those that cannot have their failure. */
int kk_bench_validate(kk_bench_result *result, const kk_bench_request *request, kokoro_error *err);

/* How long it will take, by what is known before: the time that its plan allows, or less. */
double kk_bench_guess_s(const kk_bench_result *result, const kk_bench_plan *plan);

#endif
