/*
 * results_disk.h - the part of the results (results.h) that outlives the program:
 *
 *     <cache>/audio/<hash of the key>.result      mode 0600, one answer
 *
 *     0   magic                      8 bytes
 *     8   length of key and data     8 bytes each, of this machine's byte order
 *     24  length of the sound in s   a double
 *     32  hash of all but this       8 bytes
 *     40  key, data
 *
 * A file is written under a temporary name and renamed; it is not forced onto the disk, since one
 * that a power failure cuts short has a wrong hash, and is removed when it is met. Several
 * processes may share the directory. The hash tells damage, not forgery: so the directory must
 * belong to this user and be writable by nobody else, and no symbolic link is followed in it, nor
 * is it one itself.
 *
 * A use renews a file's time, by which the oldest go when all are over the budget. Other names in
 * the directory are left alone, but for temporary ones of an hour ago. All functions wait for the
 * disk, but kk_results_disk_read.
 */
#ifndef KK_CACHE_RESULTS_DISK_H
#define KK_CACHE_RESULTS_DISK_H

#include "cache/results.h"

#define KK_RESULTS_FOLDER "audio"

typedef struct kk_results_disk kk_results_disk;

/* Looks what is there already and removes what is over the budget. IO (the directory cannot be made
 * or is not safe), NO_MEMORY. */
int kk_results_disk_open(kk_results_disk **out, const char *cache_dir, uint64_t max_bytes,
                         kokoro_error *err);
void kk_results_disk_close(kk_results_disk **disk);

/* Another budget, which holds from the next trim on. */
void kk_results_disk_set_limit(kk_results_disk *disk, uint64_t max_bytes);

/* Whether there may be one: costs a look into the directory, and reads nothing. */
bool kk_results_disk_may_have(kk_results_disk *disk, kk_slice key);

/* What is kept under a key, for the caller to release; NULL: nothing whole. */
kk_result *kk_results_disk_get(kk_results_disk *disk, kk_slice key);

/* OK also when it takes more than its share, and so is not kept. IO (full, read-only ...). */
int kk_results_disk_put(kk_results_disk *disk, const kk_result *result, kokoro_error *err);

/* Count anew, and remove the oldest down to nine tenths of the budget where all are over it.
 * IO, NO_MEMORY. */
int kk_results_disk_trim(kk_results_disk *disk, kokoro_error *err);

typedef struct kk_results_disk_view {
    size_t n_entries; /* these and `bytes` as of the last count, and what was written since */
    uint64_t bytes, max_bytes;
    uint64_t n_hits, n_stored, n_evicted, n_damaged, n_failed; /* since it was opened */
} kk_results_disk_view;
void kk_results_disk_read(kk_results_disk *disk, kk_results_disk_view *out);

#endif
