#include "engine/turn.h"

int kk_turn_init(kk_turn *turn)
{
    turn->next = turn->served = 0;
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

void kk_turn_take(kk_turn *turn)
{
    (void)pthread_mutex_lock(&turn->mutex);
    uint64_t ticket = turn->next++;
    while (turn->served != ticket)
        (void)pthread_cond_wait(&turn->changed, &turn->mutex);
    (void)pthread_mutex_unlock(&turn->mutex);
}

void kk_turn_pass(kk_turn *turn)
{
    (void)pthread_mutex_lock(&turn->mutex);
    turn->served++;
    (void)pthread_cond_broadcast(&turn->changed);
    (void)pthread_mutex_unlock(&turn->mutex);
}
