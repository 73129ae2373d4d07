/*
 * conv.c - convolution in tiles of time. A tile's input is normalised, activated and rounded into
 * scratch memory of its thread and stays in the second-level cache while all outputs are computed.
 *
 *     src rows [t0 - pad, t0 + n - pad + (K - 1) d)  ->  scratch  ->  dst rows [t0, t0 + n)
 *
 * Short inputs are activated as a whole first, and the tasks are then tiles of time by panels of
 * outputs: there the weights are what costs, and each panel is read by one thread.
 */
#include "base/status.h"
#include "ops/ops.h"

#include <string.h>

enum {
    TILE_BYTES = 96 * 1024, /* of activated input: with one panel's weights it fits 1 MB of L2 */
    MAX_TILE = 384,
    MIN_TILE = 24,
    ROWS = 6,       /* of a register tile */
    SHORT_T = 1536, /* rows up to which the input is activated as a whole */
    SHORT_TILE = 96
};

typedef struct conv_job {
    const kk_ops *ops;
    const kk_conv_run *run;
    size_t dilation, elem;      /* bytes of an element of activated input */
    size_t row;                 /* elements of a row of activated input */
    size_t tile, n_tiles;       /* rows of output a task, and how many tasks that makes */
    size_t n_panels;            /* tasks a tile, or 0 when a task does all */
    unsigned char *activated;   /* input of short runs: row 0 is input row -pad */
    const unsigned char *whole; /* the same, or the input itself */
    int uses_bf16;
} conv_job;

/* Input rows from `first` (from -pad on) to scratch, zeros where there are none. */
static void activate_rows(const conv_job *job, unsigned char *dst, ptrdiff_t first, size_t n)
{
    const kk_conv_run *run = job->run;
    const size_t C = run->conv->C_in, row_bytes = job->row * job->elem;
    size_t before = first < 0 ? (size_t)-first : 0;
    before = before < n ? before : n;
    const size_t from = (size_t)(first + (ptrdiff_t)before);
    size_t inside = from < run->T_in ? run->T_in - from : 0;
    inside = inside < n - before ? inside : n - before;
    memset(dst, 0, before * row_bytes);
    unsigned char *at = dst + before * row_bytes;
    if (inside > 0) {
        const float *src = run->src + from * run->src_stride;
        const kk_kernels *kernels = job->ops->kernels;
        if (job->uses_bf16)
            kernels->activate_bf16((uint16_t *)(void *)at, job->row, src, run->src_stride, inside,
                                   C, &run->activation);
        else
            kernels->activate((float *)(void *)at, job->row, src, run->src_stride, inside, C,
                              &run->activation);
        if (job->row > C) { /* the partner of an odd last input */
            for (size_t t = 0; t < inside; t++)
                memset(at + t * row_bytes + C * job->elem, 0, (job->row - C) * job->elem);
        }
    }
    memset(at + inside * row_bytes, 0, (n - before - inside) * row_bytes);
}

static size_t halo(const conv_job *job)
{
    return (job->run->conv->K - 1) * job->dilation;
}

/* The convolution of one tile, panels [panel, panel + n_panels); `rounding` holds a tile of floats
 * on their way to bf16. */
static void run_tile(const conv_job *job, const unsigned char *src, size_t tile, size_t t, size_t n,
                     size_t panel, size_t n_panels, float *rounding)
{
    const kk_conv_run *run = job->run;
    const kk_conv *conv = run->conv;
    const kk_kernels *kernels = job->ops->kernels;
    const size_t width = kernels->panel, o = panel * width;
    const size_t inputs = conv->is_pairs ? (conv->C_in + 1) / 2 * 2 : conv->C_in;
    const size_t weight_size = conv->is_pairs ? sizeof(uint16_t) : sizeof(float);
    const size_t n_outputs =
        n_panels * width < conv->C_out - o ? n_panels * width : conv->C_out - o;
    const float *residual = run->residual;
    float *dst = (float *)run->dst + t * run->dst_stride + o;
    size_t dst_stride = run->dst_stride;
    if (run->dst_is_bf16) {
        dst = rounding;
        dst_stride = n_outputs;
    }
    kk_conv_args args = {
        .dst = dst,
        .dst_stride = dst_stride,
        .src = src,
        .src_stride = job->row,
        .tap_stride = job->dilation * job->row,
        .weights = (const unsigned char *)conv->weights + o * conv->K * inputs * weight_size,
        .scale = conv->scale + o,
        .bias = conv->bias + o,
        .residual = residual != NULL
                        ? residual + (t >> run->residual_shift) * run->residual_stride + o
                        : NULL,
        .residual_stride = run->residual_stride,
        .residual_shift = run->residual_shift,
        .gain = run->gain != 0.0f ? run->gain : 1.0f,
        .accumulate = run->accumulate,
        .sums = run->sums != NULL ? run->sums->rows + tile * 2 * run->sums->stride + o : NULL,
        .sums_stride = run->sums != NULL ? run->sums->stride : 0,
        .T = n,
        .K = conv->K,
        .C_in = conv->C_in,
        .C_out = n_outputs};
    if (!conv->is_pairs)
        kernels->conv_singles(&args);
    else if (job->uses_bf16)
        kernels->conv_bf16(&args);
    else
        kernels->conv_pairs(&args);
    if (run->dst_is_bf16) {
        const kk_activation linear = {.kind = KK_LINEAR};
        kernels->activate_bf16((uint16_t *)run->dst + t * run->dst_stride + o, run->dst_stride,
                               rounding, n_outputs, n, n_outputs, &linear);
    }
}

