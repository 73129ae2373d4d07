#include "codec/limiter.h"

#include "base/alloc.h"
#include "base/status.h"

#include <stdint.h>

enum {
    MAX_LEN = 240, /* 5 ms at 48 kHz */
    AHEAD_DIVISOR = 200
};

static const double RELEASE_S = 0.1;
/* A sample beyond it is no sound: the whole window would be silent for an infinity. The quietest
 * voice (loudness.c) brought to -10 LUFS at the volume 2 has 14. */
static const float LOUDEST = 64.0F;

struct kk_limiter {
    size_t len;
    uint64_t n;    /* samples that came */
    size_t n_held; /* of which so many did not go yet */
    float step;    /* of the release, a sample */
    float gain;    /* r[n-1] */
    double sum;    /* of means[]; exact, since these have 30 bits behind the point */
    float delay[MAX_LEN], means[MAX_LEN];
    /* Minimum of a sliding window: what may still be the lowest, lowest first. */
    struct {
        uint64_t at;
        float need;
    } low[MAX_LEN];
    size_t first, n_low;
};

int kk_limiter_open(kk_limiter **out, int sample_rate_hz, kokoro_error *err)
{
    kk_limiter *l = kk_calloc(1, sizeof(*l));
    *out = l;
    if (l == NULL)
        return kk_fail_memory(err);
    const size_t len = (size_t)sample_rate_hz / AHEAD_DIVISOR;
    l->len = len > MAX_LEN ? MAX_LEN : len > 0 ? len : 1;
    l->step = (float)(1.0 / (RELEASE_S * sample_rate_hz));
    l->gain = 1.0F;
    l->sum = (double)l->len;
    for (size_t i = 0; i < l->len; i++)
        l->means[i] = 1.0F;
    return KOKORO_OK;
}

/* The least of the needs in the window that ends with this one. */
static float lowest(kk_limiter *l, float need)
{
    while (l->n_low > 0 && l->low[(l->first + l->n_low - 1) % l->len].need >= need)
        l->n_low--;
    if (l->n_low > 0 && l->low[l->first].at + l->len <= l->n) {
        l->first = (l->first + 1) % l->len;
        l->n_low--;
    }
    const size_t last = (l->first + l->n_low++) % l->len;
    l->low[last].at = l->n;
    l->low[last].need = need;
    return l->low[l->first].need;
}

/* Takes x[n], gives y of the sample that came len - 1 before. */
static float move(kk_limiter *l, float x)
{
    /* In this order NaN is 0. */
    x = x >= LOUDEST ? LOUDEST : x > -LOUDEST ? x : x <= -LOUDEST ? -LOUDEST : 0.0F;
    const float size = x < 0.0F ? -x : x;
    const float low = lowest(l, size > 1.0F ? 1.0F / size : 1.0F);
    const size_t at = l->n % l->len;
    l->gain += l->step;
    if (l->gain > low)
        l->gain = low;
    l->sum += (double)l->gain - (double)l->means[at];
    l->means[at] = l->gain;
    l->delay[at] = x;
    l->n++;
    return l->delay[l->n % l->len] * (float)(l->sum / (double)l->len);
}

size_t kk_limiter_run(kk_limiter *limiter, float *samples, size_t n)
{
    size_t n_out = 0;
    limiter->n_held += n;
    for (size_t i = 0; i < n; i++) {
        const float y = move(limiter, samples[i]);
        if (limiter->n >= limiter->len)
            samples[n_out++] = y;
    }
    limiter->n_held -= n_out;
    return n_out;
}

size_t kk_limiter_drain(kk_limiter *limiter, float *samples, size_t size)
{
    size_t n_out = 0;
    while (n_out < size && limiter->n_held > 0) {
        const float y = move(limiter, 0.0F);
        if (limiter->n < limiter->len)
            continue;
        samples[n_out++] = y;
        limiter->n_held--;
    }
    return n_out;
}

void kk_limiter_close(kk_limiter **limiter)
{
    if (limiter == NULL)
        return;
    kk_free(*limiter);
    *limiter = NULL;
}
