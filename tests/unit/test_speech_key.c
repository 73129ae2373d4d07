/*
 * test_speech_key.c - which requests get the same kept answer: those that differ in nothing that
 * the answer hangs on, and no others.
 */
#include "base/alloc.h"
#include "check.h"
#include "server/json.h"
#include "server/speech/speech_key.h"

#include <stdlib.h>

static const kk_speech_limits limits = {
    .max_chars = 1000, .default_voice = "af_heart", .skips_silence = true};

/* The key of a body; NULL: it is no good. The caller frees it. */
static char *key_of(const char *body)
{
    kk_speech_request request;
    kk_api_error error;
    kk_buf key = KK_BUF_INIT;
    if (kk_speech_request_parse(&request, kk_slice_of(body), &limits, &error) == 0)
        kk_speech_key(&key, &request, 7, 9);
    else
        printf("%s: %s\n", body, error.message);
    kk_speech_request_fini(&request);
    return key.data;
}

static bool is_same(const char *a, const char *b)
{
    char *x = key_of(a), *y = key_of(b);
    bool is = x != NULL && y != NULL && strcmp(x, y) == 0;
    CHECK(x != NULL && y != NULL);
    kk_free(x);
    kk_free(y);
    return is;
}

static void check_same(const char *a, const char *b, bool want)
{
    if (is_same(a, b) != want)
        CHECK_FAIL_("%s and %s have %s key", a, b, want ? "not the same" : "the same");
    check_count++;
}

/* Each field that changes the answer, alone and against every other. */
TEST(what_changes_the_answer_changes_the_key)
{
    static const char *const bodies[] = {
        "{\"input\":\"Hello there.\"}",
        "{\"input\":\"Hello there!\"}",
        "{\"input\":\"Hello there.\",\"voice\":\"af_sky\"}",
        "{\"input\":\"Hello there.\",\"voice\":\"af_sky+af_heart\"}",
        "{\"input\":\"Hello there.\",\"voice\":\"af_sky(2)+af_heart\"}",
        "{\"input\":\"Hello there.\",\"lang\":\"en-gb\"}",
        "{\"input\":\"Hello there.\",\"speed\":1.01}",
        "{\"input\":\"Hello there.\",\"response_format\":\"wav\"}",
        "{\"input\":\"Hello there.\",\"response_format\":\"pcm\"}",
        "{\"input\":\"Hello there.\",\"response_format\":\"flac\"}",
        "{\"input\":\"Hello there.\",\"response_format\":\"opus\"}",
        "{\"input\":\"Hello there.\",\"sample_rate\":16000}",
        "{\"input\":\"Hello there.\",\"bitrate\":64}",
        "{\"input\":\"Hello there.\",\"volume\":0.5}",
        "{\"input\":\"Hello there.\",\"loudness\":-16}",
        "{\"input\":\"Hello there.\",\"loudness\":-16.5}",
        "{\"input\":\"Hello there.\",\"stream\":false}",
        "{\"input\":\"Hello there.\",\"stream_format\":\"sse\"}",
        "{\"input\":\"Hello there.\",\"stream_format\":\"sse\",\"timestamps\":true}",
        "{\"input\":\" Hello there.\",\"stream_format\":\"sse\",\"timestamps\":true}",
        "{\"input\":\"Hello there.\",\"stream\":false,\"timestamps\":true}",
        "{\"input\":\"Hello there.\",\"sentence_pause\":0.5}",
        "{\"input\":\"Hello there.\",\"paragraph_pause\":0.5}",
        "{\"input\":\"Hello there.\",\"skip_silence\":false}",
        "{\"text\":\"Hello there.\"}",
        "{\"text\":\"Hello there.\",\"stream\":true}",
        "{\"text\":\"Hello there.\",\"sample_rate\":48000}",
        "{\"input\":\"Hello there.\",\"a_field_of_tomorrow\":1}",
        "{\"input\":\"Hello there.\",\"a_field_of_tomorrow\":2}",
        "{\"input\":\"Hello there.\",\"another\":{\"a\":1,\"b\":[true]}}",
    };
    const size_t n = sizeof(bodies) / sizeof(bodies[0]);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k <= i; k++)
            check_same(bodies[i], bodies[k], i == k);
    }
}

