/*
 * bench_child.h - the child that benchmarks for the server: started in a process group of its own
 * at the lowest priority, stopped and continued as a whole, and read for its progress.
 */
#ifndef KK_SERVER_BENCH_CHILD_H
#define KK_SERVER_BENCH_CHILD_H

#include "base/str.h"
#include "config/config.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct kk_bench_child {
    pid_t pid; /* and process group; 0: none */
    int progress_fd;
    kk_buf line;            /* the one that is coming in */
    char last[256];         /* the last line that was no progress: what went wrong */
    double percent, left_s; /* negative: not known */
    char step[160];
} kk_bench_child;

/* Runs this program's `benchmark` with the settings of `config`, whatever provider they choose:
 * all are compared. The report goes to `output_file`. IO. */
int kk_bench_child_start(kk_bench_child *child, const kk_config *config, const char *mode,
                         const char *output_file, kokoro_error *err);

/* Take in what it has told; never waits. */
void kk_bench_child_read(kk_bench_child *child);

/* True when it has ended: *exit_status is its own, or 128 and the signal. */
bool kk_bench_child_has_ended(kk_bench_child *child, int *exit_status);

void kk_bench_child_stop(const kk_bench_child *child);
void kk_bench_child_go_on(const kk_bench_child *child);

/* End it now; has_ended tells when it has. */
void kk_bench_child_kill(const kk_bench_child *child);

/* End it and wait for it: asked first, forced after two seconds. */
void kk_bench_child_end(kk_bench_child *child);

#endif
