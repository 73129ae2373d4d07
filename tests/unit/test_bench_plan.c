/* test_bench_plan.c - ways, numbers of runs, time, memory and texts of a benchmark. */
#include "base/file.h"
#include "bench/machine.h"
#include "bench/plan.h"
#include "bench/texts.h"
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

static kk_bench_plan plan_of(enum kk_bench_mode mode)
{
    kk_bench_plan plan;
    kk_plan_init(&plan, mode, KK_PLAN_UNSET, KK_PLAN_UNSET, KK_PLAN_UNSET);
    return plan;
}

TEST(a_limit_shortens_and_never_lengthens)
{
    kk_bench_plan plan = plan_of(KK_BENCH_FULL);
    const double budget_s = plan.budget_s;
    kk_plan_limit(&plan, 0.0);
    CHECK_NEAR(plan.budget_s, budget_s, 0.0);
    kk_plan_limit(&plan, 1e6);
    CHECK_NEAR(plan.budget_s, budget_s, 0.0);
    kk_plan_limit(&plan, 60.0);
    CHECK_NEAR(plan.budget_s, 54.0, 1e-9);
    CHECK_NEAR(plan.end_s, 57.0, 1e-9);
}

TEST(modes_differ)
{
    const kk_bench_plan quick = plan_of(KK_BENCH_QUICK), full = plan_of(KK_BENCH_FULL);
    CHECK_INT(quick.n_warm_ups, 1);
    CHECK(quick.n_runs >= KK_PLAN_MIN_RUNS && quick.n_runs < full.n_runs);
    CHECK(!quick.with_long && full.with_long);
    CHECK(!quick.tries_half && full.tries_half);
    CHECK(quick.budget_s < quick.end_s && quick.end_s < 30.0);
    CHECK(full.budget_s < full.end_s && full.end_s < 300.0);
    CHECK(full.budget_s < 300.0 && full.budget_s > 2.0 * quick.budget_s);
    CHECK_STR(kk_bench_mode_text(KK_BENCH_COMPREHENSIVE), "comprehensive");
}

TEST(what_was_asked_for_goes_before_the_mode)
{
    kk_bench_plan plan;
    kk_plan_init(&plan, KK_BENCH_QUICK, 0, 50, 1);
    CHECK_INT(plan.n_warm_ups, 0);
    CHECK_INT(plan.n_runs, 50);
    CHECK(plan.with_long);
    CHECK(!isfinite(plan.end_s));
    CHECK(kk_plan_admits(&plan, 1e6, 10.0, 40, false)); /* no time limit cuts what was asked */
    kk_plan_init(&plan, KK_BENCH_FULL, KK_PLAN_UNSET, KK_PLAN_UNSET, 0);
    CHECK(!plan.with_long);
}

static size_t ways_of(kk_way *ways, const char *provider, bool has_bf16, enum kk_bench_mode mode,
                      const char *precision)
{
    const kk_bench_plan plan = plan_of(mode);
    const kk_plan_machine machine = {.has_bf16 = has_bf16,
                                     .n_threads = 4,
                                     .in_f32_only = strcmp(precision, "f32") == 0,
                                     .in_bf16_only = strcmp(precision, "bf16") == 0};
    return kk_plan_ways(ways, 2, provider, &machine, &plan);
}

TEST(ways_worth_trying)
{
    kk_way ways[2];
    CHECK_INT(ways_of(ways, "native", true, KK_BENCH_QUICK, "auto"), 2);
    CHECK_STR(ways[0].precision, "bf16");
    CHECK_STR(ways[1].precision, "f32");
    CHECK_INT(ways[0].n_threads, 4);
    CHECK_INT(ways_of(ways, "native", false, KK_BENCH_FULL, "auto"), 1);
    CHECK_STR(ways[0].precision, "f32");
    CHECK_INT(ways_of(ways, "native", true, KK_BENCH_FULL, "f32"), 1);
    CHECK_STR(ways[0].precision, "f32");
    CHECK_INT(ways_of(ways, "native", true, KK_BENCH_FULL, "bf16"), 1);
    CHECK_STR(ways[0].precision, "bf16");
    CHECK_INT(ways_of(ways, "onnxruntime", true, KK_BENCH_FULL, "auto"), 1);
    CHECK_STR(ways[0].precision, "file");
    CHECK_INT(ways_of(ways, "openvino", true, KK_BENCH_FULL, "auto"), 2);
    CHECK_INT(ways_of(ways, "openvino", true, KK_BENCH_QUICK, "auto"), 1);
    CHECK_STR(ways[0].precision, "bf16");
    CHECK_INT(ways_of(ways, "openvino", false, KK_BENCH_QUICK, "auto"), 1);
    CHECK_STR(ways[0].precision, "f32");
    CHECK_INT(ways_of(ways, "openvino", true, KK_BENCH_QUICK, "f32"), 1);
}

