/*
 * spectrum.c - short-time Fourier transform of the harmonic source: 20 points every 5 samples, Hann
 * window, the ends reflected by 10; 11 magnitudes and 11 phases a frame.
 *
 * Where the source is constant (unvoiced), bins above the first are zero but for rounding, and
 * their phases, which the network sees, are those of the rounding. So the rounding is part of the
 * model: ONNX Runtime computes 20 points as a chirp convolution of 64 (Bluestein 1970) in float,
 * with a chirp table whose angles pi n^2 / 20 are not reduced before they are rounded. The same
 * operations in the same order give the same bits; a plain sum costs 0.6 dB and, by the signs of
 * the imaginary parts of the real bins 0 and 10, up to 3 dB (tests/golden/README.md).
 *
 *   X[k] = c[k] * sum_n (x[n] w[n] c[n]) * conj(c[k - n]),   c[n] = exp(-i pi n^2 / 20)
 *
 * This file must be compiled without contraction to fused multiply-adds.
 */
#include "model/native/network.h"

#include <math.h>
#include <string.h>

enum { N = KK_STFT_SIZE, M = 64, LANES = 16, BINS = 11, PAD = 10 };

/* exp(-2 pi i n / 64) and exp(-i pi n^2 / 20) as ONNX Runtime's tables have them. */
static const float twiddle_re[M] = {
    0x1p+0f,         0x1.fd88dap-1f,   0x1.f6297cp-1f,  0x1.e9f416p-1f,  0x1.d906bcp-1f,
    0x1.c38b2ep-1f,  0x1.a9b662p-1f,   0x1.8bc806p-1f,  0x1.6a09e6p-1f,  0x1.44cf32p-1f,
    0x1.1c73b2p-1f,  0x1.e2b5cep-2f,   0x1.87de2ap-2f,  0x1.29406p-2f,   0x1.8f8b78p-3f,
    0x1.917a6ap-4f,  -0x1.777a5cp-25f, -0x1.917a82p-4f, -0x1.8f8b84p-3f, -0x1.294066p-2f,
    -0x1.87de3p-2f,  -0x1.e2b5dap-2f,  -0x1.1c73b8p-1f, -0x1.44cf32p-1f, -0x1.6a09e6p-1f,
    -0x1.8bc808p-1f, -0x1.a9b664p-1f,  -0x1.c38b32p-1f, -0x1.d906cp-1f,  -0x1.e9f416p-1f,
    -0x1.f6297ep-1f, -0x1.fd88dap-1f,  -0x1p+0f,        -0x1.fd88dap-1f, -0x1.f6297cp-1f,
    -0x1.e9f414p-1f, -0x1.d906bcp-1f,  -0x1.c38b2ep-1f, -0x1.a9b66p-1f,  -0x1.8bc804p-1f,
    -0x1.6a09e2p-1f, -0x1.44cf34p-1f,  -0x1.1c73acp-1f, -0x1.e2b5dp-2f,  -0x1.87de16p-2f,
    -0x1.29405ap-2f, -0x1.8f8b8cp-3f,  -0x1.917a34p-4f, 0x1.99bc5cp-27f, 0x1.917abap-4f,
    0x1.8f8b9p-3f,   0x1.29407ap-2f,   0x1.87de36p-2f,  0x1.e2b5d2p-2f,  0x1.1c73bap-1f,
    0x1.44cf34p-1f,  0x1.6a09eep-1f,   0x1.8bc80ap-1f,  0x1.a9b662p-1f,  0x1.c38b32p-1f,
    0x1.d906bep-1f,  0x1.e9f418p-1f,   0x1.f6297ep-1f,  0x1.fd88dcp-1f};
