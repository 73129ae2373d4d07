#include "cache/sorting.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

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

static double age_of(const kk_tree_entry *entry, double now_s)
{
    return now_s > entry->used_s ? now_s - entry->used_s : 0.0;
}

/* Whether one of the temporary directories over the limit could go. */
static int has_temp_dir_too_many(bool *out, const kk_tree *tree, size_t max, kokoro_error *err)
{
    kk_aged *list = kk_calloc(tree->n + 1, sizeof(*list));
    *out = false;
    if (list == NULL)
        return kk_fail_memory(err);
    const size_t n = kk_list_temp_units(list, tree);
    for (size_t i = max; i < n && !*out; i++)
        *out = !kk_is_held(tree, list[i].at, false);
    kk_free(list);
    return KOKORO_OK;
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
    const double now_s = rules->now_s > 0.0 ? rules->now_s : kk_wall_s();
    kk_size_state size;
    kk_real_dir(out->path, rules->cache_dir);
    kk_sort_tree(&tree, rules, out->path);
    kk_count_tree(&tree, &out->all, out->kinds, &out->preserved);
    count_dirs_and_ages(out, &tree, now_s);
    out->max_bytes = limits.max_bytes;
    out->max_temp_dirs = limits.max_temp_dirs;
    out->max_age_s = limits.max_age_s;
    kk_size_state_of(&size, &tree, limits.max_bytes, now_s);
    status = has_temp_dir_too_many(&out->needs_cleanup, &tree, limits.max_temp_dirs, err);
    out->needs_cleanup = out->needs_cleanup || size.is_too_large;
    out->problems = tree.problems;
    kk_tree_close(&tree);
    return status;
}
