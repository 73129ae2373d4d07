/*
 * pitch.c - fundamental frequency and energy, 80 values a second: a shared LSTM over the aligned
 * prosody, then three residual blocks and a projection each. The pitch always in float: it is
 * integrated to a phase, where an error grows with time.
 */
#include "model/native/network.h"

static int curve(const kk_ops *ops, const kk_adain_block *blocks, const kk_conv *projection,
                 float *dst, const float *shared, const float *style, size_t F, int in_bf16)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *a = kk_workspace_floats(ops->ws, F * KK_TEXT_SIZE); /* [F][512] */
    float *b = kk_workspace_floats(ops->ws, 2 * F * 256);      /* [2F][256] */
    float *c = kk_workspace_floats(ops->ws, 2 * F * 256);      /* [2F][256] */
    if (a == NULL || b == NULL || c == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_adain_block_run(ops, &blocks[0], a, KK_TEXT_SIZE, shared, KK_TEXT_SIZE, style,
                                    F, in_bf16);
    if (status == KOKORO_OK)
        status = kk_adain_block_run(ops, &blocks[1], b, 256, a, KK_TEXT_SIZE, style, F, in_bf16);
    if (status == KOKORO_OK)
        status = kk_adain_block_run(ops, &blocks[2], c, 256, b, 256, style, 2 * F, in_bf16);
    if (status == KOKORO_OK)
        status = kk_linear(ops, projection, dst, 1, c, 256, 2 * F);
    kk_workspace_release(ops->ws, mark);
    return status;
}

int kk_pitch(const kk_ops *ops, const kk_prosody_weights *w, float *f0, float *energy,
             const float *prosody, const float *style, size_t F, int in_bf16)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *shared = kk_workspace_floats(ops->ws, F * KK_TEXT_SIZE); /* [F][512] */
    if (shared == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_lstm_run(ops, &w->shared, shared, KK_TEXT_SIZE, prosody, KK_PROSODY_SIZE, F);
    if (status == KOKORO_OK)
        status = curve(ops, w->f0, &w->f0_projection, f0, shared, style, F, 0);
    if (status == KOKORO_OK)
        status = curve(ops, w->energy, &w->energy_projection, energy, shared, style, F, in_bf16);
    kk_workspace_release(ops->ws, mark);
    return status;
}
