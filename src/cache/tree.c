#define _GNU_SOURCE /* statx */
#include "cache/tree.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static double seconds(struct timespec t)
{
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool is_stopped(const kk_tree *tree)
{
    return tree->stopped != NULL && tree->stopped(tree->stopped_user);
}

/* "native/a.pack" of an entry; "." of the directory itself. Long paths lose their middle. */
static void tell(const kk_tree *tree, kk_problems *problems, uint32_t at, const char *what)
{
    uint32_t chain[KK_TREE_MAX_DEPTH + 2];
    size_t n = 0;
    kk_buf path = KK_BUF_INIT;
    for (; at != 0; at = tree->entries[at].parent)
        chain[n++] = at;
    while (n > 0) {
        kk_buf_append_str(&path, path.len > 0 ? "/" : "");
        kk_buf_append_str(&path, tree->entries[chain[--n]].name);
    }
    kk_problems_add(problems, path.len > 0 ? kk_buf_str(&path) : ".", what);
    kk_buf_fini(&path);
}

static bool is_same(const kk_tree_entry *entry, const struct stat *st)
{
    return entry->ino == (uint64_t)st->st_ino && entry->dev == (uint64_t)st->st_dev;
}

/* The mount that an open directory lies on; 0 where nothing tells. What is mounted from elsewhere
 * in the same file system (mount --bind) differs in nothing else. statx tells since Linux 5.8,
 * /proc since 3.15; with neither only another file system is recognised, by its st_dev. */
static uint64_t mount_of(int fd)
{
    char path[48], text[512];
    static const char field[] = "mnt_id:";
#ifdef STATX_MNT_ID
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) == 0 && (st.stx_mask & STATX_MNT_ID) != 0)
        return st.stx_mnt_id;
#endif
    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = file >= 0 ? read(file, text, sizeof(text) - 1) : -1;
    if (file >= 0)
        (void)close(file);
    text[n > 0 ? n : 0] = '\0';
    const char *found = strstr(text, field);
    return found != NULL ? strtoull(found + sizeof(field) - 1, NULL, 10) : 0;
}

/* The name in an open directory, if it is still the directory that was seen, and on the same mount;
 * else -1 and errno: EXDEV for another mount. */
