/* speech_answer.c - samples to encoded bytes to the client, streamed or whole. */
#include "server/speech/speech_answer.h"

#include "base/clock.h"
#include "base/status.h"

#include <string.h>

void kk_speech_answer_headers(kk_http_response *response, const kk_speech_request *request)
{
    if (request->has_instructions)
        kk_http_add_header(response, "X-Kokoro-Ignored", "instructions");
    if (request->frame == KK_FRAME_EVENTS) {
        kk_http_add_header(response, "Cache-Control", "no-cache");
        kk_http_add_header(response, "X-Accel-Buffering", "no"); /* of a proxy */
    }
}

void kk_speech_answer_init(kk_speech_answer *answer, kk_http_exchange *exchange,
                           const kk_http_request *http, const kk_speech_request *request,
                           kk_speech_entry *entry)
{
    *answer =
        (kk_speech_answer){.exchange = exchange, .http = http, .request = request, .entry = entry};
    answer->response.status = 200;
    answer->max_whole = request->frame == KK_FRAME_OBJECT ? KK_SPEECH_MAX_WHOLE / 4 * 3
                                                          : (size_t)KK_SPEECH_MAX_WHOLE;
    kk_frame_words_init(&answer->words, request);
    kk_http_add_header(&answer->response, "X-Request-Id", "%s", http->id);
    kk_speech_answer_headers(&answer->response, request);
    if (entry->cache != NULL)
        kk_http_add_header(&answer->response, "X-Cache", "miss");
}

void kk_speech_answer_fini(kk_speech_answer *answer)
{
    kk_encoder_close(&answer->encoder);
    kk_frame_words_fini(&answer->words);
    kk_buf_fini(&answer->unframed);
    kk_buf_fini(&answer->response.body);
}

/* Bytes that nobody takes before the end, so that no client holds them back. */
static int collect_bytes(kk_speech_answer *answer, const void *data, size_t len)
{
    kk_buf *body = &answer->response.body;
    answer->is_too_long = answer->is_too_long || len > answer->max_whole - body->len;
    if (answer->is_too_long)
        return -1;
    answer->has_no_room = !kk_http_collect(answer->exchange, body->len + len);
    if (answer->has_no_room)
        return -1;
    kk_buf_append(body, data, len);
    return body->failed;
}

/* The one place through which all bytes of a good answer pass. */
static int send_bytes(kk_speech_answer *answer, const void *data, size_t len)
{
    if (answer->is_sending) {
        kk_speech_entry_add(answer->entry, data, len);
        return kk_http_write(answer->exchange, data, len);
    }
    return collect_bytes(answer, data, len);
}

/* Of the encoder. */
static int take_bytes(void *user, const void *data, size_t len)
{
    kk_speech_answer *answer = user;
    if (answer->request->frame != KK_FRAME_EVENTS)
        return send_bytes(answer, data, len);
    kk_buf_append(&answer->unframed, data, len);
    return answer->unframed.failed;
}

/* What the encoder gave since the last time, as events. OK, CANCELLED, NO_MEMORY. */
static int send_events(kk_speech_answer *answer, kokoro_error *err)
{
    kk_buf events = KK_BUF_INIT;
    int status = KOKORO_OK;
    kk_frame_deltas(&events, (kk_slice){answer->unframed.data, answer->unframed.len},
                    (double)answer->n_framed / KOKORO_SAMPLE_RATE_HZ,
                    (double)answer->n_samples / KOKORO_SAMPLE_RATE_HZ, &answer->words);
    answer->n_framed = answer->n_samples;
    kk_buf_clear(&answer->unframed);
    if (events.failed)
        status = kk_fail_memory(err);
    else if (events.len > 0 && send_bytes(answer, events.data, events.len) != 0)
        status = kk_fail(err, KOKORO_CANCELLED, "the receiver of the events stopped them");
    kk_buf_fini(&events);
    return status;
}

/* Of what is known: with the headers of a streamed answer that is not the sound. */
static void add_timing(kk_speech_answer *answer, const kokoro_stats *stats)
{
    if (answer->is_sending)
        kk_http_add_header(&answer->response, "Server-Timing", "queue;dur=%.1f, g2p;dur=%.1f",
                           answer->queue_ms, stats->g2p_ms);
    else
        kk_http_add_header(&answer->response, "Server-Timing",
                           "queue;dur=%.1f, g2p;dur=%.1f, model;dur=%.1f, first-audio;dur=%.1f",
                           answer->queue_ms + stats->wait_ms, stats->g2p_ms, stats->model_ms,
                           1e3 * (answer->first_s - answer->http->start_s));
}

void kk_speech_answer_start(kk_speech_answer *answer, const kokoro_stats *stats)
{
    answer->response.content_type = answer->request->content_type;
    if (!answer->request->is_streamed)
        return;
    answer->is_sending = true;
    add_timing(answer, stats);
    kk_http_begin(answer->exchange, &answer->response, KK_HTTP_LENGTH_UNKNOWN);
}

static int open_encoder(kk_speech_answer *answer, const kokoro_chunk *chunk)
{
    const uint64_t n_samples = chunk->n_total > 0 ? chunk->n_total : KK_SAMPLES_UNKNOWN;
    answer->first_s = kk_now_s();
    return kk_encoder_open(&answer->encoder, answer->request->codec, &answer->request->encoding,
                           n_samples, take_bytes, answer, &answer->problem);
}

