#include "server/cache/cache_log.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "server/cache/cache_report.h"
#include "server/cache/cleanup_file.h"
#include "server/json.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_CLEANUPS = 8, N_BEFORE = 100, N_DURING = 100 };

typedef struct latency {
    double start_s, end_s, first_ms, total_ms;
} latency;

typedef struct figures {
    size_t n;
    double first_mean_ms, first_p95_ms, total_mean_ms, total_p95_ms;
} figures;

typedef struct cleanup {
    const char *cause;
    bool is_aggressive, is_running;
    double at_s;           /* since 1970 */
    double start_s, end_s; /* kk_now_s */
    double elapsed_ms;
    uint64_t freed_bytes;
    size_t n_files, n_dirs;
    char problem[256];
    figures before;
    latency during[N_DURING];
    size_t n_during;
} cleanup;

struct kk_cache_log {
    pthread_mutex_t mutex;
    latency last[N_BEFORE]; /* a ring */
    size_t n_last;          /* ever */
    cleanup cleanups[N_CLEANUPS];
    unsigned n_begun; /* ever; number k is cleanups[k % N_CLEANUPS] */
    size_t n_ended;
    uint64_t freed_bytes; /* of all */
    double created_s;     /* kk_now_s */
    char writer[64];      /* no other log's, of whatever process */
};

int kk_cache_log_create(kk_cache_log **out, kokoro_error *err)
{
    *out = kk_calloc(1, sizeof(**out));
    if (*out != NULL && pthread_mutex_init(&(*out)->mutex, NULL) == 0) {
        (*out)->created_s = kk_now_s();
        (void)snprintf((*out)->writer, sizeof((*out)->writer), "%ld %.6f", (long)getpid(),
                       kk_wall_s());
        return KOKORO_OK;
    }
    kk_free(*out);
    *out = NULL;
    return kk_fail_memory(err);
}

void kk_cache_log_destroy(kk_cache_log **log_ptr)
{
    kk_cache_log *log = log_ptr != NULL ? *log_ptr : NULL;
    if (log == NULL)
        return;
    *log_ptr = NULL;
    (void)pthread_mutex_destroy(&log->mutex);
    kk_free(log);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean and nearest-rank 95th percentile. */
static void sum_up(double *values, size_t n, double *mean, double *p95)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    qsort(values, n, sizeof(*values), by_value);
    *mean = n > 0 ? sum / (double)n : 0.0;
    *p95 = n > 0 ? values[(n * 95 + 99) / 100 - 1] : 0.0;
}

static figures figures_of(const latency *list, size_t n)
{
    double values[N_BEFORE > N_DURING ? N_BEFORE : N_DURING];
    figures f = {.n = n};
    for (size_t i = 0; i < n; i++)
        values[i] = list[i].first_ms;
    sum_up(values, n, &f.first_mean_ms, &f.first_p95_ms);
    for (size_t i = 0; i < n; i++)
        values[i] = list[i].total_ms;
    sum_up(values, n, &f.total_mean_ms, &f.total_p95_ms);
    return f;
}

void kk_cache_log_add_speech(kk_cache_log *log, double start_s, double first_s, double total_s)
{
    if (first_s < 0.0)
        return;
    const latency new = {start_s, start_s + total_s, 1e3 * first_s, 1e3 * total_s};
    (void)pthread_mutex_lock(&log->mutex);
    log->last[log->n_last++ % N_BEFORE] = new;
    for (size_t i = 0; i < N_CLEANUPS && i < log->n_begun; i++) {
        cleanup *c = &log->cleanups[i];
        const bool overlaps = new.end_s >= c->start_s && (c->is_running || new.start_s <= c->end_s);
        if (overlaps && c->n_during < N_DURING)
            c->during[c->n_during++] = new;
    }
    (void)pthread_mutex_unlock(&log->mutex);
}

unsigned kk_cache_log_begin(kk_cache_log *log, const char *cause, bool is_aggressive)
{
    (void)pthread_mutex_lock(&log->mutex);
    const unsigned number = log->n_begun++;
    cleanup *c = &log->cleanups[number % N_CLEANUPS];
    const size_t n = log->n_last < N_BEFORE ? log->n_last : N_BEFORE;
    memset(c, 0, sizeof(*c));
    c->cause = cause;
    c->is_aggressive = is_aggressive;
    c->is_running = true;
    c->at_s = kk_wall_s();
    c->start_s = kk_now_s();
    c->before = figures_of(log->last, n);
    (void)pthread_mutex_unlock(&log->mutex);
    return number;
}

static void note_end(cleanup *c, const kk_cleanup_result *r, uint64_t freed, const char *problem)
{
    c->is_running = false;
    c->end_s = kk_now_s();
    c->elapsed_ms = 1e3 * (c->end_s - c->start_s);
    c->freed_bytes = freed;
    if (r == NULL) {
        (void)snprintf(c->problem, sizeof(c->problem), "%s", problem);
        return;
    }
    c->n_files = kk_cleanup_n_files(r);
    c->n_dirs = kk_cleanup_n_dirs(r);
}

