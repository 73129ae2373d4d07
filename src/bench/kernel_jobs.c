/*
 * kernel_jobs.c - the kernels on the shapes that fill the network's time: convolutions of 128 and
 * 256 channels (residual blocks of the generator) and of 1024 (decoder), in the tiles that ops/conv
 * makes; the LSTMs' 256; rows of 128 channels to activate.
 */
#include "bench/kernel_jobs.h"

#include "base/alloc.h"
#include "kernels/toom.h"
#include "kokoro/kokoro.h"

#include <string.h>

enum {
    MAX_K = 11,
    MAX_ROWS = 240,
    SRC_SIZE =
        128 * 1024 + 4096, /* floats: the widest rows times the most of them, and the taps' */
    DST_SIZE = 96 * 1024,
    WEIGHTS_SIZE = 3 * 1024 * 1024,
    PLANES_AT = 2 * 1024 * 1024, /* behind the largest weights */
    SMALL_SIZE = 1024,
    SUMS_SIZE = 2 * 1024,
    STATE_SIZE = 8 * 256,
    N_VALUES = 4096,
    PEAK_ROUNDS = 2000
};

/* A number whose upper and lower half are the same small bf16 number. */
static float twice(size_t i)
{
    const uint32_t half = 0x3C00u | (uint32_t)(i * 37 % 128), sign = i % 3 == 0 ? 0x8000u : 0;
    const uint32_t bits = (half | sign) << 16 | half | sign;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

int kk_job_buffers_init(kk_job_buffers *buffers)
{
    const size_t sizes[] = {SRC_SIZE, DST_SIZE, WEIGHTS_SIZE, SMALL_SIZE, SUMS_SIZE, STATE_SIZE};
    float **const parts[] = {&buffers->src,   &buffers->dst,  &buffers->weights,
                             &buffers->small, &buffers->sums, &buffers->state};
    size_t n = 16;
    for (size_t i = 0; i < 6; i++)
        n += sizes[i];
    buffers->block = kk_alloc(n * sizeof(float));
    if (buffers->block == NULL)
        return KOKORO_NO_MEMORY;
    const uintptr_t at = ((uintptr_t)buffers->block + 63) / 64 * 64;
    float *next = (float *)at;
    for (size_t i = 0; i < 6; i++) {
        *parts[i] = next;
        for (size_t j = 0; j < sizes[i]; j++)
            next[j] = parts[i] == &buffers->small ? 1.0f : twice(j);
        next += sizes[i];
    }
    return KOKORO_OK;
}

void kk_job_buffers_fini(kk_job_buffers *buffers)
{
    kk_free(buffers->block);
    buffers->block = NULL;
}

static double run_peak(const kk_kernel_job *job, const kk_kernels *kernels, kk_job_buffers *buffers)
{
    (void)buffers;
    return (job->peak == KK_PEAK_BF16 ? kernels->peak_bf16 : kernels->peak_fma)(PEAK_ROUNDS);
}

static double run_conv(const kk_kernel_job *job, const kk_kernels *kernels, kk_job_buffers *buffers)
{
    const kk_conv_args args = {.dst = buffers->dst,
                               .dst_stride = job->C_out,
                               .src = buffers->src,
                               .src_stride = job->C_in,
                               .tap_stride = job->C_in,
                               .weights = buffers->weights,
                               .scale = buffers->small,
                               .bias = buffers->small,
                               .gain = 1.0f,
                               .sums = buffers->sums,
                               .sums_stride = job->C_out,
                               .T = job->T,
                               .K = job->K,
                               .C_in = job->C_in,
                               .C_out = job->C_out};
    memset(buffers->sums, 0, SUMS_SIZE * sizeof(float));
    if (strcmp(job->kernel, "conv_bf16") == 0)
        kernels->conv_bf16(&args);
    else
        (job->kind ? kernels->conv_pairs : kernels->conv_singles)(&args);
    return (double)job->T * (double)job->K * (double)job->C_in * (double)job->C_out;
}

static kk_activation activation_of(const kk_kernel_job *job, const kk_job_buffers *buffers)
{
    return (kk_activation){.kind = job->kind,
                           .slope = 0.1f,
                           .scale = buffers->small,
                           .shift = buffers->small,
                           .alpha = buffers->small,
                           .inv_alpha = buffers->small};
}

/* Counted as the direct convolution that it replaces. */
static double multiply_toom(const kk_kernel_job *job, const kk_kernels *kernels,
                            kk_job_buffers *buffers, const float *planes)
{
    const kk_toom_shape shape = kk_toom_cut(job->K, KK_TOOM_MAX_POINTS);
    const size_t n_rows = job->T / KK_TOOM_OUTPUTS;
    const kk_toom_args args = {.planes = planes,
                               .plane_stride = (n_rows + shape.n_groups - 1) * job->C_in,
                               .weights = buffers->weights,
                               .is_float = kernels->toom == KK_TOOM_FLOAT,
                               .scale = buffers->small,
                               .bias = buffers->small,
                               .dst = buffers->dst,
                               .dst_stride = job->C_out,
                               .gain = 1.0f,
                               .sums = buffers->sums,
                               .sums_stride = job->C_out,
                               .n_rows = n_rows,
                               .T = job->T,
                               .C_in = job->C_in,
                               .C_out = job->C_out,
                               .dilation = 1,
                               .panel = kernels->panel,
                               .shape = shape};
    memset(buffers->sums, 0, SUMS_SIZE * sizeof(float));
    kernels->conv_toom(&args);
    return (double)job->T * (double)job->K * (double)job->C_in * (double)job->C_out;
}

static double run_toom(const kk_kernel_job *job, const kk_kernels *kernels, kk_job_buffers *buffers)
{
    return multiply_toom(job, kernels, buffers, buffers->src);
}

static double run_toom_input(const kk_kernel_job *job, const kk_kernels *kernels,
                             kk_job_buffers *buffers)
{
    const kk_toom_shape shape = kk_toom_cut(job->K, KK_TOOM_MAX_POINTS);
    kk_toom_input input = {.planes = buffers->weights + PLANES_AT,
                           .is_float = kernels->toom == KK_TOOM_FLOAT,
                           .src = buffers->src,
                           .src_stride = job->C_in,
                           .n_inside = job->T + job->K - 1,
                           .n_rows = job->T / KK_TOOM_OUTPUTS + shape.n_groups - 1,
                           .C = job->C_in,
                           .dilation = 1,
                           .activation = activation_of(job, buffers),
                           .shape = shape};
    input.plane_stride = input.n_rows * input.C;
    kernels->toom_input(&input);
    return (double)job->T * (double)job->C_in;
}

/* A tile of a residual block: activated and transformed, then multiplied. */
static double run_toom_tile(const kk_kernel_job *job, const kk_kernels *kernels,
                            kk_job_buffers *buffers)
{
    (void)run_toom_input(job, kernels, buffers);
    return multiply_toom(job, kernels, buffers, buffers->weights + PLANES_AT);
}

static double run_activation(const kk_kernel_job *job, const kk_kernels *kernels,
                             kk_job_buffers *buffers)
{
    const kk_activation activation = activation_of(job, buffers);
    const size_t C = job->C_in;
    if (strcmp(job->kernel, "activate_bf16") == 0)
        kernels->activate_bf16((uint16_t *)(void *)buffers->dst, C, buffers->src, C, job->T, C,
                               &activation);
    else
        kernels->activate(buffers->dst, C, buffers->src, C, job->T, C, &activation);
    return (double)job->T * (double)C;
}

static double run_lstm(const kk_kernel_job *job, const kk_kernels *kernels, kk_job_buffers *buffers)
{
    const size_t H = job->C_in;
    const kk_lstm_args args = {.h = buffers->state,
                               .c = buffers->state + H,
                               .gates = buffers->state + 2 * H,
                               .x = buffers->src,
                               .r = buffers->weights,
                               .is_pairs = job->kind,
                               .r_scale = buffers->small,
                               .H = H};
    kernels->lstm_step(&args);
    return (double)(4 * H * H);
}

static double run_column_sums(const kk_kernel_job *job, const kk_kernels *kernels,
                              kk_job_buffers *buffers)
{
    const size_t C = job->C_in;
    memset(buffers->sums, 0, SUMS_SIZE * sizeof(float));
    kernels->column_sums(buffers->sums, C, buffers->src, C, job->T, C);
    return (double)job->T * (double)C;
}

static double run_layer_norm(const kk_kernel_job *job, const kk_kernels *kernels,
                             kk_job_buffers *buffers)
{
    kernels->layer_norm(buffers->dst, buffers->src, buffers->src, buffers->small, buffers->small,
                        1e-5f, job->T, job->C_in);
    return (double)job->T * (double)job->C_in;
}

/* On values that come from a copy: the kernel works in place. */
static double run_in_place(const kk_kernel_job *job, const kk_kernels *kernels,
                           kk_job_buffers *buffers)
{
    const size_t n = job->T * job->C_in;
    memcpy(buffers->dst, buffers->src, n * sizeof(float));
    if (strcmp(job->kernel, "softmax") == 0)
        kernels->softmax(buffers->dst, job->C_in, job->T, job->C_in);
    else
        kernels->gelu_tanh(buffers->dst, n);
    return (double)n;
}

static double run_map(const kk_kernel_job *job, const kk_kernels *kernels, kk_job_buffers *buffers)
{
    const char *name = job->kernel;
    if (strcmp(name, "atan2") == 0)
        kernels->atan2(buffers->dst, buffers->src, buffers->src + N_VALUES, N_VALUES);
    else
        (strcmp(name, "sin") == 0    ? kernels->sin
         : strcmp(name, "exp") == 0  ? kernels->exp
         : strcmp(name, "tanh") == 0 ? kernels->tanh
                                     : kernels->sigmoid)(buffers->dst, buffers->src, N_VALUES);
    return N_VALUES;
}

static const struct {
    const char *text;
    size_t T, K, C_in, C_out;
} shapes[] = {
    {"128 to 128, 3 wide", 192, 3, 128, 128},   {"128 to 128, 7 wide", 192, 7, 128, 128},
    {"128 to 128, 11 wide", 192, 11, 128, 128}, {"256 to 256, 3 wide", 96, 3, 256, 256},
    {"256 to 256, 11 wide", 96, 11, 256, 256},  {"1024 to 1024, 3 wide", 96, 3, 1024, 1024}};

enum { N_SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static const kk_kernel_job row_jobs[] = {
    {"activate_bf16", "snake, rows of 128", run_activation, 0, KK_PEAK_NONE, 192, 0, 128, 0,
     KK_SNAKE},
    {"activate", "snake, rows of 128", run_activation, 0, KK_PEAK_NONE, 192, 0, 128, 0, KK_SNAKE},
    {"activate", "leaky, rows of 512", run_activation, 0, KK_PEAK_NONE, 96, 0, 512, 0, KK_LEAKY},
    {"column_sums", "rows of 128", run_column_sums, 0, KK_PEAK_NONE, 192, 0, 128, 0, 0},
    {"layer_norm", "rows of 768", run_layer_norm, 0, KK_PEAK_NONE, 32, 0, 768, 0, 0},
    {"softmax", "rows of 256", run_in_place, 0, KK_PEAK_NONE, 16, 0, 256, 0, 0},
    {"gelu_tanh", "", run_in_place, 0, KK_PEAK_NONE, 1, 0, N_VALUES, 0, 0},
    {"lstm_step", "256, pairs", run_lstm, 1, KK_PEAK_FMA, 0, 0, 256, 0, 1},
    {"lstm_step", "256, floats", run_lstm, 1, KK_PEAK_FMA, 0, 0, 256, 0, 0},
    {"sin", "", run_map, 0, KK_PEAK_NONE, 0, 0, 0, 0, 0},
    {"exp", "", run_map, 0, KK_PEAK_NONE, 0, 0, 0, 0, 0},
    {"tanh", "", run_map, 0, KK_PEAK_NONE, 0, 0, 0, 0, 0},
    {"sigmoid", "", run_map, 0, KK_PEAK_NONE, 0, 0, 0, 0, 0},
    {"atan2", "", run_map, 0, KK_PEAK_NONE, 0, 0, 0, 0, 0}};

typedef struct job_list {
    kk_kernel_job *jobs;
    size_t n, max;
} job_list;

static void add_job(job_list *list, kk_kernel_job job)
{
    if (list->n < list->max)
        list->jobs[list->n++] = job;
}

/* The plain C convolutions are a hundred times slower: fewer rows, or a round would take minutes.
 */
static size_t rows_for(const kk_kernels *kernels, size_t T)
{
    return strcmp(kernels->name, "ref") == 0 ? 4 : T;
}

static void add_convolutions(job_list *list, const kk_kernels *kernels, const char *name,
                             enum kk_job_peak peak)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        add_job(list, (kk_kernel_job){.kernel = name,
                                      .shape = shapes[i].text,
                                      .run = run_conv,
                                      .counts_macs = 1,
                                      .peak = peak,
                                      .T = rows_for(kernels, shapes[i].T),
                                      .K = shapes[i].K,
                                      .C_in = shapes[i].C_in,
                                      .C_out = shapes[i].C_out,
                                      .kind = strcmp(name, "conv_singles") != 0});
}

static void add_toom_shapes(job_list *list, const char *kernel,
                            double (*run)(const kk_kernel_job *job, const kk_kernels *kernels,
                                          kk_job_buffers *buffers),
                            enum kk_job_peak peak)
{
    for (size_t i = 0; i + 1 < N_SHAPES; i++)
        add_job(list, (kk_kernel_job){.kernel = kernel,
                                      .shape = shapes[i].text,
                                      .run = run,
                                      .counts_macs = 1,
                                      .peak = peak,
                                      .T = MAX_ROWS,
                                      .K = shapes[i].K,
                                      .C_in = shapes[i].C_in,
                                      .C_out = shapes[i].C_out,
                                      .kind = KK_SNAKE});
}

/* Only the shapes that the network gives it: the products alone, and with the transforms in front
 * as the generator runs them. */
static void add_toom(job_list *list, const kk_kernels *kernels)
{
    const enum kk_job_peak peak = kernels->toom == KK_TOOM_FLOAT ? KK_PEAK_FMA : KK_PEAK_BF16;
    add_toom_shapes(list, "conv_toom", run_toom, peak);
    add_toom_shapes(list, "toom_tile", run_toom_tile, peak);
    add_job(list, (kk_kernel_job){.kernel = "toom_input",
                                  .shape = "snake, rows of 128, 11 wide",
                                  .run = run_toom_input,
                                  .T = MAX_ROWS,
                                  .K = MAX_K,
                                  .C_in = 128,
                                  .kind = KK_SNAKE});
}

size_t kk_kernel_jobs(kk_kernel_job *jobs, size_t max, const kk_kernels *kernels)
{
    job_list list = {jobs, 0, max};
    const int has_bf16 = kernels->peak_bf16 != NULL;
    add_job(&list, (kk_kernel_job){"peak_fma", "", run_peak, 1, KK_PEAK_FMA, 0, 0, 0, 0, 0});
    if (has_bf16)
        add_job(&list, (kk_kernel_job){"peak_bf16", "", run_peak, 1, KK_PEAK_BF16, 0, 0, 0, 0, 0});
    if (kernels->toom != KK_TOOM_NONE)
        add_toom(&list, kernels);
    add_convolutions(&list, kernels, "conv_bf16", has_bf16 ? KK_PEAK_BF16 : KK_PEAK_FMA);
    add_convolutions(&list, kernels, "conv_pairs", KK_PEAK_FMA);
    add_convolutions(&list, kernels, "conv_singles", KK_PEAK_FMA);
    for (size_t i = 0; i < sizeof(row_jobs) / sizeof(row_jobs[0]); i++)
        add_job(&list, row_jobs[i]);
    return list.n;
}
