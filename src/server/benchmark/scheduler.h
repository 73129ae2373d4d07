/*
 * scheduler.h - the server's own benchmarks: when one is due and nobody speaks, the program runs
 * `benchmark` in a child at the lowest priority, in a process group of its own. A request stops the
 * group at once, so that nobody waits for a benchmark; it goes on a second after the last one, and
 * throws away what it measured meanwhile.
 *
 *     due       the record is missing, expired, damaged or of another fingerprint, and the last
 *               attempt is a whole period ago; never when manually, never when skipped
 *     starts    after KOKORO_BENCHMARK_IDLE_S without a request; reminded by GET /status or forced
 *               by POST /benchmark, as soon as nobody speaks
 */
#ifndef KK_SERVER_SCHEDULER_H
#define KK_SERVER_SCHEDULER_H

#include "cache/record.h"
#include "config/config.h"
#include "server/benchmark/bench_reports.h"

#include <stdbool.h>
#include <stddef.h>

struct kk_server;
typedef struct kk_scheduler kk_scheduler;

enum kk_bench_state {
    KK_BENCH_IDLE,
    KK_BENCH_WAITING, /* wanted, until nobody speaks */
    KK_BENCH_RUNNING,
    KK_BENCH_PAUSED /* while somebody speaks */
};
const char *kk_bench_state_text(enum kk_bench_state state);

typedef struct kk_scheduler_view {
    enum kk_bench_state state;
    char mode[16];       /* of the run, or the one that waits */
    bool was_forced;     /* by POST /benchmark */
    double percent;      /* of the run */
    double left_s;       /* of the run, as it reckons itself; negative: not known */
    char step[160];      /* what it does */
    double started_at_s; /* since 1970; 0: none yet */
    size_t n_pauses;

    /* Runs that are over: the last one, and the last that went well, of which a server before may
     * have made the report. */
    kk_bench_end last, last_good;

    kk_validity_rule rule;
    bool is_skipped; /* KOKORO_SKIP_BENCHMARKING */
    bool is_due;
    double tried_at_s; /* last attempt, also of an earlier server; 0: never */
    double next_at_s;  /* since 1970; 0: never by itself */
    kk_record record;  /* unless the view's state is MISSING or DAMAGED */
    kk_record_view record_view;
} kk_scheduler_view;

int kk_scheduler_create(kk_scheduler **out, struct kk_server *server, kokoro_error *err);
/* Ends a run. Sets *scheduler to NULL. */
void kk_scheduler_destroy(kk_scheduler **scheduler);

/* About every second, from one thread. */
void kk_scheduler_tick(kk_scheduler *scheduler);

/* Around each speech request; any thread, takes microseconds. */
void kk_scheduler_speech_begins(kk_scheduler *scheduler);
void kk_scheduler_speech_ends(kk_scheduler *scheduler);
/* Requests between the two, and kk_now_s of the last end; at first of the start. */
size_t kk_scheduler_speaking(kk_scheduler *scheduler, double *ended_at_s);

/* "quick" or "full", as soon as nobody speaks. BUSY names who measures already. */
int kk_scheduler_force(kk_scheduler *scheduler, const char *mode, kokoro_error *err);
/* One that is due need not wait for the idle time. */
void kk_scheduler_remind(kk_scheduler *scheduler);

void kk_scheduler_read(kk_scheduler *scheduler, kk_scheduler_view *out);

#endif
