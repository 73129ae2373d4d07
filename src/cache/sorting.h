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
