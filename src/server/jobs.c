/* jobs.c - jobs and guests in the order in which they came, under one mutex. */
#include "server/jobs.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* Of a running mean: how much the last value counts for. */
static const double LEARNING = 0.2;

/* So often those who wait are asked whether they are over. */
enum { ASK_MS = 20 };

typedef struct entry {
    kk_job_fn *fn; /* NULL: the job is a guest */
    void *job;
    kk_job_kind kind;
    kk_job_guest **place; /* where a job wants its own; NULL */
    double came_s;        /* kk_now_s */
} entry;

struct kk_jobs {
    pthread_mutex_t mutex;
    pthread_cond_t has_work, has_admitted, has_waiting;
    entry *waiting; /* [max_waiting], the oldest first */
    size_t n_waiting, max_waiting;
    kk_job_guest *running; /* a worker is one too while it has a job */
    size_t n_running, n_running_patient;
    double ended_s, gap_s;
    double shared_s, looked_s; /* the time since the start by how many shared it, up to kk_now_s */
    double cost_of_sound;
    size_t peak_waiting, peak_running;
    uint64_t n_taken;
    pthread_t *threads;         /* [n_threads] of n_workers + KK_JOBS_MAX_ASIDE */
    size_t n_threads, n_joined; /* a thread for each place, and each job that stands aside */
    size_t n_workers;           /* places */
    double patience_s;
    size_t n_aside; /* jobs that gave theirs up for a while */
    pthread_t watcher;
    bool has_watcher, is_stopping;
};

static size_t n_running_of(const kk_jobs *jobs, uint64_t group)
{
    size_t n = 0;
    for (const kk_job_guest *guest = jobs->running; guest != NULL; guest = guest->next)
        n += guest->kind.group == group;
    return n;
}

/* Nobody waits for its first result, and it has not waited for long. */
static bool can_wait(const kk_jobs *jobs, const entry *e, double now_s)
{
    return e->kind.is_patient && now_s - e->came_s < jobs->patience_s;
}

/* The next job, as its place among the waiting; n_waiting: none may begin now. */
static size_t choose(const kk_jobs *jobs)
{
    const size_t most_patient = jobs->n_workers > 1 ? jobs->n_workers / 2 : 1;
    const double now_s = kk_now_s();
    size_t best = jobs->n_waiting, least = 0;
    bool best_can_wait = false;
    if (jobs->n_running >= jobs->n_workers)
        return best;
    for (size_t i = 0; i < jobs->n_waiting; i++) {
        const kk_job_kind *kind = &jobs->waiting[i].kind;
        const size_t n = n_running_of(jobs, kind->group);
        if (kind->is_patient && jobs->n_running_patient >= most_patient)
            continue;
        const bool can = can_wait(jobs, &jobs->waiting[i], now_s);
        const bool is_better = best == jobs->n_waiting || (best_can_wait && !can) ||
                               (best_can_wait == can && n < least);
        if (is_better) {
            best = i;
            best_can_wait = can;
            least = n;
        }
    }
    return best;
}

static entry remove_waiting(kk_jobs *jobs, size_t place)
{
    const entry next = jobs->waiting[place];
    jobs->n_waiting--;
    memmove(jobs->waiting + place, jobs->waiting + place + 1,
            (jobs->n_waiting - place) * sizeof(*jobs->waiting));
    return next;
}

/* Before another one shares the time, or one less. */
static void share_time(kk_jobs *jobs)
{
    const double now_s = kk_now_s();
    if (jobs->n_running > 0)
        jobs->shared_s += (now_s - jobs->looked_s) / (double)jobs->n_running;
    jobs->looked_s = now_s;
}

static void learn(double *mean, double value)
{
    *mean = *mean > 0.0 ? *mean + LEARNING * (value - *mean) : value;
}

static void go_in(kk_jobs *jobs, kk_job_guest *guest)
{
    share_time(jobs);
    guest->went_in_s = jobs->shared_s;
    guest->is_in = true;
    jobs->n_aside -= guest->is_job && guest->has_begun;
    guest->next = jobs->running;
    jobs->running = guest;
    jobs->n_running++;
    jobs->n_running_patient += guest->kind.is_patient;
    if (jobs->n_running > jobs->peak_running)
        jobs->peak_running = jobs->n_running;
    if (!guest->has_begun)
        jobs->n_taken++;
    guest->has_begun = true;
}