void kk_cache_log_end(kk_cache_log *log, unsigned number, const kk_cleanup_result *result,
                      const char *problem)
{
    (void)pthread_mutex_lock(&log->mutex);
    log->n_ended++;
    const uint64_t freed = result != NULL ? result->before.bytes - result->after.bytes : 0;
    log->freed_bytes += freed;
    /* Its place may be another's by now. */
    if (log->n_begun - number <= N_CLEANUPS)
        note_end(&log->cleanups[number % N_CLEANUPS], result, freed, problem);
    (void)pthread_mutex_unlock(&log->mutex);
}

static json_t *figures_json(const figures *f)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "requests", (json_int_t)f->n,
                     "first_sound_mean_ms", kk_json_real(f->first_mean_ms), "first_sound_p95_ms",
                     kk_json_real(f->first_p95_ms), "total_mean_ms", kk_json_real(f->total_mean_ms),
                     "total_p95_ms", kk_json_real(f->total_p95_ms));
}

static json_t *impact_json(const figures *during, const figures *before)
{
    return json_pack("{s:o, s:o}", "during", figures_json(during), "before", figures_json(before));
}

static json_t *cleanup_json(const cleanup *c)
{
    const figures during = figures_of(c->during, c->n_during);
    const kk_cleanup_entry entry = {.started_at_s = c->at_s,
                                    .source = "server",
                                    .cause = c->cause,
                                    .is_aggressive = c->is_aggressive,
                                    .is_running = c->is_running,
                                    .elapsed_ms = c->elapsed_ms,
                                    .freed_bytes = c->freed_bytes,
                                    .n_files = c->n_files,
                                    .n_dirs = c->n_dirs,
                                    .problem = c->problem};
    return kk_cleanup_entry_json(&entry, impact_json(&during, &c->before));
}

json_t *kk_cache_log_entry(kk_cache_log *log, unsigned number)
{
    json_t *entry = NULL;
    (void)pthread_mutex_lock(&log->mutex);
    if (log->n_begun - number <= N_CLEANUPS)
        entry = cleanup_json(&log->cleanups[number % N_CLEANUPS]);
    (void)pthread_mutex_unlock(&log->mutex);
    if (entry != NULL)
        (void)json_object_set_new(entry, "writer", json_string(log->writer));
    return entry;
}

/* What the command's clean-up cost the speech of this server, as far as it is known: null where
 * that was not there yet. */
static json_t *impact_of_other(const kk_cache_log *log, const json_t *entry)
{
    const double wall_to_own_s = kk_now_s() - kk_wall_s();
    const double start_s = json_number_value(json_object_get(entry, "started_at")) + wall_to_own_s;
    const double end_s = start_s + json_number_value(json_object_get(entry, "elapsed_ms")) / 1e3;
    latency during[N_BEFORE], before[N_BEFORE];
    size_t n_during = 0, n_before = 0;
    if (start_s < log->created_s)
        return json_null();
    for (size_t i = 0; i < N_BEFORE && i < log->n_last; i++) {
        const latency *l = &log->last[i];
        if (l->end_s < start_s)
            before[n_before++] = *l;
        else if (l->start_s <= end_s)
            during[n_during++] = *l;
    }
    const figures of_during = figures_of(during, n_during),
                  of_before = figures_of(before, n_before);
    return impact_json(&of_during, &of_before);
}

static bool is_of(const json_t *entry, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(entry, name));
    return text != NULL && strcmp(text, value) == 0;
}

/* Put an entry at its place, the newest first; the reference is taken. */
static void insert(json_t *recent, json_t *entry)
{
    const double at_s = json_number_value(json_object_get(entry, "started_at"));
    size_t i = 0;
    while (i < json_array_size(recent) &&
           json_number_value(json_object_get(json_array_get(recent, i), "started_at")) >= at_s)
        i++;
    (void)json_array_insert_new(recent, i, entry);
}

/* Under the mutex. */
static void insert_others(json_t *recent, const kk_cache_log *log, const json_t *others)
{
    const json_t *other;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)others, i, other)
    {
        if (is_of(other, "writer", log->writer))
            continue;
        json_t *entry = json_copy((json_t *)(uintptr_t)other);
        (void)json_object_del(entry, "writer");
        if (is_of(entry, "source", "command"))
            (void)json_object_set_new(entry, "performance_impact", impact_of_other(log, entry));
        insert(recent, entry);
    }
}

json_t *kk_cache_log_json(kk_cache_log *log, const json_t *others)
{
    json_t *recent = json_array();
    (void)pthread_mutex_lock(&log->mutex);
    for (unsigned i = 0; i < N_CLEANUPS && i < log->n_begun; i++)
        insert(recent, cleanup_json(&log->cleanups[(log->n_begun - 1 - i) % N_CLEANUPS]));
    insert_others(recent, log, others);
    while (json_array_size(recent) > N_CLEANUPS)
        (void)json_array_remove(recent, N_CLEANUPS);
    json_t *object =
        json_pack("{s:I, s:o, s:o}", "count", (json_int_t)log->n_ended, "total_freed_mb",
                  kk_json_real(kk_cache_mb(log->freed_bytes)), "recent", recent);
    (void)pthread_mutex_unlock(&log->mutex);
    return object;
}
