/*
 * sorting.h - what each file of the cache is, and whether it may go: labels and flags of the
 * entries of a kk_tree, for statistics and clean-up.
 */
#ifndef KK_CACHE_SORTING_H
#define KK_CACHE_SORTING_H

#include "cache/cleanup.h"
#include "cache/tree.h"

/* Temporary files stay for an hour: their writer may be slow, but not that slow. */
enum { KK_YOUNG_S = 3600 };

/* Flags of entries; their label is an enum kk_cache_kind_id. */
enum {
    KK_IS_CURRENT = 1,  /* the record, or what an engine would open */
    KK_IS_IN_USE = 2,   /* open, mapped or locked */
    KK_IS_FOLDER = 4,   /* one of our own directories, which stays also when it is empty */
    KK_IS_TEMP_DIR = 8, /* named tmp* */
    KK_IS_IN_TEMP = 16  /* in such a one; it goes with the outermost only */
};

/* Label and flag all entries. `real_dir` NULL: open files are not looked for. */
void kk_sort_tree(kk_tree *tree, const kk_cleanup_rules *rules, const char *real_dir);

/* The outermost of directories tmp*. */
bool kk_is_temp_unit(const kk_tree_entry *entry);
/* Whether policies leave it; files, links and directories alike. */
bool kk_is_preserved(const kk_tree_entry *entry);

/* A file or link that a policy may remove by itself. */
bool kk_is_free_file(const kk_tree_entry *entry, double now_s);
/* Whether a directory tmp* has to stay, for the sake of it or of anything in it. Locks of other
 * programs are asked for only where that is wanted, since it takes one for a moment. */
bool kk_is_held(const kk_tree *tree, uint32_t at, bool asks_locks);
/* What the policy of size may take, in the order of ages: also temporary directories as a whole. */
bool kk_may_go_by_size(const kk_tree *tree, uint32_t at, double now_s);

/* An entry in the order of its age. */
typedef struct kk_aged {
    double used_s;
    uint32_t at;
} kk_aged;
/* The newest first; of the same age the one seen later. */
void kk_sort_newest(kk_aged *list, size_t n);
/* The temporary directories that are left, the newest first; returns how many. list[tree->n]. */
size_t kk_list_temp_units(kk_aged *list, const kk_tree *tree);

/*
 * The policy of size: what it may take has what the rest leaves of the limit, but at least a fifth
 * of the limit, since models in use can be larger than all of it. Over that it goes down to four
 * fifths of the limit with the rest, or four fifths of that fifth.
 */
typedef struct kk_size_state {
    uint64_t all_bytes, free_bytes; /* all that is left, and what the policy may take of it */
    uint64_t target_bytes;          /* of all */
    bool is_too_large;
} kk_size_state;
void kk_size_state_of(kk_size_state *out, const kk_tree *tree, uint64_t max_bytes, double now_s);

/* Files and links, of all that is not removed: everything, each kind, and the preserved. Any may be
 * NULL. */
void kk_count_tree(const kk_tree *tree, kk_amount *all, kk_amount *kinds, kk_amount *preserved);

/* Absolute path of the cache directory, links resolved where it exists. */
void kk_real_dir(char path[PATH_MAX], const char *dir);

/* The rules' limits, halved when they are aggressive. */
typedef struct kk_cleanup_limits {
    double max_age_s;
    uint64_t max_bytes;
    size_t max_temp_dirs;
} kk_cleanup_limits;
kk_cleanup_limits kk_limits_of(const kk_cleanup_rules *rules);

/* INVALID where the directory must not be cleaned (guard.c). */
int kk_guard_dir(const kk_cleanup_rules *rules, const char *real_dir, kokoro_error *err);

#endif
