/*
 * doomed.h - a file in the making that is removed also when a signal ends the program. One at a
 * time.
 */
#ifndef KK_APPS_DOOMED_H
#define KK_APPS_DOOMED_H

#include "base/file.h"

/* As kk_writer_open, kk_writer_commit and kk_writer_abort. */
int kk_doomed_open(kk_writer *writer, const char *path, kokoro_error *err);
int kk_doomed_commit(kk_writer *writer, kokoro_error *err);
void kk_doomed_abort(kk_writer *writer);

#endif
