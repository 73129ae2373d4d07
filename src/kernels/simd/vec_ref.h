/* vec_ref.h - the vector type of the plain C build: one float. What each operation means. */
#ifndef KK_KERNELS_SIMD_VEC_REF_H
#define KK_KERNELS_SIMD_VEC_REF_H

#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

typedef float kk_vec;
enum { KK_LANES = 1 };

static inline kk_vec v_load(const float *p)
{
    /* clang-tidy takes a tile without samples into account, of which toom_body.h reads some. */
    return *p; /* NOLINT(clang-analyzer-core.uninitialized.UndefReturn) */
}
static inline kk_vec v_load_bf16(const uint16_t *p)
{
    return kk_float_from_bf16(*p);
}
/* The first n lanes, zeros beyond; n from 1 to KK_LANES. */
static inline kk_vec v_load_n(const float *p, size_t n)
{
    (void)n;
    return *p;
}
static inline void v_store(float *p, kk_vec a)
{
    *p = a;
}
static inline void v_store_n(float *p, kk_vec a, size_t n)
{
    (void)n;
    *p = a;
}
static inline void v_store_bf16(uint16_t *p, kk_vec a)
{
    *p = kk_bf16_from_float(a);
}
static inline void v_store_bf16_n(uint16_t *p, kk_vec a, size_t n)
{
    (void)n;
    *p = kk_bf16_from_float(a);
}
static inline kk_vec v_set(float a)
{
    return a;
}
static inline kk_vec v_add(kk_vec a, kk_vec b)
{
    return a + b;
}
static inline kk_vec v_sub(kk_vec a, kk_vec b)
{
    return a - b;
}
static inline kk_vec v_mul(kk_vec a, kk_vec b)
{
    return a * b;
}
static inline kk_vec v_div(kk_vec a, kk_vec b)
{
    return a / b;
}
/* a * b + c, rounded once. */
static inline kk_vec v_fma(kk_vec a, kk_vec b, kk_vec c)
{
    return fmaf(a, b, c);
}
static inline kk_vec v_max(kk_vec a, kk_vec b)
{
    return a > b ? a : b;
}
static inline kk_vec v_min(kk_vec a, kk_vec b)
{
    return a < b ? a : b;
}
static inline kk_vec v_abs(kk_vec a)
{
    return fabsf(a);
}
/* To the nearest integer, ties to even. */
static inline kk_vec v_round(kk_vec a)
{
    return nearbyintf(a);
}
/* a * 2^n for whole n from -126 to 127 and results in the normal range. */
static inline kk_vec v_scale2(kk_vec a, kk_vec n)
{
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float factor;
    memcpy(&factor, &bits, sizeof(factor));
    return a * factor;
}
/* a < b ? x : y, lane by lane. */
static inline kk_vec v_if_less(kk_vec a, kk_vec b, kk_vec x, kk_vec y)
{
    return a < b ? x : y;
}
/* a with the sign bit flipped where the whole number n is odd. */
static inline kk_vec v_negate_odd(kk_vec a, kk_vec n)
{
    return ((int32_t)n & 1) != 0 ? -a : a;
}
static inline kk_vec v_copysign(kk_vec a, kk_vec sign)
{
    return copysignf(a, sign);
}
static inline float v_sum(kk_vec a)
{
    return a;
}
static inline float v_largest(kk_vec a)
{
    return a;
}

#endif
