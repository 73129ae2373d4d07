/*
 * pieces.c - the generator piece by piece, so that sound is there before the whole is made.
 *
 * Everything before the generator has run on the whole utterance. What stands in the way are the
 * generator's 48 normalisations, whose means and variances are those of all rows. They are
 * estimated: the first run takes, beside the first piece, short excerpts from all over the rest,
 * each standing for its share of the utterance; the second run takes them again with more of them;
 * later runs put what has been made in their place.
 *
 *     run 0:  [ first piece | look-ahead ][ excerpt ][ excerpt ] ...      weights 1, 1, share /
 * length run k:  [ context | piece k | look-ahead ]   + sums of what was made + sums of excerpts to
 * come
 *
 * Neighbours are in phase, since the source is that of the whole; a short cross-fade joins them.
 */
#include "model/native/network.h"

#include <math.h>
#include <string.h>

enum {
    FIRST = 44,          /* rows of features, 80 a second: 0.55 s */
    SECOND = 36,         /* 0.45 s */
    THIRD = 720,         /* 9 s; each further piece twice as long */
    BACK = 6,            /* so many rows sooner a piece may end, where a joint is heard least */
    SHORTEST = 176,      /* 2.2 s: less is made whole, it has too little to take excerpts of */
    LOOK_AHEAD = 4,      /* as far as the joint needs it; 16 gave the same distance */
    CONTEXT = 5,         /* nearly as far as the convolutions reach back; so did 16 */
    SHORTEST_PIECE = 32, /* 0.4 s, of those that the caller wishes */
    LEAST_REST = 45,     /* less is taken into the piece before */
    ONSET = 14,          /* no voice begins to sound sooner, in any of 54 */
    ONSET_BEFORE = 8,    /* nor sooner before the end of the first token */
    EXCERPT = 7,
    FIRST_EXCERPTS = 7, /* in the first run, more of them in a longer utterance; with 4, one
                           sentence in ten of some voices ran away */
    ROWS_AN_EXCERPT = 106,
    MOST_FIRST = 8,
    MAX_EXCERPTS = 14, /* with those of the second run; 20 gave the same distance */
    STRATUM = 24,      /* an excerpt stands for no less */
    ROW_SAMPLES = 300,
    ROW_SPECTRA = 60,
    FADE = 240,  /* samples: 10 ms */
    JOINT = 290, /* 12 ms, in which a joint can be heard */
    FEATURES = 512
};

static const size_t N_SUMS = (size_t)KK_N_NORMS * KK_MAX_SLOTS * 2 * 256;
static const float LOUDEST = 1.5f;
static const double RIDGE = 2.0;

/* What a row of an excerpt counts for beside a row of a piece, in the first run and in later ones:
 * at its ends, which are joined to other excerpts, it varies more than speech does. */
static const double FIRST_TRUST = 0.8, LATER_TRUST = 0.9;

/*
 * Excerpts are cut out of their surroundings, and at most layers vary less than the utterance that
 * they stand for; without a correction the first piece is a fifth to a half louder than the whole,
 * and where a voice is silent its numbers can run away. The logarithm of the standard deviation
 * over theirs at each layer, in the first run and in later ones: means of 17 sentences in ten
 * voices.
 */
static const float FIRST_NARROWNESS[KK_N_NORMS] = {
    0.004f, 0.007f, 0.000f, -0.008f, -0.016f, -0.002f, 0.077f, 0.068f, 0.082f, 0.085f,
    0.081f, 0.098f, 0.077f, 0.080f,  0.091f,  0.100f,  0.106f, 0.127f, 0.077f, 0.075f,
    0.086f, 0.067f, 0.076f, 0.090f,  0.012f,  0.002f,  0.070f, 0.010f, 0.122f, -0.125f,
    0.172f, 0.161f, 0.136f, 0.135f,  0.089f,  0.095f,  0.172f, 0.136f, 0.128f, 0.129f,
    0.087f, 0.096f, 0.172f, 0.135f,  0.122f,  0.129f,  0.097f, 0.103f};
