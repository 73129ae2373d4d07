#define _DEFAULT_SOURCE
#include "cache/cleanup.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "cache/sorting.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

typedef struct cleaning {
    kk_tree tree;
    const kk_cleanup_rules *rules;
    kk_cleanup_limits limits;
    double now_s;
    uint64_t bytes; /* of all that is left */
    kk_cleanup_result *result;
} cleaning;

/* An entry in the order of its age. */
typedef struct aged {
    double used_s;
    uint32_t at;
} aged;

static bool is_stopped(cleaning *c)
{
    if (c->rules->stopped != NULL && c->rules->stopped(c->rules->stopped_user))
        c->result->is_stopped = true;
    return c->result->is_stopped;
}

static bool is_young(const cleaning *c, const kk_tree_entry *entry)
{
    return c->now_s - entry->used_s < KK_YOUNG_S;
}

/* A file or link that a policy may remove by itself. */
static bool is_free_file(const cleaning *c, const kk_tree_entry *entry)
{
    return entry->type != KK_TREE_DIR && !entry->is_removed && !kk_is_preserved(entry) &&
           (entry->flags & KK_IS_IN_TEMP) == 0 &&
           !(entry->label == KK_KIND_TEMPORARY && is_young(c, entry));
}

static void remove_file(cleaning *c, uint32_t at, kk_policy_result *policy)
{
    kk_tree_entry *entry = &c->tree.entries[at];
    const enum kk_tree_outcome outcome = kk_tree_remove(&c->tree, at, &policy->problems);
    if (outcome == KK_TREE_LOCKED)
        entry->flags |= KK_IS_IN_USE;
    if (!entry->is_removed)
        return;
    c->bytes -= entry->size;
    if (outcome == KK_TREE_REMOVED) {
        policy->n_files++;
        policy->bytes += entry->size;
    }
}

/* --- temporary directories, which go as a whole or not at all --- */

static bool is_held(const kk_tree *tree, uint32_t at)
{
    const kk_tree_entry *entry = &tree->entries[at];
    if (kk_is_preserved(entry) || entry->is_unseen || kk_tree_is_locked(tree, at))
        return true;
    bool is = false;
    for (uint32_t i = entry->first_child; i != KK_TREE_NONE && !is; i = tree->entries[i].next)
        is = is_held(tree, i);
    return is;
}

static void remove_all_in(cleaning *c, uint32_t at, kk_policy_result *policy)
{
    for (uint32_t i = c->tree.entries[at].first_child; i != KK_TREE_NONE;
         i = c->tree.entries[i].next) {
        if (c->tree.entries[i].type == KK_TREE_DIR)
            remove_all_in(c, i, policy);
        else
            remove_file(c, i, policy);
    }
    if (at != 0)
        (void)kk_tree_remove(&c->tree, at, &policy->problems);
}

static void remove_temp_dir(cleaning *c, uint32_t at, kk_policy_result *policy)
{
    if (is_held(&c->tree, at)) {
        c->tree.entries[at].flags |= KK_IS_IN_USE;
        return;
    }
    remove_all_in(c, at, policy);
    policy->n_dirs += c->tree.entries[at].is_removed;
}

/* --- the policies --- */

static void clean_by_age(cleaning *c)
{
    kk_policy_result *policy = &c->result->age;
    for (uint32_t i = 1; i < c->tree.n && !is_stopped(c); i++) {
        const kk_tree_entry *entry = &c->tree.entries[i];
        if (c->now_s - entry->used_s <= c->limits.max_age_s)
            continue;
        if (kk_is_temp_unit(entry))
            remove_temp_dir(c, i, policy);
        else if (is_free_file(c, entry))
            remove_file(c, i, policy);
    }
}

/* The newest first; of the same age the one seen later. */
static int by_newest(const void *a, const void *b)
{
    const aged *x = a, *y = b;
    if (x->used_s < y->used_s || x->used_s > y->used_s)
        return x->used_s < y->used_s ? 1 : -1;
    return x->at < y->at ? 1 : x->at > y->at ? -1 : 0;
}

