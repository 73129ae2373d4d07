/*
 * test_bench_json.c - a result to JSON and back: nothing is lost, and what is wrong with a file is
 * named.
 */
#include "base/alloc.h"
#include "bench/choice.h"
#include "bench/result_json.h"
#include "bench_fixture.h"
#include "check.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static kk_bench_result result, back;
static kokoro_error error;

static void make(void)
{
    const kk_choice_rule rule = {5.0, 1.0, {"onnxruntime", "file", 2}, false};
    fixture_make(&result);
    CHECK_INT(kk_choose(&result, &rule, &error), KOKORO_OK);
    result.n_streams = 2;
    for (size_t i = 0; i < result.n_streams; i++)
        result.streams[i] = (kk_bench_streams){.n_streams = 1 << i,
                                               .first_sound_s = fixture_samples(&result, 0.3, 4),
                                               .audio_s = 12.0,
                                               .wall_s = 1.0 / 3.0,
                                               .n_ran_dry = i};
}

static void check_samples(const kk_samples *got, const kk_samples *want)
{
    CHECK_INT(got->n, want->n);
    for (size_t i = 0; i < got->n && i < want->n; i++)
        CHECK_NEAR(got->values[i], want->values[i], 0.0);
}

static int there_and_back(kk_buf *text)
{
    kk_buf_clear(text);
    CHECK_INT(kk_result_to_json(text, &result, NULL, NULL, &error), KOKORO_OK);
    return kk_result_from_json(&back, (kk_slice){kk_buf_str(text), text->len}, &error);
}

TEST(round_trip_is_exact)
{
    kk_buf text = KK_BUF_INIT, again = KK_BUF_INIT;
    make();
    result.ways[0].timings[0].inference_s.values[3] = 0.1 + 0.2;
    result.ways[0].timings[0].first_s = 1.0 / 3.0;
    result.ways[2].timings[0].first_audio_s.n = 0;
    result.ways[2].quality = (kk_bench_quality){.is_known = false};
    result.texts[1].text = "\"Zürich\" \\ \t\x01 \xf0\x9f\x99\x82\n";
    result.load_before = -1.0;
    result.is_interrupted = true;
    CHECK_INT(there_and_back(&text), KOKORO_OK);

    CHECK_STR(back.mode, "full");
    CHECK_STR(back.texts[1].text, result.texts[1].text);
    CHECK_NEAR(back.started_at_s, 1790000000.125, 0.0);
    CHECK_NEAR(back.load_before, -1.0, 0.0);
    CHECK(back.is_interrupted);
    CHECK_INT(back.deciding_text, 1);
    CHECK_INT(back.hardware.memory_bytes, 8241176576);
    CHECK_STR(back.hardware.instruction_set, "avx512bf16");
    CHECK(memcmp(&back.fingerprint, &result.fingerprint, sizeof(back.fingerprint)) == 0);
    CHECK_INT(back.n_ways, FIXTURE_N_WAYS);
    for (size_t i = 0; i < back.n_ways; i++) {
        const kk_bench_way *got = &back.ways[i], *want = &result.ways[i];
        CHECK(kk_way_equal(&got->way, &want->way));
        CHECK_STR(got->placement, want->placement);
        CHECK((got->failure == NULL) == (want->failure == NULL));
        CHECK_NEAR(got->peak_mb, want->peak_mb, 0.0);
        CHECK(got->quality.is_known == want->quality.is_known);
        CHECK(got->quality.is_reference == want->quality.is_reference);
        CHECK_NEAR(got->quality.worst_log_mel_db, want->quality.worst_log_mel_db, 0.0);
        for (size_t k = 0; k < back.n_texts; k++) {
            CHECK_NEAR(got->timings[k].first_s, want->timings[k].first_s, 0.0);
            check_samples(&got->timings[k].inference_s, &want->timings[k].inference_s);
            check_samples(&got->timings[k].first_audio_s, &want->timings[k].first_audio_s);
        }
    }
    CHECK_STR(back.ways[FIXTURE_FAILED].failure, result.ways[FIXTURE_FAILED].failure);
    CHECK_STR(back.absent[0].reason, result.absent[0].reason);
    CHECK_INT(back.n_groups, 2);
    CHECK_INT(back.n_left_out, 1);
    CHECK(kk_way_equal(&back.left_out[0].way, &result.left_out[0].way));
    CHECK_STR(back.left_out[0].reason, result.left_out[0].reason);
    CHECK_INT(back.n_streams, 2);
    CHECK_INT(back.streams[1].n_ran_dry, 1);
    check_samples(&back.streams[1].first_sound_s, &result.streams[1].first_sound_s);
    CHECK_INT(back.choice.recommended, result.choice.recommended);
    CHECK_INT(back.choice.best_quality, result.choice.best_quality);
    CHECK(kk_way_equal(&back.choice.before, &result.choice.before));
    CHECK_NEAR(back.choice.improvement_percent, result.choice.improvement_percent, 0.0);
    CHECK_STR(back.choice.reason, result.choice.reason);

    /* And so is all that the checks above forgot. */
    CHECK_INT(kk_result_to_json(&again, &back, NULL, NULL, &error), KOKORO_OK);
    CHECK_STR(kk_buf_str(&again), kk_buf_str(&text));
    kk_buf_fini(&text);
    kk_buf_fini(&again);
    kk_bench_result_fini(&back);
    kk_bench_result_fini(&result);
}

