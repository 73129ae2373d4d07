/*
 * server.c - start and stop: the port first, so that clients and watchdogs see the server loading;
 * the model in a thread of its own.
 */
#include "server/server_state.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "bench/providers.h"
#include "server/http/listen.h"
#include "server/json.h"
#include "server/speech/speech_stream.h"
#include "server/wyoming/wyoming.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Answers that http_mhd.c gives by itself. */
static const char too_slow_body[] =
    "{\"error\":{\"message\":\"the request did not come whole in time\","
    "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"request_timeout\"}}";
static const char cut_short_body[] =
    "{\"error\":{\"message\":\"the request ended before it was whole\","
    "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"request_cut_short\"}}";
static const char too_long_body[] =
    "{\"error\":{\"message\":\"the body has more than 1048576 bytes; send long texts in parts\","
    "\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"body_too_large\"}}";
static const char stopping_body[] =
    "{\"error\":{\"message\":\"the server is stopping\",\"type\":\"server_error\","
    "\"param\":null,\"code\":\"shutting_down\"}}";

bool kk_server_is_draining(kk_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    bool is_draining = server->is_draining;
    (void)pthread_mutex_unlock(&server->mutex);
    return is_draining;
}

void kk_server_progress(kk_server *server, kk_progress *out)
{
    (void)pthread_mutex_lock(&server->mutex);
    *out = server->progress;
    (void)pthread_mutex_unlock(&server->mutex);
}

void kk_server_start_times(kk_server *server, kk_start_times *out)
{
    (void)pthread_mutex_lock(&server->mutex);
    const kk_progress *progress = &server->progress;
    *out = server->times;
    out->ready_s =
        progress->completed_at_s > 0.0 ? progress->completed_at_s - progress->started_at_s : 0.0;
    (void)pthread_mutex_unlock(&server->mutex);
}

static void set_progress(kk_server *server, const char *status, int percent, const char *message)
{
    (void)pthread_mutex_lock(&server->mutex);
    kk_progress *progress = &server->progress;
    progress->status = status;
    progress->percent = percent;
    (void)snprintf(progress->message, sizeof(progress->message), "%s", message);
    if (percent == 100 && !(progress->completed_at_s > 0.0))
        progress->completed_at_s = kk_wall_s();
    (void)pthread_mutex_unlock(&server->mutex);
}

static void write_log(void *user, int level, const char *line)
{
    kk_server *server = user;
    if (level == KOKORO_LOG_WARNING)
        kk_metrics_add_warning(server->metrics);
    if (server->options.engine.log != NULL)
        server->options.engine.log(server->options.engine.log_user, level, line);
}

/* --- loading --- */

static void add_provider(void *user, const kokoro_provider *provider)
{
    (void)json_array_append_new(
        user, json_pack("{s:s, s:b, s:s, s:s, s:s}", "name", provider->name, "available",
                        provider->available, "version", provider->version, "execution_providers",
                        provider->execution_providers, "reason", provider->reason));
}

static int ignore_chunk(void *user, const kokoro_chunk *chunk)
{
    (void)user;
    (void)chunk;
    return 0;
}

/* Somebody speaks, or the server ends: no time for a first word. */
static bool is_wanted(void *user)
{
    kk_server *server = user;
    double ended_at_s;
    return kk_scheduler_speaking(server->scheduler, &ended_at_s) > 0 ||
           kk_server_is_draining(server);
}

/* One short word, in the default voice. */
static void first_word(kk_server *server, kokoro_request *request)
{
    kokoro_request_init(request);
    request->text = "Hello.";
    request->text_len = strlen(request->text);
    request->voice = kk_config_text(kk_server_config(server), KK_SET_VOICE);
}

/* A model that cannot speak is found before it is used, and the first client does not wait for
 * memory that is touched for the first time. */
static int warm_up(kk_server *server, kokoro_engine *engine, kokoro_error *err)
{
    kokoro_request request;
    first_word(server, &request);
    return kokoro_speak(engine, &request, ignore_chunk, NULL, NULL, err);
}

