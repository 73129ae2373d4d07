/*
 * test_bench_run.c - whole runs of ways that are made up: what is asked in which order, what
 * happens when time or memory is out. The child is a shell script that speaks 0.1 s of silence.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "bench/run.h"
#include "bench/run_state.h"
#include "check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[] = "/tmp/kokoro-run-XXXXXX";

/* Answers by what stands in the question. The sound is that of four tokens of 25 ms. */
#define SCRIPT(openvino_speaks)                                                                    \
    "while read -r line; do case \"$line\" in"                                                     \
    "  *'\"do\":\"provider\"'*) echo '{\"available\": true, \"version\": \"1\", \"reason\": "      \
    "\"\"}';;"                                                                                     \
    "  *'\"do\":\"open\"'*) way=${line#*'\"provider\":\"'}; way=${way%%'\"'*};"                    \
    "    precision=${line#*'\"precision\":\"'}; precision=${precision%%'\"'*};"                    \
    "    echo '{\"provider\": \"'$way'\", \"precision\": \"'$precision'\", \"load_ms\": 5,"        \
    "      \"pack_ms\": 0, \"execution_provider\": \"x\", \"version\": \"1\"}' | tr -d '\\n';"     \
    "    echo;;"                                                                                   \
    "  *'\"do\":\"speak\"'*) if test $way = openvino; then " openvino_speaks "; fi;"               \
    "    case \"$line\" in *'\"keep\":true'*) head -c 9600 /dev/zero >&3;"                         \
    "      printf '\\1\\0\\0\\0\\1\\0\\0\\0\\1\\0\\0\\0\\1\\0\\0\\0' >&3;; esac;"                  \
    "    echo '{\"model_s\": 0.02, \"first_audio_s\": 0.01, \"audio_s\": 0.1, \"n_chunks\": 1, "   \
    "\"resident_mb\": 1, \"peak_mb\": 2, \"n_samples\": 2400, \"n_durations\": 4}';;"              \
    "  *'\"do\":\"place\"'*) echo '{\"placement\": \"2463 nodes on x\"}';;"                        \
    "  *) echo '{}';; esac; done"

typedef struct setting {
    kokoro_options options;
    kk_bench_request request;
    const char *command[4];
    char *model, *text, *cache;
} setting;

static char *put(const char *name, const char *content)
{
    char *path = kk_path_join(place, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(content, file) >= 0);
    (void)fclose(file);
    return path;
}

/* A machine whose every way is the script; plain C, so that native has one precision anywhere. */
static void begin(setting *s, const char *script, const char *provider)
{
    memcpy(place, "/tmp/kokoro-run-XXXXXX", sizeof(place));
    CHECK(mkdtemp(place) != NULL);
    *s = (setting){.command = {"/bin/sh", "-c", script, NULL}};
    s->model = put("model", "a model");
    s->text = put("text", "Hello.\n");
    s->cache = kk_path_join(place, "cache");
    CHECK_INT(kk_make_dirs(s->cache, NULL), KOKORO_OK);
    kokoro_options_init(&s->options);
    s->options.model_path = s->model;
    s->options.cache_dir = s->cache;
    s->options.provider = provider;
    s->options.cpu_mask = "ref";
    s->options.n_threads = 2;
    s->request = (kk_bench_request){
        .options = &s->options, .command = s->command, .voice = "af_heart", .text_file = s->text};
    kk_plan_init(&s->request.plan, KK_BENCH_QUICK, 1, 2, 0);
}

static void end(setting *s)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", place);
    CHECK_INT(system(command), 0);
    kk_free(s->model);
    kk_free(s->text);
    kk_free(s->cache);
}

