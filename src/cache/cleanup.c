#define _DEFAULT_SOURCE
#include "cache/cleanup.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "cache/sorting.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct cleaning {
    kk_tree tree;
    const kk_cleanup_rules *rules;
    kk_cleanup_limits limits;
    double now_s;
    uint64_t bytes; /* of all that is left */
    kk_cleanup_result *result;
} cleaning;

static bool is_stopped(cleaning *c)
{
    if (c->rules->stopped != NULL && c->rules->stopped(c->rules->stopped_user))
        c->result->is_stopped = true;
    return c->result->is_stopped;
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
    if (kk_is_held(&c->tree, at, true)) {
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
        else if (kk_is_free_file(entry, c->now_s))
            remove_file(c, i, policy);
    }
}

static void clean_temp_dirs(cleaning *c, kk_aged *list)
{
    const size_t n = kk_list_temp_units(list, &c->tree);
    for (size_t i = c->limits.max_temp_dirs; i < n && !is_stopped(c); i++)
        remove_temp_dir(c, list[i].at, &c->result->temp_dirs);
}

/* Their own limit: a server may not have kept to it, since another shares the directory. */
static void clean_results(cleaning *c, kk_aged *list)
{
    const uint64_t limit = c->rules->max_result_bytes / (c->rules->is_aggressive ? 2 : 1);
    uint64_t bytes = 0;
    size_t n = 0;
    for (uint32_t i = 1; i < c->tree.n && limit > 0; i++) {
        const kk_tree_entry *entry = &c->tree.entries[i];
        if (entry->label != KK_KIND_AUDIO || !kk_is_free_file(entry, c->now_s))
            continue;
        bytes += entry->size;
        list[n++] = (kk_aged){entry->used_s, i};
    }
    kk_sort_newest(list, n);
    while (n > 0 && bytes > limit && !is_stopped(c)) {
        const uint32_t at = list[--n].at;
        bytes -= c->tree.entries[at].size;
        remove_file(c, at, &c->result->size);
    }
}

static void clean_by_size(cleaning *c, kk_aged *list)
{
    kk_cleanup_result *result = c->result;
    kk_size_state state;
    size_t n = 0;
    kk_size_state_of(&state, &c->tree, c->limits.max_bytes, c->now_s);
    result->target_bytes = state.target_bytes;
    result->was_too_large = state.is_too_large;
    for (uint32_t i = 1; i < c->tree.n && result->was_too_large; i++) {
        if (kk_may_go_by_size(&c->tree, i, c->now_s))
            list[n++] = (kk_aged){c->tree.entries[i].used_s, i};
    }
    kk_sort_newest(list, n);
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
        if (is_meant[i] && kk_is_free_file(entry, c->now_s))
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
    kk_aged *list = kk_calloc(c->tree.n + 1, sizeof(*list));
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

/*
 * Open the directory, once: what was judged and locked is what is cleaned, whatever becomes of its
 * name meanwhile. -1 in *fd where there is none. real_dir is its path as long as it is asked for
 * here, links resolved.
 */
static int open_dir(int *fd, char real_dir[PATH_MAX], const kk_cleanup_rules *rules,
                    kokoro_error *err)
{
    struct stat opened, named;
    const char *dir = rules->cache_dir;
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int number = *fd < 0 ? errno : 0;
    kk_real_dir(real_dir, dir);
    if (*fd >= 0 && (fstat(*fd, &opened) != 0 || lstat(real_dir, &named) != 0 ||
                     opened.st_dev != named.st_dev || opened.st_ino != named.st_ino))
        return kk_fail(err, KOKORO_IO, "the cache directory %s is being replaced; left alone", dir);
    const int status = kk_guard_dir(rules, real_dir, err);
    if (status == KOKORO_OK && number != 0 && number != ENOENT)
        return kk_fail(err, KOKORO_IO, "cannot open the cache directory %s: %s", dir,
                       strerror(number));
    return status;
}

/* The lock on the directory itself. A file system without locks does without: two clean-ups at once
 * are only a waste, since each removes only what it saw. */
static int take_lock(int fd, const char *dir, kokoro_error *err)
{
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return KOKORO_OK;
    return kk_fail(err, KOKORO_BUSY, "another clean-up of %s is running", dir);
}

/* The descriptor belongs to the tree from here on. */
static int clean(cleaning *c, int fd, const char *real_dir, kokoro_error *err)
{
    kk_cleanup_result *result = c->result;
    int status = kk_tree_take(&c->tree, fd, c->rules->cache_dir, c->rules->stopped,
                              c->rules->stopped_user, err);
    if (status != KOKORO_OK)
        return status;
    kk_sort_tree(&c->tree, c->rules, real_dir);
    kk_count_tree(&c->tree, &result->before, NULL, NULL);
    c->bytes = result->before.bytes;
    kk_problems_join(&result->age.problems, &c->tree.problems);
    status = run_policies(c, err);
    kk_count_tree(&c->tree, &result->after, result->kinds, &result->preserved);
    kk_tree_close(&c->tree); /* and with it goes the lock */
    return status;
}

int kk_cleanup_run(kk_cleanup_result *out, const kk_cleanup_rules *rules, kokoro_error *err)
{
    const double start_s = kk_now_s();
    char real_dir[PATH_MAX];
    int fd = -1;
    memset(out, 0, sizeof(*out));
    int status = open_dir(&fd, real_dir, rules, err);
    if (status == KOKORO_OK)
        status = take_lock(fd, rules->cache_dir, err);
    cleaning c = {.rules = rules,
                  .limits = kk_limits_of(rules),
                  .now_s = rules->now_s > 0.0 ? rules->now_s : kk_wall_s(),
                  .result = out};
    if (status == KOKORO_OK && fd >= 0)
        status = clean(&c, fd, real_dir, err);
    else if (fd >= 0)
        (void)close(fd);
    out->elapsed_ms = 1e3 * (kk_now_s() - start_s);
    return status;
}

size_t kk_cleanup_n_files(const kk_cleanup_result *result)
{
    return result->age.n_files + result->temp_dirs.n_files + result->size.n_files +
           result->patterns.n_files;
}

size_t kk_cleanup_n_dirs(const kk_cleanup_result *result)
{
    return result->age.n_dirs + result->temp_dirs.n_dirs + result->size.n_dirs +
           result->n_empty_dirs;
}
