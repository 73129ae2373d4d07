/*
 * child.h - a process of its own for each way: its memory and its crashes are not ours.
 *
 *     parent                          child
 *       one JSON object a line  ->    standard input
 *       one JSON object a line  <-    standard output
 *       last lines kept         <-    standard error
 *       a file without a name         descriptor KK_CHILD_FILE, for sound
 *
 * A child that ends, says nothing in time or babbles is ended, and what happened is a sentence.
 */
#ifndef KK_BENCH_CHILD_H
#define KK_BENCH_CHILD_H

#include "base/str.h"
#include "kokoro/kokoro.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum { KK_CHILD_FILE = 3, KK_CHILD_TAIL = 1024 };

/* The subcommand of this program that is such a child. */
#define KK_CHILD_COMMAND "benchmark-child"

/* What the owner of the run wants to be asked while it waits; both may be NULL. */
typedef struct kk_bench_watch {
    void *user;
    bool (*stopped)(void *user);       /* true: give up */
    unsigned (*continued)(void *user); /* times that this process was stopped and went on */
} kk_bench_watch;

bool kk_watch_stopped(const kk_bench_watch *watch);
unsigned kk_watch_continued(const kk_bench_watch *watch);

typedef struct kk_child {
    pid_t pid; /* 0: none */
    int to, from, talk, file;
    kk_buf line;              /* of the answer that is coming in */
    char tail[KK_CHILD_TAIL]; /* the end of its standard error */
    double away_s;            /* that this process was stopped while it waited, in all */
} kk_child;

#define KK_CHILD_INIT                                                                              \
    {                                                                                              \
        .pid = 0, .to = -1, .from = -1, .talk = -1, .file = -1, .line = KK_BUF_INIT                \
    }

/* Start a program: its path and arguments, ended by NULL. Where it needs no file for sound, its
 * descriptor KK_CHILD_FILE is /dev/null. IO. */
int kk_child_start(kk_child *child, const char *const *command, bool needs_file, kokoro_error *err);

/*
 * Send a question and wait for its answer, a JSON object that the caller releases. PROVIDER: it
 * failed, its message says how, and the child is gone; or it answered {"error": message} and lives
 * on. CANCELLED: the watch said stop. NO_MEMORY.
 */
int kk_child_ask(kk_child *child, const json_t *question, double limit_s,
                 const kk_bench_watch *watch, json_t **answer, kokoro_error *err);

/* Let it end by itself for so long, or for KK_CHILD_PATIENCE_S, then end it. Any number of times.
 */
#define KK_CHILD_PATIENCE_S 2.0
void kk_child_end_within(kk_child *child, double patience_s);
void kk_child_end(kk_child *child);

#endif
