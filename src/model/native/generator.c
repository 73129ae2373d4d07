/*
 * generator.c - the vocoder before its inverse transform (iSTFTNet, Kaneko et al. 2022, with the
 * adaptive residual blocks of StyleTTS 2): nearly all of the network's multiplications.
 *
 *   2 stages i:  x = up[i](leaky(x, 0.1))               x 10, then x 6
 *                x = x + noise_block[i](noise_conv[i](spectrum))
 *                x = mean of block[3i .. 3i + 2](x)     widths 3, 7, 11
 *   post = conv(leaky(x, 0.01))                         [60 T + 1][22]
 *
 * The second stage has one row more than 6 times the first: its row 0 repeats row 2 (a reflection
 * in front, before the noise is added).
 */
#include "model/native/network.h"

#include <math.h>
#include <string.h>

enum {
    RATE1 = 10,
    RATE2 = 6,
    C1 = 256,
    C2 = 128,
    NOISE_PAD = 3,
    LONG = 10 * 1024 * 1024, /* values of a stage, 17 s of sound, from where memory counts more than
                               1.3 dB: what lies between two convolutions is rounded to bf16 */
    SHORT = 80 /* rows of features, 1 s, up to where convolutions in bf16 are direct: there is
                  little time to save, and the means of so few rows forgive less; parts of an
                  utterance have the statistics of all of it */
};

/* Rows [T][C] of a stage, as floats or rounded to bf16. */
typedef struct rows {
    void *values;
    int is_bf16;
} rows;

/* A stage of the generator and its memory: T rows of C channels each. */
typedef struct stage {
    const float *style;
    size_t T, C, rate; /* rows a row of features */
    size_t T_mean;     /* rows of the blocks' mean that are wanted */
    kk_norms *norms;   /* NULL, or statistics by segments, and */
    kk_tiles tiles;    /* tiles that keep to them */
    int in_bf16, uses_toom;
    int rounds;      /* keeps x, and of long inputs y, in bf16: only Toom-Cook takes it so */
    float *sum;      /* [T][C]: x before it is rounded, then the mean of the blocks */
    rows x, work, y; /* input of a block, its residual stream, and between its convolutions */
} stage;

/* Sums of squares as if the excerpts among n_rows varied as much as the utterance does. */
static void widen(const kk_norms *norms, float *sums, float *squares, size_t C, double n_rows)
{
    const double narrowness = (double)norms->narrowness[norms->layer];
    const double factor = exp(2.0 * narrowness * norms->excerpts_share);
    for (size_t c = 0; c < C; c++) {
        const double mean = (double)sums[c] / n_rows, square = (double)squares[c] / n_rows;
        const double variance = fmax(square - mean * mean, 0.0);
        squares[c] = (float)(n_rows * (mean * mean + factor * variance));
    }
}

static void add_scaled(double *dst, const float *src, double scale, size_t C)
{
    for (size_t c = 0; c < C; c++)
        dst[c] += scale * (double)src[c];
}

/*
 * One row of sums from those of the tiles, weighed by segment, and those of earlier runs, in units
 * of the whole utterance. Returns the rows that it stands for. The run's own sums go to their
 * slots.
 */
static double weigh_sums(kk_norms *norms, const kk_tiles *tiles, const kk_sums *sums, float *row,
                         size_t C, size_t rate)
{
    double *slots = norms->sums + norms->layer * KK_MAX_SLOTS * 2 * C1;
    double n_rows = 0.0;
    for (size_t i = 0; i < norms->n_segments; i++)
        n_rows += norms->segments[i].weight * (double)(norms->segments[i].n_frames * rate);
    for (size_t k = 0; k < KK_MAX_SLOTS; k++)
        n_rows += norms->slot_weights[k] * (double)(norms->slot_frames[k] * rate);
    for (size_t half = 0; half < 2; half++) {
        double total[C1] = {0.0};
        for (size_t i = 0; i < tiles->n; i++) {
            const float *sum = sums->rows + (2 * i + half) * sums->stride;
            add_scaled(total, sum, norms->segments[tiles->segments[i]].weight, C);
        }
        for (size_t k = 0; k < KK_MAX_SLOTS; k++) {
            const double *slot = slots + (k * 2 + half) * C1, weight = norms->slot_weights[k];
            for (size_t c = 0; c < C && weight != 0.0; c++)
                total[c] += weight * slot[c];
        }
        for (size_t i = 0; i < tiles->n; i++) {
            const kk_segment *segment = &norms->segments[tiles->segments[i]];
            const float *sum = sums->rows + (2 * i + half) * sums->stride;
            if (segment->slot != KK_NO_SLOT)
                add_scaled(slots + (segment->slot * 2 + half) * C1, sum, segment->kept, C);
        }
        for (size_t c = 0; c < C; c++)
            row[half * sums->stride + c] = (float)total[c];
    }
    widen(norms, row, row + sums->stride, C, n_rows);
    norms->layer++;
    return n_rows;
}

