/*
 * mel.h - the spectrum as an ear divides it: what the distance of two recordings is measured on.
 */
#ifndef KK_BENCH_MEL_H
#define KK_BENCH_MEL_H

#include "base/arena.h"
#include "kokoro/kokoro.h"

enum { KK_MEL_WINDOW = 1024, KK_MEL_HOP = 256, KK_MEL_BANDS = 80 };

typedef struct kk_mel {
    float *db; /* [n_frames][KK_MEL_BANDS] */
    size_t n_frames;
} kk_mel;

/*
 * Log-mel spectrum of 24 kHz samples: Hann window, power in 80 triangular bands evenly spaced in
 * mel up to 12 kHz, 10 log10(power + 1e-6). A window of zeros stands before and behind the samples,
 * so frame k is centred on sample k * KK_MEL_HOP - KK_MEL_WINDOW / 2. NO_MEMORY.
 */
int kk_mel_make(kk_arena *arena, const float *samples, size_t n_samples, kk_mel *out,
                kokoro_error *err);

#endif
