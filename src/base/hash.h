/*
 * hash.h - XXH3-64 (xxHash by Yann Collet): quick, for keys and damage, not for secrets.
 */
#ifndef KK_BASE_HASH_H
#define KK_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t kk_hash(const void *data, size_t len);

#endif