static int enter(const kk_tree *tree, int parent, const kk_tree_entry *entry)
{
    struct stat st;
    int fd = openat(parent, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const bool is_seen = fstat(fd, &st) == 0 && is_same(entry, &st);
    if (is_seen && mount_of(fd) == tree->mount)
        return fd;
    (void)close(fd);
    errno = is_seen ? EXDEV : ESTALE;
    return -1;
}

/* A directory of the tree, reached step by step from the top; else -1 and errno. */
static int open_dir(const kk_tree *tree, uint32_t at)
{
    uint32_t chain[KK_TREE_MAX_DEPTH + 2];
    size_t n = 0;
    for (; at != 0; at = tree->entries[at].parent)
        chain[n++] = at;
    int fd = fcntl(tree->fd, F_DUPFD_CLOEXEC, 0);
    while (fd >= 0 && n > 0) {
        int next = enter(tree, fd, &tree->entries[chain[--n]]);
        int number = errno;
        (void)close(fd);
        errno = number;
        fd = next;
    }
    return fd;
}

/* --- the walk --- */

static const char *why_left(int number)
{
    if (number == EXDEV)
        return "another directory is mounted here; left alone";
    return number == ESTALE || number == ELOOP || number == ENOTDIR || number == ENOENT
               ? "it was moved or replaced meanwhile; left alone"
               : strerror(number);
}

static enum kk_tree_type type_of(mode_t mode)
{
    return S_ISREG(mode)   ? KK_TREE_FILE
           : S_ISDIR(mode) ? KK_TREE_DIR
           : S_ISLNK(mode) ? KK_TREE_LINK
                           : KK_TREE_SPECIAL;
}

static double believed(const kk_tree *tree, const struct stat *st)
{
    const double mtime_s = seconds(st->st_mtim);
    if (mtime_s <= tree->now_s + KK_TREE_AHEAD_S)
        return mtime_s;
    const double ctime_s = seconds(st->st_ctim);
    return ctime_s < tree->now_s ? ctime_s : tree->now_s;
}

static int add_entry(kk_tree *tree, uint32_t parent, const char *name, const struct stat *st,
                     kokoro_error *err)
{
    kk_tree_entry *entries = kk_arena_grow(&tree->arena, tree->entries, tree->n, tree->n + 1,
                                           sizeof(*entries), &tree->capacity);
    const char *copy = entries != NULL ? kk_arena_strdup(&tree->arena, name) : NULL;
    if (copy == NULL)
        return kk_fail_memory(err);
    tree->entries = entries;
    const uint32_t at = (uint32_t)tree->n++;
    const enum kk_tree_type type = type_of(st->st_mode);
    const bool has_size = type == KK_TREE_FILE || type == KK_TREE_LINK;
    entries[at] = (kk_tree_entry){.name = copy,
                                  .dev = (uint64_t)st->st_dev,
                                  .ino = (uint64_t)st->st_ino,
                                  .size = has_size ? (uint64_t)st->st_size : 0,
                                  .mtime_s = seconds(st->st_mtim),
                                  .used_s = believed(tree, st),
                                  .parent = parent,
                                  .first_child = KK_TREE_NONE,
                                  .next = KK_TREE_NONE,
                                  .type = (uint8_t)type};
    if (parent != KK_TREE_NONE) {
        entries[at].depth = (uint8_t)(entries[parent].depth + 1);
        entries[at].next = entries[parent].first_child;
        entries[parent].first_child = at;
    }
    return KOKORO_OK;
}

/* Whether there is a reason not to look into a directory, which then is told. */
static bool is_closed_to_us(kk_tree *tree, uint32_t at)
{
    const kk_tree_entry *entry = &tree->entries[at];
    const char *reason = NULL;
    if (entry->dev != tree->entries[0].dev)
        reason = "another file system is mounted here; left alone";
    else if (entry->depth > KK_TREE_MAX_DEPTH)
        reason = "too many directories in each other; left alone";
    if (reason != NULL)
        tell(tree, &tree->problems, at, reason);
    return reason != NULL;
}

/* Add all names in an open directory. */
static int read_names(kk_tree *tree, uint32_t at, DIR *names, kokoro_error *err)
{
    int status = KOKORO_OK;
    const struct dirent *name;
    while (errno = 0, status == KOKORO_OK && (name = readdir(names)) != NULL) {
        struct stat st;
        if (strcmp(name->d_name, ".") == 0 || strcmp(name->d_name, "..") == 0)
            continue;
        if (tree->n == KK_TREE_MAX_ENTRIES) {
            tell(tree, &tree->problems, at, "too many files; the rest of them is not looked at");
            return KOKORO_OK;
        }
        if (fstatat(dirfd(names), name->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            status = add_entry(tree, at, name->d_name, &st, err);
        else if (errno != ENOENT)
            kk_problems_add(&tree->problems, name->d_name, strerror(errno));
    }
    if (status == KOKORO_OK && errno != 0)
        tell(tree, &tree->problems, at, strerror(errno));
    return status;
}

static int look_into(kk_tree *tree, uint32_t at, kokoro_error *err)
{
    if (is_stopped(tree))
        return kk_fail(err, KOKORO_CANCELLED, "stopped while looking at the files");
    int fd = is_closed_to_us(tree, at) ? -2 : open_dir(tree, at);
    DIR *names = fd >= 0 ? fdopendir(fd) : NULL;
    if (names == NULL) {
        if (fd != -2)
            tell(tree, &tree->problems, at, why_left(errno));
        if (fd >= 0)
            (void)close(fd);
        tree->entries[at].is_unseen = true;
        return KOKORO_OK;
    }
    int status = read_names(tree, at, names, err);
    (void)closedir(names);
    return status;
}

/* Children stand behind their parents: backwards, each directory is reached after all in it. */
static void find_newest(kk_tree *tree)
{
    for (size_t i = tree->n; i-- > 1;) {
        kk_tree_entry *parent = &tree->entries[tree->entries[i].parent];
        if (tree->entries[i].used_s > parent->used_s)
            parent->used_s = tree->entries[i].used_s;
    }
}

int kk_tree_open(kk_tree *tree, const char *path, bool (*stopped)(void *user), void *stopped_user,
                 kokoro_error *err)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return kk_tree_take(tree, fd, path, stopped, stopped_user, err);
    *tree = (kk_tree){.arena = KK_ARENA_INIT, .fd = -1};
    if (errno == ENOENT)
        return KOKORO_OK;
    return kk_fail(err, KOKORO_IO, "cannot open the cache directory %s: %s", path, strerror(errno));
}

int kk_tree_take(kk_tree *tree, int fd, const char *path, bool (*stopped)(void *user),
                 void *stopped_user, kokoro_error *err)
{
    struct stat st;
    *tree = (kk_tree){.arena = KK_ARENA_INIT,
                      .stopped = stopped,
                      .stopped_user = stopped_user,
                      .now_s = kk_wall_s(),
                      .fd = fd,
                      .mount = mount_of(fd)};
    int status = KOKORO_OK;
    if (fstat(fd, &st) != 0)
        status = kk_fail(err, KOKORO_IO, "cannot look at the cache directory %s: %s", path,
                         strerror(errno));
    else
        status = add_entry(tree, KK_TREE_NONE, "", &st, err);
    for (size_t i = 0; status == KOKORO_OK && i < tree->n; i++) {
        if (tree->entries[i].type == KK_TREE_DIR)
            status = look_into(tree, (uint32_t)i, err);
    }
    if (status == KOKORO_OK)
        find_newest(tree);
    else
        kk_tree_close(tree);
    return status;
}

void kk_tree_close(kk_tree *tree)
{
    if (tree->fd >= 0)
        (void)close(tree->fd);
    tree->fd = -1;
    tree->n = 0;
    tree->entries = NULL;
    kk_arena_fini(&tree->arena);
}

uint32_t kk_tree_find(const kk_tree *tree, const char *path)
{
    uint32_t at = tree->n > 0 ? 0 : KK_TREE_NONE;
    while (at != KK_TREE_NONE) {
        path += strspn(path, "/");
        if (*path == '\0' || (at != 0 && tree->entries[at].type != KK_TREE_DIR))
            break;
        const size_t len = strcspn(path, "/");
        for (at = tree->entries[at].first_child; at != KK_TREE_NONE; at = tree->entries[at].next) {
            const char *name = tree->entries[at].name;
            if (strncmp(name, path, len) == 0 && name[len] == '\0')
                break;
        }
        path += len;
    }
    return at;
}

/* --- removal --- */

/* Whether somebody holds a lock on the file. Until *fd is closed nobody else can take one. A file
 * that cannot be opened cannot be asked, and counts as free. */
static bool try_lock(int parent, const kk_tree_entry *entry, int *fd)
{
    struct stat st;
    *fd = openat(parent, entry->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return *fd < 0 || fstat(*fd, &st) != 0 || !is_same(entry, &st) ||
           flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

bool kk_tree_is_locked(const kk_tree *tree, uint32_t at)
{
    const kk_tree_entry *entry = &tree->entries[at];
    int fd = -1, parent = -1;
    if (entry->type != KK_TREE_FILE && entry->type != KK_TREE_DIR)
        return false;
    parent = open_dir(tree, entry->parent);
    const bool is_locked = parent >= 0 && !try_lock(parent, entry, &fd);
    if (fd >= 0)
        (void)close(fd);
    if (parent >= 0)
        (void)close(parent);
    return is_locked;
}

/* Remove what is still as it was seen; 0, or an errno. */
static int remove_name(int parent, const kk_tree_entry *entry)
{
    struct stat st;
    if (fstatat(parent, entry->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    if (!is_same(entry, &st) || type_of(st.st_mode) != (enum kk_tree_type)entry->type)
        return ESTALE;
    /* A directory changes by what is removed from it, and must be empty anyway. */
    const bool is_dir = entry->type == KK_TREE_DIR;
    if (!is_dir && (seconds(st.st_mtim) > entry->mtime_s || seconds(st.st_mtim) < entry->mtime_s))
        return ESTALE;
    return unlinkat(parent, entry->name, is_dir ? AT_REMOVEDIR : 0) == 0 ? 0 : errno;
}

enum kk_tree_outcome kk_tree_remove(kk_tree *tree, uint32_t at, kk_problems *problems)
{
    kk_tree_entry *entry = &tree->entries[at];
    int fd = -1, number = 0;
    int parent = open_dir(tree, entry->parent);
    if (parent < 0) {
        tell(tree, problems, at, why_left(errno));
        return KK_TREE_LEFT;
    }
    enum kk_tree_outcome outcome = KK_TREE_REMOVED;
    const bool can_be_locked = entry->type == KK_TREE_FILE || entry->type == KK_TREE_DIR;
    if (can_be_locked && !try_lock(parent, entry, &fd))
        outcome = KK_TREE_LOCKED;
    else if ((number = remove_name(parent, entry)) == ENOENT)
        outcome = KK_TREE_GONE;
    else if (number != 0)
        outcome = KK_TREE_LEFT;
    if (outcome == KK_TREE_LEFT && !(entry->type == KK_TREE_DIR && number == ENOTEMPTY))
        tell(tree, problems, at, why_left(number));
    entry->is_removed = outcome == KK_TREE_REMOVED || outcome == KK_TREE_GONE;
    if (fd >= 0)
        (void)close(fd);
    (void)close(parent);
    return outcome;
}
