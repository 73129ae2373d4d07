/* vec_avx512.h - the vector type of AVX-512: sixteen floats. Meanings as in vec_ref.h. */
#ifndef KK_KERNELS_SIMD_VEC_AVX512_H
#define KK_KERNELS_SIMD_VEC_AVX512_H

#if !defined(__AVX512F__) || !defined(__AVX512DQ__) || !defined(__AVX512BW__) ||                   \
    !defined(__AVX512VL__)
#error "compile this file with -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma"
#endif

#include "kernels/kernels.h"

#include <immintrin.h>

typedef __m512 kk_vec;
enum { KK_LANES = 16 };

static inline __mmask16 v_first(size_t n)
{
    return (__mmask16)((1u << n) - 1u);
}
static inline kk_vec v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline kk_vec v_load_bf16(const uint16_t *p)
{
    const __m256i half = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
static inline kk_vec v_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(v_first(n), p);
}
static inline void v_store(float *p, kk_vec a)
{
    _mm512_storeu_ps(p, a);
}
static inline void v_store_n(float *p, kk_vec a, size_t n)
{
    _mm512_mask_storeu_ps(p, v_first(n), a);
}
#if defined(__AVX512BF16__)
static inline __m256i v_bf16(kk_vec a)
{
    return (__m256i)_mm512_cvtneps_pbh(a);
}
#else
/* Finite values only: NaN is not kept apart. */
static inline __m256i v_bf16(kk_vec a)
{
    const __m512i bits = _mm512_castps_si512(a);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}
#endif
static inline void v_store_bf16(uint16_t *p, kk_vec a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v_bf16(a));
}
static inline void v_store_bf16_n(uint16_t *p, kk_vec a, size_t n)
{
    _mm256_mask_storeu_epi16(p, v_first(n), v_bf16(a));
}
static inline kk_vec v_set(float a)
{
    return _mm512_set1_ps(a);
}
static inline kk_vec v_add(kk_vec a, kk_vec b)
{
    return _mm512_add_ps(a, b);
}
static inline kk_vec v_sub(kk_vec a, kk_vec b)
{
    return _mm512_sub_ps(a, b);
}
static inline kk_vec v_mul(kk_vec a, kk_vec b)
{
    return _mm512_mul_ps(a, b);
}
static inline kk_vec v_div(kk_vec a, kk_vec b)
{
    return _mm512_div_ps(a, b);
}
static inline kk_vec v_fma(kk_vec a, kk_vec b, kk_vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline kk_vec v_max(kk_vec a, kk_vec b)
{
    return _mm512_max_ps(a, b);
}
static inline kk_vec v_min(kk_vec a, kk_vec b)
{
    return _mm512_min_ps(a, b);
}
static inline kk_vec v_abs(kk_vec a)
{
    return _mm512_abs_ps(a);
}
static inline kk_vec v_round(kk_vec a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline kk_vec v_scale2(kk_vec a, kk_vec n)
{
    return _mm512_scalef_ps(a, n);
}
static inline kk_vec v_if_less(kk_vec a, kk_vec b, kk_vec x, kk_vec y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline kk_vec v_negate_odd(kk_vec a, kk_vec n)
{
    const __m512i sign = _mm512_slli_epi32(_mm512_cvtps_epi32(n), 31);
    return _mm512_xor_ps(a, _mm512_castsi512_ps(sign));
}
static inline kk_vec v_copysign(kk_vec a, kk_vec sign)
{
    const __m512 bit = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, a), _mm512_and_ps(bit, sign));
}
static inline float v_sum(kk_vec a)
{
    return _mm512_reduce_add_ps(a);
}
static inline float v_largest(kk_vec a)
{
    return _mm512_reduce_max_ps(a);
}

#endif