/* Scale and shift of an adaptive normalisation, with snake. */
static int snake(const kk_ops *ops, const stage *s, kk_activation *activation,
                 const kk_conv *style_weights, const float *alpha, const float *inv_alpha,
                 const kk_sums *tile_sums)
{
    const float *style = s->style;
    kk_sums sums = *tile_sums;
    double n_rows = (double)s->T;
    if (s->norms != NULL) {
        sums.n_tiles = 1;
        sums.rows = kk_workspace_floats(ops->ws, 2 * sums.stride);
        if (sums.rows == NULL)
            return KOKORO_NO_MEMORY;
        n_rows = weigh_sums(s->norms, &s->tiles, tile_sums, sums.rows, s->C, s->rate);
    }
    const size_t C = style_weights->C_out / 2;
    float *gains = kk_workspace_floats(ops->ws, 2 * C);
    float *scale = kk_workspace_floats(ops->ws, C), *shift = kk_workspace_floats(ops->ws, C);
    if (gains == NULL || scale == NULL || shift == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_style(ops, style_weights, gains, style);
    kk_adain(scale, shift, &sums, gains, n_rows, C);
    *activation = (kk_activation){
        .kind = KK_SNAKE, .scale = scale, .shift = shift, .alpha = alpha, .inv_alpha = inv_alpha};
    return status;
}

/* One convolution of a block: with fewer multiplications in bf16, else directly in float. */
typedef struct block_conv {
    const kk_toom *toom; /* NULL: not in bf16 */
    const kk_conv *conv;
    size_t dilation;
    size_t T_out;            /* rows wanted, the first; T or fewer */
    rows src, dst, residual; /* residual.values NULL: none */
    kk_activation activation;
    float gain;
    int accumulate;
    kk_sums *sums;
} block_conv;

static int convolve(const kk_ops *ops, const stage *s, const block_conv *c)
{
    const size_t C = s->C;
    kk_tiles cut = s->tiles;
    while (cut.n > 0 && cut.starts[cut.n - 1] >= c->T_out)
        cut.n--;
    const kk_tiles *tiles = s->norms != NULL ? &cut : NULL;
    if (c->toom != NULL)
        return kk_toom_convolve(ops, &(kk_toom_run){.toom = c->toom,
                                                    .src = c->src.values,
                                                    .src_is_bf16 = c->src.is_bf16,
                                                    .T = c->T_out,
                                                    .dilation = c->dilation,
                                                    .activation = c->activation,
                                                    .dst = c->dst.values,
                                                    .dst_is_bf16 = c->dst.is_bf16,
                                                    .residual = c->residual.values,
                                                    .residual_is_bf16 = c->residual.is_bf16,
                                                    .gain = c->gain,
                                                    .accumulate = c->accumulate,
                                                    .sums = c->sums,
                                                    .tiles = tiles});
    return kk_convolve(ops, &(kk_conv_run){.conv = c->conv,
                                           .src = c->src.values,
                                           .src_stride = C,
                                           .T_in = s->T,
                                           .dilation = c->dilation,
                                           .pad = (c->conv->K - 1) / 2 * c->dilation,
                                           .activation = c->activation,
                                           .dst = c->dst.values,
                                           .dst_stride = C,
                                           .T_out = c->T_out,
                                           .residual = c->residual.values,
                                           .residual_stride = C,
                                           .gain = c->gain,
                                           .accumulate = c->accumulate,
                                           .in_bf16 = s->in_bf16,
                                           .sums = c->sums,
                                           .tiles = tiles});
}

/*
 * dst [T][C] (+)= gain * block(x):  3 times  y = conv1(snake(adain1(z))), z += conv2(snake(
 * adain2(y))), z = x at first. sums are those of x. Of dst only the first T_out rows.
 */
static int resblock(const kk_ops *ops, const kk_resblock *w, stage *s, float *dst, int accumulate,
                    float gain, const kk_sums *x_sums, size_t T_out)
{
    static const size_t dilations[3] = {1, 3, 5};
    const kk_mark mark = kk_workspace_mark(ops->ws);
    rows now = s->x;
    kk_sums sums = *x_sums;
    int status = KOKORO_OK;
    for (int j = 0; j < 3 && status == KOKORO_OK; j++) {
        const int is_last = j == 2;
        kk_sums y_sums;
        block_conv first = {.toom = s->uses_toom ? &w->toom1[j] : NULL,
                            .conv = &w->conv1[j],
                            .dilation = dilations[j],
                            .T_out = s->T,
                            .src = now,
                            .dst = s->y,
                            .gain = 1.0f,
                            .sums = &y_sums};
        status =
            snake(ops, s, &first.activation, &w->style1[j], w->alpha1[j], w->inv_alpha1[j], &sums);
        if (status == KOKORO_OK)
            status = convolve(ops, s, &first);
        block_conv second = {.toom = s->uses_toom ? &w->toom2[j] : NULL,
                             .conv = &w->conv2[j],
                             .dilation = 1,
                             .T_out = is_last ? T_out : s->T,
                             .src = s->y,
                             .dst = is_last ? (rows){dst, 0} : s->work,
                             .residual = now,
                             .gain = is_last ? gain : 1.0f,
                             .accumulate = is_last && accumulate,
                             .sums = is_last ? NULL : &sums};
        if (status == KOKORO_OK)
            status = snake(ops, s, &second.activation, &w->style2[j], w->alpha2[j],
                           w->inv_alpha2[j], &y_sums);
        if (status == KOKORO_OK)
            status = convolve(ops, s, &second);
        now = s->work;
    }
    kk_workspace_release(ops->ws, mark);
    return status;
}

typedef struct round_job {
    const kk_ops *ops;
    const stage *s;
} round_job;

static void round_rows(void *context, size_t first, size_t n)
{
    const round_job *job = context;
    const stage *s = job->s;
    const kk_activation linear = {.kind = KK_LINEAR};
    job->ops->kernels->activate_bf16((uint16_t *)s->x.values + first * s->C, s->C,
                                     s->sum + first * s->C, s->C, n, s->C, &linear);
}

/* The mean of three blocks of what is in s->sum, in its place. */
static int mean_of_blocks(const kk_ops *ops, const kk_resblock *w, stage *s)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    kk_sums sums;
    int status =
        kk_column_sums(ops, &sums, s->sum, s->C, s->T, s->C, s->norms != NULL ? &s->tiles : NULL);
    if (s->rounds) {
        round_job job = {ops, s};
        kk_for_rows(ops, round_rows, &job, s->T, 96);
    } else {
        float *swap = s->sum;
        s->sum = s->x.values;
        s->x.values = swap;
    }
    for (int i = 0; i < 3 && status == KOKORO_OK; i++)
        status = resblock(ops, &w[i], s, s->sum, i > 0, 1.0f / 3.0f, &sums, s->T_mean);
    kk_workspace_release(ops->ws, mark);
    return status;
}

