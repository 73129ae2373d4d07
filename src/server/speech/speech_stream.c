/*
 * speech_stream.c - the connection's thread keeps the bytes that come; the stream's own reads them
 * into lines, lines into clauses, and speaks those, with one encoder over all of it.
 *
 * The headers go out when the first clause was read; what fails before has its status.
 */
#include "server/speech/speech_stream.h"

#include "server/server_state.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/utf8.h"
#include "server/speech/feed_speech.h"
#include "server/speech/speech_answer.h"
#include "server/speech/speech_loudness.h"
#include "server/speech/speech_queue.h"
#include "server/speech/text_lines.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

struct kk_speech_streams {
    struct kk_server *server;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t n;
    atomic_bool must_end;
};

typedef struct stream {
    kk_speech_streams *all;
    kk_server *server;
    kokoro_engine *engine; /* held */
    kk_http_exchange *exchange;
    const kk_http_request *http;
    kk_speech_request request;
    kk_speech_entry entry; /* of no cache: nobody sends the same text the same way twice */
    kk_speech_answer answer;
    kk_feed_speech speech;
    kk_text_lines lines;
    kk_text_feed feed;
    kk_buf text;   /* of one line */
    double came_s; /* the last bytes */

    pthread_mutex_t mutex; /* over what the connection's thread writes: */
    pthread_cond_t came;
    kk_buf in;
    bool has_end;
} stream;

/* --- the connection's thread --- */

static void keep_bytes(void *user, const char *data, size_t len)
{
    stream *st = user;
    (void)pthread_mutex_lock(&st->mutex);
    kk_buf_append(&st->in, data, len);
    st->has_end |= len == 0;
    (void)pthread_cond_signal(&st->came);
    (void)pthread_mutex_unlock(&st->mutex);
}

static void wake(void *user)
{
    stream *st = user;
    (void)pthread_mutex_lock(&st->mutex);
    (void)pthread_cond_signal(&st->came);
    (void)pthread_mutex_unlock(&st->mutex);
}

/* --- the stream's thread: text --- */

static bool is_over(void *user)
{
    const stream *st = user;
    return kk_http_is_gone(st->exchange) || atomic_load(&st->all->must_end);
}

/* The server ends, and nothing is spoken yet for which its client would wait: another server may
 * do that, if he is told. */
static bool is_too_late(const stream *st)
{
    return !st->answer.is_sending && kk_server_is_draining(st->server);
}

static struct timespec time_after(double seconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    const long long ns = until.tv_nsec + (long long)(1e9 * seconds);
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    return until;
}

/* Take in what has come; where that is nothing, wait for it, at most so long. */
static int take_bytes(stream *st, double wait_s, kokoro_error *err)
{
    const struct timespec until = time_after(wait_s < 1.0 ? wait_s : 1.0);
    (void)pthread_mutex_lock(&st->mutex);
    if (st->in.len == 0 && !st->in.failed && !st->has_end && wait_s > 0.0 && !is_over(st))
        (void)pthread_cond_timedwait(&st->came, &st->mutex, &until);
    bool is_well = !st->in.failed;
    if (is_well && st->in.len > 0) {
        is_well = kk_text_lines_add(&st->lines, st->in.data, st->in.len);
        kk_buf_clear(&st->in);
        st->came_s = kk_now_s();
    }
    if (st->has_end)
        kk_text_lines_end(&st->lines);
    (void)pthread_mutex_unlock(&st->mutex);
    if (!is_well)
        return kk_fail_memory(err);
    if (is_over(st))
        return kk_fail(err, KOKORO_CANCELLED, "the client is gone");
    if (is_too_late(st))
        return kk_fail(err, KOKORO_CANCELLED, "the server is stopping");
    if (kk_now_s() - st->came_s > KK_SPEECH_STREAM_IDLE_S)
        return kk_fail(err, KOKORO_CANCELLED, "no text came for %d seconds",
                       KK_SPEECH_STREAM_IDLE_S);
    return KOKORO_OK;
}

/* Text that goes to be spoken: it counts among the characters of its key. */
static int feed_text(stream *st, kokoro_error *err)
{
    kk_slice text = {kk_buf_str(&st->text), st->text.len};
    kk_access_add_chars(st->server->access, st->http, kk_utf8_count(text));
    return kk_text_feed_add(&st->feed, text, kk_now_s(), err);
}

/* The lines that have come go into the feed. */
static int take_lines(stream *st, kokoro_error *err)
{
    kk_slice line;
    int status;
    while (kk_text_lines_next(&st->lines, &line, &status, err)) {
        status = kk_text_lines_read(&st->lines, line, &st->text, err);
        if (status == KOKORO_OK)
            status = feed_text(st, err);
        if (status != KOKORO_OK)
            return status;
    }
    if (status == KOKORO_OK && st->lines.is_done && !st->feed.is_ended)
        status = kk_text_feed_end(&st->feed, err);
    return status;
}

