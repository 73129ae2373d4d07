/*
 * ops.h - layers: shapes, padding and threads over the kernels. Each function runs to its end on
 * all threads of the pool; equal input gives equal output whatever their number, because the cut
 * into tiles depends on the shapes alone.
 *
 * Memory comes from the workspace; a function that needs some returns NO_MEMORY when the plan left
 * too little. After a cancel the results are undefined and the functions return quickly.
 */
#ifndef KK_OPS_OPS_H
#define KK_OPS_OPS_H

#include "kernels/toom.h"
#include "ops/pool.h"
#include "ops/workspace.h"

typedef struct kk_ops {
    const kk_kernels *kernels;
    kk_pool *pool;
    kk_workspace *ws;
    unsigned char *scratch;              /* [pool size][KK_SCRATCH_SIZE] */
    const unsigned char *mapped_weights; /* all of them when they are a mapped file, else NULL */
    size_t mapped_len;
} kk_ops;

/* Take mapped weights out of the process's resident memory; they come back from the page cache when
 * they are used, at some 10 ms for all. For long inputs, whose values need the room. */
void kk_ops_forget_weights(const kk_ops *ops);

enum { KK_SCRATCH_SIZE = 512 * 1024 };

/* Weights of a convolution (or with K = 1 of a matrix product), packed for the kernels in use. */
typedef struct kk_conv {
    const void *weights;       /* KK_PAIRS or KK_SINGLES of kernels.h */
    const float *scale, *bias; /* [C_out padded] */
    size_t C_in, C_out, K;
    int is_pairs;
} kk_conv;

/* A cut of T rows of output into tiles, where the usual one will not do: rows [starts[i],
 * starts[i + 1]), at most KK_MAX_TILE of them, belong to segment segments[i]. */
enum { KK_MAX_TILE = 240 };
typedef struct kk_tiles {
    size_t n;
    const size_t *starts;   /* [n + 1] */
    const size_t *segments; /* [n] */
} kk_tiles;

/* Sums of a layer's output for the normalisation that follows, a row a tile. */
typedef struct kk_sums {
    float *rows; /* [n_tiles][2][stride] */
    size_t n_tiles, stride;
} kk_sums;

/* Zeroed rows in workspace memory. */
int kk_sums_reserve(const kk_ops *ops, kk_sums *sums, size_t n_tiles, size_t C);

typedef struct kk_conv_run {
    const kk_conv *conv;
    const float *src; /* [T_in][src_stride] */
    size_t src_stride, T_in;
    size_t dilation; /* rows between taps; 0 stands for 1 */
    size_t pad;      /* rows of zeros in front; behind as many as are needed */
    kk_activation activation;
    void *dst; /* [T_out][dst_stride] floats, or bf16 */
    size_t dst_stride, T_out;
    int dst_is_bf16; /* without residual and accumulate; rows of the tile, rounded at its end */
    const float *residual; /* as in kk_conv_args */
    size_t residual_stride;
    unsigned residual_shift;
    float gain; /* 0 stands for 1 */
    int accumulate;
    int in_bf16;           /* round the input to bf16 where the kernels gain by it */
    kk_sums *sums;         /* NULL, or receives sums in workspace memory */
    const kk_tiles *tiles; /* NULL: the usual */
} kk_conv_run;

int kk_convolve(const kk_ops *ops, const kk_conv_run *run);

/* A convolution of equal numbers of inputs and outputs with transformed weights. */
typedef struct kk_toom {
    const void *weights; /* NULL: there are none */
    int is_float;
    const float *scale, *bias;
    size_t C, K;
    kk_toom_shape shape;
} kk_toom;

/* Stride 1, zeros on both sides so that T stays; is_bf16 fields as in kk_toom_args. */
typedef struct kk_toom_run {
    const kk_toom *toom;
    const void *src; /* [T][C] */
    int src_is_bf16;
    size_t T, dilation;
    kk_activation activation;
    void *dst; /* [T][C] */
    int dst_is_bf16;
    const void *residual;
    int residual_is_bf16;
    float gain; /* 0 stands for 1 */
    int accumulate;
    kk_sums *sums;
    const kk_tiles *tiles; /* NULL: the usual */
} kk_toom_run;

int kk_toom_convolve(const kk_ops *ops, const kk_toom_run *run);

/* dst[t] = src[t] * w + bias: a convolution of one tap without padding and activation. */
int kk_linear(const kk_ops *ops, const kk_conv *w, float *dst, size_t dst_stride, const float *src,
              size_t src_stride, size_t T);

/* Sums of src [T][stride], C channels, in workspace memory. */
int kk_column_sums(const kk_ops *ops, kk_sums *sums, const float *src, size_t stride, size_t T,
                   size_t C, const kk_tiles *tiles);

/* A bidirectional LSTM of H cells a direction: weights as the table of kernels wants them. */
typedef struct kk_lstm {
    kk_conv input;         /* [8H][C_in]: gates i, o, f, c forward, then backward; both biases */
    const void *recurrent; /* [2] packed [4H][H], of the same kind as input */
    const float *r_scale;  /* [2][4H] */
    size_t H;
} kk_lstm;

/* dst [T][2H], forward then backward, from src [T][src_stride]. The directions run side by side. */
int kk_lstm_run(const kk_ops *ops, const kk_lstm *w, float *dst, size_t dst_stride,
                const float *src, size_t src_stride, size_t T);

/*
 * Attention of one layer: q, k, v [N][stride] with n_heads heads of D each, side by side;
 * dst [N][n_heads * D] = softmax(q k^T / sqrt(D)) v, a head at a time.
 */
int kk_attention(const kk_ops *ops, float *dst, size_t dst_stride, const float *q, const float *k,
                 const float *v, size_t stride, size_t N, size_t n_heads, size_t D);

/* Rows [0, n_rows) in runs of rows_a_task, on all threads. */
typedef void kk_rows_task(void *context, size_t first_row, size_t n_rows);
void kk_for_rows(const kk_ops *ops, kk_rows_task *task, void *context, size_t n_rows,
                 size_t rows_a_task);

/*
 * Adaptive instance normalisation as an affine map of channels: scale[c] = gain[c] / sqrt(var +
 * eps), shift[c] = bias[c] - mean * scale[c], with eps 1e-5. style [2C] holds (gain - 1, bias).
 */
void kk_adain(float *scale, float *shift, const kk_sums *sums, const float *style, double n_rows,
              size_t C);

#endif
