/*
 * record_check.h - what the tests of the benchmark's record share: a cache directory of a test's
 * own, and a record.
 */
#ifndef KK_TESTS_RECORD_CHECK_H
#define KK_TESTS_RECORD_CHECK_H

#include "check.h"

#include "cache/record.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const double hour_s = 3600.0, day_s = 86400.0;
static const double noon_s = 1764000000.0; /* some day */

static char dir[64]; /* the cache directory of a test */
static kokoro_error error;

static inline void make_dir(void)
{
    strcpy(dir, "/tmp/kokoro-record-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    error.message[0] = '\0';
}

/* A name below dir; valid until the next call. */
static inline const char *at(const char *name)
{
    static char path[400];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static inline void remove_dir(void)
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

static inline void write_file(const char *name, const char *data, size_t len)
{
    FILE *file = fopen(at(name), "wb");
    CHECK(file != NULL);
    if (file == NULL)
        return;
    CHECK_INT(fwrite(data, 1, len, file), len);
    CHECK(fclose(file) == 0);
}

static inline void write_record(const char *text)
{
    (void)mkdir(at("benchmark"), 0700);
    write_file("benchmark/record.json", text, strlen(text));
}

static inline kk_record sample(void)
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

static inline void check_equal(const kk_record *a, const kk_record *b)
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

#endif