TEST(an_empty_result_comes_back)
{
    kk_buf text = KK_BUF_INIT;
    kk_bench_result_init(&result);
    CHECK_INT(there_and_back(&text), KOKORO_OK);
    CHECK_INT(back.n_ways, 0);
    CHECK_INT(back.choice.recommended, -1);
    CHECK_STR(back.choice.before.provider, "");
    kk_buf_fini(&text);
    kk_bench_result_fini(&back);
}

TEST(text_that_is_no_utf_8_is_mended)
{
    kk_buf text = KK_BUF_INIT;
    make();
    result.busy = "caf\xc3";
    (void)snprintf(result.hardware.cpu_model, sizeof(result.hardware.cpu_model),
                   "A\xff\xfe"
                   "B");
    CHECK_INT(there_and_back(&text), KOKORO_OK);
    CHECK_STR(back.busy, "caf\xef\xbf\xbd");
    CHECK_STR(back.hardware.cpu_model, "A\xef\xbf\xbd\xef\xbf\xbd"
                                       "B");
    kk_buf_fini(&text);
    kk_bench_result_fini(&back);
    kk_bench_result_fini(&result);
}

TEST(what_people_ask_with_jq_is_there)
{
    kk_buf text = KK_BUF_INIT;
    make();
    kk_history_change change = {{"native", "bf16", 2}, "medium", 0.4, 0.5, 25.0, 0.001, 3};
    const kk_history_view view = {
        .changes = &change, .n_changes = 1, .n_regressions = 1, .n_compared = 3};
    CHECK_INT(kk_result_to_json(&text, &result, &view, NULL, &error), KOKORO_OK);
    json_t *json = json_loads(kk_buf_str(&text), 0, NULL);
    const char *provider = NULL, *date = NULL, *named = NULL;
    double median = 0.0;
    int is_regression = 0;
    CHECK_INT(json_unpack(json, "{s:s, s:{s:{s:s}}, s:[{s:[{s:F}]}], s:{s:[{s:s, s:b}]}}", "date",
                          &date, "choice", "recommended", "provider", &provider, "ways", "timings",
                          "median_s", &median, "history", "changes", "text", &named, "regression",
                          &is_regression),
              0);
    CHECK_STR(provider, "native");
    CHECK_STR(date, "2026-09-21T14:13:20Z");
    CHECK_STR(named, "medium");
    CHECK_INT(is_regression, 1);
    CHECK_NEAR(median, 0.41 * 0.45 * 1.018, 0.001);
    json_decref(json);
    CHECK_INT(kk_result_from_json(&back, (kk_slice){kk_buf_str(&text), text.len}, &error),
              KOKORO_OK);
    kk_buf_fini(&text);
    kk_bench_result_fini(&back);
    kk_bench_result_fini(&result);
}

