/*
 * model.h - stage 4, the seam: whatever can run the network, behind one table of functions.
 *
 *     ids[n + 2], style[256], speed  ->  pcm[samples], durations[n + 2]
 */
#ifndef KK_MODEL_MODEL_H
#define KK_MODEL_MODEL_H

#include "base/arena.h"
#include "base/log.h"
#include "cache/cache_path.h"
#include "kokoro/kokoro.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kk_model kk_model;
typedef struct kk_provider kk_provider;

typedef struct kk_model_options {
    const char *model_path;
    const char *cache_dir; /* NULL: nothing is kept */
    const char *library;   /* of ONNX Runtime */
    const char *openvino_library;
    const char *cpu_mask;  /* highest instruction set of native, "avx2"; NULL or "": no limit */
    const char *precision; /* of native and openvino: "auto", "f32", "bf16"; NULL: auto */
    int n_threads;         /* 1 or more */
    bool wants_placement;  /* fill info.placement, which may take longer */
    kokoro_known_files *known_files; /* NULL: none */
    const kk_log *log;
    bool
        self_check; /* native: first compare the kernels with plain C; PROVIDER names a wrong one */
} kk_model_options;

/* Speech of one chunk; memory of the caller's arena. */
typedef struct kk_pcm {
    float *samples; /* [n_samples] 24 kHz mono */
    size_t n_samples;
    int32_t *durations; /* [n_durations] frames of 25 ms; NULL when the model does not give them */
    size_t n_durations; /* ids of the chunk, or 0 */
} kk_pcm;

/* Receives a part of a chunk's speech; durations are known with the first. Not 0: stop. */
typedef int kk_piece_sink(void *user, const float *samples, size_t n_samples, bool is_first,
                          bool is_last, const kk_pcm *whole);

/* The next piece of a chunk: how long it should be, and whether there is time to estimate better
 * what the rest is like, which pieces made later profit from. */
typedef struct kk_piece_wish {
    size_t n_samples; /* as many as are left, or more: all of it */
    bool refines;
} kk_piece_wish;

/* How an inference can be watched; all may be NULL. */
typedef struct kk_infer_control {
    bool (*cancelled)(void *user); /* asked every few milliseconds, on the calling thread */
    void *cancelled_user;
    kk_piece_sink *piece; /* of providers that make pieces; others give the whole at once */
    void *piece_user;
    /* Asked before each piece, n_made of n_total samples being made. NULL: lengths that grow. */
    kk_piece_wish (*next_piece)(void *user, size_t n_made, size_t n_total);
    const atomic_int *n_threads; /* as many threads may work on it now; asked again and again, so
                                    that inferences side by side share the processors */
} kk_infer_control;

typedef struct kk_model_info {
    const char *execution_provider; /* "CPUExecutionProvider", "native", "OpenVINO:CPU" */
    const char *precision;          /* "file", "f32", "bf16" */
    const char *version;            /* of the runtime; of native its instruction set */
    double load_ms;
    double pack_ms;        /* of which making the cached form */
    const char *placement; /* nodes a execution provider; NULL or "": unknown */
    bool is_concurrent;    /* several threads may infer at once */
} kk_model_info;

struct kk_model {
    const kk_provider *provider;
    kk_model_info info;
};

struct kk_provider {
    const char *name;
    bool is_automatic; /* what auto may take when nothing was measured */
    /* Why this machine would take minutes for a second of sound, so that auto takes it, unmeasured,
     * only where no other can be had; NULL where it would not. A NULL function: it never would. */
    const char *(*why_slow)(const kk_model_options *options);
    /* Opens the model: NOT_FOUND, BAD_MODEL, PROVIDER, IO, NO_MEMORY. */
    int (*open)(kk_model **out, const kk_model_options *options, kokoro_error *err);
    void (*close)(kk_model *model);
    /* ids[n_ids] with pads, style[256]. One call at a time unless info.is_concurrent. PROVIDER,
     * TOO_LONG, CANCELLED, NO_MEMORY. control may be NULL. */
    int (*infer)(kk_model *model, kk_arena *arena, const int64_t *ids, size_t n_ids,
                 const float *style, float speed, const kk_infer_control *control, kk_pcm *out,
                 kokoro_error *err);
    /* Gives back memory that is kept for the next inference and pages of mapped weights; the next
     * inference is 1 to 20 ms slower. In a turn, as infer: what others use stays. NULL: the
     * provider keeps nothing that it could give. */
    void (*trim)(kk_model *model);
    /* What it does because of the export's or its runtime's peculiarities. NULL: nothing. */
    void (*list_measures)(const kk_model *model, kokoro_measure_fn *fn, void *user);
    /* Fills *out without opening a model; strings are static or in the arena. */
    void (*describe)(kk_arena *arena, const kk_model_options *options, kokoro_provider *out);
    /* Fills folder, path and reason of *out: what it would open in the cache, found out without
     * opening a model; strings are static or in the arena. NULL: it keeps nothing. */
    void (*cached)(kk_arena *arena, const kk_model_options *options, kokoro_cached *out);
};

/* For `cached`: the place of a kind in the options' cache, or why it cannot be told. */
void kk_model_cached(kk_arena *arena, const kk_model_options *options, const kk_cache_kind *kind,
                     kokoro_cached *out);

/* The provider table, best first. */
enum { KK_N_PROVIDERS = 3 };
extern const kk_provider *const kk_providers[KK_N_PROVIDERS];

/* NULL for an unknown name. */
const kk_provider *kk_provider_find(const char *name);

#endif
