/*
 * The benchmark's record as a file: what is written is read, what is damaged is not, in how many
 * ways it may be, and when memory is out.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "record_check.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>

TEST(way_has_a_text)
{
    char text[KK_WAY_TEXT];
    kk_way_text(&(kk_way){"native", "bf16", 2}, text);
    CHECK_STR(text, "native bf16, 2 threads");
    kk_way_text(&(kk_way){"onnxruntime", "file", 1}, text);
    CHECK_STR(text, "onnxruntime file, 1 thread");
    CHECK(!kk_way_equal(&(kk_way){"native", "bf16", 2}, &(kk_way){"native", "bf16", 1}));
    CHECK(!kk_way_equal(&(kk_way){"native", "bf16", 2}, &(kk_way){"native", "f32", 2}));
    CHECK(!kk_way_equal(&(kk_way){"native", "f32", 2}, &(kk_way){"openvino", "f32", 2}));
}

TEST(store_and_load)
{
    make_dir();
    kk_record record = sample(), loaded;
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_NOT_FOUND);
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    check_equal(&loaded, &record);
    record.current = (kk_way){"onnxruntime", "file", 3};
    record.is_over_quality = true;
    record.refreshed_at_s += 0.25;
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    check_equal(&loaded, &record);
    CHECK_INT(kk_record_clear(dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_NOT_FOUND);
    CHECK_INT(kk_record_clear(dir, &error), KOKORO_OK);
    remove_dir();
}

/* Readers of the Kokoro-ONNX TTS API's file find its four keys. */
TEST(old_keys)
{
    make_dir();
    kk_record record = sample();
    record.current = record.recommended;
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    json_t *root = json_load_file(at("benchmark/record.json"), 0, NULL);
    CHECK_STR(json_string_value(json_object_get(root, "recommended_provider")), "native");
    CHECK_STR(json_string_value(json_object_get(root, "current_provider")), "native");
    CHECK_NEAR(json_number_value(json_object_get(root, "benchmark_date")), noon_s, 1e-3);
    const json_t *results = json_object_get(root, "benchmark_results");
    CHECK_INT(json_object_size(results), 2);
    CHECK_NEAR(json_real_value(json_object_get(results, "native bf16, 2 threads")), 0.4125, 1e-9);
    CHECK_NEAR(json_real_value(json_object_get(results, "native f32, 1 thread")), 1.75, 1e-9);
    json_decref(root);
    remove_dir();
}

/* The text of a good record, with the first `from` in it replaced; the caller frees it. */
static char *changed_text(const kk_record *record, const char *from, const char *to)
{
    kk_buf text = KK_BUF_INIT, out = KK_BUF_INIT;
    CHECK_INT(kk_record_store(record, dir, &error), KOKORO_OK);
    CHECK_INT(kk_file_read(&text, at("benchmark/record.json"), 1 << 20, &error), KOKORO_OK);
    const char *found = strstr(kk_buf_str(&text), from);
    CHECK(found != NULL);
    if (found != NULL) {
        kk_buf_append(&out, text.data, (size_t)(found - text.data));
        kk_buf_append_str(&out, to);
        kk_buf_append_str(&out, found + strlen(from));
    }
    kk_buf_fini(&text);
    return out.data;
}

/* A use counts from the measurement: a record dated back as a whole is so much older. */
TEST(dated_back)
{
    make_dir();
    const kk_validity_rule rule = {KK_WEEKLY, false};
    kk_record record = sample();
    kk_record_view view;
    record.refreshed_at_s += 3600.0;
    char *text = changed_text(&record, "1764000000.0", "1763395200.0");
    write_record(text);
    kk_free(text);
    kk_record_look(&record, dir, NULL, &rule, noon_s - 1.0, &view);
    CHECK_INT(view.state, KK_RECORD_VALID);
    kk_record_look(&record, dir, NULL, &rule, noon_s + 3601.0, &view);
    CHECK_INT(view.state, KK_RECORD_EXPIRED);
    CHECK_NEAR(view.age_s, 7.0 * day_s + 1.0, 1e-3);
    remove_dir();
}

