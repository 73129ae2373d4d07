/*
 * wyoming_session.c - what one connection of the Wyoming protocol says and is answered.
 *
 *     describe                     -> info
 *     ping                         -> pong
 *     synthesize                   -> audio-start, audio-chunk ..., audio-stop
 *     synthesize-start
 *     synthesize-chunk ...         -> the same, while text still comes in; then
 *     synthesize-stop                 synthesize-stopped
 *
 * Between start and stop a synthesize repeats the whole text for servers that cannot stream: it is
 * passed over, or all would be said twice. Other events are passed over, as the protocol wants it.
 *
 * What is wrong is answered by an error, and the connection goes on. But behind that of a plain
 * synthesize it ends: Home Assistant takes no notice of errors and reads on to an audio-stop or to
 * the end; an audio-stop would be speech without a sound, the end is a failure, which it tells of.
 *
 * One thread does it all: while the engine speaks it asks every few milliseconds whether to go on,
 * and what has come in meanwhile is taken then.
 */
#include "server/wyoming/wyoming_link.h"

#include "base/clock.h"
#include "base/status.h"
#include "base/utf8.h"
#include "codec/codec.h"
#include "server/speech/feed_speech.h"
#include "server/speech/speech_loudness.h"
#include "server/speech/speech_queue.h"
#include "server/wyoming/wyoming_event.h"

#include <stdio.h>
#include <string.h>

enum {
    /* Samples of one audio-chunk: 0.1 s. */
    CHUNK = KOKORO_SAMPLE_RATE_HZ / 10,
    MAX_VOICE = 2048
};

static const char audio_format[] = "{\"rate\":24000,\"width\":2,\"channels\":1}";

/* One speech of the connection, from its first event to its last. */
typedef struct speech {
    char voice[MAX_VOICE];
    kk_text_feed feed;
    bool is_streamed; /* text still comes in, by events */
    bool has_audio;   /* audio-start was sent */
    bool has_error;   /* a part of its text was refused, which was told */
    double begun_s;   /* kk_now_s */
    const char *name; /* of the event that began it */
} speech;

typedef struct session {
    kk_server *server;
    kk_wyoming_link link;
    bool is_refused; /* between a synthesize-start that failed and its synthesize-stop */
    bool must_end;   /* a synthesize failed, whose client waits for the connection's end */
} session;

static void send_error(session *s, const kk_api_error *error)
{
    char shown[sizeof(error->message)];
    (void)kk_wyoming_link_send_json(&s->link, "error",
                                    json_pack("{s:s, s:s?}", "text",
                                              kk_text_shown(shown, sizeof(shown), error->message),
                                              "code", error->code));
}

static void send_problem(session *s, const kokoro_error *err, const char *code)
{
    kk_api_error error;
    kk_api_from_engine(&error, err, NULL);
    if (code != NULL)
        error.code = code;
    send_error(s, &error);
}

/* --- describe, ping --- */

static void add_voice(void *user, const kokoro_voice *voice)
{
    (void)json_array_append_new(user, kk_wyoming_voice(voice));
}

/* The voices are known before the model is loaded. */
static void describe(session *s)
{
    kokoro_error err;
    const char *path = kk_config_text(kk_server_config(s->server), KK_SET_VOICES);
    json_t *voices = json_array();
    int status = kokoro_list_voices(path, add_voice, voices, &err);
    if (status == KOKORO_OK) {
        (void)kk_wyoming_link_send_json(&s->link, "info", kk_wyoming_info(voices));
        return;
    }
    json_decref(voices);
    send_problem(s, &err, "no_voices");
}

static void pong(session *s, const json_t *data)
{
    const json_t *text = json_object_get(data, "text");
    (void)kk_wyoming_link_send_json(
        &s->link, "pong",
        json_pack("{s:s?}", "text", json_is_string(text) ? json_string_value(text) : NULL));
}

/* What is answered at any time; false for other events. */
static bool answer(session *s, const kk_wyoming_event *event)
{
    if (strcmp(event->type, "describe") == 0)
        describe(s);
    else if (strcmp(event->type, "ping") == 0)
        pong(s, event->data);
    else
        return false;
    return true;
}

/* The next event; false when there is none yet. What cannot be read is answered here. */
static bool next_event(session *s, kk_wyoming_event *event)
{
    kokoro_error err = {.status = KOKORO_OK};
    for (;;) {
        enum kk_wyoming_verdict verdict = kk_wyoming_reader_next(&s->link.reader, event, &err);
        if (verdict == KK_WYOMING_MORE || verdict == KK_WYOMING_EVENT)
            return verdict == KK_WYOMING_EVENT;
        if (verdict != KK_WYOMING_NO_MEMORY)
            send_problem(s, &err, "invalid_event");
        if (verdict != KK_WYOMING_BAD)
            s->link.is_gone = true;
        if (s->link.is_gone)
            return false;
    }
}

