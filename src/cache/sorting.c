#define _DEFAULT_SOURCE
#include "cache/sorting.h"

#include "cache/open_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_folders[KK_N_KINDS] = {
#define KK_X(name, key, words, folder) folder,
    KK_CACHE_KIND_MAP(KK_X)
#undef KK_X
};

static uint8_t kind_of_folder(const char *name)
{
    for (int kind = 0; kind < KK_N_KINDS; kind++) {
        if (kind_folders[kind][0] != '\0' && strcmp(kind_folders[kind], name) == 0)
            return (uint8_t)kind;
    }
    return KK_KIND_OTHER;
}

static bool has_temp_name(const char *name, bool is_dir)
{
    const size_t len = strlen(name);
    return strncmp(name, "tmp", 3) == 0 ||
           (!is_dir && len > 4 && strcmp(name + len - 4, ".tmp") == 0);
}

static void label(kk_tree *tree, size_t at)
{
    kk_tree_entry *entry = &tree->entries[at];
    const kk_tree_entry *parent = &tree->entries[entry->parent];
    const bool is_dir = entry->type == KK_TREE_DIR;
    const bool has_folder_name = entry->depth == 1 && entry->type != KK_TREE_FILE &&
                                 kind_of_folder(entry->name) != KK_KIND_OTHER;
    entry->label = has_folder_name    ? kind_of_folder(entry->name)
                   : entry->depth > 1 ? parent->label
                                      : (uint8_t)KK_KIND_OTHER;
    entry->flags = has_folder_name ? KK_IS_FOLDER : 0;
    if ((parent->flags & (KK_IS_TEMP_DIR | KK_IS_IN_TEMP)) != 0)
        entry->flags |= KK_IS_IN_TEMP;
    if (is_dir && has_temp_name(entry->name, true))
        entry->flags |= KK_IS_TEMP_DIR;
    if ((entry->flags & (KK_IS_TEMP_DIR | KK_IS_IN_TEMP)) != 0 ||
        has_temp_name(entry->name, is_dir))
        entry->label = KK_KIND_TEMPORARY;
}

static void mark(kk_tree *tree, const char *path, uint8_t flag)
{
    const uint32_t at = kk_tree_find(tree, path);
    if (at != KK_TREE_NONE && at != 0)
        tree->entries[at].flags |= flag;
}

static bool ends_with(const char *name, const char *ending)
{
    const size_t len = strlen(name), end = strlen(ending);
    return len >= end && strcmp(name + len - end, ending) == 0;
}

static kk_tree_entry *newest_of(kk_tree *tree, uint8_t kind, const char *ending)
{
    kk_tree_entry *newest = NULL;
    for (size_t i = 1; i < tree->n; i++) {
        kk_tree_entry *entry = &tree->entries[i];
        if (entry->label == kind && kind != KK_KIND_OTHER && entry->type == KK_TREE_FILE &&
            ends_with(entry->name, ending) && (newest == NULL || entry->used_s > newest->used_s))
            newest = entry;
    }
    return newest;
}

static void mark_newest(kk_tree *tree, const kk_cache_current *current)
{
    const uint8_t kind = kind_of_folder(current->folder);
    kk_tree_entry *newest = NULL;
    if (current->ending != NULL)
        newest = newest_of(tree, kind, current->ending);
    if (newest == NULL)
        newest = newest_of(tree, kind, "");
    if (newest != NULL)
        newest->flags |= KK_IS_CURRENT;
}

/* Who only looks into a directory, as a search or another thread of ours does, does not use it. */
static void mark_open(void *user, const char *path, bool is_working_dir)
{
    const kk_tree *tree = user;
    const uint32_t at = kk_tree_find(tree, path);
    if (at != KK_TREE_NONE && (is_working_dir || tree->entries[at].type != KK_TREE_DIR))
        mark(user, path, KK_IS_IN_USE);
}

/* All in a directory that is current is so too, but for what was left half made in it. */
static void hand_down(kk_tree *tree)
{
    for (size_t i = 1; i < tree->n; i++) {
        kk_tree_entry *entry = &tree->entries[i];
        const bool is_record =
            entry->label == KK_KIND_RECORD || (entry->depth == 1 && entry->type == KK_TREE_FILE &&
                                               strcmp(entry->name, KK_CLEANUP_LOG) == 0);
        const bool is_in_current =
            entry->parent != 0 && (tree->entries[entry->parent].flags & KK_IS_CURRENT) != 0;
        if (is_record || (is_in_current && entry->label != KK_KIND_TEMPORARY))
            entry->flags |= KK_IS_CURRENT;
    }
}

void kk_sort_tree(kk_tree *tree, const kk_cleanup_rules *rules, const char *real_dir)
{
    const size_t dir_len = strlen(rules->cache_dir);
    for (size_t i = 1; i < tree->n; i++)
        label(tree, i);
    for (size_t i = 0; i < rules->n_current; i++) {
        const kk_cache_current *current = &rules->current[i];
        if (current->path == NULL)
            mark_newest(tree, current);
        else if (strncmp(current->path, rules->cache_dir, dir_len) == 0)
            mark(tree, current->path + dir_len, KK_IS_CURRENT);
    }
    hand_down(tree);
    if (real_dir != NULL && tree->n > 1)
        kk_open_files_each(real_dir, mark_open, tree);
}

bool kk_is_temp_unit(const kk_tree_entry *entry)
{
    return (entry->flags & KK_IS_TEMP_DIR) != 0 && (entry->flags & KK_IS_IN_TEMP) == 0;
}