TEST(rounds_stop_near_the_budget)
{
    const kk_bench_plan plan = plan_of(KK_BENCH_QUICK);
    const double end_s = plan.budget_s;
    CHECK(kk_plan_admits(&plan, 0.0, 1.0, 0, false));
    CHECK(kk_plan_admits(&plan, end_s - 2.0, 1.0, 100, false));
    CHECK(!kk_plan_admits(&plan, end_s - 0.5, 1.0, 0, false));
    CHECK(!kk_plan_admits(&plan, end_s - 0.5, 1.0, KK_PLAN_MIN_RUNS, true));
    CHECK(kk_plan_admits(&plan, end_s - 0.5, 1.0, KK_PLAN_MIN_RUNS - 1, true));
    CHECK(!kk_plan_admits(&plan, plan.end_s - 0.5, 1.0, 1, true));
    CHECK(!kk_plan_admits(&plan, 10.0 * end_s, 1.0, 0, true));
}

TEST(what_has_to_be_made_first_takes_longer_to_load)
{
    const kk_way ways[] = {
        {"native", "bf16", 2}, {"onnxruntime", "file", 2}, {"openvino", "f32", 2}};
    for (size_t i = 0; i < 3; i++) {
        CHECK(kk_plan_guess_load_s(&ways[i], true) > 0.0);
        CHECK(kk_plan_guess_load_s(&ways[i], false) > 2.0 * kk_plan_guess_load_s(&ways[i], true));
    }
}

TEST(a_step_may_take_much_longer_than_expected_but_not_for_ever)
{
    CHECK(kk_plan_limit_s(0.1, 1.0) > 10.0);
    CHECK(kk_plan_limit_s(10.0, 1.0) >= 100.0);
    CHECK(kk_plan_limit_s(10.0, 1.0) < 200.0);
    CHECK(kk_plan_limit_s(1.0, 30.0) > 10.0 * kk_plan_limit_s(1.0, 1.0));
}

TEST(ways_that_do_not_fit_into_memory_run_in_groups)
{
    const double need_mb[] = {300.0, 300.0, 1300.0, 1900.0, 1900.0};
    size_t group[5];
    CHECK_INT(kk_plan_groups(need_mb, 5, 8000.0, group), 1);
    CHECK_INT(group[4], 0);
    CHECK_INT(kk_plan_groups(need_mb, 5, 2000.0, group), 3);
    CHECK_INT(group[1], 0);
    CHECK_INT(group[2], 0);
    CHECK_INT(group[3], 1);
    CHECK_INT(group[4], 2);
    CHECK_INT(kk_plan_groups(need_mb, 5, 100.0, group), 5); /* each alone */
    CHECK_INT(kk_plan_groups(need_mb, 5, 0.0, group), 1);   /* nothing is known */
    CHECK_INT(kk_plan_groups(need_mb, 0, 100.0, group), 0);
}

TEST(a_shuffle_is_an_order)
{
    uint64_t seed = 7;
    size_t first_of[4] = {0};
    for (int i = 0; i < 400; i++) {
        size_t order[4], seen[4] = {0};
        kk_plan_shuffle(order, 4, &seed);
        for (int k = 0; k < 4; k++)
            seen[order[k] % 4]++;
        for (int k = 0; k < 4; k++)
            CHECK_INT(seen[k], 1);
        first_of[order[0]]++;
    }
    for (int k = 0; k < 4; k++)
        CHECK(first_of[k] > 50);
}

