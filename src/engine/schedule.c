/* schedule.c - two lists under one mutex; whoever changes them gives free places to the best. */
#include "engine/schedule.h"

#include "base/clock.h"

#include <math.h>
#include <time.h>

/* A listener is pressed when the next sound must be begun within this time; beyond AHEAD it is as
 * well off as batch work. */
static const double MARGIN_S = 0.06, AHEAD_S = 10.0;
/* Ranks move with time, so that who waits looks up this often; who works no more often than ... */
static const double LOOK_S = 0.01, CHECK_S = 0.002;
static const double HALF_LIFE_S = 10.0;
/* Batch work that has not had the model for so long takes its place among the new, and the new who
 * have heard nothing for so long theirs among those who run dry. */
static const double PATIENCE_S = 20.0;
/* Until it is measured: a processor of 2022 with AVX2. */
static const double FIRST_TEXT_COST_S = 0.003, FIRST_SOUND_COST_S = 0.2, LEARNING = 0.2;

int kk_schedule_init(kk_schedule *schedule)
{
    pthread_condattr_t attributes;
    *schedule = (kk_schedule){.text_cost_s = FIRST_TEXT_COST_S, .sound_cost_s = FIRST_SOUND_COST_S};
    kk_schedule_set(schedule, 1, 1);
    int number = pthread_mutex_init(&schedule->mutex, NULL);
    if (number != 0)
        return number;
    number = pthread_condattr_init(&attributes);
    if (number == 0) {
        number = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        if (number == 0)
            number = pthread_cond_init(&schedule->changed, &attributes);
        (void)pthread_condattr_destroy(&attributes);
    }
    if (number != 0)
        (void)pthread_mutex_destroy(&schedule->mutex);
    return number;
}

void kk_schedule_fini(kk_schedule *schedule)
{
    (void)pthread_cond_destroy(&schedule->changed);
    (void)pthread_mutex_destroy(&schedule->mutex);
}

void kk_schedule_set(kk_schedule *schedule, int n_at_once, int n_threads)
{
    schedule->n_at_once = n_at_once;
    schedule->n_threads = n_threads;
    atomic_init(&schedule->n_each, n_threads);
}

/* --- groups --- */

static double used_by(const kk_schedule *schedule, uint64_t group, double now_s)
{
    for (size_t i = 0; group != 0 && i < KK_SCHEDULE_GROUPS; i++) {
        if (schedule->groups[i].group == group)
            return schedule->groups[i].used_s *
                   exp2((schedule->groups[i].at_s - now_s) / HALF_LIFE_S);
    }
    return 0.0;
}

/* A new group takes the place of that which has used least. */
static void add_use(kk_schedule *schedule, uint64_t group, double used_s, double now_s)
{
    size_t place = 0;
    double least_s = INFINITY;
    if (group == 0)
        return;
    for (size_t i = 0; i < KK_SCHEDULE_GROUPS; i++) {
        const uint64_t known = schedule->groups[i].group;
        const double s = known != 0 ? used_by(schedule, known, now_s) : 0.0;
        if (known == group) {
            schedule->groups[i].used_s = s + used_s;
            schedule->groups[i].at_s = now_s;
            return;
        }
        if (s < least_s) {
            least_s = s;
            place = i;
        }
    }
    schedule->groups[place].group = group;
    schedule->groups[place].used_s = used_s;
    schedule->groups[place].at_s = now_s;
}

/* --- ranks --- */

int kk_turn_rank(const kk_turn *turn, double now_s, double group_used_s, double *key)
{
    *key = turn->came_s + group_used_s;
    switch (turn->kind) {
    case KK_TURN_NEW:
        *key = turn->due_s + group_used_s;
        return turn->came_s + PATIENCE_S <= now_s ? KK_RANK_DRY : KK_RANK_NEW;
    case KK_TURN_PLAYING:
        if (turn->due_s - turn->cost_s - MARGIN_S <= now_s) {
            *key = turn->due_s - turn->cost_s;
            return KK_RANK_DRY;
        }
        if (turn->due_s < now_s + AHEAD_S) {
            *key = turn->due_s;
            return KK_RANK_AHEAD;
        }
        return KK_RANK_BATCH;
    case KK_TURN_BATCH:
        if (turn->asked_s + PATIENCE_S <= now_s) {
            *key = turn->asked_s + PATIENCE_S + group_used_s;
            return KK_RANK_NEW;
        }
        break;
    }
    return KK_RANK_BATCH;
}