/* Words alone wait for the bytes that an encoder still holds back. */
static bool has_sound(const kk_speech_answer *answer)
{
    return answer->unframed.len > 0;
}

int kk_speech_answer_add(kk_speech_answer *answer, const kokoro_chunk *chunk)
{
    int status = KOKORO_OK;
    if (kk_http_is_gone(answer->exchange))
        return KOKORO_CANCELLED;
    if (answer->encoder == NULL)
        status = open_encoder(answer, chunk);
    if (status == KOKORO_OK)
        status =
            kk_encoder_write(answer->encoder, chunk->samples, chunk->n_samples, &answer->problem);
    answer->n_samples += chunk->n_samples;
    kk_frame_words_add(&answer->words, chunk);
    if (status == KOKORO_OK && answer->request->frame == KK_FRAME_EVENTS && has_sound(answer))
        status = send_events(answer, &answer->problem);
    return status;
}

int kk_speech_answer_finish(kk_speech_answer *answer, kokoro_error *err)
{
    int status = answer->encoder != NULL ? kk_encoder_finish(answer->encoder, err) : KOKORO_OK;
    if (status == KOKORO_OK && answer->request->frame == KK_FRAME_EVENTS)
        status = send_events(answer, err);
    return status;
}

int kk_speech_answer_failed(const kk_speech_answer *answer, kokoro_error *err)
{
    if (answer->is_too_long)
        return kk_fail(err, KOKORO_TOO_LONG,
                       "the answer has more than %zu MB, the most that is collected before it is "
                       "sent; ask for a streamed answer ('stream': true), a smaller format or less "
                       "text",
                       answer->max_whole >> 20);
    if (answer->has_no_room)
        return kk_fail(err, KOKORO_NO_MEMORY,
                       "too much waits to be sent to other clients; ask for a streamed answer "
                       "('stream': true), or try again");
    if (answer->problem.status == KOKORO_NO_MEMORY || answer->response.body.failed ||
        answer->unframed.failed)
        return kk_fail(err, KOKORO_NO_MEMORY,
                       "out of memory; ask for a streamed answer or less text");
    return KOKORO_OK;
}

/* What stands at the beginning and is known only now, as the sizes of a WAV that was collected; of
 * one that was sent only what is kept of it gets them. */
static void finish_head(kk_speech_answer *answer)
{
    unsigned char head[KK_HEAD_MAX];
    const size_t len = answer->encoder != NULL ? kk_encoder_head(answer->encoder, head) : 0;
    if (answer->request->frame == KK_FRAME_EVENTS)
        return;
    if (answer->is_sending)
        kk_speech_entry_set_head(answer->entry, head, len);
    else if (len > 0 && len <= answer->response.body.len)
        memcpy(answer->response.body.data, head, len);
}

/* The last event. */
static void end_events(kk_speech_answer *answer, int status, const kokoro_stats *stats,
                       const kk_api_error *error)
{
    kk_buf event = KK_BUF_INIT;
    if (status == KOKORO_OK)
        kk_frame_done(&event, stats, answer->n_samples);
    else
        kk_frame_error(&event, error);
    if (event.failed)
        answer->response.body.failed = true;
    else if (send_bytes(answer, event.data, event.len) != 0 && !answer->is_sending)
        answer->response.body.failed = true; /* without it the answer is not whole */
    kk_buf_fini(&event);
}

/* The sound that was collected becomes a part of the object. */
static void make_object(kk_speech_answer *answer)
{
    kk_buf *body = &answer->response.body, object = KK_BUF_INIT;
    kk_frame_object(&object, (kk_slice){body->data, body->len}, answer->request, &answer->words);
    object.failed = object.failed || body->failed;
    kk_buf_fini(body);
    *body = object;
}

void kk_speech_answer_end(kk_speech_answer *answer, int status, const kokoro_stats *stats,
                          uint64_t identity, const kokoro_error *err)
{
    const bool has_events = answer->request->frame == KK_FRAME_EVENTS;
    kk_api_error error;
    if (status != KOKORO_OK)
        kk_api_from_engine(&error, err, answer->request->text_param);
    if (has_events && status != KOKORO_CANCELLED && (status == KOKORO_OK || answer->is_sending))
        end_events(answer, status, stats, &error);
    const bool is_whole = status == KOKORO_OK && !answer->response.body.failed;
    if (answer->is_sending && is_whole) {
        finish_head(answer);
        kk_speech_entry_keep(answer->entry, NULL, stats->audio_s, identity);
    }
    if (answer->is_sending || status == KOKORO_CANCELLED) {
        if (status != KOKORO_OK && status != KOKORO_CANCELLED)
            kk_http_set_failure(answer->exchange, error.http_status);
        kk_http_end(answer->exchange, is_whole);
        return;
    }
    if (status == KOKORO_OK) {
        finish_head(answer);
        add_timing(answer, stats);
        if (answer->request->frame == KK_FRAME_OBJECT)
            make_object(answer);
        if (!answer->response.body.failed)
            kk_speech_entry_keep(answer->entry, &answer->response.body, stats->audio_s, identity);
    } else {
        kk_buf_fini(&answer->response.body);
        kk_api_respond(&answer->response, &error);
    }
    if (answer->response.body.failed) {
        kk_http_end(answer->exchange, false);
        return;
    }
    kk_http_begin(answer->exchange, &answer->response, answer->response.body.len);
    kk_http_end(answer->exchange, true);
}
