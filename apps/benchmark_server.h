/* benchmark_server.h - the server that `kokoro benchmark --comprehensive` listens to. */
#ifndef KK_APPS_BENCHMARK_SERVER_H
#define KK_APPS_BENCHMARK_SERVER_H

#include "cli.h"

#include "bench/stream_client.h"
#include "cache/way.h"

#include <sys/types.h>

typedef struct kk_benchmark_server {
    kk_stream_target target;
    pid_t pid; /* 0: it was there already */
} kk_benchmark_server;

/* The server of the settings' host and port where it answers; else one of its own on a free port
 * that runs the model in the given way. IO, CANCELLED. */
int kk_benchmark_server_find(kk_benchmark_server *server, const kk_app *app, const kk_way *way,
                             const kk_bench_watch *watch, kokoro_error *err);
void kk_benchmark_server_end(kk_benchmark_server *server);

#endif
