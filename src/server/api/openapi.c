/*
 * openapi.c - GET /, /docs and /openapi.json: what this server can do. openapi.json, which lies in
 * the program, tells of each operation once, without /v1; which paths there are, which errors all
 * of them have in common, and every name and limit come from the tables that the server itself
 * works by.
 */
#include "server/routes.h"

#include "codec/codec.h"
#include "server/api/embedded.h"
#include "server/json.h"
#include "server/speech/speech_request.h"

#include <stdio.h>
#include <string.h>

/* The value at "a/b/c" of an object; NULL when it is not there. */
static json_t *value_at(json_t *object, const char *path)
{
    while (object != NULL && *path != '\0') {
        const size_t len = strcspn(path, "/");
        object = json_object_getn(object, path, len);
        path += path[len] == '/' ? len + 1 : len;
    }
    return object;
}

/* Takes the reference to the value; false when memory is out or there is no such place. */
static bool put(json_t *api, const char *path, const char *name, json_t *value)
{
    return json_object_set_new(value_at(api, path), name, value) == 0;
}

/* --- paths --- */

/* What every operation of a method may answer beside what openapi.json says of it. */
static const struct {
    const char *status;
    unsigned methods; /* kk_route_flag */
} common_errors[] = {
    {"400", KK_ROUTE_GET | KK_ROUTE_POST}, {"401", KK_ROUTE_GET | KK_ROUTE_POST},
    {"403", KK_ROUTE_GET | KK_ROUTE_POST}, {"404", KK_ROUTE_GET | KK_ROUTE_POST},
    {"405", KK_ROUTE_GET | KK_ROUTE_POST}, {"408", KK_ROUTE_GET | KK_ROUTE_POST},
    {"413", KK_ROUTE_GET | KK_ROUTE_POST}, {"415", KK_ROUTE_POST},
    {"429", KK_ROUTE_GET | KK_ROUTE_POST}, {"500", KK_ROUTE_GET | KK_ROUTE_POST},
    {"503", KK_ROUTE_GET | KK_ROUTE_POST},
};

static bool add_common_errors(json_t *operation, unsigned method)
{
    json_t *responses = json_object_get(operation, "responses");
    bool is_well = responses != NULL;
    for (size_t i = 0; i < sizeof(common_errors) / sizeof(common_errors[0]); i++) {
        const char *status = common_errors[i].status;
        if ((common_errors[i].methods & method) == 0 || json_object_get(responses, status) != NULL)
            continue;
        is_well = is_well && json_object_set_new(
                                 responses, status,
                                 json_pack("{s:s}", "$ref", "#/components/responses/Error")) == 0;
    }
    return is_well;
}

/* The operation of a route, its id told from that of the same with /v1. */
static json_t *operation_of(const json_t *told, const char *name, unsigned method, bool is_v1)
{
    json_t *operation = json_deep_copy(json_object_get(told, name));
    const char *id = json_string_value(json_object_get(operation, "operationId"));
    bool is_well = operation != NULL && add_common_errors(operation, method);
    if (is_well && is_v1)
        is_well = json_object_set_new(operation, "operationId", json_sprintf("%s_v1", id)) == 0;
    if (is_well)
        return operation;
    json_decref(operation);
    return NULL;
}

static bool add_method(json_t *item, const json_t *told, const char *name, unsigned method,
                       bool is_v1)
{
    return json_object_set_new(item, name, operation_of(told, name, method, is_v1)) == 0;
}

/* A route of which nothing is told is left out (a test finds it). */
static bool add_route(json_t *paths, const json_t *told_paths, const kk_route_row *route)
{
    char path[80];
    const bool is_v1 = strncmp(route->path, "/v1/", 4) == 0;
    const char *part = (route->flags & KK_ROUTE_PART) != 0 ? "{id}" : "";
    (void)snprintf(path, sizeof(path), "%s%s", route->path, part);
    const json_t *told = json_object_get(told_paths, path + (is_v1 ? 3 : 0));
    json_t *item = json_object();
    bool is_well = told == NULL || json_object_set(paths, path, item) == 0;
    if (told != NULL && (route->flags & KK_ROUTE_GET) != 0)
        is_well = is_well && add_method(item, told, "get", KK_ROUTE_GET, is_v1);
    if (told != NULL && (route->flags & KK_ROUTE_POST) != 0)
        is_well = is_well && add_method(item, told, "post", KK_ROUTE_POST, is_v1);
    json_decref(item);
    return is_well;
}

static bool add_paths(json_t *api)
{
    json_t *paths = json_object();
    const json_t *told = json_object_get(api, "paths");
    bool is_well = paths != NULL;
    for (const kk_route_row *route = kk_routes; is_well && route->path != NULL; route++)
        is_well = add_route(paths, told, route);
    is_well = is_well && json_object_set(api, "paths", paths) == 0;
    json_decref(paths);
    return is_well;
}

