/* neon.h - the kernels of 64-bit ARM by name, for the table. */
#ifndef KK_KERNELS_ARM_NEON_H
#define KK_KERNELS_ARM_NEON_H

#include "kernels/kernels.h"

kk_conv_kernel kk_conv_bf16_neon, kk_conv_pairs_neon, kk_conv_singles_neon;

#endif
