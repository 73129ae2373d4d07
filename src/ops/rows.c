/* rows.c - row by row work on all threads. */
#include "ops/ops.h"

typedef struct rows_job {
    kk_rows_task *task;
    void *context;
    size_t n_rows, rows_a_task;
} rows_job;

static void run_rows(void *context, size_t task, size_t worker)
{
    (void)worker;
    const rows_job *job = context;
    const size_t first = task * job->rows_a_task, left = job->n_rows - first;
    job->task(job->context, first, left < job->rows_a_task ? left : job->rows_a_task);
}

void kk_for_rows(const kk_ops *ops, kk_rows_task *task, void *context, size_t n_rows,
                 size_t rows_a_task)
{
    rows_job job = {task, context, n_rows, rows_a_task};
    kk_pool_run(ops->pool, run_rows, &job, (n_rows + rows_a_task - 1) / rows_a_task);
}
