/* test_jobs.c - the queue of jobs and guests: its order, its limits, who may begin. */
#include "base/alloc.h"
#include "base/clock.h"
#include "check.h"
#include "server/jobs.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int n_done;

static void wait_at_gate(void *job)
{
    (void)job;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    n_done++;
}

TEST(a_full_queue_refuses_and_a_stop_works_off)
{
    kk_jobs *jobs = NULL;
    kk_jobs_view view;
    n_done = 0;
    CHECK_INT(kk_jobs_start(&jobs, 1, 2, NULL), KOKORO_OK);
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_OK);
    do
        kk_jobs_read(jobs, &view);
    while (view.n_running == 0);
    CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_OK);
    CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_OK);
    CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_BUSY);
    kk_jobs_read(jobs, &view);
    CHECK_INT(view.n_waiting, 2);
    CHECK_INT(view.max_waiting, 2);
    CHECK_INT(view.n_workers, 1);
    (void)pthread_mutex_unlock(&gate);
    kk_jobs_stop(&jobs);
    CHECK(jobs == NULL);
    CHECK_INT(n_done, 3);
    kk_jobs_stop(&jobs);
}

TEST(jobs_that_have_ended_can_be_read)
{
    kk_jobs *jobs = NULL;
    kk_jobs_view view;
    n_done = 0;
    kk_jobs_end(NULL);
    CHECK_INT(kk_jobs_start(&jobs, 2, 4, NULL), KOKORO_OK);
    for (int i = 0; i < 3; i++)
        CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_OK);
    kk_jobs_end(jobs);
    CHECK_INT(n_done, 3);
    CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_BUSY);
    kk_jobs_read(jobs, &view);
    CHECK_INT(view.n_taken, 3);
    CHECK_INT(view.n_running + view.n_waiting, 0);
    kk_jobs_end(jobs);
    kk_jobs_stop(&jobs);
    CHECK_INT(n_done, 3);
}

static int order[40];

static void note(void *job)
{
    int *number = job;
    order[n_done++] = *number;
}

TEST(one_worker_keeps_the_order)
{
    kk_jobs *jobs = NULL;
    int numbers[40];
    n_done = 0;
    CHECK_INT(kk_jobs_start(&jobs, 1, 40, NULL), KOKORO_OK);
    for (int i = 0; i < 40; i++) {
        numbers[i] = i;
        CHECK_INT(kk_jobs_add(jobs, note, &numbers[i]), KOKORO_OK);
    }
    kk_jobs_stop(&jobs);
    CHECK_INT(n_done, 40);
    for (int i = 0; i < 40; i++)
        CHECK_INT(order[i], i);
}

typedef struct named {
    int name;
    pthread_mutex_t *held_by; /* NULL: it ends at once */
    kk_jobs *jobs;
} named;

static pthread_mutex_t order_mutex = PTHREAD_MUTEX_INITIALIZER;

static void note_and_wait(void *job)
{
    const named *n = job;
    (void)pthread_mutex_lock(&order_mutex);
    order[n_done++] = n->name;
    (void)pthread_mutex_unlock(&order_mutex);
    if (n->held_by != NULL) {
        (void)pthread_mutex_lock(n->held_by);
        (void)pthread_mutex_unlock(n->held_by);
    }
}

/* Of two workers one is held to the end by a job of group 7; the other, once it is free, shows the
 * order of choice. */
TEST(groups_take_turns_and_the_patient_wait)
{
    static pthread_mutex_t other_gate = PTHREAD_MUTEX_INITIALIZER;
    kk_jobs *jobs = NULL;
    kk_jobs_view view;
    named of[] = {{0, &other_gate, NULL}, {1, &gate, NULL}, {2, NULL, NULL},
                  {3, NULL, NULL},        {4, NULL, NULL},  {5, NULL, NULL}};
    const kk_job_kind kinds[] = {{7, false, 0.0, NULL}, {8, true, 0.0, NULL},
                                 {7, true, 0.0, NULL},  {7, false, 0.0, NULL},
                                 {9, false, 0.0, NULL}, {7, false, 0.0, NULL}};
    const int want[] = {0, 1, 4, 3, 5, 2};
    n_done = 0;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_lock(&other_gate);
    CHECK_INT(kk_jobs_start(&jobs, 2, 8, NULL), KOKORO_OK);
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(kk_jobs_add_of(jobs, note_and_wait, &of[i], kinds[i], 8, NULL), KOKORO_OK);
        while (n_done != (int)i + 1)
            (void)sched_yield();
    }
    for (size_t i = 2; i < 6; i++)
        CHECK_INT(kk_jobs_add_of(jobs, note_and_wait, &of[i], kinds[i], 8, NULL), KOKORO_OK);
    CHECK_INT(kk_jobs_add_of(jobs, note_and_wait, &of[0], kinds[0], 4, NULL), KOKORO_BUSY);
    kk_jobs_read(jobs, &view);
    CHECK_INT(view.max_waiting, 8); /* of the start; a job may ask for less */
    (void)pthread_mutex_unlock(&gate);
    do
        kk_jobs_read(jobs, &view);
    while (view.n_taken != 6);
    CHECK(view.gap_s > 0.0);
    (void)pthread_mutex_unlock(&other_gate);
    kk_jobs_stop(&jobs);
    for (size_t i = 0; i < 6; i++)
        CHECK_INT(order[i], want[i]);
}

