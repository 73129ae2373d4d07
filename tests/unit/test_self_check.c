/*
 * Every table that this CPU runs agrees with plain C; and a table with one kernel that is a little
 * wrong is found out, by that kernel's name.
 */
#define _GNU_SOURCE
#include "kernel_check.h"

#include "base/clock.h"
#include "kernels/self_check.h"
#include "kernels/tables.h"
#include "kernels/toom.h"

static const kk_kernels *good;

/* Each does what plain C does, and then changes one value by a thousandth or forgets the last. */
static void conv_wrong(kk_conv_kernel *kernel, const kk_conv_args *args)
{
    kernel(args);
    args->dst[(args->T - 1) * args->dst_stride + args->C_out - 1] *= 1.25f;
}
static void conv_bf16(const kk_conv_args *args)
{
    conv_wrong(good->conv_bf16, args);
}
static void conv_pairs(const kk_conv_args *args)
{
    conv_wrong(good->conv_pairs, args);
}
static void conv_singles(const kk_conv_args *args)
{
    kk_conv_args fewer = *args;
    fewer.sums = NULL;
    good->conv_singles(&fewer);
}
static void toom_input(const kk_toom_input *in)
{
    kk_toom_input late = *in;
    late.n_before = 0;
    good->toom_input(&late);
}
static void conv_toom(const kk_toom_args *args)
{
    kk_toom_args other = *args;
    other.T--;
    good->conv_toom(&other);
}
/* Wrong only as the wide convolutions of the model are cut. */
static void toom_input_wide(const kk_toom_input *in)
{
    kk_toom_input late = *in;
    late.n_before -= in->shape.n_points == 7;
    good->toom_input(&late);
}
static void conv_toom_wide(const kk_toom_args *args)
{
    kk_toom_args other = *args;
    other.shape.n_groups -= args->shape.n_groups > 1;
    good->conv_toom(&other);
}
static void activate(float *dst, size_t dst_stride, const float *src, size_t src_stride,
                     size_t n_rows, size_t C, const kk_activation *activation)
{
    good->activate(dst, dst_stride, src, src_stride, n_rows, C, activation);
    dst[C - 1] += 1e-3f;
}
static void activate_bf16(uint16_t *dst, size_t dst_stride, const float *src, size_t src_stride,
                          size_t n_rows, size_t C, const kk_activation *activation)
{
    kk_activation linear = *activation;
    linear.kind = KK_LINEAR;
    good->activate_bf16(dst, dst_stride, src, src_stride, n_rows, C, &linear);
}
static void column_sums(float *sums, size_t stride, const float *src, size_t src_stride,
                        size_t n_rows, size_t C)
{
    good->column_sums(sums, stride, src, src_stride, n_rows - 1, C);
}
static void layer_norm(float *dst, const float *a, const float *b, const float *gain,
                       const float *shift, float eps, size_t n_rows, size_t C)
{
    good->layer_norm(dst, a, b, gain, shift, eps + 1e-2f, n_rows, C);
}
static void gelu_tanh(float *x, size_t n)
{
    good->gelu_tanh(x, n - 1);
}
static void softmax(float *x, size_t stride, size_t n_rows, size_t n)
{
    good->softmax(x, stride, n_rows, n);
    x[(n_rows - 1) * stride] = (float)NAN;
}
static void lstm_step(const kk_lstm_args *args)
{
    good->lstm_step(args);
    args->c[args->H - 1] += 1e-3f;
}
static void sin_wrong(float *dst, const float *x, size_t n)
{
    good->sin(dst, x, n);
    dst[n - 1] += 1e-5f;
}
static void exp_wrong(float *dst, const float *x, size_t n)
{
    good->exp(dst, x, n);
    dst[0] *= 1.0001f;
}
static void tanh_wrong(float *dst, const float *x, size_t n)
{
    good->sigmoid(dst, x, n);
}
static void sigmoid_wrong(float *dst, const float *x, size_t n)
{
    good->tanh(dst, x, n);
}
static void atan2_wrong(float *dst, const float *y, const float *x, size_t n)
{
    good->atan2(dst, x, y, n);
}

TEST(tables_agree_with_plain_c)
{
    FOR_EACH_TABLE(table)
    {
        const char *wrong = kk_kernels_self_check(table);
        if (wrong != NULL)
            printf("  %s: %s\n", table->name, wrong);
        CHECK(wrong == NULL);
        const double begin_s = kk_now_s();
        (void)kk_kernels_self_check(table);
        printf("  %-10s %.2f ms\n", table->name, 1e3 * (kk_now_s() - begin_s));
    }
}

#define CHECK_FINDS(slot, function)                                                                \
    do {                                                                                           \
        kk_kernels wrong = *good;                                                                  \
        wrong.slot = function;                                                                     \
        CHECK_STR(kk_kernels_self_check(&wrong), #slot);                                           \
    } while (0)

TEST(one_wrong_kernel_is_found)
{
    FOR_EACH_TABLE(table)
    {
        good = table;
        CHECK_FINDS(conv_bf16, conv_bf16);
        CHECK_FINDS(conv_pairs, conv_pairs);
        CHECK_FINDS(conv_singles, conv_singles);
        if (table->toom != KK_TOOM_NONE) {
            CHECK_FINDS(toom_input, toom_input);
            CHECK_FINDS(conv_toom, conv_toom);
            CHECK_FINDS(toom_input, toom_input_wide);
            CHECK_FINDS(conv_toom, conv_toom_wide);
        }
        CHECK_FINDS(activate, activate);
        CHECK_FINDS(activate_bf16, activate_bf16);
        CHECK_FINDS(column_sums, column_sums);
        CHECK_FINDS(layer_norm, layer_norm);
        CHECK_FINDS(gelu_tanh, gelu_tanh);
        CHECK_FINDS(softmax, softmax);
        CHECK_FINDS(lstm_step, lstm_step);
        CHECK_FINDS(sin, sin_wrong);
        CHECK_FINDS(exp, exp_wrong);
        CHECK_FINDS(tanh, tanh_wrong);
        CHECK_FINDS(sigmoid, sigmoid_wrong);
        CHECK_FINDS(atan2, atan2_wrong);
    }
}

TEST_MAIN(T(tables_agree_with_plain_c), T(one_wrong_kernel_is_found))
