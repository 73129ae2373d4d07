/* test_metrics.c - counters, windows of time, quantiles, threads, memory, the text for Prometheus.
 */
#include "base/alloc.h"
#include "check.h"
#include "metrics/metrics.h"
#include "metrics/prometheus.h"

#include <pthread.h>
#include <stdlib.h>

static double time_s; /* what the clock of a test says */

static double clock_of_test(void)
{
    return time_s;
}

static kk_metrics *new_metrics(void)
{
    const kk_metrics_options options = {.now_s = clock_of_test, .rtf = 1.0, .efficiency = 0.9};
    time_s = 1000.0;
    return kk_metrics_create(&options);
}

static kk_metrics_speech spoken(double model_ms, double audio_s, size_t n_chunks)
{
    kk_metrics_speech speech = {.error = KK_METRICS_NO_ERROR, .queue_s = 0.5};
    speech.first_sound_s = 0.25;
    speech.first_sound_target_s = 0.5;
    speech.total_s = 2.0;
    speech.stats.model_ms = model_ms;
    speech.stats.audio_s = audio_s;
    speech.stats.n_chunks = n_chunks;
    speech.stats.g2p_sources[KOKORO_SOURCE_GOLD] = 3;
    speech.stats.unknown_symbols = 1;
    return speech;
}

/* --- histogram --- */

TEST(buckets_hold_what_their_edges_say)
{
    for (size_t b = 1; b < KK_HISTOGRAM_N - 1; b++) {
        double low = kk_histogram_edge(b - 1), high = kk_histogram_edge(b);
        CHECK_INT(kk_histogram_bucket(sqrt(low * high)), b);
        CHECK(sqrt(high / low) < 1.0 + KK_HISTOGRAM_ERROR);
    }
    CHECK_INT(kk_histogram_bucket(0.0), 0);
    CHECK_INT(kk_histogram_bucket(-1.0), 0);
    CHECK_INT(kk_histogram_bucket((double)NAN), 0);
    CHECK_INT(kk_histogram_bucket(1e-12), 0);
    CHECK_INT(kk_histogram_bucket(1e12), KK_HISTOGRAM_N - 1);
    CHECK_INT(kk_histogram_bucket((double)INFINITY), KK_HISTOGRAM_N - 1);
    CHECK(isinf(kk_histogram_edge(KK_HISTOGRAM_N - 1)));
    /* Powers of two are edges, and the value at an edge is below it. */
    for (int octave = 0; octave <= KK_HISTOGRAM_OCTAVES; octave++) {
        size_t b = (size_t)octave * KK_HISTOGRAM_PER_OCTAVE;
        CHECK(kk_histogram_edge(b) == ldexp(1.0, octave + KK_HISTOGRAM_LOWEST));
        CHECK_INT(kk_histogram_bucket(ldexp(1.0, octave + KK_HISTOGRAM_LOWEST)), b);
    }
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

TEST(quantiles_are_off_by_no_more_than_is_stated)
{
    enum { N = 5000 };
    static double values[N];
    static uint64_t counts[KK_HISTOGRAM_N];
    uint64_t state = 88172645463325252ULL;
    for (int i = 0; i < N; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17; /* xorshift64 */
        values[i] = 0.002 * exp2(17.0 * (double)(state >> 11) / 9007199254740992.0);
        counts[kk_histogram_bucket(values[i])]++;
    }
    qsort(values, N, sizeof(values[0]), ascending);
    const double parts[] = {0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        double rank = ceil(parts[i] * N);
        double exact = values[rank > 1.0 ? (int)rank - 1 : 0];
        CHECK_NEAR(kk_histogram_quantile(counts, parts[i]) / exact, 1.0, KK_HISTOGRAM_ERROR);
    }
}

TEST(quantiles_of_nothing_and_of_extremes)
{
    static uint64_t counts[KK_HISTOGRAM_N];
    CHECK_NEAR(kk_histogram_quantile(counts, 0.5), 0.0, 0.0);
    counts[0] = 1;
    CHECK_NEAR(kk_histogram_quantile(counts, 0.5), ldexp(1.0, -10), 0.0);
    counts[KK_HISTOGRAM_N - 1] = 1;
    CHECK_NEAR(kk_histogram_quantile(counts, 1.0), 1024.0, 1e-9);
}

/* --- counters --- */

TEST(nothing_measured_is_zero)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    kk_metrics_read(metrics, &view);
    for (int w = 0; w < KK_METRICS_N_WINDOWS; w++) {
        CHECK_INT(view.spans[w].n_speech, 0);
        CHECK_NEAR(view.spans[w].length_s, 0.0, 0.0);
        for (int k = 0; k < KK_METRICS_N_KINDS; k++) {
            CHECK_NEAR(view.spans[w].kinds[k].mean, 0.0, 0.0);
            CHECK_NEAR(view.spans[w].kinds[k].p99, 0.0, 0.0);
        }
    }
    CHECK_NEAR(view.memory_slope_mb, 0.0, 0.0);
    CHECK_INT(view.n_providers, 0);
    CHECK_NEAR(view.uptime_s, 0.0, 0.0);
    kk_metrics_destroy(&metrics);
    CHECK(metrics == NULL);
    kk_metrics_destroy(&metrics);
}

