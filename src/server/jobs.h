/*
 * jobs.h - a few threads that work off a bounded queue: first come, first served among those who
 * share alike. Of whom the fewest run comes first, so that one client's many do not keep out
 * another's one; of the places to wait a group has no more than are left for others; and patient
 * jobs have at most half of the places, and those only when nobody else waits; once they have
 * waited for KK_JOBS_PATIENCE_S they are chosen as though somebody listened.
 *
 * Besides its own threads there are guests: threads that wait for a client most of the time and
 * have work now and then. They wait in the same queue, by the same rules and limits, and take one
 * of the same places while they work:
 *
 *     kk_jobs_enter    the first time it waits for its turn, as a job does; afterwards, as somebody
 *                      listens already, it goes in at once: then more may run than there are
 *                      workers, and nobody else begins until it is fewer again
 *     kk_jobs_leave    its place is free for others; nothing where it has none
 */
#ifndef KK_SERVER_JOBS_H
#define KK_SERVER_JOBS_H

#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kk_jobs kk_jobs;
typedef void kk_job_fn(void *job);
/* Nobody wants what it would do any more. Asked often, of jobs under the queue's own lock: it must
 * answer at once and call nothing of this header. */
typedef bool kk_job_over_fn(void *user);

/* NO_MEMORY, also when a thread cannot be made. */
int kk_jobs_start(kk_jobs **out, size_t n_workers, size_t max_waiting, kokoro_error *err);
/* OK, or BUSY when max_waiting jobs wait already; then fn is not called. */
int kk_jobs_add(kk_jobs *jobs, kk_job_fn *fn, void *job);

/* As long as the engine lets nobody wait without a turn (engine/schedule.h). */
#define KK_JOBS_PATIENCE_S 20.0
/* Another time, before the first job; for tests. */
void kk_jobs_set_patience(kk_jobs *jobs, double patience_s);

/*
 * From here on a job that waits and is over gives its place in the queue up within some 20 ms: its
 * fn runs at once, beside those that have places, and has to find that there is nothing left to do:
 * one runs after the other. A thread of its own asks, while anybody waits. NO_MEMORY when it cannot
 * be made. Once at most.
 */
int kk_jobs_watch(kk_jobs *jobs, kokoro_error *err);

typedef struct kk_job_kind {
    uint64_t group;          /* whose it is; 0: nobody's in particular */
    bool is_patient;         /* nobody waits for its first result */
    double sound_s;          /* that it will probably make; 0: that is not known */
    kk_job_over_fn *is_over; /* of a job, asked with it: see kk_jobs_watch; NULL: it never is */
} kk_job_kind;

/* A guest; its kind is set, all else 0. Stays where it is while it waits or is in. */
typedef struct kk_job_guest {
    kk_job_kind kind;
    bool has_begun, is_in;
    bool is_job;              /* the place of a worker's job */
    double went_in_s, cost_s; /* its share of the time: see kk_jobs_made */
    struct kk_job_guest *next;
} kk_job_guest;

/*
 * The same for a job of a kind; BUSY when max_waiting jobs wait (no more than at the start), or of
 * its group, unless that is 0, as many as there are places left.
 * *place, unless `place` is NULL, is set before fn runs, for the time that it runs: with it fn may
 * stand aside as a guest does, kk_jobs_leave and then kk_jobs_enter, and another thread does its
 * work meanwhile. Threads for that are made when they are needed first, KK_JOBS_MAX_ASIDE at most;
 * when as many stand aside, the next one keeps its place.
 */
enum { KK_JOBS_MAX_ASIDE = 64 };
int kk_jobs_add_of(kk_jobs *jobs, kk_job_fn *fn, void *job, kk_job_kind kind, size_t max_waiting,
                   kk_job_guest **place);

/* OK: it is in. BUSY as above; CANCELLED: is_over said so while it waited, where it is asked every
 * few milliseconds. One that has begun, or is in already, gets OK alone, and is_over is not asked.
 */
int kk_jobs_enter(kk_jobs *jobs, kk_job_guest *guest, size_t max_waiting, kk_job_over_fn *is_over,
                  void *user);
void kk_jobs_leave(kk_jobs *jobs, kk_job_guest *guest);

/*
 * From fn, at its end: so much sound its job has made. From that is learnt how much time of all a
 * second of sound takes; where n run at once, each has an nth of the time that goes by.
 */
void kk_jobs_made(kk_jobs *jobs, const kk_job_guest *place, double sound_s);

/* A job or guest of that group could wait now. */
bool kk_jobs_has_room(kk_jobs *jobs, uint64_t group, size_t max_waiting);

typedef struct kk_jobs_view {
    size_t n_waiting, n_running, n_workers, max_waiting;
    size_t peak_waiting, peak_running; /* the most at once so far */
    uint64_t n_taken;                  /* jobs and guests that have begun */
    double gap_s; /* between places that become free while others wait, a running mean since nobody
                     ran; 0: not known */
    double waiting_sound_s; /* that those who wait will probably make */
    double cost_of_sound;   /* seconds of all by seconds of sound, a running mean; 0: not known */
} kk_jobs_view;
void kk_jobs_read(kk_jobs *jobs, kk_jobs_view *view);

/* Work off what is queued, then end the threads; NULL is allowed. What is added from here on is
 * refused as BUSY, guests that have begun go on, and kk_jobs_read goes on to answer. */
void kk_jobs_end(kk_jobs *jobs);
/* The same, and free it, when nobody reads it any more and no guest is in. Sets *jobs to NULL. */
void kk_jobs_stop(kk_jobs **jobs);

#endif
