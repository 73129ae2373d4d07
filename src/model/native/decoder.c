/*
 * decoder.c - features of speech from aligned text, pitch and energy.
 *
 *   f, e = conv(f0), conv(energy)                        width 3, stride 2: [2F] -> [F]
 *   x = encode([text | f | e])                           [F][514] -> [F][1024]
 *   4 x:  x = decode([x | text_residual(text) | f | e])  [F][1090] -> [F][1024]; the last [2F][512]
 */
#include "model/native/network.h"

#include <string.h>

enum { HIDDEN = 1024, RESIDUAL = 64, ENCODE_IN = 514, DECODE_IN = 1090, OUT = 512 };

/* y[t] = sum_k x[2t + k - 1] w[k] + bias, zeros outside. */
static float halve(const float *x, size_t n, size_t t, const float *w, const float *bias)
{
    float sum = *bias;
    for (size_t k = 0; k < 3; k++) {
        const size_t at = 2 * t + k; /* one ahead of the index */
        if (at >= 1 && at - 1 < n)
            sum += x[at - 1] * w[k];
    }
    return sum;
}

int kk_decoder(const kk_ops *ops, const kk_decoder_weights *w, float *dst, const float *text,
               const float *f0, const float *energy, const float *style, size_t F, int in_bf16)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *first = kk_workspace_floats(ops->ws, F * ENCODE_IN);
    float *x = kk_workspace_floats(ops->ws, F * DECODE_IN); /* [F][1024 | 64 | f | e] */
    float *y = kk_workspace_floats(ops->ws, F * DECODE_IN);
    if (first == NULL || x == NULL || y == NULL)
        return KOKORO_NO_MEMORY;
    for (size_t t = 0; t < F; t++) {
        float *row = first + t * ENCODE_IN, *rest = x + t * DECODE_IN + HIDDEN + RESIDUAL;
        memcpy(row, text + t * KK_TEXT_SIZE, KK_TEXT_SIZE * sizeof(*row));
        row[KK_TEXT_SIZE] = halve(f0, 2 * F, t, w->f0_conv, w->f0_conv_bias);
        row[KK_TEXT_SIZE + 1] = halve(energy, 2 * F, t, w->energy_conv, w->energy_conv_bias);
        memcpy(rest, row + KK_TEXT_SIZE, 2 * sizeof(*rest));
    }
    int status = kk_linear(ops, &w->text_residual, x + HIDDEN, DECODE_IN, text, KK_TEXT_SIZE, F);
    for (size_t t = 0; t < F; t++) {
        const size_t at = t * DECODE_IN + HIDDEN;
        memcpy(y + at, x + at, (RESIDUAL + 2) * sizeof(*y));
    }
    if (status == KOKORO_OK)
        status =
            kk_adain_block_run(ops, &w->encode, x, DECODE_IN, first, ENCODE_IN, style, F, in_bf16);
    for (int i = 0; i < 3 && status == KOKORO_OK; i++) {
        status =
            kk_adain_block_run(ops, &w->decode[i], y, DECODE_IN, x, DECODE_IN, style, F, in_bf16);
        float *swap = x;
        x = y;
        y = swap;
    }
    if (status == KOKORO_OK)
        status = kk_adain_block_run(ops, &w->decode[3], dst, OUT, x, DECODE_IN, style, F, in_bf16);
    kk_workspace_release(ops->ws, mark);
    return status;
}
