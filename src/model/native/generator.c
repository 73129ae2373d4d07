/*
 * generator.c - the vocoder before its inverse transform (iSTFTNet, Kaneko et al. 2022, with the
 * adaptive residual blocks of StyleTTS 2): nearly all of the network's multiplications.
 *
 *   2 stages i:  s = noise_block[i](noise_conv[i](spectrum))
 *                x = up[i](leaky(x, 0.1)) + s           x 10, then x 6
 *                x = mean of block[3i .. 3i + 2](x)     widths 3, 7, 11
 *   post = conv(leaky(x, 0.01))                         [60 T + 1][22]
 *
 * The second stage has one row more than 6 times the first: its row 0 repeats row 2 (a reflection
 * in front, before s is added).
 */
#include "model/native/network.h"

#include <string.h>

enum { RATE1 = 10, RATE2 = 6, C1 = 256, C2 = 128, NOISE_PAD = 3 };

/* Scale and shift of an adaptive normalisation, with snake. */
static int snake(const kk_ops *ops, kk_activation *activation, const kk_conv *style_weights,
                 const float *alpha, const float *inv_alpha, const kk_sums *sums,
                 const float *style, size_t T)
{
    const size_t C = style_weights->C_out / 2;
    float *gains = kk_workspace_floats(ops->ws, 2 * C);
    float *scale = kk_workspace_floats(ops->ws, C), *shift = kk_workspace_floats(ops->ws, C);
    if (gains == NULL || scale == NULL || shift == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_style(ops, style_weights, gains, style);
    kk_adain(scale, shift, sums, gains, T, C);
    *activation = (kk_activation){
        .kind = KK_SNAKE, .scale = scale, .shift = shift, .alpha = alpha, .inv_alpha = inv_alpha};
    return status;
}

/*
 * dst [T][C] (+)= gain * resblock(x):  3 times  y = conv1(snake(adain1(y'))), y' += conv2(snake(
 * adain2(y))), y' = x at first. work and y are [T][C] scratch; sums are those of x.
 */
static int resblock(const kk_ops *ops, const kk_resblock *w, float *dst, int accumulate, float gain,
                    const float *x, float *work, float *y, const kk_sums *x_sums,
                    const float *style, size_t T, int in_bf16)
{
    static const size_t dilations[3] = {1, 3, 5};
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t C = w->conv1[0].C_in, K = w->conv1[0].K;
    const float *now = x;
    kk_sums sums = *x_sums;
    int status = KOKORO_OK;
    for (int j = 0; j < 3 && status == KOKORO_OK; j++) {
        kk_sums y_sums;
        kk_conv_run first = {.conv = &w->conv1[j],
                             .src = now,
                             .src_stride = C,
                             .T_in = T,
                             .dilation = dilations[j],
                             .pad = (K - 1) / 2 * dilations[j],
                             .dst = y,
                             .dst_stride = C,
                             .T_out = T,
                             .in_bf16 = in_bf16,
                             .sums = &y_sums};
        status = snake(ops, &first.activation, &w->style1[j], w->alpha1[j], w->inv_alpha1[j], &sums,
                       style, T);
        if (status == KOKORO_OK)
            status = kk_convolve(ops, &first);
        const int is_last = j == 2;
        kk_conv_run second = {.conv = &w->conv2[j],
                              .src = y,
                              .src_stride = C,
                              .T_in = T,
                              .pad = (K - 1) / 2,
                              .dst = is_last ? dst : work,
                              .dst_stride = C,
                              .T_out = T,
                              .residual = now,
                              .residual_stride = C,
                              .gain = is_last ? gain : 1.0f,
                              .accumulate = is_last && accumulate,
                              .in_bf16 = in_bf16,
                              .sums = is_last ? NULL : &sums};
        if (status == KOKORO_OK)
            status = snake(ops, &second.activation, &w->style2[j], w->alpha2[j], w->inv_alpha2[j],
                           &y_sums, style, T);
        if (status == KOKORO_OK)
            status = kk_convolve(ops, &second);
        now = work;
    }
    kk_workspace_release(ops->ws, mark);
    return status;
}

typedef struct stage {
    const float *style;
    size_t T, C;
    float *noise, *x, *work, *y; /* [T][C] */
    int in_bf16;
} stage;

/* noise_block of what is in stage->noise, in place of it. */
static int shape_noise(const kk_ops *ops, const kk_resblock *w, stage *s)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    kk_sums sums;
    int status = kk_column_sums(ops, &sums, s->noise, s->C, s->T, s->C);
    if (status == KOKORO_OK)
        status = resblock(ops, w, s->x, 0, 1.0f, s->noise, s->work, s->y, &sums, s->style, s->T,
                          s->in_bf16);
    float *swap = s->noise;
    s->noise = s->x;
    s->x = swap;
    kk_workspace_release(ops->ws, mark);
    return status;
}

/* The mean of three blocks of x, into the place of the noise, which is used up. */
static int mean_of_blocks(const kk_ops *ops, const kk_resblock *w, stage *s)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    kk_sums sums;
    int status = kk_column_sums(ops, &sums, s->x, s->C, s->T, s->C);
    for (int i = 0; i < 3 && status == KOKORO_OK; i++)
        status = resblock(ops, &w[i], s->noise, i > 0, 1.0f / 3.0f, s->x, s->work, s->y, &sums,
                          s->style, s->T, s->in_bf16);
    kk_workspace_release(ops->ws, mark);
    return status;
}