/* Patient jobs wait for those who are listened to, but not for ever. */
TEST(patience_ends)
{
    for (int is_over = 0; is_over < 2; is_over++) {
        kk_jobs *jobs = NULL;
        named held = {0, &gate, NULL}, patient = {1, NULL, NULL}, listened = {2, NULL, NULL};
        n_done = 0;
        (void)pthread_mutex_lock(&gate);
        CHECK_INT(kk_jobs_start(&jobs, 1, 8, NULL), KOKORO_OK);
        kk_jobs_set_patience(jobs, is_over ? 0.0 : KK_JOBS_PATIENCE_S);
        CHECK_INT(kk_jobs_add(jobs, note_and_wait, &held), KOKORO_OK);
        while (n_done != 1)
            (void)sched_yield();
        CHECK_INT(kk_jobs_add_of(jobs, note_and_wait, &patient, (kk_job_kind){0, true, 0.0, NULL},
                                 8, NULL),
                  KOKORO_OK);
        CHECK_INT(kk_jobs_add(jobs, note_and_wait, &listened), KOKORO_OK);
        (void)pthread_mutex_unlock(&gate);
        kk_jobs_stop(&jobs);
        CHECK_INT(order[1], is_over ? 1 : 2);
        CHECK_INT(order[2], is_over ? 2 : 1);
    }
}

static kk_job_guest *places[2];

static void make_sound(void *job)
{
    const named *n = job;
    note_and_wait(job);
    kk_jobs_made(n->jobs, places[n->name], 10.0);
}

/* Two that ran side by side all the time have half of it each. */
TEST(the_cost_of_sound_is_learnt)
{
    kk_jobs *jobs = NULL;
    kk_jobs_view view;
    n_done = 0;
    CHECK_INT(kk_jobs_start(&jobs, 2, 8, NULL), KOKORO_OK);
    named both[] = {{0, &gate, jobs}, {1, &gate, jobs}};
    kk_jobs_read(jobs, &view);
    CHECK_NEAR(view.cost_of_sound, 0.0, 0.0);
    (void)pthread_mutex_lock(&gate);
    const double begun_s = kk_now_s();
    for (size_t i = 0; i < 2; i++)
        CHECK_INT(kk_jobs_add_of(jobs, make_sound, &both[i], (kk_job_kind){0, false, 10.0, NULL}, 8,
                                 &places[i]),
                  KOKORO_OK);
    while (n_done != 2)
        (void)sched_yield();
    for (int i = 0; i < 3; i++) {
        const kk_job_kind kind = {0, false, 2.5, NULL};
        CHECK_INT(kk_jobs_add_of(jobs, note_and_wait, &both[0], kind, 8, NULL), KOKORO_OK);
    }
    kk_jobs_read(jobs, &view);
    CHECK_NEAR(view.waiting_sound_s, 7.5, 1e-9);
    while (kk_now_s() < begun_s + 0.2)
        (void)sched_yield();
    (void)pthread_mutex_unlock(&gate);
    kk_jobs_end(jobs);
    kk_jobs_read(jobs, &view);
    CHECK(view.cost_of_sound > 0.0);
    CHECK(view.cost_of_sound <= (kk_now_s() - begun_s) / 10.0);
    CHECK_NEAR(view.waiting_sound_s, 0.0, 0.0);
    CHECK_NEAR(view.gap_s, 0.0, 0.0); /* forgotten: nobody runs */
    kk_jobs_stop(&jobs);
}

