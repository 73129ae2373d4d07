#include "bench/result_json.h"

#include "base/status.h"
#include "base/utf8.h"
#include "bench/result_fields.h"
#include "bench/statistics.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* json_t values in the making; memory that ran out shows at the end. */
typedef struct maker {
    bool failed;
} maker;

static void put(maker *m, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        m->failed = true;
}

static void push(maker *m, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        m->failed = true;
}

/* Bytes that are no UTF-8, such as a name that was cut within a letter, become U+FFFD. */
static json_t *text_to_json(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL)
        return value;
    kk_buf whole = KK_BUF_INIT;
    kk_slice rest = kk_slice_of(text);
    while (rest.len > 0) {
        uint32_t code_point;
        const size_t len = kk_utf8_decode(rest, &code_point);
        kk_buf_append_code_point(&whole, code_point);
        rest.data += len > 0 ? len : 1;
        rest.len -= len > 0 ? len : 1;
    }
    value = whole.failed ? NULL : json_string(kk_buf_str(&whole));
    kk_buf_fini(&whole);
    return value;
}

static json_t *number_to_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *samples_to_json(maker *m, const kk_samples *samples)
{
    json_t *array = json_array();
    for (size_t i = 0; i < samples->n; i++)
        push(m, array, number_to_json(samples->values[i]));
    return array;
}

static json_t *field_to_json(maker *m, const kk_field *field, const void *place)
{
    switch (field->kind) {
    case KK_FIELD_TEXT:
    case KK_FIELD_OPTIONAL_TEXT: {
        const char *text = *(const char *const *)place;
        if (text == NULL)
            return field->kind == KK_FIELD_TEXT ? json_string("") : json_null();
        return text_to_json(text);
    }
    case KK_FIELD_NAME:
    case KK_FIELD_CHARS:
        return text_to_json(place);
    case KK_FIELD_BOOL:
        return json_boolean(*(const bool *)place);
    case KK_FIELD_INT:
        return json_integer(*(const int *)place);
    case KK_FIELD_COUNT:
        return json_integer((json_int_t) * (const size_t *)place);
    case KK_FIELD_BYTES:
        return json_integer((json_int_t) * (const uint64_t *)place);
    case KK_FIELD_REAL:
        return number_to_json(*(const double *)place);
    case KK_FIELD_OPTIONAL_REAL:
        return *(const double *)place < 0.0 ? json_null() : number_to_json(*(const double *)place);
    case KK_FIELD_SAMPLES:
        return samples_to_json(m, place);
    }
    return NULL;
}

static void put_fields(maker *m, json_t *object, const kk_field_table *table, const void *from)
{
    for (size_t i = 0; i < table->n; i++) {
        const kk_field *field = &table->fields[i];
        put(m, object, field->key, field_to_json(m, field, (const char *)from + field->offset));
    }
}

static json_t *fields_to_json(maker *m, const kk_field_table *table, const void *from)
{
    json_t *object = json_object();
    put_fields(m, object, table, from);
    return object;
}

/* What the samples say, for whoever reads the file with jq; kk_result_from_json does not use it. */
static void put_summary(maker *m, json_t *object, const kk_bench_timing *timing)
{
    kk_summary summary;
    if (kk_summarise(&timing->inference_s, &summary) != KOKORO_OK)
        m->failed = true;
    if (summary.n == 0)
        return;
    put(m, object, "min_s", number_to_json(summary.min));
    put(m, object, "median_s", number_to_json(summary.median));
    put(m, object, "p95_s", number_to_json(summary.p95));
    put(m, object, "spread_percent", number_to_json(summary.spread_percent));
    if (timing->audio_s > 0.0)
        put(m, object, "rtf", number_to_json(summary.median / timing->audio_s));
}

static json_t *way_to_json(maker *m, const kk_bench_result *result, const kk_bench_way *way)
{
    json_t *object = fields_to_json(m, &kk_fields_of_way, &way->way);
    json_t *timings = json_array();
    put_fields(m, object, &kk_fields_of_bench_way, way);
    for (size_t i = 0; i < result->n_texts; i++) {
        json_t *timing = json_object();
        put(m, timing, "text", text_to_json(result->texts[i].name));
        put_fields(m, timing, &kk_fields_of_timing, &way->timings[i]);
        put_summary(m, timing, &way->timings[i]);
        push(m, timings, timing);
    }
    put(m, object, "timings", timings);
    put(m, object, "quality",
        way->quality.is_known ? fields_to_json(m, &kk_fields_of_quality, &way->quality)
                              : json_null());
    return object;
}

static json_t *place_to_json(maker *m, const kk_bench_result *result, int place)
{
    if (place < 0 || (size_t)place >= result->n_ways)
        return json_null();
    return fields_to_json(m, &kk_fields_of_way, &result->ways[place].way);
}

static json_t *choice_to_json(maker *m, const kk_bench_result *result)
{
    const kk_bench_choice *choice = &result->choice;
    json_t *object = json_object();
    put(m, object, "recommended", place_to_json(m, result, choice->recommended));
    put(m, object, "fastest", place_to_json(m, result, choice->fastest));
    put(m, object, "best_quality", place_to_json(m, result, choice->best_quality));
    put(m, object, "before",
        choice->before.provider[0] != '\0' ? fields_to_json(m, &kk_fields_of_way, &choice->before)
                                           : json_null());
    put_fields(m, object, &kk_fields_of_choice, choice);
    return object;
}

