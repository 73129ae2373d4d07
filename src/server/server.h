/*
 * server.h - stage 7: speech over HTTP, as OpenAI's API and the Kokoro-ONNX TTS API have it.
 *
 *     kk_server_start      the port answers; the model loads in a thread of its own
 *     kk_server_tick       about every second, and when the wake function was called
 *     kk_server_drain      no new work; kk_server_is_idle tells when all answers are over
 *     kk_server_stop
 */
#ifndef KK_SERVER_SERVER_H
#define KK_SERVER_SERVER_H

#include "config/config.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>

/* One line of the request log. Text that was spoken is never in it. */
typedef struct kk_server_log_line {
    const char *id, *method, *path;
    const char *client; /* address in figures, behind trusted proxies too */
    const char *key;    /* name of its key; NULL: none */
    int status;         /* 499: the client went away first */
    double time_s;      /* since 1970 */
    double elapsed_ms;
    double audio_s; /* sound made; 0 for all but speech */
} kk_server_log_line;

typedef struct kk_server_options {
    const kk_config *config; /* outlives the server */
    kokoro_options engine;   /* its strings too; its log is the server's as well */
    void *user;
    void (*log_request)(void *user, const kk_server_log_line *line); /* any thread */
    /* Other settings are in force, which are there during the call; one thread. NULL: no matter. */
    void (*follow)(void *user, const kk_config *config);
    void (*wake)(void *user); /* loading has ended, well or not; any thread */
} kk_server_options;

typedef struct kk_server kk_server;

/* IO where the port cannot be had, NO_MEMORY. */
int kk_server_start(kk_server **out, const kk_server_options *options, kokoro_error *err);
int kk_server_port(const kk_server *server);
bool kk_server_is_loopback(const kk_server *server);
bool kk_server_has_keys(kk_server *server);
/* Read settings and keys again, within a second. */
void kk_server_reload(kk_server *server);
/* Cut every answer that is not over. */
void kk_server_cut(kk_server *server);

enum kk_server_state { KK_SERVER_LOADING, KK_SERVER_READY, KK_SERVER_FAILED };
/* Of FAILED, *err tells why. */
enum kk_server_state kk_server_state(kk_server *server, kokoro_error *err);

void kk_server_tick(kk_server *server);
void kk_server_drain(kk_server *server);
bool kk_server_is_idle(kk_server *server);
/* Waits for loading and accepted speech. Sets *server to NULL. */
void kk_server_stop(kk_server **server);

#endif
