/*
 * pieces.c - the generator piece by piece, so that sound is there before the whole is made.
 *
 * Everything before the generator has run on the whole utterance. What stands in the way are the
 * generator's 48 normalisations, whose means and variances are those of all rows. They are
 * estimated: the first run takes, beside the first piece, short excerpts from all over the rest,
 * each standing for its share of the utterance; later runs put what has been made in their place.
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
    FIRST = 48,    /* rows of features, 80 a second: 0.6 s */
    SECOND = 80,   /* 1 s; each further piece half as long again, */
    LONGEST = 240, /* up to 3 s */
    LOOK_AHEAD = 16,
    CONTEXT = 16,
    LEAST_REST = 40, /* less is taken into the piece before */
    EXCERPT = 8,
    MAX_EXCERPTS = 6,
    STRATUM = 24, /* an excerpt stands for no less */
    ROW_SAMPLES = 300,
    ROW_SPECTRA = 60,
    FADE = 240, /* samples: 10 ms */
    FEATURES = 512
};

typedef struct excerpt {
    size_t start;    /* of the excerpt */
    size_t from, to; /* rows that it stands for */
} excerpt;

typedef struct pieces {
    const kk_ops *ops;
    const kk_generator_weights *w;
    const kk_utterance *u;
    float *audio;
    kk_norms norms;
    excerpt excerpts[MAX_EXCERPTS];
    size_t n_excerpts;
    float tail[FADE]; /* of the piece before, beyond its end */
} pieces;

static float mean(const float *x, size_t n)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (float)n;
}

/* The excerpt of a stratum whose energy is most like that of the whole stratum. */
static size_t typical_place(const float *energy, size_t from, size_t to)
{
    const float want = mean(energy + from, to - from);
    size_t best = from;
    float least = INFINITY;
    for (size_t at = from; at + EXCERPT <= to; at++) {
        const float difference = fabsf(mean(energy + at, EXCERPT) - want);
        if (difference < least) {
            least = difference;
            best = at;
        }
    }
    return best;
}

static void choose_excerpts(pieces *p)
{
    const size_t from = FIRST + LOOK_AHEAD, T = p->u->T;
    size_t n = T > from ? (T - from) / STRATUM : 0;
    n = n < MAX_EXCERPTS ? n : MAX_EXCERPTS;
    p->n_excerpts = n;
    for (size_t i = 0; i < n; i++) {
        excerpt *e = &p->excerpts[i];
        e->from = from + (T - from) * i / n;
        e->to = from + (T - from) * (i + 1) / n;
        e->start = typical_place(p->u->energy, e->from, e->to);
    }
}

static void add_segment(kk_norms *norms, size_t n_frames, double weight, size_t slot)
{
    if (n_frames > 0)
        norms->segments[norms->n_segments++] = (kk_segment){n_frames, weight, slot};
}

/* Segments and weights of the run for rows [from, to) in the window [first, last). */
static void weigh(pieces *p, size_t first, size_t from, size_t to, size_t last)
{
    kk_norms *norms = &p->norms;
    norms->n_segments = 0;
    add_segment(norms, from - first, 0.0, KK_NO_SLOT);
    add_segment(norms, to - from, 1.0, 0);
    add_segment(norms, last - to, 1.0, KK_NO_SLOT);
    norms->slot_weights[0] = from > 0 ? 1.0 : 0.0;
    norms->slot_frames[0] = from;
    for (size_t i = 0; i < p->n_excerpts; i++) {
        const excerpt *e = &p->excerpts[i];
        const size_t begin = e->from > last ? e->from : last;
        const double share = e->to > begin ? (double)(e->to - begin) / EXCERPT : 0.0;
        norms->slot_frames[i + 1] = EXCERPT;
        norms->slot_weights[i + 1] = from > 0 ? share : 0.0;
        if (from == 0)
            add_segment(norms, EXCERPT, share, i + 1);
    }
}

