/*
 * inverse_stft.c - from log magnitudes and phases to sound: 20 points every 5 samples, overlapped.
 *
 *   re, im = exp(post[0..10]) * cos, sin of sin(post[11..21])
 *   sound  = 4 * overlap-add of (re | im) * inverse_basis, the first and last 10 samples cut off
 *
 * The basis holds the window and the scale. The export divides by the sum of squared windows in the
 * first 20 samples only (its table was traced at that length), and so does this.
 */
#include "model/native/network.h"

#include <string.h>

enum { N = KK_STFT_SIZE, HOP = KK_STFT_HOP, BINS = 11, TRIM = 10, FRAMES = 64, SAMPLES = 2400 };

typedef struct inverse_job {
    const kk_ops *ops;
    const kk_generator_weights *w;
    const float *post;
    float *frames; /* [n_frames][20] */
    float *audio;
    size_t n_frames;
} inverse_job;

static void frames_task(void *context, size_t first, size_t n)
{
    const inverse_job *job = context;
    const kk_kernels *kernels = job->ops->kernels;
    const float half_pi = 1.57079633f;
    float magnitude[BINS], angle[BINS], shifted[BINS], re[BINS], im[BINS];
    for (size_t t = first; t < first + n; t++) {
        const float *post = job->post + t * KK_SPECTRUM;
        kernels->exp(magnitude, post, BINS);
        kernels->sin(angle, post + BINS, BINS);
        kernels->sin(im, angle, BINS);
        for (size_t k = 0; k < BINS; k++)
            shifted[k] = angle[k] + half_pi;
        kernels->sin(re, shifted, BINS);
        float *frame = job->frames + t * N;
        memset(frame, 0, N * sizeof(*frame));
        for (size_t k = 0; k < BINS; k++) {
            const float *real = job->w->inverse_basis + k * N, *imaginary = real + BINS * N;
            const float a = magnitude[k] * re[k], b = magnitude[k] * im[k];
            for (size_t i = 0; i < N; i++)
                frame[i] += a * real[i] + b * imaginary[i];
        }
    }
}

/* Sample s of the untrimmed sound has the frames that begin at most 19 samples before. */
static void add_samples(void *context, size_t first, size_t n)
{
    const inverse_job *job = context;
    const float *sums = job->w->window_sum;
    for (size_t i = first; i < first + n; i++) {
        const size_t s = i + TRIM, last = s / HOP < job->n_frames ? s / HOP : job->n_frames - 1;
        float sum = 0.0f;
        for (size_t t = s >= N ? (s - N) / HOP + 1 : 0; t <= last; t++)
            sum += job->frames[t * N + (s - t * HOP)];
        if (s < N && sums[s] > 1.17549435e-38f)
            sum /= sums[s];
        job->audio[i] = 4.0f * sum;
    }
}

int kk_inverse_stft(const kk_ops *ops, const kk_generator_weights *w, float *audio,
                    const float *post, size_t n_frames)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *frames = kk_workspace_floats(ops->ws, n_frames * N);
    if (frames == NULL)
        return KOKORO_NO_MEMORY;
    inverse_job job = {ops, w, post, frames, audio, n_frames};
    kk_for_rows(ops, frames_task, &job, n_frames, FRAMES);
    kk_for_rows(ops, add_samples, &job, HOP * (n_frames - 1), SAMPLES);
    kk_workspace_release(ops->ws, mark);
    return KOKORO_OK;
}