/* dst [T * rate][C] = up(leaky(src)). */
static int upsample(const kk_ops *ops, const kk_upsample *w, float *dst, const float *src, size_t T,
                    float slope)
{
    const size_t half = w->early.C_out;
    kk_conv_run run = {.conv = &w->early,
                       .src = src,
                       .src_stride = w->early.C_in,
                       .T_in = T,
                       .pad = 1,
                       .activation = {.kind = KK_LEAKY, .slope = slope},
                       .dst = dst,
                       .dst_stride = 2 * half,
                       .T_out = T};
    int status = kk_convolve(ops, &run);
    run.conv = &w->late;
    run.pad = 0;
    run.dst = dst + half;
    return status == KOKORO_OK ? kk_convolve(ops, &run) : status;
}

/* Tiles that keep to the segments of the run. */
static int cut_tiles(const kk_ops *ops, stage *s)
{
    const size_t n_most = s->T / KK_MAX_TILE + KK_MAX_SEGMENTS + 1;
    size_t *starts = kk_workspace_alloc(ops->ws, (n_most + 1) * sizeof(*starts));
    size_t *segments = kk_workspace_alloc(ops->ws, n_most * sizeof(*segments));
    if (starts == NULL || segments == NULL)
        return KOKORO_NO_MEMORY;
    size_t n = 0, t = 0, end = 0;
    starts[0] = 0;
    for (size_t i = 0; i < s->norms->n_segments; i++) {
        end += s->norms->segments[i].n_frames * s->rate;
        if (i + 1 == s->norms->n_segments)
            end = s->T; /* and the row beyond the last */
        for (; t < end; t = starts[n]) {
            segments[n++] = i;
            starts[n] = end - t < KK_MAX_TILE ? end : t + KK_MAX_TILE;
        }
    }
    s->tiles = (kk_tiles){n, starts, segments};
    return KOKORO_OK;
}