/* --- names and limits --- */

static bool add_range(json_t *api, const char *field, double min, double max)
{
    const json_t *fields = value_at(api, "components/schemas/SpeechFields/properties");
    json_t *schema = json_object_get(fields, field);
    json_t *choices = json_object_get(schema, "anyOf");
    if (choices != NULL) /* of which the first is the range */
        schema = json_array_get(choices, 0);
    return json_object_set_new(schema, "minimum", json_real(min)) == 0 &&
           json_object_set_new(schema, "maximum", json_real(max)) == 0;
}

static bool add_sample_rates(json_t *api)
{
    json_t *rates = json_array();
    bool is_well = json_array_append_new(rates, json_null()) == 0;
    for (const int *rate = kk_sample_rates; *rate != 0; rate++)
        is_well = is_well && json_array_append_new(rates, json_integer(*rate)) == 0;
    return put(api, "components/schemas/SpeechFields/properties/sample_rate", "enum", rates) &&
           is_well;
}

/* The formats' types among those of an answer. */
static bool add_types(json_t *content)
{
    bool is_well = true;
    for (const kk_codec *codec = kk_codecs; codec->name != NULL; codec++) {
        json_t *schema =
            json_pack("{s:{s:s, s:s}}", "schema", "type", "string", "format", "binary");
        is_well = json_object_set_new(content, codec->content_type, schema) == 0 && is_well;
    }
    return is_well;
}

/* Each format's name and, of the answers, its type. */
static bool add_formats(json_t *api, json_t *content, json_t *stream_content)
{
    json_t *names = json_array();
    bool is_well = add_types(content) && add_types(stream_content);
    for (const kk_codec *codec = kk_codecs; codec->name != NULL; codec++)
        is_well = json_array_append_new(names, json_string(codec->name)) == 0 && is_well;
    json_t *raw = json_pack("{s:{s:s, s:s}}", "schema", "type", "string", "format", "binary");
    is_well = json_object_set_new(content, "audio/L16", raw) == 0 && is_well;
    return put(api, "components/schemas/Format", "enum", names) && is_well;
}

static bool add_names(json_t *api, const kk_config *config)
{
    json_t *models = json_array();
    const long long max_chars = kk_config_int(config, KK_SET_MAX_INPUT_CHARS);
    const json_t *paths = json_object_get(api, "paths");
    json_t *speech = json_object_get(paths, "/audio/speech");
    json_t *stream = json_object_get(paths, "/audio/speech/stream");
    bool is_well = put(api, "info", "version", json_string(kokoro_version()));
    for (const char *const *name = kk_model_names; *name != NULL; name++)
        is_well = json_array_append_new(models, json_string(*name)) == 0 && is_well;
    is_well = put(api, "components/schemas/ModelName", "enum", models) && is_well;
    return is_well &&
           add_formats(api, value_at(speech, "post/responses/200/content"),
                       value_at(stream, "post/responses/200/content")) &&
           add_sample_rates(api) && add_range(api, "speed", KOKORO_SPEED_MIN, KOKORO_SPEED_MAX) &&
           add_range(api, "sentence_pause", 0.0, KOKORO_PAUSE_MAX_S) &&
           add_range(api, "paragraph_pause", 0.0, KOKORO_PAUSE_MAX_S) &&
           add_range(api, "volume", 0.0, KK_VOLUME_MAX) &&
           add_range(api, "loudness", KOKORO_LOUDNESS_MIN, KOKORO_LOUDNESS_MAX) &&
           put(json_array_get(value_at(api, "components/schemas/SpeechRequest/allOf"), 1),
               "properties/input", "maxLength", json_integer(max_chars)) &&
           put(json_array_get(value_at(api, "components/schemas/TextSpeechRequest/allOf"), 1),
               "properties/text", "maxLength", json_integer(max_chars));
}

/* --- endpoints --- */

enum kk_http_verdict kk_get_openapi(const kk_call *call)
{
    json_t *api = json_loadb(kk_openapi_json, kk_openapi_json_len, 0, NULL);
    if (!add_names(api, kk_server_config(call->server)) || !add_paths(api)) {
        json_decref(api);
        api = NULL;
    }
    return kk_answer_json(call, 200, api);
}

enum kk_http_verdict kk_get_docs(const kk_call *call)
{
    call->response->status = 200;
    call->response->content_type = "text/html; charset=utf-8";
    kk_buf_append(&call->response->body, kk_docs_html, kk_docs_html_len);
    return KK_HTTP_NOW;
}

/* Clients ask for it to open a connection before they have anything to say. */
enum kk_http_verdict kk_get_root(const kk_call *call)
{
    return kk_answer_json(call, 200,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", "kokoro",
                                    "version", kokoro_version(), "speech", "/v1/audio/speech",
                                    "docs", "/docs", "openapi", "/openapi.json", "health",
                                    "/health", "status", "/status"));
}
