/*
 * piece_length.h - how long the next piece of a chunk is to be for a listener: short for the first
 * sound, then as long as can be made before he has heard what he has.
 *
 * Where many listen, the model goes round among them. In a round each of n listeners gets a piece
 * of L seconds, for which L + A are computed; with c seconds of the machine for a second of sound
 * the round takes n c (L + A), and nobody runs dry if that is no more than L:
 *
 *     L >= n c A / (1 - n c)
 *
 * and the first piece must last for a round too.
 */
#ifndef KK_ENGINE_PIECE_LENGTH_H
#define KK_ENGINE_PIECE_LENGTH_H

#include <stdbool.h>

/* How busy the model is. */
typedef struct kk_piece_load {
    int n_listeners;       /* this one among them */
    double machine_cost_s; /* of all threads together, for a second of sound */
} kk_piece_load;

typedef struct kk_piece_need {
    kk_piece_load load;
    bool begins_chunk; /* nothing of the chunk is made yet */
    bool is_first;     /* and nothing of the request: the listener waits */
    double time_s;     /* until the listener has heard all; below 0: he waits */
    double cost_s;     /* that a second of sound takes for this one at present */
    double rest_s;     /* sound to be made */
} kk_piece_need;

typedef struct kk_piece_length {
    double length_s; /* at most rest_s */
    double made_s;   /* what is computed for it, with what is made beside it */
    bool refines;    /* there is time to estimate better what the rest is like */
} kk_piece_length;

kk_piece_length kk_piece_length_for(const kk_piece_need *need);

/* Seconds of sound that are computed for the shortest piece. */
double kk_piece_least_s(const kk_piece_load *load, bool begins_chunk);

#endif
