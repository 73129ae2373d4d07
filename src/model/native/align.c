/* align.c - from tokens to frames: each token's row as often as it lasts. */
#include "model/native/network.h"

#include <string.h>

void kk_align(float *dst, const float *src, const int32_t *durations, size_t N, size_t C)
{
    for (size_t n = 0; n < N; n++, src += C) {
        for (int32_t i = 0; i < durations[n]; i++, dst += C)
            memcpy(dst, src, C * sizeof(*dst));
    }
}
