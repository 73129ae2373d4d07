/* vec_neon.h - the vector type of 64-bit ARM: four floats. Meanings as in vec_ref.h and, for pairs
 * of bf16, in vec_avx2.h. */
#ifndef KK_KERNELS_SIMD_VEC_NEON_H
#define KK_KERNELS_SIMD_VEC_NEON_H

#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "this file is for 64-bit ARM"
#endif

#include "kernels/kernels.h"

#include <arm_neon.h>
#include <string.h>

typedef float32x4_t kk_vec;
typedef uint32x4_t kk_pairs;
enum { KK_LANES = 4 };

static inline kk_vec v_load(const float *p)
{
    return vld1q_f32(p);
}
static inline kk_vec v_load_n(const float *p, size_t n)
{
    if (n >= KK_LANES)
        return vld1q_f32(p);
    float all[KK_LANES] = {0.0f};
    for (size_t i = 0; i < n; i++)
        all[i] = p[i];
    return vld1q_f32(all);
}
static inline kk_vec v_load_bf16(const uint16_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
static inline void v_store(float *p, kk_vec a)
{
    vst1q_f32(p, a);
}
static inline void v_store_n(float *p, kk_vec a, size_t n)
{
    if (n >= KK_LANES) {
        vst1q_f32(p, a);
        return;
    }
    float all[KK_LANES];
    vst1q_f32(all, a);
    for (size_t i = 0; i < n; i++)
        p[i] = all[i];
}
/* Finite values only: NaN is not kept apart. */
static inline uint16x4_t v_bf16(kk_vec a)
{
    const uint32x4_t bits = vreinterpretq_u32_f32(a);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    return vshrn_n_u32(vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF))), 16);
}
static inline void v_store_bf16(uint16_t *p, kk_vec a)
{
    vst1_u16(p, v_bf16(a));
}
static inline void v_store_bf16_n(uint16_t *p, kk_vec a, size_t n)
{
    uint16_t all[KK_LANES];
    vst1_u16(all, v_bf16(a));
    for (size_t i = 0; i < n; i++)
        p[i] = all[i];
}
static inline kk_vec v_set(float a)
{
    return vdupq_n_f32(a);
}
static inline kk_vec v_add(kk_vec a, kk_vec b)
{
    return vaddq_f32(a, b);
}
static inline kk_vec v_sub(kk_vec a, kk_vec b)
{
    return vsubq_f32(a, b);
}
static inline kk_vec v_mul(kk_vec a, kk_vec b)
{
    return vmulq_f32(a, b);
}
static inline kk_vec v_div(kk_vec a, kk_vec b)
{
    return vdivq_f32(a, b);
}
static inline kk_vec v_fma(kk_vec a, kk_vec b, kk_vec c)
{
    return vfmaq_f32(c, a, b);
}
static inline kk_vec v_max(kk_vec a, kk_vec b)
{
    return vmaxq_f32(a, b);
}
static inline kk_vec v_min(kk_vec a, kk_vec b)
{
    return vminq_f32(a, b);
}
static inline kk_vec v_abs(kk_vec a)
{
    return vabsq_f32(a);
}
static inline kk_vec v_round(kk_vec a)
{
    return vrndnq_f32(a);
}
static inline kk_vec v_scale2(kk_vec a, kk_vec n)
{
    const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
}
static inline kk_vec v_if_less(kk_vec a, kk_vec b, kk_vec x, kk_vec y)
{
    return vbslq_f32(vcltq_f32(a, b), x, y);
}
static inline kk_vec v_negate_odd(kk_vec a, kk_vec n)
{
    const int32x4_t sign = vshlq_n_s32(vcvtq_s32_f32(n), 31);
    return vreinterpretq_f32_s32(veorq_s32(vreinterpretq_s32_f32(a), sign));
}
static inline kk_vec v_copysign(kk_vec a, kk_vec sign)
{
    return vbslq_f32(vdupq_n_u32(0x80000000u), sign, a);
}
static inline float v_sum(kk_vec a)
{
    return vaddvq_f32(a);
}
static inline float v_largest(kk_vec a)
{
    return vmaxvq_f32(a);
}

/* Loads stay on their side. GCC 12 moves those of the next half step up, and then there are more
 * values at once than registers. */
static inline void v_fence(void)
{
    __asm__ volatile("" ::: "memory");
}
static inline kk_pairs v_load_pairs(const uint16_t *p)
{
    return vreinterpretq_u32_u16(vld1q_u16(p));
}
static inline kk_vec v_set_bf16(const uint16_t *p)
{
    const uint32x4_t twice = vreinterpretq_u32_u16(vld1q_dup_u16(p));
    return vreinterpretq_f32_u32(vandq_u32(twice, vdupq_n_u32(0xFFFF0000u)));
}
static inline kk_vec v_even(kk_pairs a)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(a, 16));
}
static inline kk_vec v_odd(kk_pairs a)
{
    return vreinterpretq_f32_u32(vandq_u32(a, vdupq_n_u32(0xFFFF0000u)));
}

#endif
