/* record_json.c - see record_json.h. */
#include "cache/record_json.h"

#include "base/status.h"
#include "base/utf8.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const char format_name[] = "kokoro benchmark record 1";

/* Of dates: the year 9999. */
static const double latest_date_s = 253402300799.0;
static const double most_seconds = 86400.0, most_db = 1000.0;
enum { MAX_THREADS = 1024 };

/* ---- writing ------------------------------------------------------------------------------ */

/* The text up to its first byte that is not UTF-8: somebody may have cut it. */
static json_t *text_of(const char *text)
{
    const kk_slice whole = kk_slice_of(text);
    return json_stringn(text, kk_utf8_valid_len(whole));
}

static json_t *json_of_way(const kk_way *way)
{
    return json_pack("{s:o, s:o, s:i}", "provider", text_of(way->provider), "precision",
                     text_of(way->precision), "threads", way->n_threads);
}

static json_t *json_of_results(const kk_record *record)
{
    json_t *list = json_array();
    for (size_t i = 0; i < record->n_results; i++) {
        const kk_record_result *result = &record->results[i];
        json_t *object = json_of_way(&result->way);
        json_t *quality = result->quality_db < 0.0 ? json_null() : json_real(result->quality_db);
        if (json_object_set_new(object, "quality_db", quality) != 0 ||
            json_array_append(list, object) != 0) {
            json_decref(list);
            list = NULL;
        }
        json_decref(object);
    }
    return list;
}

