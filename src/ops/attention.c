/*
 * attention.c - scaled dot-product attention (Vaswani et al. 2017), one head a task: keys and
 * values are packed as weights, so that both products use the convolution of floats with K = 1.
 */
#include "base/status.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

typedef struct attention_job {
    const kk_ops *ops;
    float *dst;
    size_t dst_stride;
    const float *q, *k, *v;
    size_t stride, N, D;
    size_t panel, padded_N, padded_D;
    float *ones, *zeros; /* [larger of the paddings]: scale and bias of the products */
    float *memory;       /* [workers][memory_size] */
    size_t memory_size;
} attention_job;

/* Packed [N / panel][D][panel] from k [N][D]: column n of the product is key n. Blocks of keys, so
 * that what is written stays in the first-level cache. */
static void pack_keys(const attention_job *job, float *packed, const float *k)
{
    const size_t panel = job->panel, D = job->D;
    for (size_t first = 0; first < job->padded_N; first += panel, packed += D * panel) {
        const size_t n = job->N - first < panel ? job->N - first : panel;
        for (size_t d = 0; d < D; d++) {
            float *row = packed + d * panel;
            for (size_t i = 0; i < n; i++)
                row[i] = k[(first + i) * job->stride + d];
            for (size_t i = n; i < panel; i++)
                row[i] = 0.0f;
        }
    }
}

/* Packed [D / panel][N][panel] from v [N][D]. */
static void pack_values(const attention_job *job, float *packed, const float *v)
{
    const size_t panel = job->panel;
    for (size_t first = 0; first < job->padded_D; first += panel) {
        const size_t n = job->D - first < panel ? job->D - first : panel;
        for (size_t t = 0; t < job->N; t++, packed += panel) {
            memcpy(packed, v + t * job->stride + first, n * sizeof(*packed));
            memset(packed + n, 0, (panel - n) * sizeof(*packed));
        }
    }
}

static void head_task(void *context, size_t head, size_t worker)
{
    const attention_job *job = context;
    const size_t N = job->N, D = job->D, at = head * D;
    float *keys = job->memory + worker * job->memory_size;
    float *values = keys + job->padded_N * D, *weights = values + job->padded_D * N;
    pack_keys(job, keys, job->k + at);
    pack_values(job, values, job->v + at);
    kk_conv_args args = {.dst = weights,
                         .dst_stride = job->padded_N,
                         .src = job->q + at,
                         .src_stride = job->stride,
                         .weights = keys,
                         .scale = job->ones,
                         .bias = job->zeros,
                         .gain = 1.0f,
                         .T = N,
                         .K = 1,
                         .C_in = D,
                         .C_out = N};
    job->ops->kernels->conv_singles(&args);
    job->ops->kernels->softmax(weights, job->padded_N, N, N);
    args.dst = job->dst + at;
    args.dst_stride = job->dst_stride;
    args.src = weights;
    args.src_stride = job->padded_N;
    args.weights = values;
    args.scale = job->ones + job->padded_N;
    args.C_in = N;
    args.C_out = D;
    job->ops->kernels->conv_singles(&args);
}

int kk_attention(const kk_ops *ops, float *dst, size_t dst_stride, const float *q, const float *k,
                 const float *v, size_t stride, size_t N, size_t n_heads, size_t D)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t panel = ops->kernels->panel;
    attention_job job = {.ops = ops,
                         .dst = dst,
                         .dst_stride = dst_stride,
                         .q = q,
                         .k = k,
                         .v = v,
                         .stride = stride,
                         .N = N,
                         .D = D,
                         .panel = panel};
    job.padded_N = (N + panel - 1) / panel * panel;
    job.padded_D = (D + panel - 1) / panel * panel;
    const size_t widest = job.padded_N + job.padded_D;
    job.memory_size = job.padded_N * D + job.padded_D * N + N * job.padded_N;
    job.ones = kk_workspace_floats(ops->ws, widest);
    job.zeros = kk_workspace_floats(ops->ws, widest);
    job.memory = kk_workspace_floats(ops->ws, job.memory_size * kk_pool_size(ops->pool));
    if (job.ones == NULL || job.zeros == NULL || job.memory == NULL)
        return KOKORO_NO_MEMORY;
    /* The scale of the first product, 1 for the second. */
    const float scale = 1.0f / sqrtf((float)D);
    for (size_t i = 0; i < widest; i++)
        job.ones[i] = i < job.padded_N ? scale : 1.0f;
    memset(job.zeros, 0, widest * sizeof(*job.zeros));
    kk_pool_run(ops->pool, head_task, &job, n_heads);
    kk_workspace_release(ops->ws, mark);
    return KOKORO_OK;
}