static int load(kk_server *server, kokoro_engine **engine, const kokoro_options *options,
                kokoro_error *err)
{
    kokoro_request request;
    double start_s = kk_now_s();
    set_progress(server, "initializing", 30, "loading the model");
    int status = kokoro_open(engine, options, err);
    double open_s = kk_now_s() - start_s;
    first_word(server, &request);
    if (status == KOKORO_OK)
        status = kokoro_check_request(*engine, &request, err);
    if (status == KOKORO_OK) {
        kokoro_engine_info info = {.struct_size = sizeof(info)};
        kokoro_get_engine_info(*engine, &info);
        (void)pthread_mutex_lock(&server->mutex);
        server->times.engine_s = open_s;
        server->times.provider_s = info.load_ms / 1e3;
        (void)pthread_mutex_unlock(&server->mutex);
        kk_speech_cache_begin(server->results);
    }
    return status;
}

static void set_state(kk_server *server, int status, const kokoro_error *err)
{
    set_progress(server, status == KOKORO_OK ? "online" : "error", 100,
                 status == KOKORO_OK ? "ready" : err->message);
    (void)pthread_mutex_lock(&server->mutex);
    server->load_error = *err;
    server->state = status == KOKORO_OK ? KK_SERVER_READY : KK_SERVER_FAILED;
    (void)pthread_mutex_unlock(&server->mutex);
    if (server->options.wake != NULL)
        server->options.wake(server->options.user);
}

/* Behind the start: the first word, unless somebody else says his before it ends, and what else is
 * on this machine. */
static int load_the_rest(kk_server *server, const kokoro_options *options, kokoro_error *err)
{
    int status = KOKORO_OK;
    kokoro_request request;
    kokoro_engine *engine = kk_server_take_engine(server);
    const double start_s = kk_now_s();
    first_word(server, &request);
    request.cancelled = is_wanted;
    request.cancelled_user = server;
    if (engine != NULL)
        status = kokoro_speak(engine, &request, ignore_chunk, NULL, NULL, err);
    kk_server_give_engine(server, engine);
    json_t *providers = json_array();
    (void)pthread_mutex_lock(&server->mutex);
    server->times.warm_up_s = kk_now_s() - start_s;
    (void)pthread_mutex_unlock(&server->mutex);
    (void)kk_bench_list_own_providers(options, add_provider, providers, NULL);
    (void)pthread_mutex_lock(&server->mutex);
    server->providers = providers;
    (void)pthread_mutex_unlock(&server->mutex);
    return status == KOKORO_CANCELLED ? KOKORO_OK : status;
}

static void *load_in_thread(void *user)
{
    kk_server *server = user;
    kokoro_engine *engine = NULL;
    kokoro_error err = {.status = KOKORO_OK};
    kokoro_options options = server->options.engine;
    options.log = write_log;
    options.log_user = server;
    options.known_files = server->known_files;
    int status = load(server, &engine, &options, &err);
    if (status == KOKORO_OK && kk_server_set_engine(server, engine) != KOKORO_OK)
        status = kk_fail_memory(&err);
    if (status != KOKORO_OK)
        kokoro_close(&engine);
    set_state(server, status, &err);
    if (status != KOKORO_OK)
        return NULL;
    status = load_the_rest(server, &options, &err);
    if (status != KOKORO_OK)
        set_state(server, status, &err);
    kk_cache_keeper_begin(server->cache);
    return NULL;
}

/* --- another engine --- */

json_t *kk_server_providers(kk_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    json_t *providers = server->providers;
    (void)pthread_mutex_unlock(&server->mutex);
    return providers;
}

const kk_config *kk_server_config(kk_server *server)
{
    return kk_live_config(server->live);
}

int kk_server_open(kk_server *server, kokoro_engine **engine, kokoro_error *err)
{
    kokoro_options options;
    kk_config_engine_options(kk_server_config(server), &options);
    options.log = write_log;
    options.log_user = server;
    options.known_files = server->known_files;
    return kokoro_open(engine, &options, err);
}

