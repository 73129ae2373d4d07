/*
 * test_speech_queue.c - what those are told who come when the queue is full, without a model.
 */
#include "server/speech/speech_queue.h"

#include "bare_server.h"

#include <sched.h>

static kk_config config;
static kk_server server;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_at_gate(void *job)
{
    (void)job;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
}

static void set_up(void)
{
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_MAX_QUEUE, "4", NULL), 0);
    bare_server_start(&server, &config);
    CHECK_INT(kk_jobs_start(&server.jobs, 1, 8, NULL), KOKORO_OK);
}

static void tear_down(void)
{
    kk_jobs_stop(&server.jobs);
    bare_server_stop(&server, &config);
}

static void fill(double sound_s, uint64_t group, size_t n)
{
    const kk_job_kind kind = {.group = group, .sound_s = sound_s};
    kk_jobs_view view;
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_add(server.jobs, wait_at_gate, NULL), KOKORO_OK);
    do
        kk_jobs_read(server.jobs, &view);
    while (view.n_running == 0);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(kk_jobs_add_of(server.jobs, wait_at_gate, NULL, kind, 4, NULL), KOKORO_OK);
}

static void empty(void)
{
    kk_jobs_view view;
    (void)pthread_mutex_unlock(&gate);
    do
        kk_jobs_read(server.jobs, &view);
    while (view.n_running + view.n_waiting > 0);
}

/* Nothing has come out of the queue yet. */
TEST(the_first_burst_is_told_by_its_texts)
{
    kk_api_error error;
    set_up();
    CHECK_INT(kk_speech_queue_check(&server, 0, &error), 0);
    fill(100.0, 0, 4);
    CHECK_INT(kk_speech_queue_check(&server, 0, &error), 429);
    CHECK(error.retry_after_s >= 20 && error.retry_after_s <= 60);
    CHECK_STR(error.code, "queue_full");
    CHECK_HAS(error.message, "4 requests wait already (KOKORO_MAX_QUEUE is 4)");
    empty();
    fill(0.5, 0, 4);
    CHECK_INT(kk_speech_queue_refuse(&server, &error), 429);
    CHECK_INT(error.retry_after_s, 1);
    empty();
    tear_down();
}

TEST(who_has_his_share_is_told_so)
{
    kk_api_error error;
    set_up();
    fill(1.0, 7, 2);
    CHECK_INT(kk_speech_queue_check(&server, 9, &error), 0);
    CHECK_INT(kk_speech_queue_check(&server, 7, &error), 429);
    CHECK_HAS(error.message, "of one key");
    empty();
    tear_down();
}

TEST(sound_by_the_length_of_the_text)
{
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = "Gr\xC3\xBC\xC3\x9F"
                   "e";
    request.text_len = strlen(request.text);
    CHECK_NEAR(kk_speech_probable_s(&request), 0.3, 0.1);
    const double plain_s = kk_speech_probable_s(&request);
    request.speed = 0.25;
    CHECK_NEAR(kk_speech_probable_s(&request), 4.0 * plain_s, 1e-9);
}

TEST_MAIN(T(the_first_burst_is_told_by_its_texts), T(who_has_his_share_is_told_so),
          T(sound_by_the_length_of_the_text))
