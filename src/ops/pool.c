/*
 * pool.c - workers wait for a new round by spinning for a moment (an inference has some 300 rounds,
 * most shorter than a wake-up) and then on a condition.
 */
#include "ops/pool.h"

#include "base/alloc.h"
#include "base/status.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { SPINS = 4000 /* some 20 microseconds */ };

typedef struct worker {
    kk_pool *pool;
    size_t index;
    unsigned seen; /* the round before its first */
    pthread_t thread;
} worker;

struct kk_pool {
    pthread_mutex_t mutex;
    pthread_cond_t begun;
    atomic_uint round; /* raised when work is there */
    atomic_bool cancelled;
    const atomic_int *limit;
    kk_task *task;
    void *context;
    size_t n_tasks;
    atomic_size_t next_task;
    atomic_size_t n_busy; /* workers that have not yet finished the round */
    bool (*watch)(void *user);
    void *watch_user;
    size_t most_workers, n_workers; /* without the caller; started */
    size_t n_kept;                  /* of which so many stay after the round */
    worker workers[];
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* On the caller's thread only. */
static void ask(kk_pool *pool)
{
    if (pool->watch != NULL && pool->watch(pool->watch_user))
        kk_pool_cancel(pool);
}

static void take_tasks(kk_pool *pool, size_t index)
{
    for (;;) {
        size_t task = atomic_fetch_add(&pool->next_task, 1);
        if (task >= pool->n_tasks)
            return;
        if (index == 0)
            ask(pool);
        if (!atomic_load_explicit(&pool->cancelled, memory_order_relaxed))
            pool->task(pool->context, task, index);
    }
}

static void wait_for_round(kk_pool *pool, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&pool->round) != seen)
            return;
        pause_cpu();
    }
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->round) == seen)
        pthread_cond_wait(&pool->begun, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

static void *work(void *argument)
{
    worker *self = argument;
    kk_pool *pool = self->pool;
    for (unsigned seen = self->seen;; seen++) {
        wait_for_round(pool, seen);
        take_tasks(pool, self->index);
        const bool stays = self->index <= pool->n_kept;
        atomic_fetch_sub(&pool->n_busy, 1);
        if (!stays)
            return NULL;
    }
}

static void begin_round(kk_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->round, 1);
    pthread_cond_broadcast(&pool->begun);
    pthread_mutex_unlock(&pool->mutex);
}

int kk_pool_create(kk_pool **out, int n_threads, kokoro_error *err)
{
    *out = NULL;
    const size_t n = n_threads > 1 ? (size_t)n_threads - 1 : 0;
    kk_pool *pool = kk_calloc(1, sizeof(*pool) + n * sizeof(pool->workers[0]));
    if (pool == NULL)
        return kk_fail_memory(err);
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) {
        kk_free(pool);
        return kk_fail_memory(err);
    }
    if (pthread_cond_init(&pool->begun, NULL) != 0) {
        pthread_mutex_destroy(&pool->mutex);
        kk_free(pool);
        return kk_fail_memory(err);
    }
    pool->most_workers = n;
    *out = pool;
    return KOKORO_OK;
}

/* A round of all workers, the caller among them, after which n_kept of the workers stay. */
static void run_round(kk_pool *pool, kk_task *task, void *context, size_t n_tasks, size_t n_kept)
{
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    pool->n_kept = n_kept;
    atomic_store(&pool->next_task, 0);
    atomic_store(&pool->n_busy, pool->n_workers);
    begin_round(pool);
    take_tasks(pool, 0);
    for (unsigned i = 1; atomic_load(&pool->n_busy) != 0; i++) {
        pause_cpu();
        if (i % SPINS == 0)
            (void)sched_yield(); /* more threads than processors: let the others finish */
    }
}

static void resize(kk_pool *pool, size_t n_workers)
{
    if (n_workers < pool->n_workers) {
        run_round(pool, NULL, NULL, 0, n_workers);
        while (pool->n_workers > n_workers)
            pthread_join(pool->workers[--pool->n_workers].thread, NULL);
    }
    while (pool->n_workers < n_workers) {
        worker *self = &pool->workers[pool->n_workers];
        *self =
            (worker){.pool = pool, .index = pool->n_workers + 1, .seen = atomic_load(&pool->round)};
        if (pthread_create(&self->thread, NULL, work, self) != 0)
            return;
        pool->n_workers++;
    }
}

void kk_pool_destroy(kk_pool **pool_ptr)
{
    kk_pool *pool = *pool_ptr;
    if (pool == NULL)
        return;
    resize(pool, 0);
    pthread_cond_destroy(&pool->begun);
    pthread_mutex_destroy(&pool->mutex);
    kk_free(pool);
    *pool_ptr = NULL;
}

size_t kk_pool_size(const kk_pool *pool)
{
    return pool->most_workers + 1;
}

/* Of the pool's size, what the limit leaves. */
static size_t wanted_workers(const kk_pool *pool)
{
    const int limit = pool->limit != NULL ? atomic_load(pool->limit) : INT_MAX;
    const size_t others = limit > 1 ? (size_t)limit - 1 : 0;
    return others < pool->most_workers ? others : pool->most_workers;
}

void kk_pool_run(kk_pool *pool, kk_task *task, void *context, size_t n_tasks)
{
    if (n_tasks > 1)
        resize(pool, wanted_workers(pool));
    if (n_tasks > 1 && pool->n_workers > 0) {
        run_round(pool, task, context, n_tasks, pool->n_workers);
        return;
    }
    for (size_t i = 0; i < n_tasks; i++) {
        ask(pool);
        if (!kk_pool_cancelled(pool))
            task(context, i, 0);
    }
}

void kk_pool_limit(kk_pool *pool, const atomic_int *limit)
{
    pool->limit = limit;
}

void kk_pool_watch(kk_pool *pool, bool (*cancelled)(void *user), void *user)
{
    pool->watch = cancelled;
    pool->watch_user = user;
}

void kk_pool_cancel(kk_pool *pool)
{
    atomic_store(&pool->cancelled, true);
}

bool kk_pool_cancelled(const kk_pool *pool)
{
    return atomic_load_explicit(&pool->cancelled, memory_order_relaxed);
}

void kk_pool_reset(kk_pool *pool)
{
    atomic_store(&pool->cancelled, false);
}
