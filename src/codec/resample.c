/*
 * resample.c - stage 6, in front of the formats: libsoxr at its 20-bit quality, linear phase, so
 * that the sound keeps its shape and its place in time. The library takes back the delay of its
 * filters; that the count is exact is seen to here.
 */
#include "codec/resample.h"

#include "base/alloc.h"
#include "base/status.h"

#include <soxr.h>
#include <string.h>

struct kk_resampler {
    soxr_t soxr;
    int src_hz, dst_hz;
    uint64_t n_taken, n_given;
};

uint64_t kk_resampled(uint64_t n, int src_hz, int dst_hz)
{
    const uint64_t src = (uint64_t)src_hz, dst = (uint64_t)dst_hz;
    /* The whole seconds apart, so that no product overflows. */
    return n / src * dst + (n % src * dst + src / 2) / src;
}

int kk_resampler_open(kk_resampler **out, int src_hz, int dst_hz, kokoro_error *err)
{
    const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    kk_resampler *resampler = kk_calloc(1, sizeof(*resampler));
    soxr_error_t problem = NULL;
    *out = NULL;
    if (resampler == NULL)
        return kk_fail_memory(err);
    resampler->src_hz = src_hz;
    resampler->dst_hz = dst_hz;
    resampler->soxr = soxr_create(src_hz, dst_hz, 1, &problem, &io, &quality, &runtime);
    if (resampler->soxr == NULL || problem != NULL) {
        kk_resampler_close(&resampler);
        return kk_fail_memory(err);
    }
    *out = resampler;
    return KOKORO_OK;
}

size_t kk_resampler_run(kk_resampler *resampler, const float **src, size_t *n, float *dst,
                        size_t capacity)
{
    size_t n_taken = 0, n_given = 0;
    (void)soxr_process(resampler->soxr, *src, *n, &n_taken, dst, capacity, &n_given);
    *src += n_taken;
    *n -= n_taken;
    resampler->n_taken += n_taken;
    resampler->n_given += n_given;
    return n_given;
}

size_t kk_resampler_drain(kk_resampler *resampler, float *dst, size_t capacity)
{
    const uint64_t n_total = kk_resampled(resampler->n_taken, resampler->src_hz, resampler->dst_hz);
    size_t n_left = n_total > resampler->n_given ? (size_t)(n_total - resampler->n_given) : 0;
    size_t n_given = 0;
    if (n_left > capacity)
        n_left = capacity;
    if (n_left == 0)
        return 0;
    (void)soxr_process(resampler->soxr, NULL, 0, NULL, dst, n_left, &n_given);
    /* Where the library rounds down: one more sample of silence. */
    memset(dst + n_given, 0, (n_left - n_given) * sizeof(*dst));
    resampler->n_given += n_left;
    return n_left;
}

void kk_resampler_close(kk_resampler **resampler)
{
    if (*resampler == NULL)
        return;
    if ((*resampler)->soxr != NULL)
        soxr_delete((*resampler)->soxr);
    kk_free(*resampler);
    *resampler = NULL;
}