/* Change one value of a good document, given as JSON (NULL: take it away), and read it. */
static void check_refused(const char *pointer, const char *value, const char *complaint)
{
    kk_buf text = KK_BUF_INIT;
    CHECK_INT(kk_result_to_json(&text, &result, NULL, NULL, &error), KOKORO_OK);
    json_t *root = json_loads(kk_buf_str(&text), 0, NULL), *at = root;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s", pointer);
    char *key = path, *next;
    while ((next = strchr(key, '/')) != NULL) {
        *next = '\0';
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
        key = next + 1;
    }
    CHECK(at != NULL);
    json_t *new_value = value != NULL ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    if (json_is_array(at))
        CHECK_INT(json_array_set_new(at, (size_t)atoi(key), new_value), 0);
    else if (value != NULL)
        CHECK_INT(json_object_set_new(at, key, new_value), 0);
    else
        CHECK_INT(json_object_del(at, key), 0);
    char *changed = json_dumps(root, 0);
    error.message[0] = '\0';
    CHECK_INT(kk_result_from_json(&back, kk_slice_of(changed), &error), KOKORO_BAD_DATA);
    CHECK_HAS(error.message, complaint);
    CHECK_INT(back.n_ways, 0);
    CHECK(back.arena.blocks == NULL);
    free(changed);
    json_decref(root);
    kk_buf_fini(&text);
}

/* Results of programs that did not tell of groups and of ways left out are read all the same. */
TEST(older_results_are_read)
{
    kk_buf text = KK_BUF_INIT;
    make();
    CHECK_INT(kk_result_to_json(&text, &result, NULL, NULL, &error), KOKORO_OK);
    json_t *root = json_loads(kk_buf_str(&text), 0, NULL);
    CHECK_INT(json_object_del(root, "groups"), 0);
    CHECK_INT(json_object_del(root, "left_out"), 0);
    char *changed = json_dumps(root, 0);
    CHECK_INT(kk_result_from_json(&back, kk_slice_of(changed), &error), KOKORO_OK);
    CHECK_INT(back.n_groups, 1);
    CHECK_INT(back.n_left_out, 0);
    CHECK_INT(back.n_ways, result.n_ways);
    kk_bench_result_fini(&back);
    free(changed);
    json_decref(root);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

TEST(what_is_wrong_is_named)
{
    make();
    check_refused("format", "\"other\"", "format must be");
    check_refused("format", NULL, "but is missing");
    check_refused("format_version", "2", "format_version must be 1");
    check_refused("mode", "7", "mode must be a text");
    check_refused("started_at_s", "-1", "started_at_s must be a number from 0 to");
    check_refused("interrupted", "0", "interrupted must be true or false");
    check_refused("runs", "1.5", "runs must be a number");
    check_refused("hardware", "[]", "hardware must be an object");
    check_refused("hardware/cpu_model", NULL, "hardware.cpu_model must be");
    check_refused("hardware/physical_cores", "2000000", "hardware.physical_cores must be");
    check_refused("texts/1/name", "\"short\"", "texts[1].name must be another name");
    check_refused("deciding_text", "\"none\"", "deciding_text must be the name");
    check_refused("texts", "{}", "texts must be an array of at most 16 items");
    check_refused("ways/1/timings/0/inference_s/3", "\"fast\"",
                  "ways[1].timings[0].inference_s[3] must be a number from 0 to");
    check_refused("ways/1/timings/0/inference_s/3", "-0.1", "inference_s[3] must be");
    check_refused("ways/1/timings/0/inference_s/3", "null", "inference_s[3] must be");
    check_refused("ways/0/timings/2/text", "\"short\"", "ways[0].timings[2].text must be");
    check_refused("ways/0/timings", "[]", "ways[0].timings must be an array with an item for");
    check_refused("ways/0/provider", "\"\"", "ways[0].provider must be a text of one to 15");
    check_refused("ways/0/provider", "\"a-name-of-16-byte\"", "ways[0].provider must be");
    check_refused("ways/0/threads", "0", "ways[0].threads must be a number from 1");
    check_refused("ways/1/precision", "\"bf16\"", "ways[1] must be another way");
    check_refused("ways/0/quality", NULL, "ways[0].quality must be an object, but is missing");
    check_refused("choice/recommended/threads", "9", "choice.recommended must be one of the ways");
    check_refused("choice/before", "5", "choice.before must be an object");
    check_refused("streams/0/streams", "0", "streams[0].streams must be");
    check_refused("absent/0/reason", NULL, "absent[0].reason must be a text");
    check_refused("groups", "-1", "groups must be a whole number");
    check_refused("groups", "\"two\"", "groups must be a whole number");
    check_refused("left_out", "{}", "left_out must be an array");
    check_refused("left_out/0/reason", "1", "left_out[0].reason must be a text");
    kk_bench_result_fini(&result);
}

TEST(what_is_no_json_is_named)
{
    static const char *const texts[] = {"", "{", "[1, 2]", "null", "{\"a\":1,\"a\":2}", "\xff\xfe"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK_INT(kk_result_from_json(&back, kk_slice_of(texts[i]), &error), KOKORO_BAD_DATA);
        CHECK(error.message[0] != '\0');
    }
    /* Cut at every 97th byte: never more than a complaint. */
    kk_buf text = KK_BUF_INIT;
    make();
    CHECK_INT(kk_result_to_json(&text, &result, NULL, NULL, &error), KOKORO_OK);
    for (size_t len = 0; len + 2 < text.len; len += 97)
        CHECK_INT(kk_result_from_json(&back, (kk_slice){text.data, len}, &error), KOKORO_BAD_DATA);
    kk_buf_fini(&text);
    kk_bench_result_fini(&result);
}

TEST(files)
{
    char path[] = "/tmp/kokoro-test-XXXXXX";
    CHECK_INT(kk_result_read(&back, "/nowhere/benchmark_results.json", &error), KOKORO_NOT_FOUND);
    const int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, "{}", 2) == 2);
    CHECK_INT(kk_result_read(&back, path, &error), KOKORO_BAD_DATA);
    CHECK_HAS(error.message, path);
    CHECK_HAS(error.message, "is no result of a benchmark: format must be");
    (void)close(fd);
    (void)unlink(path);
}

