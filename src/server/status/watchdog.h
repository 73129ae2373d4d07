/*
 * watchdog.h - looks after memory: when nobody has spoken for KOKORO_TRIM_AFTER_S seconds, what the
 * last speech left behind goes back to the system, once until somebody speaks again. What that
 * freed is measured, not reckoned. After KOKORO_UNLOAD_AFTER_S the model is closed as a whole.
 */
#ifndef KK_SERVER_WATCHDOG_H
#define KK_SERVER_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kk_server;

enum { KK_WATCHDOG_N_EVENTS = 8 };

typedef struct kk_cleanup {
    double time_s; /* since 1970 */
    double took_ms;
    uint64_t before_bytes, after_bytes; /* resident */
} kk_cleanup;

typedef struct kk_watchdog_view {
    uint64_t n_cleanups, freed_bytes;
    double fragmentation_percent; /* of the allocator's memory: held, and used by nobody */
    kk_cleanup events[KK_WATCHDOG_N_EVENTS]; /* [n_events], newest first */
    size_t n_events;
} kk_watchdog_view;

/* Its part of the server; under the server's mutex. */
typedef struct kk_watchdog {
    kk_watchdog_view view;
    double spoke_at_s; /* the last end of a speech request that was seen */
    bool is_settled;   /* the allocator's free pages were given back since somebody spoke, */
    bool is_trimmed;   /* all else too */
} kk_watchdog;

/* Each second, from one thread. */
void kk_watchdog_tick(struct kk_server *server);
void kk_watchdog_read(struct kk_server *server, kk_watchdog_view *out);

#endif