static size_t start_of_tile(const conv_job *job, size_t tile)
{
    return job->run->tiles != NULL ? job->run->tiles->starts[tile] : tile * job->tile;
}

static size_t rows_of_tile(const conv_job *job, size_t tile)
{
    const size_t t = start_of_tile(job, tile);
    if (job->run->tiles != NULL)
        return job->run->tiles->starts[tile + 1] - t;
    return job->run->T_out - t < job->tile ? job->run->T_out - t : job->tile;
}

/* Bytes of the activated input of n rows of output. */
static size_t input_size(const conv_job *job, size_t n)
{
    return ((n + halo(job)) * job->row * job->elem + 63) / 64 * 64;
}

static void long_task(void *context, size_t task, size_t worker)
{
    const conv_job *job = context;
    const size_t t = start_of_tile(job, task), n = rows_of_tile(job, task);
    unsigned char *scratch = job->ops->scratch + worker * KK_SCRATCH_SIZE;
    activate_rows(job, scratch, (ptrdiff_t)t - (ptrdiff_t)job->run->pad, n + halo(job));
    const size_t width = job->ops->kernels->panel;
    float *rounding = (float *)(void *)(scratch + input_size(job, n));
    run_tile(job, scratch, task, t, n, 0, (job->run->conv->C_out + width - 1) / width, rounding);
}

static void activate_task(void *context, size_t task, size_t worker)
{
    (void)worker;
    const conv_job *job = context;
    const size_t n_rows = job->run->T_out + halo(job), first = task * SHORT_TILE;
    const size_t n = n_rows - first < SHORT_TILE ? n_rows - first : SHORT_TILE;
    activate_rows(job, job->activated + first * job->row * job->elem,
                  (ptrdiff_t)first - (ptrdiff_t)job->run->pad, n);
}

static void short_task(void *context, size_t task, size_t worker)
{
    const conv_job *job = context;
    const size_t n_tiles = job->n_tiles, tile = task % n_tiles, t = start_of_tile(job, tile);
    run_tile(job, job->whole + t * job->row * job->elem, tile, t, rows_of_tile(job, tile),
             task / n_tiles, 1, (float *)(void *)(job->ops->scratch + worker * KK_SCRATCH_SIZE));
}

static size_t choose_tile(const conv_job *job)
{
    if (job->run->tiles != NULL)
        return KK_MAX_TILE;
    if (job->run->T_out <= SHORT_T)
        return SHORT_TILE;
    size_t rows = TILE_BYTES / (job->row * job->elem);
    rows = rows > MAX_TILE ? MAX_TILE : rows / ROWS * ROWS;
    return rows < MIN_TILE ? MIN_TILE : rows;
}

int kk_sums_reserve(const kk_ops *ops, kk_sums *sums, size_t n_tiles, size_t C)
{
    sums->stride = (C + 63) / 64 * 64;
    sums->n_tiles = n_tiles;
    sums->rows = kk_workspace_floats(ops->ws, n_tiles * 2 * sums->stride);
    if (sums->rows == NULL)
        return KOKORO_NO_MEMORY;
    memset(sums->rows, 0, n_tiles * 2 * sums->stride * sizeof(float));
    return KOKORO_OK;
}

