/*
 * result_json_read.c - a result from JSON. Every field of the tables must be there, be of its kind
 * and lie in its range; what is wrong is named by its path, as in
 * ways[1].timings[0].inference_s[3]. Fields beyond those are nobody's business.
 */
#include "base/file.h"
#include "base/status.h"
#include "bench/result_fields.h"
#include "bench/result_json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 64 << 20 };

/* A value and how it was reached. */
typedef struct node {
    const struct node *up;
    const char *key; /* NULL: an item of an array */
    size_t index;
    json_t *json; /* NULL: not there */
} node;

typedef struct reader {
    kk_bench_result *result;
    kokoro_error *err;
    int status;
} reader;

static node child(const node *up, const char *key)
{
    return (node){up, key, 0, json_object_get(up->json, key)};
}

static node item(const node *up, size_t index)
{
    return (node){up, NULL, index, json_array_get(up->json, index)};
}

static void append_path(kk_buf *path, const node *n)
{
    if (n->up == NULL)
        return;
    append_path(path, n->up);
    if (n->key == NULL)
        kk_buf_appendf(path, "[%zu]", n->index);
    else
        kk_buf_appendf(path, "%s%s", path->len > 0 ? "." : "", n->key);
}

/* The first complaint counts. */
static void complain(reader *r, const node *n, const char *wanted)
{
    if (r->status != KOKORO_OK)
        return;
    kk_buf path = KK_BUF_INIT;
    append_path(&path, n);
    r->status = kk_fail(r->err, KOKORO_BAD_DATA, "%s%s must be %s%s", n->up == NULL ? "it" : "",
                        kk_buf_str(&path), wanted, n->json == NULL ? ", but is missing" : "");
    kk_buf_fini(&path);
}

static void complain_of_memory(reader *r)
{
    if (r->status == KOKORO_OK)
        r->status = kk_fail_memory(r->err);
}

static void complain_of_range(reader *r, const node *n, const kk_field *field)
{
    char wanted[96];
    (void)snprintf(wanted, sizeof(wanted), "a number from %.12g to %.12g", field->min, field->max);
    complain(r, n, wanted);
}

static const char *read_text(reader *r, const node *n)
{
    if (!json_is_string(n->json)) {
        complain(r, n, "a text");
        return "";
    }
    const char *text = kk_arena_strdup(&r->result->arena, json_string_value(n->json));
    if (text == NULL)
        complain_of_memory(r);
    return text != NULL ? text : "";
}

static void read_chars(reader *r, const node *n, const kk_field *field, char *out)
{
    const char *text = json_string_value(n->json);
    const bool may_be_empty = field->kind == KK_FIELD_CHARS;
    if (text == NULL || strlen(text) >= field->size || (text[0] == '\0' && !may_be_empty)) {
        char wanted[96];
        (void)snprintf(wanted, sizeof(wanted), "a text of %s%zu bytes at most",
                       may_be_empty ? "" : "one to ", field->size - 1);
        complain(r, n, wanted);
        return;
    }
    memcpy(out, text, strlen(text) + 1);
}

static bool read_integer(reader *r, const node *n, const kk_field *field, json_int_t *out)
{
    const json_int_t value = json_integer_value(n->json);
    if (!json_is_integer(n->json) || (double)value < field->min || (double)value > field->max) {
        complain_of_range(r, n, field);
        return false;
    }
    *out = value;
    return true;
}

static void read_real(reader *r, const node *n, const kk_field *field, double *out)
{
    const double value = json_number_value(n->json);
    if (!json_is_number(n->json) || !(value >= field->min && value <= field->max))
        complain_of_range(r, n, field);
    else
        *out = value;
}

static void read_samples(reader *r, const node *n, const kk_field *field, kk_samples *out)
{
    const size_t n_values = json_array_size(n->json);
    if (!json_is_array(n->json) || n_values > KK_RESULT_MAX_SAMPLES) {
        complain(r, n, "an array of at most 100000 numbers");
        return;
    }
    if (n_values == 0)
        return;
    out->values = kk_arena_calloc(&r->result->arena, n_values, sizeof(double));
    if (out->values == NULL) {
        complain_of_memory(r);
        return;
    }
    out->n = n_values;
    for (size_t i = 0; i < n_values; i++) {
        const node value = item(n, i);
        read_real(r, &value, field, &out->values[i]);
    }
}