static void clean_temp_dirs(cleaning *c, aged *list)
{
    size_t n = 0;
    for (uint32_t i = 1; i < c->tree.n; i++) {
        const kk_tree_entry *entry = &c->tree.entries[i];
        if (kk_is_temp_unit(entry) && !entry->is_removed)
            list[n++] = (aged){entry->used_s, i};
    }
    qsort(list, n, sizeof(*list), by_newest);
    for (size_t i = c->limits.max_temp_dirs; i < n && !is_stopped(c); i++)
        remove_temp_dir(c, list[i].at, &c->result->temp_dirs);
}

/* Their own limit: a server may not have kept to it, since another shares the directory. */
static void clean_results(cleaning *c, aged *list)
{
    const uint64_t limit = c->rules->max_result_bytes / (c->rules->is_aggressive ? 2 : 1);
    uint64_t bytes = 0;
    size_t n = 0;
    for (uint32_t i = 1; i < c->tree.n && limit > 0; i++) {
        const kk_tree_entry *entry = &c->tree.entries[i];
        if (entry->label != KK_KIND_AUDIO || !is_free_file(c, entry))
            continue;
        bytes += entry->size;
        list[n++] = (aged){entry->used_s, i};
    }
    qsort(list, n, sizeof(*list), by_newest);
    while (n > 0 && bytes > limit && !is_stopped(c)) {
        const uint32_t at = list[--n].at;
        bytes -= c->tree.entries[at].size;
        remove_file(c, at, &c->result->size);
    }
}

static void clean_by_size(cleaning *c, aged *list)
{
    kk_cleanup_result *result = c->result;
    size_t n = 0;
    result->target_bytes = c->limits.max_bytes / 5 * 4;
    result->was_too_large = c->bytes > c->limits.max_bytes;
    for (uint32_t i = 1; i < c->tree.n && result->was_too_large; i++) {
        const kk_tree_entry *entry = &c->tree.entries[i];
        const bool is_old_dir = kk_is_temp_unit(entry) && !entry->is_removed && !is_young(c, entry);
        if (is_old_dir || (is_free_file(c, entry) && entry->size > 0))
            list[n++] = (aged){entry->used_s, i};
    }
    qsort(list, n, sizeof(*list), by_newest);
    while (n > 0 && c->bytes > result->target_bytes && !is_stopped(c)) {
        const uint32_t at = list[--n].at;
        if (c->tree.entries[at].type == KK_TREE_DIR)
            remove_temp_dir(c, at, &result->size);
        else
            remove_file(c, at, &result->size);
    }
    result->size_after_bytes = c->bytes;
}

/* The patterns as strings of their own, in one block that the caller frees. */
static const char **split_patterns(const char *text, size_t *n)
{
    const size_t len = strlen(text);
    const size_t max = len / 2 + 1;
    const char **list = kk_alloc(max * sizeof(*list) + len + 1);
    *n = 0;
    if (list == NULL)
        return NULL;
    char *copy = (char *)(list + max);
    memcpy(copy, text, len + 1);
    for (char *at = copy + strspn(copy, " \t"); *at != '\0'; at += strspn(at, " \t")) {
        list[(*n)++] = at;
        at += strcspn(at, " \t");
        if (*at != '\0')
            *at++ = '\0';
    }
    return list;
}

static bool matches(const char *name, const char *const *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    }
    return false;
}

/* A file is meant by its own name, or by that of a directory in which it lies. */
static int clean_by_patterns(cleaning *c, kokoro_error *err)
{
    kk_tree *tree = &c->tree;
    size_t n = 0;
    const char **patterns = split_patterns(c->rules->patterns, &n);
    bool *is_meant = kk_calloc(tree->n + 1, sizeof(*is_meant));
    int status = patterns == NULL || is_meant == NULL ? kk_fail_memory(err) : KOKORO_OK;
    for (uint32_t i = 1; status == KOKORO_OK && i < tree->n && !is_stopped(c); i++) {
        const kk_tree_entry *entry = &tree->entries[i];
        is_meant[i] = is_meant[entry->parent] ||
                      ((entry->flags & KK_IS_FOLDER) == 0 && matches(entry->name, patterns, n));
        if (is_meant[i] && is_free_file(c, entry))
            remove_file(c, i, &c->result->patterns);
    }
    c->result->n_patterns = n;
    kk_free(is_meant);
    kk_free(patterns);
    return status;
}