static void check_way(const kk_bench_result *result, size_t place_of, const char *provider)
{
    const kk_bench_way *way = &result->ways[place_of];
    CHECK_STR(way->way.provider, provider);
    CHECK(way->failure == NULL);
    CHECK_INT(way->timings[0].inference_s.n, 2);
    CHECK_INT(way->timings[0].first_audio_s.n, 2);
    CHECK_NEAR(way->timings[0].audio_s, 0.1, 1e-9);
    CHECK(way->quality.is_known);
    CHECK_INT(way->quality.n_tokens, 4);
    CHECK_INT(way->quality.n_durations_differ, 0);
    CHECK_NEAR(way->quality.log_mel_db, 0.0, 1e-6);
}

TEST(all_ways_take_their_turns)
{
    setting s;
    kk_bench_result result;
    kokoro_error err;
    begin(&s, SCRIPT(":"), "auto");
    kk_bench_result_init(&result);
    CHECK_INT(kk_bench_run(&result, &s.request, &err), KOKORO_OK);
    CHECK_INT(result.n_ways, 3);
    check_way(&result, 0, "native");
    CHECK(result.ways[0].quality.is_reference);
    check_way(&result, 1, "onnxruntime");
    check_way(&result, 2, "openvino");
    CHECK_INT(result.n_left_out, 0);
    CHECK_INT(result.n_runs, 2);
    CHECK(result.n_groups >= 1);
    kk_bench_result_fini(&result);
    end(&s);
}

/* In a full run the sampling leaves time for it; a quick run has none to spare. */
TEST(a_full_run_tells_where_the_runtime_puts_the_nodes)
{
    setting s;
    kk_bench_result result;
    kokoro_error err;
    static const enum kk_bench_mode modes[] = {KK_BENCH_FULL, KK_BENCH_QUICK};
    for (int i = 0; i < 2; i++) {
        begin(&s, SCRIPT(":"), "onnxruntime");
        kk_plan_init(&s.request.plan, modes[i], 1, 100000, 0);
        s.request.plan.budget_s = 2.0;
        s.request.plan.end_s = 60.0;
        kk_bench_result_init(&result);
        CHECK_INT(kk_bench_run(&result, &s.request, &err), KOKORO_OK);
        CHECK(result.n_ways >= 1);
        for (size_t w = 0; w < result.n_ways; w++) {
            CHECK_STR(result.ways[w].way.provider, "onnxruntime");
            CHECK_STR(result.ways[w].placement, i == 0 ? "2463 nodes on x" : "");
        }
        kk_bench_result_fini(&result);
        end(&s);
    }
}

TEST(the_way_in_use_comes_right_behind_native)
{
    setting s;
    kk_bench_result result;
    kokoro_error err;
    begin(&s, SCRIPT(":"), "auto");
    s.request.before = (kk_way){"openvino", "f32", 2};
    kk_bench_result_init(&result);
    CHECK_INT(kk_bench_run(&result, &s.request, &err), KOKORO_OK);
    check_way(&result, 0, "native");
    check_way(&result, 1, "openvino");
    check_way(&result, 2, "onnxruntime");
    kk_bench_result_fini(&result);
    end(&s);
}

/* The first way is measured whatever it takes, the others are not begun. */
TEST(what_there_is_no_time_for_is_left_out_and_told)
{
    setting s;
    kk_bench_result result;
    kokoro_error err;
    begin(&s, SCRIPT(":"), "auto");
    s.request.plan.budget_s = s.request.plan.end_s = 0.001;
    kk_bench_result_init(&result);
    CHECK_INT(kk_bench_run(&result, &s.request, &err), KOKORO_OK);
    CHECK_INT(result.n_ways, 1);
    CHECK_STR(result.ways[0].way.provider, "native");
    CHECK_INT(result.ways[0].timings[0].inference_s.n, 1);
    CHECK_INT(result.n_left_out, 2);
    CHECK_STR(result.left_out[0].way.provider, "onnxruntime");
    CHECK_STR(result.left_out[1].way.provider, "openvino");
    CHECK_HAS(result.left_out[0].reason, "no time was left");
    CHECK_HAS(result.left_out[0].reason, "--provider onnxruntime measures it alone");
    kk_bench_result_fini(&result);
    end(&s);
}

