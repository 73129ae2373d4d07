/*
 * speech.c - POST /v1/audio/speech. The connection's thread reads and checks the request, looks
 * whether its answer is kept (speech_cache.h), and else puts it into the queue; a worker speaks it,
 * and its answer (speech_answer.h) sends it.
 *
 * Nothing is sent before the text is read, so that what is wrong with a request has its status.
 */
#include "server/server_state.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "server/speech/speech_answer.h"
#include "server/speech/speech_count.h"
#include "server/speech/speech_loudness.h"
#include "server/speech/speech_queue.h"

typedef struct job {
    kk_server *server;
    kokoro_engine *engine; /* held while the job lives; NULL: unloaded when the request came */
    kk_http_exchange *exchange;
    const kk_http_request *http;
    kk_speech_request request;
    kk_speech_entry entry;
    kk_speech_answer answer;
    kk_speech_count count;
    const kokoro_stats *stats; /* as the engine goes on filling them */
    kk_job_guest *place;       /* while a worker has it */
} job;

static void free_job(job *j)
{
    kk_speech_answer_fini(&j->answer);
    kk_speech_entry_drop(&j->entry);
    kk_speech_request_fini(&j->request);
    kk_server_give_engine(j->server, j->engine);
    kk_free(j);
}

/* --- the worker's side --- */

static int on_chunk(void *user, const kokoro_chunk *chunk)
{
    job *j = user;
    kk_speech_count_chunk(&j->count, chunk, j->stats->model_ms);
    return kk_speech_answer_add(&j->answer, chunk);
}

static void on_accepted(void *user)
{
    job *j = user;
    kk_speech_answer_start(&j->answer, j->stats);
}

static bool is_gone(void *user)
{
    job *j = user;
    return kk_http_is_gone(j->answer.exchange);
}

/* Speak, and tell what went wrong in the engine's or the encoder's words. A client that leaves
 * stops the model inside an inference. */
static int speak(job *j, kokoro_stats *stats, kokoro_error *err)
{
    if (is_gone(j))
        return KOKORO_CANCELLED;
    if (j->engine == NULL) { /* else read_request has looked at it */
        j->engine = kk_server_need_engine(j->server, err);
        if (j->engine == NULL ||
            kk_speech_set_gain(j->server, j->engine, &j->request, err) != KOKORO_OK)
            return err->status;
    }
    j->count.engine = j->engine;
    j->request.speak.cancelled = is_gone;
    j->request.speak.cancelled_user = j;
    j->request.speak.accepted = on_accepted;
    j->request.speak.accepted_user = j;
    j->request.speak.group = j->http->group;
    j->request.speak.pauses_max_s = KK_SPEECH_MAX_PAUSES_S;
    j->request.speak.skip_silence = j->request.skips_silence;
    if (j->request.is_streamed) {
        j->request.speak.pieces = true;
        j->request.speak.first_sound_within_s = kk_speech_due_s(j->server, j->http->start_s);
    }
    int status = kokoro_speak(j->engine, &j->request.speak, on_chunk, j, stats, err);
    if (status == KOKORO_OK)
        status = kk_speech_answer_finish(&j->answer, err);
    if (status == KOKORO_CANCELLED && kk_speech_answer_failed(&j->answer, err) != KOKORO_OK)
        status = err->status;
    return status;
}

/* A client that takes nothing keeps nobody else from speaking. */
static void on_block(void *user, bool is_blocked)
{
    job *j = user;
    if (is_blocked)
        kk_jobs_leave(j->server->jobs, j->place);
    else
        (void)kk_jobs_enter(j->server->jobs, j->place, 0, NULL,
                            NULL); /* it has begun: it gets in */
}

static void run_job(void *user)
{
    job *j = user;
    kokoro_stats stats = {0};
    kokoro_error err = {.status = KOKORO_OK};
    j->count.started_s = kk_now_s();
    j->answer.queue_ms = 1e3 * (j->count.started_s - j->count.queued_s);
    j->stats = &stats;
    kk_http_on_block(j->exchange, on_block, j);
    int status = speak(j, &stats, &err);
    if (kk_speech_is_our_fault(status))
        kk_log_write(&j->server->log, KOKORO_LOG_ERROR, "request %s: %s", j->http->id, err.message);
    kk_scheduler_speech_ends(j->server->scheduler);
    kk_jobs_made(j->server->jobs, j->place, stats.audio_s);
    /* Counted before the answer ends: who has the answer finds it counted. */
    kk_speech_count_end(&j->count, status, &stats);
    kk_http_set_audio(j->answer.exchange, stats.audio_s);
    kk_speech_answer_end(&j->answer, status, &stats, kk_server_identity(j->server, j->engine),
                         &err);
    kk_http_on_block(j->exchange, NULL, NULL);
    kk_http_release(j->answer.exchange);
    free_job(j);
}

/* --- the connection's side --- */

/* 0, or the error that the client gets. */
static int check_state(const kk_call *call, kk_api_error *error)
{
    if (!kk_server_is_draining(call->server))
        return 0;
    call->response->must_close = true;
    return kk_api_fail_stopping(error, KK_SPEECH_STOPPING_S);
}

