/*
 * schedule.h - who has the model next. Requests that want it wait in one list; as many as there are
 * places work at once and share the threads. Earliest deadline first, in four ranks:
 *
 *     0  a listener who will soon run dry       by when the next sound must be begun
 *     1  a new listener, who hears nothing yet  by when the first sound is due
 *     2  a listener with some sound ahead       by when it runs dry
 *     3  nobody waits: batch work, or a listener far ahead      first come, first served
 *
 * So no stream that plays is starved for a new one, and those with sound in hand give way to both.
 * While ranks 0 and 1 work, 2 and 3 stand aside, so that few hands make a first sound. A request is
 * put aside within an inference, at the next kk_schedule_yield.
 *
 * Batch work that has waited for 20 s has one turn among the new, and a new listener who has heard
 * nothing for as long counts as dry: else more listeners than the machine can serve would keep him
 * out for ever. Requests of one group (a client's key) share: a group that has lately had the model
 * for u seconds queues in ranks 1 and 3 as though it had come u seconds later.
 *
 * The method is Liu and Layland's earliest deadline first (Journal of the ACM 20, 1973), with ranks
 * because a deadline that is past helps nobody.
 */
#ifndef KK_ENGINE_SCHEDULE_H
#define KK_ENGINE_SCHEDULE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kk_turn_kind { KK_TURN_BATCH, KK_TURN_NEW, KK_TURN_PLAYING };
enum { KK_RANK_DRY, KK_RANK_NEW, KK_RANK_AHEAD, KK_RANK_BATCH };

/* What one request wants of the model. The first part is its owner's, to be set before
 * kk_schedule_take; the second is the schedule's. */
typedef struct kk_turn {
    enum kk_turn_kind kind;
    double due_s;   /* NEW: its first sound is wanted; PLAYING: it runs dry (kk_now_s) */
    double cost_s;  /* that its next sound will take */
    double came_s;  /* the request came */
    uint64_t group; /* 0: none */
    bool (*cancelled)(void *user); /* asked while it waits, on its own thread; NULL: never */
    void *user;

    struct kk_turn *next;
    int rank; /* the best it has had in this turn */
    bool is_active;
    double asked_s, since_s, checked_s;
} kk_turn;

enum { KK_SCHEDULE_GROUPS = 64 };

typedef struct kk_schedule {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    kk_turn *waiting, *active; /* lists, in no order */
    int n_waiting, n_active;
    int n_at_once;     /* most that work at once */
    int n_threads;     /* of all of them together */
    atomic_int n_each; /* threads of each, at least 1 */
    struct {
        uint64_t group;
        double used_s, at_s; /* halved every ten seconds since at_s */
    } groups[KK_SCHEDULE_GROUPS];
    /* What the model has taken, in seconds of one thread; running means. */
    double text_cost_s;  /* a phoneme, up to the generator */
    double sound_cost_s; /* a second of sound, in the generator */
} kk_schedule;

/* One at a time with one thread, until kk_schedule_set. 0 or an errno. */
int kk_schedule_init(kk_schedule *schedule);
void kk_schedule_fini(kk_schedule *schedule);
/* Before any turn is taken. */
void kk_schedule_set(kk_schedule *schedule, int n_at_once, int n_threads);

/* Wait for a place. false: cancelled meanwhile, and it holds none. */
bool kk_schedule_take(kk_schedule *schedule, kk_turn *turn);
/* Give the place up. */
void kk_schedule_pass(kk_schedule *schedule, kk_turn *turn);
/* To be called every few milliseconds by who holds a place: stands aside while others are more
 * pressed, and returns when it is back. Returns the seconds that this took; below 0: cancelled
 * meanwhile, and it holds no place. */
double kk_schedule_yield(kk_schedule *schedule, kk_turn *turn);

/* Where a turn stands at a time: its rank, and in *key its order within it, the lowest first. */
int kk_turn_rank(const kk_turn *turn, double now_s, double group_used_s, double *key);

/* Tell what it has taken: n phonemes, or seconds of sound, in so many seconds of one thread. */
void kk_schedule_learn_text(kk_schedule *schedule, size_t n_phonemes, double thread_s);
void kk_schedule_learn_sound(kk_schedule *schedule, double sound_s, double thread_s);

typedef struct kk_schedule_view {
    int n_active, n_waiting;
    int n_pressed;   /* of both, those of ranks 0 and 1 */
    int n_listeners; /* of both, those that are no batch work */
    int n_at_once, n_threads, n_each;
    double text_cost_s, sound_cost_s;
} kk_schedule_view;
void kk_schedule_read(kk_schedule *schedule, kk_schedule_view *view);

#endif
