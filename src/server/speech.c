/*
 * speech.c - POST /v1/audio/speech. The connection's thread reads and checks the request and puts
 * it into the queue; a worker speaks it:
 *
 *     streamed, several chunks   headers with the first chunk, then chunk by chunk; the length and
 *                                the sizes in a WAV are unknown
 *     else                       one body, its length and sizes exact
 *
 * Nothing is sent before the first chunk is there, so that every failure up to it has its status.
 */
#include "server/server_state.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "codec/codec.h"
#include "server/speech_request.h"

#include <math.h>
#include <string.h>

/* What the voices put before and behind words stays below this: 60 dB under full scale. */
static const float SILENCE = 1e-3f;

typedef struct job {
    kk_server *server;
    kokoro_engine *engine; /* held while the job lives */
    kk_http_exchange *exchange;
    const kk_http_request *http;
    kk_speech_request request;
    kk_http_response response;
    kk_encoder *encoder;
    bool is_sending;      /* the headers of a streamed answer are out */
    kokoro_error problem; /* of the encoder, which the engine does not know */
    uint64_t n_samples;
    double queued_s, started_s, first_s; /* kk_now_s; first_s 0: no samples yet */
    double sound_s;                      /* the first sample that is not silence; 0: none yet */
    const kokoro_stats *stats;           /* as the engine goes on filling them */
    double booked_ms;                    /* of their model_ms: counted as inferences */
} job;

static void free_job(job *j)
{
    kk_encoder_close(&j->encoder);
    kk_buf_fini(&j->response.body);
    kk_speech_request_fini(&j->request);
    kk_server_give_engine(j->server, j->engine);
    kk_free(j);
}

/* --- the worker's side --- */

static int collect(void *user, const void *data, size_t len)
{
    job *j = user;
    kk_buf_append(&j->response.body, data, len);
    return j->response.body.failed;
}

static int send_on(void *user, const void *data, size_t len)
{
    job *j = user;
    return kk_http_write(j->exchange, data, len);
}

static void add_timing(job *j, const kokoro_stats *stats)
{
    double queue_ms = 1e3 * (j->started_s - j->queued_s);
    double first_ms = 1e3 * (j->first_s - j->http->start_s);
    if (stats != NULL)
        kk_http_add_header(&j->response, "Server-Timing",
                           "queue;dur=%.1f, g2p;dur=%.1f, model;dur=%.1f, first-audio;dur=%.1f",
                           queue_ms + stats->wait_ms, stats->g2p_ms, stats->model_ms, first_ms);
    else
        kk_http_add_header(&j->response, "Server-Timing", "queue;dur=%.1f, first-audio;dur=%.1f",
                           queue_ms, first_ms);
}

/* With the first chunk it is known whether more will follow, and so how to answer. */
static int open_encoder(job *j, const kokoro_chunk *chunk)
{
    uint64_t n_samples = chunk->n_chunks == 1 ? chunk->n_samples : KK_SAMPLES_UNKNOWN;
    j->first_s = kk_now_s();
    j->response.status = 200;
    j->response.content_type = j->request.content_type;
    if (j->request.is_streamed && chunk->n_chunks > 1) {
        add_timing(j, NULL);
        j->is_sending = true;
        kk_http_begin(j->exchange, &j->response, KK_HTTP_LENGTH_UNKNOWN);
    }
    return kk_encoder_open(&j->encoder, j->request.codec, n_samples,
                           j->is_sending ? send_on : collect, j, &j->problem);
}

/* Count the inference that has ended since the last one was counted. When a chunk begins, that is
 * the chunk's own or, of a chunk in pieces, the one before. */
static void book_inference(job *j)
{
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    double model_ms = j->stats->model_ms - j->booked_ms;
    if (model_ms <= 0.0)
        return;
    kokoro_get_engine_info(j->engine, &info);
    kk_metrics_add_inference(j->server->metrics, info.execution_provider, model_ms / 1e3);
    j->booked_ms = j->stats->model_ms;
}

static bool is_silence(const kokoro_chunk *chunk)
{
    for (size_t i = 0; i < chunk->n_samples; i++) {
        if (fabsf(chunk->samples[i]) > SILENCE)
            return false;
    }
    return true;
}