static json_t *json_of_seconds(const kk_record *record)
{
    json_t *object = json_object();
    for (size_t i = 0; i < record->n_results; i++) {
        char text[KK_WAY_TEXT];
        kk_way_text(&record->results[i].way, text);
        if (json_object_set_new(object, text, json_real(record->results[i].seconds)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *json_of_fingerprint(const kk_fingerprint *fingerprint)
{
    json_t *object = json_object();
#define KK_X(field, name)                                                                          \
    if (json_object_set_new(object, #field, text_of(fingerprint->field)) != 0) {                   \
        json_decref(object);                                                                       \
        return NULL;                                                                               \
    }
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    return object;
}

static int append(const char *data, size_t len, void *user)
{
    kk_buf *dst = user;
    kk_buf_append(dst, data, len);
    return dst->failed ? -1 : 0;
}

int kk_record_write_json(kk_buf *dst, const kk_record *record, kokoro_error *err)
{
    const kk_way *current = &record->current;
    if (record->n_results > KK_RECORD_MAX_RESULTS)
        return kk_fail(err, KOKORO_INVALID, "a record holds at most %d results, not %zu",
                       KK_RECORD_MAX_RESULTS, record->n_results);
    json_t *root = json_pack(
        "{s:o, s:o, s:f, s:o, s:s, s:o, s:o, s:f, s:o, s:o, s:b, s:o, s:o}", "recommended_provider",
        text_of(record->recommended.provider), "current_provider",
        current->provider[0] != '\0' ? text_of(current->provider) : json_null(), "benchmark_date",
        record->measured_at_s, "benchmark_results", json_of_seconds(record), "format", format_name,
        "recommended", json_of_way(&record->recommended), "current",
        current->provider[0] != '\0' ? json_of_way(current) : json_null(), "refreshed_after",
        fmax(0.0, record->refreshed_at_s - record->measured_at_s), "mode", text_of(record->mode),
        "reason", text_of(record->reason), "is_over_quality", record->is_over_quality, "results",
        json_of_results(record), "fingerprint", json_of_fingerprint(&record->fingerprint));
    const size_t before = dst->len;
    int failed = root == NULL || json_dump_callback(root, append, dst,
                                                    JSON_INDENT(2) | JSON_REAL_PRECISION(15)) != 0;
    json_decref(root);
    kk_buf_append_char(dst, '\n');
    if (failed || dst->failed)
        return kk_fail_memory(err);
    kk_record again;
    kokoro_error reason;
    int status =
        kk_record_read_json(&again, (kk_slice){dst->data + before, dst->len - before}, &reason);
    if (status == KOKORO_NO_MEMORY)
        return kk_fail_memory(err);
    if (status != KOKORO_OK)
        return kk_fail(err, KOKORO_INVALID, "this is no sound benchmark record: %s",
                       reason.message);
    return KOKORO_OK;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Reads one key after the other; the first fault stays. */
typedef struct reader {
    kokoro_error *err;
    int status;
} reader;

#define FAULT(r, ...)                                                                              \
    do {                                                                                           \
        if ((r)->status == KOKORO_OK)                                                              \
            (r)->status = kk_fail((r)->err, KOKORO_BAD_DATA, __VA_ARGS__);                         \
    } while (0)

static void read_text(reader *r, const json_t *object, const char *key, char *dst, size_t size)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        FAULT(r, "%s is no text", key);
    else if (json_string_length(value) >= size || strlen(json_string_value(value)) >= size)
        FAULT(r, "%s has more than %zu bytes", key, size - 1);
    else if (strlen(json_string_value(value)) != json_string_length(value))
        FAULT(r, "%s holds a zero byte", key);
    else
        memcpy(dst, json_string_value(value), json_string_length(value) + 1);
}

/* Text for people, which they see as it is: nothing in it may steer their terminal. */
static void read_words(reader *r, const json_t *object, const char *key, char *dst, size_t size)
{
    char shown[sizeof(((kk_record *)NULL)->reason)]; /* the longest */
    read_text(r, object, key, dst, size);
    if (r->status == KOKORO_OK && strcmp(kk_text_shown(shown, sizeof(shown), dst), dst) != 0)
        FAULT(r, "%s has a control character in it", key);
}

static double read_number(reader *r, const json_t *object, const char *key, double least,
                          double most)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        FAULT(r, "%s is no number", key);
    else if (!(json_number_value(value) >= least && json_number_value(value) <= most))
        FAULT(r, "%s is %.6g and not from %.6g to %.6g", key, json_number_value(value), least,
              most);
    else
        return json_number_value(value);
    return 0.0;
}

static void read_name(reader *r, const json_t *object, const char *key, char *dst)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    read_text(r, object, key, dst, KK_WAY_NAME);
    if (r->status == KOKORO_OK && (dst[0] == '\0' || dst[strspn(dst, allowed)] != '\0'))
        FAULT(r, "%s '%s' is no name", key, dst);
}

static void read_way(reader *r, const json_t *object, const char *what, kk_way *out)
{
    if (!json_is_object(object)) {
        FAULT(r, "%s is no object", what);
        return;
    }
    read_name(r, object, "provider", out->provider);
    read_name(r, object, "precision", out->precision);
    const json_t *threads = json_object_get(object, "threads");
    if (!json_is_integer(threads) || json_integer_value(threads) < 1 ||
        json_integer_value(threads) > MAX_THREADS)
        FAULT(r, "threads of %s is no whole number from 1 to %d", what, MAX_THREADS);
    else
        out->n_threads = (int)json_integer_value(threads);
}

/* The provider stands twice, for readers who know the four keys only: it must be the same. */
static void read_named_way(reader *r, const json_t *root, const char *key, const char *provider_key,
                           kk_way *out)
{
    char provider[KK_WAY_NAME] = "";
    read_way(r, json_object_get(root, key), key, out);
    read_name(r, root, provider_key, provider);
    if (r->status == KOKORO_OK && strcmp(provider, out->provider) != 0)
        FAULT(r, "%s is %s, but %s names %s", provider_key, provider, key, out->provider);
}

static void read_result(reader *r, const json_t *object, const json_t *seconds,
                        kk_record_result *out)
{
    char text[KK_WAY_TEXT];
    read_way(r, object, "a result", &out->way);
    if (r->status != KOKORO_OK)
        return;
    kk_way_text(&out->way, text);
    out->seconds = read_number(r, seconds, text, 0.0, most_seconds);
    const json_t *quality = json_object_get(object, "quality_db");
    out->quality_db =
        json_is_null(quality) ? -1.0 : read_number(r, object, "quality_db", 0.0, most_db);
}

static void read_results(reader *r, const json_t *root, kk_record *out)
{
    const json_t *list = json_object_get(root, "results");
    const json_t *seconds = json_object_get(root, "benchmark_results");
    bool is_there = false;
    if (!json_is_array(list) || !json_is_object(seconds)) {
        FAULT(r, "the results are missing");
        return;
    }
    if (json_array_size(list) > KK_RECORD_MAX_RESULTS ||
        json_array_size(list) != json_object_size(seconds)) {
        FAULT(r, "it has %zu results and %zu times", json_array_size(list),
              json_object_size(seconds));
        return;
    }
    for (size_t i = 0; r->status == KOKORO_OK && i < json_array_size(list); i++) {
        read_result(r, json_array_get(list, i), seconds, &out->results[i]);
        is_there |= kk_way_equal(&out->results[i].way, &out->recommended);
        out->n_results = i + 1;
    }
    if (r->status == KOKORO_OK && !is_there)
        FAULT(r, "what it recommends is not among its results");
}

static void read_root(reader *r, const json_t *root, kk_record *out)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    if (format == NULL || strcmp(format, format_name) != 0) {
        FAULT(r, "it is no record of this program, or of another version (its format is '%.60s')",
              format != NULL ? format : "");
        return;
    }
    read_named_way(r, root, "recommended", "recommended_provider", &out->recommended);
    if (!json_is_null(json_object_get(root, "current")))
        read_named_way(r, root, "current", "current_provider", &out->current);
    out->measured_at_s = read_number(r, root, "benchmark_date", 0.0, latest_date_s);
    out->refreshed_at_s =
        out->measured_at_s + read_number(r, root, "refreshed_after", 0.0, latest_date_s);
    read_words(r, root, "mode", out->mode, sizeof(out->mode));
    read_words(r, root, "reason", out->reason, sizeof(out->reason));
    const json_t *over = json_object_get(root, "is_over_quality");
    if (!json_is_boolean(over))
        FAULT(r, "is_over_quality is neither true nor false");
    out->is_over_quality = json_is_true(over);
    const json_t *fingerprint = json_object_get(root, "fingerprint");
#define KK_X(field, name)                                                                          \
    read_text(r, fingerprint, #field, out->fingerprint.field, sizeof(out->fingerprint.field));
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    read_results(r, root, out);
}

int kk_record_read_json(kk_record *out, kk_slice text, kokoro_error *err)
{
    json_error_t where;
    reader r = {.err = err, .status = KOKORO_OK};
    memset(out, 0, sizeof(*out));
    if (text.len == 0)
        return kk_fail(err, KOKORO_BAD_DATA, "it is empty");
    json_t *root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        const enum json_error_code code = json_error_code(&where);
        if (code == json_error_out_of_memory || where.text[0] == '\0')
            return kk_fail_memory(err);
        return kk_fail(err, KOKORO_BAD_DATA, "it is no JSON: line %d: %s", where.line, where.text);
    }
    if (json_is_object(root))
        read_root(&r, root, out);
    else
        FAULT(&r, "it is no JSON object");
    json_decref(root);
    if (r.status != KOKORO_OK)
        memset(out, 0, sizeof(*out));
    return r.status;
}
