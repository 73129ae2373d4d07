/*
 * resample.h - from one sample rate to another, piece by piece, through libsoxr.
 */
#ifndef KK_CODEC_RESAMPLE_H
#define KK_CODEC_RESAMPLE_H

#include "kokoro/kokoro.h"

#include <stddef.h>
#include <stdint.h>

typedef struct kk_resampler kk_resampler;

/* Samples that come of n: n times the ratio of the rates, rounded to the nearest. */
uint64_t kk_resampled(uint64_t n, int src_hz, int dst_hz);

/* NO_MEMORY. On failure *out is NULL. */
int kk_resampler_open(kk_resampler **out, int src_hz, int dst_hz, kokoro_error *err);

/* Take from *src, of which *n samples are left, and give up to `capacity` into dst; both are moved
 * on. Returns how many were given. All is done when *n is 0 and less than `capacity` was given. */
size_t kk_resampler_run(kk_resampler *resampler, const float **src, size_t *n, float *dst,
                        size_t capacity);

/* After the last sample: the next of what is still held, until 0. In all exactly
 * kk_resampled(taken) are given. */
size_t kk_resampler_drain(kk_resampler *resampler, float *dst, size_t capacity);

void kk_resampler_close(kk_resampler **resampler);

#endif