/* Backwards: the innermost first. */
static void remove_empty_dirs(cleaning *c)
{
    kk_tree *tree = &c->tree;
    for (uint32_t i = (uint32_t)tree->n; i-- > 1 && !is_stopped(c);) {
        const kk_tree_entry *entry = &tree->entries[i];
        if (entry->type != KK_TREE_DIR || entry->is_removed || entry->is_unseen ||
            kk_is_preserved(entry) || (entry->flags & (KK_IS_TEMP_DIR | KK_IS_IN_TEMP)) != 0)
            continue;
        uint32_t child = entry->first_child;
        while (child != KK_TREE_NONE && tree->entries[child].is_removed)
            child = tree->entries[child].next;
        if (child == KK_TREE_NONE &&
            kk_tree_remove(tree, i, &c->result->age.problems) == KK_TREE_REMOVED)
            c->result->n_empty_dirs++;
    }
}

static int run_policies(cleaning *c, kokoro_error *err)
{
    aged *list = kk_calloc(c->tree.n + 1, sizeof(*list));
    if (list == NULL)
        return kk_fail_memory(err);
    clean_by_age(c);
    clean_temp_dirs(c, list);
    clean_results(c, list);
    clean_by_size(c, list);
    int status = clean_by_patterns(c, err);
    if (status == KOKORO_OK)
        remove_empty_dirs(c);
    kk_free(list);
    return status;
}

/* The lock on the directory itself; -1 in *fd where it does not exist. A file system without locks
 * does without: two clean-ups at once are only a waste, since each removes only what it saw. */
static int take_lock(int *fd, const char *dir, kokoro_error *err)
{
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT)
        return KOKORO_OK;
    if (*fd < 0)
        return kk_fail(err, KOKORO_IO, "cannot open the cache directory %s: %s", dir,
                       strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return KOKORO_OK;
    (void)close(*fd);
    *fd = -1;
    return kk_fail(err, KOKORO_BUSY, "another clean-up of %s is running", dir);
}

static int clean(cleaning *c, const char *real_dir, kokoro_error *err)
{
    kk_cleanup_result *result = c->result;
    int status =
        kk_tree_open(&c->tree, c->rules->cache_dir, c->rules->stopped, c->rules->stopped_user, err);
    if (status != KOKORO_OK)
        return status;
    kk_sort_tree(&c->tree, c->rules, real_dir);
    kk_count_tree(&c->tree, &result->before, NULL, NULL);
    c->bytes = result->before.bytes;
    kk_problems_join(&result->age.problems, &c->tree.problems);
    status = run_policies(c, err);
    kk_count_tree(&c->tree, &result->after, result->kinds, &result->preserved);
    kk_tree_close(&c->tree);
    return status;
}

int kk_cleanup_run(kk_cleanup_result *out, const kk_cleanup_rules *rules, kokoro_error *err)
{
    const double start_s = kk_now_s();
    char real_dir[PATH_MAX];
    int lock = -1;
    memset(out, 0, sizeof(*out));
    kk_real_dir(real_dir, rules->cache_dir);
    int status = kk_guard_dir(rules, real_dir, err);
    if (status == KOKORO_OK)
        status = take_lock(&lock, rules->cache_dir, err);
    cleaning c = {.rules = rules,
                  .limits = kk_limits_of(rules),
                  .now_s = rules->now_s > 0.0 ? rules->now_s : kk_wall_s(),
                  .result = out};
    if (status == KOKORO_OK)
        status = clean(&c, real_dir, err);
    if (lock >= 0)
        (void)close(lock);
    out->elapsed_ms = 1e3 * (kk_now_s() - start_s);
    return status;
}