/* One that floods the queue leaves room for those who have nothing in it yet. */
TEST(a_group_leaves_places_for_others)
{
    kk_jobs *jobs = NULL;
    named held = {0, &gate, NULL}, quick = {1, NULL, NULL};
    const size_t limit = 16;
    size_t n[4] = {0};
    n_done = 0;
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_start(&jobs, 1, limit, NULL), KOKORO_OK);
    CHECK_INT(kk_jobs_add(jobs, note_and_wait, &held), KOKORO_OK);
    while (n_done != 1)
        (void)sched_yield();
    for (size_t i = 0; i < 3; i++) { /* each as many as it can */
        const kk_job_kind kind = {i + 1, false, 0.0, NULL};
        CHECK(kk_jobs_has_room(jobs, kind.group, limit));
        while (kk_jobs_add_of(jobs, note_and_wait, &quick, kind, limit, NULL) == KOKORO_OK)
            n[i]++;
        CHECK(!kk_jobs_has_room(jobs, kind.group, limit));
    }
    CHECK_INT(n[0], limit / 2);
    CHECK_INT(n[1], limit / 4);
    CHECK_INT(n[2], limit / 8);
    /* Without keys whoever comes has what is left. */
    while (kk_jobs_add_of(jobs, note_and_wait, &quick, (kk_job_kind){0, false, 0.0, NULL}, limit,
                          NULL) == KOKORO_OK)
        n[3]++;
    CHECK_INT(n[3], limit / 8);
    CHECK(!kk_jobs_has_room(jobs, 9, limit));
    (void)pthread_mutex_unlock(&gate);
    kk_jobs_stop(&jobs);
    CHECK_INT(n_done, limit + 1);
}

/* Patient jobs have no more than half of the workers. */
TEST(patient_jobs_leave_workers_free)
{
    kk_jobs *jobs = NULL;
    kk_jobs_view view;
    named held[] = {{0, &gate, NULL}, {1, &gate, NULL}, {2, &gate, NULL}};
    named quick = {3, NULL, NULL};
    n_done = 0;
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_start(&jobs, 4, 8, NULL), KOKORO_OK);
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT(kk_jobs_add_of(jobs, note_and_wait, &held[i], (kk_job_kind){i, true, 0.0, NULL},
                                 8, NULL),
                  KOKORO_OK);
        while (n_done < (int)i + 1 && i < 2)
            (void)sched_yield();
    }
    CHECK_INT(
        kk_jobs_add_of(jobs, note_and_wait, &quick, (kk_job_kind){0, false, 0.0, NULL}, 8, NULL),
        KOKORO_OK);
    while (n_done != 3) /* two of the patient, and the quick one */
        (void)sched_yield();
    kk_jobs_read(jobs, &view);
    CHECK_INT(view.n_waiting, 1);
    (void)pthread_mutex_unlock(&gate);
    kk_jobs_stop(&jobs);
    CHECK_INT(n_done, 4);
    CHECK_INT(order[3], 2);
}

/* --- guests --- */

typedef struct visit {
    kk_jobs *jobs;
    kk_job_guest guest;
    size_t max_waiting;
    atomic_bool must_go;
    atomic_int status; /* of kk_jobs_enter; 1: it has not returned */
    pthread_t thread;
} visit;

static bool must_go(void *user)
{
    visit *v = user;
    return atomic_load(&v->must_go);
}

static void *enter(void *user)
{
    visit *v = user;
    atomic_store(&v->status, kk_jobs_enter(v->jobs, &v->guest, v->max_waiting, must_go, v));
    return NULL;
}

static void start_visit_of(visit *v, kk_jobs *jobs, uint64_t group, size_t max_waiting)
{
    *v = (visit){
        .jobs = jobs, .guest = {.kind = {group, false, 0.0, NULL}}, .max_waiting = max_waiting};
    atomic_store(&v->status, 1);
    CHECK_INT(pthread_create(&v->thread, NULL, enter, v), 0);
}

static void start_visit(visit *v, kk_jobs *jobs, uint64_t group)
{
    start_visit_of(v, jobs, group, 8);
}

static int end_visit(visit *v)
{
    (void)pthread_join(v->thread, NULL);
    return atomic_load(&v->status);
}

static void wait_for_waiting(kk_jobs *jobs, size_t n)
{
    kk_jobs_view view;
    do
        kk_jobs_read(jobs, &view);
    while (view.n_waiting != n);
}

