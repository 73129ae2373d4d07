/*
 * The benchmark's record: the file (damage, kills, memory), how long it is good under every rule,
 * what changes its fingerprint, and who may measure.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "check.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "cache/record.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const double hour_s = 3600.0, day_s = 86400.0;
static const double noon_s = 1764000000.0; /* some day */

static char dir[64]; /* the cache directory of a test */
static kokoro_error error;

static void make_dir(void)
{
    strcpy(dir, "/tmp/kokoro-record-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    error.message[0] = '\0';
}

/* A name below dir; valid until the next call. */
static const char *at(const char *name)
{
    static char path[400];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void remove_dir(void)
{
    static const char *const names[] = {"benchmark/record.json",
                                        "benchmark/lock",
                                        "benchmark/write.lock",
                                        "model",
                                        "library",
                                        "benchmark"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)remove(at(names[i]));
    CHECK(rmdir(dir) == 0); /* and so no temporary file is left */
}

static void write_file(const char *name, const char *data, size_t len)
{
    FILE *file = fopen(at(name), "wb");
    CHECK(file != NULL);
    if (file == NULL)
        return;
    CHECK_INT(fwrite(data, 1, len, file), len);
    CHECK(fclose(file) == 0);
}

static void write_record(const char *text)
{
    (void)mkdir(at("benchmark"), 0700);
    write_file("benchmark/record.json", text, strlen(text));
}

static kk_record sample(void)
{
    static const kk_record record = {
        .recommended = {"native", "bf16", 2},
        .measured_at_s = 1764000000.0,
        .refreshed_at_s = 1764000000.0,
        .mode = "full",
        .reason = "native bf16 is 4.1 times as fast as onnxruntime.",
        .results = {{{"native", "bf16", 2}, 0.4125, 0.31}, {{"native", "f32", 1}, 1.75, -1.0}},
        .n_results = 2,
        .fingerprint = {.hardware = "a \"CPU\"",
                        .system = "Linux x86_64 6.1.0",
                        .model = "1234",
                        .libraries = "kokoro 0.1.0",
                        .instruction_set = "avx512bf16",
                        .settings = "precision auto, threads auto"},
    };
    return record;
}

static void check_equal(const kk_record *a, const kk_record *b)
{
    CHECK(kk_way_equal(&a->recommended, &b->recommended));
    CHECK(kk_way_equal(&a->current, &b->current));
    CHECK_NEAR(a->measured_at_s, b->measured_at_s, 1e-4);
    CHECK_NEAR(a->refreshed_at_s, b->refreshed_at_s, 1e-4);
    CHECK_STR(a->mode, b->mode);
    CHECK_STR(a->reason, b->reason);
    CHECK_INT(a->is_over_quality, b->is_over_quality);
    CHECK_INT(a->n_results, b->n_results);
    for (size_t i = 0; i < a->n_results; i++) {
        CHECK(kk_way_equal(&a->results[i].way, &b->results[i].way));
        CHECK_NEAR(a->results[i].seconds, b->results[i].seconds, 1e-9);
        CHECK_NEAR(a->results[i].quality_db, b->results[i].quality_db, 1e-9);
    }
    CHECK(kk_fingerprint_difference(&a->fingerprint, &b->fingerprint) == NULL);
}

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

/* ---- the clock ---------------------------------------------------------------------------- */

static const struct {
    kk_validity_rule rule;
    double days;
} rules[] = {
    {{KK_DAILY, false}, 1}, {{KK_WEEKLY, false}, 7}, {{KK_MONTHLY, false}, 30},
    {{KK_DAILY, true}, 7},  {{KK_WEEKLY, true}, 14}, {{KK_MONTHLY, true}, 60},
};
enum { N_RULES = sizeof(rules) / sizeof(rules[0]) };

static kk_record_view judge(const kk_record *record, const kk_validity_rule *rule, double now_s)
{
    kk_record_view view;
    kk_record_judge(record, &record->fingerprint, rule, now_s, &view);
    return view;
}

TEST(clock_through_every_frequency)
{
    const kk_record record = sample();
    for (size_t i = 0; i < N_RULES; i++) {
        const double period_s = rules[i].days * day_s;
        CHECK_NEAR(kk_validity_s(&rules[i].rule), period_s, 0.0);
        for (double hour = 0.0; hour < 24.0 * 90.0; hour += 1.0) {
            const double now_s = noon_s + hour * hour_s;
            kk_record_view view = judge(&record, &rules[i].rule, now_s);
            const bool is_good = hour * hour_s < period_s;
            CHECK_INT(view.state, is_good ? KK_RECORD_VALID : KK_RECORD_EXPIRED);
            CHECK_NEAR(view.age_s, hour * hour_s, 1e-6);
            CHECK_NEAR(view.expires_at_s, noon_s + period_s, 1e-6);
        }
        CHECK_INT(judge(&record, &rules[i].rule, noon_s + period_s - 1.0).state, KK_RECORD_VALID);
        CHECK_INT(judge(&record, &rules[i].rule, noon_s + period_s).state, KK_RECORD_EXPIRED);
    }
    for (int extended = 0; extended < 2; extended++) {
        const kk_validity_rule manual = {KK_MANUALLY, extended != 0};
        kk_record_view view = judge(&record, &manual, noon_s + 36500.0 * day_s);
        CHECK_INT(view.state, KK_RECORD_VALID);
        CHECK(isinf(view.expires_at_s));
        CHECK(isinf(kk_validity_s(&manual)));
    }
}

/* Refreshed as often as you like: four periods after the measurement it is over. */
TEST(four_periods)
{
    for (size_t i = 0; i < N_RULES; i++) {
        kk_record record = sample();
        const double period_s = rules[i].days * day_s;
        double now_s = noon_s;
        int n = 0;
        for (; judge(&record, &rules[i].rule, now_s).state == KK_RECORD_VALID && n < 1000; n++) {
            record.refreshed_at_s = now_s;
            now_s += period_s / 8.0;
        }
        CHECK_INT(n, 32);
        CHECK_NEAR(now_s, noon_s + 4.0 * period_s, 1.0);
        /* And a period without use ends it sooner. */
        record.refreshed_at_s = noon_s + 0.5 * period_s;
        kk_record_view view = judge(&record, &rules[i].rule, noon_s + 1.4 * period_s);
        CHECK_INT(view.state, KK_RECORD_VALID);
        CHECK_NEAR(view.age_s, 0.9 * period_s, 1.0);
        CHECK_NEAR(view.expires_at_s, noon_s + 1.5 * period_s, 1.0);
        CHECK_INT(judge(&record, &rules[i].rule, noon_s + 1.5 * period_s).state, KK_RECORD_EXPIRED);
    }
}

TEST(clock_moved_back)
{
    make_dir();
    const kk_validity_rule rule = {KK_DAILY, false};
    kk_record record = sample(), loaded;
    const double before_s = noon_s - 1000.0 * day_s;
    kk_record_view view = judge(&record, &rule, before_s);
    CHECK_INT(view.state, KK_RECORD_VALID);
    CHECK_NEAR(view.age_s, 0.0, 0.0);
    CHECK_NEAR(view.expires_at_s, before_s + day_s, 1.0);
    /* Its next use gives it dates of this clock, and so it does end. */
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK_INT(
        kk_record_refresh(dir, &record.fingerprint, &rule, &record.recommended, before_s, &error),
        KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    CHECK_NEAR(loaded.measured_at_s, before_s, 1e-3);
    CHECK_NEAR(loaded.refreshed_at_s, before_s, 1e-3);
    CHECK_INT(judge(&loaded, &rule, before_s + day_s + 1.0).state, KK_RECORD_EXPIRED);
    remove_dir();
}

static kk_record refreshed(const kk_record *record, const kk_fingerprint *fingerprint,
                           const kk_validity_rule *rule, const kk_way *way, double now_s)
{
    kk_record loaded;
    CHECK_INT(kk_record_store(record, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_refresh(dir, fingerprint, rule, way, now_s, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    return loaded;
}

TEST(refresh_limits)
{
    make_dir();
    const kk_validity_rule rule = {KK_DAILY, false};
    kk_record record = sample();
    const kk_way *best = &record.recommended;
    const kk_way other = {"onnxruntime", "file", 2};
    /* The first use is noted at once, later ones once an hour. */
    kk_record loaded = refreshed(&record, &record.fingerprint, &rule, best, noon_s + 60.0);
    CHECK(kk_way_equal(&loaded.current, best));
    CHECK_NEAR(loaded.refreshed_at_s, noon_s + 60.0, 1e-3);
    CHECK_NEAR(loaded.measured_at_s, noon_s, 1e-3);
    record.current = *best;
    loaded = refreshed(&record, &record.fingerprint, &rule, best, noon_s + hour_s - 1.0);
    CHECK_NEAR(loaded.refreshed_at_s, noon_s, 1e-3);
    loaded = refreshed(&record, &record.fingerprint, &rule, best, noon_s + hour_s);
    CHECK_NEAR(loaded.refreshed_at_s, noon_s + hour_s, 1e-3);
    /* Another way than the recommended is noted, and prolongs nothing. */
    loaded = refreshed(&record, &record.fingerprint, &rule, &other, noon_s + 2.0 * hour_s);
    CHECK(kk_way_equal(&loaded.current, &other));
    CHECK_NEAR(loaded.refreshed_at_s, noon_s, 1e-3);
    /* Over, or of another machine: nothing. */
    loaded = refreshed(&record, &record.fingerprint, &rule, best, noon_s + day_s);
    CHECK_NEAR(loaded.refreshed_at_s, noon_s, 1e-3);
    kk_fingerprint changed = record.fingerprint;
    strcpy(changed.model, "another");
    loaded = refreshed(&record, &changed, &rule, best, noon_s + 2.0 * hour_s);
    CHECK_NEAR(loaded.refreshed_at_s, noon_s, 1e-3);
    /* Nothing there, and nothing is made. */
    CHECK_INT(kk_record_clear(dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_refresh(dir, &record.fingerprint, &rule, best, noon_s, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_NOT_FOUND);
    remove_dir();
}

/* ---- the fingerprint ---------------------------------------------------------------------- */

TEST(fingerprint_names_what_changed)
{
    const kk_record record = sample();
    const kk_validity_rule rule = {KK_WEEKLY, false};
#define KK_X(field, name)                                                                          \
    {                                                                                              \
        kk_record measured = record;                                                               \
        kk_fingerprint now = record.fingerprint;                                                   \
        strcpy(measured.fingerprint.settings, "precision f32, threads 1");                         \
        strcpy(now.settings, "precision f32, threads 1");                                          \
        strcat(now.field, "!");                                                                    \
        kk_record_view view;                                                                       \
        kk_record_judge(&measured, &now, &rule, noon_s, &view);                                    \
        CHECK_INT(view.state, KK_RECORD_CHANGED);                                                  \
        CHECK_STR(view.changed, name);                                                             \
        kk_record_judge(&measured, NULL, &rule, noon_s, &view);                                    \
        CHECK_INT(view.state, KK_RECORD_VALID);                                                    \
        CHECK(view.changed == NULL);                                                               \
        kk_record_judge(&measured, &now, &rule, noon_s + 90.0 * day_s, &view);                     \
        CHECK_INT(view.state, KK_RECORD_CHANGED);                                                  \
    }
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    /* Measured with everything free it holds for a restriction, not the other way round. */
    kk_fingerprint restricted = record.fingerprint;
    strcpy(restricted.settings, "precision auto, threads 1");
    CHECK(kk_fingerprint_difference(&record.fingerprint, &restricted) == NULL);
    CHECK_STR(kk_fingerprint_difference(&restricted, &record.fingerprint), "settings");
}

static kk_fingerprint made(const kokoro_options *options)
{
    kk_fingerprint out;
    CHECK_INT(kk_fingerprint_make(&out, options, &error), KOKORO_OK);
    return out;
}

TEST(fingerprint_of_files_and_settings)
{
    make_dir();
    char model[128], library[128];
    strcpy(model, at("model"));
    strcpy(library, at("library"));
    write_file("model", "weights", 7);
    write_file("library", "code", 4);
    kokoro_options options;
    kokoro_options_init(&options);
    options.model_path = model;
    options.ort_library = library;
    const kk_fingerprint first = made(&options);
    const kk_fingerprint same = made(&options);
    CHECK(kk_fingerprint_difference(&first, &same) == NULL);
    CHECK_STR(first.settings, sample().fingerprint.settings);
    CHECK_HAS(first.libraries, "kokoro 0");

    write_file("model", "weightz", 7);
    kk_fingerprint next = made(&options);
    CHECK_STR(kk_fingerprint_difference(&first, &next), "model");
    write_file("model", "weights", 7); /* the same again, at another time */
    next = made(&options);
    CHECK(kk_fingerprint_difference(&first, &next) == NULL);
    write_file("library", "core", 4);
    next = made(&options);
    CHECK_STR(kk_fingerprint_difference(&first, &next), "library versions");
    options.ort_library = NULL;
    next = made(&options);
    CHECK_STR(kk_fingerprint_difference(&first, &next), "library versions");
    options.ort_library = library;
    write_file("library", "code", 4);
    options.cpu_mask = "ref";
    next = made(&options);
    CHECK_STR(next.instruction_set, "ref");
    options.cpu_mask = "abacus";
    CHECK_INT(kk_fingerprint_make(&next, &options, &error), KOKORO_INVALID);
    options.cpu_mask = NULL;
    options.n_threads = 1;
    next = made(&options);
    CHECK_STR(next.settings, "precision auto, threads 1");
    options.n_threads = 0;
    options.precision = "f32";
    next = made(&options);
    CHECK_STR(next.settings, "precision f32, threads auto");
    /* Longer than a field: it ends in its hash, and so still tells. */
    char name[2][400];
    for (int i = 0; i < 2; i++) {
        memset(name[i], 'x', sizeof(name[i]));
        name[i][398] = (char)('a' + i);
        name[i][399] = '\0';
    }
    options.ort_library = name[0];
    const kk_fingerprint a = made(&options);
    options.ort_library = name[1];
    const kk_fingerprint b = made(&options);
    CHECK(strlen(a.libraries) < KK_FINGERPRINT_SIZE);
    CHECK_STR(kk_fingerprint_difference(&a, &b), "library versions");
    options.model_path = "/nowhere/model.onnx";
    CHECK_INT(kk_fingerprint_make(&next, &options, &error), KOKORO_NOT_FOUND);
    remove_dir();
}

/* ---- processes ---------------------------------------------------------------------------- */

static void wait_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* A child that takes the lock and says how it went: 'y', or 'n' with the message behind it. */
static pid_t start_holder(int *answers)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        kk_record_lock lock;
        (void)close(ends[0]);
        int status = kk_record_lock_take(&lock, dir, &error);
        const char *answer = status == KOKORO_OK ? "y" : "n";
        if (write(ends[1], answer, 1) == 1 && status != KOKORO_OK)
            (void)!write(ends[1], error.message, strlen(error.message));
        (void)close(ends[1]);
        if (status == KOKORO_OK)
            (void)pause();
        _exit(0);
    }
    (void)close(ends[1]);
    *answers = ends[0];
    return child;
}

static void end_child(pid_t child)
{
    int status;
    (void)kill(child, SIGKILL);
    CHECK_INT(waitpid(child, &status, 0), child);
}

TEST(one_measures_at_a_time)
{
    make_dir();
    CHECK_INT(kk_record_lock_holder(dir), 0);
    int answers;
    char answer[600] = "", number[32];
    pid_t child = start_holder(&answers);
    CHECK_INT(read(answers, answer, 1), 1);
    CHECK_INT(answer[0], 'y');
    kk_record_lock lock;
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_BUSY);
    (void)snprintf(number, sizeof(number), "process %ld", (long)child);
    CHECK_HAS(error.message, number);
    CHECK_INT(lock.fd, -1);
    CHECK_INT(kk_record_lock_holder(dir), child);
    (void)close(answers);
    /* A holder that is killed holds nothing. */
    end_child(child);
    CHECK_INT(kk_record_lock_holder(dir), 0);
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_lock_holder(dir), getpid());
    /* And the other way round; a second take of the same process is refused too. */
    kk_record_lock second;
    CHECK_INT(kk_record_lock_take(&second, dir, &error), KOKORO_BUSY);
    child = start_holder(&answers);
    ssize_t len = read(answers, answer, sizeof(answer) - 1);
    wait_ms(20);
    if (len == 1)
        len += read(answers, answer + 1, sizeof(answer) - 2);
    answer[len > 0 ? len : 0] = '\0';
    (void)snprintf(number, sizeof(number), "process %ld", (long)getpid());
    CHECK_INT(answer[0], 'n');
    CHECK_HAS(answer, number);
    (void)close(answers);
    end_child(child);
    kk_record_lock_give(&lock);
    kk_record_lock_give(&lock);
    CHECK_INT(kk_record_lock_holder(dir), 0);
    /* Somebody removed the file of the lock: the next one makes it anew. */
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_OK);
    kk_record_lock_give(&lock);
    CHECK(unlink(at("benchmark/lock")) == 0);
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_lock_holder(dir), getpid());
    kk_record_lock_give(&lock);
    remove_dir();
}

/* Temporary files of writers that were killed are the one thing they leave. */
static void remove_temporary(void)
{
    DIR *files = opendir(at("benchmark"));
    const struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        char name[300];
        (void)snprintf(name, sizeof(name), "benchmark/%s", entry->d_name);
        if (strstr(name, ".tmp") != NULL)
            (void)unlink(at(name));
    }
    if (files != NULL)
        (void)closedir(files);
}

TEST(killed_while_it_stores)
{
    make_dir();
    kk_record records[2] = {sample(), sample()};
    strcpy(records[1].reason, "the other one");
    records[1].measured_at_s += 1.0;
    records[1].refreshed_at_s += 1.0;
    CHECK_INT(kk_record_store(&records[0], dir, &error), KOKORO_OK);
    srand(7);
    for (int round = 0; round < 40; round++) {
        (void)fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            for (size_t i = 0;; i++) {
                if (kk_record_store(&records[i % 2], dir, &error) != KOKORO_OK)
                    _exit(1);
            }
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = rand() % 6000000}, NULL);
        end_child(child);
        kk_record loaded;
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
        const bool is_other = strcmp(loaded.reason, records[1].reason) == 0;
        check_equal(&loaded, &records[is_other]);
        remove_temporary();
    }
    /* Its lock went with it. */
    CHECK_INT(kk_record_store(&records[0], dir, &error), KOKORO_OK);
    remove_dir();
}