static const float twiddle_im[M] = {
    -0.0f,           -0x1.917a6cp-4f, -0x1.8f8b84p-3f, -0x1.294064p-2f, -0x1.87de2cp-2f,
    -0x1.e2b5d4p-2f, -0x1.1c73b4p-1f, -0x1.44cf34p-1f, -0x1.6a09e6p-1f, -0x1.8bc806p-1f,
    -0x1.a9b664p-1f, -0x1.c38b3p-1f,  -0x1.d906bcp-1f, -0x1.e9f416p-1f, -0x1.f6297ep-1f,
    -0x1.fd88dap-1f, -0x1p+0f,        -0x1.fd88dap-1f, -0x1.f6297cp-1f, -0x1.e9f414p-1f,
    -0x1.d906bcp-1f, -0x1.c38b2ep-1f, -0x1.a9b66p-1f,  -0x1.8bc808p-1f, -0x1.6a09e6p-1f,
    -0x1.44cf32p-1f, -0x1.1c73b2p-1f, -0x1.e2b5ccp-2f, -0x1.87de2p-2f,  -0x1.294066p-2f,
    -0x1.8f8b82p-3f, -0x1.917a6p-4f,  0x1.777a5cp-24f, 0x1.917a8ep-4f,  0x1.8f8b9ap-3f,
    0x1.29407p-2f,   0x1.87de2ap-2f,  0x1.e2b5d6p-2f,  0x1.1c73b6p-1f,  0x1.44cf36p-1f,
    0x1.6a09eap-1f,  0x1.8bc806p-1f,  0x1.a9b668p-1f,  0x1.c38b3p-1f,   0x1.d906c2p-1f,
    0x1.e9f416p-1f,  0x1.f6297cp-1f,  0x1.fd88dap-1f,  0x1p+0f,         0x1.fd88dap-1f,
    0x1.f6297cp-1f,  0x1.e9f412p-1f,  0x1.d906bap-1f,  0x1.c38b3p-1f,   0x1.a9b65ep-1f,
    0x1.8bc806p-1f,  0x1.6a09dep-1f,  0x1.44cf2ep-1f,  0x1.1c73b6p-1f,  0x1.e2b5c6p-2f,
    0x1.87de2ap-2f,  0x1.29405p-2f,   0x1.8f8b78p-3f,  0x1.917a08p-4f};
static const float chirp_re[N] = {0x1p+0f,         0x1.f9b24ap-1f,  0x1.9e377ap-1f, 0x1.4060bap-3f,
                                  -0x1.9e377cp-1f, -0x1.6a09e2p-1f, 0x1.9e3778p-1f, 0x1.406092p-3f,
                                  -0x1.9e3774p-1f, 0x1.f9b248p-1f,  -0x1p+0f,       0x1.f9b23ep-1f,
                                  -0x1.9e378p-1f,  0x1.40600ep-3f,  0x1.9e379p-1f,  -0x1.6a09cep-1f,
                                  -0x1.9e379p-1f,  0x1.405e0ep-3f,  0x1.9e375ap-1f, 0x1.f9b23ep-1f};
static const float chirp_im[N] = {
    -0.0f,           -0x1.4060b8p-3f, -0x1.2cf23p-1f,  -0x1.f9b24ap-1f, -0x1.2cf22ep-1f,
    0x1.6a09eap-1f,  0x1.2cf232p-1f,  -0x1.f9b24ap-1f, 0x1.2cf238p-1f,  -0x1.4060eep-3f,
    0x1.6aac7ap-21f, -0x1.4061c2p-3f, 0x1.2cf228p-1f,  -0x1.f9b25p-1f,  0x1.2cf212p-1f,
    0x1.6a0ap-1f,    -0x1.2cf212p-1f, -0x1.f9b264p-1f, -0x1.2cf25ep-1f, -0x1.4061cep-3f};

/* Sixteen frames side by side: the loops over lanes become vectors. */
typedef float lanes[LANES];

typedef struct chirp_filter {
    float re[M], im[M]; /* transform of conj(c) */
} chirp_filter;

static unsigned reversed(unsigned i)
{
    unsigned r = 0;
    for (int bit = 0; bit < 6; bit++)
        r = r << 1 | (i >> bit & 1u);
    return r;
}

/* Radix 2, decimation in time: input in bit-reversed order, in place. Both halves of a butterfly
 * use their own table entry; the second is not the negated first. */
static void transform(lanes *re, lanes *im)
{
    for (unsigned size = 2, step = M / 2; size <= M; size *= 2, step /= 2) {
        const unsigned half = size / 2;
        for (unsigned k = 0; k < half; k++) {
            const float c1 = twiddle_re[k * step], s1 = twiddle_im[k * step],
                        c2 = twiddle_re[(half + k) * step], s2 = twiddle_im[(half + k) * step];
            for (unsigned j = k; j < M; j += size) {
                float *er = re[j], *ei = im[j], * or = re[j + half], *oi = im[j + half];
                for (int l = 0; l < LANES; l++) {
                    const float a = er[l], b = ei[l], c = or [l], d = oi[l];
                    er[l] = a + (c1 * c - s1 * d);
                    ei[l] = b + (c1 * d + s1 * c);
                    or [l] = a + (c2 * c - s2 * d);
                    oi[l] = b + (c2 * d + s2 * c);
                }
            }
        }
    }
}