/* Guests whose turn it is go in, up to the next job: that is for a worker. */
static void admit(kk_jobs *jobs)
{
    size_t place = choose(jobs);
    while (place < jobs->n_waiting && jobs->waiting[place].fn == NULL) {
        go_in(jobs, remove_waiting(jobs, place).job);
        (void)pthread_cond_broadcast(&jobs->has_admitted);
        place = choose(jobs);
    }
}

/* How often a place becomes free, and somebody who waits goes in, tells how long others wait. */
static void learn_gap(kk_jobs *jobs)
{
    const double now_s = kk_now_s();
    if (jobs->n_waiting > 0 && jobs->ended_s > 0.0)
        learn(&jobs->gap_s, now_s - jobs->ended_s);
    if (jobs->n_waiting == 0 && jobs->n_running == 0)
        jobs->gap_s = 0.0; /* those to come may be of another kind */
    jobs->ended_s = jobs->n_waiting > 0 ? now_s : 0.0;
}

static void come_out(kk_jobs *jobs, kk_job_guest *guest)
{
    kk_job_guest **link = &jobs->running;
    while (*link != guest)
        link = &(*link)->next;
    *link = guest->next;
    share_time(jobs);
    guest->cost_s += jobs->shared_s - guest->went_in_s;
    guest->is_in = false;
    jobs->n_running--;
    jobs->n_running_patient -= guest->kind.is_patient;
    if (jobs->n_running >= jobs->n_workers)
        return; /* nobody may begin for it */
    learn_gap(jobs);
    admit(jobs);
    /* What was held back may begin now. */
    (void)pthread_cond_broadcast(&jobs->has_work);
}

