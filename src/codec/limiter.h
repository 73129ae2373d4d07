/*
 * limiter.h - keeps what a gain above 1 makes too loud within [-1, 1] without cutting tops off:
 * it looks 5 ms ahead and turns the sound down before a peak and slowly up again behind it.
 *
 *     need[n] = 1 / max(1, |x[n]|)
 *     low[n]  = min need[n-L+1 .. n]                       L samples: the 5 ms
 *     r[n]    = min(low[n], r[n-1] + 1 / (0.1 s × rate))
 *     y[n]    = x[n-L+1] × mean r[n-L+1 .. n]              each of which is at most need[n-L+1]
 *
 * What is never too loud comes out as it came in. A sample at a time, so that it does not matter in
 * what parts the sound comes.
 */
#ifndef KK_CODEC_LIMITER_H
#define KK_CODEC_LIMITER_H

#include "kokoro/kokoro.h"

#include <stddef.h>

typedef struct kk_limiter kk_limiter;

/* NO_MEMORY. */
int kk_limiter_open(kk_limiter **out, int sample_rate_hz, kokoro_error *err);
/* Samples in place; returns how many there are now, at most n: what is held back comes later. */
size_t kk_limiter_run(kk_limiter *limiter, float *samples, size_t n);
/* What is still held back, at most `size`; 0: nothing is. */
size_t kk_limiter_drain(kk_limiter *limiter, float *samples, size_t size);
void kk_limiter_close(kk_limiter **limiter);

#endif
