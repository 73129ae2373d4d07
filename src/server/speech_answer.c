/* speech_answer.c - samples to encoded bytes to the client, streamed or whole. */
#include "server/speech_answer.h"

#include "base/clock.h"

#include <string.h>

void kk_speech_answer_init(kk_speech_answer *answer, kk_http_exchange *exchange,
                           const kk_http_request *http, const kk_speech_request *request)
{
    *answer = (kk_speech_answer){.exchange = exchange, .http = http, .request = request};
    answer->response.status = 200;
    kk_http_add_header(&answer->response, "X-Request-Id", "%s", http->id);
}

void kk_speech_answer_fini(kk_speech_answer *answer)
{
    kk_encoder_close(&answer->encoder);
    kk_buf_fini(&answer->response.body);
}

/* The one place through which encoded bytes pass. */
static int take_bytes(void *user, const void *data, size_t len)
{
    kk_speech_answer *answer = user;
    if (answer->is_sending)
        return kk_http_write(answer->exchange, data, len);
    kk_buf_append(&answer->response.body, data, len);
    return answer->response.body.failed;
}

static void add_timing(kk_speech_answer *answer, const kokoro_stats *stats)
{
    double first_ms = 1e3 * (answer->first_s - answer->http->start_s);
    if (stats != NULL)
        kk_http_add_header(&answer->response, "Server-Timing",
                           "queue;dur=%.1f, g2p;dur=%.1f, model;dur=%.1f, first-audio;dur=%.1f",
                           answer->queue_ms + stats->wait_ms, stats->g2p_ms, stats->model_ms,
                           first_ms);
    else
        kk_http_add_header(&answer->response, "Server-Timing",
                           "queue;dur=%.1f, first-audio;dur=%.1f", answer->queue_ms, first_ms);
}

/* With the first sound it is known whether more will follow, and so how to answer. */
static int begin(kk_speech_answer *answer, const kokoro_chunk *chunk)
{
    const uint64_t n_samples = chunk->n_total > 0 ? chunk->n_total : KK_SAMPLES_UNKNOWN;
    answer->first_s = kk_now_s();
    answer->response.content_type = answer->request->content_type;
    if (answer->request->is_streamed && n_samples != chunk->n_samples) {
        add_timing(answer, NULL);
        answer->is_sending = true;
        kk_http_begin(answer->exchange, &answer->response, KK_HTTP_LENGTH_UNKNOWN);
    }
    return kk_encoder_open(&answer->encoder, answer->request->codec, &answer->request->encoding,
                           n_samples, take_bytes, answer, &answer->problem);
}

int kk_speech_answer_add(kk_speech_answer *answer, const kokoro_chunk *chunk)
{
    int status = KOKORO_OK;
    if (kk_http_is_gone(answer->exchange))
        return KOKORO_CANCELLED;
    if (answer->encoder == NULL)
        status = begin(answer, chunk);
    if (status == KOKORO_OK)
        status =
            kk_encoder_write(answer->encoder, chunk->samples, chunk->n_samples, &answer->problem);
    answer->n_samples += chunk->n_samples;
    return status;
}

int kk_speech_answer_finish(kk_speech_answer *answer, kokoro_error *err)
{
    return answer->encoder != NULL ? kk_encoder_finish(answer->encoder, err) : KOKORO_OK;
}

bool kk_speech_answer_is_out_of_memory(const kk_speech_answer *answer)
{
    return answer->problem.status == KOKORO_NO_MEMORY || answer->response.body.failed;
}

/* What stands at the beginning and is known only now, as the sizes of a WAV that was collected. */
static void finish_head(kk_speech_answer *answer)
{
    unsigned char head[KK_HEAD_MAX];
    const size_t len = answer->encoder != NULL ? kk_encoder_head(answer->encoder, head) : 0;
    if (len > 0 && len <= answer->response.body.len)
        memcpy(answer->response.body.data, head, len);
}

void kk_speech_answer_end(kk_speech_answer *answer, int status, const kokoro_stats *stats,
                          const kokoro_error *err)
{
    if (answer->is_sending || status == KOKORO_CANCELLED) {
        kk_http_end(answer->exchange, status == KOKORO_OK);
        return;
    }
    if (status == KOKORO_OK) {
        finish_head(answer);
        add_timing(answer, stats);
    } else {
        kk_api_error error;
        kk_api_from_engine(&error, err, answer->request->text_param);
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