static void *work(void *user)
{
    kk_jobs *jobs = user;
    (void)pthread_mutex_lock(&jobs->mutex);
    for (;;) {
        admit(jobs);
        const size_t place = choose(jobs);
        if (place < jobs->n_waiting) {
            const entry next = remove_waiting(jobs, place);
            kk_job_guest self = {.kind = next.kind, .is_job = true};
            if (next.place != NULL)
                *next.place = &self;
            go_in(jobs, &self);
            admit(jobs);
            (void)pthread_mutex_unlock(&jobs->mutex);
            next.fn(next.job);
            (void)pthread_mutex_lock(&jobs->mutex);
            if (self.is_in)
                come_out(jobs, &self);
            else
                jobs->n_aside--;
        } else if (jobs->is_stopping && jobs->n_waiting == 0) {
            break;
        } else {
            (void)pthread_cond_wait(&jobs->has_work, &jobs->mutex);
        }
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
    return NULL;
}

/* --- those who are over while they wait --- */

/* The next one leaves the queue; n_waiting: there is none. */
static size_t find_over(const kk_jobs *jobs)
{
    size_t place = 0;
    while (place < jobs->n_waiting) {
        const entry *e = &jobs->waiting[place];
        if (e->fn != NULL && e->kind.is_over != NULL && e->kind.is_over(e->job))
            break;
        place++;
    }
    return place;
}

static void run_beside(kk_jobs *jobs, entry over)
{
    kk_job_guest self = {.kind = over.kind, .has_begun = true};
    if (over.place != NULL)
        *over.place = &self;
    (void)pthread_mutex_unlock(&jobs->mutex);
    over.fn(over.job);
    (void)pthread_mutex_lock(&jobs->mutex);
    if (self.is_in)
        come_out(jobs, &self);
}

static void *watch(void *user)
{
    const struct timespec pause = {.tv_nsec = ASK_MS * 1000000L};
    kk_jobs *jobs = user;
    (void)pthread_mutex_lock(&jobs->mutex);
    while (!jobs->is_stopping || jobs->n_waiting > 0) {
        const size_t place = find_over(jobs);
        if (place < jobs->n_waiting) {
            run_beside(jobs, remove_waiting(jobs, place));
        } else if (jobs->n_waiting == 0) {
            (void)pthread_cond_wait(&jobs->has_waiting, &jobs->mutex);
        } else {
            (void)pthread_mutex_unlock(&jobs->mutex);
            (void)nanosleep(&pause, NULL);
            (void)pthread_mutex_lock(&jobs->mutex);
        }
    }
    /* Workers that could not begin what was the last have nothing to wait for. */
    (void)pthread_cond_broadcast(&jobs->has_work);
    (void)pthread_mutex_unlock(&jobs->mutex);
    return NULL;
}

int kk_jobs_watch(kk_jobs *jobs, kokoro_error *err)
{
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->has_watcher = pthread_create(&jobs->watcher, NULL, watch, jobs) == 0;
    const bool is_made = jobs->has_watcher;
    (void)pthread_mutex_unlock(&jobs->mutex);
    return is_made ? KOKORO_OK
                   : kk_fail(err, KOKORO_NO_MEMORY, "no thread can be made to watch the queue");
}

void kk_jobs_set_patience(kk_jobs *jobs, double patience_s)
{
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->patience_s = patience_s;
    (void)pthread_mutex_unlock(&jobs->mutex);
}

static bool add_thread(kk_jobs *jobs)
{
    if (pthread_create(&jobs->threads[jobs->n_threads], NULL, work, jobs) != 0)
        return false;
    jobs->n_threads++;
    return true;
}

/* All or none. */
static bool init_locks(kk_jobs *jobs)
{
    pthread_cond_t *const conds[] = {&jobs->has_work, &jobs->has_admitted, &jobs->has_waiting};
    size_t n = 0;
    if (pthread_mutex_init(&jobs->mutex, NULL) != 0)
        return false;
    while (n < 3 && pthread_cond_init(conds[n], NULL) == 0)
        n++;
    if (n == 3)
        return true;
    while (n-- > 0)
        (void)pthread_cond_destroy(conds[n]);
    (void)pthread_mutex_destroy(&jobs->mutex);
    return false;
}

int kk_jobs_start(kk_jobs **out, size_t n_workers, size_t max_waiting, kokoro_error *err)
{
    *out = NULL;
    kk_jobs *jobs = kk_calloc(1, sizeof(*jobs));
    if (jobs == NULL)
        return kk_fail_memory(err);
    if (!init_locks(jobs)) {
        kk_free(jobs);
        return kk_fail_memory(err);
    }
    jobs->max_waiting = max_waiting;
    jobs->patience_s = KK_JOBS_PATIENCE_S;
    jobs->waiting = kk_calloc(max_waiting, sizeof(*jobs->waiting));
    jobs->threads = kk_calloc(n_workers + KK_JOBS_MAX_ASIDE, sizeof(*jobs->threads));
    int status = KOKORO_OK;
    if (jobs->waiting == NULL || jobs->threads == NULL)
        status = kk_fail_memory(err);
    (void)pthread_mutex_lock(&jobs->mutex);
    while (status == KOKORO_OK && jobs->n_workers < n_workers) {
        if (!add_thread(jobs))
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

/* A group has no more waiting than there are places left: alone half of all, a second one half of
 * the rest, and so on, so that there is one for whoever has none yet. Nobody's in particular share
 * no such bound: they may be one client's or a thousand's. */
static bool has_room(const kk_jobs *jobs, uint64_t group, size_t max_waiting)
{
    const size_t limit = max_waiting < jobs->max_waiting ? max_waiting : jobs->max_waiting;
    size_t n_own = 0;
    for (size_t i = 0; i < jobs->n_waiting && group != 0; i++)
        n_own += jobs->waiting[i].kind.group == group;
    return jobs->n_waiting < limit && n_own < limit - jobs->n_waiting;
}

static int add(kk_jobs *jobs, entry next, size_t max_waiting)
{
    if (jobs->is_stopping || !has_room(jobs, next.kind.group, max_waiting))
        return KOKORO_BUSY;
    next.came_s = kk_now_s();
    jobs->waiting[jobs->n_waiting++] = next;
    (void)pthread_cond_signal(&jobs->has_waiting);
    if (jobs->n_waiting > jobs->peak_waiting)
        jobs->peak_waiting = jobs->n_waiting;
    return KOKORO_OK;
}

int kk_jobs_add_of(kk_jobs *jobs, kk_job_fn *fn, void *job, kk_job_kind kind, size_t max_waiting,
                   kk_job_guest **place)
{
    (void)pthread_mutex_lock(&jobs->mutex);
    int status =
        add(jobs, (entry){.fn = fn, .job = job, .kind = kind, .place = place}, max_waiting);
    if (status == KOKORO_OK)
        (void)pthread_cond_signal(&jobs->has_work);
    (void)pthread_mutex_unlock(&jobs->mutex);
    return status;
}

int kk_jobs_add(kk_jobs *jobs, kk_job_fn *fn, void *job)
{
    return kk_jobs_add_of(jobs, fn, job, (kk_job_kind){0}, SIZE_MAX, NULL);
}

/* --- guests --- */

static void remove_guest(kk_jobs *jobs, const kk_job_guest *guest)
{
    size_t place = 0;
    while (jobs->waiting[place].job != guest)
        place++;
    (void)remove_waiting(jobs, place);
}

static void wait_a_little(kk_jobs *jobs)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    const long ns = until.tv_nsec + ASK_MS * 1000000L;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_cond_timedwait(&jobs->has_admitted, &jobs->mutex, &until);
}

int kk_jobs_enter(kk_jobs *jobs, kk_job_guest *guest, size_t max_waiting, kk_job_over_fn *is_over,
                  void *user)
{
    int status = KOKORO_OK;
    (void)pthread_mutex_lock(&jobs->mutex);
    if (guest->is_in) {
        /* It has its place. */
    } else if (guest->has_begun) {
        go_in(jobs, guest);
    } else {
        status = add(jobs, (entry){.job = guest, .kind = guest->kind}, max_waiting);
        admit(jobs);
    }
    while (status == KOKORO_OK && !guest->is_in) {
        wait_a_little(jobs);
        if (guest->is_in)
            break;
        (void)pthread_mutex_unlock(&jobs->mutex);
        const bool must_go = is_over(user);
        (void)pthread_mutex_lock(&jobs->mutex);
        if (must_go && !guest->is_in) {
            remove_guest(jobs, guest);
            status = KOKORO_CANCELLED;
        }
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
    return status;
}

/* Somebody must be there to take the place. Where no thread can be made it is taken when one of
 * those that are has nothing else to do. */
static void replace_thread(kk_jobs *jobs)
{
    jobs->n_aside++;
    if (jobs->n_threads < jobs->n_workers + jobs->n_aside && !jobs->is_stopping)
        (void)add_thread(jobs);
}

void kk_jobs_leave(kk_jobs *jobs, kk_job_guest *guest)
{
    (void)pthread_mutex_lock(&jobs->mutex);
    const bool must_stay = guest->is_job && jobs->n_aside >= KK_JOBS_MAX_ASIDE;
    if (guest->is_in && !must_stay) {
        come_out(jobs, guest);
        if (guest->is_job)
            replace_thread(jobs);
    }
    (void)pthread_mutex_unlock(&jobs->mutex);
}

bool kk_jobs_has_room(kk_jobs *jobs, uint64_t group, size_t max_waiting)
{
    (void)pthread_mutex_lock(&jobs->mutex);
    const bool is_so = has_room(jobs, group, max_waiting);
    (void)pthread_mutex_unlock(&jobs->mutex);
    return is_so;
}

void kk_jobs_made(kk_jobs *jobs, const kk_job_guest *place, double sound_s)
{
    (void)pthread_mutex_lock(&jobs->mutex);
    share_time(jobs);
    const double now_in_s = place->is_in ? jobs->shared_s - place->went_in_s : 0.0;
    if (sound_s > 0.0)
        learn(&jobs->cost_of_sound, (place->cost_s + now_in_s) / sound_s);
    (void)pthread_mutex_unlock(&jobs->mutex);
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
                           .gap_s = jobs->gap_s,
                           .cost_of_sound = jobs->cost_of_sound};
    for (size_t i = 0; i < jobs->n_waiting; i++)
        view->waiting_sound_s += jobs->waiting[i].kind.sound_s;
    (void)pthread_mutex_unlock(&jobs->mutex);
}

void kk_jobs_end(kk_jobs *jobs)
{
    if (jobs == NULL)
        return;
    (void)pthread_mutex_lock(&jobs->mutex);
    jobs->is_stopping = true;
    (void)pthread_cond_broadcast(&jobs->has_work);
    (void)pthread_cond_signal(&jobs->has_waiting);
    const bool has_watcher = jobs->has_watcher;
    jobs->has_watcher = false;
    (void)pthread_mutex_unlock(&jobs->mutex);
    if (has_watcher)
        (void)pthread_join(jobs->watcher, NULL);
    for (; jobs->n_joined < jobs->n_threads; jobs->n_joined++)
        (void)pthread_join(jobs->threads[jobs->n_joined], NULL);
}

void kk_jobs_stop(kk_jobs **jobs_ptr)
{
    kk_jobs *jobs = jobs_ptr != NULL ? *jobs_ptr : NULL;
    if (jobs == NULL)
        return;
    *jobs_ptr = NULL;
    kk_jobs_end(jobs);
    (void)pthread_cond_destroy(&jobs->has_waiting);
    (void)pthread_cond_destroy(&jobs->has_admitted);
    (void)pthread_cond_destroy(&jobs->has_work);
    (void)pthread_mutex_destroy(&jobs->mutex);
    kk_free(jobs->waiting);
    kk_free(jobs->threads);
    kk_free(jobs);
}