TEST(what_does_not_leaves_it)
{
    static const char *const same[][2] = {
        {"{\"input\":\"Hi.\"}", "{\"input\":\" \\t Hi. \\n\"}"},
        {"{\"input\":\"Hi.\"}", "{\"input\":\"Hi.\",\"model\":\"tts-1\"}"},
        {"{\"input\":\"Hi.\"}", "{\"input\":\"Hi.\",\"voice\":\"af_heart\",\"speed\":1}"},
        {"{\"input\":\"Hi.\"}", "{\"input\":\"Hi.\",\"instructions\":\"Whisper.\"}"},
        {"{\"input\":\"Hi.\"}", "{\"input\":\"Hi.\",\"response_format\":\"mp3\",\"stream\":true}"},
        {"{\"input\":\"Hi.\"}", "{\"input\":\"Hi.\",\"timestamps\":false,\"volume\":1.0}"},
        {"{\"input\":\"Hi.\"}", "{\"input\":\"Hi.\",\"skip_silence\":true,\"no_cache\":false}"},
        {"{\"input\":\"Hi.\",\"voice\":\"alloy\"}",
         "{\"input\":\"Hi.\",\"voice\":{\"id\":\"af_alloy\"}}"},
        {"{\"input\":\"Hi.\",\"voice\":\"af_bella(2)+af_sky(1)\"}",
         "{\"input\":\"Hi.\",\"voice\":\" af_bella (4) + af_sky(2) \"}"},
        {"{\"input\":\"Hi.\",\"voice\":\"af_bella(2)\"}",
         "{\"input\":\"Hi.\",\"voice\":\"af_bella\"}"},
        {"{\"input\":\"Hi.\",\"x\":1,\"y\":2}", "{\"y\":2,\"x\":1,\"input\":\"Hi.\"}"},
        {"{\"text\":\"Hi.\"}", "{\"text\":\"Hi.\",\"format\":\"pcm\",\"stream\":false}"},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        check_same(same[i][0], same[i][1], true);
}

/* An answer at the server's loudness may be of a voice that has none, which whoever asks for one is
 * refused. */
TEST(the_default_loudness_is_told_from_one_asked_for)
{
    static const char plain[] = "{\"input\":\"Hi.\"}";
    static const char asked[] = "{\"input\":\"Hi.\",\"loudness\":-16}";
    const kk_speech_limits loud = {.max_chars = 1000,
                                   .default_voice = "af_heart",
                                   .skips_silence = true,
                                   .loudness_lufs = -16};
    const char *const bodies[] = {plain, plain, asked};
    const kk_speech_limits *const all[] = {&limits, &loud, &loud};
    kk_buf keys[3] = {KK_BUF_INIT, KK_BUF_INIT, KK_BUF_INIT};
    for (size_t i = 0; i < 3; i++) {
        kk_speech_request r;
        kk_api_error error;
        CHECK_INT(kk_speech_request_parse(&r, kk_slice_of(bodies[i]), all[i], &error), 0);
        kk_speech_key(&keys[i], &r, 1, 1);
        kk_speech_request_fini(&r);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(kk_buf_str(&keys[i]), kk_buf_str(&keys[k])) != 0);
    }
    for (size_t i = 0; i < 3; i++)
        kk_buf_fini(&keys[i]);
}

/* No part of a key can be made to look like two. */
TEST(parts_cannot_be_smuggled)
{
    check_same("{\"input\":\"Hi.\",\"lang\":\"a\\nspeed 2\"}", "{\"input\":\"Hi.\",\"lang\":\"a\"}",
               false);
    check_same("{\"input\":\"Hi.\",\"voice\":\"a\\nlanguage 1 b\"}",
               "{\"input\":\"Hi.\",\"voice\":\"a\",\"lang\":\"b\"}", false);
    check_same("{\"input\":\"Hi.\",\"voice\":\"af bella\"}",
               "{\"input\":\"Hi.\",\"voice\":\"afbella\"}", false);
}

static void check_voice(const char *voice, const char *want)
{
    kk_buf got = KK_BUF_INIT;
    kk_speech_voice(&got, voice);
    CHECK_STR(kk_buf_str(&got), want);
    kk_buf_fini(&got);
}

TEST(voices_as_they_are_heard)
{
    check_voice("af_heart", "af_heart");
    check_voice(" af_heart ", "af_heart");
    check_voice("af_heart(3)", "af_heart");
    check_voice("a+b", "a(0.5)+b(0.5)");
    check_voice("a(1) + b(3)", "a(0.25)+b(0.75)");
    /* Not understood: as it is. */
    check_voice("", "");
    check_voice("a+", "a+");
    check_voice("a(0)+b", "a(0)+b");
    check_voice("a(x) + b", "a(x) + b");
    check_voice("a(1", "a(1");
    check_voice("a()", "a()");
    check_voice("a(1e9)", "a(1e9)");
    check_voice("a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a", "a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a");
}

/* --- what speaks --- */

