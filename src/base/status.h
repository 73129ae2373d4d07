/*
 * status.h - how errors travel: an int status, and one sentence for a person in a kokoro_error.
 */
#ifndef KK_BASE_STATUS_H
#define KK_BASE_STATUS_H

#include "kokoro/kokoro.h"

/* Fill *err (NULL allowed) and return `status`, so that a failure is one line: return kk_fail(err,
 * KOKORO_IO, "..."); */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int kk_fail(kokoro_error *err, int status, const char *format, ...);

/* kk_fail(err, KOKORO_NO_MEMORY, ...) in the same words everywhere. */
int kk_fail_memory(kokoro_error *err);

#endif
