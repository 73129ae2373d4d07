/*
 * cleanup.h - the cache directory: what lies in it by kind, and the clean-up that keeps it small.
 *
 * Policies, in this order, with the limits of the rules (aggressive: half of each):
 *
 *     age         files that nobody changed for max_age_s, and temporary directories as a whole
 *     temp_dirs   directories tmp*, but for the newest max_temp_dirs
 *     size        audio results over max_result_bytes: the oldest first; then, when all is larger
 *                 than max_bytes: the oldest first, down to 80 % of it. What no policy touches may
 *                 be larger than that: the rest always has a fifth of it
 *     patterns    files whose names match
 *     and directories that are empty then
 *
 * No policy touches
 *
 *     what an engine would open now (the packed and optimised models of this program, model and
 *     runtime) and the benchmark's record and lock;
 *     what some process has open, mapped or locked (flock), as far as it can be found out;
 *     temporary files younger than an hour, outside of temporary directories. Of those directories
 *     the newest stay; who needs one for longer keeps a file in it open, or a lock on it.
 *
 * Two clean-ups do not run at once: the cache directory itself carries the lock.
 */
#ifndef KK_CACHE_CLEANUP_H
#define KK_CACHE_CLEANUP_H

#include "cache/problems.h"
#include "kokoro/kokoro.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file in the cache directory in which clean-ups are noted, by whoever runs them
 * (server/cache/cleanup_file.h): no policy touches it. */
#define KK_CLEANUP_LOG "cleanups.json"

/* X(name, key in JSON, words, folder below the cache directory) */
#define KK_CACHE_KIND_MAP(X)                                                                       \
    X(PACKED, "packed_models", "packed models", "native")                                          \
    X(OPTIMISED, "optimised_models", "ORT-optimised models", "ort")                                \
    X(OPENVINO, "openvino", "OpenVINO cache", "openvino")                                          \
    X(RECORD, "benchmark_record", "benchmark record", "benchmark")                                 \
    X(AUDIO, "audio_results", "audio results", "audio")                                            \
    X(TEMPORARY, "temporary", "temporary files",                                                   \
      "") /* tmp*, *.tmp, and all in a directory tmp* */                                           \
    X(OTHER, "other", "other files", "")

enum kk_cache_kind_id {
#define KK_X(name, key, words, folder) KK_KIND_##name,
    KK_CACHE_KIND_MAP(KK_X)
#undef KK_X
        KK_N_KINDS
};

extern const char *const kk_kind_keys[KK_N_KINDS];
extern const char *const kk_kind_words[KK_N_KINDS];

/* What an engine would open: `path` as it would open it, a file or directory; NULL where that
 * cannot be told, and then the newest file of that folder is kept, of those that end so if there
 * are any. */
typedef struct kk_cache_current {
    const char *folder; /* "native" */
    const char *path;
    const char *ending; /* ".bf16.blob"; NULL: any */
} kk_cache_current;

typedef struct kk_cleanup_rules {
    const char *cache_dir;
    double max_age_s;
    uint64_t max_bytes;
    uint64_t max_result_bytes; /* 0: no limit of their own */
    size_t max_temp_dirs;
    const char *patterns;            /* as of the shell, separated by spaces */
    bool is_aggressive;              /* half of these limits */
    const kk_cache_current *current; /* [n_current] */
    size_t n_current;
    /* Files and directories that are no cache: where one lies in the cache directory, or is it,
     * nothing is removed. Those that do not exist are no matter. */
    const char *const *foreign; /* [n_foreign] */
    size_t n_foreign;
    double now_s;                /* since 1970; 0: now */
    bool (*stopped)(void *user); /* asked often; NULL: never */
    void *stopped_user;
} kk_cleanup_rules;

typedef struct kk_amount {
    size_t n_files;
    uint64_t bytes;
} kk_amount;

typedef struct kk_cache_statistics {
    char path[PATH_MAX]; /* absolute */
    kk_amount all, kinds[KK_N_KINDS];
    kk_amount preserved; /* of them, what no policy touches */
    size_t n_dirs, n_temp_dirs;
    double oldest_age_s, newest_age_s; /* of files; 0 without any */
    uint64_t max_bytes;                /* the limits that it is judged by */
    size_t max_temp_dirs;
    double max_age_s;
    bool needs_cleanup; /* a policy of size or temporary directories would remove something */
    kk_problems problems;
} kk_cache_statistics;

/* Look, and touch nothing. A directory that does not exist holds nothing. IO, NO_MEMORY,
 * CANCELLED. */
int kk_cache_look(kk_cache_statistics *out, const kk_cleanup_rules *rules, kokoro_error *err);

typedef struct kk_policy_result {
    size_t n_files, n_dirs;
    uint64_t bytes;
    kk_problems problems;
} kk_policy_result;

typedef struct kk_cleanup_result {
    kk_amount before, after;
    kk_policy_result age, temp_dirs, size, patterns;
    bool was_too_large;
    uint64_t target_bytes;     /* of the size policy, for all: 80 % of its limit or more */
    uint64_t size_after_bytes; /* all that was left after it */
    size_t n_patterns, n_empty_dirs;
    kk_amount preserved, kinds[KK_N_KINDS]; /* afterwards */
    bool is_stopped;                        /* `stopped` ended it early */
    double elapsed_ms;
} kk_cleanup_result;

/*
 * Clean up. What was done stands in *out, also after `stopped`. INVALID: the directory is none that
 * may be cleaned; BUSY: another clean-up of it runs; IO, NO_MEMORY, CANCELLED (before anything was
 * done).
 */
int kk_cleanup_run(kk_cleanup_result *out, const kk_cleanup_rules *rules, kokoro_error *err);

/* What all policies removed. */
size_t kk_cleanup_n_files(const kk_cleanup_result *result);
size_t kk_cleanup_n_dirs(const kk_cleanup_result *result);

#endif
