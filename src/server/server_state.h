/*
 * server_state.h - what the endpoints share. After start only what stands under the mutex changes.
 */
#ifndef KK_SERVER_SERVER_STATE_H
#define KK_SERVER_SERVER_STATE_H

#include "base/log.h"
#include "hardware/hardware.h"
#include "metrics/metrics.h"
#include "server/benchmark/scheduler.h"
#include "server/cache/cache_keeper.h"
#include "server/errors.h"
#include "server/http/access.h"
#include "server/http/http.h"
#include "server/http/origin.h"
#include "server/jobs.h"
#include "server/live.h"
#include "server/server.h"
#include "server/speech/speech_cache.h"
#include "server/status/watchdog.h"

#include <pthread.h>

enum {
    /* A worker waits most of its time, for its turn at the model or for its client to read. */
    KK_SERVER_N_WORKERS = 16,
    KK_SERVER_MAX_QUEUE = 4096, /* the most that KOKORO_MAX_QUEUE may say */
    KK_SERVER_MAX_BODY = 1 << 20,
    /* Longer than clients keep a connection (LiveKit 120 s): who ends it first must be the client,
     * or his next request meets a connection that is just being closed. */
    KK_SERVER_IDLE_S = 125,
    KK_SERVER_REQUEST_S = 30,
    KK_SERVER_STREAM_S = 600,
    /* Sound made ahead of its listener: six minutes. */
    KK_SERVER_BUFFER = 16 << 20,
    /* Of all answers; streams have half of it at most, but for a little each. */
    KK_SERVER_MAX_WAITING = 1 << 30
};

/* Targets of a request beside KOKORO_TTFA_TARGET_MS: time by length of sound, at most; sound a
 * second of time, at least. */
#define KK_SERVER_RTF_TARGET 1.0
#define KK_SERVER_EFFICIENCY_TARGET 0.9

/* How far the start has come; the shape of /startup-progress. */
typedef struct kk_progress {
    const char *status; /* "starting", "initializing", "online", "error" */
    int percent;
    char message[512];
    double started_at_s, completed_at_s; /* since 1970; 0: not yet */
} kk_progress;

/* Seconds of the parts of the start; 0: not yet known. */
typedef struct kk_start_times {
    double hardware_s, provider_s, engine_s;
    double ready_s;   /* all of it, until speech can be asked for */
    double warm_up_s; /* behind that */
} kk_start_times;

typedef struct kk_engine_slot kk_engine_slot;

/* The model closed for want of use, and opened again. */
typedef struct kk_reload {
    bool is_unloaded;
    uint64_t identity;  /* kk_speech_identity of the last engine; 0: there never was one */
    double loaded_at_s; /* kk_now_s */
    uint64_t n_unloads, n_loads, n_failed;
    double took_s;      /* the last load */
    kokoro_error error; /* of the last load */
} kk_reload;

/* Of runtime_report.c. */
typedef struct kk_runtime_report {
    double written_at_s; /* kk_now_s */
    uint64_t n_speech;   /* that it told of */
    bool is_stale;       /* a report was put there that does not tell of this server */
    bool has_complained;
} kk_runtime_report;

struct kk_server {
    kk_server_options options;
    kokoro_known_files *known_files; /* of all engines that it opens */
    kk_log log;
    kk_origin_rule origin;
    kk_hardware hardware;
    kk_metrics *metrics;
    kk_jobs *jobs;
    kk_live *live;
    kk_access *access;
    kk_scheduler *scheduler;
    kk_cache_keeper *cache;
    kk_speech_cache *results;
    kk_http *http;
    struct kk_wyoming *wyoming; /* NULL: off */
    struct kk_speech_streams *streams;
    kk_runtime_report runtime_report; /* of the housekeeping thread */
    pthread_t loader, housekeeper;
    bool has_loader, has_housekeeper, has_mutex;
    pthread_mutex_t load_mutex; /* who opens an engine that was unloaded; before the next */