static int on_chunk(void *user, const kokoro_chunk *chunk)
{
    job *j = user;
    int status = KOKORO_OK;
    if (chunk->begins_chunk)
        book_inference(j);
    if (j->sound_s <= 0.0 && !is_silence(chunk))
        j->sound_s = kk_now_s();
    if (kk_http_is_gone(j->exchange))
        return -1;
    if (j->encoder == NULL)
        status = open_encoder(j, chunk);
    if (status == KOKORO_OK)
        status = kk_encoder_write(j->encoder, chunk->samples, chunk->n_samples, &j->problem);
    j->n_samples += chunk->n_samples;
    return status;
}

/* The sizes in front of a WAV that was collected are known only now. */
static void finish_sizes(job *j)
{
    if (strcmp(j->request.codec->name, "wav") == 0 && j->response.body.len >= KK_WAV_HEADER_LEN)
        kk_wav_header((unsigned char *)j->response.body.data, j->n_samples);
}

static int error_of(int status)
{
    kk_api_error error;
    kokoro_error err = {.status = status, .message = ""};
    switch (status) {
    case KOKORO_OK:
        return KK_METRICS_NO_ERROR;
    case KOKORO_CANCELLED:
        return KK_METRICS_CANCELLED;
    case KOKORO_NO_MEMORY:
        return KK_METRICS_MEMORY;
    default:
        kk_api_from_engine(&error, &err, "");
        return error.http_status < 500 ? KK_METRICS_REQUEST : KK_METRICS_ENGINE;
    }
}

/* Count it before the answer ends: who has the answer finds it counted. */
static void count(job *j, int status, const kokoro_stats *stats)
{
    double target_s =
        (double)kk_config_int(kk_server_config(j->server), KK_SET_TTFA_TARGET_MS) / 1e3;
    kk_metrics_speech speech = {.error = error_of(status),
                                .queue_s = j->started_s - j->queued_s,
                                .first_sound_s =
                                    j->sound_s > 0.0 ? j->sound_s - j->http->start_s : -1.0,
                                .first_sound_target_s = target_s,
                                .total_s = kk_now_s() - j->http->start_s,
                                .stats = *stats};
    if (status == KOKORO_OK)
        book_inference(j);
    kk_metrics_add_speech(j->server->metrics, &speech);
    if (status == KOKORO_OK)
        kk_cache_keeper_add_speech(j->server->cache, j->http->start_s, speech.first_sound_s,
                                   speech.total_s);
    kk_http_set_audio(j->exchange, stats->audio_s);
}

static void answer(job *j, int status, const kokoro_stats *stats, const kokoro_error *err)
{
    if (j->is_sending || status == KOKORO_CANCELLED) {
        kk_http_end(j->exchange, status == KOKORO_OK);
        return;
    }
    if (status == KOKORO_OK) {
        finish_sizes(j);
        add_timing(j, stats);
    } else {
        kk_api_error error;
        kk_api_from_engine(&error, err, j->request.text_param);
        kk_buf_fini(&j->response.body);
        kk_api_respond(&j->response, &error);
    }
    if (j->response.body.failed) {
        kk_http_end(j->exchange, false);
        return;
    }
    kk_http_begin(j->exchange, &j->response, j->response.body.len);
    kk_http_end(j->exchange, true);
}

static bool is_gone(void *user)
{
    job *j = user;
    return kk_http_is_gone(j->exchange);
}

/* Speak, and tell what went wrong in the engine's or the encoder's words. A client that leaves
 * stops the model inside an inference. */
static int speak(job *j, kokoro_stats *stats, kokoro_error *err)
{
    if (kk_http_is_gone(j->exchange))
        return KOKORO_CANCELLED;
    j->request.speak.cancelled = is_gone;
    j->request.speak.cancelled_user = j;
    int status = kokoro_speak(j->engine, &j->request.speak, on_chunk, j, stats, err);
    if (status == KOKORO_OK && j->encoder != NULL)
        status = kk_encoder_finish(j->encoder, err);
    if (status != KOKORO_CANCELLED)
        return status;
    if (j->problem.status == KOKORO_NO_MEMORY || j->response.body.failed) {
        *err = (kokoro_error){.status = KOKORO_NO_MEMORY,
                              .message = "out of memory; ask for a streamed answer or less text"};
        return KOKORO_NO_MEMORY;
    }
    return status;
}