static void read_field(reader *r, const node *n, const kk_field *field, void *place)
{
    json_int_t integer;
    switch (field->kind) {
    case KK_FIELD_OPTIONAL_TEXT:
        *(const char **)place = json_is_null(n->json) ? NULL : read_text(r, n);
        break;
    case KK_FIELD_TEXT:
        *(const char **)place = read_text(r, n);
        break;
    case KK_FIELD_NAME:
    case KK_FIELD_CHARS:
        read_chars(r, n, field, place);
        break;
    case KK_FIELD_BOOL:
        if (!json_is_boolean(n->json))
            complain(r, n, "true or false");
        *(bool *)place = json_is_true(n->json);
        break;
    case KK_FIELD_INT:
        if (read_integer(r, n, field, &integer))
            *(int *)place = (int)integer;
        break;
    case KK_FIELD_COUNT:
        if (read_integer(r, n, field, &integer))
            *(size_t *)place = (size_t)integer;
        break;
    case KK_FIELD_BYTES:
        if (read_integer(r, n, field, &integer))
            *(uint64_t *)place = (uint64_t)integer;
        break;
    case KK_FIELD_OPTIONAL_REAL:
        if (json_is_null(n->json))
            *(double *)place = -1.0;
        else
            read_real(r, n, field, place);
        break;
    case KK_FIELD_REAL:
        read_real(r, n, field, place);
        break;
    case KK_FIELD_SAMPLES:
        read_samples(r, n, field, place);
        break;
    }
}

static void read_fields(reader *r, const node *n, const kk_field_table *table, void *into)
{
    if (!json_is_object(n->json)) {
        complain(r, n, "an object");
        return;
    }
    for (size_t i = 0; i < table->n && r->status == KOKORO_OK; i++) {
        const kk_field *field = &table->fields[i];
        const node value = child(n, field->key);
        read_field(r, &value, field, (char *)into + field->offset);
    }
}

/* How many items an array has; 0 and a complaint when it is none or has more than `max`. */
static size_t read_size(reader *r, const node *n, size_t max)
{
    char wanted[64];
    if (json_is_array(n->json) && json_array_size(n->json) <= max)
        return json_array_size(n->json);
    (void)snprintf(wanted, sizeof(wanted), "an array of at most %zu items", max);
    complain(r, n, wanted);
    return 0;
}

static size_t read_list(reader *r, const node *up, const char *key, const kk_field_table *table,
                        void *items, size_t max, size_t size)
{
    const node list = child(up, key);
    const size_t n = read_size(r, &list, max);
    for (size_t i = 0; i < n; i++) {
        const node one = item(&list, i);
        read_fields(r, &one, table, (char *)items + i * size);
    }
    return n;
}

static void read_texts(reader *r, const node *root)
{
    kk_bench_result *result = r->result;
    const node texts = child(root, "texts"), deciding = child(root, "deciding_text");
    result->n_texts = read_list(r, root, "texts", &kk_fields_of_text, result->texts,
                                KK_BENCH_MAX_TEXTS, sizeof(kk_bench_text));
    if (r->status != KOKORO_OK)
        return;
    size_t place = result->n_texts;
    for (size_t i = 0; i < result->n_texts; i++) {
        const node one = item(&texts, i), name = child(&one, "name");
        for (size_t k = 0; k < i; k++)
            if (strcmp(result->texts[i].name, result->texts[k].name) == 0)
                complain(r, &name, "another name than those before");
        if (json_is_string(deciding.json) &&
            strcmp(result->texts[i].name, json_string_value(deciding.json)) == 0)
            place = i;
    }
    if (place < result->n_texts)
        result->deciding_text = place;
    else if (!json_is_null(deciding.json))
        complain(r, &deciding, "the name of one of the texts, or null");
}

static void read_timings(reader *r, const node *up, kk_bench_way *way)
{
    const kk_bench_result *result = r->result;
    const node list = child(up, "timings");
    if (!json_is_array(list.json) || json_array_size(list.json) != result->n_texts) {
        complain(r, &list, "an array with an item for each of the texts");
        return;
    }
    for (size_t i = 0; i < result->n_texts; i++) {
        const node one = item(&list, i), name = child(&one, "text");
        read_fields(r, &one, &kk_fields_of_timing, &way->timings[i]);
        if (!json_is_string(name.json) ||
            strcmp(json_string_value(name.json), result->texts[i].name) != 0)
            complain(r, &name, "the name of the text at its place in texts");
    }
}

static void read_ways(reader *r, const node *root)
{
    kk_bench_result *result = r->result;
    const node list = child(root, "ways");
    result->n_ways = read_size(r, &list, KK_BENCH_MAX_WAYS);
    for (size_t i = 0; i < result->n_ways && r->status == KOKORO_OK; i++) {
        kk_bench_way *way = &result->ways[i];
        const node one = item(&list, i), quality = child(&one, "quality");
        read_fields(r, &one, &kk_fields_of_way, &way->way);
        read_fields(r, &one, &kk_fields_of_bench_way, way);
        read_timings(r, &one, way);
        if (!json_is_null(quality.json)) {
            read_fields(r, &quality, &kk_fields_of_quality, &way->quality);
            way->quality.is_known = true;
        }
        for (size_t k = 0; k < i; k++)
            if (kk_way_equal(&way->way, &result->ways[k].way))
                complain(r, &one, "another way than those before");
    }
}

