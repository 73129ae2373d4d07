/*
 * What the provider "auto" opens: with the real model, under every state that the benchmark's
 * record may be in; and what becomes of the record after speech was made.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "check.h"
#include "data.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "cache/record.h"

#include <stdlib.h>

static char model_path[512], voices_path[512], library[512];
static char cache_dir[] = "/tmp/kokoro-choice-XXXXXX";
static char log_text[4096];
static kokoro_error error;
static const double day_s = 86400.0;

#define NEED_DATA()                                                                                \
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");                                               \
    NEED(voices_path, "voices/voices.pack");                                                       \
    NEED(library, "lib/libonnxruntime.so")

static void keep_log(void *user, int level, const char *line)
{
    (void)user;
    size_t len = strlen(log_text);
    if (level <= KOKORO_LOG_WARNING)
        (void)snprintf(log_text + len, sizeof(log_text) - len, "%s\n", line);
}

static void set_options(kokoro_options *options)
{
    static bool is_made = false;
    if (!is_made)
        CHECK(mkdtemp(cache_dir) != NULL);
    is_made = true;
    kokoro_options_init(options);
    options->model_path = model_path;
    options->voices_path = voices_path;
    options->ort_library = library;
    options->cache_dir = cache_dir;
    options->cpu_mask = getenv("KOKORO_CPU_MASK");
    options->log = keep_log;
    log_text[0] = '\0';
}

/* A record of these options that recommends `way`, so many days old. */
static kk_record store_record(const kokoro_options *options, kk_way way, double days)
{
    kk_record record = {.recommended = way,
                        .measured_at_s = kk_wall_s() - days * day_s,
                        .mode = "quick",
                        .reason = "It is the fastest.",
                        .results = {{way, 0.5, -1.0}},
                        .n_results = 1};
    record.refreshed_at_s = record.measured_at_s;
    CHECK_INT(kk_fingerprint_make(&record.fingerprint, options, &error), KOKORO_OK);
    CHECK_INT(kk_record_store(&record, cache_dir, &error), KOKORO_OK);
    return record;
}

static kokoro_engine *open_engine(const kokoro_options *options, kokoro_engine_info *info)
{
    kokoro_engine *engine = NULL;
    error.message[0] = '\0';
    CHECK_INT(kokoro_open(&engine, options, &error), KOKORO_OK);
    CHECK_STR(error.message, "");
    *info = (kokoro_engine_info){.struct_size = sizeof(*info), .choice = ""};
    if (engine != NULL)
        kokoro_get_engine_info(engine, info);
    return engine;
}

static int ignore(void *user, const kokoro_chunk *chunk)
{
    (void)user;
    (void)chunk;
    return 0;
}

static void speak(kokoro_engine *engine)
{
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = "h\xc9\x99l\xcb\x88o\xca\x8a";
    request.text_len = strlen(request.text);
    request.is_phonemes = true;
    CHECK_INT(kokoro_speak(engine, &request, ignore, NULL, NULL, &error), KOKORO_OK);
}

TEST(without_a_record)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine_info info;
    kk_record record;
    set_options(&options);
    kokoro_engine *engine = open_engine(&options, &info);
    CHECK_STR(info.provider, "native");
    CHECK_STR(info.choice, "unmeasured");
    CHECK_HAS(info.choice_reason, "no benchmark record");
    speak(engine);
    kokoro_close(&engine);
    CHECK_INT(kk_record_load(&record, cache_dir, &error), KOKORO_NOT_FOUND);
    options.provider = "native";
    engine = open_engine(&options, &info);
    CHECK_STR(info.choice, "asked");
    kokoro_close(&engine);
    options.provider = "abacus";
    CHECK_INT(kokoro_open(&engine, &options, &error), KOKORO_INVALID);
    CHECK_HAS(error.message, "native");
    CHECK_STR(log_text, "");
}

/* A CPU for which native has plain C alone gets it where nothing else can be had. */
TEST(without_kernels_for_the_cpu)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine_info info;
    set_options(&options);
    options.cpu_mask = "ref";
    kokoro_engine *engine = open_engine(&options, &info);
    CHECK_STR(info.provider, "onnxruntime");
    CHECK_STR(info.choice, "unmeasured");
    CHECK_HAS(info.choice_reason, "native would be slow: ");
    speak(engine);
    kokoro_close(&engine);
    options.ort_library = "/nowhere/libonnxruntime.so";
    engine = open_engine(&options, &info);
    CHECK_STR(info.provider, "native");
    CHECK_HAS(info.choice_reason, "onnxruntime cannot: ");
    kokoro_close(&engine);
    options.provider = "native";
    engine = open_engine(&options, &info);
    CHECK_STR(info.choice, "asked");
    kokoro_close(&engine);
}