static int open_stage(const kk_ops *ops, stage *s, float *y)
{
    if (s->norms != NULL && cut_tiles(ops, s) != KOKORO_OK)
        return KOKORO_NO_MEMORY;
    const size_t n = s->T * s->C, size = n * (s->rounds ? sizeof(uint16_t) : sizeof(float));
    s->y = (rows){y, s->rounds && n > LONG};
    s->x = (rows){kk_workspace_alloc(ops->ws, size), s->rounds};
    s->work = (rows){kk_workspace_floats(ops->ws, n), 0};
    s->sum = kk_workspace_floats(ops->ws, n);
    return s->y.values != NULL && s->x.values != NULL && s->work.values != NULL && s->sum != NULL
               ? KOKORO_OK
               : KOKORO_NO_MEMORY;
}

/* s->sum += noise_block(noise_conv(spectrum)); src [T][C_in] at src_stride. */
static int add_noise(const kk_ops *ops, const kk_conv *conv, const kk_resblock *block, stage *s,
                     const float *src, size_t src_stride)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    kk_sums sums;
    int status = kk_convolve(ops, &(kk_conv_run){.conv = conv,
                                                 .src = src,
                                                 .src_stride = src_stride,
                                                 .T_in = s->T,
                                                 .dst = s->x.values,
                                                 .dst_is_bf16 = s->x.is_bf16,
                                                 .dst_stride = s->C,
                                                 .T_out = s->T,
                                                 .sums = &sums,
                                                 .tiles = s->norms != NULL ? &s->tiles : NULL});
    if (status == KOKORO_OK)
        status = resblock(ops, block, s, s->sum, 1, 1.0f, &sums, s->T);
    kk_workspace_release(ops->ws, mark);
    return status;
}

/* Width 12, stride 6, padding 3 over the rows of the spectrum: a product of 12 rows that lie side
 * by side. */
static int add_strided_noise(const kk_ops *ops, const kk_generator_weights *w, stage *s,
                             const float *spectrum, size_t n_rows)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t n = (n_rows + 2 * NOISE_PAD + RATE2) * KK_SPECTRUM;
    float *padded = kk_workspace_floats(ops->ws, n);
    if (padded == NULL)
        return KOKORO_NO_MEMORY;
    memset(padded, 0, n * sizeof(*padded));
    memcpy(padded + NOISE_PAD * KK_SPECTRUM, spectrum, n_rows * KK_SPECTRUM * sizeof(*padded));
    int status =
        add_noise(ops, &w->noise_conv[0], &w->noise_block[0], s, padded, RATE2 * KK_SPECTRUM);
    kk_workspace_release(ops->ws, mark);
    return status;
}

/* Row 0 of the second stage: row 1 of the upsampled rows. */
static int reflect(const kk_ops *ops, const kk_upsample *w, float *dst, const float *src,
                   float slope)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *first = kk_workspace_floats(ops->ws, RATE2 * C2); /* of input row 0 */
    if (first == NULL)
        return KOKORO_NO_MEMORY;
    int status = upsample(ops, w, first, src, 1, slope);
    memcpy(dst, first + C2, C2 * sizeof(*dst));
    kk_workspace_release(ops->ws, mark);
    return status;
}

typedef struct copy_job {
    float *dst;
    const float *src;
    size_t C;
} copy_job;

