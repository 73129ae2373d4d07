/*
 * cleanup_file.h - the last clean-ups of a cache directory, whoever made them, in a file in it: so
 * the server shows those of `kokoro cleanup-cache` and of servers before it.
 *
 *     {"format": "kokoro clean-ups 1", "cleanups": [the last 32, the newest last]}
 *
 * An entry is one of GET /cache-status (docs/CACHES.md) with "writer" besides: whose it is.
 */
#ifndef KK_SERVER_CACHE_CLEANUP_FILE_H
#define KK_SERVER_CACHE_CLEANUP_FILE_H

#include "cache/cleanup.h"

#include <jansson.h>

/*
 * Add an entry, whose reference is taken; NULL: memory was out. The file is written under another
 * name and renamed, and who adds at the same time waits. One that is damaged is begun anew, and
 * where there is no directory none is made. IO, BUSY, NO_MEMORY.
 */
int kk_cleanup_file_add(const char *cache_dir, json_t *entry, kokoro_error *err);

/* The entries that have all fields, each of its type; none where there is no such file. NULL:
 * memory is out. */
json_t *kk_cleanup_file_read(const char *cache_dir);

/* What an entry tells. */
typedef struct kk_cleanup_entry {
    double started_at_s; /* kk_wall_s */
    const char *source, *cause;
    bool is_aggressive, is_running;
    double elapsed_ms;
    uint64_t freed_bytes;
    size_t n_files, n_dirs; /* removed */
    const char *problem;    /* NULL or "": none */
} kk_cleanup_entry;

/* As JSON, without a writer; the reference of what it cost the speech meanwhile is taken. NULL:
 * memory is out. */
json_t *kk_cleanup_entry_json(const kk_cleanup_entry *entry, json_t *impact);

/* An entry of the command. */
json_t *kk_cleanup_file_entry(const kk_cleanup_result *result, double started_at_s,
                              bool is_aggressive);

#endif