TEST(means_are_of_what_was_done)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    const kk_metrics_span *all = &view.spans[KK_METRICS_SINCE_START];
    kk_metrics_speech a = spoken(900.0, 4.0, 2), b = spoken(300.0, 1.0, 1);
    b.first_sound_s = 0.75;
    kk_metrics_add_speech(metrics, &a);
    kk_metrics_add_speech(metrics, &b);
    kk_metrics_read(metrics, &view);
    CHECK_INT(all->n_speech, 2);
    CHECK_INT(all->n_done, 2);
    CHECK_INT(all->n_failed, 0);
    CHECK_NEAR(all->audio_s, 5.0, 1e-12);
    CHECK_NEAR(all->kinds[KK_METRICS_FIRST_SOUND].mean, 0.5, 1e-12);
    CHECK_NEAR(all->kinds[KK_METRICS_RTF].mean, (0.5 + 2.0) / 2.0, 1e-12);
    CHECK_NEAR(view.efficiency, (2.0 + 0.5) / 2.0, 1e-12);
    CHECK_NEAR(view.queue_s, 1.0, 1e-12);
    CHECK_INT(view.n_queued, 2);
    CHECK_NEAR(view.model_s, 1.2, 1e-12);
    CHECK_INT(view.words[KOKORO_SOURCE_GOLD], 6);
    CHECK_INT(view.unknown_symbols, 2);
    kk_metrics_destroy(&metrics);
}

TEST(a_success_met_every_target)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    kk_metrics_speech good = spoken(100.0, 4.0, 1), late = good, slow = good, gone = good;
    late.first_sound_s = 0.51;
    slow.total_s = 4.1;
    gone.error = KK_METRICS_CANCELLED;
    kk_metrics_add_speech(metrics, &good);
    kk_metrics_add_speech(metrics, &late);
    kk_metrics_add_speech(metrics, &slow);
    kk_metrics_add_speech(metrics, &gone);
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.spans[KK_METRICS_SINCE_START].n_done, 3);
    CHECK_INT(view.spans[KK_METRICS_SINCE_START].n_success, 1);
    CHECK_INT(view.spans[KK_METRICS_SINCE_START].n_failed, 1);
    kk_metrics_destroy(&metrics);
}

TEST(inferences_are_booked_to_what_ran_them)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    kk_metrics_add_inference(metrics, "native", 0.2);
    kk_metrics_add_inference(metrics, "CoreMLExecutionProvider", 0.5);
    kk_metrics_add_inference(metrics, "native", 0.4);
    kk_metrics_add_cache_hit(metrics);
    kk_metrics_add_cache_miss(metrics);
    kk_metrics_read(metrics, &view);
    const kk_metrics_summary *all = &view.spans[KK_METRICS_SINCE_START].kinds[KK_METRICS_INFERENCE];
    CHECK_INT(view.n_providers, 2);
    CHECK_STR(view.providers[0].name, "native");
    CHECK_INT(view.providers[0].n_inferences, 2);
    CHECK_NEAR(view.providers[0].model_s, 0.6, 1e-12);
    CHECK_INT(view.providers[1].n_inferences, 1);
    CHECK_INT(view.last_provider, 0);
    CHECK_INT(all->n, 3); /* a hit in the cache is none */
    CHECK_NEAR(all->mean, 1.1 / 3.0, 1e-12);
    CHECK_INT(view.n_cache_hits, 1);
    CHECK_INT(view.n_cache_misses, 1);
    for (int i = 0; i < 20; i++) {
        char name[80];
        (void)snprintf(name, sizeof(name), "a provider of a name that is too long to keep %d", i);
        kk_metrics_add_inference(metrics, name, 0.1);
        (void)snprintf(name, sizeof(name), "%d", i);
        kk_metrics_add_inference(metrics, name, 0.1);
    }
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.n_providers, KK_METRICS_MAX_PROVIDERS);
    uint64_t n = 0;
    for (size_t i = 0; i < view.n_providers; i++)
        n += view.providers[i].n_inferences;
    CHECK_INT(n, 43);
    kk_metrics_destroy(&metrics);
}

