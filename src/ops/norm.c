/* norm.c - adaptive instance normalisation from sums: means and variances in double precision. */
#include "ops/ops.h"

#include <math.h>

static const double EPSILON = 1e-5;

void kk_adain(float *scale, float *shift, const kk_sums *sums, const float *style, double n_rows,
              size_t C)
{
    for (size_t c = 0; c < C; c++) {
        double sum = 0.0, square = 0.0;
        for (size_t tile = 0; tile < sums->n_tiles; tile++) {
            sum += (double)sums->rows[tile * 2 * sums->stride + c];
            square += (double)sums->rows[(tile * 2 + 1) * sums->stride + c];
        }
        const double mean = sum / n_rows;
        double variance = square / n_rows - mean * mean;
        variance = variance > 0.0 ? variance : 0.0;
        const double factor = (1.0 + (double)style[c]) / sqrt(variance + EPSILON);
        scale[c] = (float)factor;
        shift[c] = (float)((double)style[C + c] - mean * factor);
    }
}