static void prepare(chirp_filter *filter)
{
    lanes re[M], im[M];
    memset(re, 0, sizeof(re));
    memset(im, 0, sizeof(im));
    for (unsigned n = 0; n < M; n++) {
        const unsigned mirrored = n < N ? n : M - n;
        if (mirrored >= N)
            continue;
        re[reversed(n)][0] = chirp_re[mirrored];
        im[reversed(n)][0] = -chirp_im[mirrored];
    }
    transform(re, im);
    for (int i = 0; i < M; i++) {
        filter->re[i] = re[i][0];
        filter->im[i] = im[i][0];
    }
}

typedef struct spectrum_job {
    const kk_ops *ops;
    const float *window, *padded;
    const chirp_filter *filter;
    float *dst;
    size_t n_frames;
} spectrum_job;

static void transform_frames(const spectrum_job *job, const float *x, lanes *out_re, lanes *out_im)
{
    lanes re[M], im[M], product_re[M], product_im[M];
    memset(re, 0, sizeof(re));
    memset(im, 0, sizeof(im));
    for (unsigned n = 0; n < N; n++) {
        const unsigned to = reversed(n);
        for (int l = 0; l < LANES; l++) {
            const float v = x[KK_STFT_HOP * l + (int)n] * job->window[n];
            re[to][l] = v * chirp_re[n];
            im[to][l] = v * chirp_im[n];
        }
    }
    transform(re, im);
    for (unsigned i = 0; i < M; i++) {
        const unsigned to = reversed(i);
        const float fr = job->filter->re[i], fi = job->filter->im[i];
        for (int l = 0; l < LANES; l++) {
            product_re[to][l] = re[i][l] * fr - im[i][l] * fi;
            product_im[to][l] = re[i][l] * fi + im[i][l] * fr;
        }
    }
    /* The inverse transform as a forward one, read backwards. */
    transform(product_re, product_im);
    for (unsigned k = 0; k < BINS; k++) {
        const unsigned at = k == 0 ? 0 : M - k;
        for (int l = 0; l < LANES; l++) {
            const float r = product_re[at][l] / M, i = product_im[at][l] / M;
            out_re[k][l] = r * chirp_re[k] - i * chirp_im[k];
            out_im[k][l] = r * chirp_im[k] + i * chirp_re[k];
        }
    }
}

/* The reference's angle: atan(im / re), plus pi where re < 0 and im > 0, less pi where re < 0 and
 * im <= 0. It differs from atan2 in the sign at im = 0. */
static void frames_task(void *context, size_t task, size_t worker)
{
    (void)worker;
    const spectrum_job *job = context;
    const size_t first = task * LANES;
    lanes re[BINS], im[BINS], angle[BINS];
    transform_frames(job, job->padded + first * KK_STFT_HOP, re, im);
    job->ops->kernels->atan2(angle[0], im[0], re[0], (size_t)BINS * LANES);
    const size_t n = job->n_frames - first < LANES ? job->n_frames - first : LANES;
    for (size_t l = 0; l < n; l++) {
        float *dst = job->dst + (first + l) * KK_SPECTRUM;
        for (size_t k = 0; k < BINS; k++) {
            const float r = re[k][l], i = im[k][l];
            dst[k] = sqrtf(r * r + i * i);
            dst[BINS + k] = r < 0.0f && i == 0.0f ? -fabsf(angle[k][l]) : angle[k][l];
        }
    }
}

int kk_spectrum(const kk_ops *ops, const kk_generator_weights *w, float *dst, const float *source,
                size_t n, size_t first, size_t n_frames)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t n_tasks = (n_frames + LANES - 1) / LANES;
    const size_t n_padded = n_tasks * LANES * KK_STFT_HOP + N;
    float *padded = kk_workspace_floats(ops->ws, n_padded);
    if (padded == NULL)
        return KOKORO_NO_MEMORY;
    for (size_t i = 0; i < n_padded; i++) {
        const size_t at = first * KK_STFT_HOP + i; /* sample at - PAD, reflected at both ends */
        const size_t sample = at < PAD ? PAD - at : at < PAD + n ? at - PAD : 2 * n - 2 + PAD - at;
        /* Zeros behind the end, of frames that are computed and left out. */
        padded[i] = at < n + N ? source[sample] : 0.0f;
    }
    chirp_filter filter;
    prepare(&filter);
    spectrum_job job = {ops, w->stft_window, padded, &filter, dst, n_frames};
    kk_pool_run(ops->pool, frames_task, &job, n_tasks);
    kk_workspace_release(ops->ws, mark);
    return KOKORO_OK;
}
