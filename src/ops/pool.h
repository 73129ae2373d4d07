/*
 * pool.h - threads that share one piece of work at a time: tasks 0 to n-1, handed out in order.
 *
 * The caller works too. Which thread does a task never shows in a result: a task writes its own
 * rows, and sums over tasks are taken in the order of the tasks.
 */
#ifndef KK_OPS_POOL_H
#define KK_OPS_POOL_H

#include "kokoro/kokoro.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct kk_pool kk_pool;

/* `worker` from 0 to the pool's size - 1: whose scratch memory to use. */
typedef void kk_task(void *context, size_t task, size_t worker);

/* At most n_threads, 1 or more, the caller among them; the others are started when there is work
 * for them, and where one cannot be started fewer do it. NO_MEMORY. */
int kk_pool_create(kk_pool **out, int n_threads, kokoro_error *err);
void kk_pool_destroy(kk_pool **pool);
/* The most threads that will ever share the work. */
size_t kk_pool_size(const kk_pool *pool);

/* No more than *limit threads from the next run on; it is read at every run, so that several pools
 * can share the processors as their number changes. NULL: as many as the pool's size. */
void kk_pool_limit(kk_pool *pool, const atomic_int *limit);

/*
 * Run every task and wait. One caller at a time. After kk_pool_cancel, tasks that have not begun
 * are left out, until kk_pool_reset.
 */
void kk_pool_run(kk_pool *pool, kk_task *task, void *context, size_t n_tasks);

/* Ask `cancelled` between tasks, on the thread that runs the pool; true cancels. NULL: nobody. */
void kk_pool_watch(kk_pool *pool, bool (*cancelled)(void *user), void *user);

/* From any thread. */
void kk_pool_cancel(kk_pool *pool);
bool kk_pool_cancelled(const kk_pool *pool);
void kk_pool_reset(kk_pool *pool);

#endif