TEST(failures_are_counted_by_kind)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    kk_metrics_speech gone = spoken(100.0, 1.0, 1), refused = {.error = KK_METRICS_REQUEST};
    gone.error = KK_METRICS_CANCELLED;
    gone.cancel_s = 0.03;
    refused.first_sound_s = -1.0;
    kk_metrics_add_speech(metrics, &gone);
    kk_metrics_add_speech(metrics, &refused);
    kk_metrics_add_refusal(metrics, KK_METRICS_BUSY);
    kk_metrics_read(metrics, &view);
    const kk_metrics_span *all = &view.spans[KK_METRICS_SINCE_START];
    CHECK_INT(all->n_speech, 3);
    CHECK_INT(all->n_done, 0);
    CHECK_INT(all->n_failed, 3);
    CHECK_INT(view.errors[KK_METRICS_CANCELLED], 1);
    CHECK_INT(view.errors[KK_METRICS_REQUEST], 1);
    CHECK_INT(view.errors[KK_METRICS_BUSY], 1);
    /* The cancelled one had sound, and no length that a rate could be taken of. */
    CHECK_INT(all->kinds[KK_METRICS_FIRST_SOUND].n, 1);
    CHECK_INT(all->kinds[KK_METRICS_RTF].n, 0);
    CHECK_INT(all->kinds[KK_METRICS_CANCEL].n, 1);
    CHECK_NEAR(all->kinds[KK_METRICS_CANCEL].sum, 0.03, 1e-12);
    /* Cut by this side, so that nobody went away; and one that ended well all the same. */
    gone.cancel_s = -1.0;
    kk_metrics_add_speech(metrics, &gone);
    gone.cancel_s = 0.03;
    gone.error = KK_METRICS_NO_ERROR;
    kk_metrics_add_speech(metrics, &gone);
    kk_metrics_read(metrics, &view);
    CHECK_INT(all->kinds[KK_METRICS_CANCEL].n, 1);
    kk_metrics_destroy(&metrics);
}

TEST(answers_by_class)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    const int statuses[] = {200, 206, 400, 404, 404, 499, 500, 503, 0, 99, 600, -1};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        kk_metrics_add_answer(metrics, statuses[i]);
    kk_metrics_add_warning(metrics);
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.n_answers, 8);
    CHECK_INT(view.n_client_errors, 4);
    CHECK_INT(view.n_server_errors, 2);
    CHECK_INT(view.http[404 - KK_METRICS_FIRST_HTTP], 2);
    CHECK_INT(view.n_warnings, 1);
    kk_metrics_destroy(&metrics);
}

/* --- windows --- */