/* A refresh never brings back what was measured before: two processes, one measures, one uses. */
TEST(refresh_beside_a_measurement)
{
    make_dir();
    const kk_validity_rule rule = {KK_MANUALLY, false};
    kk_record record = sample();
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0;; i++)
            (void)kk_record_refresh(dir, &record.fingerprint, &rule, &record.results[i % 2].way,
                                    noon_s, &error);
    }
    int n_old = 0;
    for (int i = 1; i <= 100; i++) {
        kk_record loaded;
        record.measured_at_s = noon_s - (double)(100 - i);
        CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
        n_old += loaded.measured_at_s < record.measured_at_s - 0.5;
    }
    end_child(child);
    remove_temporary();
    CHECK_INT(n_old, 0);
    remove_dir();
}

/* ---- memory ------------------------------------------------------------------------------- */

/* jansson may take a text that it had no memory for as a shorter one. Then the file seems damaged,
 * or a sentence lacks a letter; what is recommended stands twice and is never another. */
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
          T(what_is_no_file), T(clock_through_every_frequency), T(four_periods),
          T(clock_moved_back), T(refresh_limits), T(fingerprint_names_what_changed),
          T(fingerprint_of_files_and_settings), T(one_measures_at_a_time),
          T(killed_while_it_stores), T(refresh_beside_a_measurement), T(every_allocation_may_fail))
