/* piece_length.c - the arithmetic of pieces; what they cost is measured in docs/SPEED.md. */
#include "engine/piece_length.h"

#include <math.h>

/* The first piece when nobody else listens, of which some 0.3 s are silence in front. */
static const double FIRST_S = 0.55, SILENCE_S = 0.3;
/* Later ones: the shortest when nobody else listens, and the longest that many listeners make of
 * it. */
static const double LEAST_S = 0.4, MOST_LEAST_S = 1.5;
/* Computed beside a piece: rows in front and behind (A in the header); and excerpts of the rest, in
 * the first piece of a chunk and in that which refines. */
static const double AROUND_S = 0.15, EXCERPTS_S = 0.6, REFINING_S = 1.25;
/* Of the time that there is, what may be planned with. Rounds are taken for longer than they are,
 * and what is made beside a piece for more: longer pieces leave more time for what comes between.
 */
static const double SHARE = 0.7, CAUTION = 1.2, AROUND_CAUTION = 2.0;
/* A rest that is shorter joins the piece before. */
static const double LEAST_REST_S = 0.5;

/* n c of the header; beyond 0.9 there is no length that would do. */
static double load_of(const kk_piece_load *load)
{
    return fmin(0.9, CAUTION * load->n_listeners * load->machine_cost_s);
}

static double least_s(const kk_piece_load *load)
{
    const double nc = load_of(load);
    return fmin(MOST_LEAST_S, fmax(LEAST_S, nc * AROUND_CAUTION * AROUND_S / (1.0 - nc)));
}

static double first_s(const kk_piece_load *load)
{
    return fmax(FIRST_S, SILENCE_S + load_of(load) * (least_s(load) + AROUND_S));
}

double kk_piece_least_s(const kk_piece_load *load, bool begins_chunk)
{
    return begins_chunk ? first_s(load) + EXCERPTS_S : least_s(load) + AROUND_CAUTION * AROUND_S;
}

kk_piece_length kk_piece_length_for(const kk_piece_need *need)
{
    const double beside_s = need->begins_chunk ? EXCERPTS_S : AROUND_S;
    const double least = need->begins_chunk ? first_s(&need->load) : least_s(&need->load);
    const double affordable_s = SHARE * need->time_s / need->cost_s - beside_s;
    kk_piece_length out = {.length_s = need->is_first ? least : fmax(least, affordable_s)};
    /* Worth it only where a good part is still to come, and as much time is left for the piece. */
    out.refines =
        !need->begins_chunk && need->rest_s > 2.0 * REFINING_S && out.length_s > least + REFINING_S;
    if (out.refines)
        out.length_s -= REFINING_S;
    out.made_s = out.length_s + beside_s + (out.refines ? REFINING_S : 0.0);
    if (out.length_s + LEAST_REST_S > need->rest_s) {
        out.length_s = need->rest_s;
        out.refines = false;
        out.made_s = need->rest_s + (need->begins_chunk ? 0.0 : AROUND_S);
    }
    return out;
}