void kk_server_open_engine(kk_server *server)
{
    kokoro_error err;
    kokoro_engine *engine = NULL;
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    kk_reload reload;
    /* Who needs it next opens it by the settings as they are then. */
    kk_server_reload_view(server, &reload);
    if (reload.is_unloaded)
        return;
    int status = kk_server_open(server, &engine, &err);
    if (status == KOKORO_OK)
        status = warm_up(server, engine, &err);
    if (status == KOKORO_OK) {
        kokoro_get_engine_info(engine, &info);
        if (kk_server_set_engine(server, engine) != KOKORO_OK)
            status = kk_fail_memory(&err);
    }
    if (status == KOKORO_OK) {
        kk_log_write(&server->log, KOKORO_LOG_INFO, "the model now runs on %s %s, %d threads",
                     info.provider, info.precision, info.n_threads);
        return;
    }
    kokoro_close(&engine);
    kk_log_write(&server->log, KOKORO_LOG_WARNING, "the provider stays as it was: %s", err.message);
}

/* --- housekeeping --- */

static void follow_settings(kk_server *server)
{
    const kk_config *before = kk_server_config(server);
    (void)pthread_mutex_lock(&server->mutex);
    bool must_reload = server->must_reload;
    server->must_reload = false;
    (void)pthread_mutex_unlock(&server->mutex);
    if (must_reload) {
        kk_log_write(&server->log, KOKORO_LOG_INFO, "settings and keys are read again");
        kk_live_read_again(server->live);
    }
    kk_live_tick(server->live, server);
    const kk_config *now = kk_server_config(server);
    if (now != before && server->options.follow != NULL)
        server->options.follow(server->options.user, now);
    if (must_reload || now != before)
        kk_access_reload(server->access, now, &server->log);
}

/* Each second until the end. */
static void *keep_house(void *user)
{
    kk_server *server = user;
    (void)pthread_mutex_lock(&server->mutex);
    while (!server->must_end) {
        struct timespec until;
        enum kk_server_state state = server->state;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        (void)pthread_mutex_unlock(&server->mutex);
        if (state == KK_SERVER_READY) {
            follow_settings(server);
            kk_scheduler_tick(server->scheduler);
            kk_speech_cache_tick(server->results);
            kk_watchdog_tick(server);
            kk_runtime_report_tick(server);
        }
        (void)pthread_mutex_lock(&server->mutex);
        while (!server->must_end &&
               pthread_cond_timedwait(&server->end, &server->mutex, &until) == 0) {
        }
    }
    (void)pthread_mutex_unlock(&server->mutex);
    return NULL;
}

static void stop_housekeeping(kk_server *server)
{
    if (server->has_housekeeper) {
        (void)pthread_mutex_lock(&server->mutex);
        server->must_end = true;
        (void)pthread_cond_signal(&server->end);
        (void)pthread_mutex_unlock(&server->mutex);
        (void)pthread_join(server->housekeeper, NULL);
    }
    kk_scheduler_destroy(&server->scheduler);
}

static int start_threads(kk_server *server, kokoro_error *err)
{
    server->has_loader = pthread_create(&server->loader, NULL, load_in_thread, server) == 0;
    server->has_housekeeper =
        server->has_loader && pthread_create(&server->housekeeper, NULL, keep_house, server) == 0;
    if (!server->has_housekeeper)
        return kk_fail(err, KOKORO_NO_MEMORY, "the server's threads cannot be made");
    return KOKORO_OK;
}

/* --- start and stop --- */