/* Settings with one of them changed. */
static void load(kk_config *config, int id, const char *value)
{
    kk_config_init(config);
    CHECK_INT(kk_config_set_option(config, KK_SET_HOME, "/nowhere", NULL), 0);
    if (id >= 0)
        CHECK_INT(kk_config_set_option(config, (enum kk_setting_id)id, value, NULL), 0);
    CHECK_INT(kk_config_load(config, NULL, NULL, NULL, NULL), 0);
}

static uint64_t settings_with(int id, const char *value)
{
    kk_config config;
    load(&config, id, value);
    uint64_t hash = kk_speech_settings(&config);
    kk_config_fini(&config);
    return hash;
}

TEST(settings_without_bearing_cost_no_hits)
{
    static const struct {
        enum kk_setting_id id;
        const char *value;
    } rows[] = {{KK_SET_PORT, "1234"},
                {KK_SET_LOG_LEVEL, "debug"},
                {KK_SET_THREADS, "3"},
                {KK_SET_VOICE, "af_sky"},
                {KK_SET_LOUDNESS, "-16"}, /* told by the request */
                {KK_SET_TRIM_AFTER_S, "7"},
                {KK_SET_UNLOAD_AFTER_S, "7"},
                {KK_SET_CACHE_MAX_MB, "7"},
                {KK_SET_RESULT_CACHE_MEMORY_MB, "7"},
                {KK_SET_RESULT_CACHE_DISK_MB, "7"}};
    const uint64_t before = settings_with(-1, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK(settings_with((int)rows[i].id, rows[i].value) == before);
}

static uint64_t identity_with(const kokoro_engine_info *info, int id, const char *value)
{
    kk_config config;
    load(&config, id, value);
    uint64_t identity = kk_speech_identity(info, &config);
    kk_config_fini(&config);
    return identity;
}

TEST(another_engine_or_file_is_another_identity)
{
    const kokoro_engine_info info = {.provider = "native",
                                     .execution_provider = "native",
                                     .precision = "bf16",
                                     .runtime_version = "avx2",
                                     .n_threads = 2};
    kokoro_engine_info other = info;
    const uint64_t before = identity_with(&info, -1, NULL);
    CHECK(before != 0);
    CHECK(identity_with(&info, -1, NULL) == before);
    other.n_threads = 4;
    CHECK(identity_with(&other, -1, NULL) == before);
    other = info;
    other.precision = "f32";
    CHECK(identity_with(&other, -1, NULL) != before);
    other = info;
    other.runtime_version = "ref";
    CHECK(identity_with(&other, -1, NULL) != before);
    other = info;
    other.provider = "openvino";
    CHECK(identity_with(&other, -1, NULL) != before);
    static const enum kk_setting_id files[] = {KK_SET_MODEL, KK_SET_VOICES, KK_SET_LEXICON,
                                               KK_SET_ESPEAK_HELPER};
    uint64_t seen[4];
    for (size_t i = 0; i < 4; i++) {
        seen[i] = identity_with(&info, (int)files[i], "/bin/sh");
        CHECK(seen[i] != before);
        for (size_t k = 0; k < i; k++)
            CHECK(seen[i] != seen[k]);
    }
}

/* Memory out shows in the key. */
TEST(every_allocation_may_fail)
{
    kk_speech_request request;
    kk_api_error error;
    const char *body = "{\"input\":\"Hi.\",\"voice\":\"af_bella(2)+af_sky\",\"x\":1}";
    bool is_whole = false;
    size_t k = 0;
    char *want = key_of(body);
    for (; !is_whole && k < 1000; k++) {
        kk_buf key = KK_BUF_INIT;
        kk_alloc_fail_at(k + 1, 0);
        int status = kk_speech_request_parse(&request, kk_slice_of(body), &limits, &error);
        if (status == 0)
            kk_speech_key(&key, &request, 7, 9);
        kk_alloc_fail_at(0, 0);
        is_whole = status == 0 && !key.failed;
        CHECK(is_whole || status == 503 || (status == 0 && key.failed));
        if (is_whole)
            CHECK_STR(kk_buf_str(&key), want);
        kk_buf_fini(&key);
        kk_speech_request_fini(&request);
    }
    CHECK(is_whole);
    CHECK(k > 5);
    kk_free(want);
}

TEST(set_up)
{
    kk_json_use_kk_alloc();
}

TEST_MAIN(T(set_up), T(what_changes_the_answer_changes_the_key), T(what_does_not_leaves_it),
          T(the_default_loudness_is_told_from_one_asked_for), T(parts_cannot_be_smuggled),
          T(voices_as_they_are_heard), T(settings_without_bearing_cost_no_hits),
          T(another_engine_or_file_is_another_identity), T(every_allocation_may_fail))