/* One that does not answer until the run's time is over has not failed: it was too slow for it. */
TEST(what_outlives_the_run_is_left_out)
{
    setting s;
    kk_bench_result result;
    kokoro_error err;
    begin(&s, SCRIPT("exec sleep 60"), "auto");
    char *folder = kk_path_join(s.cache, "openvino/model");
    CHECK_INT(kk_make_dirs(folder, NULL), KOKORO_OK); /* so that it is expected to load quickly */
    s.request.before = (kk_way){"openvino", "f32", 2};
    s.request.plan.budget_s = 3.5;
    s.request.plan.end_s = 4.0;
    kk_bench_result_init(&result);
    CHECK_INT(kk_bench_run(&result, &s.request, &err), KOKORO_OK);
    CHECK_INT(result.n_ways, 1);
    CHECK(result.ways[0].timings[0].inference_s.n > 0);
    CHECK_INT(result.n_left_out, 2);
    for (size_t i = 0; i < result.n_left_out; i++)
        CHECK_HAS(result.left_out[i].reason, "no time was left");
    kk_bench_result_fini(&result);
    kk_free(folder);
    end(&s);
}

/* A way may take what is left when the more important ones have had what they need; the first one
 * has no limit until it has its sample. */
TEST(a_step_is_cut_where_the_more_important_ways_need_the_time)
{
    kk_bench_result result;
    bool is_cut;
    kk_bench_result_init(&result);
    result.n_texts = 1;
    result.texts[0] = (kk_bench_text){"medium", "Hello.", 6};
    const kk_bench_request request = {.watch = NULL};
    kk_run_state r = {.result = &result, .request = &request, .start_s = kk_now_s(), .n_lanes = 3};
    kk_plan_init(&r.plan, KK_BENCH_QUICK, 1, KK_PLAN_UNSET, 0);
    r.plan.end_s = 20.0;
    for (size_t i = 0; i < r.n_lanes; i++)
        r.lanes[i] = (kk_lane){.way = &result.ways[i], .is_open = i < 2, .expected_s = {5.0}};
    r.lanes[0].n_spoken[0] = 1;
    CHECK_NEAR(kk_bench_cut_limit_s(&r, &r.lanes[0], 90.0, &is_cut), 90.0, 1e-9);
    CHECK(!is_cut);
    /* 5 s of a sample and 1 s of a first sound are the first one's. */
    CHECK_NEAR(kk_bench_cut_limit_s(&r, &r.lanes[1], 90.0, &is_cut), 20.0 - 6.0, 0.5);
    CHECK(is_cut);
    /* The second one has not been warmed up yet: 11 s more. */
    CHECK_NEAR(kk_bench_cut_limit_s(&r, &r.lanes[2], 90.0, &is_cut), 20.0 - 17.0, 0.5);
    CHECK(is_cut);
    result.ways[0].timings[0].inference_s.n = 1;
    CHECK_NEAR(kk_bench_cut_limit_s(&r, &r.lanes[1], 90.0, &is_cut), 20.0, 0.5);
    CHECK_NEAR(kk_bench_cut_limit_s(&r, &r.lanes[1], 3.0, &is_cut), 3.0, 1e-9);
    CHECK(!is_cut);
    kk_bench_result_fini(&result);
}

/* In a quick run a runtime of others that does not answer is given up while there is time for the
 * rest: after ten times what native in f32 takes, or it itself, and 8 s at least. */
