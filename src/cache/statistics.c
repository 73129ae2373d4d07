#include "cache/sorting.h"

#include "base/clock.h"

#include <string.h>

const char *const kk_kind_keys[KK_N_KINDS] = {
#define KK_X(name, key, words, folder) key,
    KK_CACHE_KIND_MAP(KK_X)
#undef KK_X
};

const char *const kk_kind_words[KK_N_KINDS] = {
#define KK_X(name, key, words, folder) words,
    KK_CACHE_KIND_MAP(KK_X)
#undef KK_X
};

/* A file of the future, after the clock was moved back, is new. */
static double age_of(const kk_tree_entry *entry, double now_s)
{
    return now_s > entry->mtime_s ? now_s - entry->mtime_s : 0.0;
}

static void count_dirs_and_ages(kk_cache_statistics *out, const kk_tree *tree, double now_s)
{
    bool is_first = true;
    for (size_t i = 1; i < tree->n; i++) {
        const kk_tree_entry *entry = &tree->entries[i];
        if (entry->type == KK_TREE_DIR) {
            out->n_dirs++;
            out->n_temp_dirs += (entry->flags & KK_IS_TEMP_DIR) != 0;
            continue;
        }
        const double age_s = age_of(entry, now_s);
        if (is_first || age_s > out->oldest_age_s)
            out->oldest_age_s = age_s;
        if (is_first || age_s < out->newest_age_s)
            out->newest_age_s = age_s;
        is_first = false;
    }
}

int kk_cache_look(kk_cache_statistics *out, const kk_cleanup_rules *rules, kokoro_error *err)
{
    kk_tree tree;
    memset(out, 0, sizeof(*out));
    int status = kk_tree_open(&tree, rules->cache_dir, rules->stopped, rules->stopped_user, err);
    if (status != KOKORO_OK)
        return status;
    const kk_cleanup_limits limits = kk_limits_of(rules);
    kk_real_dir(out->path, rules->cache_dir);
    kk_sort_tree(&tree, rules, out->path);
    kk_count_tree(&tree, &out->all, out->kinds, &out->preserved);
    count_dirs_and_ages(out, &tree, rules->now_s > 0.0 ? rules->now_s : kk_wall_s());
    out->max_bytes = limits.max_bytes;
    out->max_temp_dirs = limits.max_temp_dirs;
    out->max_age_s = limits.max_age_s;
    /* What is in use stays: where that alone is over the limit, a clean-up has nothing to do. */
    out->needs_cleanup =
        (out->all.bytes > limits.max_bytes && out->all.bytes > out->preserved.bytes) ||
        out->n_temp_dirs > limits.max_temp_dirs;
    out->problems = tree.problems;
    kk_tree_close(&tree);
    return KOKORO_OK;
}
