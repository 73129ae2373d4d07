/*
 * lstm.c - bidirectional LSTM (Hochreiter and Schmidhuber 1997; gate order and equations of the
 * ONNX operator): the input part of all gates of all steps is one matrix product, the recurrent
 * part goes step by step, one direction a thread.
 */
#include "base/status.h"
#include "ops/ops.h"

#include <string.h>

enum { STEPS = 128 }; /* of a round: 2 ms at most with vectors of 8 floats */

typedef struct lstm_job {
    const kk_ops *ops;
    const kk_lstm *w;
    float *dst;
    size_t dst_stride, T;
    size_t first;       /* step of the round */
    const float *gates; /* [T][8H] */
    float *state;       /* [2][6H]: h, c, scratch of the gates */
} lstm_job;

static void direction_task(void *context, size_t direction, size_t worker)
{
    (void)worker;
    const lstm_job *job = context;
    const size_t H = job->w->H;
    const size_t elem = job->w->input.is_pairs ? sizeof(uint16_t) : sizeof(float);
    float *state = job->state + direction * 6 * H;
    const size_t left = job->T - job->first, end = job->first + (left < STEPS ? left : STEPS);
    if (job->first == 0)
        memset(state, 0, 2 * H * sizeof(*state));
    kk_lstm_args args = {.h = state,
                         .c = state + H,
                         .gates = state + 2 * H,
                         .r = (const unsigned char *)job->w->recurrent +
                              direction * 4 * H * H * elem,
                         .is_pairs = job->w->input.is_pairs,
                         .r_scale = job->w->r_scale + direction * 4 * H,
                         .H = H};
    for (size_t i = job->first; i < end; i++) {
        const size_t t = direction == 0 ? i : job->T - 1 - i;
        args.x = job->gates + t * 8 * H + direction * 4 * H;
        job->ops->kernels->lstm_step(&args);
        memcpy(job->dst + t * job->dst_stride + direction * H, state, H * sizeof(*state));
    }
}

int kk_lstm_run(const kk_ops *ops, const kk_lstm *w, float *dst, size_t dst_stride,
                const float *src, size_t src_stride, size_t T)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t H = w->H;
    float *gates = kk_workspace_floats(ops->ws, T * 8 * H);
    float *state = kk_workspace_floats(ops->ws, 2 * 6 * H);
    if (gates == NULL || state == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_linear(ops, &w->input, gates, 8 * H, src, src_stride, T);
    if (status != KOKORO_OK)
        return status;
    lstm_job job = {ops, w, dst, dst_stride, T, 0, gates, state};
    for (; job.first < T && !kk_pool_cancelled(ops->pool); job.first += STEPS)
        kk_pool_run(ops->pool, direction_task, &job, 2);
    kk_workspace_release(ops->ws, mark);
    return KOKORO_OK;
}
