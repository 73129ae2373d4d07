/*
 * prosody.c - how it is said: three LSTMs with adaptive layer normalisation over ALBERT's output
 * and the style, then a duration a token.
 *
 *   x = [bert_encoder(albert) | style]                                       [N][640]
 *   3 x:  x = [(1 + g) * norm(lstm(x)) + b | style],  (g, b) = fc(style)
 *   raw[n] = sum over 50 of sigmoid(duration(lstm(x))[n]) / speed
 */
#include "model/native/network.h"

#include <math.h>
#include <string.h>

static const float EPSILON = 1e-5f;
enum { ROWS = 16 };

int kk_style(const kk_ops *ops, const kk_conv *w, float *dst, const float *style)
{
    return kk_linear(ops, w, dst, w->C_out, style, KK_STYLE_HALF, 1);
}

/* The style beside every row of x [N][640]. */
static void append_style(float *x, const float *style, size_t N)
{
    for (size_t t = 0; t < N; t++)
        memcpy(x + t * KK_PROSODY_SIZE + KK_TEXT_SIZE, style, KK_STYLE_HALF * sizeof(*x));
}

typedef struct norm_job {
    const kk_ops *ops;
    const float *gain, *shift;
    float *dst; /* [N][640] */
    float *src; /* [N][512] */
} norm_job;

static void norm_rows(void *context, size_t first, size_t n)
{
    const norm_job *job = context;
    for (size_t t = first; t < first + n; t++)
        job->ops->kernels->layer_norm(job->dst + t * KK_PROSODY_SIZE, job->src + t * KK_TEXT_SIZE,
                                      NULL, job->gain, job->shift, EPSILON, 1, KK_TEXT_SIZE);
}

int kk_prosody_encoder(const kk_ops *ops, const kk_prosody_weights *w, float *dst,
                       const float *albert, const float *style, size_t N)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *y = kk_workspace_floats(ops->ws, N * KK_TEXT_SIZE);
    float *gains = kk_workspace_floats(ops->ws, 2 * KK_TEXT_SIZE);
    if (y == NULL || gains == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_linear(ops, &w->bert_encoder, dst, KK_PROSODY_SIZE, albert, KK_ALBERT_SIZE, N);
    append_style(dst, style, N);
    for (int i = 0; i < 3 && status == KOKORO_OK; i++) {
        status = kk_style(ops, &w->encoder_style[i], gains, style);
        for (size_t c = 0; c < KK_TEXT_SIZE; c++)
            gains[c] += 1.0f;
        if (status == KOKORO_OK)
            status = kk_lstm_run(ops, &w->encoder[i], y, KK_TEXT_SIZE, dst, KK_PROSODY_SIZE, N);
        norm_job job = {ops, gains, gains + KK_TEXT_SIZE, dst, y};
        kk_for_rows(ops, norm_rows, &job, N, ROWS);
    }
    kk_workspace_release(ops->ws, mark);
    return status;
}

int kk_durations(const kk_ops *ops, const kk_prosody_weights *w, float *raw, const float *prosody,
                 float speed, size_t N)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *y = kk_workspace_floats(ops->ws, N * KK_TEXT_SIZE);
    float *logits = kk_workspace_floats(ops->ws, N * KK_N_DURATIONS);
    if (y == NULL || logits == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_lstm_run(ops, &w->duration_lstm, y, KK_TEXT_SIZE, prosody, KK_PROSODY_SIZE, N);
    if (status == KOKORO_OK)
        status = kk_linear(ops, &w->duration, logits, KK_N_DURATIONS, y, KK_TEXT_SIZE, N);
    ops->kernels->sigmoid(logits, logits, N * KK_N_DURATIONS);
    for (size_t t = 0; t < N; t++) {
        float sum = 0.0f;
        for (size_t i = 0; i < KK_N_DURATIONS; i++)
            sum += logits[t * KK_N_DURATIONS + i];
        raw[t] = sum / speed;
    }
    kk_workspace_release(ops->ws, mark);
    return status;
}

size_t kk_round_durations(int32_t *dst, const float *raw, size_t N)
{
    size_t n_frames = 0;
    for (size_t t = 0; t < N; t++) {
        float rounded = nearbyintf(raw[t]); /* to even at halves, as the export's Round */
        dst[t] = rounded >= 1.0f ? (int32_t)rounded : 1;
        n_frames += (size_t)dst[t];
    }
    return n_frames;
}