/* What would not be read again is not written, and what is there stays. */
TEST(unsound_records_are_not_stored)
{
    make_dir();
    kk_record good = sample(), loaded;
    CHECK_INT(kk_record_store(&good, dir, &error), KOKORO_OK);
    for (int kind = 0; kind < 9; kind++) {
        kk_record bad = sample();
        switch (kind) {
        case 0:
            bad.recommended.provider[0] = '\0';
            break;
        case 1:
            bad.recommended.n_threads = 7; /* not among the results */
            break;
        case 2:
            bad.results[1].seconds = -1.0;
            break;
        case 3:
            bad.results[1].way = bad.results[0].way;
            break;
        case 4:
            bad.measured_at_s = -5.0;
            break;
        case 5:
            bad.results[0].way.n_threads = 0;
            bad.recommended.n_threads = 0;
            break;
        case 6:
            bad.n_results = KK_RECORD_MAX_RESULTS + 1;
            break;
        case 7:
            strcpy(bad.results[1].way.precision, "F 32");
            break;
        default:
            bad.results[1].way.provider[0] = '\0';
            break;
        }
        CHECK_INT(kk_record_store(&bad, dir, &error), KOKORO_INVALID);
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
        check_equal(&loaded, &good);
    }
    /* A sentence that was cut inside a letter is kept up to it. */
    kk_record cut = sample();
    strcpy(cut.reason, "schnell f\xc3");
    CHECK_INT(kk_record_store(&cut, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    CHECK_STR(loaded.reason, "schnell f");
    remove_dir();
}

static void check_damaged(const char *words)
{
    kk_record record;
    kk_record_view view;
    const kk_validity_rule rule = {KK_WEEKLY, false};
    CHECK_INT(kk_record_load(&record, dir, &error), KOKORO_BAD_DATA);
    CHECK_HAS(error.message, words);
    CHECK_HAS(error.message, "record.json");
    CHECK_INT(record.n_results, 0);
    kk_record_look(&record, dir, NULL, &rule, noon_s, &view);
    CHECK_INT(view.state, KK_RECORD_DAMAGED);
    CHECK_STR(view.problem, error.message);
}

TEST(damaged_files)
{
    static const struct {
        const char *from, *to, *words;
    } changes[] = {
        {"record 1", "record 2", "another version"},
        {"\"format\"", "\"former\"", "no record of this program"},
        {"\"threads\": 2", "\"threads\": 0", "threads"},
        {"\"threads\": 2", "\"threads\": 2.5", "threads"},
        {"\"threads\": 2", "\"threads\": 99999999999999", "threads"},
        {"1764000000.0", "-1", "benchmark_date"},
        {"1764000000.0", "1e300", "benchmark_date"},
        {"1764000000.0", "1e3000", "no JSON"},
        {"1764000000.0", "\"1764000000\"", "benchmark_date is no number"},
        {"1764000000.0", "null", "benchmark_date"},
        {"0.4125", "-0.4", "native bf16, 2 threads"},
        {"0.4125", "NaN", "no JSON"},
        {"0.31", "\"low\"", "quality_db"},
        {"0.31", "-0.5", "quality_db"},
        {"\"full\"", "\"fuller than a mode may ever be\"", "mode"},
        {"\"full\"", "7", "mode"},
        {"\"avx512bf16\"", "[]", "instruction_set"},
        {"\"native\"", "\"../../bin/sh\"", "recommended_provider"},
        {"\"native\"", "\"\"", "recommended_provider"},
        {"\"native\"", "\"openvino\"", "recommended"},
        {"\"native f32, 1 thread\"", "\"native f32, 9 threads\"", "native f32, 1 thread"},
        {"\"is_over_quality\": false", "\"is_over_quality\": 0", "is_over_quality"},
        {"\"results\"", "\"other\"", "results"},
        {"\"mode\": \"full\"", "\"mode\": \"full\", \"mode\": \"full\"", "no JSON"},
        {"full", "fu\\u0000l", "no JSON"},
        {"full", "fu\\u001bl", "mode has a control character in it"},
        {"full", "fu\xffl", "no JSON"},
    };
    make_dir();
    kk_record record = sample(), loaded;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char *text = changed_text(&record, changes[i].from, changes[i].to);
        write_record(text != NULL ? text : "");
        check_damaged(changes[i].words);
        kk_free(text);
    }
    static const char *const whole[][2] = {
        {"", "empty"},
        {"[]", "no JSON object"},
        {"\x7f"
         "ELF",
         "no JSON"},
        {"{\"recommended_provider\": \"CPUExecutionProvider\", \"benchmark_date\": 1.0,"
         " \"current_provider\": \"CPUExecutionProvider\", \"benchmark_results\": {}}",
         "no record of this program"},
    };
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        write_record(whole[i][0]);
        check_damaged(whole[i][1]);
    }
    /* It is replaced like any other. */
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    /* Keys of a later program are passed over. */
    char *text = changed_text(&record, "\"mode\"", "\"colour\": [1, {}], \"mode\"");
    write_record(text);
    kk_free(text);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    check_equal(&loaded, &record);
    remove_dir();
}

