/*
 * file.h - files: mapped for reading, written to a temporary name and renamed, so that a kill at
 * any moment leaves the old state or the new one. POSIX.
 */
#ifndef KK_BASE_FILE_H
#define KK_BASE_FILE_H

#include "base/str.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which file, and in which state: whoever writes to it changes its times. */
typedef struct kk_file_id {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /* since 1970 */
} kk_file_id;

/* Of the file at `path`; all zero, which no file has, where there is none to be looked at. */
void kk_file_identify(kk_file_id *id, const char *path);
bool kk_file_id_equal(const kk_file_id *a, const kk_file_id *b);
/* False for a file that was written just now: another write could leave its times as they are. What
 * was written before the clock was moved back has a time of its own. */
bool kk_file_id_is_settled(const kk_file_id *id);

/* A file mapped read-only and shared. */
typedef struct kk_map {
    const unsigned char *data; /* page-aligned; NULL when nothing is mapped */
    size_t len;
    kk_file_id id; /* as it was opened */
} kk_map;

/* Map a regular file of at least one byte. NOT_FOUND, IO (also for a directory or an empty file).
 * `what` names its kind. */
int kk_map_open(kk_map *map, const char *path, const char *what, kokoro_error *err);
void kk_map_close(kk_map *map);
/* Take the whole pages of bytes [from, to) out of resident memory; they come back from the system's
 * file cache when they are read. */
void kk_map_forget(const kk_map *map, size_t from, size_t to);
/* Ask for huge pages, which the system gives to a mapped file whose cached pages are such. Where it
 * has none nothing happens. */
void kk_map_ask_huge(const kk_map *map);

/* Read a whole file of at most `limit` bytes onto the end of *buf. NOT_FOUND, IO, TOO_LONG,
 * NO_MEMORY. */
int kk_file_read(kk_buf *buf, const char *path, size_t limit, kokoro_error *err);

/* A name beside `path` for a file in the making, that no other process or thread uses; owned by the
 * caller, NULL when memory is out. */
char *kk_temp_path(const char *path);

/*
 * A file in the making, beside its final place under a name of its own.
 *
 *     status = kk_writer_open(&writer, path, err);
 *     kk_writer_write(&writer, data, len) ...    // a failure is kept until the end
 *     status = kk_writer_commit(&writer, err);   // flushes, syncs, renames; on failure removes
 *
 * or, to give it up, kk_writer_abort(&writer).
 */
typedef struct kk_writer {
    int fd;
    int saved_errno; /* of the first write that failed; 0 while all is well */
    char *path;
    char *temp_path;
    uint64_t written;
} kk_writer;

int kk_writer_open(kk_writer *writer, const char *path, kokoro_error *err);
void kk_writer_write(kk_writer *writer, const void *data, size_t len);
/* Overwrite `len` bytes at `offset` (a header whose sizes are known at the end). */
void kk_writer_rewrite(kk_writer *writer, uint64_t offset, const void *data, size_t len);
int kk_writer_commit(kk_writer *writer, kokoro_error *err);
void kk_writer_abort(kk_writer *writer);

/* A temporary file in $TMPDIR or /tmp whose name is gone already, closed on exec; -1 and errno. */
int kk_file_unnamed(void);

/* write() until all is written; 0 or an errno. */
int kk_write_all(int fd, const void *data, size_t len);

/* Make a directory and its parents, mode 0700. IO. */
int kk_make_dirs(const char *path, kokoro_error *err);
bool kk_file_exists(const char *path);

/* dir/name, owned by the caller; NULL when memory is out. */
char *kk_path_join(const char *dir, const char *name);

#endif
