/*
 * source.c - the harmonic source (neural source filter, Wang et al. 2019, without its noise): nine
 * sines at multiples of the pitch, weighed and squashed. 300 samples a pitch value.
 *
 *   rad[i][h]   = frac(f0[i] (h + 1) / 24000)
 *   phase[i][h] = cumsum(rad)[i][h] * 2 * pi * 300
 *   source[s]   = tanh(bias + sum_h w[h] * 0.1 * voiced[s / 300] * sin(phase between the values))
 *
 * The phase grows to 1e5 and is kept in float by the reference, so that its rounding is heard in
 * the high harmonics. Every operation here is therefore the reference's, in its order and with its
 * rounding, so that equal pitch gives an equal source, bit for bit:
 *
 *   - Both linear resizes are ONNX Runtime's for three axes [1][9][T]: a sum of eight corners. On
 *     the axis of depth 1 both corners are the same row, a half each; on that of the harmonics the
 *     second corner has the weight 0, but the last harmonic has no next row and gets two halves of
 *     its own. So the sum is a + b + a + b with weights halved, in the last harmonic eight terms
 *     with weights quartered.
 *   - The resize by 1 / 300 averages equal values, which costs roundings all the same.
 *   - The sine is Eigen's for a CPU without fused multiply-add: pi / 2 in four parts, and beyond
 *     25966 a reduction in higher precision.
 *   - The sum over the harmonics and tanh are MLAS's, with fused multiply-add.
 *
 * A fused multiply-add of floats is taken as a double sum rounded to float: the product is exact
 * there, the second rounding differs once in some 10^8, and it is as fast on every CPU.
 */
#include "model/native/network.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 300 };

static const float HUGE_PHASE = 25966.0f;

typedef struct source_job {
    const kk_generator_weights *w;
    const float *f0, *phase; /* [T], [T][9] */
    float *dst, silence;
    size_t T;
} source_job;

static inline float fused(float a, float b, float c)
{
    return (float)((double)a * (double)b + (double)c);
}

/* tanh as x * P(x^2) / Q(x^2), within 2 units in the last place (the rational function of Eigen and
 * MLAS), in their order of operations. */
static inline float rational_tanh(float x)
{
    x = x < -9.0f ? -9.0f : x;
    x = x > 9.0f ? 9.0f : x;
    const float u = x * x;
    float p = fused(u, -2.76076847742355e-16f, 2.00018790482477e-13f);
    p = fused(p, u, -8.60467152213735e-11f);
    p = fused(p, u, 5.12229709037114e-08f);
    p = fused(p, u, 1.48572235717979e-05f);
    p = fused(p, u, 6.37261928875436e-04f);
    p = fused(p, u, 4.89352455891786e-03f);
    p *= x;
    float q = fused(u, 1.19825839466702e-06f, 1.18534705686654e-04f);
    q = fused(q, u, 2.26843463243900e-03f);
    q = fused(q, u, 4.89352518554385e-03f);
    return p / q;
}

/* Nearest whole quarter turn of each x >= 0 and what is left of x. Adding 1.5 * 2^23 rounds to a
 * whole number, which then stands in the low bits. */
static void reduce(float *rest, uint32_t *quarter, const float *x)
{
    for (size_t s = 0; s < SAMPLES; s++) {
        const float shifted = x[s] * 0.636619747f + 12582912.0f, n = shifted - 12582912.0f;
        memcpy(&quarter[s], &shifted, sizeof(shifted));
        float r = n * -1.5703125f + x[s];
        r = n * -4.83989716e-4f + r;
        r = n * 1.62865035e-7f + r;
        rest[s] = n * 5.56443155e-11f + r;
    }
}

static void reduce_huge(float *rest, uint32_t *quarter, const float *x)
{
    static const double half_pi_high = 1.57079632673412561417, half_pi_low = 6.0771005065061922e-11;
    for (size_t s = 0; s < SAMPLES; s++) {
        if (!(x[s] >= HUGE_PHASE))
            continue;
        const double value = (double)x[s];
        const double shifted = value * 0.63661977236758134308 + 6755399441055744.0;
        const double n = shifted - 6755399441055744.0;
        uint64_t bits;
        memcpy(&bits, &shifted, sizeof(shifted));
        quarter[s] = (uint32_t)bits;
        rest[s] = (float)((value - n * half_pi_high) - n * half_pi_low);
    }
}