TEST(with_a_record)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine_info info;
    set_options(&options);
    const kk_record record = store_record(&options, (kk_way){"onnxruntime", "file", 1}, 1.0);
    kokoro_engine *engine = open_engine(&options, &info);
    CHECK_STR(info.provider, "onnxruntime");
    CHECK_INT(info.n_threads, 1);
    CHECK_STR(info.choice, "measured");
    CHECK_HAS(info.choice_reason, "It is the fastest.");
    /* Nothing is noted before it is known to speak. */
    kk_record loaded;
    CHECK_INT(kk_record_load(&loaded, cache_dir, &error), KOKORO_OK);
    CHECK_STR(loaded.current.provider, "");
    speak(engine);
    CHECK_INT(kk_record_load(&loaded, cache_dir, &error), KOKORO_OK);
    CHECK(kk_way_equal(&loaded.current, &record.recommended));
    CHECK_NEAR(loaded.refreshed_at_s, kk_wall_s(), 600.0);
    CHECK_NEAR(loaded.measured_at_s, record.measured_at_s, 1e-3);
    /* The next hour's speech writes nothing. */
    CHECK_INT(kk_record_clear(cache_dir, &error), KOKORO_OK);
    speak(engine);
    CHECK_INT(kk_record_load(&loaded, cache_dir, &error), KOKORO_NOT_FOUND);
    kokoro_close(&engine);
    CHECK_STR(log_text, "");
}

TEST(older_than_its_period)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine_info info;
    kk_record loaded;
    set_options(&options);
    const kk_record record = store_record(&options, (kk_way){"native", "f32", 1}, 8.0);
    kokoro_engine *engine = open_engine(&options, &info);
    CHECK_STR(info.choice, "expired");
    CHECK_STR(info.provider, "native");
    CHECK_STR(info.precision, "f32");
    CHECK_INT(info.n_threads, 1);
    speak(engine);
    kokoro_close(&engine);
    CHECK_INT(kk_record_load(&loaded, cache_dir, &error), KOKORO_OK);
    CHECK_NEAR(loaded.refreshed_at_s, record.refreshed_at_s, 1e-3);
    /* The same record under rules that it still holds for. */
    static const struct {
        const char *frequency;
        bool is_extended;
        const char *choice;
    } rules[] = {{"daily", false, "expired"},    {"daily", true, "expired"},
                 {"weekly", false, "expired"},   {"weekly", true, "measured"},
                 {"monthly", false, "measured"}, {"manually", false, "measured"},
                 {"manual", false, "measured"}};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        options.benchmark_frequency = rules[i].frequency;
        options.benchmark_extended = rules[i].is_extended;
        engine = open_engine(&options, &info);
        CHECK_STR(info.choice, rules[i].choice);
        kokoro_close(&engine);
    }
}

/* A running engine prolongs by the period that holds now, without being opened again. */
TEST(another_period_while_it_is_open)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine_info info;
    kk_record loaded;
    set_options(&options);
    const kk_record record = store_record(&options, (kk_way){"native", "f32", 1}, 8.0);
    kokoro_engine *engine = open_engine(&options, &info);
    speak(engine); /* weekly: it is over, and nothing is written for an hour */
    CHECK_INT(kk_record_load(&loaded, cache_dir, &error), KOKORO_OK);
    CHECK_NEAR(loaded.refreshed_at_s, record.refreshed_at_s, 1e-3);
    kokoro_set_benchmark_period(engine, "weekly", false); /* the same: nothing new */
    speak(engine);
    kokoro_set_benchmark_period(engine, "monthly", false);
    speak(engine);
    CHECK_INT(kk_record_load(&loaded, cache_dir, &error), KOKORO_OK);
    CHECK_NEAR(loaded.refreshed_at_s, kk_wall_s(), 600.0);
    kokoro_close(&engine);
}