/* dst [T * rate][C] = up(leaky(src)) + residual. */
static int upsample(const kk_ops *ops, const kk_upsample *w, float *dst, const float *residual,
                    const float *src, size_t T, float slope)
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
                       .T_out = T,
                       .residual = residual,
                       .residual_stride = 2 * half};
    int status = kk_convolve(ops, &run);
    run.conv = &w->late;
    run.pad = 0;
    run.dst = dst + half;
    run.residual = residual != NULL ? residual + half : NULL;
    return status == KOKORO_OK ? kk_convolve(ops, &run) : status;
}

static int open_stage(const kk_ops *ops, stage *s)
{
    s->noise = kk_workspace_floats(ops->ws, s->T * s->C);
    s->x = kk_workspace_floats(ops->ws, s->T * s->C);
    s->work = kk_workspace_floats(ops->ws, s->T * s->C);
    s->y = kk_workspace_floats(ops->ws, s->T * s->C);
    return s->noise != NULL && s->x != NULL && s->work != NULL && s->y != NULL ? KOKORO_OK
                                                                               : KOKORO_NO_MEMORY;
}

/* noise [T][256]: width 12, stride 6, padding 3 over the rows of the spectrum: a product of 12 rows
 * that lie side by side. */
static int strided_noise(const kk_ops *ops, const kk_conv *conv, float *noise,
                         const float *spectrum, size_t n_rows, size_t T)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t n = (n_rows + 2 * NOISE_PAD + RATE2) * KK_SPECTRUM;
    float *padded = kk_workspace_floats(ops->ws, n);
    if (padded == NULL)
        return KOKORO_NO_MEMORY;
    memset(padded, 0, n * sizeof(*padded));
    memcpy(padded + NOISE_PAD * KK_SPECTRUM, spectrum, n_rows * KK_SPECTRUM * sizeof(*padded));
    int status = kk_linear(ops, conv, noise, C1, padded, RATE2 * KK_SPECTRUM, T);
    kk_workspace_release(ops->ws, mark);
    return status;
}

/* Row 0 of the second stage: row 1 of the upsampled rows, and the noise. */
static int reflect(const kk_ops *ops, const kk_upsample *w, float *dst, const float *noise,
                   const float *src, float slope)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    float *rows = kk_workspace_floats(ops->ws, RATE2 * C2); /* of input row 0 */
    if (rows == NULL)
        return KOKORO_NO_MEMORY;
    int status = upsample(ops, w, rows, NULL, src, 1, slope);
    for (size_t c = 0; c < C2; c++)
        dst[c] = rows[C2 + c] + noise[c];
    kk_workspace_release(ops->ws, mark);
    return status;
}

int kk_generator(const kk_ops *ops, const kk_generator_weights *w, float *dst,
                 const float *features, const float *spectrum, const float *style, size_t T,
                 int in_bf16)
{
    const kk_mark mark = kk_workspace_mark(ops->ws);
    const size_t T1 = RATE1 * T, T2 = RATE1 * RATE2 * T + 1;
    float *first = kk_workspace_floats(ops->ws, T1 * C1); /* result of the first stage */
    if (first == NULL)
        return KOKORO_NO_MEMORY;
    const kk_mark stage_mark = kk_workspace_mark(ops->ws);
    stage s = {.style = style, .T = T1, .C = C1, .in_bf16 = in_bf16};
    int status = open_stage(ops, &s);
    if (status == KOKORO_OK)
        status = strided_noise(ops, &w->noise_conv[0], s.noise, spectrum, T2, T1);
    if (status == KOKORO_OK)
        status = shape_noise(ops, &w->noise_block[0], &s);
    if (status == KOKORO_OK)
        status = upsample(ops, &w->up[0], s.x, s.noise, features, T, 0.1f);
    if (status == KOKORO_OK)
        status = mean_of_blocks(ops, w->block, &s);
    if (status != KOKORO_OK)
        return status;
    memcpy(first, s.noise, T1 * C1 * sizeof(*first));
    kk_workspace_release(ops->ws, stage_mark);

    s = (stage){.style = style, .T = T2, .C = C2, .in_bf16 = in_bf16};
    status = open_stage(ops, &s);
    if (status == KOKORO_OK)
        status = kk_linear(ops, &w->noise_conv[1], s.noise, C2, spectrum, KK_SPECTRUM, T2);
    if (status == KOKORO_OK)
        status = shape_noise(ops, &w->noise_block[1], &s);
    if (status == KOKORO_OK)
        status = upsample(ops, &w->up[1], s.x + C2, s.noise + C2, first, T1, 0.1f);
    if (status == KOKORO_OK)
        status = reflect(ops, &w->up[1], s.x, s.noise, first, 0.1f);
    if (status == KOKORO_OK)
        status = mean_of_blocks(ops, w->block + 3, &s);
    if (status == KOKORO_OK)
        status = kk_convolve(ops, &(kk_conv_run){.conv = &w->post,
                                                 .src = s.noise,
                                                 .src_stride = C2,
                                                 .T_in = T2,
                                                 .pad = 3,
                                                 .activation = {.kind = KK_LEAKY, .slope = 0.01f},
                                                 .dst = dst,
                                                 .dst_stride = KK_SPECTRUM,
                                                 .T_out = T2});
    kk_workspace_release(ops->ws, mark);
    return status;
}
