#include "engine/turn.h"

int kk_turn_init(kk_turn *turn)
{
    turn->next = turn->served = 0;
    turn->n_active = 0;
    kk_turn_set(turn, 1, 1);
    int number = pthread_mutex_init(&turn->mutex, NULL);
    if (number != 0)
        return number;
    number = pthread_cond_init(&turn->changed, NULL);
    if (number != 0)
        (void)pthread_mutex_destroy(&turn->mutex);
    return number;
}

void kk_turn_fini(kk_turn *turn)
{
    (void)pthread_cond_destroy(&turn->changed);
    (void)pthread_mutex_destroy(&turn->mutex);
}

void kk_turn_set(kk_turn *turn, int n_at_once, int n_threads)
{
    turn->n_at_once = n_at_once;
    turn->n_threads = n_threads;
    atomic_init(&turn->n_each, n_threads);
}

static void change_active(kk_turn *turn, int by)
{
    turn->n_active += by;
    const int n_each = turn->n_active > 1 ? turn->n_threads / turn->n_active : turn->n_threads;
    atomic_store(&turn->n_each, n_each > 1 ? n_each : 1);
    (void)pthread_cond_broadcast(&turn->changed);
}

void kk_turn_take(kk_turn *turn)
{
    (void)pthread_mutex_lock(&turn->mutex);
    uint64_t ticket = turn->next++;
    while (turn->served != ticket || turn->n_active >= turn->n_at_once)
        (void)pthread_cond_wait(&turn->changed, &turn->mutex);
    turn->served++;
    change_active(turn, 1);
    (void)pthread_mutex_unlock(&turn->mutex);
}

void kk_turn_pass(kk_turn *turn)
{
    (void)pthread_mutex_lock(&turn->mutex);
    change_active(turn, -1);
    (void)pthread_mutex_unlock(&turn->mutex);
}
