/*
 * cache_keeper.h - who looks after the cache directory while the server runs (cache.c).
 */
#ifndef KK_SERVER_CACHE_KEEPER_H
#define KK_SERVER_CACHE_KEEPER_H

#include "kokoro/kokoro.h"

typedef struct kk_cache_keeper kk_cache_keeper;
struct kk_server;

/* NO_MEMORY. */
int kk_cache_keeper_create(kk_cache_keeper **out, struct kk_server *server, kokoro_error *err);
/* A clean-up that runs ends at its next file; requests that wait are answered, those that come
 * later refused. NULL is allowed. */
void kk_cache_keeper_end(kk_cache_keeper *keeper);
/* The same, and free it, when no request can come any more. */
void kk_cache_keeper_destroy(kk_cache_keeper **keeper);

/* The model is loaded: clean up in the background, if the cache is over a limit. */
void kk_cache_keeper_begin(kk_cache_keeper *keeper);

/* A speech request was answered: see kk_cache_log_add_speech. */
void kk_cache_keeper_add_speech(kk_cache_keeper *keeper, double start_s, double first_s,
                                double total_s);

#endif