TEST(own_texts_change_from_round_to_round)
{
    kk_bench_result result;
    kk_buf words = KK_BUF_INIT, other = KK_BUF_INIT;
    kk_bench_result_init(&result);
    CHECK_INT(kk_bench_own_texts(&result, false, NULL), KOKORO_OK);
    CHECK_INT(result.n_texts, 2);
    CHECK_INT(kk_bench_own_texts(&result, true, NULL), KOKORO_OK);
    CHECK_INT(result.n_texts, 3);
    CHECK_STR(result.texts[result.deciding_text].name, "medium");
    CHECK(result.texts[0].n_chars < 25);
    CHECK(result.texts[1].n_chars > 75 && result.texts[1].n_chars < 125);
    CHECK(result.texts[2].n_chars > 330 && result.texts[2].n_chars < 450);
    for (size_t t = 0; t < result.n_texts; t++) {
        kk_bench_text_round(&result.texts[t], 0, &words);
        CHECK_STR(kk_buf_str(&words), result.texts[t].text);
        for (unsigned round = 1; round <= 10; round++) {
            kk_bench_text_round(&result.texts[t], round, &words);
            kk_bench_text_round(&result.texts[t], round - 1, &other);
            CHECK(strcmp(kk_buf_str(&words), kk_buf_str(&other)) != 0);
        }
    }
    kk_buf_fini(&words);
    kk_buf_fini(&other);
    kk_bench_result_fini(&result);
}

static int texts_of(kk_bench_result *result, const char *content, size_t len, kokoro_error *err)
{
    char path[] = "/tmp/kokoro-texts-XXXXXX";
    const int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK_INT(kk_write_all(fd, content, len), 0);
    (void)close(fd);
    kk_bench_result_init(result);
    const int status = kk_bench_file_texts(result, path, err);
    (void)unlink(path);
    return status;
}

TEST(texts_of_a_file_stay_as_they_are)
{
    kk_bench_result result;
    kokoro_error err;
    kk_buf words = KK_BUF_INIT;
    const char two[] = "\n  A first line, Anna.\r\n\nThe second.";
    CHECK_INT(texts_of(&result, two, sizeof(two) - 1, &err), KOKORO_OK);
    CHECK_INT(result.n_texts, 2);
    CHECK_STR(result.texts[0].name, "text 1");
    CHECK_STR(result.texts[0].text, "A first line, Anna.");
    CHECK_INT(result.texts[1].n_chars, 11);
    CHECK_INT(result.deciding_text, 0);
    kk_bench_text_round(&result.texts[0], 3, &words);
    CHECK_STR(kk_buf_str(&words), "A first line, Anna.");
    kk_bench_result_fini(&result);
    CHECK_INT(texts_of(&result, " \n\n", 3, &err), KOKORO_NO_SPEECH);
    kk_bench_result_fini(&result);
    CHECK_INT(texts_of(&result, "ab\xff", 3, &err), KOKORO_BAD_TEXT);
    CHECK_HAS(err.message, "byte 2");
    kk_bench_result_fini(&result);
    CHECK_INT(texts_of(&result, "a\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\na\n", 34, &err),
              KOKORO_TOO_LONG);
    kk_bench_result_fini(&result);
    kk_buf_fini(&words);
}

TEST(a_busy_machine_is_named)
{
    char text[256];
    kk_machine_busy_text(0.2, 0.1, 2, text, sizeof(text));
    CHECK_STR(text, "");
    kk_machine_busy_text(1.3, 2.5, 2, text, sizeof(text));
    CHECK_HAS(text, "1.3 of 2");
    CHECK_HAS(text, "2.5");
    kk_machine_busy_text(-1.0, 2.5, 2, text, sizeof(text));
    CHECK_HAS(text, "2.5");
    const kk_machine_time a = {.wall_s = 1.0, .busy_s = 10.0, .own_s = 2.0};
    const kk_machine_time b = {.wall_s = 11.0, .busy_s = 25.0, .own_s = 12.0};
    const kk_machine_time unknown = {.wall_s = 11.0, .busy_s = -1.0};
    CHECK_NEAR(kk_machine_others(&a, &b), 0.5, 1e-9);
    CHECK_NEAR(kk_machine_others(&a, &unknown), -1.0, 0.0);
}

TEST_MAIN(T(a_limit_shortens_and_never_lengthens), T(modes_differ),
          T(what_was_asked_for_goes_before_the_mode), T(ways_worth_trying),
          T(rounds_stop_near_the_budget), T(what_has_to_be_made_first_takes_longer_to_load),
          T(a_step_may_take_much_longer_than_expected_but_not_for_ever),
          T(ways_that_do_not_fit_into_memory_run_in_groups), T(a_shuffle_is_an_order),
          T(own_texts_change_from_round_to_round), T(texts_of_a_file_stay_as_they_are),
          T(a_busy_machine_is_named))
