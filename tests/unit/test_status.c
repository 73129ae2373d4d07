/* test_status.c - the sections of GET /status without a server around them: a figure of each kind,
 * and what is shown when memory is out in the middle. */
#include "bare_server.h"
#include "base/alloc.h"
#include "server/benchmark/scheduler.h"
#include "server/status/status.h"

static kk_config config;
static kk_server server;

static void set_up(void)
{
    kk_config_init(&config);
    /* No record, and no report of an earlier benchmark. */
    CHECK_INT(kk_config_set_option(&config, KK_SET_HOME, "/nowhere", NULL), KOKORO_OK);
    CHECK_INT(kk_config_set_option(&config, KK_SET_CACHE, "/nowhere/cache", NULL), KOKORO_OK);
    bare_server_start(&server, &config);
    CHECK_INT(kk_scheduler_create(&server.scheduler, &server, NULL), KOKORO_OK);
    CHECK_INT(kk_jobs_start(&server.jobs, 1, 4, NULL), KOKORO_OK);
    kk_hardware_read(&server.hardware);
}

static void tear_down(void)
{
    kk_jobs_stop(&server.jobs);
    kk_scheduler_destroy(&server.scheduler);
    bare_server_stop(&server, &config);
}

static json_t *make(void)
{
    kk_status s;
    kk_status_take(&s, &server);
    json_t *status = kk_status_make(&s);
    kk_status_give(&s);
    return status;
}

static double number(const json_t *status, const char *section, const char *name)
{
    const json_t *value = json_object_get(json_object_get(status, section), name);
    CHECK(json_is_number(value));
    return json_number_value(value);
}

/* Some of everything, so that every part of every section has something to say. */
static void add_work(void)
{
    kk_metrics_speech speech = {.error = KK_METRICS_NO_ERROR,
                                .first_sound_s = 0.1,
                                .first_sound_target_s = 0.25,
                                .total_s = 1.0};
    speech.stats.audio_s = 2.0;
    speech.stats.g2p_sources[KOKORO_SOURCE_GOLD] = 3;
    speech.stats.g2p_sources[KOKORO_SOURCE_LETTERS] = 1;
    kk_metrics_add_speech(server.metrics, &speech);
    kk_metrics_add_refusal(server.metrics, KK_METRICS_BUSY);
    kk_metrics_add_inference(server.metrics, "native", 0.5);
    kk_metrics_add_inference(server.metrics, "CoreMLExecutionProvider", 0.25);
    kk_metrics_add_inference(server.metrics, "CUDAExecutionProvider", 0.25);
    kk_metrics_add_inference(server.metrics, "OpenVINO:CPU", 0.5);
    kk_metrics_add_cache_hit(server.metrics);
    kk_metrics_add_answer(server.metrics, 200);
    kk_metrics_add_answer(server.metrics, 429);
    kk_metrics_add_warning(server.metrics);
    server.watchdog.view =
        (kk_watchdog_view){.n_cleanups = 1, .freed_bytes = 1048576, .n_events = 1};
    server.watchdog.view.events[0] =
        (kk_cleanup){.time_s = 1.5, .before_bytes = 3145728, .after_bytes = 2097152};
}

TEST(figures_are_where_they_belong)
{
    set_up();
    add_work();
    json_t *status = make();
    CHECK_NEAR(number(status, "performance", "total_inferences"), 4, 0);
    CHECK_NEAR(number(status, "performance", "coreml_inferences"), 1, 0);
    CHECK_NEAR(number(status, "performance", "cpu_inferences"), 2, 0); /* a GPU's is neither */
    CHECK_NEAR(number(status, "performance", "cpu_usage_percent"), 50.0, 1e-9);
    CHECK_NEAR(number(status, "performance", "average_inference_time"), 0.375, 1e-9);
    const json_t *performance = json_object_get(status, "performance");
    const json_t *sessions = json_object_get(performance, "session_utilization");
    static const struct {
        const char *name;
        double value;
    } figures[] = {{"total_requests", 4},  {"ane_requests", 1},
                   {"gpu_requests", 1},    {"cpu_requests", 2},
                   {"cpu_percentage", 50}, {"max_concurrent_segments", 1},
                   {"ane_percentage", 25}, {"concurrent_segments_active", 0},
                   {"gpu_percentage", 25}, {"concurrent_efficiency", 0}};
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        CHECK_NEAR(json_number_value(json_object_get(sessions, figures[i].name)), figures[i].value,
                   1e-9);
    CHECK_NEAR(number(performance, "memory_fragmentation", "freed_bytes_total"), 1048576, 0);
    CHECK_NEAR(number(status, "performance", "cache_hits"), 1, 0);
    CHECK_NEAR(number(status, "performance", "success_count"), 2, 0); /* the hit too */
    CHECK_NEAR(number(status, "performance", "ttfa_average"), 100.0, 1e-6);
    CHECK_NEAR(number(status, "performance", "phonemizer_fallbacks"), 1, 0);
    CHECK_NEAR(number(status, "performance", "phonemizer_fallback_rate"), 25.0, 1e-9);
    CHECK_NEAR(number(status, "performance", "memory_cleanup_count"), 1, 0);
    CHECK_NEAR(number(status, "errors", "rejections"), 1, 0);
    CHECK_NEAR(number(status, "errors", "error_rate"), 1.0 / 3.0, 1e-6);
    CHECK_NEAR(number(status, "errors", "warnings"), 1, 0);
    CHECK_NEAR(number(status, "memory_fragmentation", "freed_bytes_total"), 1048576, 0);
    CHECK_NEAR(number(status, "hardware", "cpu_cores"), server.hardware.n_physical, 0);
    CHECK_STR(
        json_string_value(json_object_get(json_object_get(status, "performance"), "provider_used")),
        "OpenVINO:CPU");
    CHECK_STR(json_string_value(
                  json_object_get(json_object_get(status, "scheduled_benchmark"), "frequency")),
              "weekly");
    CHECK(json_is_false(json_object_get(status, "model_loaded")));
    json_decref(status);
    tear_down();
}