static int next_text(void *user, double buffered_s, kk_feed_text *out, kokoro_error *err)
{
    stream *st = user;
    double wait_s = 0.0;
    for (;;) {
        int status = take_bytes(st, wait_s, err);
        if (status == KOKORO_OK)
            status = take_lines(st, err);
        if (status != KOKORO_OK)
            return status;
        int verdict = kk_text_feed_take(&st->feed, kk_now_s(), buffered_s, out, &wait_s, err);
        if (verdict != KK_FEED_WAIT)
            return verdict;
    }
}

/* --- the stream's thread: speech --- */

static int on_chunk(void *user, const kokoro_chunk *chunk)
{
    stream *st = user;
    kokoro_chunk part = *chunk;
    part.n_total = 0; /* it is that of its clause */
    return kk_speech_answer_add(&st->answer, &part);
}

/* A clause was read: from here on a failure has no status of its own. */
static void on_accepted(void *user)
{
    stream *st = user;
    const kk_speech_count *count = &st->speech.count;
    st->answer.queue_ms = 1e3 * (count->started_s - count->queued_s);
    if (!st->answer.is_sending)
        kk_speech_answer_start(&st->answer, &st->speech.call_stats);
}

/* How much text will come nobody knows: some must be left of the key's characters. */
static int check_chars(const stream *st, kk_api_error *error)
{
    unsigned wait_s = kk_access_take_chars(st->server->access, st->http, 1);
    if (wait_s == 0)
        return 0;
    (void)kk_api_fail(error, 429, NULL, "rate_limit_exceeded",
                      "the key has used up its characters; there are some again in %u s", wait_s);
    error->retry_after_s = (int)wait_s;
    return error->http_status;
}

/* The first line, which a client has ready: one that sends none in time holds up those to come. */
static int take_first_line(stream *st, kk_slice *line, kokoro_error *err)
{
    int status = KOKORO_OK;
    while (status == KOKORO_OK && !kk_text_lines_next(&st->lines, line, &status, err) &&
           status == KOKORO_OK && !st->lines.is_done) {
        status = take_bytes(st, 1.0, err);
        if (status == KOKORO_OK && kk_now_s() - st->http->start_s > KK_SERVER_REQUEST_S)
            status =
                kk_fail(err, KOKORO_CANCELLED, "no line came for %d seconds", KK_SERVER_REQUEST_S);
    }
    return status;
}

/* What ended the stream before it spoke: the server's end, or text that did not come. */
static int fail_late(const stream *st, kk_api_error *error, const kokoro_error *err)
{
    if (!is_too_late(st))
        return kk_api_fail(error, 408, NULL, "request_timeout", "%s", err->message);
    return kk_api_fail_stopping(error, KK_SPEECH_STOPPING_S);
}

/* The first line; an empty body has none and says that nothing is to be spoken. 0, or the status in
 * *error. */
static int read_request(stream *st, kk_api_error *error)
{
    const kk_config *config = kk_server_config(st->server);
    const kk_speech_limits limits = {.max_chars =
                                         (size_t)kk_config_int(config, KK_SET_MAX_INPUT_CHARS),
                                     .default_voice = kk_config_text(config, KK_SET_VOICE),
                                     .skips_silence = kk_config_bool(config, KK_SET_SKIP_SILENCE),
                                     .loudness_lufs = kk_config_real(config, KK_SET_LOUDNESS),
                                     .text_follows = true};
    kokoro_error err = {.status = KOKORO_OK};
    kk_slice line = KK_SLICE("{}");
    int result = take_first_line(st, &line, &err);
    int status = 0;
    if (result == KOKORO_OK)
        status = kk_speech_request_parse(&st->request, line, &limits, error);
    if (result == KOKORO_OK && status == 0)
        status = check_chars(st, error);
    if (result == KOKORO_OK && status == 0)
        result = kk_text_feed_init(&st->feed, limits.max_chars, kk_now_s(), &err);
    /* Text of the first line is spoken too. */
    if (result == KOKORO_OK && status == 0)
        result = kk_text_lines_read(&st->lines, line, &st->text, &err);
    if (result == KOKORO_OK && status == 0)
        result = feed_text(st, &err);
    if (result == KOKORO_OK && status == 0) {
        st->engine = kk_server_need_engine(st->server, &err);
        result = st->engine != NULL ? kokoro_check_request(st->engine, &st->request.speak, &err)
                                    : err.status;
    }
    if (result == KOKORO_OK && status == 0)
        result = kk_speech_set_gain(st->server, st->engine, &st->request, &err);
    if (result == KOKORO_OK)
        return status;
    if (result == KOKORO_CANCELLED)
        return fail_late(st, error, &err);
    kk_api_from_engine(error, &err, st->request.text_param);
    return error->http_status;
}