typedef struct place {
    int rank;
    double key;
} place;

static place place_of(const kk_schedule *schedule, const kk_turn *turn, double now_s)
{
    place p;
    p.rank = kk_turn_rank(turn, now_s, used_by(schedule, turn->group, now_s), &p.key);
    /* Time may only bring forward who works: else two would take turns at standing aside. */
    if (turn->is_active && turn->rank < p.rank)
        p.rank = turn->rank;
    return p;
}

static bool is_before(place a, place b)
{
    return a.rank < b.rank || (a.rank == b.rank && a.key < b.key);
}

static kk_turn *best_waiting(const kk_schedule *schedule, double now_s, place *best)
{
    kk_turn *found = NULL;
    for (kk_turn *t = schedule->waiting; t != NULL; t = t->next) {
        const place p = place_of(schedule, t, now_s);
        if (found == NULL || is_before(p, *best)) {
            found = t;
            *best = p;
        }
    }
    return found;
}

/* --- the lists; under the mutex --- */

static void unlink_turn(kk_turn **list, kk_turn *turn)
{
    while (*list != NULL && *list != turn)
        list = &(*list)->next;
    if (*list != NULL)
        *list = turn->next;
    turn->next = NULL;
}

static void link_turn(kk_turn **list, kk_turn *turn)
{
    turn->next = *list;
    *list = turn;
}

static void share_threads(kk_schedule *schedule)
{
    const int n = schedule->n_active;
    const int n_each = n > 1 ? schedule->n_threads / n : schedule->n_threads;
    atomic_store(&schedule->n_each, n_each > 1 ? n_each : 1);
}

static bool is_pressed_active(const kk_schedule *schedule, const kk_turn *but, double now_s)
{
    for (const kk_turn *t = schedule->active; t != NULL; t = t->next) {
        if (t != but && place_of(schedule, t, now_s).rank <= KK_RANK_NEW)
            return true;
    }
    return false;
}

/* Free places to those who are next. */
static void grant(kk_schedule *schedule, double now_s)
{
    bool has_changed = false;
    while (schedule->n_active < schedule->n_at_once) {
        place best;
        kk_turn *turn = best_waiting(schedule, now_s, &best);
        if (turn == NULL || (best.rank > KK_RANK_NEW && is_pressed_active(schedule, NULL, now_s)))
            break;
        unlink_turn(&schedule->waiting, turn);
        link_turn(&schedule->active, turn);
        schedule->n_waiting--;
        schedule->n_active++;
        turn->is_active = true;
        turn->rank = best.rank;
        turn->since_s = turn->checked_s = now_s;
        has_changed = true;
    }
    if (has_changed) {
        share_threads(schedule);
        (void)pthread_cond_broadcast(&schedule->changed);
    }
}

static void leave(kk_schedule *schedule, kk_turn *turn, double now_s)
{
    add_use(schedule, turn->group, now_s - turn->since_s, now_s);
    unlink_turn(&schedule->active, turn);
    schedule->n_active--;
    turn->is_active = false;
    share_threads(schedule);
}

static bool is_cancelled(kk_schedule *schedule, const kk_turn *turn)
{
    if (turn->cancelled == NULL)
        return false;
    (void)pthread_mutex_unlock(&schedule->mutex);
    const bool answer = turn->cancelled(turn->user);
    (void)pthread_mutex_lock(&schedule->mutex);
    return answer;
}

static void wait_a_moment(kk_schedule *schedule)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(LOOK_S * 1e9);
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&schedule->changed, &schedule->mutex, &until);
}

/* Among those who wait until it is at work. */
static bool wait_in_line(kk_schedule *schedule, kk_turn *turn)
{
    turn->is_active = false;
    turn->asked_s = kk_now_s();
    link_turn(&schedule->waiting, turn);
    schedule->n_waiting++;
    grant(schedule, kk_now_s());
    while (!turn->is_active) {
        wait_a_moment(schedule);
        if (!turn->is_active)
            grant(schedule, kk_now_s());
        if (is_cancelled(schedule, turn)) {
            if (turn->is_active) {
                leave(schedule, turn, kk_now_s());
            } else {
                unlink_turn(&schedule->waiting, turn);
                schedule->n_waiting--;
            }
            grant(schedule, kk_now_s());
            return false;
        }
    }
    return true;
}