static size_t n_running(kk_jobs *jobs)
{
    kk_jobs_view view;
    kk_jobs_read(jobs, &view);
    return view.n_running;
}

/* A guest waits behind the one worker's job and has its place then; a job waits behind the guest.
 */
TEST(guests_take_turns_with_jobs)
{
    kk_jobs *jobs = NULL;
    visit first;
    int number = 1;
    n_done = 0;
    CHECK_INT(kk_jobs_start(&jobs, 1, 4, NULL), KOKORO_OK);
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_OK);
    while (n_running(jobs) == 0)
        (void)sched_yield();
    start_visit(&first, jobs, 0);
    wait_for_waiting(jobs, 1);
    CHECK_INT(atomic_load(&first.status), 1);
    (void)pthread_mutex_unlock(&gate);
    CHECK_INT(end_visit(&first), KOKORO_OK);
    CHECK_INT(n_done, 1);
    CHECK_INT(n_running(jobs), 1);

    CHECK_INT(kk_jobs_add(jobs, note, &number), KOKORO_OK);
    wait_for_waiting(jobs, 1); /* the worker has nothing to do and may not begin */
    CHECK_INT(n_done, 1);
    kk_jobs_leave(jobs, &first.guest);
    while (n_done != 2)
        (void)sched_yield();
    kk_jobs_stop(&jobs);
}

/* One that has begun waits for nobody, and while more run than there are workers nobody begins. */
TEST(a_guest_that_has_begun_goes_in_at_once)
{
    kk_jobs *jobs = NULL;
    kk_jobs_view view;
    visit begun, fresh;
    n_done = 0;
    CHECK_INT(kk_jobs_start(&jobs, 1, 4, NULL), KOKORO_OK);
    start_visit(&begun, jobs, 0);
    CHECK_INT(end_visit(&begun), KOKORO_OK);
    kk_jobs_leave(jobs, &begun.guest);
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_OK);
    while (n_running(jobs) == 0)
        (void)sched_yield();
    start_visit(&fresh, jobs, 0);
    wait_for_waiting(jobs, 1);
    CHECK_INT(kk_jobs_enter(jobs, &begun.guest, 0, must_go, &begun), KOKORO_OK);
    CHECK_INT(n_running(jobs), 2);
    (void)pthread_mutex_unlock(&gate);
    while (n_running(jobs) != 1)
        (void)sched_yield();
    wait_for_waiting(jobs, 1);
    CHECK_INT(atomic_load(&fresh.status), 1);
    kk_jobs_leave(jobs, &begun.guest);
    CHECK_INT(end_visit(&fresh), KOKORO_OK);
    kk_jobs_read(jobs, &view);
    CHECK_INT(view.peak_running, 2);
    CHECK_INT(view.n_taken, 3);
    kk_jobs_leave(jobs, &fresh.guest);
    CHECK_INT(n_running(jobs), 0);
    kk_jobs_stop(&jobs);
}

/* Who has no place gives none up, and who has one gets no second. */
TEST(guests_leave_and_enter_once)
{
    kk_jobs *jobs = NULL;
    visit guest, other;
    CHECK_INT(kk_jobs_start(&jobs, 2, 4, NULL), KOKORO_OK);
    other = (visit){.jobs = jobs};
    kk_jobs_leave(jobs, &other.guest); /* it never was in */
    start_visit(&guest, jobs, 0);
    CHECK_INT(end_visit(&guest), KOKORO_OK);
    kk_jobs_leave(jobs, &other.guest);
    CHECK_INT(n_running(jobs), 1);
    CHECK_INT(kk_jobs_enter(jobs, &guest.guest, 4, must_go, &guest), KOKORO_OK);
    CHECK_INT(n_running(jobs), 1);
    kk_jobs_leave(jobs, &guest.guest);
    kk_jobs_leave(jobs, &guest.guest);
    CHECK_INT(n_running(jobs), 0);
    kk_jobs_stop(&jobs);
}

