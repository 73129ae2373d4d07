/*
 * turn.h - first come, first served: so many inferences at once, in the order of asking, so that
 * two long texts take turns chunk by chunk and none starves. (A plain mutex may hand itself back to
 * the thread that has just released it.) Those at work share the threads.
 */
#ifndef KK_ENGINE_TURN_H
#define KK_ENGINE_TURN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

typedef struct kk_turn {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t next;     /* ticket of the next to come */
    uint64_t served;   /* ticket whose turn it is */
    int n_at_once;     /* most that work at once */
    int n_active;      /* that do */
    int n_threads;     /* of all of them together */
    atomic_int n_each; /* threads of each, at least 1 */
} kk_turn;

/* One at a time with one thread, until kk_turn_set. 0 or an errno. */
int kk_turn_init(kk_turn *turn);
void kk_turn_fini(kk_turn *turn);
/* Before any turn is taken. */
void kk_turn_set(kk_turn *turn, int n_at_once, int n_threads);
void kk_turn_take(kk_turn *turn);
void kk_turn_pass(kk_turn *turn);

#endif
