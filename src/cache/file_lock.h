/*
 * file_lock.h - a lock between processes (and threads): an exclusive flock on a file of its own,
 * which ends with its holder, however that ends. The file stays where it is; the holder's process
 * number stands in it.
 */
#ifndef KK_CACHE_FILE_LOCK_H
#define KK_CACHE_FILE_LOCK_H

#include "kokoro/kokoro.h"

/* The descriptor that holds the lock in *fd; waits for at most patience_s. BUSY, IO. */
int kk_file_lock_take(int *fd, const char *path, double patience_s, kokoro_error *err);
/* *fd becomes -1, which is allowed. */
void kk_file_lock_give(int *fd);

/* Process number of the holder; 0: nobody holds it, -1: somebody whose number is not known. */
int kk_file_lock_holder(const char *path);

#endif
