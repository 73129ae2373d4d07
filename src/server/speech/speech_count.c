#include "server/speech/speech_count.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

/* What the voices put before and behind words stays below this: 60 dB under full scale. */
static const float SILENCE = 1e-3f;

/* Count the inference that has ended since the last one was counted. When a chunk begins, that is
 * the chunk's own or, of a chunk in pieces, the one before. */
static void book_inference(kk_speech_count *count, double model_ms)
{
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    if (model_ms <= count->booked_ms)
        return;
    kokoro_get_engine_info(count->engine, &info);
    kk_metrics_add_inference(count->server->metrics, info.execution_provider,
                             (model_ms - count->booked_ms) / 1e3);
    count->booked_ms = model_ms;
}

static bool is_silence(const kokoro_chunk *chunk)
{
    for (size_t i = 0; i < chunk->n_samples; i++) {
        if (fabsf(chunk->samples[i]) > SILENCE)
            return false;
    }
    return true;
}

void kk_speech_count_chunk(kk_speech_count *count, const kokoro_chunk *chunk, double model_ms)
{
    if (chunk->begins_chunk)
        book_inference(count, model_ms);
    if (count->sound_s <= 0.0 && !is_silence(chunk))
        count->sound_s = kk_now_s();
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

bool kk_speech_is_our_fault(int status)
{
    int error = error_of(status);
    return error == KK_METRICS_ENGINE || error == KK_METRICS_MEMORY;
}

void kk_speech_count_end(kk_speech_count *count, int status, const kokoro_stats *stats)
{
    kk_server *server = count->server;
    double target_s = (double)kk_config_int(kk_server_config(server), KK_SET_TTFA_TARGET_MS) / 1e3;
    kk_metrics_speech speech = {
        .error = error_of(status),
        .queue_s = count->started_s - count->queued_s,
        .first_sound_s = count->sound_s > 0.0 ? count->sound_s - count->arrived_s : -1.0,
        .first_sound_target_s = target_s,
        .total_s = kk_now_s() - count->arrived_s,
        .cancel_s = count->exchange != NULL ? kk_http_gone_for_s(count->exchange) : -1.0,
        .stats = *stats};
    if (status == KOKORO_OK)
        book_inference(count, stats->model_ms);
    kk_metrics_add_speech(server->metrics, &speech);
    if (status == KOKORO_OK)
        kk_cache_keeper_add_speech(server->cache, count->arrived_s, speech.first_sound_s,
                                   speech.total_s);
}

enum kk_metrics_error kk_speech_refusal_of(const kk_api_error *error)
{
    if (error->http_status == 429)
        return KK_METRICS_BUSY;
    if (error->http_status < 500)
        return KK_METRICS_REQUEST;
    return error->code != NULL && strcmp(error->code, "out_of_memory") == 0 ? KK_METRICS_MEMORY
                                                                            : KK_METRICS_NOT_READY;
}
