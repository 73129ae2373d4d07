/*
 * metrics.c - one mutex, one struct of sums. A request is added once, at its end, so that all of
 * its figures are seen together or not at all.
 */
#include "metrics/metrics.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <pthread.h>
#include <string.h>

enum { N_MEMORY = 100, MIN_MEMORY = 10 };

struct kk_metrics {
    pthread_mutex_t mutex;
    double start_s;
    kk_metrics_view sums; /* its means hold sums */
    double memory_mb[N_MEMORY];
    size_t n_memory, next_memory;
};

const char *kk_metrics_error_text(int error)
{
    static const char *const texts[] = {
#define KK_X(name, text) text,
        KK_METRICS_ERROR_MAP(KK_X)
#undef KK_X
    };
    return error >= 0 && error < KK_METRICS_N_ERRORS ? texts[error] : "none";
}

kk_metrics *kk_metrics_create(void)
{
    kk_metrics *metrics = kk_calloc(1, sizeof(*metrics));
    if (metrics == NULL)
        return NULL;
    if (pthread_mutex_init(&metrics->mutex, NULL) != 0) {
        kk_free(metrics);
        return NULL;
    }
    metrics->start_s = kk_now_s();
    return metrics;
}

void kk_metrics_destroy(kk_metrics **metrics)
{
    if (metrics == NULL || *metrics == NULL)
        return;
    (void)pthread_mutex_destroy(&(*metrics)->mutex);
    kk_free(*metrics);
    *metrics = NULL;
}

static void add_memory(kk_metrics *metrics, double memory_mb)
{
    metrics->memory_mb[metrics->next_memory] = memory_mb;
    metrics->next_memory = (metrics->next_memory + 1) % N_MEMORY;
    if (metrics->n_memory < N_MEMORY)
        metrics->n_memory++;
}

/* Slope of the line of least squares through the memory after each of the last requests. */
static double memory_slope(const kk_metrics *metrics)
{
    size_t n = metrics->n_memory;
    if (n < MIN_MEMORY)
        return 0.0;
    double mean_x = (double)(n - 1) / 2.0, mean_y = 0.0, xy = 0.0, xx = 0.0;
    size_t oldest = (metrics->next_memory + N_MEMORY - n) % N_MEMORY;
    for (size_t i = 0; i < n; i++)
        mean_y += metrics->memory_mb[(oldest + i) % N_MEMORY] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double x = (double)i - mean_x;
        xy += x * (metrics->memory_mb[(oldest + i) % N_MEMORY] - mean_y);
        xx += x * x;
    }
    return xy / xx;
}

void kk_metrics_add_speech(kk_metrics *metrics, const kk_metrics_speech *speech)
{
    double memory_mb = (double)kk_resident_bytes() / 1048576.0;
    kk_metrics_view *sums = &metrics->sums;
    (void)pthread_mutex_lock(&metrics->mutex);
    sums->n_speech++;
    if (speech->error >= 0 && speech->error < KK_METRICS_N_ERRORS)
        sums->errors[speech->error]++;
    else
        sums->n_success++;
    sums->n_inferences += speech->stats.n_chunks;
    sums->model_s += speech->stats.model_ms / 1e3;
    sums->audio_s += speech->stats.audio_s;
    for (int i = 0; i < KOKORO_N_SOURCES; i++)
        sums->words[i] += speech->stats.g2p_sources[i];
    sums->unknown_symbols += speech->stats.unknown_symbols;
    if (speech->ttfa_s >= 0.0 && speech->stats.audio_s > 0.0) {
        sums->n_with_sound++;
        sums->queue_s += speech->queue_s;
        sums->ttfa_s += speech->ttfa_s;
        sums->rtf += speech->total_s / speech->stats.audio_s;
    }
    add_memory(metrics, memory_mb);
    (void)pthread_mutex_unlock(&metrics->mutex);
}

void kk_metrics_add_refusal(kk_metrics *metrics, enum kk_metrics_error error)
{
    (void)pthread_mutex_lock(&metrics->mutex);
    metrics->sums.n_speech++;
    metrics->sums.errors[error]++;
    (void)pthread_mutex_unlock(&metrics->mutex);
}

void kk_metrics_add_answer(kk_metrics *metrics, int http_status)
{
    (void)pthread_mutex_lock(&metrics->mutex);
    metrics->sums.n_answers++;
    metrics->sums.n_client_errors += http_status >= 400 && http_status < 500;
    metrics->sums.n_server_errors += http_status >= 500;
    (void)pthread_mutex_unlock(&metrics->mutex);
}

void kk_metrics_add_warning(kk_metrics *metrics)
{
    (void)pthread_mutex_lock(&metrics->mutex);
    metrics->sums.n_warnings++;
    (void)pthread_mutex_unlock(&metrics->mutex);
}

static double mean(double sum, uint64_t n)
{
    return n > 0 ? sum / (double)n : 0.0;
}

void kk_metrics_read(kk_metrics *metrics, kk_metrics_view *view)
{
    (void)pthread_mutex_lock(&metrics->mutex);
    *view = metrics->sums;
    view->memory_slope_mb = memory_slope(metrics);
    view->n_memory = metrics->n_memory;
    (void)pthread_mutex_unlock(&metrics->mutex);
    view->uptime_s = kk_now_s() - metrics->start_s;
    view->inference_s = mean(view->model_s, view->n_inferences);
    view->queue_s = mean(view->queue_s, view->n_with_sound);
    view->ttfa_s = mean(view->ttfa_s, view->n_with_sound);
    view->rtf = mean(view->rtf, view->n_with_sound);
}
