/*
 * status.h - how errors travel: an int status, and one sentence for a person in a kokoro_error.
 */
#ifndef KK_BASE_STATUS_H
#define KK_BASE_STATUS_H

#include "kokoro/kokoro.h"

/* Fill *err; NULL is allowed. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void kk_error_set(kokoro_error *err, int status, const char *format, ...);

/*
 * Fill *err and give `status`, so that a failure is one line:
 *
 *     return kk_fail(err, KOKORO_IO, "...");
 *
 * A macro, so that a reader of the code, also a static one, sees that the result is the status.
 */
#define kk_fail(err, status, ...) (kk_error_set((err), (status), __VA_ARGS__), (int)(status))

/* kk_fail(err, KOKORO_NO_MEMORY, ...) in the same words everywhere. */
#define kk_fail_memory(err)                                                                        \
    kk_fail((err), KOKORO_NO_MEMORY, "%s", kokoro_status_text(KOKORO_NO_MEMORY))

#endif
