/*
 * quality.c - see quality.h. Where every duration is equal, the result is the plain log-mel RMS
 * distance of two recordings.
 */
#include "bench/quality.h"

#include "base/status.h"

#include <math.h>

/* Walks along the tokens of both, in samples. */
typedef struct aligner {
    const kk_bench_sound *reference, *other;
    bool by_token;
    size_t token;
    double start, other_start; /* where the token begins */
    double len, other_len;
} aligner;

static bool same_tokens(const kk_bench_sound *a, const kk_bench_sound *b)
{
    return a->n_durations > 0 && a->n_durations == b->n_durations;
}

static void read_token(aligner *a)
{
    if (!a->by_token) {
        a->len = (double)a->reference->n_samples;
        a->other_len = (double)a->other->n_samples;
        return;
    }
    a->len = (double)a->reference->durations[a->token] * KOKORO_SAMPLES_PER_FRAME;
    a->other_len = (double)a->other->durations[a->token] * KOKORO_SAMPLES_PER_FRAME;
}

static aligner start_aligner(const kk_bench_sound *reference, const kk_bench_sound *other)
{
    aligner a = {.reference = reference, .other = other};
    a.by_token = same_tokens(reference, other);
    read_token(&a);
    return a;
}

/* The place in the other of `at` in the reference. Calls come with rising `at`. */
static double other_place(aligner *a, double at)
{
    while (a->by_token && at >= a->start + a->len && a->token + 1 < a->reference->n_durations) {
        a->start += a->len;
        a->other_start += a->other_len;
        a->token++;
        read_token(a);
    }
    const double into = at - a->start;
    if (into < 0.0 || a->len <= 0.0)
        return a->other_start + into; /* before the first token */
    if (into >= a->len)
        return a->other_start + a->other_len + (into - a->len); /* behind the last */
    return a->other_start + into * a->other_len / a->len;
}

/* RMS over the bands between a frame and a place between two frames. */
static double frame_distance(const float *frame, const kk_mel *other, double place)
{
    const double last = (double)(other->n_frames - 1);
    const double at = fmin(fmax(place, 0.0), last);
    const size_t k = (size_t)at;
    const size_t next = k + 1 < other->n_frames ? k + 1 : k;
    const double part = at - (double)k;
    double sum = 0.0;
    for (int b = 0; b < KK_MEL_BANDS; b++) {
        const double low = (double)other->db[k * KK_MEL_BANDS + (size_t)b];
        const double high = (double)other->db[next * KK_MEL_BANDS + (size_t)b];
        const double difference = (double)frame[b] - (low + part * (high - low));
        sum += difference * difference;
    }
    return sqrt(sum / KK_MEL_BANDS);
}

static double mel_distance(aligner *a, const kk_mel *reference, const kk_mel *other)
{
    double sum = 0.0;
    for (size_t k = 0; k < reference->n_frames; k++) {
        const double centre = (double)k * KK_MEL_HOP - KK_MEL_WINDOW / 2.0;
        const double place = other_place(a, centre) + KK_MEL_WINDOW / 2.0;
        sum += frame_distance(reference->db + k * KK_MEL_BANDS, other, place / KK_MEL_HOP);
    }
    return sum / (double)reference->n_frames;
}

int kk_bench_distance_of(const kk_bench_sound *reference, const kk_bench_sound *other,
                         kk_bench_distance *out, kokoro_error *err)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_mel mel, other_mel;
    *out = (kk_bench_distance){.n_tokens = 0};
    if (reference->n_samples == 0 || other->n_samples == 0)
        return kk_fail(err, KOKORO_BAD_DATA, "there is no sound to compare");
    int status = kk_mel_make(&arena, reference->samples, reference->n_samples, &mel, err);
    if (status == KOKORO_OK)
        status = kk_mel_make(&arena, other->samples, other->n_samples, &other_mel, err);
    if (status == KOKORO_OK) {
        aligner a = start_aligner(reference, other);
        for (size_t i = 0; a.by_token && i < reference->n_durations; i++)
            out->n_durations_differ += reference->durations[i] != other->durations[i];
        out->n_tokens = a.by_token ? reference->n_durations : 0;
        out->log_mel_db = mel_distance(&a, &mel, &other_mel);
    }
    kk_arena_fini(&arena);
    return status;
}
