/* conv_avx512_rows.h - the register tiles of 1 to 6 rows and the kernel that walks over them. */
#ifndef KK_CONV
#error "define KK_CONV: the name of the kernel"
#endif

#define KK_ROWS 1
#include "kernels/x86/conv_avx512_tile.h"
#undef KK_ROWS
#define KK_ROWS 2
#include "kernels/x86/conv_avx512_tile.h"
#undef KK_ROWS
#define KK_ROWS 3
#include "kernels/x86/conv_avx512_tile.h"
#undef KK_ROWS
#define KK_ROWS 4
#include "kernels/x86/conv_avx512_tile.h"
#undef KK_ROWS
#define KK_ROWS 5
#include "kernels/x86/conv_avx512_tile.h"
#undef KK_ROWS
#define KK_ROWS 6
#include "kernels/x86/conv_avx512_tile.h"
#undef KK_ROWS

void KK_CONV(const kk_conv_args *args)
{
    static conv_tile *const tiles[TILE_ROWS] = {KK_TILE(1), KK_TILE(2), KK_TILE(3),
                                                KK_TILE(4), KK_TILE(5), KK_TILE(6)};
    conv_walk(args, tiles);
}