/* Guests share a queue's limit, turns of groups, and may go away while they wait. */
TEST(guests_are_refused_go_away_and_are_chosen_by_group)
{
    kk_jobs *jobs = NULL;
    visit in, waiting[4], late;
    CHECK_INT(kk_jobs_start(&jobs, 2, 8, NULL), KOKORO_OK);
    start_visit(&in, jobs, 7);
    CHECK_INT(end_visit(&in), KOKORO_OK);
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_add(jobs, wait_at_gate, NULL), KOKORO_OK);
    while (n_running(jobs) != 2)
        (void)sched_yield();
    for (size_t i = 0; i < 4; i++) {
        start_visit(&waiting[i], jobs, i == 3 ? 9 : 7);
        wait_for_waiting(jobs, i + 1);
    }
    start_visit_of(&late, jobs, 9, 4);
    CHECK_INT(end_visit(&late), KOKORO_BUSY);

    atomic_store(&waiting[1].must_go, true);
    CHECK_INT(end_visit(&waiting[1]), KOKORO_CANCELLED);
    wait_for_waiting(jobs, 3);
    (void)pthread_mutex_unlock(&gate);
    CHECK_INT(end_visit(&waiting[3]), KOKORO_OK); /* none of group 9 runs, one of 7 does */
    wait_for_waiting(jobs, 2);
    kk_jobs_leave(jobs, &in.guest);
    CHECK_INT(end_visit(&waiting[0]), KOKORO_OK);
    kk_jobs_leave(jobs, &waiting[3].guest);
    CHECK_INT(end_visit(&waiting[2]), KOKORO_OK);
    kk_jobs_leave(jobs, &waiting[0].guest);
    kk_jobs_leave(jobs, &waiting[2].guest);
    CHECK_INT(n_running(jobs), 0);
    kk_jobs_stop(&jobs);
}

/* --- jobs that stand aside --- */

typedef struct sleeper {
    kk_jobs *jobs;
    kk_job_guest *place;
    atomic_int stage; /* 1: in, 2: aside or, where it may not be, in still; 3: in again */
} sleeper;

static void sleep_aside(void *job)
{
    sleeper *s = job;
    atomic_store(&s->stage, 1);
    kk_jobs_leave(s->jobs, s->place);
    atomic_store(&s->stage, 2);
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    if (kk_jobs_enter(s->jobs, s->place, 0, must_go, NULL) == KOKORO_OK)
        atomic_store(&s->stage, 3);
    n_done++;
}

static void start_sleeper(kk_jobs *jobs, sleeper *s)
{
    s->jobs = jobs;
    CHECK_INT(kk_jobs_add_of(jobs, sleep_aside, s, (kk_job_kind){0, false, 0.0, NULL}, SIZE_MAX,
                             &s->place),
              KOKORO_OK);
    while (atomic_load(&s->stage) < 2)
        (void)sched_yield();
}

/* More jobs wait for their clients than there are places, and others have theirs; as many as may
 * stand aside, and then each keeps its place. */
TEST(jobs_stand_aside_for_others)
{
    static sleeper sleepers[KK_JOBS_MAX_ASIDE + 1];
    const size_t n = sizeof(sleepers) / sizeof(sleepers[0]);
    kk_jobs *jobs = NULL;
    int number = 1;
    n_done = 0;
    memset(sleepers, 0, sizeof(sleepers));
    CHECK_INT(kk_jobs_start(&jobs, 2, 8, NULL), KOKORO_OK);
    (void)pthread_mutex_lock(&gate);
    for (size_t i = 0; i < n; i++) {
        start_sleeper(jobs, &sleepers[i]);
        CHECK_INT(n_running(jobs), i == n - 1 ? 1 : 0);
        if (i + 1 == 20 || i == n - 1) {
            const int before = n_done;
            CHECK_INT(kk_jobs_add(jobs, note, &number), KOKORO_OK);
            while (n_done == before)
                (void)sched_yield();
        }
    }
    (void)pthread_mutex_unlock(&gate);
    while (n_done != (int)n + 2)
        (void)sched_yield();
    kk_jobs_stop(&jobs);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(atomic_load(&sleepers[i].stage), 3);
}

/* One that comes back goes in at once, and nobody begins before there is a place again. */
TEST(a_job_that_stood_aside_comes_back_at_once)
{
    kk_jobs *jobs = NULL;
    static pthread_mutex_t other_gate = PTHREAD_MUTEX_INITIALIZER;
    sleeper s = {.place = NULL};
    named held = {7, &other_gate, NULL};
    n_done = 0;
    CHECK_INT(kk_jobs_start(&jobs, 1, 8, NULL), KOKORO_OK);
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_lock(&other_gate);
    start_sleeper(jobs, &s);
    CHECK_INT(kk_jobs_add(jobs, note_and_wait, &held), KOKORO_OK);
    while (n_done != 1)
        (void)sched_yield();
    (void)pthread_mutex_unlock(&gate);
    while (atomic_load(&s.stage) != 3)
        (void)sched_yield();
    (void)pthread_mutex_unlock(&other_gate);
    kk_jobs_stop(&jobs);
    CHECK_INT(n_done, 2);
    CHECK_INT(atomic_load(&s.stage), 3);
}