static const float LATER_NARROWNESS[KK_N_NORMS] = {
    -0.004f, -0.002f, -0.005f, -0.014f, -0.018f, -0.008f, 0.059f, 0.052f, 0.059f, 0.059f,
    0.053f,  0.063f,  0.059f,  0.059f,  0.065f,  0.072f,  0.076f, 0.096f, 0.059f, 0.057f,
    0.063f,  0.044f,  0.045f,  0.050f,  0.001f,  -0.001f, 0.029f, 0.006f, 0.060f, -0.013f,
    0.164f,  0.147f,  0.117f,  0.112f,  0.063f,  0.060f,  0.164f, 0.126f, 0.116f, 0.118f,
    0.070f,  0.070f,  0.164f,  0.124f,  0.109f,  0.115f,  0.076f, 0.079f};

/*
 * What a stretch of the utterance is like: of each feature, standardised over the whole utterance,
 * the mean, and the mean square less one. Over all rows every entry is zero, so that a set of
 * stretches stands for the whole as far as its weighed sum is near zero.
 */
enum { TRAITS = 2 * FEATURES, LANES = 16 };

typedef struct pieces {
    const kk_ops *ops;
    const kk_generator_weights *w;
    const kk_utterance *u;
    float *audio;
    kk_norms norms;
    float *traits; /* [T + 1][TRAITS]: sums over the rows before t */
    size_t starts[MAX_EXCERPTS];
    double shares[MAX_EXCERPTS]; /* rows that each stands for */
    size_t n_excerpts, n_known;  /* of which so many have sums of an earlier run */
    bool refines, has_refined;   /* more excerpts in this run; in one before */
    size_t at;        /* rows given out; those up to the piece in the making are made again */
    float tail[FADE]; /* of the piece before, beyond its end */
} pieces;

static int sum_traits(pieces *p)
{
    const size_t T = p->u->T;
    const float *x = p->u->features;
    p->traits = kk_workspace_floats(p->ops->ws, (T + 1) * TRAITS);
    if (p->traits == NULL)
        return KOKORO_NO_MEMORY;
    memset(p->traits, 0, TRAITS * sizeof(*p->traits));
    float mean[FEATURES] = {0.0f}, inverse[FEATURES] = {0.0f};
    for (size_t t = 0; t < T; t++) {
        for (size_t c = 0; c < FEATURES; c++) {
            mean[c] += x[t * FEATURES + c];
            inverse[c] += x[t * FEATURES + c] * x[t * FEATURES + c];
        }
    }
    for (size_t c = 0; c < FEATURES; c++) {
        mean[c] /= (float)T;
        const float variance = inverse[c] / (float)T - mean[c] * mean[c];
        inverse[c] = variance > 1e-9f ? 1.0f / sqrtf(variance) : 0.0f;
    }
    for (size_t t = 0; t < T; t++) {
        const float *before = p->traits + t * TRAITS;
        float *sum = p->traits + (t + 1) * TRAITS;
        for (size_t c = 0; c < FEATURES; c++) {
            const float z = (x[t * FEATURES + c] - mean[c]) * inverse[c];
            sum[c] = before[c] + z;
            sum[FEATURES + c] = before[FEATURES + c] + (z * z - 1.0f);
        }
    }
    return KOKORO_OK;
}

/* sum + a * the traits of rows [from, to); dst may be sum. */
static void add_traits(const pieces *p, float *dst, const float *sum, float a, size_t from,
                       size_t to)
{
    const float *before = p->traits + from * TRAITS, *after = p->traits + to * TRAITS;
    for (size_t i = 0; i < TRAITS; i++)
        dst[i] = sum[i] + a * (after[i] - before[i]);
}

