/*
 * result_fields.h - the plain fields of a result as tables {key, kind, place, range}: what writes
 * JSON and what reads it walk the same ones. Nested parts are put together in result_json.c and
 * taken apart in result_json_read.c.
 */
#ifndef KK_BENCH_RESULT_FIELDS_H
#define KK_BENCH_RESULT_FIELDS_H

#include "bench/result.h"

#define KK_RESULT_FORMAT "kokoro-benchmark"
enum { KK_RESULT_FORMAT_VERSION = 1, KK_RESULT_MAX_SAMPLES = 100000 };

enum kk_field_kind {
    KK_FIELD_TEXT,          /* const char * */
    KK_FIELD_OPTIONAL_TEXT, /* const char *, NULL is null */
    KK_FIELD_NAME,          /* char [size], not empty */
    KK_FIELD_CHARS,         /* char [size] */
    KK_FIELD_BOOL,
    KK_FIELD_INT,
    KK_FIELD_COUNT, /* size_t */
    KK_FIELD_BYTES, /* uint64_t */
    KK_FIELD_REAL,
    KK_FIELD_OPTIONAL_REAL, /* double, negative is null */
    KK_FIELD_SAMPLES        /* kk_samples */
};

typedef struct kk_field {
    const char *key;
    enum kk_field_kind kind;
    size_t offset, size; /* in its structure */
    double min, max;     /* of numbers, of each sample too */
} kk_field;

typedef struct kk_field_table {
    const kk_field *fields;
    size_t n;
} kk_field_table;

extern const kk_field_table kk_fields_of_result, kk_fields_of_hardware, kk_fields_of_fingerprint,
    kk_fields_of_text, kk_fields_of_way, kk_fields_of_bench_way, kk_fields_of_timing,
    kk_fields_of_quality, kk_fields_of_absent, kk_fields_of_left_out, kk_fields_of_streams,
    kk_fields_of_choice;

#endif