typedef struct leaver {
    kk_job_guest *place;
    kk_jobs *jobs;
    atomic_bool is_over, is_done;
    bool had_place;
} leaver;

static bool has_left(void *job)
{
    leaver *l = job;
    return atomic_load(&l->is_over);
}

static void note_leaver(void *job)
{
    leaver *l = job;
    l->had_place = l->place != NULL && !l->place->is_in;
    kk_jobs_leave(l->jobs, l->place); /* which one beside the places has nothing to leave */
    kk_jobs_made(l->jobs, l->place, 0.0);
    atomic_store(&l->is_done, true);
}

/* With the only worker held, those who are over leave the queue and the others keep their order. */
TEST(who_is_over_leaves_the_queue)
{
    kk_jobs *jobs = NULL;
    kk_jobs_view view;
    named held = {0, &gate, NULL}, first = {1, NULL, NULL}, second = {2, NULL, NULL};
    leaver leavers[3] = {0};
    n_done = 0;
    CHECK_INT(kk_jobs_start(&jobs, 1, 8, NULL), KOKORO_OK);
    CHECK_INT(kk_jobs_watch(jobs, NULL), KOKORO_OK);
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_add(jobs, note_and_wait, &held), KOKORO_OK);
    while (n_done != 1)
        (void)sched_yield();
    for (size_t i = 0; i < 3; i++) {
        const kk_job_kind kind = {.is_patient = i == 2, .is_over = has_left};
        leavers[i].jobs = jobs;
        CHECK_INT(kk_jobs_add_of(jobs, note_leaver, &leavers[i], kind, SIZE_MAX, &leavers[i].place),
                  KOKORO_OK);
        if (i < 2)
            CHECK_INT(kk_jobs_add(jobs, note_and_wait, i == 0 ? &first : &second), KOKORO_OK);
    }
    kk_jobs_read(jobs, &view);
    CHECK_INT(view.n_waiting, 5);
    for (size_t i = 0; i < 2; i++) {
        CHECK(!atomic_load(&leavers[1 - i].is_done));
        atomic_store(&leavers[1 - i].is_over, true);
        while (!atomic_load(&leavers[1 - i].is_done))
            (void)sched_yield();
        CHECK(leavers[1 - i].had_place);
        kk_jobs_read(jobs, &view);
        CHECK_INT(view.n_waiting, 4 - i);
        CHECK_INT(view.n_running, 1);
        CHECK_INT(view.n_taken, 1);
    }
    CHECK(!atomic_load(&leavers[2].is_done));
    (void)pthread_mutex_unlock(&gate);
    kk_jobs_stop(&jobs);
    CHECK(atomic_load(&leavers[2].is_done));
    CHECK_INT(n_done, 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(order[i], i);
}

TEST(jobs_without_memory)
{
    kk_jobs *jobs = NULL;
    for (size_t k = 1; k <= 3; k++) {
        kk_alloc_fail_at(k, 1);
        CHECK_INT(kk_jobs_start(&jobs, 2, 2, NULL), KOKORO_NO_MEMORY);
        kk_alloc_fail_at(0, 0);
        CHECK(jobs == NULL);
    }
}

TEST_MAIN(T(a_full_queue_refuses_and_a_stop_works_off), T(jobs_that_have_ended_can_be_read),
          T(one_worker_keeps_the_order), T(groups_take_turns_and_the_patient_wait),
          T(the_cost_of_sound_is_learnt), T(patience_ends), T(a_group_leaves_places_for_others),
          T(patient_jobs_leave_workers_free), T(guests_take_turns_with_jobs),
          T(a_guest_that_has_begun_goes_in_at_once), T(guests_leave_and_enter_once),
          T(jobs_stand_aside_for_others), T(a_job_that_stood_aside_comes_back_at_once),
          T(guests_are_refused_go_away_and_are_chosen_by_group), T(who_is_over_leaves_the_queue),
          T(jobs_without_memory))