bool kk_schedule_take(kk_schedule *schedule, kk_turn *turn)
{
    (void)pthread_mutex_lock(&schedule->mutex);
    const bool is_taken = wait_in_line(schedule, turn);
    (void)pthread_mutex_unlock(&schedule->mutex);
    return is_taken;
}

void kk_schedule_pass(kk_schedule *schedule, kk_turn *turn)
{
    (void)pthread_mutex_lock(&schedule->mutex);
    const double now_s = kk_now_s();
    leave(schedule, turn, now_s);
    grant(schedule, now_s);
    (void)pthread_mutex_unlock(&schedule->mutex);
}

/* Somebody waits who is more pressed, and nobody else at work is less pressed than this one. */
static bool should_yield(const kk_schedule *schedule, const kk_turn *turn, double now_s)
{
    place best;
    const place own = place_of(schedule, turn, now_s);
    if (own.rank > KK_RANK_NEW && is_pressed_active(schedule, turn, now_s))
        return true;
    if (best_waiting(schedule, now_s, &best) == NULL || best.rank >= own.rank)
        return false;
    for (const kk_turn *t = schedule->active; t != NULL; t = t->next) {
        if (t != turn && is_before(own, place_of(schedule, t, now_s)))
            return false;
    }
    return true;
}

double kk_schedule_yield(kk_schedule *schedule, kk_turn *turn)
{
    const double begun_s = kk_now_s();
    double away_s = 0.0;
    if (begun_s - turn->checked_s < CHECK_S)
        return 0.0;
    (void)pthread_mutex_lock(&schedule->mutex);
    turn->checked_s = begun_s;
    if (should_yield(schedule, turn, begun_s)) {
        leave(schedule, turn, begun_s);
        const bool is_back = wait_in_line(schedule, turn);
        away_s = is_back ? kk_now_s() - begun_s : -1.0;
    }
    (void)pthread_mutex_unlock(&schedule->mutex);
    return away_s;
}

/* --- costs --- */

static void learn(kk_schedule *schedule, double *mean, double value)
{
    (void)pthread_mutex_lock(&schedule->mutex);
    *mean += LEARNING * (value - *mean);
    (void)pthread_mutex_unlock(&schedule->mutex);
}

void kk_schedule_learn_text(kk_schedule *schedule, size_t n_phonemes, double thread_s)
{
    if (n_phonemes > 0 && thread_s > 0.0)
        learn(schedule, &schedule->text_cost_s, thread_s / (double)n_phonemes);
}

void kk_schedule_learn_sound(kk_schedule *schedule, double sound_s, double thread_s)
{
    if (sound_s > 0.0 && thread_s > 0.0)
        learn(schedule, &schedule->sound_cost_s, thread_s / sound_s);
}

static void count(const kk_schedule *schedule, const kk_turn *list, double now_s,
                  kk_schedule_view *view)
{
    for (const kk_turn *t = list; t != NULL; t = t->next) {
        view->n_pressed += place_of(schedule, t, now_s).rank <= KK_RANK_NEW;
        view->n_listeners += t->kind != KK_TURN_BATCH;
    }
}

void kk_schedule_read(kk_schedule *schedule, kk_schedule_view *view)
{
    (void)pthread_mutex_lock(&schedule->mutex);
    const double now_s = kk_now_s();
    *view = (kk_schedule_view){.n_active = schedule->n_active,
                               .n_waiting = schedule->n_waiting,
                               .n_at_once = schedule->n_at_once,
                               .n_threads = schedule->n_threads,
                               .n_each = atomic_load(&schedule->n_each),
                               .text_cost_s = schedule->text_cost_s,
                               .sound_cost_s = schedule->sound_cost_s};
    count(schedule, schedule->active, now_s, view);
    count(schedule, schedule->waiting, now_s, view);
    (void)pthread_mutex_unlock(&schedule->mutex);
}