static void run_job(void *user)
{
    job *j = user;
    kokoro_stats stats = {0};
    kokoro_error err = {.status = KOKORO_OK};
    j->started_s = kk_now_s();
    j->stats = &stats;
    int status = speak(j, &stats, &err);
    if (error_of(status) == KK_METRICS_ENGINE || error_of(status) == KK_METRICS_MEMORY)
        kk_log_write(&j->server->log, KOKORO_LOG_ERROR, "request %s: %s", j->http->id, err.message);
    kk_scheduler_speech_ends(j->server->scheduler);
    count(j, status, &stats);
    answer(j, status, &stats, &err);
    kk_http_release(j->exchange);
    free_job(j);
}

/* --- the connection's side --- */

/* 0, or the error that the client gets. */
static int check_state(const kk_call *call, kk_api_error *error)
{
    if (!kk_server_is_draining(call->server))
        return 0;
    (void)kk_api_fail(error, 503, NULL, "shutting_down", "the server is stopping");
    error->retry_after_s = 5;
    call->response->must_close = true;
    return error->http_status;
}

static int read_request(job *j, const kk_call *call, kk_api_error *error)
{
    const kk_config *config = kk_server_config(call->server);
    const kk_speech_limits limits = {.max_chars =
                                         (size_t)kk_config_int(config, KK_SET_MAX_INPUT_CHARS),
                                     .default_voice = kk_config_text(config, KK_SET_VOICE)};
    kokoro_error err;
    int status = kk_speech_request_parse(&j->request, call->request->body, &limits, error);
    if (status == 0 && kokoro_check_request(j->engine, &j->request.speak, &err) != KOKORO_OK) {
        kk_api_from_engine(error, &err, j->request.text_param);
        status = error->http_status;
    }
    return status;
}

static int queue_job(job *j, const kk_call *call, kk_api_error *error)
{
    j->exchange = call->exchange;
    j->http = call->request;
    j->response.status = 200;
    kk_http_add_header(&j->response, "X-Request-Id", "%s", call->request->id);
    j->queued_s = kk_now_s();
    kk_http_hold(call->exchange);
    kk_scheduler_speech_begins(call->server->scheduler);
    if (kk_jobs_add(call->server->jobs, run_job, j) == KOKORO_OK)
        return 0;
    kk_scheduler_speech_ends(call->server->scheduler);
    kk_http_release(call->exchange);
    (void)kk_api_fail(error, 429, NULL, "queue_full", "%d requests wait already; try again",
                      KK_SERVER_MAX_QUEUE);
    error->retry_after_s = 2;
    return error->http_status;
}

static enum kk_metrics_error refusal_of(const kk_api_error *error)
{
    if (error->http_status == 429)
        return KK_METRICS_BUSY;
    if (error->http_status < 500)
        return KK_METRICS_REQUEST;
    return error->code != NULL && strcmp(error->code, "out_of_memory") == 0 ? KK_METRICS_MEMORY
                                                                            : KK_METRICS_NOT_READY;
}

/* A job that holds the engine. */
static job *new_job(const kk_call *call, kokoro_engine *engine)
{
    job *j = kk_calloc(1, sizeof(*j));
    if (j == NULL) {
        kk_server_give_engine(call->server, engine);
        return NULL;
    }
    j->server = call->server;
    j->engine = engine;
    return j;
}

enum kk_http_verdict kk_post_speech(const kk_call *call)
{
    kk_api_error error;
    job *j = NULL;
    int status = check_state(call, &error);
    if (status == 0) {
        kokoro_engine *engine = kk_server_take_engine(call->server);
        if (engine == NULL) {
            kk_metrics_add_refusal(call->server->metrics, KK_METRICS_NOT_READY);
            return kk_answer_not_ready(call);
        }
        j = new_job(call, engine);
        if (j == NULL) {
            const kokoro_error err = {.status = KOKORO_NO_MEMORY, .message = "out of memory"};
            kk_api_from_engine(&error, &err, NULL);
            status = 503; /* as the table says; written out for readers that do not follow it */
        }
    }
    if (status == 0)
        status = read_request(j, call, &error);
    if (status == 0)
        status = queue_job(j, call, &error);
    if (status == 0)
        return KK_HTTP_LATER;
    if (j != NULL)
        free_job(j);
    kk_metrics_add_refusal(call->server->metrics, refusal_of(&error));
    return kk_answer_error(call, &error);
}
