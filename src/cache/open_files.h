/*
 * open_files.h - which files below a directory some process has open, mapped or as its working
 * directory: as far as /proc tells, that is for the processes of the same user. Where it tells
 * nothing, nothing is found; removing a file that is open or mapped does its users no harm then,
 * they keep its contents (POSIX).
 */
#ifndef KK_CACHE_OPEN_FILES_H
#define KK_CACHE_OPEN_FILES_H

#include <stdbool.h>

/* Gets a path relative to the directory; of a directory, whether it is one to work in. */
typedef void kk_open_file_fn(void *user, const char *path, bool is_working_dir);

/* Calls fn with each path below `real_dir` (as realpath gives it), with some of them repeatedly. */
void kk_open_files_each(const char *real_dir, kk_open_file_fn *fn, void *user);

#endif
