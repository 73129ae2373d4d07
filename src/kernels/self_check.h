/*
 * self_check.h - whether a table of kernels agrees with plain C here and now: what stands between
 * a wrong compiler, emulator or CPU and wrong speech, where nobody asked for this table by name.
 */
#ifndef KK_KERNELS_SELF_CHECK_H
#define KK_KERNELS_SELF_CHECK_H

#include "kernels/kernels.h"

/*
 * Runs each kernel once on small inputs beside plain C. NULL when all agree, else the name of the
 * first that does not. Takes about a millisecond and 100 KB of stack.
 */
const char *kk_kernels_self_check(const kk_kernels *table);

#endif