/* --- sound --- */

typedef struct speaker {
    session *session;
    speech *speech;
    kk_encoder *encoder; /* of the loudness; gives bytes as an audio-chunk has them */
    unsigned char bytes[2 * CHUNK];
    size_t len;
} speaker;

static bool is_over(void *user)
{
    const speaker *sp = user;
    kk_wyoming_link_pump(&sp->session->link);
    return kk_wyoming_link_is_over(&sp->session->link);
}

static bool send_bytes(speaker *sp)
{
    const kk_slice bytes = {(const char *)sp->bytes, sp->len};
    sp->len = 0;
    return bytes.len == 0 ||
           kk_wyoming_link_send(&sp->session->link, "audio-chunk", KK_SLICE(audio_format), bytes);
}

static int take_bytes(void *user, const void *data, size_t len)
{
    speaker *sp = user;
    const unsigned char *at = data;
    while (len > 0) {
        const size_t room = sizeof(sp->bytes) - sp->len, now = len < room ? len : room;
        memcpy(sp->bytes + sp->len, at, now);
        sp->len += now;
        at += now;
        len -= now;
        if (sp->len == sizeof(sp->bytes) && !send_bytes(sp))
            return -1;
    }
    return 0;
}

static int on_chunk(void *user, const kokoro_chunk *chunk)
{
    speaker *sp = user;
    bool is_sent = true;
    if (!sp->speech->has_audio)
        is_sent = kk_wyoming_link_send(&sp->session->link, "audio-start", KK_SLICE(audio_format),
                                       KK_SLICE(""));
    sp->speech->has_audio = true;
    is_sent = is_sent &&
              kk_encoder_write(sp->encoder, chunk->samples, chunk->n_samples, NULL) == KOKORO_OK;
    return is_sent && send_bytes(sp) ? 0 : -1;
}

/* KOKORO_LOUDNESS holds for whoever asks. */
static int open_encoder(speaker *sp, const kokoro_engine *engine, const kk_config *config,
                        kokoro_error *err)
{
    kk_encoding encoding = KK_ENCODING_INIT;
    int status =
        kk_speech_gain(sp->session->server, engine, sp->speech->voice,
                       kk_config_real(config, KK_SET_LOUDNESS), false, &encoding.gain_db, err);
    if (status == KOKORO_OK)
        status = kk_encoder_open(&sp->encoder, kk_codec_find("pcm"), &encoding, KK_SAMPLES_UNKNOWN,
                                 take_bytes, sp, err);
    return status;
}

/* --- text --- */

/* Events of a streamed text. OK, or what ends the speech. */
static int take_event(session *s, speech *sp, const kk_wyoming_event *event, kokoro_error *err)
{
    kk_api_error error;
    kk_slice text;
    if (strcmp(event->type, "synthesize-stop") == 0) {
        sp->is_streamed = false;
        return kk_text_feed_end(&sp->feed, err);
    }
    if (strcmp(event->type, "synthesize-chunk") == 0) {
        if (kk_wyoming_take_text(event->data, &text, &error) == 0)
            return kk_text_feed_add(&sp->feed, text, kk_now_s(), err);
        send_error(s, &error);
        sp->has_error = true;
    } else if (strcmp(event->type, "synthesize-start") == 0) {
        (void)kk_api_fail(&error, 400, NULL, "invalid_event",
                          "a text is being streamed already; end it with synthesize-stop");
        send_error(s, &error);
    } else {
        (void)answer(s, event);
    }
    return KOKORO_OK;
}

static int take_events(session *s, speech *sp, kokoro_error *err)
{
    kk_wyoming_event event;
    int status = KOKORO_OK;
    kk_wyoming_link_pump(&s->link);
    while (status == KOKORO_OK && sp->is_streamed && next_event(s, &event)) {
        status = take_event(s, sp, &event, err);
        kk_wyoming_event_fini(&event);
    }
    return status;
}

static int next_text(void *user, double buffered_s, kk_feed_text *out, kokoro_error *err)
{
    const speaker *sp = user;
    session *s = sp->session;
    for (;;) {
        double wait_s = 0.0;
        int status = take_events(s, sp->speech, err);
        if (status != KOKORO_OK)
            return status;
        if (kk_wyoming_link_is_late(&s->link))
            return kk_fail(err, KOKORO_CANCELLED, "the client went away");
        int verdict =
            kk_text_feed_take(&sp->speech->feed, kk_now_s(), buffered_s, out, &wait_s, err);
        if (verdict != KK_FEED_WAIT)
            return verdict;
        (void)kk_wyoming_link_wait(&s->link, wait_s < 1.0 ? wait_s : 1.0, false);
    }
}