/* A product whose input needs no activation, rounding or zeros around it. */
static int is_as_it_lies(const conv_job *job)
{
    const kk_conv_run *run = job->run;
    return run->conv->K == 1 && run->pad == 0 && run->T_in >= run->T_out && !job->uses_bf16 &&
           run->activation.kind == KK_LINEAR && run->activation.scale == NULL &&
           (run->conv->C_in % 2 == 0 || !run->conv->is_pairs);
}

int kk_convolve(const kk_ops *ops, const kk_conv_run *run)
{
    const kk_conv *conv = run->conv;
    conv_job job = {.ops = ops, .run = run};
    job.dilation = run->dilation != 0 ? run->dilation : 1;
    job.uses_bf16 = run->in_bf16 && conv->is_pairs && ops->kernels->has_bf16;
    job.elem = job.uses_bf16 ? sizeof(uint16_t) : sizeof(float);
    job.row = (conv->C_in + 1) / 2 * 2;
    job.tile = choose_tile(&job);
    job.n_tiles = run->tiles != NULL ? run->tiles->n : (run->T_out + job.tile - 1) / job.tile;
    const size_t n_tiles = job.n_tiles;
    if (run->sums != NULL && kk_sums_reserve(ops, run->sums, n_tiles, conv->C_out) != KOKORO_OK)
        return KOKORO_NO_MEMORY;
    if (run->T_out > SHORT_T) {
        const size_t rounded = run->dst_is_bf16 ? job.tile * conv->C_out * sizeof(float) : 0;
        if (input_size(&job, job.tile) + rounded > KK_SCRATCH_SIZE)
            return KOKORO_NO_MEMORY;
        kk_pool_run(ops->pool, long_task, &job, n_tiles);
        return KOKORO_OK;
    }
    job.n_panels = (conv->C_out + ops->kernels->panel - 1) / ops->kernels->panel;
    if (is_as_it_lies(&job)) {
        job.whole = (const unsigned char *)run->src;
        job.row = run->src_stride;
        kk_pool_run(ops->pool, short_task, &job, n_tiles * job.n_panels);
        return KOKORO_OK;
    }
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t n_rows = run->T_out + halo(&job);
    job.activated = kk_workspace_alloc(ops->ws, n_rows * job.row * job.elem);
    job.whole = job.activated;
    if (job.activated == NULL)
        return KOKORO_NO_MEMORY;
    kk_pool_run(ops->pool, activate_task, &job, (n_rows + SHORT_TILE - 1) / SHORT_TILE);
    kk_pool_run(ops->pool, short_task, &job, n_tiles * job.n_panels);
    kk_workspace_release(ops->ws, mark);
    return KOKORO_OK;
}

int kk_linear(const kk_ops *ops, const kk_conv *w, float *dst, size_t dst_stride, const float *src,
              size_t src_stride, size_t T)
{
    return kk_convolve(ops, &(kk_conv_run){.conv = w,
                                           .src = src,
                                           .src_stride = src_stride,
                                           .T_in = T,
                                           .dst = dst,
                                           .dst_stride = dst_stride,
                                           .T_out = T});
}

typedef struct sums_job {
    const kk_ops *ops;
    kk_sums *sums;
    const float *src;
    size_t stride, T, C;
    const kk_tiles *tiles;
} sums_job;

static void sums_task(void *context, size_t task, size_t worker)
{
    (void)worker;
    const sums_job *job = context;
    size_t t = task * SHORT_TILE, n = job->T - t < SHORT_TILE ? job->T - t : SHORT_TILE;
    if (job->tiles != NULL) {
        t = job->tiles->starts[task];
        n = job->tiles->starts[task + 1] - t;
    }
    job->ops->kernels->column_sums(job->sums->rows + task * 2 * job->sums->stride,
                                   job->sums->stride, job->src + t * job->stride, job->stride, n,
                                   job->C);
}

int kk_column_sums(const kk_ops *ops, kk_sums *sums, const float *src, size_t stride, size_t T,
                   size_t C, const kk_tiles *tiles)
{
    const size_t n_tiles = tiles != NULL ? tiles->n : (T + SHORT_TILE - 1) / SHORT_TILE;
    if (kk_sums_reserve(ops, sums, n_tiles, C) != KOKORO_OK)
        return KOKORO_NO_MEMORY;
    sums_job job = {ops, sums, src, stride, T, C, tiles};
    kk_pool_run(ops->pool, sums_task, &job, n_tiles);
    return KOKORO_OK;
}
