/*
 * quality.h - how far the sound of one way is from that of another: durations token by token, and
 * the log-mel distance after each token of the one is laid over the same token of the other.
 */
#ifndef KK_BENCH_QUALITY_H
#define KK_BENCH_QUALITY_H

#include "base/arena.h"
#include "bench/mel.h"
#include "kokoro/kokoro.h"

/* One text as a way spoke it. */
typedef struct kk_bench_sound {
    const float *samples; /* [n_samples] */
    size_t n_samples;
    const int32_t *durations; /* [n_durations] frames of 25 ms, a token each */
    size_t n_durations;       /* 0: the way does not give them */
} kk_bench_sound;

typedef struct kk_bench_distance {
    size_t n_tokens;
    size_t n_durations_differ;
    double log_mel_db; /* RMS over the bands, mean over the frames of the reference */
} kk_bench_distance;

/*
 * A frame of the reference at time t is compared with the other's log-mel at the time that t has
 * there: times run in proportion inside a token, so that equal durations compare frame by frame.
 * Without durations, or with another number of tokens, the whole is one token, and n_tokens is 0.
 * BAD_DATA where either is empty, NO_MEMORY.
 */
int kk_bench_distance_of(const kk_bench_sound *reference, const kk_bench_sound *other,
                         kk_bench_distance *out, kokoro_error *err);

#endif
