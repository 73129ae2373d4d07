/*
 * tree.h - everything in a directory, seen once; and the removal of what was seen, and of nothing
 * else.
 *
 * Nothing outside the directory is ever read or removed, whatever other programs do to it
 * meanwhile: every step goes from an open directory to a name in it (openat, fstatat, unlinkat),
 * never through a symbolic link, and each directory on the way must still be the one that was seen
 * (device and inode). A directory that was swapped for a link or for another one is left alone. The
 * walk stays on one file system, and on one mount of it.
 *
 * A name can be given to another file in the instant between the last look at it and its removal;
 * then that file is removed, which still lies in the same directory. Programs that have a removed
 * file open or mapped keep its contents (POSIX).
 */
#ifndef KK_CACHE_TREE_H
#define KK_CACHE_TREE_H

#include "base/arena.h"
#include "cache/problems.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KK_TREE_MAX_DEPTH = 32, KK_TREE_MAX_ENTRIES = 1 << 20 };

/* A change dated more than a day ahead is no change of a clock that is a little off. */
enum { KK_TREE_AHEAD_S = 86400 };
#define KK_TREE_NONE UINT32_MAX

enum kk_tree_type { KK_TREE_FILE, KK_TREE_DIR, KK_TREE_LINK, KK_TREE_SPECIAL };

typedef struct kk_tree_entry {
    const char *name;
    uint64_t dev, ino;
    uint64_t size;  /* of a file or link, in bytes; 0 else */
    double mtime_s; /* its own change */
    /* The same as far as it can be believed: of what is dated ahead the time when the file system
     * wrote that date, or now. Of a directory: the newest of it and all in it. */
    double used_s;
    uint32_t parent, first_child, next; /* KK_TREE_NONE: there is none */
    uint8_t type;                       /* an enum kk_tree_type */
    uint8_t depth;                      /* 0: the directory itself */
    bool is_unseen;                     /* a directory whose contents could not be looked at */
    bool is_removed;
    uint8_t label; /* for the caller, as are the flags */
    uint8_t flags;
} kk_tree_entry;

typedef struct kk_tree {
    kk_tree_entry *entries; /* [n] parents before children; entries[0] is the directory itself */
    size_t n;
    kk_problems problems; /* of the walk */

    double now_s;   /* since 1970, when it was looked at */
    int fd;         /* of the directory; -1: it does not exist, and n is 0 */
    uint64_t mount; /* that it lies on; 0 where the system does not tell */
    kk_arena arena;
    size_t capacity;
    bool (*stopped)(void *user); /* asked often; NULL: never */
    void *stopped_user;
} kk_tree;

/*
 * Open a directory and look at all in it. One that does not exist is empty. Links are not followed,
 * except in `path` itself. Single places that cannot be looked at are told in tree->problems.
 * IO, NO_MEMORY, CANCELLED (stopped); then nothing needs to be closed.
 */
int kk_tree_open(kk_tree *tree, const char *path, bool (*stopped)(void *user), void *stopped_user,
                 kokoro_error *err);
/* The same of a directory that is open. The tree takes `fd`, also when it fails; `path` is for
 * messages. */
int kk_tree_take(kk_tree *tree, int fd, const char *path, bool (*stopped)(void *user),
                 void *stopped_user, kokoro_error *err);
void kk_tree_close(kk_tree *tree);

/* The entry at a path below the directory, "native/a.pack"; a link on the way is given in its
 * place. KK_TREE_NONE: nothing was seen there. */
uint32_t kk_tree_find(const kk_tree *tree, const char *path);

/* Whether another program holds a lock (flock) on a file or directory. */
bool kk_tree_is_locked(const kk_tree *tree, uint32_t at);

enum kk_tree_outcome {
    KK_TREE_REMOVED,
    KK_TREE_GONE, /* somebody else was quicker */
    KK_TREE_LOCKED,
    KK_TREE_LEFT /* it changed since it was seen, or cannot be removed: see the problems */
};

/* Remove a file or link, or a directory that is empty by now. `problems` may be NULL: a directory
 * that is not empty is no problem. */
enum kk_tree_outcome kk_tree_remove(kk_tree *tree, uint32_t at, kk_problems *problems);

#endif
