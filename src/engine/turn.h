/*
 * turn.h - first come, first served: one inference at a time, in the order of asking, so that two
 * long texts take turns chunk by chunk and none starves. (A plain mutex may hand itself back to the
 * thread that has just released it.)
 */
#ifndef KK_ENGINE_TURN_H
#define KK_ENGINE_TURN_H

#include <pthread.h>
#include <stdint.h>

typedef struct kk_turn {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t next;   /* ticket of the next to come */
    uint64_t served; /* ticket whose turn it is */
} kk_turn;

/* 0 or an errno. */
int kk_turn_init(kk_turn *turn);
void kk_turn_fini(kk_turn *turn);
void kk_turn_take(kk_turn *turn);
void kk_turn_pass(kk_turn *turn);

#endif