static void send_refusal(stream *st, const kk_api_error *error)
{
    kk_http_response response = {.status = 200};
    kk_http_add_header(&response, "X-Request-Id", "%s", st->http->id);
    kk_api_respond(&response, error);
    const bool is_whole = !response.body.failed && !is_over(st);
    if (is_whole)
        kk_http_begin(st->exchange, &response, response.body.len);
    kk_http_end(st->exchange, is_whole);
    kk_buf_fini(&response.body);
}

static void refuse(stream *st, const kk_api_error *error)
{
    kk_metrics_add_refusal(st->server->metrics,
                           is_over(st) ? KK_METRICS_CANCELLED : kk_speech_refusal_of(error));
    send_refusal(st, error);
}

/* The end of the answer, however it came. */
static void end_answer(stream *st, int status, const kokoro_error *err)
{
    kk_api_error error;
    const bool is_late = status == KOKORO_CANCELLED && !is_over(st);
    if (status == KOKORO_BUSY) {
        (void)kk_speech_queue_refuse(st->server, &error);
        refuse(st, &error);
    } else if (is_late && !st->answer.is_sending) {
        (void)fail_late(st, &error, err);
        send_refusal(st, &error);
    } else {
        if (is_late)
            kk_http_set_failure(st->exchange, 408);
        kk_speech_answer_end(&st->answer, status, &st->speech.stats, 0, err);
    }
}

static void speak(stream *st)
{
    const double now_s = kk_now_s();
    kokoro_error err = {.status = KOKORO_OK};
    kk_feed_speech *run = &st->speech;
    *run = (kk_feed_speech){.speak = st->request.speak,
                            .skips_silence = st->request.skips_silence,
                            .next = next_text,
                            .chunk = on_chunk,
                            .user = st};
    run->speak.pieces = true;
    run->speak.pauses_max_s = KK_SPEECH_MAX_PAUSES_S;
    run->speak.group = st->http->group;
    run->speak.accepted = on_accepted;
    run->speak.accepted_user = st;
    run->speak.cancelled = is_over;
    run->speak.cancelled_user = st;
    run->count = (kk_speech_count){.server = st->server,
                                   .engine = st->engine,
                                   .exchange = st->exchange,
                                   .arrived_s = now_s,
                                   .queued_s = now_s,
                                   .started_s = now_s};
    kk_speech_answer_init(&st->answer, st->exchange, st->http, &st->request, &st->entry);
    kk_http_on_block(st->exchange, kk_feed_speech_block, run);
    kk_scheduler_speech_begins(st->server->scheduler);
    int status = kk_feed_speech_run(run, &err);
    kk_scheduler_speech_ends(st->server->scheduler);
    if (status == KOKORO_OK)
        status = kk_speech_answer_finish(&st->answer, &err);
    if (kk_speech_is_our_fault(status))
        kk_log_write(&st->server->log, KOKORO_LOG_ERROR, "request %s: %s", st->http->id,
                     err.message);
    kk_http_set_audio(st->exchange, run->stats.audio_s);
    end_answer(st, status, &err);
    kk_http_on_block(st->exchange, NULL, NULL);
    kk_speech_answer_fini(&st->answer);
}

static void free_stream(stream *st)
{
    kk_speech_request_fini(&st->request);
    kk_server_give_engine(st->server, st->engine);
    kk_text_lines_fini(&st->lines);
    kk_text_feed_fini(&st->feed);
    kk_buf_fini(&st->text);
    kk_buf_fini(&st->in);
    (void)pthread_cond_destroy(&st->came);
    (void)pthread_mutex_destroy(&st->mutex);
    kk_free(st);
}

static void leave(kk_speech_streams *all)
{
    (void)pthread_mutex_lock(&all->mutex);
    all->n--;
    (void)pthread_cond_signal(&all->changed);
    (void)pthread_mutex_unlock(&all->mutex);
}

static void *run_stream(void *user)
{
    stream *st = user;
    kk_speech_streams *all = st->all;
    kk_api_error error;
    if (read_request(st, &error) == 0)
        speak(st);
    else
        refuse(st, &error);
    kk_http_release(st->exchange);
    free_stream(st);
    leave(all);
    return NULL;
}

/* --- the connection's side --- */

