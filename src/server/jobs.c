/* jobs.c - a ring of jobs under one mutex. */
#include "server/jobs.h"

#include "base/alloc.h"
#include "base/status.h"

#include <pthread.h>
#include <stdbool.h>

typedef struct entry {
    kk_job_fn *fn;
    void *job;
} entry;

struct kk_jobs {
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    entry *ring; /* [max_waiting] */
    size_t first, n_waiting, max_waiting, n_running;
    size_t peak_waiting, peak_running;
    uint64_t n_taken;
    pthread_t *threads; /* [n_workers] */
    size_t n_workers;
    bool is_stopping;
};

static void *work(void *user)
{
    kk_jobs *jobs = user;
    (void)pthread_mutex_lock(&jobs->mutex);
    for (;;) {
        while (jobs->n_waiting == 0 && !jobs->is_stopping)
            (void)pthread_cond_wait(&jobs->has_work, &jobs->mutex);
        if (jobs->n_waiting == 0)
            break;
        entry next = jobs->ring[jobs->first];
        jobs->first = (jobs->first + 1) % jobs->max_waiting;
        jobs->n_waiting--;
        jobs->n_running++;
        jobs->n_taken++;
        if (jobs->n_running > jobs->peak_running)
            jobs->peak_running = jobs->n_running;
        (void)pthread_mutex_unlock(&jobs->mutex);
        next.fn(next.job);
        (void)pthread_mutex_lock(&jobs->mutex);
        jobs->n_running--;
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
    return NULL;
}

int kk_jobs_start(kk_jobs **out, size_t n_workers, size_t max_waiting, kokoro_error *err)
{
    *out = NULL;
    kk_jobs *jobs = kk_calloc(1, sizeof(*jobs));
    if (jobs == NULL)
        return kk_fail_memory(err);
    if (pthread_mutex_init(&jobs->mutex, NULL) != 0) {
        kk_free(jobs);
        return kk_fail_memory(err);
    }
    if (pthread_cond_init(&jobs->has_work, NULL) != 0) {
        (void)pthread_mutex_destroy(&jobs->mutex);
        kk_free(jobs);
        return kk_fail_memory(err);
    }
    jobs->max_waiting = max_waiting;
    jobs->ring = kk_calloc(max_waiting, sizeof(*jobs->ring));
    jobs->threads = kk_calloc(n_workers, sizeof(*jobs->threads));
    int status = KOKORO_OK;
    if (jobs->ring == NULL || jobs->threads == NULL)
        status = kk_fail_memory(err);
    while (status == KOKORO_OK && jobs->n_workers < n_workers) {
        if (pthread_create(&jobs->threads[jobs->n_workers], NULL, work, jobs) != 0)
            status = kk_fail(err, KOKORO_NO_MEMORY, "worker thread %zu of %zu cannot be made",
                             jobs->n_workers + 1, n_workers);
        else
            jobs->n_workers++;
    }
    if (status != KOKORO_OK)
        kk_jobs_stop(&jobs);
    *out = jobs;
    return status;
}

int kk_jobs_add(kk_jobs *jobs, kk_job_fn *fn, void *job)
{
    int status = KOKORO_BUSY;
    (void)pthread_mutex_lock(&jobs->mutex);
    if (jobs->n_waiting < jobs->max_waiting && !jobs->is_stopping) {
        size_t last = (jobs->first + jobs->n_waiting) % jobs->max_waiting;
        jobs->ring[last] = (entry){fn, job};
        jobs->n_waiting++;
        if (jobs->n_waiting > jobs->peak_waiting)
            jobs->peak_waiting = jobs->n_waiting;
        status = KOKORO_OK;
        (void)pthread_cond_signal(&jobs->has_work);
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
    return status;
}

void kk_jobs_read(kk_jobs *jobs, kk_jobs_view *view)
{
    (void)pthread_mutex_lock(&jobs->mutex);
    *view =
        (kk_jobs_view){jobs->n_waiting,    jobs->n_running,    jobs->n_workers, jobs->max_waiting,
                       jobs->peak_waiting, jobs->peak_running, jobs->n_taken};
    (void)pthread_mutex_unlock(&jobs->mutex);
}

void kk_jobs_stop(kk_jobs **jobs_ptr)
{
    kk_jobs *jobs = jobs_ptr != NULL ? *jobs_ptr : NULL;
    if (jobs == NULL)
        return;
    *jobs_ptr = NULL;
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->is_stopping = true;
    (void)pthread_cond_broadcast(&jobs->has_work);
    (void)pthread_mutex_unlock(&jobs->mutex);
    for (size_t i = 0; i < jobs->n_workers; i++)
        (void)pthread_join(jobs->threads[i], NULL);
    (void)pthread_cond_destroy(&jobs->has_work);
    (void)pthread_mutex_destroy(&jobs->mutex);
    kk_free(jobs->ring);
    kk_free(jobs->threads);
    kk_free(jobs);
}