static int start_http(kk_server *server, kokoro_error *err)
{
    const kk_config *config = server->options.config;
    const unsigned wanted = (unsigned)kk_config_int(config, KK_SET_MAX_CONNECTIONS);
    const unsigned n_connections = kk_raise_descriptors(wanted);
    if (n_connections < wanted)
        kk_log_write(&server->log, KOKORO_LOG_WARNING,
                     "this process may have too few files open for %u connections, so there will "
                     "be %u at most; raise it with ulimit -n or LimitNOFILE",
                     wanted, n_connections);
    const kk_http_limits limits = {
        .max_body_len = KK_SERVER_MAX_BODY,
        .max_connections = n_connections,
        .max_per_address = (unsigned)kk_config_int(config, KK_SET_MAX_CONNECTIONS_PER_ADDRESS),
        .idle_s = KK_SERVER_IDLE_S,
        .request_s = KK_SERVER_REQUEST_S,
        .stream_s = KK_SERVER_STREAM_S,
        .buffer_len = KK_SERVER_BUFFER,
        .max_waiting_len = KK_SERVER_MAX_WAITING};
    const kk_http_handler handler = {.user = server,
                                     .check = kk_route_check,
                                     .handle = kk_route,
                                     .done = kk_route_done,
                                     .too_slow_body = too_slow_body,
                                     .cut_short_body = cut_short_body,
                                     .too_long_body = too_long_body,
                                     .stopping_body = stopping_body};
    server->origin.host = kk_config_text(config, KK_SET_HOST);
    return kk_http_start(&server->http, server->origin.host,
                         (int)kk_config_int(config, KK_SET_PORT), &limits, &handler,
                         &server->origin.is_loopback, err);
}

/* Its protocol knows no keys: where keys are set, nobody else gets in behind them unasked. */
static int start_wyoming(kk_server *server, kokoro_error *err)
{
    const kk_config *config = server->options.config;
    const bool has_keys = kk_config_text(config, KK_SET_API_KEYS_FILE)[0] != '\0';
    kk_wyoming_options options = {
        .host = kk_config_text(config, KK_SET_WYOMING_HOST),
        .port = (int)kk_config_int(config, KK_SET_WYOMING_PORT),
        .loopback_only = has_keys && !kk_config_bool(config, KK_SET_WYOMING_WITHOUT_KEYS),
        .announces = kk_config_bool(config, KK_SET_WYOMING_ANNOUNCE)};
    if (options.port == 0)
        return KOKORO_OK;
    if (options.host[0] == '\0')
        options.host = kk_config_text(config, KK_SET_HOST);
    int status = kk_wyoming_start(&server->wyoming, server, &options, err);
    if (status == KOKORO_OK && has_keys && !kk_wyoming_is_loopback(server->wyoming))
        kk_log_write(&server->log, KOKORO_LOG_WARNING,
                     "other machines can reach the Wyoming port, whose protocol knows no keys");
    return status;
}

int kk_server_start(kk_server **out, const kk_server_options *options, kokoro_error *err)
{
    *out = NULL;
    kk_server *server = kk_calloc(1, sizeof(*server));
    if (server == NULL)
        return kk_fail_memory(err);
    kk_json_use_kk_alloc();
    server->options = *options;
    server->log = (kk_log){write_log, server};
    server->progress = (kk_progress){.status = "starting", .started_at_s = kk_wall_s()};
    server->has_mutex = pthread_mutex_init(&server->mutex, NULL) == 0 &&
                        pthread_mutex_init(&server->load_mutex, NULL) == 0 &&
                        pthread_cond_init(&server->end, NULL) == 0;
    const kk_metrics_options metrics = {.rtf = KK_SERVER_RTF_TARGET,
                                        .efficiency = KK_SERVER_EFFICIENCY_TARGET};
    server->metrics = kk_metrics_create(&metrics);
    server->known_files = kokoro_known_files_new();
    int status = KOKORO_OK;
    if (!server->has_mutex || server->metrics == NULL || server->known_files == NULL)
        status = kk_fail_memory(err);
    if (status == KOKORO_OK)
        status = kk_live_create(&server->live, options->config, err);
    if (status == KOKORO_OK)
        status = kk_access_create(&server->access, options->config, err);
    if (status == KOKORO_OK)
        status = kk_scheduler_create(&server->scheduler, server, err);
    if (status == KOKORO_OK)
        status = kk_speech_streams_create(&server->streams, server, err);
    if (status == KOKORO_OK)
        status = kk_cache_keeper_create(&server->cache, server, err);
    if (status == KOKORO_OK)
        status = kk_speech_cache_create(&server->results, server, err);
    if (status == KOKORO_OK) {
        double start_s = kk_now_s();
        kk_hardware_read(&server->hardware);
        server->times.hardware_s = kk_now_s() - start_s;
        status = kk_jobs_start(&server->jobs, KK_SERVER_N_WORKERS, KK_SERVER_MAX_QUEUE, err);
    }
    if (status == KOKORO_OK)
        status = kk_jobs_watch(server->jobs, err);
    if (status == KOKORO_OK)
        status = start_http(server, err);
    if (status == KOKORO_OK)
        status = start_wyoming(server, err);
    if (status == KOKORO_OK)
        status = start_threads(server, err);
    if (status != KOKORO_OK)
        kk_server_stop(&server);
    *out = server;
    return status;
}

