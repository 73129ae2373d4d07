/*
 * kernels.h - the ledger of kernels: numbers in, numbers out, nothing of speech.
 *
 * Plain C (ref/) defines what each kernel computes and sits in every slot; the files of an
 * instruction set overlay it. The table is chosen once and passed down. Kernels are pure: no
 * allocation, no threads, no logging. Axes: T time, C channels, K kernel width; row-major, the last
 * axis contiguous. Activations are float; "bf16" is the upper half of a float, rounded to nearest
 * even, in a uint16_t.
 */
#ifndef KK_KERNELS_KERNELS_H
#define KK_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/*
 * dst[t][o] (+)= gain * (scale[o] * sum_k sum_c src[t * src_stride + k * tap_stride + c] *
 * w[o][k][c]
 *                        + bias[o] + residual[t >> residual_shift][o])
 *
 * A stride-1 convolution has src_stride = C and tap_stride = dilation * C; a matrix product K = 1.
 * The caller pads src with rows of zeros. Weights are packed in panels of `panel` outputs:
 *     KK_PAIRS   bf16  [C_out / panel][K][C_in / 2][panel][2]
 *     KK_SINGLES float [C_out / panel][K][C_in][panel]
 * with zeros for the outputs beyond C_out and the input beyond an odd C_in (pairs read src up to
 * the next even C_in; it may hold anything finite there).
 */
typedef struct kk_conv_args {
    float *dst;
    size_t dst_stride; /* of rows, in floats */
    const void *src;   /* bf16 or float */
    size_t src_stride, tap_stride;
    const void *weights;
    const float *scale;    /* [C_out padded to panel] */
    const float *bias;     /* the same */
    const float *residual; /* NULL for none; may be dst */
    size_t residual_stride;
    unsigned residual_shift; /* 1: each row of the residual serves two rows */
    float gain;
    int accumulate; /* add to dst instead of writing it */
    float *
        sums; /* NULL, or [2] rows of C_out padded: sum over T of dst and of its square, added to */
    size_t sums_stride;
    size_t T, K, C_in, C_out;
} kk_conv_args;

typedef void kk_conv_kernel(const kk_conv_args *args);

/* What happens to a value on its way into a convolution: y = x * scale[c] + shift[c], then */
enum {
    KK_LINEAR, /* y */
    KK_LEAKY,  /* y < 0 ? slope * y : y */
    KK_SNAKE   /* y + sin(alpha[c] * y)^2 * inv_alpha[c] */
};

typedef struct kk_activation {
    int kind;
    float slope;
    const float *scale, *shift;     /* [C]; both NULL: x itself */
    const float *alpha, *inv_alpha; /* [C], of KK_SNAKE */
} kk_activation;

/* One direction of a long short-term memory, one step; gates in ONNX order i, o, f, c. */
typedef struct kk_lstm_args {
    float *h, *c;   /* [H] state, updated */
    float *gates;   /* [4H] scratch */
    const float *x; /* [4H] input part of the gates, biases in it */
    const void *r;  /* KK_PAIRS or KK_SINGLES panels of [4H][H] */
    int is_pairs;
    const float *r_scale; /* [4H] */
    size_t H;             /* a multiple of 64 */
} kk_lstm_args;

/* Of toom.h. */
enum { KK_TOOM_NONE, KK_TOOM_BF16, KK_TOOM_FLOAT };
struct kk_toom_input;
struct kk_toom_args;

typedef struct kk_kernels {
    const char *name; /* "ref", "avx2", "avx512", "avx512bf16", "neon" */
    size_t panel;     /* outputs in a panel of packed weights: 16 or 64 */
    int has_bf16;     /* conv_bf16 is quicker than conv_pairs: bf16 layers are worth it */

    /* The sum in float over bf16 src and pairs; products of two bf16 are exact. */
    kk_conv_kernel *conv_bf16;
    /* float src, weights as pairs (exact) and as floats. */
    kk_conv_kernel *conv_pairs;
    kk_conv_kernel *conv_singles;

    /* Fewer multiplications: the input's transforms, and the products; see toom.h. `toom` says in
     * which type they pay. */
    int toom; /* KK_TOOM_NONE, _BF16, _FLOAT */
    void (*toom_input)(const struct kk_toom_input *input);
    void (*conv_toom)(const struct kk_toom_args *args);

    /* Rows of C channels, n_rows * C values: src at row stride src_stride, dst dense. */
    void (*activate_bf16)(uint16_t *dst, size_t dst_stride, const float *src, size_t src_stride,
                          size_t n_rows, size_t C, const kk_activation *activation);
    void (*activate)(float *dst, size_t dst_stride, const float *src, size_t src_stride,
                     size_t n_rows, size_t C, const kk_activation *activation);
    /* sums[0][c] += sum of x, sums[1][c] += sum of x * x over the rows. */
    void (*column_sums)(float *sums, size_t sums_stride, const float *src, size_t src_stride,
                        size_t n_rows, size_t C);

    /* dst[t] = (x - mean) / sqrt(var + eps) * gain + shift over each row, x = a (+ b if not NULL).
     * dst may be a or b. */
    void (*layer_norm)(float *dst, const float *a, const float *b, const float *gain,
                       const float *shift, float eps, size_t n_rows, size_t C);
    /* x = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) in place. */
    void (*gelu_tanh)(float *x, size_t n);
    /* Each row of n to its softmax, in place; rows at `stride`. */
    void (*softmax)(float *x, size_t stride, size_t n_rows, size_t n);
    void (*lstm_step)(const kk_lstm_args *args);

    /* Element by element; dst may be the source. Errors against the true value: the largest over
     * all floats of the range (tests/unit/test_kernels_math.c). */
    void (*sin)(float *dst, const float *x, size_t n);     /* |x| <= 1e6: 2.0e-7; to 100: 1.3e-7 */
    void (*exp)(float *dst, const float *x, size_t n);     /* -87 to 88, saturating: 1.0e-7 of it */
    void (*tanh)(float *dst, const float *x, size_t n);    /* 1.5e-7 of it */
    void (*sigmoid)(float *dst, const float *x, size_t n); /* 1.6e-7 of it, to x = -86 */
    /* 1.5e-7 of it; atan2(-0, x) as of 0. */
    void (*atan2)(float *dst, const float *y, const float *x, size_t n);

    /* What a core can do at most: `rounds` times some multiply-adds between registers; returns how
     * many that were. peak_bf16 is NULL where no instruction multiplies bf16. */
    double (*peak_fma)(size_t rounds);
    double (*peak_bf16)(size_t rounds);
} kk_kernels;

/* The tables that this build has, slowest first; NULL-terminated. */
extern const kk_kernels *const kk_kernels_all[];

/*
 * The fastest table that this CPU runs and that is not above `mask`: "ref", "avx2", "avx512",
 * "avx512bf16", "neon"; NULL or "": no limit. NULL for an unknown mask.
 */
const kk_kernels *kk_kernels_choose(const char *mask);

/* bf16, rounded to nearest even; NaN stays NaN. */
uint16_t kk_bf16_from_float(float x);
float kk_float_from_bf16(uint16_t x);

#endif