TEST(cut_at_every_byte)
{
    make_dir();
    kk_record record = sample(), loaded;
    kk_buf text = KK_BUF_INIT;
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK_INT(kk_file_read(&text, at("benchmark/record.json"), 1 << 20, &error), KOKORO_OK);
    CHECK(text.len > 500);
    /* Without its last newline it is whole. */
    for (size_t len = 0; len + 1 < text.len; len++) {
        write_file("benchmark/record.json", text.data, len);
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_BAD_DATA);
    }
    /* Zeros at the end are what a power failure may leave. */
    for (size_t n = 2; n < 40; n++) {
        memset(text.data + text.len - n, 0, n);
        write_file("benchmark/record.json", text.data, text.len);
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_BAD_DATA);
    }
    kk_buf_fini(&text);
    remove_dir();
}

/* None of these hangs, follows or destroys anything. */
TEST(what_is_no_file)
{
    make_dir();
    kk_record record = sample(), loaded;
    CHECK(mkdir(at("benchmark"), 0700) == 0 && mkfifo(at("benchmark/record.json"), 0600) == 0);
    check_damaged("not a regular file");
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    CHECK(unlink(at("benchmark/record.json")) == 0 &&
          mkdir(at("benchmark/record.json"), 0700) == 0);
    check_damaged("not a regular file");
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_IO);
    CHECK_HAS(error.message, "record.json");
    CHECK_INT(kk_record_clear(dir, &error), KOKORO_IO);
    CHECK(rmdir(at("benchmark/record.json")) == 0);
    char *big = malloc(1 << 17);
    if (big != NULL) {
        memset(big, ' ', 1 << 17);
        write_file("benchmark/record.json", big, 1 << 17);
        check_damaged("larger than");
    }
    free(big);
    remove_dir();
    /* A file where the directory should be. */
    make_dir();
    write_file("benchmark", "x", 1);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_NOT_FOUND);
    CHECK_INT(kk_record_clear(dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_IO);
    CHECK_HAS(error.message, "benchmark");
    remove_dir();
}

/* jansson may take a text that it had no memory for as a shorter one. Then the file seems damaged,
 * or a sentence lacks a letter; what is recommended stands twice and is never another. */
/* A file may grow no more, as on a full disk: the old record stays whole, and nothing half written.
 */
TEST(a_full_disk)
{
    make_dir();
    struct stat st;
    struct rlimit old;
    kk_record record = sample(), other = sample(), loaded;
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK_INT(stat(at("benchmark/record.json"), &st), 0);
    (void)snprintf(other.reason, sizeof(other.reason), "another");
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    /* The locks hold a number of some bytes; it may be cut without harm. */
    for (rlim_t limit = 0; limit + 100 < (rlim_t)st.st_size; limit += 50) {
        const struct rlimit tight = {limit, old.rlim_max};
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &tight), 0);
        const int status = kk_record_store(&other, dir, &error);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
        CHECK_INT(status, KOKORO_IO);
        CHECK_HAS(error.message, "record.json");
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
        check_equal(&record, &loaded);
    }
    CHECK_INT(kk_record_store(&other, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    check_equal(&other, &loaded);
    remove_dir(); /* there is no other file */
}

TEST(every_allocation_may_fail)
{
    make_dir();
    const kk_validity_rule rule = {KK_DAILY, false};
    kk_record record = sample(), loaded;
    json_set_alloc_funcs(kk_alloc, kk_free);
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    size_t n = 0;
    for (int status = KOKORO_NO_MEMORY; status != KOKORO_OK && n < 10000;) {
        kk_alloc_fail_at(++n, 0);
        status = kk_record_load(&loaded, dir, &error);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY || status == KOKORO_BAD_DATA);
        if (status == KOKORO_OK)
            CHECK(kk_way_equal(&loaded.recommended, &record.recommended));
    }
    CHECK(n > 20);
    const kk_record old = record;
    strcpy(record.reason, "the new one");
    n = 0;
    for (int status = KOKORO_NO_MEMORY; status != KOKORO_OK && n < 10000;) {
        kk_alloc_fail_at(++n, 0);
        status = kk_record_store(&record, dir, &error);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY || status == KOKORO_INVALID);
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
        check_equal(&loaded, status == KOKORO_OK ? &record : &old);
    }
    CHECK(n > 40);
    for (n = 1; n < 200; n++) {
        kk_alloc_fail_at(n, 0);
        (void)kk_record_refresh(dir, &record.fingerprint, &rule, &record.recommended, noon_s,
                                &error);
        kk_record_lock lock;
        if (kk_record_lock_take(&lock, dir, &error) == KOKORO_OK)
            kk_record_lock_give(&lock);
        kk_alloc_fail_at(0, 0);
    }
    json_set_alloc_funcs(malloc, free);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_clear(dir, &error), KOKORO_OK);
    remove_dir();
}

TEST_MAIN(T(way_has_a_text), T(store_and_load), T(old_keys), T(dated_back),
          T(unsound_records_are_not_stored), T(damaged_files), T(cut_at_every_byte),
          T(what_is_no_file), T(a_full_disk), T(every_allocation_may_fail))
