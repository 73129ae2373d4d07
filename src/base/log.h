/*
 * log.h - where the library speaks: to the callback that its user gave. Levels are
 * kokoro_log_level.
 */
#ifndef KK_BASE_LOG_H
#define KK_BASE_LOG_H

#include "kokoro/kokoro.h"

typedef struct kk_log {
    kokoro_log_fn *fn; /* NULL: silent */
    void *user;
} kk_log;

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void kk_log_write(const kk_log *log, int level, const char *format, ...);

#endif