/* [n] structures of `size` bytes. */
static json_t *list_to_json(maker *m, const kk_field_table *table, const void *items, size_t n,
                            size_t size)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        push(m, array, fields_to_json(m, table, (const char *)items + i * size));
    return array;
}

static json_t *date_to_json(double seconds)
{
    char text[32] = "";
    const time_t time = (time_t)seconds;
    struct tm parts;
    if (gmtime_r(&time, &parts) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

static json_t *result_to_json(maker *m, const kk_bench_result *result)
{
    json_t *root = json_object();
    json_t *ways = json_array();
    put(m, root, "format", json_string(KK_RESULT_FORMAT));
    put(m, root, "format_version", json_integer(KK_RESULT_FORMAT_VERSION));
    put(m, root, "date", date_to_json(result->started_at_s));
    put_fields(m, root, &kk_fields_of_result, result);
    put(m, root, "groups", json_integer((json_int_t)result->n_groups));
    put(m, root, "choice", choice_to_json(m, result));
    put(m, root, "hardware", fields_to_json(m, &kk_fields_of_hardware, &result->hardware));
    put(m, root, "fingerprint", fields_to_json(m, &kk_fields_of_fingerprint, &result->fingerprint));
    put(m, root, "deciding_text",
        result->deciding_text < result->n_texts
            ? text_to_json(result->texts[result->deciding_text].name)
            : json_null());
    put(m, root, "texts",
        list_to_json(m, &kk_fields_of_text, result->texts, result->n_texts, sizeof(kk_bench_text)));
    for (size_t i = 0; i < result->n_ways; i++)
        push(m, ways, way_to_json(m, result, &result->ways[i]));
    put(m, root, "ways", ways);
    put(m, root, "absent",
        list_to_json(m, &kk_fields_of_absent, result->absent, result->n_absent,
                     sizeof(kk_bench_absent)));
    put(m, root, "left_out",
        list_to_json(m, &kk_fields_of_left_out, result->left_out, result->n_left_out,
                     sizeof(kk_bench_left_out)));
    put(m, root, "streams",
        list_to_json(m, &kk_fields_of_streams, result->streams, result->n_streams,
                     sizeof(kk_bench_streams)));
    return root;
}

static json_t *change_to_json(maker *m, const kk_history_change *change)
{
    json_t *object = fields_to_json(m, &kk_fields_of_way, &change->way);
    put(m, object, "text", text_to_json(change->text));
    put(m, object, "before_s", number_to_json(change->before_s));
    put(m, object, "after_s", number_to_json(change->after_s));
    put(m, object, "change_percent", number_to_json(change->change_percent));
    put(m, object, "p", number_to_json(change->p));
    put(m, object, "earlier_runs", json_integer((json_int_t)change->n_runs));
    put(m, object, "regression", json_boolean(change->change_percent > 0.0));
    return object;
}

static json_t *history_to_json(maker *m, const kk_history_view *history)
{
    json_t *object = json_object();
    json_t *changes = json_array();
    put(m, object, "compared_runs", json_integer((json_int_t)history->n_compared));
    put(m, object, "regressions", json_integer((json_int_t)history->n_regressions));
    for (size_t i = 0; i < history->n_changes; i++)
        push(m, changes, change_to_json(m, &history->changes[i]));
    put(m, object, "changes", changes);
    return object;
}

static json_t *row_to_json(maker *m, const kk_comparison_row *row)
{
    json_t *object = fields_to_json(m, &kk_fields_of_way, &row->way);
    put(m, object, "text", text_to_json(row->text));
    put(m, object, "before_s", number_to_json(row->before_s));
    put(m, object, "after_s", number_to_json(row->after_s));
    put(m, object, "change_percent", number_to_json(row->change_percent));
    put(m, object, "p", number_to_json(row->p));
    put(m, object, "samples_before", json_integer((json_int_t)row->n_before));
    put(m, object, "samples_after", json_integer((json_int_t)row->n_after));
    put(m, object, "verdict", json_string(kk_verdict_text(row->verdict)));
    return object;
}

static json_t *comparison_to_json(maker *m, const kk_comparison *comparison)
{
    json_t *object = json_object();
    json_t *rows = json_array();
    put(m, object, "baseline_date", date_to_json(comparison->before_at_s));
    put(m, object, "differs_in",
        comparison->difference != NULL ? json_string(comparison->difference) : json_null());
    for (size_t i = 0; i < comparison->n_rows; i++)
        push(m, rows, row_to_json(m, &comparison->rows[i]));
    put(m, object, "rows", rows);
    put(m, object, "only_in_baseline", json_integer((json_int_t)comparison->n_only_before));
    put(m, object, "only_in_this_run", json_integer((json_int_t)comparison->n_only_after));
    return object;
}

int kk_result_to_json(kk_buf *out, const kk_bench_result *result, const kk_history_view *history,
                      const kk_comparison *comparison, kokoro_error *err)
{
    maker m = {false};
    json_t *root = result_to_json(&m, result);
    if (history != NULL)
        put(&m, root, "history", history_to_json(&m, history));
    if (comparison != NULL)
        put(&m, root, "comparison", comparison_to_json(&m, comparison));
    /* 17 digits bring every double back as it was. */
    char *text = root != NULL && !m.failed
                     ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17))
                     : NULL;
    json_decref(root);
    if (text == NULL)
        return kk_fail_memory(err);
    kk_buf_append_str(out, text);
    kk_buf_append_char(out, '\n');
    free(text);
    return out->failed ? kk_fail_memory(err) : KOKORO_OK;
}
