/*
 * test_bench_choice.c - which way is recommended: the threshold and its sign, the limit of quality,
 * ways that failed, what was in use before.
 */
#include "base/alloc.h"
#include "bench/choice.h"
#include "bench_fixture.h"
#include "check.h"

static kk_bench_result result;
static kokoro_error error;

static kk_way way_of(const char *provider, const char *precision)
{
    kk_way way = {.n_threads = 2};
    (void)snprintf(way.provider, sizeof(way.provider), "%s", provider);
    (void)snprintf(way.precision, sizeof(way.precision), "%s", precision);
    return way;
}

/* Give a way one time on the text that decides. */
static void set_time(int place, double seconds)
{
    result.ways[place].timings[1].inference_s = fixture_samples(&result, seconds, 1);
}

static int choose(const char *provider, const char *precision)
{
    const kk_choice_rule rule = {5.0, 1.0, way_of(provider, precision), false};
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
    return result.choice.recommended;
}

TEST(the_fastest_where_nothing_was_in_use)
{
    fixture_make(&result);
    CHECK_INT(choose("", ""), FIXTURE_BF16);
    CHECK_INT(result.choice.fastest, FIXTURE_BF16);
    CHECK_INT(result.choice.best_quality, FIXTURE_F32);
    CHECK(!result.choice.is_change && !result.choice.is_over_quality);
    CHECK_NEAR(result.choice.improvement_percent, 0.0, 0.0);
    CHECK_NEAR(result.choice.min_improvement_percent, 5.0, 0.0);
    CHECK_STR(result.choice.reason,
              "native bf16, 2 threads is the fastest within 1.00 dB of native in f32.");
    kk_bench_result_fini(&result);
}

/* The reference system computed (fast - slow) / slow, never 5 or more, and kept the slow one. */
TEST(the_sign_is_right)
{
    fixture_make(&result);
    set_time(FIXTURE_ORT, 1.0);
    set_time(FIXTURE_BF16, 0.5);
    CHECK_INT(choose("onnxruntime", "file"), FIXTURE_BF16);
    CHECK(result.choice.is_change);
    CHECK_NEAR(result.choice.improvement_percent, 50.0, 1e-9);
    CHECK_HAS(result.choice.reason, "native bf16, 2 threads takes 50.0 % less time than "
                                    "onnxruntime file, 2 threads, in use");
    set_time(FIXTURE_ORT, 0.25);
    CHECK_INT(choose("native", "bf16"), FIXTURE_ORT);
    CHECK(result.choice.is_change);
    CHECK_INT(choose("onnxruntime", "file"), FIXTURE_ORT);
    CHECK(!result.choice.is_change);
    CHECK_NEAR(result.choice.improvement_percent, 0.0, 0.0);
    CHECK_HAS(result.choice.reason, "is in use and the fastest");
    kk_bench_result_fini(&result);
}

TEST(a_change_needs_more_than_the_threshold)
{
    fixture_make(&result);
    set_time(FIXTURE_ORT, 1.0);
    set_time(FIXTURE_F32, 2.0);
    set_time(FIXTURE_BF16, 0.96);
    CHECK_INT(choose("onnxruntime", "file"), FIXTURE_ORT);
    CHECK(!result.choice.is_change);
    CHECK_INT(result.choice.fastest, FIXTURE_BF16);
    CHECK_NEAR(result.choice.improvement_percent, 4.0, 1e-9);
    CHECK_STR(result.choice.reason,
              "onnxruntime file, 2 threads is in use; native bf16, 2 threads takes 4.0 % less "
              "time, and a change needs more than 5.0 %.");
    set_time(FIXTURE_BF16, 0.94);
    CHECK_INT(choose("onnxruntime", "file"), FIXTURE_BF16);
    set_time(FIXTURE_ORT, 64.0);
    set_time(FIXTURE_BF16, 60.0);
    set_time(FIXTURE_F32, 99.0);
    const kk_choice_rule exact = {6.25, 1.0, way_of("onnxruntime", "file"), false};
    CHECK_INT(kk_choose(&result, &exact, &error), KOKORO_OK);
    CHECK_INT(result.choice.recommended, FIXTURE_ORT);
    kk_bench_result_fini(&result);
}

TEST(equals_change_nothing)
{
    fixture_make(&result);
    set_time(FIXTURE_ORT, 0.5);
    set_time(FIXTURE_BF16, 0.5);
    set_time(FIXTURE_F32, 0.5);
    CHECK_INT(choose("", ""), FIXTURE_BF16);
    const kk_choice_rule rule = {0.0, 1.0, way_of("onnxruntime", "file"), false};
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
    CHECK_INT(result.choice.recommended, FIXTURE_ORT);
    CHECK(!result.choice.is_change);
    kk_bench_result_fini(&result);
}

TEST(the_fastest_may_sound_too_far_away)
{
    fixture_make(&result);
    result.ways[FIXTURE_BF16].quality.log_mel_db = 1.01;
    CHECK_INT(choose("", ""), FIXTURE_F32);
    CHECK_INT(result.choice.fastest, FIXTURE_BF16);
    CHECK(!result.choice.is_over_quality);
    CHECK_INT(choose("native", "bf16"), FIXTURE_F32);
    CHECK(result.choice.is_change);
    CHECK(result.choice.improvement_percent < 0.0);
    CHECK_HAS(result.choice.reason, "native bf16, 2 threads, in use, sounds too far");
    result.ways[FIXTURE_BF16].quality.log_mel_db = 1.0;
    CHECK_INT(choose("", ""), FIXTURE_BF16);
    result.ways[FIXTURE_BF16].quality.is_known = false;
    CHECK_INT(choose("", ""), FIXTURE_F32);
    kk_bench_result_fini(&result);
}

