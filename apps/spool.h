/*
 * spool.h - bytes that must wait: in memory while they are few, then in a temporary file that has
 * no name any more, so that nothing is left whatever happens.
 */
#ifndef KK_APPS_SPOOL_H
#define KK_APPS_SPOOL_H

#include "base/str.h"

#include <stddef.h>

typedef struct kk_spool {
    kk_buf memory;
    int fd; /* -1: all is in memory */
} kk_spool;

void kk_spool_init(kk_spool *spool);
/* 0 or an errno. */
int kk_spool_add(kk_spool *spool, const void *data, size_t len);
/* Write all but the first `skip` bytes to `fd`: 0 or an errno. */
int kk_spool_drain(kk_spool *spool, size_t skip, int fd);
void kk_spool_fini(kk_spool *spool);

#endif
