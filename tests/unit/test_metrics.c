/* test_metrics.c - counters: sums, means, threads, memory. */
#include "base/alloc.h"
#include "check.h"
#include "metrics/metrics.h"

#include <pthread.h>

static kk_metrics_speech spoken(double model_ms, double audio_s, size_t n_chunks)
{
    kk_metrics_speech speech = {.error = KK_METRICS_NO_ERROR, .queue_s = 0.5, .ttfa_s = 0.25};
    speech.total_s = 2.0;
    speech.stats.model_ms = model_ms;
    speech.stats.audio_s = audio_s;
    speech.stats.n_chunks = n_chunks;
    speech.stats.g2p_sources[KOKORO_SOURCE_GOLD] = 3;
    speech.stats.unknown_symbols = 1;
    return speech;
}

TEST(nothing_measured_is_zero)
{
    kk_metrics *metrics = kk_metrics_create();
    kk_metrics_view view;
    kk_metrics_read(metrics, &view);
    CHECK_NEAR(view.inference_s, 0.0, 0.0);
    CHECK_NEAR(view.ttfa_s, 0.0, 0.0);
    CHECK_NEAR(view.rtf, 0.0, 0.0);
    CHECK_NEAR(view.memory_slope_mb, 0.0, 0.0);
    CHECK_INT(view.n_speech, 0);
    CHECK(view.uptime_s >= 0.0);
    kk_metrics_destroy(&metrics);
    CHECK(metrics == NULL);
    kk_metrics_destroy(&metrics);
}

TEST(means_are_of_what_was_done)
{
    kk_metrics *metrics = kk_metrics_create();
    kk_metrics_view view;
    kk_metrics_speech a = spoken(900.0, 4.0, 2), b = spoken(300.0, 1.0, 1);
    b.ttfa_s = 0.75;
    kk_metrics_add_speech(metrics, &a);
    kk_metrics_add_speech(metrics, &b);
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.n_speech, 2);
    CHECK_INT(view.n_success, 2);
    CHECK_INT(view.n_inferences, 3);
    CHECK_NEAR(view.inference_s, 0.4, 1e-12);
    CHECK_NEAR(view.audio_s, 5.0, 1e-12);
    CHECK_NEAR(view.ttfa_s, 0.5, 1e-12);
    CHECK_NEAR(view.queue_s, 0.5, 1e-12);
    CHECK_NEAR(view.rtf, (0.5 + 2.0) / 2.0, 1e-12);
    CHECK_INT(view.words[KOKORO_SOURCE_GOLD], 6);
    CHECK_INT(view.unknown_symbols, 2);
    kk_metrics_destroy(&metrics);
}

TEST(failures_are_counted_by_kind_and_leave_the_means)
{
    kk_metrics *metrics = kk_metrics_create();
    kk_metrics_view view;
    kk_metrics_speech gone = spoken(100.0, 1.0, 1), refused = {.error = KK_METRICS_REQUEST};
    gone.error = KK_METRICS_CANCELLED;
    refused.ttfa_s = -1.0;
    kk_metrics_add_speech(metrics, &gone);
    kk_metrics_add_speech(metrics, &refused);
    kk_metrics_add_refusal(metrics, KK_METRICS_BUSY);
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.n_speech, 3);
    CHECK_INT(view.n_success, 0);
    CHECK_INT(view.errors[KK_METRICS_CANCELLED], 1);
    CHECK_INT(view.errors[KK_METRICS_REQUEST], 1);
    CHECK_INT(view.errors[KK_METRICS_BUSY], 1);
    CHECK_INT(view.n_inferences, 1);
    CHECK_INT(view.n_with_sound, 1);
    kk_metrics_destroy(&metrics);
}

TEST(answers_by_class)
{
    kk_metrics *metrics = kk_metrics_create();
    kk_metrics_view view;
    const int statuses[] = {200, 206, 400, 404, 499, 500, 503};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        kk_metrics_add_answer(metrics, statuses[i]);
    kk_metrics_add_warning(metrics);
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.n_answers, 7);
    CHECK_INT(view.n_client_errors, 3);
    CHECK_INT(view.n_server_errors, 2);
    CHECK_INT(view.n_warnings, 1);
    kk_metrics_destroy(&metrics);
}

static void *add_many(void *user)
{
    kk_metrics_speech speech = spoken(1.0, 1.0, 1);
    for (int i = 0; i < 500; i++) {
        kk_metrics_add_speech(user, &speech);
        kk_metrics_add_answer(user, 200);
    }
    return NULL;
}

TEST(threads_lose_nothing)
{
    pthread_t threads[4];
    kk_metrics *metrics = kk_metrics_create();
    kk_metrics_view view;
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, add_many, metrics), 0);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.n_success, 2000);
    CHECK_INT(view.n_answers, 2000);
    CHECK_INT(view.n_memory, 100);
    kk_metrics_destroy(&metrics);
}

TEST(memory_is_read)
{
    uint64_t bytes = kk_resident_bytes();
    CHECK(bytes > 100U * 1024U);
    CHECK(bytes < 1ULL << 44);
}

TEST(memory_may_be_out)
{
    kk_alloc_fail_at(1, 0);
    kk_metrics *metrics = kk_metrics_create();
    kk_alloc_fail_at(0, 0);
    CHECK(metrics == NULL);
}

TEST(kinds_have_names)
{
    CHECK_STR(kk_metrics_error_text(KK_METRICS_REQUEST), "request");
    CHECK_STR(kk_metrics_error_text(KK_METRICS_MEMORY), "memory");
    CHECK_STR(kk_metrics_error_text(KK_METRICS_NO_ERROR), "none");
    CHECK_STR(kk_metrics_error_text(KK_METRICS_N_ERRORS), "none");
}

TEST_MAIN(T(nothing_measured_is_zero), T(means_are_of_what_was_done),
          T(failures_are_counted_by_kind_and_leave_the_means), T(answers_by_class),
          T(threads_lose_nothing), T(memory_is_read), T(memory_may_be_out), T(kinds_have_names))
