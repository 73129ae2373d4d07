/*
 * text_encoder.c - what is said, apart from how: embedding, three convolutions of width 5 with
 * layer normalisation and leaky ReLU, one bidirectional LSTM. [N] -> [N][512]
 */
#include "model/native/network.h"

#include <string.h>

static const float EPSILON = 1e-5f, SLOPE = 0.2f;
enum { ROWS = 16 };

typedef struct norm_job {
    const kk_ops *ops;
    const kk_layer_norm *norm;
    float *x;
} norm_job;

static void norm_rows(void *context, size_t first, size_t n)
{
    const norm_job *job = context;
    const kk_kernels *kernels = job->ops->kernels;
    float *x = job->x + first * KK_TEXT_SIZE;
    const kk_activation leaky = {.kind = KK_LEAKY, .slope = SLOPE};
    kernels->layer_norm(x, x, NULL, job->norm->gain, job->norm->shift, EPSILON, n, KK_TEXT_SIZE);
    kernels->activate(x, KK_TEXT_SIZE, x, KK_TEXT_SIZE, n, KK_TEXT_SIZE, &leaky);
}

int kk_text_encoder(const kk_ops *ops, const kk_text_encoder_weights *w, float *dst,
                    const int64_t *ids, size_t N)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t C = KK_TEXT_SIZE;
    float *x = kk_workspace_floats(ops->ws, N * C); /* [N][512] */
    float *y = kk_workspace_floats(ops->ws, N * C); /* [N][512] */
    if (x == NULL || y == NULL)
        return KOKORO_NO_MEMORY;
    for (size_t t = 0; t < N; t++)
        memcpy(x + t * C, w->embedding + (size_t)ids[t] * C, C * sizeof(*x));
    int status = KOKORO_OK;
    for (int i = 0; i < 3 && status == KOKORO_OK; i++) {
        status = kk_convolve(ops, &(kk_conv_run){.conv = &w->cnn[i],
                                                 .src = x,
                                                 .src_stride = C,
                                                 .T_in = N,
                                                 .pad = 2,
                                                 .dst = y,
                                                 .dst_stride = C,
                                                 .T_out = N});
        norm_job job = {ops, &w->norm[i], y};
        kk_for_rows(ops, norm_rows, &job, N, ROWS);
        float *swap = x;
        x = y;
        y = swap;
    }
    if (status == KOKORO_OK)
        status = kk_lstm_run(ops, &w->lstm, dst, C, x, C, N);
    kk_workspace_release(ops->ws, mark);
    return status;
}
