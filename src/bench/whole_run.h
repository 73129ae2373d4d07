/*
 * whole_run.h - the command line and the environment of a `kokoro benchmark` that the server or
 * another command starts: the settings of its parent, but for those that choose a way. Which way is
 * used is what it is to find out.
 */
#ifndef KK_BENCH_WHOLE_RUN_H
#define KK_BENCH_WHOLE_RUN_H

#include "base/arena.h"
#include "config/config.h"

enum { KK_WHOLE_RUN_WORDS = 8 };

typedef struct kk_whole_run {
    const char *arguments[3 + KK_WHOLE_RUN_WORDS + KK_N_SETTINGS + 1]; /* ended by NULL */
    const char **environment;
    kk_arena arena;
} kk_whole_run;

/*
 * "kokoro benchmark --inherited" (its options are its parent's, who uses what it finds: such a run
 * makes the record), the `words` (ended by NULL, at most KK_WHOLE_RUN_WORDS, of the caller), and
 * what was set by option on the parent's command line. The environment has what came from .env as
 * well: an inherited run reads none, since it may be another by now, or wrong. NO_MEMORY. End it
 * with kk_whole_run_fini in any case.
 */
int kk_whole_run_init(kk_whole_run *run, const kk_config *config, const char *const *words);
void kk_whole_run_fini(kk_whole_run *run);

#endif
