/* jobs.c - jobs in the order in which they came, under one mutex. */
#include "server/jobs.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

#include <pthread.h>
#include <string.h>

/* Of the mean gap: how much the last one counts for. */
static const double LEARNING = 0.2;

typedef struct entry {
    kk_job_fn *fn;
    void *job;
    kk_job_kind kind;
} entry;

struct kk_jobs {
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    entry *waiting; /* [max_waiting], the oldest first */
    size_t n_waiting, max_waiting;
    kk_job_kind *running; /* [n_workers] */
    size_t n_running, n_running_patient;
    double ended_s, gap_s;
    size_t peak_waiting, peak_running;
    uint64_t n_taken;
    pthread_t *threads; /* [n_workers] */
    size_t n_workers, n_joined;
    bool is_stopping;
};

static size_t n_running_of(const kk_jobs *jobs, uint64_t group)
{
    size_t n = 0;
    for (size_t i = 0; i < jobs->n_running; i++)
        n += jobs->running[i].group == group;
    return n;
}

/* The next job, as its place among the waiting; n_waiting: none may begin now. */
static size_t choose(const kk_jobs *jobs)
{
    const size_t most_patient = jobs->n_workers > 1 ? jobs->n_workers / 2 : 1;
    size_t best = jobs->n_waiting, least = 0;
    for (size_t i = 0; i < jobs->n_waiting; i++) {
        const kk_job_kind *kind = &jobs->waiting[i].kind;
        const size_t n = n_running_of(jobs, kind->group);
        if (kind->is_patient && jobs->n_running_patient >= most_patient)
            continue;
        const bool is_better =
            best == jobs->n_waiting || (jobs->waiting[best].kind.is_patient && !kind->is_patient) ||
            (jobs->waiting[best].kind.is_patient == kind->is_patient && n < least);
        if (is_better) {
            best = i;
            least = n;
        }
    }
    return best;
}

static entry take(kk_jobs *jobs, size_t place)
{
    const entry next = jobs->waiting[place];
    jobs->n_waiting--;
    memmove(jobs->waiting + place, jobs->waiting + place + 1,
            (jobs->n_waiting - place) * sizeof(*jobs->waiting));
    jobs->running[jobs->n_running++] = next.kind;
    jobs->n_running_patient += next.kind.is_patient;
    jobs->n_taken++;
    if (jobs->n_running > jobs->peak_running)
        jobs->peak_running = jobs->n_running;
    return next;
}

static void end(kk_jobs *jobs, kk_job_kind kind)
{
    size_t i = 0;
    const double now_s = kk_now_s();
    while (jobs->running[i].group != kind.group || jobs->running[i].is_patient != kind.is_patient)
        i++;
    jobs->running[i] = jobs->running[--jobs->n_running];
    jobs->n_running_patient -= kind.is_patient;
    if (jobs->n_waiting > 0 && jobs->ended_s > 0.0) {
        const double gap_s = now_s - jobs->ended_s;
        jobs->gap_s = jobs->gap_s > 0.0 ? jobs->gap_s + LEARNING * (gap_s - jobs->gap_s) : gap_s;
    }
    jobs->ended_s = jobs->n_waiting > 0 ? now_s : 0.0;
    /* What was held back may begin now. */
    (void)pthread_cond_broadcast(&jobs->has_work);
}

static void *work(void *user)
{
    kk_jobs *jobs = user;
    (void)pthread_mutex_lock(&jobs->mutex);
    for (;;) {
        const size_t place = choose(jobs);
        if (place < jobs->n_waiting) {
            const entry next = take(jobs, place);
            (void)pthread_mutex_unlock(&jobs->mutex);
            next.fn(next.job);
            (void)pthread_mutex_lock(&jobs->mutex);
            end(jobs, next.kind);
        } else if (jobs->is_stopping && jobs->n_waiting == 0) {
            break;
        } else {
            (void)pthread_cond_wait(&jobs->has_work, &jobs->mutex);
        }
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
    jobs->waiting = kk_calloc(max_waiting, sizeof(*jobs->waiting));
    jobs->running = kk_calloc(n_workers, sizeof(*jobs->running));
    jobs->threads = kk_calloc(n_workers, sizeof(*jobs->threads));
    int status = KOKORO_OK;
    if (jobs->waiting == NULL || jobs->running == NULL || jobs->threads == NULL)
        status = kk_fail_memory(err);
    (void)pthread_mutex_lock(&jobs->mutex);
    while (status == KOKORO_OK && jobs->n_workers < n_workers) {
        if (pthread_create(&jobs->threads[jobs->n_workers], NULL, work, jobs) != 0)
            status = kk_fail(err, KOKORO_NO_MEMORY, "worker thread %zu of %zu cannot be made",
                             jobs->n_workers + 1, n_workers);
        else
            jobs->n_workers++;
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (status != KOKORO_OK)
        kk_jobs_stop(&jobs);
    *out = jobs;
    return status;
}

int kk_jobs_add_of(kk_jobs *jobs, kk_job_fn *fn, void *job, kk_job_kind kind, size_t max_waiting)
{
    int status = KOKORO_BUSY;
    (void)pthread_mutex_lock(&jobs->mutex);
    const size_t limit = max_waiting < jobs->max_waiting ? max_waiting : jobs->max_waiting;
    if (jobs->n_waiting < limit && !jobs->is_stopping) {
        jobs->waiting[jobs->n_waiting++] = (entry){fn, job, kind};
        if (jobs->n_waiting > jobs->peak_waiting)
            jobs->peak_waiting = jobs->n_waiting;
        status = KOKORO_OK;
        (void)pthread_cond_signal(&jobs->has_work);
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
    return status;
}

int kk_jobs_add(kk_jobs *jobs, kk_job_fn *fn, void *job)
{
    return kk_jobs_add_of(jobs, fn, job, (kk_job_kind){0, false}, SIZE_MAX);
}

void kk_jobs_read(kk_jobs *jobs, kk_jobs_view *view)
{
    (void)pthread_mutex_lock(&jobs->mutex);
    *view = (kk_jobs_view){.n_waiting = jobs->n_waiting,
                           .n_running = jobs->n_running,
                           .n_workers = jobs->n_workers,
                           .max_waiting = jobs->max_waiting,
                           .peak_waiting = jobs->peak_waiting,
                           .peak_running = jobs->peak_running,
                           .n_taken = jobs->n_taken,
                           .gap_s = jobs->gap_s};
    (void)pthread_mutex_unlock(&jobs->mutex);
}

void kk_jobs_end(kk_jobs *jobs)
{
    if (jobs == NULL)
        return;
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->is_stopping = true;
    (void)pthread_cond_broadcast(&jobs->has_work);
    (void)pthread_mutex_unlock(&jobs->mutex);
    for (; jobs->n_joined < jobs->n_workers; jobs->n_joined++)
        (void)pthread_join(jobs->threads[jobs->n_joined], NULL);
}

void kk_jobs_stop(kk_jobs **jobs_ptr)
{
    kk_jobs *jobs = jobs_ptr != NULL ? *jobs_ptr : NULL;
    if (jobs == NULL)
        return;
    *jobs_ptr = NULL;
    kk_jobs_end(jobs);
    (void)pthread_cond_destroy(&jobs->has_work);
    (void)pthread_mutex_destroy(&jobs->mutex);
    kk_free(jobs->waiting);
    kk_free(jobs->running);
    kk_free(jobs->threads);
    kk_free(jobs);
}