/* One that failed is enough. */
TEST(measures_are_in_force_or_not)
{
    json_t *good = json_pack("[{s:s, s:n}]", "name", "one", "error");
    json_t *bad = json_pack("[{s:s, s:n}, {s:s, s:s}]", "name", "one", "error", "name", "two",
                            "error", "it is not there");
    json_t *closed = kk_status_patches_of(json_incref(good), false, 0.5);
    json_t *open = kk_status_patches_of(good, true, 0.5);
    json_t *failed = kk_status_patches_of(bad, true, 0.5);
    CHECK(json_is_false(json_object_get(closed, "applied")));
    CHECK(json_is_null(json_object_get(closed, "application_time")));
    CHECK(json_is_true(json_object_get(open, "applied")));
    CHECK(json_is_false(json_object_get(failed, "applied")));
    CHECK_STR(json_string_value(json_array_get(json_object_get(failed, "patch_errors"), 0)),
              "two: it is not there");
    json_decref(closed);
    json_decref(open);
    json_decref(failed);
}

static void check_line(const kk_buf *page, const char *line)
{
    kk_buf whole = KK_BUF_INIT;
    kk_buf_appendf(&whole, "\n%s\n", line);
    CHECK_HAS(page->data, kk_buf_str(&whole));
    kk_buf_fini(&whole);
}

/* The machine's, which no test machine has all of, and the record's. */
TEST(what_metrics_tell_besides_counts)
{
    kk_status s;
    kk_buf page = KK_BUF_INIT;
    set_up();
    kk_hardware *h = &server.hardware;
    h->n_logical = 6;
    h->cpu_quota = 1.5;
    h->memory_limit_bytes = 1 << 30;
    (void)snprintf(h->instruction_sets, sizeof(h->instruction_sets), "avx2 avx512f");
    (void)snprintf(h->accelerators, sizeof(h->accelerators), "/dev/dri/renderD128");
    kk_status_take(&s, &server);
    s.metrics.n_memory = 100;
    s.metrics.memory_slope_mb = 0.5;
    kk_metrics_hardware(&page, &s);
    kk_metrics_memory(&page, &s);
    kk_metrics_benchmark(&page, &s);
    kk_status_give(&s);
    CHECK(!page.failed);
    kk_buf_append_char(&page, '\0');
    static const char *const lines[] = {
        "kokoro_cpu_threads 6",
        "kokoro_cpu_limit_cores 1.5",
        "kokoro_memory_limit_bytes 1073741824",
        "kokoro_cpu_instruction_set_info{instruction_set=\"avx2\"} 1",
        "kokoro_cpu_instruction_set_info{instruction_set=\"avx512f\"} 1",
        "kokoro_accelerator_info{device=\"/dev/dri/renderD128\"} 1",
        "kokoro_memory_trend{trend=\"increasing\"} 1",
        "kokoro_memory_trend{trend=\"stable\"} 0",
        "kokoro_memory_growth_per_request_bytes 524288",
        "kokoro_benchmark_state{state=\"idle\"} 1",
        "kokoro_benchmark_record_state{state=\"unmeasured\"} 1",
        "kokoro_benchmark_record_state{state=\"valid\"} 0",
        "kokoro_benchmark_due 1",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        check_line(&page, lines[i]);
    CHECK(strstr(page.data, "\nkokoro_benchmark_record_age_seconds ") == NULL);
    CHECK_HAS(page.data, "# TYPE kokoro_benchmark_record_age_seconds gauge\n");
    kk_buf_fini(&page);
    tear_down();
}

/* Every allocation in turn: a section is whole or says why not, and the others are whole. */
TEST(a_section_that_fails_hides_no_other)
{
    set_up();
    add_work();
    json_t *whole = make();
    size_t n_told = 0, n_nothing = 0;
    bool is_over = false;
    for (size_t k = 1; !is_over; k++) {
        kk_alloc_fail_at(k, 0);
        json_t *status = make();
        is_over = kk_alloc_count() < k;
        kk_alloc_fail_at(0, 0);
        size_t n_failed = 0;
        const char *name;
        json_t *section;
        if (status == NULL) {
            n_nothing++; /* the answer itself had no memory */
            continue;
        }
        CHECK_INT(json_object_size(status), json_object_size(whole));
        json_object_foreach(whole, name, section)
        {
            json_t *got = json_object_get(status, name);
            if (json_is_object(got) && json_object_get(got, "error") != NULL) {
                n_failed++;
                CHECK_STR(json_string_value(json_object_get(got, "error")), "out of memory");
                continue;
            }
            CHECK_INT(json_typeof(got), json_typeof(section));
            CHECK_INT(json_object_size(got), json_object_size(section));
        }
        CHECK_INT(n_failed, is_over ? 0 : 1);
        n_told += n_failed;
        json_decref(status);
    }
    CHECK(n_told > 100);
    CHECK(n_nothing < 30);
    json_decref(whole);
    tear_down();
}

TEST_MAIN(T(figures_are_where_they_belong), T(measures_are_in_force_or_not),
          T(what_metrics_tell_besides_counts), T(a_section_that_fails_hides_no_other))