static bool enter(kk_speech_streams *all)
{
    (void)pthread_mutex_lock(&all->mutex);
    bool has_room = all->n < KK_SPEECH_MAX_STREAMS && !atomic_load(&all->must_end);
    all->n += has_room;
    (void)pthread_mutex_unlock(&all->mutex);
    return has_room;
}

static stream *new_stream(const kk_call *call)
{
    stream *st = kk_calloc(1, sizeof(*st));
    if (st == NULL)
        return NULL;
    st->all = call->server->streams;
    st->server = call->server;
    st->exchange = call->exchange;
    st->http = call->request;
    st->came_s = kk_now_s();
    st->request.text_param = "text";
    if (pthread_mutex_init(&st->mutex, NULL) != 0) {
        kk_free(st);
        return NULL;
    }
    if (pthread_cond_init(&st->came, NULL) != 0) {
        (void)pthread_mutex_destroy(&st->mutex);
        kk_free(st);
        return NULL;
    }
    return st;
}

/* A thread that ends by itself. */
static bool start_thread(stream *st)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool is_started = pthread_create(&thread, &attributes, run_stream, st) == 0;
    (void)pthread_attr_destroy(&attributes);
    return is_started;
}

/* 0, or the error that the client gets. */
static int begin(const kk_call *call, kk_api_error *error)
{
    kk_speech_streams *all = call->server->streams;
    if (!enter(all)) {
        (void)kk_api_fail(error, 429, NULL, "queue_full",
                          "%d texts are spoken as they come already", KK_SPEECH_MAX_STREAMS);
        error->retry_after_s = 2;
        return error->http_status;
    }
    stream *st = new_stream(call);
    if (st != NULL) {
        kk_http_hold(st->exchange);
        kk_http_on_gone(st->exchange, wake, st);
        kk_http_take_body(st->exchange, keep_bytes, st);
        if (start_thread(st))
            return 0;
        kk_http_take_body(st->exchange, NULL, NULL);
        kk_http_on_gone(st->exchange, NULL, NULL);
        kk_http_release(st->exchange);
        free_stream(st);
    }
    leave(all);
    (void)kk_api_fail(error, 503, NULL, "out_of_memory", "out of memory; try again");
    error->retry_after_s = 1;
    return error->http_status;
}

enum kk_http_verdict kk_post_speech_stream(const kk_call *call)
{
    kk_api_error error;
    int status = 0;
    if (kk_server_is_draining(call->server)) {
        status = kk_api_fail_stopping(&error, KK_SPEECH_STOPPING_S);
    } else if (!kk_server_is_ready(call->server)) {
        kk_metrics_add_refusal(call->server->metrics, KK_METRICS_NOT_READY);
        return kk_answer_not_ready(call);
    }
    if (status == 0)
        status = kk_speech_queue_check(call->server, call->request->group, &error);
    if (status == 0)
        status = begin(call, &error);
    if (status == 0)
        return KK_HTTP_LATER;
    kk_metrics_add_refusal(call->server->metrics, kk_speech_refusal_of(&error));
    return kk_answer_error(call, &error);
}

/* --- all of them --- */

int kk_speech_streams_create(kk_speech_streams **out, struct kk_server *server, kokoro_error *err)
{
    kk_speech_streams *all = kk_calloc(1, sizeof(*all));
    *out = NULL;
    if (all == NULL)
        return kk_fail_memory(err);
    all->server = server;
    if (pthread_mutex_init(&all->mutex, NULL) != 0) {
        kk_free(all);
        return kk_fail_memory(err);
    }
    if (pthread_cond_init(&all->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&all->mutex);
        kk_free(all);
        return kk_fail_memory(err);
    }
    *out = all;
    return KOKORO_OK;
}

size_t kk_speech_streams_count(kk_speech_streams *all)
{
    if (all == NULL)
        return 0;
    (void)pthread_mutex_lock(&all->mutex);
    size_t n = all->n;
    (void)pthread_mutex_unlock(&all->mutex);
    return n;
}

void kk_speech_streams_end(kk_speech_streams *all)
{
    if (all == NULL)
        return;
    atomic_store(&all->must_end, true); /* each looks within a second */
    (void)pthread_mutex_lock(&all->mutex);
    while (all->n > 0)
        (void)pthread_cond_wait(&all->changed, &all->mutex);
    (void)pthread_mutex_unlock(&all->mutex);
}

void kk_speech_streams_destroy(kk_speech_streams **streams)
{
    kk_speech_streams *all = streams != NULL ? *streams : NULL;
    if (all == NULL)
        return;
    *streams = NULL;
    kk_speech_streams_end(all);
    (void)pthread_cond_destroy(&all->changed);
    (void)pthread_mutex_destroy(&all->mutex);
    kk_free(all);
}
