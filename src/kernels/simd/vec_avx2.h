/*
 * vec_avx2.h - the vector type of AVX2 with FMA: eight floats. Meanings as in vec_ref.h and, for
 * pairs of bf16, beside them here.
 */
#ifndef KK_KERNELS_SIMD_VEC_AVX2_H
#define KK_KERNELS_SIMD_VEC_AVX2_H

#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile this file with -mavx2 -mfma"
#endif

#include "kernels/kernels.h"

#include <immintrin.h>
#include <string.h>

typedef __m256 kk_vec;
typedef __m256i kk_pairs; /* eight pairs of bf16, the first of a pair in the lower half */
enum { KK_LANES = 8 };

/* All bits set in the first n lanes. Masked loads and stores touch no other memory. */
static inline __m256i v_first(size_t n)
{
    static const int32_t ones[2 * KK_LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones + KK_LANES - n));
}
static inline kk_vec v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
/* Whole vectors apart: masked stores take tens of cycles on some CPUs. */
static inline kk_vec v_load_n(const float *p, size_t n)
{
    if (n >= KK_LANES)
        return _mm256_loadu_ps(p);
    return _mm256_maskload_ps(p, v_first(n));
}
static inline kk_vec v_load_bf16(const uint16_t *p)
{
    const __m128i half = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
static inline void v_store(float *p, kk_vec a)
{
    _mm256_storeu_ps(p, a);
}
static inline void v_store_n(float *p, kk_vec a, size_t n)
{
    if (n >= KK_LANES) {
        _mm256_storeu_ps(p, a);
        return;
    }
    _mm256_maskstore_ps(p, v_first(n), a);
}
/* Finite values only: NaN is not kept apart. */
static inline __m128i v_bf16(kk_vec a)
{
    const __m256i bits = _mm256_castps_si256(a);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_srli_epi32(
        _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
}
static inline void v_store_bf16(uint16_t *p, kk_vec a)
{
    _mm_storeu_si128((__m128i *)(void *)p, v_bf16(a));
}
static inline void v_store_bf16_n(uint16_t *p, kk_vec a, size_t n)
{
    uint16_t all[KK_LANES];
    v_store_bf16(all, a);
    memcpy(p, all, n * sizeof(*p));
}
static inline kk_vec v_set(float a)
{
    return _mm256_set1_ps(a);
}
static inline kk_vec v_add(kk_vec a, kk_vec b)
{
    return _mm256_add_ps(a, b);
}
static inline kk_vec v_sub(kk_vec a, kk_vec b)
{
    return _mm256_sub_ps(a, b);
}
static inline kk_vec v_mul(kk_vec a, kk_vec b)
{
    return _mm256_mul_ps(a, b);
}
static inline kk_vec v_div(kk_vec a, kk_vec b)
{
    return _mm256_div_ps(a, b);
}
static inline kk_vec v_fma(kk_vec a, kk_vec b, kk_vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline kk_vec v_max(kk_vec a, kk_vec b)
{
    return _mm256_max_ps(a, b);
}
static inline kk_vec v_min(kk_vec a, kk_vec b)
{
    return _mm256_min_ps(a, b);
}
static inline kk_vec v_abs(kk_vec a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
static inline kk_vec v_round(kk_vec a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline kk_vec v_scale2(kk_vec a, kk_vec n)
{
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}
static inline kk_vec v_if_less(kk_vec a, kk_vec b, kk_vec x, kk_vec y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline kk_vec v_negate_odd(kk_vec a, kk_vec n)
{
    const __m256i sign = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 31);
    return _mm256_xor_ps(a, _mm256_castsi256_ps(sign));
}
static inline kk_vec v_copysign(kk_vec a, kk_vec sign)
{
    const __m256 bit = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(bit, a), _mm256_and_ps(bit, sign));
}
static inline float v_sum(kk_vec a)
{
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}
static inline float v_largest(kk_vec a)
{
    const __m128 half = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 quarter = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(quarter, _mm_movehdup_ps(quarter)));
}

/* Loads of one half step need not be kept from those of the next here. */
static inline void v_fence(void)
{
}
/* KK_LANES pairs. */
static inline kk_pairs v_load_pairs(const uint16_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}
/* The bf16 at p in every lane. Its own load for each: kept apart, the two halves of a pair would
 * take registers that the accumulators need (measured: 42 % of the multipliers' peak). */
static inline kk_vec v_set_bf16(const uint16_t *p)
{
    const __m256i twice = _mm256_set1_epi16((int16_t)*p);
    return _mm256_castsi256_ps(_mm256_and_si256(twice, _mm256_set1_epi32((int)0xFFFF0000)));
}
/* The first and the second of each pair, as floats. */
static inline kk_vec v_even(kk_pairs a)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(a, 16));
}
static inline kk_vec v_odd(kk_pairs a)
{
    return _mm256_castsi256_ps(_mm256_and_si256(a, _mm256_set1_epi32((int)0xFFFF0000)));
}

#endif