/* Rows [first, last), and in the first run the excerpts behind them. */
static int gather(const pieces *p, size_t last, const float **features, const float **spectrum,
                  size_t *T)
{
    *T = last + p->n_excerpts * EXCERPT;
    float *rows = kk_workspace_floats(p->ops->ws, *T * FEATURES);
    float *spectra = kk_workspace_floats(p->ops->ws, (*T * ROW_SPECTRA + 1) * KK_SPECTRUM);
    if (rows == NULL || spectra == NULL)
        return KOKORO_NO_MEMORY;
    *features = rows;
    *spectrum = spectra;
    for (size_t i = 0; i <= p->n_excerpts; i++) {
        const size_t start = i == 0 ? 0 : p->excerpts[i - 1].start, n = i == 0 ? last : EXCERPT;
        memcpy(rows, p->u->features + start * FEATURES, n * FEATURES * sizeof(*rows));
        /* One spectrum more than needed; the next part overwrites it, the last keeps it. */
        memcpy(spectra, p->u->spectrum + start * ROW_SPECTRA * KK_SPECTRUM,
               (n * ROW_SPECTRA + 1) * KK_SPECTRUM * sizeof(*spectra));
        rows += n * FEATURES;
        spectra += n * ROW_SPECTRA * KK_SPECTRUM;
    }
    return KOKORO_OK;
}

/* Sound of rows [from, to) into its place. */
static int make_piece(pieces *p, size_t from, size_t to)
{
    const kk_utterance *u = p->u;
    const kk_mark mark = kk_workspace_mark(p->ops->ws);
    const size_t first = from > CONTEXT ? from - CONTEXT : 0;
    const size_t last = u->T - to > LOOK_AHEAD ? to + LOOK_AHEAD : u->T;
    const float *features = u->features + first * FEATURES;
    const float *spectrum = u->spectrum + first * ROW_SPECTRA * KK_SPECTRUM;
    size_t T = last - first;
    weigh(p, first, from, to, last);
    int status = KOKORO_OK;
    if (from == 0 && p->n_excerpts > 0)
        status = gather(p, last, &features, &spectrum, &T);
    float *post = kk_workspace_floats(p->ops->ws, (T * ROW_SPECTRA + 1) * KK_SPECTRUM);
    float *sound = kk_workspace_floats(p->ops->ws, T * ROW_SAMPLES);
    if (post == NULL || sound == NULL)
        return KOKORO_NO_MEMORY;
    if (status == KOKORO_OK)
        status = kk_generator(p->ops, p->w, post, features, spectrum, u->style, T, u->in_bf16,
                              &p->norms);
    if (status == KOKORO_OK)
        status = kk_inverse_stft(p->ops, p->w, sound, post, T * ROW_SPECTRA + 1);
    if (status == KOKORO_OK) {
        const size_t n = (to - from) * ROW_SAMPLES;
        sound += (from - first) * ROW_SAMPLES;
        for (size_t i = 0; from > 0 && i < FADE; i++) {
            const float share = ((float)i + 0.5f) / (float)FADE;
            sound[i] = share * sound[i] + (1.0f - share) * p->tail[i];
        }
        memcpy(p->audio + from * ROW_SAMPLES, sound, n * sizeof(*sound));
        if (to < u->T)
            memcpy(p->tail, sound + n, sizeof(p->tail));
    }
    kk_workspace_release(p->ops->ws, mark);
    return status;
}

int kk_speak_pieces(const kk_ops *ops, const kk_generator_weights *w, const kk_utterance *u,
                    float *audio, kk_piece_fn *fn, void *user)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    pieces p = {.ops = ops, .w = w, .u = u, .audio = audio};
    const size_t n_sums = (size_t)KK_N_NORMS * KK_MAX_SLOTS * 2 * 256;
    p.norms.sums = kk_workspace_alloc(ops->ws, n_sums * sizeof(*p.norms.sums));
    if (p.norms.sums == NULL)
        return KOKORO_NO_MEMORY;
    memset(p.norms.sums, 0, n_sums * sizeof(*p.norms.sums));
    choose_excerpts(&p);
    int status = KOKORO_OK;
    size_t from = 0, length = FIRST;
    while (from < u->T && status == KOKORO_OK) {
        const size_t rest = u->T - from;
        const size_t to = rest < length + LEAST_REST ? u->T : from + length;
        status = make_piece(&p, from, to);
        if (status == KOKORO_OK && kk_pool_cancelled(ops->pool))
            break;
        if (status == KOKORO_OK &&
            fn(user, audio + from * ROW_SAMPLES, (to - from) * ROW_SAMPLES, to == u->T) != 0) {
            kk_pool_cancel(ops->pool);
            break;
        }
        length = from == 0 ? SECOND : length + length / 2;
        length = length < LONGEST ? length : LONGEST;
        from = to;
    }
    kk_workspace_release(ops->ws, mark);
    return status;
}