static void copy_rows(void *context, size_t first, size_t n)
{
    const copy_job *job = context;
    memcpy(job->dst + first * job->C, job->src + first * job->C, n * job->C * sizeof(*job->dst));
}

/* src [T1 / 10][512] to result [T1][256]. */
static int first_stage(const kk_ops *ops, const kk_generator_weights *w, stage *s, float *result,
                       const float *features, const float *spectrum)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t n = s->T * s->C, n_spectra = RATE2 * s->T + 1;
    float *y = kk_workspace_floats(ops->ws, n);
    int status = y != NULL ? open_stage(ops, s, y) : KOKORO_NO_MEMORY;
    if (status == KOKORO_OK)
        status = upsample(ops, &w->up[0], s->sum, features, s->T / RATE1, 0.1f);
    if (status == KOKORO_OK)
        status = add_strided_noise(ops, w, s, spectrum, n_spectra);
    if (status == KOKORO_OK)
        status = mean_of_blocks(ops, w->block, s);
    if (status == KOKORO_OK) { /* in tasks: of long inputs it takes as long as a cancel may */
        copy_job job = {result, s->sum, s->C};
        kk_for_rows(ops, copy_rows, &job, s->T, 96);
    }
    kk_workspace_release(ops->ws, mark);
    return status;
}

/* src [T1][256] to dst [T2][22]; the memory of src is used up and becomes y. */
static int second_stage(const kk_ops *ops, const kk_generator_weights *w, stage *s, float *dst,
                        float *src, const float *spectrum)
{
    int status = open_stage(ops, s, src);
    if (status == KOKORO_OK)
        status = upsample(ops, &w->up[1], s->sum + C2, src, s->T / RATE2, 0.1f);
    if (status == KOKORO_OK)
        status = reflect(ops, &w->up[1], s->sum, src, 0.1f);
    if (status == KOKORO_OK)
        status = add_noise(ops, &w->noise_conv[1], &w->noise_block[1], s, spectrum, KK_SPECTRUM);
    if (status == KOKORO_OK)
        status = mean_of_blocks(ops, w->block + 3, s);
    if (status == KOKORO_OK)
        status = kk_convolve(ops, &(kk_conv_run){.conv = &w->post,
                                                 .src = s->sum,
                                                 .src_stride = C2,
                                                 .T_in = s->T_mean,
                                                 .pad = 3,
                                                 .activation = {.kind = KK_LEAKY, .slope = 0.01f},
                                                 .dst = dst,
                                                 .dst_stride = KK_SPECTRUM,
                                                 .T_out = s->T_mean});
    return status;
}

int kk_generator(const kk_ops *ops, const kk_generator_weights *w, float *dst,
                 const float *features, const float *spectrum, const float *style, size_t T,
                 int in_bf16, kk_norms *norms)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const kk_toom *toom = &w->block[0].toom1[0];
    in_bf16 = in_bf16 && !toom->is_float;
    const int uses_toom =
        toom->weights != NULL && (toom->is_float || (in_bf16 && (T > SHORT || norms != NULL)));
    stage first = {.style = style,
                   .T = RATE1 * T,
                   .T_mean = RATE1 * T,
                   .C = C1,
                   .rate = RATE1,
                   .norms = norms,
                   .in_bf16 = in_bf16,
                   .uses_toom = uses_toom,
                   .rounds = in_bf16 && uses_toom};
    stage second = first;
    second.T = RATE2 * first.T + 1;
    second.T_mean =
        norms != NULL && norms->n_wanted < T ? RATE1 * RATE2 * norms->n_wanted : second.T;
    second.C = C2;
    second.rate = RATE1 * RATE2;
    if (norms != NULL)
        norms->layer = 0;
    /* The first stage's result, then the second stage's y: rounded or not, y is the larger. */
    const size_t n = second.T * second.C;
    float *between = kk_workspace_alloc(
        ops->ws, n * (second.rounds && n > LONG ? sizeof(uint16_t) : sizeof(float)));
    if (between == NULL)
        return KOKORO_NO_MEMORY;
    int status = first_stage(ops, w, &first, between, features, spectrum);
    if (n > LONG)
        kk_ops_forget_weights(ops);
    if (status == KOKORO_OK)
        status = second_stage(ops, w, &second, dst, between, spectrum);
    kk_workspace_release(ops->ws, mark);
    return status;
}
