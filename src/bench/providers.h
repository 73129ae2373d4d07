/*
 * providers.h - what can run the model here, asked in a child process: to tell its version a
 * runtime's library is loaded, and what one does when it is loaded is not ours to trust.
 *
 *     {"do": "provider", "name": ..., paths}
 *         {"available", "version", "execution_providers", "reason"}
 *     {"do": "cached", paths}
 *         {"cached": [{"provider", "folder", "path", "reason"}, ...]}
 */
#ifndef KK_BENCH_PROVIDERS_H
#define KK_BENCH_PROVIDERS_H

#include "bench/child.h"

/*
 * As kokoro_list_providers, or of `only` where it is not NULL. One whose library crashes, hangs or
 * cannot be asked is not available, with that as the reason. `command` as for kk_child_start.
 * CANCELLED: the watch (NULL: none) said stop. NO_MEMORY.
 */
int kk_bench_list_providers(const kokoro_options *options, const char *only,
                            const char *const *command, const kk_bench_watch *watch,
                            void (*fn)(void *user, const kokoro_provider *provider), void *user,
                            kokoro_error *err);

/* The same with this program's own child. */
int kk_bench_list_own_providers(const kokoro_options *options,
                                void (*fn)(void *user, const kokoro_provider *provider), void *user,
                                kokoro_error *err);

/* As kokoro_list_cached; where the child fails, ONNX Runtime's file is one that cannot be told. */
int kk_bench_list_own_cached(const kokoro_options *options,
                             void (*fn)(void *user, const kokoro_cached *cached), void *user,
                             kokoro_error *err);

#endif