    pthread_mutex_t mutex;
    enum kk_server_state state;
    kokoro_error load_error;
    kk_progress progress;
    kk_start_times times;
    kk_engine_slot *engines; /* the one in use first, then those that requests still hold */
    kk_reload reload;
    struct json_t *providers; /* what is on this machine, made once; NULL until then */
    bool is_draining, must_end, must_reload;
    bool has_told_loudness; /* that a voice is not brought to KOKORO_LOUDNESS */
    kk_watchdog watchdog;
    pthread_cond_t end; /* must_end was set */
};

/* The engine in use, held until it is given back; NULL until one is loaded, and while it is
 * unloaded. Another may take its place meanwhile. */
kokoro_engine *kk_server_take_engine(kk_server *server);
/* The same, loaded first where it is unloaded: waits for that. NULL: *err says why it failed. */
kokoro_engine *kk_server_need_engine(kk_server *server, kokoro_error *err);
void kk_server_give_engine(kk_server *server, kokoro_engine *engine); /* NULL is allowed */
/* Speech can be asked for: an engine is loaded, or was unloaded for want of use. */
bool kk_server_is_ready(kk_server *server);
/* kk_speech_identity of an engine that is held; of NULL the last one's, 0 until there was one. */
uint64_t kk_server_identity(kk_server *server, const kokoro_engine *engine);
/* Close the engine until it is needed; false: somebody holds it. */
bool kk_server_unload(kk_server *server);
void kk_server_reload_view(kk_server *server, kk_reload *out);
/* Open an engine by the settings as they are now. The statuses of kokoro_open. */
int kk_server_open(kk_server *server, kokoro_engine **engine, kokoro_error *err);
/* Put an engine, which is taken over, into use; the one before is closed when nobody holds it any
 * more. NO_MEMORY leaves all as it was, the engine with the caller. */
int kk_server_set_engine(kk_server *server, kokoro_engine *engine);
void kk_server_close_engines(kk_server *server); /* at the end: nobody holds one */
/* Open an engine by the settings as they are now, and put it into use; where that fails the one in
 * use stays, and a warning says why. */
void kk_server_open_engine(kk_server *server);
/* Each second, from the housekeeping thread. */
void kk_runtime_report_tick(kk_server *server);
/* Settings as they are now (server/live.h). */
const kk_config *kk_server_config(kk_server *server);
bool kk_server_is_draining(kk_server *server);
void kk_server_start_times(kk_server *server, kk_start_times *out);
/* What is on this machine, never changed once it is there; NULL until then. */
struct json_t *kk_server_providers(kk_server *server);
void kk_server_progress(kk_server *server, kk_progress *out);

/* One request at an endpoint. */
typedef struct kk_call {
    kk_server *server;
    kk_http_exchange *exchange;
    const kk_http_request *request;
    kk_http_response *response;
    const char *rest; /* of the path, behind a route that ends in / */
} kk_call;

typedef enum kk_http_verdict kk_endpoint(const kk_call *call);

kk_endpoint kk_get_health, kk_get_startup_progress, kk_get_status, kk_get_metrics, kk_get_voices,
    kk_get_audio_voices, kk_get_models, kk_get_model, kk_get_audio_models, kk_post_speech,
    kk_post_speech_stream, kk_benchmark, kk_get_root, kk_get_docs, kk_get_openapi,
    kk_get_cache_status, kk_post_cache_cleanup;

/* Answer with an error, with a JSON object (whose reference is taken), or that the model is not
 * loaded yet. */
enum kk_http_verdict kk_answer_error(const kk_call *call, const kk_api_error *error);
enum kk_http_verdict kk_answer_json(const kk_call *call, int status, struct json_t *object);
enum kk_http_verdict kk_answer_not_ready(const kk_call *call);

/* router.c */
enum kk_http_verdict kk_route_check(void *server, kk_http_request *request,
                                    kk_http_response *response);
enum kk_http_verdict kk_route(void *server, kk_http_exchange *exchange,
                              const kk_http_request *request, kk_http_response *response);
void kk_route_done(void *server, const kk_http_request *request, int status, double audio_s);

#endif
