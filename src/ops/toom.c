/*
 * toom.c - convolution in tiles of time with fewer multiplications: a tile's input is activated,
 * transformed and rounded into planes in scratch memory of its thread, where it stays while all
 * outputs are computed.
 */
#include "ops/ops.h"

#include <string.h>

/* Outputs: a multiple of 4 d for d 1, 3 and 5, and 10 register tiles of 6 rows. */
enum { TILE = KK_MAX_TILE };

typedef struct toom_job {
    const kk_ops *ops;
    const kk_toom_run *run;
    size_t pad;
} toom_job;

static void tile_task(void *context, size_t task, size_t worker)
{
    const toom_job *job = context;
    const kk_toom_run *run = job->run;
    const kk_toom *toom = run->toom;
    const size_t C = toom->C, d = run->dilation, pad = job->pad;
    const size_t t = run->tiles != NULL ? run->tiles->starts[task] : task * TILE;
    const size_t end = run->tiles != NULL  ? run->tiles->starts[task + 1]
                       : run->T - t < TILE ? run->T
                                           : t + TILE;
    const size_t n = end - t;
    const size_t n_rows = (n + 4 * d - 1) / (4 * d) * d;
    const size_t n_before = pad > t ? pad - t : 0, first = t > pad ? t - pad : 0;
    const size_t src_size = run->src_is_bf16 ? sizeof(uint16_t) : sizeof(float),
                 dst_size = run->dst_is_bf16 ? sizeof(uint16_t) : sizeof(float),
                 residual_size = run->residual_is_bf16 ? sizeof(uint16_t) : sizeof(float);
    kk_toom_input input = {.planes = job->ops->scratch + worker * KK_SCRATCH_SIZE,
                           .is_float = toom->is_float,
                           .src = (const unsigned char *)run->src + first * C * src_size,
                           .src_is_bf16 = run->src_is_bf16,
                           .src_stride = C,
                           .n_before = n_before,
                           .n_inside = run->T - first,
                           .n_rows = n_rows + (toom->shape.n_groups - 1) * d,
                           .C = C,
                           .dilation = d,
                           .activation = run->activation,
                           .shape = toom->shape};
    input.plane_stride = input.n_rows * C;
    job->ops->kernels->toom_input(&input);
    const kk_toom_args args = {
        .planes = input.planes,
        .plane_stride = input.plane_stride,
        .weights = toom->weights,
        .is_float = toom->is_float,
        .scale = toom->scale,
        .bias = toom->bias,
        .dst = (unsigned char *)run->dst + t * C * dst_size,
        .dst_is_bf16 = run->dst_is_bf16,
        .dst_stride = C,
        .residual = run->residual != NULL
                        ? (const unsigned char *)run->residual + t * C * residual_size
                        : NULL,
        .residual_is_bf16 = run->residual_is_bf16,
        .residual_stride = C,
        .gain = run->gain != 0.0f ? run->gain : 1.0f,
        .accumulate = run->accumulate,
        .sums = run->sums != NULL ? run->sums->rows + task * 2 * run->sums->stride : NULL,
        .sums_stride = run->sums != NULL ? run->sums->stride : 0,
        .n_rows = n_rows,
        .T = n,
        .C_in = C,
        .C_out = C,
        .dilation = d,
        .panel = job->ops->kernels->panel,
        .shape = toom->shape};
    job->ops->kernels->conv_toom(&args);
}

int kk_toom_convolve(const kk_ops *ops, const kk_toom_run *run)
{
    const toom_job job = {ops, run, (run->toom->K - 1) / 2 * run->dilation};
    const size_t n_tiles = run->tiles != NULL ? run->tiles->n : (run->T + TILE - 1) / TILE;
    if (run->sums != NULL && kk_sums_reserve(ops, run->sums, n_tiles, run->toom->C) != KOKORO_OK)
        return KOKORO_NO_MEMORY;
    toom_job copy = job;
    kk_pool_run(ops->pool, tile_task, &copy, n_tiles);
    return KOKORO_OK;
}
