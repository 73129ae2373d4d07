/* toom.c - how widths are cut, and the weights' side of the transforms. */
#include "kernels/toom.h"

#include <string.h>

/* G of the points 0, 1, -1, 2, -1/2, infinity. */
static const double G6[6][3] = {{1.0, 0.0, 0.0},
                                {-1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0},
                                {1.0 / 3.0, -1.0 / 3.0, 1.0 / 3.0},
                                {1.0 / 15.0, 2.0 / 15.0, 4.0 / 15.0},
                                {-16.0 / 15.0, 8.0 / 15.0, -4.0 / 15.0},
                                {0.0, 0.0, 1.0}};

/* G of the points 0, 1, -1, 2, -1/2, -2, infinity. */
static const double G7[7][4] = {{0.5, 0.0, 0.0, 0.0},
                                {-1.0 / 9.0, -1.0 / 9.0, -1.0 / 9.0, -1.0 / 9.0},
                                {1.0 / 3.0, -1.0 / 3.0, 1.0 / 3.0, -1.0 / 3.0},
                                {1.0 / 60.0, 1.0 / 30.0, 1.0 / 15.0, 2.0 / 15.0},
                                {-32.0 / 45.0, 16.0 / 45.0, -8.0 / 45.0, 4.0 / 45.0},
                                {-1.0 / 36.0, 1.0 / 18.0, -1.0 / 9.0, 2.0 / 9.0},
                                {0.0, 0.0, 0.0, 1.0}};

kk_toom_shape kk_toom_cut(size_t K, size_t n_points)
{
    kk_toom_shape shape = {n_points, 0, 0};
    if (K != 3 && K != 7 && K != 11)
        return shape;
    if (K == 3)
        shape.n_points = 6;
    shape.n_groups = K / 4 + 1;
    shape.n_direct = shape.n_points == 6 ? K / 4 : 0;
    return shape;
}

size_t kk_toom_products(const kk_toom_shape *shape)
{
    return shape->n_points * shape->n_groups + shape->n_direct;
}

void kk_toom_weights(double *dst, const double *w, size_t K, const kk_toom_shape *shape)
{
    const size_t r = shape->n_points - 3;
    for (size_t p = 0; p < shape->n_points; p++) {
        for (size_t g = 0; g < shape->n_groups; g++) {
            double sum = 0.0;
            for (size_t i = 0; i < r && 4 * g + i < K; i++)
                sum += (r == 3 ? G6[p][i] : G7[p][i]) * w[4 * g + i];
            *dst++ = sum;
        }
    }
    for (size_t i = 0; i < shape->n_direct; i++)
        *dst++ = w[4 * i + 3];
}