TEST(what_the_options_ask_for)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine_info info;
    set_options(&options);
    (void)store_record(&options, (kk_way){"native", "f32", 1}, 1.0);
    options.n_threads = 2;
    options.precision = "f32";
    kokoro_engine *engine = open_engine(&options, &info);
    CHECK_STR(info.choice, "measured");
    CHECK_INT(info.n_threads, 2);
    CHECK_STR(info.precision, "f32");
    kokoro_close(&engine);
    kk_way way;
    kk_record record = {.recommended = {"native", "bf16", 2}};
    kk_record_way(&record, &options, &way);
    CHECK(kk_way_equal(&way, &(kk_way){"native", "f32", 2}));
    options.precision = "auto";
    options.n_threads = 0;
    kk_record_way(&record, &options, &way);
    CHECK(kk_way_equal(&way, &record.recommended));
    options.precision = "f32";
    record.recommended = (kk_way){"onnxruntime", "file", 2};
    kk_record_way(&record, &options, &way);
    CHECK(kk_way_equal(&way, &record.recommended));
}

TEST(records_that_do_not_hold)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine_info info;
    set_options(&options);
    kk_record record = store_record(&options, (kk_way){"onnxruntime", "file", 1}, 1.0);
    strcpy(record.fingerprint.model, "another");
    CHECK_INT(kk_record_store(&record, cache_dir, &error), KOKORO_OK);
    kokoro_engine *engine = open_engine(&options, &info);
    CHECK_STR(info.provider, "native");
    CHECK_STR(info.choice, "unmeasured");
    CHECK_HAS(info.choice_reason, "of another model");
    kokoro_close(&engine);
    char *path = kk_record_path(cache_dir);
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    CHECK(file != NULL && fputs("{\"recommended_provider\": \"onnx", file) >= 0);
    if (file != NULL)
        (void)fclose(file);
    kk_free(path);
    engine = open_engine(&options, &info);
    CHECK_STR(info.provider, "native");
    CHECK_STR(info.choice, "unmeasured");
    CHECK_HAS(info.choice_reason, "damaged");
    kokoro_close(&engine);
    CHECK_INT(kk_record_clear(cache_dir, &error), KOKORO_OK);
}

/* What is recommended fails: the next one speaks, and the log and the reason say why. */
TEST(recommended_but_unusable)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine_info info;
    set_options(&options);
    options.ort_library = voices_path; /* no library */
    (void)store_record(&options, (kk_way){"onnxruntime", "file", 1}, 1.0);
    kokoro_engine *engine = open_engine(&options, &info);
    CHECK_STR(info.provider, "native");
    CHECK_STR(info.choice, "fallback");
    CHECK_HAS(info.choice_reason, "onnxruntime cannot be used");
    CHECK_HAS(log_text, "onnxruntime cannot be used");
    kokoro_close(&engine);
    (void)store_record(&options, (kk_way){"abacus", "f32", 1}, 1.0);
    engine = open_engine(&options, &info);
    CHECK_STR(info.choice, "fallback");
    CHECK_HAS(info.choice_reason, "no provider abacus");
    kokoro_close(&engine);
    CHECK_INT(kk_record_clear(cache_dir, &error), KOKORO_OK);
}

/* An engine that opens in spite of a failed allocation has taken the record for absent, no worse.
 */
TEST(every_allocation_may_fail)
{
    NEED_DATA();
    kokoro_options options;
    size_t n = 0;
    bool is_measured = false;
    set_options(&options);
    (void)store_record(&options, (kk_way){"native", "f32", 1}, 1.0);
    while (!is_measured && n < 2000) {
        kokoro_engine *engine = NULL;
        kk_alloc_fail_at(++n, 0);
        const int status = kokoro_open(&engine, &options, &error);
        const bool was_hit = kk_alloc_count() >= n;
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
        if (status == KOKORO_OK) {
            kokoro_engine_info info = {.struct_size = sizeof(info)};
            kokoro_get_engine_info(engine, &info);
            CHECK_STR(info.provider, "native");
            CHECK(strcmp(info.choice, "measured") == 0 || was_hit);
            is_measured = !was_hit;
        }
        kokoro_close(&engine);
    }
    printf("  %zu allocations\n", n);
    CHECK(n > 10 && is_measured);
}

TEST(its_cache_goes)
{
    NEED_DATA();
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", cache_dir);
    CHECK_INT(system(command), 0);
}

TEST_MAIN(T(without_a_record), T(without_kernels_for_the_cpu), T(with_a_record),
          T(older_than_its_period), T(another_period_while_it_is_open), T(what_the_options_ask_for),
          T(records_that_do_not_hold), T(recommended_but_unusable), T(every_allocation_may_fail),
          T(its_cache_goes))