/* sum += w * 0.1 * sin(x): the polynomials of sine and cosine for |rest| <= pi / 4. */
static void add_sine(float *sum, const float *rest, const uint32_t *quarter, float w)
{
    for (size_t s = 0; s < SAMPLES; s++) {
        const float r = rest[s], u = r * r;
        float c = u * 2.43722661e-5f + -1.38865202e-3f;
        c = c * u + 4.16666195e-2f;
        c = c * u + -0.5f;
        c = c * u + 1.0f;
        float p = u * -1.95923411e-4f + 8.33268736e-3f;
        p = p * u + -0.166666620f;
        p = p * u * r + r;
        const float sign = (quarter[s] & 2) != 0 ? -0.1f : 0.1f;
        const float value = ((quarter[s] & 1) != 0 ? c : p) * sign;
        sum[s] = fused(value, w, sum[s]);
    }
}

/* dst[s] = the phase between a (weight low) and b (weight high). */
static void interpolate(float *dst, const float *low, const float *high, float a, float b, size_t n,
                        int is_last_harmonic)
{
    if (is_last_harmonic) {
        for (size_t s = 0; s < n; s++) {
            const float p = low[s] * 0.25f * a, q = high[s] * 0.25f * b;
            dst[s] = p + q + p + q + p + q + p + q;
        }
    } else {
        for (size_t s = 0; s < n; s++) {
            const float p = low[s] * 0.5f * a, q = high[s] * 0.5f * b;
            dst[s] = p + q + p + q;
        }
    }
}

/* The weights of the values at the left and the right of each sample of value i; returns how many
 * samples lie between the values i - 1 and i. The others lie between i and i + 1. */
static size_t weights_of(float *low, float *high, size_t i, size_t T)
{
    const float first = (float)i, last = (float)(T - 1);
    size_t split = 0;
    for (size_t s = 0; s < SAMPLES; s++) {
        float x = ((float)(i * SAMPLES + s) + 0.5f) / (float)SAMPLES - 0.5f;
        x = x < 0.0f ? 0.0f : x;
        x = x > last ? last : x;
        const float left = x < first ? first - 1.0f : first;
        split += x < first;
        high[s] = left == last ? 0.5f : fabsf(x - left);
        low[s] = left == last ? 0.5f : fabsf(x - (left + 1.0f));
    }
    return split;
}

/* Samples [300 i, 300 i + 300) of one pitch value. */
static void frame_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const source_job *job = context;
    const kk_generator_weights *w = job->w;
    float low[SAMPLES], high[SAMPLES], phase[SAMPLES], rest[SAMPLES], sum[SAMPLES] = {0.0f};
    uint32_t quarter[SAMPLES];
    float *dst = job->dst + i * SAMPLES;
    if (!(job->f0[i] > 10.0f)) {
        for (size_t s = 0; s < SAMPLES; s++)
            dst[s] = job->silence;
        return;
    }
    const size_t split = weights_of(low, high, i, job->T);
    const float *here = job->phase + i * KK_HARMONICS;
    const float *before = i > 0 ? here - KK_HARMONICS : here;
    const float *after = i + 1 < job->T ? here + KK_HARMONICS : here;
    for (size_t h = 0; h < KK_HARMONICS; h++) {
        const int is_last = h + 1 == KK_HARMONICS;
        interpolate(phase, low, high, before[h], here[h], split, is_last);
        interpolate(phase + split, low + split, high + split, here[h], after[h], SAMPLES - split,
                    is_last);
        reduce(rest, quarter, phase);
        if (after[h] >= HUGE_PHASE)
            reduce_huge(rest, quarter, phase);
        add_sine(sum, rest, quarter, w->source[h]);
    }
    for (size_t s = 0; s < SAMPLES; s++)
        dst[s] = rational_tanh(sum[s] + *w->source_bias);
}

/* phase [T][9]: the sum of the turns of each value, as an angle. */
static void sum_phases(float *phase, const float *f0, size_t T)
{
    for (size_t h = 0; h < KK_HARMONICS; h++) {
        const int is_last = h + 1 == KK_HARMONICS;
        float sum = 0.0f;
        for (size_t i = 0; i < T; i++) {
            const float cycles = f0[i] * (float)(h + 1) / 24000.0f;
            const float turn = cycles - floorf(cycles);
            const float x = ((float)i + 0.5f) / (1.0f / SAMPLES) - 0.5f;
            const float high = x - floorf(x), low = 1.0f - high;
            float mean;
            interpolate(&mean, &low, &high, turn, turn, 1, is_last);
            sum += mean;
            phase[i * KK_HARMONICS + h] = sum * 2.0f * 3.14159274f * 300.0f;
        }
    }
}

int kk_source(const kk_ops *ops, const kk_generator_weights *w, float *dst, const float *f0,
              size_t T)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *phase = kk_workspace_floats(ops->ws, T * KK_HARMONICS);
    if (phase == NULL)
        return KOKORO_NO_MEMORY;
    sum_phases(phase, f0, T);
    source_job job = {w, f0, phase, dst, rational_tanh(*w->source_bias), T};
    kk_pool_run(ops->pool, frame_task, &job, T);
    kk_workspace_release(ops->ws, mark);
    return KOKORO_OK;
}