/* --- speaking --- */

static void log_speech(session *s, const speech *sp, int status, double audio_s)
{
    kk_api_error error = {.http_status = 200};
    const kokoro_error err = {.status = status, .message = ""};
    if (status != KOKORO_OK)
        kk_api_from_engine(&error, &err, NULL);
    const kk_server_log_line line = {.id = "wyoming",
                                     .method = "WYOMING",
                                     .path = sp->name,
                                     .client = s->link.peer->address,
                                     .status = status == KOKORO_CANCELLED ? 499 : error.http_status,
                                     .time_s = kk_wall_s(),
                                     .elapsed_ms = 1e3 * (kk_now_s() - sp->begun_s),
                                     .audio_s = audio_s};
    if (s->server->options.log_request != NULL)
        s->server->options.log_request(s->server->options.user, &line);
}

/* All that come this way are as one key among keys. */
static uint64_t group_of(const session *s)
{
    return kk_server_has_keys(s->server) ? UINT64_MAX : 0;
}

static void refuse_full(session *s)
{
    kk_api_error error;
    (void)kk_speech_queue_refuse(s->server, &error);
    kk_metrics_add_refusal(s->server->metrics, KK_METRICS_BUSY);
    send_error(s, &error);
}

/* Speak what is there and what comes; `engine` is held, and the encoder is open. */
static void speak(session *s, speech *sp, kokoro_engine *engine, speaker *user)
{
    const kk_config *config = kk_server_config(s->server);
    kokoro_error err = {.status = KOKORO_OK};
    kk_feed_speech run = {.next = next_text, .chunk = on_chunk, .user = user};
    kokoro_request_init(&run.speak);
    run.speak.voice = sp->voice;
    run.speak.pieces = true;
    run.skips_silence = kk_config_bool(config, KK_SET_SKIP_SILENCE);
    run.speak.group = group_of(s);
    run.speak.cancelled = is_over;
    run.speak.cancelled_user = user;
    run.count = (kk_speech_count){.server = s->server,
                                  .engine = engine,
                                  .arrived_s = sp->begun_s,
                                  .queued_s = sp->begun_s,
                                  .started_s = sp->begun_s};
    s->link.on_block = kk_feed_speech_block;
    s->link.on_block_user = &run;
    (void)atomic_fetch_add(s->link.peer->n_speaking, 1);
    kk_scheduler_speech_begins(s->server->scheduler);
    int status = kk_feed_speech_run(&run, &err);
    if (status == KOKORO_OK) /* what the limiter holds back */
        status = kk_encoder_finish(user->encoder, &err);
    if (status == KOKORO_OK && !send_bytes(user))
        status = KOKORO_CANCELLED;
    kk_scheduler_speech_ends(s->server->scheduler);
    (void)atomic_fetch_sub(s->link.peer->n_speaking, 1);
    s->link.on_block = NULL;
    s->link.on_block_user = NULL;
    if (kk_speech_is_our_fault(status))
        kk_log_write(&s->server->log, KOKORO_LOG_ERROR, "wyoming: %s", err.message);
    log_speech(s, sp, status, run.stats.audio_s);
    if (status == KOKORO_CANCELLED) {
        s->link.is_gone = true;
        return;
    }
    if (status == KOKORO_BUSY)
        refuse_full(s);
    else if (status != KOKORO_OK && !(status == KOKORO_NO_SPEECH && sp->has_error))
        send_problem(s, &err, NULL);
    if (sp->has_audio)
        (void)kk_wyoming_link_send(&s->link, "audio-stop", KK_SLICE(""), KK_SLICE(""));
    s->must_end = status != KOKORO_OK && strcmp(sp->name, "synthesize") == 0;
}

static int check_state(session *s, kk_api_error *error)
{
    if (!kk_server_is_draining(s->server))
        return 0;
    return kk_api_fail_stopping(error, 0);
}

/* The engine, held; one that was idle for long is opened again. */
static int need_engine(session *s, kokoro_engine **out, kk_api_error *error)
{
    kokoro_error err;
    if (!kk_server_is_ready(s->server))
        return kk_api_fail(error, 503, NULL, "model_loading", "the model is not loaded yet");
    *out = kk_server_need_engine(s->server, &err);
    if (*out != NULL)
        return 0;
    kk_api_from_engine(error, &err, NULL);
    return error->http_status;
}

