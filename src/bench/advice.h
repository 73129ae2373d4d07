/* advice.h - how often a machine of this kind should be measured. */
#ifndef KK_BENCH_ADVICE_H
#define KK_BENCH_ADVICE_H

#include "cache/record.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The frequency that suits this machine, and why, a clause. `root` is the directory that stands for
 * / (tests), "" for the real one.
 */
enum kk_frequency kk_frequency_advise(bool in_development, const char *root, char *why,
                                      size_t size);

#endif