TEST(what_hangs_in_a_quick_run_is_given_up_in_time)
{
    kk_bench_result result;
    kk_bench_result_init(&result);
    result.n_texts = 1;
    result.texts[0] = (kk_bench_text){"medium", "Hello.", 6};
    result.ways[0].way = (kk_way){"native", "f32", 2};
    result.ways[1].way = (kk_way){"onnxruntime", "file", 2};
    const kk_bench_request request = {.watch = NULL};
    kk_run_state r = {.result = &result,
                      .request = &request,
                      .start_s = kk_now_s(),
                      .slowness = 1.0,
                      .pace = 20.0,
                      .n_lanes = 2};
    kk_plan_init(&r.plan, KK_BENCH_QUICK, 1, KK_PLAN_UNSET, 0);
    for (size_t i = 0; i < r.n_lanes; i++)
        r.lanes[i] = (kk_lane){.way = &result.ways[i], .is_open = true};
    r.reference_s[0] = r.lanes[0].expected_s[0] = 0.5;
    CHECK_NEAR(kk_bench_longest_s(&r, &r.lanes[0], 0), 25.0, 1e-9);
    CHECK_NEAR(kk_bench_longest_s(&r, &r.lanes[1], 0), 8.0, 1e-9);
    r.reference_s[0] = 2.0;
    CHECK_NEAR(kk_bench_longest_s(&r, &r.lanes[1], 0), 20.0, 1e-9);
    r.lanes[1].expected_s[0] = 1.5;
    CHECK_NEAR(kk_bench_longest_s(&r, &r.lanes[1], 0), 15.0, 1e-9);
    /* Where it is the first way, without which there is no result, it has the rest of the run. */
    kk_lane alone = {.way = &result.ways[0], .is_open = true};
    result.ways[0].way = result.ways[1].way;
    r.reference_s[0] = 9.0;
    CHECK_NEAR(kk_bench_longest_s(&r, &alone, 0), r.plan.end_s, 0.5);
    r.start_s -= 25.0;
    CHECK_NEAR(kk_bench_longest_s(&r, &alone, 0), 8.0, 1e-9);
    /* With as much time as it takes, or in a full run, there is no hurry. */
    kk_plan_init(&r.plan, KK_BENCH_QUICK, 1, 5, 0);
    CHECK_NEAR(kk_bench_longest_s(&r, &r.lanes[1], 0), 35.0, 1e-9);
    kk_plan_init(&r.plan, KK_BENCH_FULL, 1, KK_PLAN_UNSET, 0);
    CHECK_NEAR(kk_bench_longest_s(&r, &r.lanes[1], 0), 35.0, 1e-9);
    kk_bench_result_fini(&result);
}

TEST(each_failed_allocation_is_told)
{
    setting s;
    kk_bench_result result;
    kokoro_error err;
    size_t k = 0;
    bool is_whole = false;
    begin(&s, SCRIPT(":"), "native");
    kk_plan_init(&s.request.plan, KK_BENCH_QUICK, 0, 1, 0);
    while (!is_whole && k < 1000) {
        kk_bench_result_init(&result);
        kk_alloc_fail_at(++k, 0);
        const int status = kk_bench_run(&result, &s.request, &err);
        is_whole = kk_alloc_count() < k;
        kk_alloc_fail_at(0, 0);
        /* What only helps to be quick or precise may be missing; a failure is told as what it is.
         */
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
        if (status == KOKORO_OK && result.ways[0].failure != NULL)
            CHECK_HAS(result.ways[0].failure, "memory");
        CHECK(!is_whole || status == KOKORO_OK);
        if (is_whole)
            CHECK_INT(result.ways[0].timings[0].inference_s.n, 1);
        kk_bench_result_fini(&result);
    }
    CHECK(is_whole && k > 20);
    end(&s);
}

TEST_MAIN(T(all_ways_take_their_turns), T(a_full_run_tells_where_the_runtime_puts_the_nodes),
          T(the_way_in_use_comes_right_behind_native),
          T(what_there_is_no_time_for_is_left_out_and_told), T(what_outlives_the_run_is_left_out),
          T(a_step_is_cut_where_the_more_important_ways_need_the_time),
          T(what_hangs_in_a_quick_run_is_given_up_in_time), T(each_failed_allocation_is_told))