/* Voice and first text of a speech. 0, or what is wrong. */
static int prepare(session *s, speech *sp, const kokoro_engine *engine,
                   const kk_wyoming_event *event, kk_api_error *error)
{
    const kk_config *config = kk_server_config(s->server);
    kk_wyoming_wish wish;
    kk_slice text = {"", 0};
    kokoro_error err;
    int status = kk_wyoming_take_wish(event->data, &wish, error);
    if (status == 0 && !sp->is_streamed)
        status = kk_wyoming_take_text(event->data, &text, error);
    if (status == 0)
        status = kk_wyoming_choose_voice(engine, &wish, kk_config_text(config, KK_SET_VOICE),
                                         sp->voice, sizeof(sp->voice), error);
    if (status != 0)
        return status;
    int result = kk_text_feed_init(&sp->feed, (size_t)kk_config_int(config, KK_SET_MAX_INPUT_CHARS),
                                   sp->begun_s, &err);
    if (result == KOKORO_OK && !sp->is_streamed)
        result = kk_text_feed_add(&sp->feed, text, sp->begun_s, &err);
    if (result == KOKORO_OK && !sp->is_streamed)
        result = kk_text_feed_end(&sp->feed, &err);
    if (result != KOKORO_OK)
        kk_api_from_engine(error, &err, "text");
    return result == KOKORO_OK ? 0 : error->http_status;
}

/* The voice must be there before its text is waited for. */
static int check_voice(speaker *user, kokoro_engine *engine, kk_api_error *error)
{
    kokoro_request request;
    kokoro_error err;
    kokoro_request_init(&request);
    request.voice = user->speech->voice;
    int status = kokoro_check_request(engine, &request, &err);
    if (status == KOKORO_OK)
        status = open_encoder(user, engine, kk_server_config(user->session->server), &err);
    if (status == KOKORO_OK)
        return 0;
    kk_api_from_engine(error, &err, NULL);
    return error->http_status;
}

/* A synthesize, or a synthesize-start and all that belongs to it. */
static void begin_speech(session *s, const kk_wyoming_event *event, bool is_streamed)
{
    kk_api_error error;
    speech sp = {.is_streamed = is_streamed,
                 .begun_s = kk_now_s(),
                 .name = is_streamed ? "synthesize-start" : "synthesize"};
    speaker user = {.session = s, .speech = &sp};
    kokoro_engine *engine = NULL;
    int status = check_state(s, &error);
    if (status == 0)
        status = kk_speech_queue_check(s->server, group_of(s), &error);
    if (status == 0)
        status = need_engine(s, &engine, &error);
    if (status == 0)
        status = prepare(s, &sp, engine, event, &error);
    if (status == 0)
        status = check_voice(&user, engine, &error);
    if (status == 0) {
        speak(s, &sp, engine, &user);
        /* Text that comes after a failure belongs to it still. */
        s->is_refused = sp.is_streamed;
        if (is_streamed && !sp.is_streamed)
            (void)kk_wyoming_link_send(&s->link, "synthesize-stopped", KK_SLICE(""), KK_SLICE(""));
    } else {
        kk_metrics_add_refusal(s->server->metrics, kk_speech_refusal_of(&error));
        send_error(s, &error);
        s->is_refused = is_streamed;
        s->must_end = !is_streamed;
    }
    kk_encoder_close(&user.encoder);
    kk_text_feed_fini(&sp.feed);
    kk_server_give_engine(s->server, engine);
}

/* Of a streamed text that was refused: passed over up to its end. */
static void pass_over(session *s, const kk_wyoming_event *event)
{
    if (strcmp(event->type, "synthesize-stop") == 0) {
        s->is_refused = false;
        (void)kk_wyoming_link_send(&s->link, "synthesize-stopped", KK_SLICE(""), KK_SLICE(""));
    } else {
        (void)answer(s, event);
    }
}

static void handle(session *s, const kk_wyoming_event *event)
{
    if (s->is_refused)
        pass_over(s, event);
    else if (strcmp(event->type, "synthesize") == 0)
        begin_speech(s, event, false);
    else if (strcmp(event->type, "synthesize-start") == 0)
        begin_speech(s, event, true);
    else
        (void)answer(s, event);
}

void kk_wyoming_session_run(const kk_wyoming_peer *peer)
{
    session s = {.server = peer->server};
    bool is_draining = false;
    kk_wyoming_link_init(&s.link, peer);
    while (!is_draining && !s.must_end && !kk_wyoming_link_is_late(&s.link)) {
        kk_wyoming_event event;
        is_draining = kk_wyoming_link_wait(&s.link, 1.0, true);
        /* Also of a client that has closed its side: what it asked before is answered. */
        while (!s.must_end && next_event(&s, &event)) {
            handle(&s, &event);
            kk_wyoming_event_fini(&event);
        }
    }
    if (s.must_end)
        kk_wyoming_link_finish(&s.link);
    kk_wyoming_link_fini(&s.link);
}