int kk_server_port(const kk_server *server)
{
    return kk_http_port(server->http);
}

bool kk_server_is_loopback(const kk_server *server)
{
    return server->origin.is_loopback && kk_wyoming_is_loopback(server->wyoming);
}

enum kk_server_state kk_server_state(kk_server *server, kokoro_error *err)
{
    (void)pthread_mutex_lock(&server->mutex);
    enum kk_server_state state = server->state;
    if (err != NULL)
        *err = server->load_error;
    (void)pthread_mutex_unlock(&server->mutex);
    return state;
}

bool kk_server_has_keys(kk_server *server)
{
    return kk_access_has_keys(server->access);
}

void kk_server_reload(kk_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    server->must_reload = true;
    (void)pthread_mutex_unlock(&server->mutex);
}

void kk_server_cut(kk_server *server)
{
    kk_http_cut(server->http);
    kk_wyoming_cut(server->wyoming);
}

void kk_server_tick(kk_server *server)
{
    kk_http_tick(server->http);
}

void kk_server_drain(kk_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    server->is_draining = true;
    (void)pthread_mutex_unlock(&server->mutex);
    kk_http_stop_accepting(server->http);
    kk_wyoming_drain(server->wyoming);
}

bool kk_server_is_idle(kk_server *server)
{
    kk_jobs_view jobs;
    kk_wyoming_view wyoming;
    kk_jobs_read(server->jobs, &jobs);
    kk_wyoming_read(server->wyoming, &wyoming);
    return jobs.n_waiting + jobs.n_running == 0 && kk_http_active(server->http) == 0 &&
           wyoming.n_connections == 0;
}

void kk_server_stop(kk_server **server_ptr)
{
    kk_server *server = server_ptr != NULL ? *server_ptr : NULL;
    if (server == NULL)
        return;
    *server_ptr = NULL;
    if (server->has_loader)
        (void)pthread_join(server->loader, NULL);
    if (server->http != NULL)
        kk_server_drain(server);
    /* All that works ends first, and only then what is read of it: until the port is closed a
     * connection that was kept open may ask for /status, and the housekeeping reads it too. */
    kk_speech_cache_stop(server->results);
    kk_speech_streams_end(server->streams);
    kk_jobs_end(server->jobs);
    kk_cache_keeper_end(server->cache);
    kk_http_stop(&server->http);
    kk_wyoming_stop(&server->wyoming);
    stop_housekeeping(server);
    kk_speech_streams_destroy(&server->streams);
    kk_jobs_stop(&server->jobs);
    kk_cache_keeper_destroy(&server->cache);
    kk_speech_cache_destroy(&server->results);
    kk_server_close_engines(server);
    kokoro_known_files_free(&server->known_files);
    json_decref(server->providers);
    kk_metrics_destroy(&server->metrics);
    kk_live_destroy(&server->live);
    kk_access_destroy(&server->access);
    if (server->has_mutex) {
        (void)pthread_cond_destroy(&server->end);
        (void)pthread_mutex_destroy(&server->load_mutex);
        (void)pthread_mutex_destroy(&server->mutex);
    }
    kk_free(server);
}
