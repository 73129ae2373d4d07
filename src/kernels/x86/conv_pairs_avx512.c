/* conv_pairs_avx512.c - convolution of float by bf16 weights in pairs. */
#include "kernels/x86/avx512.h"

#define KK_CONV kk_conv_pairs_avx512
#define KK_SRC float
#define KK_VALUES(x) const __m512 a = _mm512_set1_ps((x)[0]), b = _mm512_set1_ps((x)[1])
#include "kernels/x86/conv_widened_avx512.h"