TEST(memory_is_out_at_every_place)
{
    kk_buf text = KK_BUF_INIT, again = KK_BUF_INIT;
    make();
    CHECK_INT(kk_result_to_json(&text, &result, NULL, NULL, &error), KOKORO_OK);
    int status = KOKORO_NO_MEMORY;
    for (size_t k = 1; status == KOKORO_NO_MEMORY && k < 10000; k++) {
        kk_alloc_fail_at(k, 0);
        status = kk_result_from_json(&back, (kk_slice){text.data, text.len}, &error);
        kk_alloc_fail_at(0, 0);
    }
    CHECK_INT(status, KOKORO_OK);
    kk_bench_result_fini(&back);
    status = KOKORO_NO_MEMORY;
    for (size_t k = 1; status == KOKORO_NO_MEMORY && k < 10000; k++) {
        kk_buf_clear(&again);
        kk_alloc_fail_at(k, 0);
        status = kk_result_to_json(&again, &result, NULL, NULL, &error);
        kk_alloc_fail_at(0, 0);
    }
    CHECK_INT(status, KOKORO_OK);
    CHECK_STR(kk_buf_str(&again), kk_buf_str(&text));
    kk_buf_fini(&text);
    kk_buf_fini(&again);
    kk_bench_result_fini(&result);
}

TEST_MAIN(T(round_trip_is_exact), T(an_empty_result_comes_back), T(text_that_is_no_utf_8_is_mended),
          T(what_people_ask_with_jq_is_there), T(older_results_are_read), T(what_is_wrong_is_named),
          T(what_is_no_json_is_named), T(files), T(memory_is_out_at_every_place))