static int read_request(job *j, const kk_call *call, kk_api_error *error)
{
    const kk_config *config = kk_server_config(call->server);
    const kk_speech_limits limits = {.max_chars =
                                         (size_t)kk_config_int(config, KK_SET_MAX_INPUT_CHARS),
                                     .default_voice = kk_config_text(config, KK_SET_VOICE),
                                     .skips_silence = kk_config_bool(config, KK_SET_SKIP_SILENCE),
                                     .loudness_lufs = kk_config_real(config, KK_SET_LOUDNESS)};
    kokoro_error err;
    int status = kk_speech_request_parse(&j->request, call->request->body, &limits, error);
    if (status == 0 && j->engine != NULL &&
        (kokoro_check_request(j->engine, &j->request.speak, &err) != KOKORO_OK ||
         kk_speech_set_gain(j->server, j->engine, &j->request, &err) != KOKORO_OK)) {
        kk_api_from_engine(error, &err, j->request.text_param);
        status = error->http_status;
    }
    return status;
}

/* What the key may still have spoken in this minute. */
static int charge(const job *j, const kk_call *call, kk_api_error *error)
{
    const kokoro_request *speak = &j->request.speak;
    unsigned wait_s = kk_access_take_chars(call->server->access, call->request,
                                           kk_utf8_count((kk_slice){speak->text, speak->text_len}));
    if (wait_s == 0)
        return 0;
    (void)kk_api_fail(error, 429, NULL, "rate_limit_exceeded",
                      "the key has used up its characters; there are enough again in %u s", wait_s);
    error->retry_after_s = (int)wait_s;
    return error->http_status;
}

static int queue_job(job *j, kk_api_error *error)
{
    kk_server *server = j->server;
    kk_speech_answer_init(&j->answer, j->exchange, j->http, &j->request, &j->entry);
    j->count = (kk_speech_count){.server = server,
                                 .engine = j->engine,
                                 .exchange = j->exchange,
                                 .arrived_s = j->http->start_s,
                                 .queued_s = kk_now_s()};
    kk_http_hold(j->exchange);
    kk_scheduler_speech_begins(server->scheduler);
    const kk_job_kind kind = {.group = j->http->group,
                              .is_patient = !j->request.is_streamed,
                              .sound_s = kk_speech_probable_s(&j->request.speak),
                              .is_over = is_gone};
    if (kk_jobs_add_of(server->jobs, run_job, j, kind, kk_speech_queue_limit(server), &j->place) ==
        KOKORO_OK)
        return 0;
    kk_scheduler_speech_ends(server->scheduler);
    kk_http_release(j->exchange);
    return kk_speech_queue_refuse(server, error);
}

/* The look took longer, and its end came on another thread. */
static void after_look(void *user, bool is_answered)
{
    job *j = user;
    kk_api_error error;
    if (!is_answered && queue_job(j, &error) == 0)
        return;
    if (!is_answered) {
        kk_http_response response = {.status = 200};
        kk_http_add_header(&response, "X-Request-Id", "%s", j->http->id);
        kk_api_respond(&response, &error);
        kk_metrics_add_refusal(j->server->metrics, kk_speech_refusal_of(&error));
        const bool is_whole = !response.body.failed;
        if (is_whole)
            kk_http_begin(j->exchange, &response, response.body.len);
        kk_http_end(j->exchange, is_whole);
        kk_buf_fini(&response.body);
    }
    free_job(j);
}

/* A job that holds the engine, where one is loaded. */
static job *new_job(const kk_call *call)
{
    job *j = kk_calloc(1, sizeof(*j));
    if (j == NULL)
        return NULL;
    j->server = call->server;
    j->exchange = call->exchange;
    j->http = call->request;
    j->engine = kk_server_take_engine(call->server);
    return j;
}

static enum kk_speech_look look(job *j, const kk_call *call)
{
    return kk_speech_cache_look(j->server->results, &j->entry, j->exchange, j->http, &j->request,
                                kk_server_identity(j->server, j->engine), call->response,
                                after_look, j);
}

enum kk_http_verdict kk_post_speech(const kk_call *call)
{
    kk_api_error error;
    job *j = NULL;
    int status = check_state(call, &error);
    if (status == 0 && !kk_server_is_ready(call->server)) {
        kk_metrics_add_refusal(call->server->metrics, KK_METRICS_NOT_READY);
        return kk_answer_not_ready(call);
    }
    if (status == 0) {
        j = new_job(call);
        if (j == NULL) {
            const kokoro_error err = {.status = KOKORO_NO_MEMORY, .message = "out of memory"};
            kk_api_from_engine(&error, &err, NULL);
            status = 503; /* as the table says; written out for readers that do not follow it */
        }
    }
    if (status == 0)
        status = read_request(j, call, &error);
    if (status == 0)
        status = charge(j, call, &error);
    if (status == 0) {
        switch (look(j, call)) {
        case KK_LOOK_LATER:
            return KK_HTTP_LATER;
        case KK_LOOK_HIT:
            free_job(j);
            return KK_HTTP_NOW;
        case KK_LOOK_MISS:
            status = queue_job(j, &error);
            break;
        }
    }
    if (status == 0)
        return KK_HTTP_LATER;
    if (j != NULL)
        free_job(j);
    kk_metrics_add_refusal(call->server->metrics, kk_speech_refusal_of(&error));
    return kk_answer_error(call, &error);
}