TEST(windows_forget)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    kk_metrics_speech speech = spoken(100.0, 4.0, 1);
    for (int minute = 0; minute < 10; minute++) {
        time_s = 1000.0 + 60.0 * minute;
        speech.first_sound_s = 0.1 * (minute + 1);
        kk_metrics_add_speech(metrics, &speech);
        kk_metrics_add_inference(metrics, "native", 0.1 * (minute + 1));
    }
    time_s += 5.0; /* the last request is 5 s old, the one before 65 s */
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.spans[KK_METRICS_1_MIN].n_speech, 2); /* its start is exact to ten seconds */
    CHECK_INT(view.spans[KK_METRICS_5_MIN].n_speech, 6);
    CHECK_INT(view.spans[KK_METRICS_SINCE_START].n_speech, 10);
    CHECK_NEAR(view.spans[KK_METRICS_5_MIN].kinds[KK_METRICS_INFERENCE].mean, 0.75, 1e-9);
    CHECK_NEAR(view.spans[KK_METRICS_5_MIN].kinds[KK_METRICS_INFERENCE].p99, 1.0,
               KK_HISTOGRAM_ERROR);
    CHECK_NEAR(view.spans[KK_METRICS_SINCE_START].kinds[KK_METRICS_FIRST_SOUND].mean, 0.55, 1e-9);
    time_s += 10.0;
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.spans[KK_METRICS_1_MIN].n_speech, 1);
    CHECK_NEAR(view.spans[KK_METRICS_1_MIN].length_s, 65.0, 1e-9);
    CHECK_NEAR(view.spans[KK_METRICS_5_MIN].length_s, 305.0, 1e-9);
    CHECK_NEAR(view.spans[KK_METRICS_SINCE_START].length_s, 555.0, 1e-9);
    time_s += 1000.0;
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.spans[KK_METRICS_5_MIN].n_speech, 0);
    CHECK_NEAR(view.spans[KK_METRICS_5_MIN].kinds[KK_METRICS_RTF].p50, 0.0, 0.0);
    CHECK_INT(view.spans[KK_METRICS_SINCE_START].n_speech, 10);
    /* The ring has come round: what stood in a slot is gone. */
    kk_metrics_add_speech(metrics, &speech);
    kk_metrics_read(metrics, &view);
    CHECK_INT(view.spans[KK_METRICS_1_MIN].n_speech, 1);
    kk_metrics_destroy(&metrics);
}

TEST(a_young_server_has_short_windows)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    time_s += 12.5;
    kk_metrics_read(metrics, &view);
    for (int w = 0; w < KK_METRICS_N_WINDOWS; w++)
        CHECK_NEAR(view.spans[w].length_s, 12.5, 1e-9);
    kk_metrics_destroy(&metrics);
}

/* --- threads --- */

enum { N_THREADS = 4, N_ROUNDS = 500 };

static void *add_many(void *user)
{
    kk_metrics_speech speech = spoken(1.0, 1.0, 1);
    for (int i = 0; i < N_ROUNDS; i++) {
        kk_metrics_add_speech(user, &speech);
        kk_metrics_add_inference(user, "native", 0.5);
        kk_metrics_add_answer(user, 200);
    }
    return NULL;
}

TEST(threads_lose_nothing_and_readers_see_whole_requests)
{
    pthread_t threads[N_THREADS];
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    const kk_metrics_span *all = &view.spans[KK_METRICS_SINCE_START];
    for (int i = 0; i < N_THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, add_many, metrics), 0);
    do {
        kk_metrics_read(metrics, &view);
        CHECK_NEAR(all->audio_s, (double)all->n_speech, 1e-9);
        CHECK_INT(view.words[KOKORO_SOURCE_GOLD], 3 * all->n_speech);
        CHECK_INT(all->kinds[KK_METRICS_RTF].n, all->n_speech);
        CHECK_NEAR(all->kinds[KK_METRICS_INFERENCE].sum,
                   0.5 * (double)all->kinds[KK_METRICS_INFERENCE].n, 1e-9);
    } while (view.n_answers < N_THREADS * N_ROUNDS);
    for (int i = 0; i < N_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    kk_metrics_read(metrics, &view);
    CHECK_INT(all->n_done, N_THREADS * N_ROUNDS);
    CHECK_INT(view.providers[0].n_inferences, N_THREADS * N_ROUNDS);
    CHECK_INT(view.n_memory, 100);
    kk_metrics_destroy(&metrics);
}

/* --- memory --- */

TEST(memory_is_read)
{
    uint64_t bytes = kk_resident_bytes();
    CHECK(bytes > 100U * 1024U);
    CHECK(bytes < 1ULL << 44);
    /* The kernel sums a thread's pages up only now and then, so that the most may lag behind. */
    CHECK(kk_peak_resident_bytes() + (1U << 20) > bytes);
    CHECK(kk_peak_resident_bytes() < 1ULL << 44);
}

TEST(memory_may_be_out)
{
    const kk_metrics_options options = {.rtf = 1.0, .efficiency = 1.0};
    kk_alloc_fail_at(1, 0);
    kk_metrics *metrics = kk_metrics_create(&options);
    kk_alloc_fail_at(0, 0);
    CHECK(metrics == NULL);
    metrics = kk_metrics_create(&options); /* with the real clock */
    kk_metrics_view view;
    kk_metrics_read(metrics, &view);
    CHECK(view.uptime_s >= 0.0 && view.uptime_s < 60.0);
    kk_metrics_destroy(&metrics);
}

