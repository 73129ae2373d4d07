/*
 * toom.h - convolution with fewer multiplications (Toom 1963, Cook 1966, Winograd 1980): four
 * outputs of a group of r taps cost 3 + r products instead of 4 r.
 *
 *     y = A^T sum_groups ((G w_group) . (B^T x_group))
 *
 * Groups of taps begin at 0, 4 and 8, so that their windows are those of the next outputs, and one
 * transform of the input serves all groups. Taps that no group holds (3 and 7 of groups of three)
 * are multiplied directly.
 *
 * Points: 0, 1, -1, 2, -1/2, infinity for groups of three taps; and -2 for groups of four. B^T is
 * of small dyadic numbers, so that only the rounding of its results costs precision; G w is rounded
 * too. Over the residual blocks' real inputs a convolution keeps 49 to 53 dB (6 points) and 46 to
 * 51 dB (7), where the direct one in bf16 keeps 56 to 59.
 *
 * A dilated convolution is the same on each of its d phases: row r = b d + phase of the transformed
 * planes stands for the window that begins at sample 4 d b + phase.
 *
 * In float the same transforms keep some 110 dB a convolution; there they serve instruction sets
 * without bf16 products.
 */
#ifndef KK_KERNELS_TOOM_H
#define KK_KERNELS_TOOM_H

#include "kernels/kernels.h"

enum {
    KK_TOOM_OUTPUTS = 4,
    KK_TOOM_MAX_POINTS = 7,
    KK_TOOM_MAX_ROWS = 320,
    KK_TOOM_MAX_WIDTH = 11,
    KK_TOOM_MAX_PRODUCTS = 21
};

/* How a width is cut. */
typedef struct kk_toom_shape {
    size_t n_points; /* 6: groups of 3 taps; 7: of 4 */
    size_t n_groups;
    size_t n_direct; /* taps 3 and 7, as far as the width has them */
} kk_toom_shape;

/* For K 3, 7 or 11; n_groups 0 for another width. */
kk_toom_shape kk_toom_cut(size_t K, size_t n_points);

/* Products of packed weights that one input and one output have: all points and direct taps. */
size_t kk_toom_products(const kk_toom_shape *shape);

/* G w: dst [products] in the order points by groups, then direct taps; w [K]. In double precision.
 */
void kk_toom_weights(double *dst, const double *w, size_t K, const kk_toom_shape *shape);

typedef struct kk_toom_input {
    void *planes; /* [n_points (+ 4 with direct taps)][n_rows][C] bf16 or float */
    int is_float;
    size_t plane_stride;
    const void *src; /* rows of C: float, or bf16 */
    int src_is_bf16;
    size_t src_stride;
    size_t n_before, n_inside; /* rows of zeros in front, rows of src; zeros behind */
    size_t n_rows;             /* of the planes, a multiple of the dilation */
    size_t C, dilation;        /* C a multiple of 16 */
    kk_activation activation;
    kk_toom_shape shape;
} kk_toom_input;

typedef struct kk_toom_args {
    const void *planes;
    size_t plane_stride; /* elements */
    /* bf16 [C_out / panel][products][C_in / 2][panel][2] or float [..][products][C_in][panel] */
    const void *weights;
    int is_float; /* planes and weights; then dst and residual are floats too */
    const float *scale, *bias;
    void *dst; /* of the tile's first output */
    int dst_is_bf16;
    size_t dst_stride;
    const void *residual; /* as in kk_conv_args, without shift */
    int residual_is_bf16;
    size_t residual_stride;
    float gain;
    int accumulate; /* only to float */
    float *sums;    /* NULL, or [2] rows of C_out */
    size_t sums_stride;
    size_t n_rows, T; /* rows of the planes without those of later groups; outputs that count */
    size_t C_in, C_out, dilation; /* C_out a multiple of the panel */
    size_t panel;
    kk_toom_shape shape;
} kk_toom_args;

#endif
