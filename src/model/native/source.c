/*
 * source.c - the harmonic source (neural source filter, Wang et al. 2019, without its noise): nine
 * sines at multiples of the pitch, weighed and squashed. 300 samples a pitch value.
 *
 *   rad[i][h]   = frac(f0[i] (h + 1) / 24000)
 *   phase[i][h] = cumsum(rad)[i][h] * 2 * pi * 300
 *   source[s]   = tanh(bias + sum_h w[h] * 0.1 * voiced[s / 300] * sin(phase between the values))
 *
 * Phase grows to 1e5 and is kept in float by the reference, so that its rounding is heard in the
 * high harmonics: every operation here is done in the reference's order (ONNX Runtime's CumSum,
 * linear Resize with half-pixel centres as its sum of eight corners, and MLAS tanh), which makes
 * equal pitch give an equal source.
 */
#include "model/native/network.h"

#include <math.h>

enum { SAMPLES = 300 };

typedef struct source_job {
    const kk_ops *ops;
    const kk_generator_weights *w;
    const float *f0, *phase; /* [T], [T][9] */
    float *dst;
    size_t T;
} source_job;

/* tanh as x * P(x^2) / Q(x^2), within 2 units in the last place (the rational function of Eigen and
 * MLAS), in their order of operations. */
static float rational_tanh(float x)
{
    x = x < -9.0f ? -9.0f : x > 9.0f ? 9.0f : x;
    const float u = x * x;
    float p = fmaf(u, -2.76076847742355e-16f, 2.00018790482477e-13f);
    p = fmaf(p, u, -8.60467152213735e-11f);
    p = fmaf(p, u, 5.12229709037114e-08f);
    p = fmaf(p, u, 1.48572235717979e-05f);
    p = fmaf(p, u, 6.37261928875436e-04f);
    p = fmaf(p, u, 4.89352455891786e-03f);
    p *= x;
    float q = fmaf(u, 1.19825839466702e-06f, 1.18534705686654e-04f);
    q = fmaf(q, u, 2.26843463243900e-03f);
    q = fmaf(q, u, 4.89352518554385e-03f);
    return p / q;
}

/* Samples [300 i, 300 i + 300) of one pitch value. */
static void frame_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const source_job *job = context;
    const kk_generator_weights *w = job->w;
    float low[SAMPLES], high[SAMPLES], sum[SAMPLES] = {0.0f}, wave[SAMPLES];
    size_t left[SAMPLES];
    float *dst = job->dst + i * SAMPLES;
    if (!(job->f0[i] > 10.0f)) {
        for (size_t s = 0; s < SAMPLES; s++)
            dst[s] = rational_tanh(*w->source_bias);
        return;
    }
    const float last = (float)(job->T - 1);
    for (size_t s = 0; s < SAMPLES; s++) {
        float x = ((float)(i * SAMPLES + s) + 0.5f) / (float)SAMPLES - 0.5f;
        x = x < 0.0f ? 0.0f : x > last ? last : x;
        left[s] = (size_t)x;
        const float from = fabsf(x - (float)left[s]), to = fabsf(x - (float)(left[s] + 1));
        const int is_end = left[s] + 1 == job->T;
        high[s] = (is_end ? 0.5f : from) * 0.25f;
        low[s] = (is_end ? 0.5f : to) * 0.25f;
    }
    for (size_t h = 0; h < KK_HARMONICS; h++) {
        for (size_t s = 0; s < SAMPLES; s++) {
            const size_t right = left[s] + 1 < job->T ? left[s] + 1 : left[s];
            const float a = low[s] * job->phase[left[s] * KK_HARMONICS + h],
                        b = high[s] * job->phase[right * KK_HARMONICS + h];
            wave[s] = a + b + a + b + a + b + a + b;
        }
        job->ops->kernels->sin(wave, wave, SAMPLES);
        for (size_t s = 0; s < SAMPLES; s++)
            sum[s] += wave[s] * 0.1f * w->source[h];
    }
    for (size_t s = 0; s < SAMPLES; s++)
        dst[s] = rational_tanh(sum[s] + *w->source_bias);
}

int kk_source(const kk_ops *ops, const kk_generator_weights *w, float *dst, const float *f0,
              size_t T)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *phase = kk_workspace_floats(ops->ws, T * KK_HARMONICS);
    if (phase == NULL)
        return KOKORO_NO_MEMORY;
    for (size_t h = 0; h < KK_HARMONICS; h++) {
        float sum = 0.0f;
        for (size_t i = 0; i < T; i++) {
            const float cycles = f0[i] * (float)(h + 1) / 24000.0f;
            sum += cycles - floorf(cycles);
            phase[i * KK_HARMONICS + h] = sum * 2.0f * 3.14159274f * 300.0f;
        }
    }
    source_job job = {ops, w, f0, phase, dst, T};
    kk_pool_run(ops->pool, frame_task, &job, T);
    kk_workspace_release(ops->ws, mark);
    return KOKORO_OK;
}
