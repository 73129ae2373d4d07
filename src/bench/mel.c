/*
 * mel.c - a frame: window, real Fourier transform (kissfft), power, bands.
 *
 *     mel(f) = 2595 log10(1 + f / 700)        (O'Shaughnessy)
 *
 * The corners of the bands lie at fractional bins, found by linear interpolation between the mel of
 * neighbouring bins; band b rises from corner b to b + 1 and falls to b + 2.
 */
#define _XOPEN_SOURCE 700 /* M_PI */
#include "bench/mel.h"

#include "base/status.h"

#include <kiss_fftr.h>
#include <math.h>
#include <string.h>

enum { N_BINS = KK_MEL_WINDOW / 2 + 1 };

static const double TOP_HZ = KOKORO_SAMPLE_RATE_HZ / 2.0;
static const double FLOOR_POWER = 1e-6;

/* A band touches few bins. */
typedef struct band {
    int first, n;
    float weight[N_BINS];
} band;

typedef struct analyser {
    kiss_fftr_cfg transform;
    band *bands; /* [KK_MEL_BANDS] */
    float window[KK_MEL_WINDOW];
    float frame[KK_MEL_WINDOW];
    kiss_fft_cpx spectrum[N_BINS];
} analyser;

static double mel_of(double hz)
{
    return 2595.0 * log10(1.0 + hz / 700.0);
}

static double bin_of(double mel)
{
    for (int k = 1; k < N_BINS; k++) {
        const double low = mel_of(TOP_HZ * (k - 1) / (N_BINS - 1));
        const double high = mel_of(TOP_HZ * k / (N_BINS - 1));
        if (mel <= high)
            return k - 1 + (mel - low) / (high - low);
    }
    return N_BINS - 1;
}

static void fill_band(band *b, double left, double centre, double right)
{
    b->first = -1;
    b->n = 0;
    for (int k = 0; k < N_BINS; k++) {
        const double rise = (k - left) / fmax(centre - left, 1e-9);
        const double fall = (right - k) / fmax(right - centre, 1e-9);
        const double weight = fmax(0.0, fmin(rise, fall));
        if (weight <= 0.0)
            continue;
        if (b->first < 0)
            b->first = k;
        b->weight[k - b->first] = (float)weight;
        b->n = k - b->first + 1;
    }
}

static analyser *make_analyser(kk_arena *arena)
{
    size_t len = 0;
    (void)kiss_fftr_alloc(KK_MEL_WINDOW, 0, NULL, &len);
    analyser *a = kk_arena_calloc(arena, 1, sizeof(*a));
    void *memory = kk_arena_alloc(arena, len);
    if (a == NULL || memory == NULL)
        return NULL;
    a->transform = kiss_fftr_alloc(KK_MEL_WINDOW, 0, memory, &len);
    a->bands = kk_arena_calloc(arena, KK_MEL_BANDS, sizeof(*a->bands));
    if (a->transform == NULL || a->bands == NULL)
        return NULL;
    for (int i = 0; i < KK_MEL_WINDOW; i++)
        a->window[i] = (float)(0.5 - 0.5 * cos(2.0 * M_PI * i / (KK_MEL_WINDOW - 1)));
    const double step = mel_of(TOP_HZ) / (KK_MEL_BANDS + 1);
    for (int b = 0; b < KK_MEL_BANDS; b++)
        fill_band(&a->bands[b], bin_of(step * b), bin_of(step * (b + 1)), bin_of(step * (b + 2)));
    return a;
}

/* Samples from `start` (which may lie outside) under the window, zeros where there are none. */
static void cut_frame(analyser *a, const float *samples, size_t n_samples, long long start)
{
    for (int i = 0; i < KK_MEL_WINDOW; i++) {
        const long long at = start + i;
        a->frame[i] = at >= 0 && at < (long long)n_samples ? samples[at] * a->window[i] : 0.0F;
    }
}

static void analyse(analyser *a, float *db)
{
    kiss_fftr(a->transform, a->frame, a->spectrum);
    for (int b = 0; b < KK_MEL_BANDS; b++) {
        const band *at = &a->bands[b];
        double power = 0.0;
        for (int k = 0; k < at->n; k++) {
            const kiss_fft_cpx value = a->spectrum[at->first + k];
            const double re = (double)value.r, im = (double)value.i;
            power += (double)at->weight[k] * (re * re + im * im);
        }
        db[b] = (float)(10.0 * log10(power + FLOOR_POWER));
    }
}

int kk_mel_make(kk_arena *arena, const float *samples, size_t n_samples, kk_mel *out,
                kokoro_error *err)
{
    kk_arena scratch = KK_ARENA_INIT;
    const size_t n_frames = (n_samples + KK_MEL_WINDOW) / KK_MEL_HOP + 1;
    analyser *a = make_analyser(&scratch);
    *out = (kk_mel){.n_frames = 0};
    float *db = kk_arena_calloc(arena, n_frames * KK_MEL_BANDS, sizeof(*db));
    int status = a != NULL && db != NULL ? KOKORO_OK : kk_fail_memory(err);
    if (status == KOKORO_OK) {
        for (size_t k = 0; k < n_frames; k++) {
            cut_frame(a, samples, n_samples, (long long)(k * KK_MEL_HOP) - KK_MEL_WINDOW);
            analyse(a, db + k * KK_MEL_BANDS);
        }
        *out = (kk_mel){.db = db, .n_frames = n_frames};
    }
    kk_arena_fini(&scratch);
    return status;
}