TEST(nothing_within_the_limit_is_marked)
{
    fixture_make(&result);
    result.ways[FIXTURE_F32].failure = "out of memory";
    result.ways[FIXTURE_BF16].quality.log_mel_db = 2.5;
    result.ways[FIXTURE_ORT].quality.log_mel_db = 1.5;
    CHECK_INT(choose("native", "bf16"), FIXTURE_ORT);
    CHECK(result.choice.is_over_quality && result.choice.is_change);
    CHECK_STR(result.choice.reason, "Nothing is within 1.00 dB of native in f32; onnxruntime "
                                    "file, 2 threads is the nearest, at 1.50 dB.");
    CHECK_INT(choose("onnxruntime", "file"), FIXTURE_ORT);
    CHECK(result.choice.is_over_quality && !result.choice.is_change);
    for (int i = 0; i < FIXTURE_N_WAYS; i++)
        result.ways[i].quality.is_known = result.ways[i].quality.is_reference = false;
    CHECK_INT(choose("", ""), FIXTURE_BF16);
    CHECK(result.choice.is_over_quality);
    CHECK_HAS(result.choice.reason, "no sound could be compared");
    kk_bench_result_fini(&result);
}

TEST(what_was_in_use_failed_or_was_not_measured)
{
    fixture_make(&result);
    CHECK_INT(choose("openvino", "f32"), FIXTURE_BF16);
    CHECK(result.choice.is_change);
    CHECK_NEAR(result.choice.improvement_percent, 0.0, 0.0);
    CHECK_HAS(result.choice.reason, "openvino f32, 2 threads, in use, failed");
    CHECK_INT(choose("native", "gone"), FIXTURE_BF16);
    CHECK(result.choice.is_change);
    CHECK_HAS(result.choice.reason, "was not measured");
    kk_bench_result_fini(&result);
}

/* Without a record the threshold holds too, and nobody is told that something was chosen before. */
TEST(what_auto_opens_unmeasured_has_to_be_beaten_too)
{
    fixture_make(&result);
    set_time(FIXTURE_F32, 1.0);
    set_time(FIXTURE_BF16, 2.0);
    set_time(FIXTURE_ORT, 0.96);
    const kk_choice_rule rule = {5.0, 1.0, way_of("native", "f32"), true};
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
    CHECK_INT(result.choice.recommended, FIXTURE_F32);
    CHECK_STR(result.choice.reason,
              "native f32, 2 threads is what auto opens without a benchmark; onnxruntime file, 2 "
              "threads takes 4.0 % less time, and a change needs more than 5.0 %.");
    set_time(FIXTURE_ORT, 0.9);
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
    CHECK_INT(result.choice.recommended, FIXTURE_ORT);
    CHECK_STR(result.choice.reason,
              "onnxruntime file, 2 threads takes 10.0 % less time than native f32, 2 threads, what "
              "auto opens without a benchmark; a change needs more than 5.0 %.");
    set_time(FIXTURE_F32, 0.5);
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
    CHECK_STR(result.choice.reason, "native f32, 2 threads is what auto opens without a benchmark "
                                    "and the fastest within 1.00 dB of native in f32.");
    result.ways[FIXTURE_F32].failure = "no memory";
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
    CHECK_HAS(result.choice.reason,
              "; native f32, 2 threads, what auto opens without a benchmark, failed.");
    kk_bench_result_fini(&result);
}

TEST(nothing_ran)
{
    fixture_make(&result);
    for (int i = 0; i < FIXTURE_N_WAYS - 1; i++)
        result.ways[i].timings[1].inference_s.n = 0;
    CHECK_INT(choose("native", "bf16"), -1);
    CHECK_INT(result.choice.fastest, -1);
    CHECK_INT(result.choice.best_quality, -1);
    CHECK(!result.choice.is_change && !result.choice.is_over_quality);
    CHECK_STR(result.choice.reason, "No way to run the model gave figures.");
    result.n_ways = 0;
    CHECK_INT(choose("", ""), -1);
    kk_bench_result_fini(&result);
}

TEST(memory_is_out_at_every_place)
{
    fixture_make(&result);
    const kk_choice_rule rule = {5.0, 1.0, way_of("onnxruntime", "file"), false};
    int status = KOKORO_NO_MEMORY;
    size_t k = 0;
    while (status == KOKORO_NO_MEMORY && k < 100) {
        kk_alloc_fail_at(++k, 0);
        status = kk_choose(&result, &rule, &error);
        kk_alloc_fail_at(0, 0);
    }
    CHECK_INT(status, KOKORO_OK);
    CHECK(k > 3);
    CHECK_INT(result.choice.recommended, FIXTURE_BF16);
    kk_bench_result_fini(&result);
}

TEST_MAIN(T(the_fastest_where_nothing_was_in_use), T(the_sign_is_right),
          T(a_change_needs_more_than_the_threshold), T(equals_change_nothing),
          T(the_fastest_may_sound_too_far_away), T(nothing_within_the_limit_is_marked),
          T(what_was_in_use_failed_or_was_not_measured),
          T(what_auto_opens_unmeasured_has_to_be_beaten_too), T(nothing_ran),
          T(memory_is_out_at_every_place))
