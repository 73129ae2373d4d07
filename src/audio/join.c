/*
 * join.c - seams between chunks.
 *
 * The model begins and ends a chunk in near silence, so a joint between sentences needs no more
 * than a short fade: it takes away the step between the last sample of one chunk and the first of
 * the next. Where one sentence had to be cut the silence of both sides would sound like a full
 * stop; there it is shortened to a breath.
 */
#include "audio/audio.h"

#include "kokoro/kokoro.h"

#include <math.h>

enum {
    FADE = KOKORO_SAMPLE_RATE_HZ * 3 / 1000,    /* 3 ms */
    BREATH = KOKORO_SAMPLE_RATE_HZ * 60 / 1000, /* silence left on each side of a cut: 60 ms */
};

/* -46 dB of full scale: below what the voices reach in speech, above the noise the model leaves in
 * pauses. */
static const float silence_level = 0.005f;

static size_t leading_silence(const float *samples, size_t n)
{
    size_t i = 0;
    while (i < n && fabsf(samples[i]) < silence_level)
        i++;
    return i;
}

static size_t trailing_silence(const float *samples, size_t n)
{
    size_t i = 0;
    while (i < n && fabsf(samples[n - 1 - i]) < silence_level)
        i++;
    return i;
}

void kk_audio_join(float *samples, size_t n_samples, kk_seam seam, size_t *start, size_t *n)
{
    size_t first = 0, end = n_samples;
    if (seam.cut_before) {
        size_t quiet = leading_silence(samples, n_samples);
        first = quiet > BREATH ? quiet - BREATH : 0;
    }
    if (seam.cut_after) {
        size_t quiet = trailing_silence(samples + first, n_samples - first);
        end -= quiet > BREATH ? quiet - BREATH : 0;
    }
    size_t fade = end - first < 2 * FADE ? (end - first) / 2 : FADE;
    for (size_t i = 0; i < fade; i++) {
        float gain = ((float)i + 0.5f) / (float)fade;
        if (seam.before)
            samples[first + i] *= gain;
        if (seam.after)
            samples[end - 1 - i] *= gain;
    }
    *start = first;
    *n = end - first;
}