bool kk_is_preserved(const kk_tree_entry *entry)
{
    return (entry->flags & (KK_IS_CURRENT | KK_IS_IN_USE | KK_IS_FOLDER)) != 0 ||
           entry->type == KK_TREE_SPECIAL;
}

static bool is_young(const kk_tree_entry *entry, double now_s)
{
    return now_s - entry->used_s < KK_YOUNG_S;
}

bool kk_is_free_file(const kk_tree_entry *entry, double now_s)
{
    return entry->type != KK_TREE_DIR && !entry->is_removed && !kk_is_preserved(entry) &&
           (entry->flags & KK_IS_IN_TEMP) == 0 &&
           !(entry->label == KK_KIND_TEMPORARY && is_young(entry, now_s));
}

bool kk_is_held(const kk_tree *tree, uint32_t at, bool asks_locks)
{
    const kk_tree_entry *entry = &tree->entries[at];
    if (kk_is_preserved(entry) || entry->is_unseen || (asks_locks && kk_tree_is_locked(tree, at)))
        return true;
    bool is = false;
    for (uint32_t i = entry->first_child; i != KK_TREE_NONE && !is; i = tree->entries[i].next)
        is = kk_is_held(tree, i, asks_locks);
    return is;
}

bool kk_may_go_by_size(const kk_tree *tree, uint32_t at, double now_s)
{
    const kk_tree_entry *entry = &tree->entries[at];
    if (kk_is_temp_unit(entry))
        return !entry->is_removed && !is_young(entry, now_s) && !kk_is_held(tree, at, false);
    return entry->size > 0 && kk_is_free_file(entry, now_s);
}

/* Of a file, or of all that is left in a directory. */
static uint64_t bytes_of(const kk_tree *tree, uint32_t at)
{
    const kk_tree_entry *entry = &tree->entries[at];
    uint64_t bytes = entry->is_removed ? 0 : entry->size;
    for (uint32_t i = entry->first_child; i != KK_TREE_NONE; i = tree->entries[i].next)
        bytes += bytes_of(tree, i);
    return bytes;
}

void kk_size_state_of(kk_size_state *out, const kk_tree *tree, uint64_t max_bytes, double now_s)
{
    *out = (kk_size_state){.all_bytes = tree->n > 0 ? bytes_of(tree, 0) : 0};
    for (uint32_t i = 1; i < tree->n; i++) {
        if (kk_may_go_by_size(tree, i, now_s))
            out->free_bytes += bytes_of(tree, i);
    }
    const uint64_t rest = out->all_bytes - out->free_bytes, least = max_bytes / 5;
    const uint64_t left = rest < max_bytes ? max_bytes - rest : 0;
    out->is_too_large = out->free_bytes > (left > least ? left : least);
    const uint64_t of_limit = least * 4, of_least = rest + least / 5 * 4;
    out->target_bytes = of_limit > of_least ? of_limit : of_least;
}

static int by_newest(const void *a, const void *b)
{
    const kk_aged *x = a, *y = b;
    if (x->used_s < y->used_s || x->used_s > y->used_s)
        return x->used_s < y->used_s ? 1 : -1;
    return x->at < y->at ? 1 : x->at > y->at ? -1 : 0;
}

void kk_sort_newest(kk_aged *list, size_t n)
{
    qsort(list, n, sizeof(*list), by_newest);
}

size_t kk_list_temp_units(kk_aged *list, const kk_tree *tree)
{
    size_t n = 0;
    for (uint32_t i = 1; i < tree->n; i++) {
        const kk_tree_entry *entry = &tree->entries[i];
        if (kk_is_temp_unit(entry) && !entry->is_removed)
            list[n++] = (kk_aged){entry->used_s, i};
    }
    kk_sort_newest(list, n);
    return n;
}

static void add(kk_amount *amount, const kk_tree_entry *entry)
{
    if (amount == NULL)
        return;
    amount->n_files++;
    amount->bytes += entry->size;
}

void kk_count_tree(const kk_tree *tree, kk_amount *all, kk_amount *kinds, kk_amount *preserved)
{
    for (size_t i = 1; i < tree->n; i++) {
        const kk_tree_entry *entry = &tree->entries[i];
        if (entry->is_removed || entry->type == KK_TREE_DIR)
            continue;
        add(all, entry);
        add(kinds != NULL ? &kinds[entry->label] : NULL, entry);
        add(kk_is_preserved(entry) ? preserved : NULL, entry);
    }
}

void kk_real_dir(char path[PATH_MAX], const char *dir)
{
    char cwd[PATH_MAX] = "";
    if (realpath(dir, path) != NULL)
        return;
    const bool needs_cwd = dir[0] != '/' && getcwd(cwd, sizeof(cwd)) != NULL;
    const size_t len = strlen(cwd);
    path[0] = '\0';
    if (needs_cwd && len + 1 < PATH_MAX) {
        memcpy(path, cwd, len);
        path[len] = '/';
        path[len + 1] = '\0';
    }
    (void)strncat(path, dir, PATH_MAX - strlen(path) - 1);
}

kk_cleanup_limits kk_limits_of(const kk_cleanup_rules *rules)
{
    const unsigned part = rules->is_aggressive ? 2 : 1;
    return (kk_cleanup_limits){rules->max_age_s / part, rules->max_bytes / part,
                               rules->max_temp_dirs / part};
}