/* In LANES sums side by side, as vectors add. */
static float product(const float *a, const float *b)
{
    float lanes[LANES] = {0.0f}, sum = 0.0f;
    for (size_t i = 0; i < TRAITS; i += LANES) {
        for (size_t k = 0; k < LANES; k++)
            lanes[k] += a[i + k] * b[i + k];
    }
    for (size_t k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

static const float no_traits[TRAITS];

/* n more excerpts of the rows from `last` on, one after another that which brings the whole nearest
 * to balance, the rest of the utterance shared equally among all. */
static void choose_excerpts(pieces *p, size_t last, size_t n)
{
    const size_t rest = p->u->T - last;
    float sum[TRAITS] = {0.0f}, begin[TRAITS], trial[TRAITS];
    add_traits(p, begin, no_traits, 1.0f, 0, last);
    for (size_t k = 0; k < p->n_excerpts; k++)
        add_traits(p, sum, sum, 1.0f, p->starts[k], p->starts[k] + EXCERPT);
    for (; n > 0 && (p->n_excerpts + 1) * STRATUM <= rest; n--) {
        const size_t k = p->n_excerpts++;
        const float share = (float)rest / (float)((k + 1) * EXCERPT);
        float least = INFINITY;
        for (size_t at = last; at + EXCERPT <= p->u->T; at += 2) {
            add_traits(p, trial, sum, 1.0f, at, at + EXCERPT);
            for (size_t i = 0; i < TRAITS; i++)
                trial[i] = begin[i] + share * trial[i];
            const float distance = product(trial, trial);
            if (distance < least) {
                least = distance;
                p->starts[k] = at;
            }
        }
        add_traits(p, sum, sum, 1.0f, p->starts[k], p->starts[k] + EXCERPT);
    }
}

/*
 * Shares of the excerpts in the rows from `last` on: those that balance the whole best, held near
 * equal shares, none below zero (coordinate descent on the squared distance), adding up to the
 * rest.
 */
static void choose_shares(pieces *p, size_t last)
{
    const size_t n = p->n_excerpts, rest = p->u->T - last;
    float off[TRAITS], mean[MAX_EXCERPTS][TRAITS];
    add_traits(p, off, no_traits, 1.0f, 0, last);
    double norm = 0.0, total = 0.0;
    const double equal = n > 0 ? (double)rest / (double)n : 0.0;
    for (size_t k = 0; k < n; k++) {
        add_traits(p, mean[k], no_traits, 1.0f / EXCERPT, p->starts[k], p->starts[k] + EXCERPT);
        norm += (double)product(mean[k], mean[k]) / (double)n;
        p->shares[k] = equal;
        for (size_t i = 0; i < TRAITS; i++)
            off[i] += (float)equal * mean[k][i];
    }
    for (int round = 0; round < 20; round++) {
        for (size_t k = 0; k < n; k++) {
            const double slope =
                (double)product(off, mean[k]) + RIDGE * norm * (p->shares[k] - equal);
            const double curvature = (double)product(mean[k], mean[k]) + RIDGE * norm;
            double share = p->shares[k] - slope / curvature;
            share = share > 0.0 ? share : 0.0;
            for (size_t i = 0; i < TRAITS; i++)
                off[i] += (float)(share - p->shares[k]) * mean[k][i];
            p->shares[k] = share;
        }
    }
    for (size_t k = 0; k < n; k++)
        total += p->shares[k];
    for (size_t k = 0; k < n; k++)
        p->shares[k] = total > 0.0 ? p->shares[k] * (double)rest / total : equal;
}

/*
 * Rows in front that are silent in any voice. Silence is where the network forgives wrong
 * statistics least: logarithms of magnitudes that should be -20 can come out above 0.
 */
static size_t n_silent_rows(const kk_utterance *u)
{
    const size_t n = u->n_pad > ONSET_BEFORE ? u->n_pad - ONSET_BEFORE : 0;
    return n < ONSET ? n : ONSET;
}

static void add_segment(kk_norms *norms, size_t n_frames, double weight, size_t slot, double kept)
{
    if (n_frames > 0)
        norms->segments[norms->n_segments++] = (kk_segment){n_frames, weight, slot, kept};
}

/* Segments and weights of the run for rows [from, to) in the window [first, last). In front of the
 * utterance it may begin later: rows up to where speech may begin stand for all that are silent. */
static void weigh(pieces *p, size_t first, size_t from, size_t to, size_t last)
{
    kk_norms *norms = &p->norms;
    norms->n_segments = 0;
    if (first > from) {
        const size_t n = n_silent_rows(p->u);
        const double each = (double)n / (double)(n - first);
        add_segment(norms, n - first, each, 0, each);
        add_segment(norms, to - n, 1.0, 0, 1.0);
    } else {
        add_segment(norms, from - first, 0.0, KK_NO_SLOT, 0.0);
        add_segment(norms, to - from, 1.0, 0, 1.0);
    }
    add_segment(norms, last - to, 1.0, KK_NO_SLOT, 0.0);
    norms->slot_weights[0] = from > 0 ? 1.0 : 0.0;
    norms->slot_frames[0] = from;
    choose_shares(p, last);
    norms->narrowness = from == 0 ? FIRST_NARROWNESS : LATER_NARROWNESS;
    norms->excerpts_share = (double)(p->u->T - last) / (double)p->u->T;
    const double trust = from == 0 ? FIRST_TRUST : LATER_TRUST;
    for (size_t i = 0; i < p->n_excerpts; i++) {
        const double weight = trust * p->shares[i] / EXCERPT;
        norms->slot_frames[i + 1] = EXCERPT;
        norms->slot_weights[i + 1] = i < p->n_known ? weight : 0.0;
        if (i >= p->n_known)
            add_segment(norms, EXCERPT, weight, i + 1, 1.0);
    }
}

/* Rows [first, last) and behind them the excerpts without sums: features [T][512], spectrum
 * [60 T + 1][22]. */
static int gather(const pieces *p, size_t first, size_t last, const float **features,
                  const float **spectrum, size_t T)
{
    const kk_utterance *u = p->u;
    float *spectra = kk_workspace_floats(p->ops->ws, (T * ROW_SPECTRA + 1) * KK_SPECTRUM);
    float *rows = T > last - first ? kk_workspace_floats(p->ops->ws, T * FEATURES) : NULL;
    if (spectra == NULL || (T > last - first && rows == NULL))
        return KOKORO_NO_MEMORY;
    *features = rows != NULL ? rows : u->features + first * FEATURES;
    *spectrum = spectra;
    size_t start = first, n = last - first;
    for (size_t i = p->n_known;; i++) {
        /* One spectrum more than needed; the next part overwrites it, the last keeps it. */
        const int status = kk_spectrum(p->ops, p->w, spectra, u->source, u->T * ROW_SAMPLES,
                                       start * ROW_SPECTRA, n * ROW_SPECTRA + 1);
        if (status != KOKORO_OK || rows == NULL)
            return status;
        memcpy(rows, u->features + start * FEATURES, n * FEATURES * sizeof(*rows));
        rows += n * FEATURES;
        spectra += n * ROW_SPECTRA * KK_SPECTRUM;
        if (i == p->n_excerpts)
            return KOKORO_OK;
        start = p->starts[i];
        n = EXCERPT;
    }
}

/* The second run computes those of the first again: what it knows of the layers in front is better.
 */
static void forget_excerpts(pieces *p)
{
    const size_t slot = (size_t)2 * 256;
    for (size_t layer = 0; layer < KK_N_NORMS; layer++)
        memset(p->norms.sums + (layer * KK_MAX_SLOTS + 1) * slot, 0,
               (KK_MAX_SLOTS - 1) * slot * sizeof(*p->norms.sums));
    p->n_known = 0;
}

static size_t first_excerpts(size_t T)
{
    const size_t n = T / ROWS_AN_EXCERPT;
    return n < FIRST_EXCERPTS ? FIRST_EXCERPTS : n > MOST_FIRST ? MOST_FIRST : n;
}

/* The largest step from sample to sample where a joint at row `t` would be. */
static float roughness(const float *sound, size_t t)
{
    const float *x = sound + t * ROW_SAMPLES;
    float most = 0.0f;
    for (size_t i = 0; i < JOINT; i++)
        most = fmaxf(most, fabsf(x[i] - x[i - 1]));
    return most;
}

/* Where the piece that could end with row `to` ends: at the smoothest of the rows before. `sound`
 * begins with row `first`. */
static size_t choose_end(const float *sound, size_t first, size_t to)
{
    size_t best = to;
    for (size_t t = to - BACK; t < to; t++) {
        if (roughness(sound, t - first) < roughness(sound, best - first))
            best = t;
    }
    return best;
}

static void silence(float *audio, size_t n)
{
    for (size_t i = 0; i < n; i++)
        audio[i] = n - i > FADE ? 0.0f : audio[i] * (1.0f - ((float)(n - i) - 0.5f) / (float)FADE);
}

/* Sound from row p->at to that before the end, near `to`, into its place; sets p->at. */
static void place_sound(pieces *p, const float *sound, size_t first, size_t from, size_t to)
{
    const size_t end = to < p->u->T ? choose_end(sound, first, to) : to;
    const size_t at = first > p->at ? first : p->at;
    const float *x = sound + (at - first) * ROW_SAMPLES;
    float *dst = p->audio + at * ROW_SAMPLES;
    memcpy(dst, x, (end - at) * ROW_SAMPLES * sizeof(*dst));
    if (from == 0 && to < p->u->T)
        silence(p->audio, n_silent_rows(p->u) * ROW_SAMPLES);
    for (size_t i = 0; from > 0 && i < FADE; i++) {
        const float share = ((float)i + 0.5f) / (float)FADE;
        dst[i] = share * x[i] + (1.0f - share) * p->tail[i];
    }
    if (end < p->u->T)
        memcpy(p->tail, sound + (end - first) * ROW_SAMPLES, sizeof(p->tail));
    p->at = end;
}

/* What is made whole stays below 1.16 in all of 50 sentences in ten voices. */
static bool is_wild(const float *sound, size_t n)
{
    float most = 0.0f;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(sound[i]));
    return !(most < LOUDEST);
}

/* The run whose statistics take in rows [from, to) of the window [first, last). *is_wild: it did
 * not go well, and its sound is not placed. */
static int run_piece(pieces *p, size_t first, size_t from, size_t to, size_t last, bool *went_wild)
{
    const kk_utterance *u = p->u;
    const kk_mark mark = kk_workspace_mark(p->ops->ws);
    weigh(p, first, from, to, last);
    const size_t n_wanted = last - first, T = n_wanted + (p->n_excerpts - p->n_known) * EXCERPT;
    const size_t n_post = n_wanted * ROW_SPECTRA + (T == n_wanted ? 1 : 0);
    const float *features = NULL, *spectrum = NULL;
    int status = gather(p, first, last, &features, &spectrum, T);
    p->n_known = p->n_excerpts;
    p->norms.n_wanted = n_wanted;
    float *post = kk_workspace_floats(p->ops->ws, n_post * KK_SPECTRUM);
    float *sound = kk_workspace_floats(p->ops->ws, n_wanted * ROW_SAMPLES);
    if (post == NULL || sound == NULL)
        return KOKORO_NO_MEMORY;
    if (status == KOKORO_OK)
        status = kk_generator(p->ops, p->w, post, features, spectrum, u->style, T, u->in_bf16,
                              from == 0 && to == u->T ? NULL : &p->norms);
    if (status == KOKORO_OK)
        status = kk_inverse_stft(p->ops, p->w, sound, post, n_post);
    const bool is_made = status == KOKORO_OK && !kk_pool_cancelled(p->ops->pool);
    *went_wild = is_made && from == 0 && last < u->T && p->n_excerpts < MAX_EXCERPTS &&
                 is_wild(sound + (n_silent_rows(u) - first) * ROW_SAMPLES,
                         (to - n_silent_rows(u)) * ROW_SAMPLES);
    if (is_made && !*went_wild)
        place_sound(p, sound, first, from, to);
    kk_workspace_release(p->ops->ws, mark);
    return status;
}

/* The piece of rows [from, to). The first, where it runs away, is made again with all excerpts. */
static int make_piece(pieces *p, size_t from, size_t to)
{
    const size_t T = p->u->T;
    const size_t last = T - to > LOOK_AHEAD ? to + LOOK_AHEAD : T;
    const size_t at = from == 0 && last < T ? n_silent_rows(p->u) : p->at;
    const size_t first = at > CONTEXT ? at - CONTEXT : 0;
    if (last < T && (from == 0 || p->refines)) {
        forget_excerpts(p);
        choose_excerpts(p, last, from == 0 ? first_excerpts(T) : MAX_EXCERPTS - p->n_excerpts);
    }
    bool went_wild = false;
    int status = run_piece(p, first, from, to, last, &went_wild);
    if (status == KOKORO_OK && went_wild) {
        memset(p->norms.sums, 0, N_SUMS * sizeof(*p->norms.sums));
        p->n_known = 0;
        const size_t n = p->n_excerpts;
        choose_excerpts(p, last, MAX_EXCERPTS - n);
        if (p->n_excerpts > n)
            status = run_piece(p, first, from, to, last, &went_wild);
    }
    return status;
}

/* Lengths that grow; more excerpts in the second run. */
static size_t grown_length(pieces *p, size_t from, size_t before)
{
    p->refines = from > 0 && before == FIRST;
    if (from == 0)
        return p->u->T < SHORTEST ? p->u->T : FIRST;
    return before == FIRST ? SECOND : before == SECOND ? THIRD : 2 * before;
}

/* As long as the listener's need, told by the caller, leaves time for. */
static size_t wished_length(pieces *p, const kk_piece_plan *plan, size_t from)
{
    const size_t rest = p->u->T - from;
    const kk_piece_wish wish =
        plan->next_piece(plan->user, from * ROW_SAMPLES, p->u->T * ROW_SAMPLES);
    p->refines = from > 0 && wish.refines && !p->has_refined;
    p->has_refined = p->has_refined || p->refines;
    if (from == 0 && p->u->T < SHORTEST)
        return rest;
    const size_t length = wish.n_samples / ROW_SAMPLES;
    return length < rest ? (length > SHORTEST_PIECE ? length : SHORTEST_PIECE) : rest;
}

int kk_speak_pieces(const kk_ops *ops, const kk_generator_weights *w, const kk_utterance *u,
                    float *audio, const kk_piece_plan *plan)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    pieces p = {.ops = ops, .w = w, .u = u, .audio = audio};
    p.norms.sums = kk_workspace_alloc(ops->ws, N_SUMS * sizeof(*p.norms.sums));
    if (p.norms.sums == NULL)
        return KOKORO_NO_MEMORY;
    memset(p.norms.sums, 0, N_SUMS * sizeof(*p.norms.sums));
    int status = sum_traits(&p);
    size_t from = 0, length = 0;
    while (from < u->T && status == KOKORO_OK) {
        const size_t rest = u->T - from;
        length = plan->next_piece != NULL ? wished_length(&p, plan, from)
                                          : grown_length(&p, from, length);
        const size_t to = rest < length + LEAST_REST ? u->T : from + length;
        const size_t at = p.at;
        status = make_piece(&p, from, to);
        if (status == KOKORO_OK && kk_pool_cancelled(ops->pool))
            break;
        if (status == KOKORO_OK && plan->give(plan->user, audio + at * ROW_SAMPLES,
                                              (p.at - at) * ROW_SAMPLES, to == u->T) != 0) {
            kk_pool_cancel(ops->pool);
            break;
        }
        from = to;
    }
    kk_workspace_release(ops->ws, mark);
    return status;
}
