#include "server/wyoming/wyoming_frame.h"

#include "base/status.h"
#include "server/json.h"

#include <string.h>

void kk_wyoming_reader_fini(kk_wyoming_reader *reader)
{
    kk_buf_fini(&reader->in);
    json_decref(reader->line);
    *reader = (kk_wyoming_reader){.in = KK_BUF_INIT};
}

size_t kk_wyoming_reader_room(const kk_wyoming_reader *reader)
{
    const size_t most = KK_WYOMING_MAX_LINE + KK_WYOMING_MAX_DATA;
    size_t waits = reader->in.len - reader->at;
    return waits < most ? most - waits : 0;
}

bool kk_wyoming_reader_is_inside(const kk_wyoming_reader *reader)
{
    return reader->line != NULL || reader->in.len > reader->at;
}

bool kk_wyoming_reader_add(kk_wyoming_reader *reader, const void *data, size_t len)
{
    if (reader->at > 0) {
        reader->in.len -= reader->at;
        memmove(reader->in.data, reader->in.data + reader->at, reader->in.len);
        reader->at = 0;
    }
    kk_buf_append(&reader->in, data, len);
    return !reader->in.failed;
}

static enum kk_wyoming_verdict broken(kk_wyoming_reader *reader, kokoro_error *err,
                                      const char *message)
{
    reader->is_broken = true;
    kk_error_set(err, KOKORO_INVALID, "%s", message);
    return KK_WYOMING_BROKEN;
}

/* A JSON object, or NULL. */
static json_t *parse(kk_slice text)
{
    json_error_t problem;
    if (kk_json_depth(text) > KK_JSON_MAX_DEPTH)
        return NULL;
    json_t *value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &problem);
    if (value == NULL || json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

/* A length of the line; false where it is none or over `most`. Absent and null are 0. */
static bool take_len(const json_t *line, const char *name, size_t most, size_t *out)
{
    const json_t *value = json_object_get(line, name);
    *out = 0;
    if (value == NULL || json_is_null(value))
        return true;
    json_int_t len = json_integer_value(value);
    if (!json_is_integer(value) || len < 0 || (unsigned long long)len > most)
        return false;
    *out = (size_t)len;
    return true;
}

/* The line of the next event. */
static enum kk_wyoming_verdict take_line(kk_wyoming_reader *reader, kokoro_error *err)
{
    const kk_slice rest = {reader->in.data + reader->at, reader->in.len - reader->at};
    const char *from = rest.data + reader->n_looked;
    const char *end =
        rest.len > reader->n_looked ? memchr(from, '\n', rest.len - reader->n_looked) : NULL;
    reader->n_looked = rest.len;
    size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;
    if (len > KK_WYOMING_MAX_LINE)
        return broken(reader, err, "the line of an event has more than 65536 bytes");
    if (end == NULL)
        return KK_WYOMING_MORE;
    reader->n_looked = 0;
    (void)kk_json_take_no_memory();
    reader->line = parse((kk_slice){rest.data, len});
    reader->at += len + 1;
    if (reader->line == NULL && kk_json_take_no_memory())
        return KK_WYOMING_NO_MEMORY;
    if (reader->line == NULL)
        return broken(reader, err, "an event must begin with a line that is a JSON object");
    if (!take_len(reader->line, "data_length", KK_WYOMING_MAX_DATA, &reader->data_len))
        return broken(reader, err, "data_length must be a whole number from 0 to 1048576");
    if (!take_len(reader->line, "payload_length", KK_WYOMING_MAX_PAYLOAD, &reader->payload_len))
        return broken(reader, err, "payload_length must be a whole number from 0 to 16777216");
    return KK_WYOMING_EVENT;
}

/* The data of the event, which join those of its line. */
static enum kk_wyoming_verdict take_data(kk_wyoming_reader *reader)
{
    if (reader->in.len - reader->at < reader->data_len)
        return KK_WYOMING_MORE;
    (void)kk_json_take_no_memory();
    json_t *data = parse((kk_slice){reader->in.data + reader->at, reader->data_len});
    reader->at += reader->data_len;
    reader->data_len = 0;
    json_t *own = json_object_get(reader->line, "data");
    if (data == NULL)
        reader->has_bad_data = true;
    else if (json_is_object(own))
        (void)json_object_update(own, data);
    else
        (void)json_object_set(reader->line, "data", data);
    json_decref(data);
    return kk_json_take_no_memory() ? KK_WYOMING_NO_MEMORY : KK_WYOMING_EVENT;
}

/* Throw away what has come of the payload. */
static bool skip_payload(kk_wyoming_reader *reader)
{
    size_t len = reader->in.len - reader->at;
    len = len < reader->payload_len ? len : reader->payload_len;
    reader->at += len;
    reader->payload_len -= len;
    return reader->payload_len == 0;
}

/* The event that is whole now. */
static enum kk_wyoming_verdict take_event(kk_wyoming_reader *reader, kk_wyoming_event *event,
                                          kokoro_error *err)
{
    json_t *line = reader->line;
    const bool has_bad_data = reader->has_bad_data;
    const char *type = json_string_value(json_object_get(line, "type"));
    json_t *data = json_object_get(line, "data");
    reader->line = NULL;
    reader->has_bad_data = false;
    if (data == NULL || json_is_null(data)) {
        data = json_object();
        if (json_object_set_new(line, "data", data) != 0) {
            json_decref(line);
            return KK_WYOMING_NO_MEMORY;
        }
    }
    if (type != NULL && !has_bad_data && json_is_object(data)) {
        *event = (kk_wyoming_event){type, data, line};
        return KK_WYOMING_EVENT;
    }
    kk_error_set(err, KOKORO_INVALID, "%s",
                 type == NULL ? "an event must have a type, a string"
                              : "the data of an event must be a JSON object");
    json_decref(line);
    return KK_WYOMING_BAD;
}

enum kk_wyoming_verdict kk_wyoming_reader_next(kk_wyoming_reader *reader, kk_wyoming_event *event,
                                               kokoro_error *err)
{
    enum kk_wyoming_verdict verdict = KK_WYOMING_EVENT;
    *event = (kk_wyoming_event){NULL, NULL, NULL};
    if (reader->is_broken)
        return broken(reader, err, "the events before were not understood");
    if (reader->line == NULL)
        verdict = take_line(reader, err);
    if (verdict == KK_WYOMING_EVENT && reader->data_len > 0)
        verdict = take_data(reader);
    if (verdict == KK_WYOMING_EVENT && !skip_payload(reader))
        verdict = KK_WYOMING_MORE;
    return verdict == KK_WYOMING_EVENT ? take_event(reader, event, err) : verdict;
}

void kk_wyoming_event_fini(kk_wyoming_event *event)
{
    json_decref(event->owner);
    *event = (kk_wyoming_event){NULL, NULL, NULL};
}

void kk_wyoming_write(kk_buf *dst, const char *type, kk_slice data, size_t payload_len)
{
    kk_buf_appendf(dst, "{\"type\":\"%s\",\"version\":\"" KK_WYOMING_VERSION "\"", type);
    if (data.len > 0)
        kk_buf_appendf(dst, ",\"data_length\":%zu", data.len);
    if (payload_len > 0)
        kk_buf_appendf(dst, ",\"payload_length\":%zu", payload_len);
    kk_buf_append_str(dst, "}\n");
    kk_buf_append_slice(dst, data);
}
