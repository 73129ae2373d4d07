/*
 * How long the benchmark's record is good: the clock through every rule, uses that prolong it, a
 * clock that was moved back; and what changes its fingerprint.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "record_check.h"
#include "record_rules.h"

#include <time.h>

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
    /* So does the one that nobody uses, once it is redated. */
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_redate(dir, before_s, &error), KOKORO_OK);
    CHECK_INT(kk_record_redate(dir, before_s + 3600.0, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    CHECK_NEAR(loaded.measured_at_s, before_s, 1e-3);
    CHECK_NEAR(loaded.refreshed_at_s, before_s, 1e-3);
    CHECK_INT(judge(&loaded, &rule, before_s + day_s + 1.0).state, KK_RECORD_EXPIRED);
    /* A clock that is put right by seconds is no reason to write. */
    CHECK_INT(kk_record_redate(dir, before_s - 5.0, &error), KOKORO_OK);
    CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
    CHECK_NEAR(loaded.measured_at_s, before_s, 1e-3);
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

/* Bytes that this process has read by system calls. */
static unsigned long long bytes_read(void)
{
    unsigned long long n = 0;
    FILE *io = fopen("/proc/self/io", "r");
    CHECK(io != NULL && fscanf(io, "rchar: %llu", &n) == 1);
    if (io != NULL)
        (void)fclose(io);
    return n;
}

static void write_large(const char *name, off_t size)
{
    write_file(name, "head", 4);
    CHECK_INT(truncate(at(name), size), 0);
}

/* 64 blocks of a file, however long it is; and of a file that is as it was, nothing. */
TEST(fingerprint_reads_little_and_not_again)
{
    enum { ALL = 2 * 64 * 4096, OVERHEAD = 64 * 1024 };
    const struct timespec moment = {.tv_nsec = 150 * 1000 * 1000};
    make_dir();
    char model[128], library[128];
    strcpy(model, at("model"));
    strcpy(library, at("library"));
    write_large("model", (off_t)64 << 20);
    write_large("library", (off_t)16 << 20);
    kokoro_options options;
    kokoro_options_init(&options);
    options.model_path = model;
    options.ort_library = library;
    (void)nanosleep(&moment, NULL); /* what was written just now is read again */
    unsigned long long before = bytes_read();
    const kk_fingerprint whole = made(&options);
    unsigned long long n = bytes_read() - before;
    CHECK(n >= ALL && n <= ALL + OVERHEAD);

    kk_fingerprint_kept kept = {.mark = 0};
    CHECK_INT(kk_fingerprint_keep(&kept, &options, &error), KOKORO_OK);
    CHECK(kk_fingerprint_difference(&whole, &kept.fingerprint) == NULL);
    before = bytes_read();
    for (int i = 0; i < 50; i++)
        CHECK_INT(kk_fingerprint_keep(&kept, &options, &error), KOKORO_OK);
    CHECK(bytes_read() - before < 4096); /* what asking for the count costs itself */
    CHECK(kk_fingerprint_difference(&whole, &kept.fingerprint) == NULL);

    /* Another file or setting is seen at once. */
    write_large("library", (off_t)17 << 20);
    CHECK_INT(kk_fingerprint_keep(&kept, &options, &error), KOKORO_OK);
    CHECK_STR(kk_fingerprint_difference(&whole, &kept.fingerprint), "library versions");
    options.n_threads = 1;
    CHECK_INT(kk_fingerprint_keep(&kept, &options, &error), KOKORO_OK);
    CHECK_STR(kept.fingerprint.settings, "precision auto, threads 1");
    CHECK_STR(kept.fingerprint.hardware, whole.hardware);
    options.model_path = "/nowhere/model.onnx";
    CHECK_INT(kk_fingerprint_keep(&kept, &options, &error), KOKORO_NOT_FOUND);
    CHECK_STR(kept.fingerprint.hardware, "");
    options.model_path = model;
    CHECK_INT(kk_fingerprint_keep(&kept, &options, &error), KOKORO_OK);
    CHECK_STR(kept.fingerprint.model, whole.model);
    remove_dir();
}

TEST_MAIN(T(clock_through_every_frequency), T(four_periods), T(clock_moved_back), T(refresh_limits),
          T(fingerprint_names_what_changed), T(fingerprint_of_files_and_settings),
          T(fingerprint_reads_little_and_not_again))
