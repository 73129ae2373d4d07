/*
 * test_bench_before.c - what a new choice has to be better than: by the record where it holds here
 * and now, else what provider auto opens unmeasured. On plain C, whose native has f32 alone.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "record_check.h"

#include "bench/before.h"
#include "bench/choice.h"
#include "bench_fixture.h"

static const kk_validity_rule weekly = {KK_WEEKLY, false};

/* A cache directory with a model of a few bytes; and a record of it by which `auto` opened ONNX
 * Runtime last. */
static kk_record set_up(kokoro_options *options)
{
    kk_record record = sample();
    make_dir();
    write_file("model", "a model", 7);
    kokoro_options_init(options);
    options->model_path = strdup(at("model"));
    options->cache_dir = dir;
    options->cpu_mask = "ref";
    CHECK_INT(kk_fingerprint_make(&record.fingerprint, options, &error), KOKORO_OK);
    record.current = (kk_way){"onnxruntime", "file", 2};
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    return record;
}

static void tear_down(kokoro_options *options)
{
    free((void *)(uintptr_t)options->model_path);
    remove_dir();
}

static bool is_unmeasured(const kokoro_options *options, double now_s)
{
    kk_way_before before;
    kk_way_before_find(&before, options, &weekly, now_s);
    if (!before.is_unmeasured)
        return false;
    CHECK_STR(before.way.provider, "native");
    CHECK_STR(before.way.precision, "f32");
    CHECK_INT(before.way.n_threads >= 1, 1);
    return true;
}

TEST(a_record_that_holds_tells_what_is_in_use)
{
    kokoro_options options;
    kk_way_before before;
    kk_record record = set_up(&options);
    for (int age = 1; age < 100; age += 98) { /* valid, and expired */
        kk_way_before_find(&before, &options, &weekly, noon_s + age * day_s);
        CHECK(!before.is_unmeasured && kk_way_equal(&before.way, &record.current));
    }
    record.current = (kk_way){.n_threads = 0};
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    kk_way_before_find(&before, &options, &weekly, noon_s);
    CHECK(!before.is_unmeasured && kk_way_equal(&before.way, &record.recommended));
    tear_down(&options);
}

/* Its way is not in use any more: nothing needs to be better than it. */
TEST(a_record_of_other_conditions_tells_nothing)
{
    kokoro_options options;
    kk_record record = set_up(&options);
    CHECK(!is_unmeasured(&options, noon_s));
    write_file("model", "another", 7);
    CHECK(is_unmeasured(&options, noon_s));
    write_file("model", "a model", 7);
    (void)snprintf(record.fingerprint.system, sizeof(record.fingerprint.system), "Linux 7.0");
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK(is_unmeasured(&options, noon_s));
    write_record("damaged");
    CHECK(is_unmeasured(&options, noon_s));
    CHECK_INT(kk_record_clear(dir, &error), KOKORO_OK);
    CHECK(is_unmeasured(&options, noon_s));
    tear_down(&options);
}

TEST(what_the_options_ask_for_is_opened_unmeasured)
{
    kokoro_options options;
    kk_way_before before;
    (void)set_up(&options);
    CHECK_INT(kk_record_clear(dir, &error), KOKORO_OK);
    options.n_threads = 3;
    options.precision = "bf16"; /* which plain C has not */
    kk_way_before_find(&before, &options, &weekly, noon_s);
    CHECK(before.is_unmeasured && kk_way_equal(&before.way, &(kk_way){"native", "f32", 3}));
    options.provider = "onnxruntime";
    kk_way_before_find(&before, &options, &weekly, noon_s);
    CHECK(!before.is_unmeasured);
    CHECK_STR(before.way.provider, "");
    tear_down(&options);
}

/* Native's precision is its own matter: a model may have no weights in bf16. */
TEST(a_precision_that_turned_out_another)
{
    kk_bench_result result;
    kk_way_before before = {{"native", "bf16", 2}, true};
    fixture_make(&result);
    kk_way_before_settle(&before, &result);
    CHECK_STR(before.way.precision, "bf16");
    (void)snprintf(result.ways[FIXTURE_BF16].way.precision, KK_WAY_NAME, "other");
    kk_way_before_settle(&before, &result);
    CHECK_STR(before.way.precision, "f32");
    before = (kk_way_before){{"native", "bf16", 2}, false};
    kk_way_before_settle(&before, &result);
    CHECK_STR(before.way.precision, "bf16");
    kk_bench_result_fini(&result);
}

TEST_MAIN(T(a_record_that_holds_tells_what_is_in_use),
          T(a_record_of_other_conditions_tells_nothing),
          T(what_the_options_ask_for_is_opened_unmeasured), T(a_precision_that_turned_out_another))