/* Place in ways[] of the way named by `key`; -1 for null. */
static int read_place(reader *r, const node *up, const char *key)
{
    const node n = child(up, key);
    kk_way way = {.provider = ""};
    if (json_is_null(n.json))
        return -1;
    read_fields(r, &n, &kk_fields_of_way, &way);
    for (size_t i = 0; i < r->result->n_ways; i++)
        if (kk_way_equal(&way, &r->result->ways[i].way))
            return (int)i;
    complain(r, &n, "one of the ways, or null");
    return -1;
}

static void read_choice(reader *r, const node *root)
{
    const node n = child(root, "choice"), before = child(&n, "before");
    kk_bench_choice *choice = &r->result->choice;
    read_fields(r, &n, &kk_fields_of_choice, choice);
    if (r->status != KOKORO_OK)
        return;
    choice->recommended = read_place(r, &n, "recommended");
    choice->fastest = read_place(r, &n, "fastest");
    choice->best_quality = read_place(r, &n, "best_quality");
    if (!json_is_null(before.json))
        read_fields(r, &before, &kk_fields_of_way, &choice->before);
}

/* How the ways were grouped: not told by the first programs that wrote this version. */
static void read_groups(reader *r, const node *root)
{
    const node groups = child(root, "groups");
    const json_int_t n = groups.json != NULL ? json_integer_value(groups.json) : 1;
    if (groups.json != NULL && (!json_is_integer(groups.json) || n < 0 || n > KK_BENCH_MAX_WAYS))
        complain(r, &groups, "a whole number from 0 to 16");
    else
        r->result->n_groups = (size_t)n;
}

static void read_root(reader *r, const node *root)
{
    kk_bench_result *result = r->result;
    const node format = child(root, "format"), version = child(root, "format_version");
    const node hardware = child(root, "hardware"), fingerprint = child(root, "fingerprint");
    if (!json_is_string(format.json) ||
        strcmp(json_string_value(format.json), KK_RESULT_FORMAT) != 0)
        complain(r, &format, "\"" KK_RESULT_FORMAT "\" in the result of a benchmark");
    if (json_integer_value(version.json) != KK_RESULT_FORMAT_VERSION)
        complain(r, &version, "1, the only version that this program knows");
    if (r->status != KOKORO_OK)
        return;
    read_fields(r, root, &kk_fields_of_result, result);
    read_groups(r, root);
    read_fields(r, &hardware, &kk_fields_of_hardware, &result->hardware);
    read_fields(r, &fingerprint, &kk_fields_of_fingerprint, &result->fingerprint);
    read_texts(r, root);
    if (r->status == KOKORO_OK)
        read_ways(r, root);
    result->n_absent = read_list(r, root, "absent", &kk_fields_of_absent, result->absent,
                                 KK_BENCH_MAX_WAYS, sizeof(kk_bench_absent));
    if (child(root, "left_out").json != NULL)
        result->n_left_out =
            read_list(r, root, "left_out", &kk_fields_of_left_out, result->left_out,
                      KK_BENCH_MAX_WAYS, sizeof(kk_bench_left_out));
    result->n_streams = read_list(r, root, "streams", &kk_fields_of_streams, result->streams,
                                  KK_BENCH_MAX_STREAMS, sizeof(kk_bench_streams));
    if (r->status == KOKORO_OK)
        read_choice(r, root);
}

int kk_result_from_json(kk_bench_result *out, kk_slice text, kokoro_error *err)
{
    json_error_t trouble;
    reader r = {out, err, KOKORO_OK};
    kk_bench_result_init(out);
    json_t *json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &trouble);
    if (json == NULL)
        return kk_fail(err, KOKORO_BAD_DATA, "line %d, column %d: %s", trouble.line, trouble.column,
                       trouble.text);
    const node root = {NULL, NULL, 0, json};
    if (!json_is_object(json))
        complain(&r, &root, "a JSON object, the result of a benchmark");
    else
        read_root(&r, &root);
    json_decref(json);
    if (r.status != KOKORO_OK)
        kk_bench_result_fini(out);
    return r.status;
}

int kk_result_read(kk_bench_result *out, const char *path, kokoro_error *err)
{
    kk_buf text = KK_BUF_INIT;
    kokoro_error trouble = {0};
    kk_bench_result_init(out);
    int status = kk_file_read(&text, path, MAX_FILE, err);
    if (status == KOKORO_OK) {
        status = kk_result_from_json(out, (kk_slice){kk_buf_str(&text), text.len}, &trouble);
        if (status == KOKORO_BAD_DATA)
            status = kk_fail(err, KOKORO_BAD_DATA, "%s is no result of a benchmark: %s", path,
                             trouble.message);
        else if (status != KOKORO_OK)
            status = kk_fail_memory(err);
    }
    kk_buf_fini(&text);
    return status;
}