TEST(kinds_have_names)
{
    CHECK_STR(kk_metrics_error_text(KK_METRICS_REQUEST), "request");
    CHECK_STR(kk_metrics_error_text(KK_METRICS_MEMORY), "memory");
    CHECK_STR(kk_metrics_error_text(KK_METRICS_NO_ERROR), "none");
    CHECK_STR(kk_metrics_error_text(KK_METRICS_N_ERRORS), "none");
}

/* --- text --- */

TEST(prometheus_text)
{
    kk_buf text = KK_BUF_INIT;
    kk_prometheus_family(&text, "kokoro_words_total", "counter", "Words.");
    kk_prometheus_sample(&text, "kokoro_words_total", "source", "a \"b\"\\\nc", 1234567890123.0);
    kk_prometheus_single(&text, "kokoro_part", "gauge", "A part.", 0.25);
    CHECK_STR(kk_buf_str(&text),
              "# HELP kokoro_words_total Words.\n"
              "# TYPE kokoro_words_total counter\n"
              "kokoro_words_total{source=\"a \\\"b\\\"\\\\\\nc\"} 1234567890123\n"
              "# HELP kokoro_part A part.\n"
              "# TYPE kokoro_part gauge\n"
              "kokoro_part 0.25\n");
    kk_buf_clear(&text);
    kk_prometheus_sample(&text, "a", NULL, NULL, (double)INFINITY);
    kk_prometheus_sample(&text, "a", NULL, NULL, (double)-INFINITY);
    kk_prometheus_sample(&text, "a", NULL, NULL, (double)NAN);
    kk_prometheus_sample(&text, "a", NULL, NULL, -3.0);
    CHECK_STR(kk_buf_str(&text), "a +Inf\na -Inf\na NaN\na -3\n");
    kk_buf_fini(&text);
}

TEST(prometheus_histograms_add_up)
{
    kk_metrics *metrics = new_metrics();
    kk_metrics_view view;
    const double values[] = {0.25, 0.26, 0.5, 3.0, 5000.0, 0.0};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        kk_metrics_add_inference(metrics, "native", values[i]);
    kk_metrics_read(metrics, &view);
    kk_buf text = KK_BUF_INIT;
    kk_prometheus_histogram(&text, "h", "Help.", &view, KK_METRICS_INFERENCE);
    CHECK_HAS(kk_buf_str(&text), "# TYPE h histogram\n");
    CHECK_HAS(kk_buf_str(&text), "\nh_bucket{le=\"0.0009765625\"} 1\n");
    CHECK_HAS(kk_buf_str(&text), "\nh_bucket{le=\"0.125\"} 1\n");
    CHECK_HAS(kk_buf_str(&text), "\nh_bucket{le=\"0.25\"} 2\n");
    CHECK_HAS(kk_buf_str(&text), "\nh_bucket{le=\"0.5\"} 4\n");
    CHECK_HAS(kk_buf_str(&text), "\nh_bucket{le=\"2\"} 4\n");
    CHECK_HAS(kk_buf_str(&text), "\nh_bucket{le=\"1024\"} 5\n");
    CHECK_HAS(kk_buf_str(&text), "\nh_bucket{le=\"+Inf\"} 6\nh_sum 5004.01\nh_count 6\n");
    kk_buf_fini(&text);
    kk_metrics_destroy(&metrics);
}

TEST_MAIN(T(buckets_hold_what_their_edges_say), T(quantiles_are_off_by_no_more_than_is_stated),
          T(quantiles_of_nothing_and_of_extremes), T(nothing_measured_is_zero),
          T(means_are_of_what_was_done), T(a_success_met_every_target),
          T(inferences_are_booked_to_what_ran_them), T(failures_are_counted_by_kind),
          T(answers_by_class), T(windows_forget), T(a_young_server_has_short_windows),
          T(threads_lose_nothing_and_readers_see_whole_requests), T(memory_is_read),
          T(memory_may_be_out), T(kinds_have_names), T(prometheus_text),
          T(prometheus_histograms_add_up))
