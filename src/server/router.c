/*
 * router.c - the one table of routes, and what holds for all of them: framing, method, origin,
 * identity.
 */
#include "server/routes.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "server/http/preflight.h"
#include "server/json.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    GET = KK_ROUTE_GET,
    POST = KK_ROUTE_POST,
    NO_STORE = KK_ROUTE_NO_STORE,
    STREAM = KK_ROUTE_STREAM,
    PART = KK_ROUTE_PART,
    KEYED = KK_ROUTE_KEYED
};

/* openapi.json tells of each. */
const kk_route_row kk_routes[] = {
    {"/", GET, kk_get_root},
    {"/docs", GET, kk_get_docs},
    {"/openapi.json", GET, kk_get_openapi},
    {"/v1/openapi.json", GET, kk_get_openapi},
    {"/v1/audio/speech", POST, kk_post_speech},
    {"/audio/speech", POST, kk_post_speech},
    {"/v1/audio/speech/stream", POST | STREAM, kk_post_speech_stream},
    {"/audio/speech/stream", POST | STREAM, kk_post_speech_stream},
    {"/v1/audio/voices", GET, kk_get_audio_voices},
    {"/audio/voices", GET, kk_get_audio_voices},
    {"/v1/audio/models", GET, kk_get_audio_models},
    {"/audio/models", GET, kk_get_audio_models},
    {"/v1/models", GET, kk_get_models},
    {"/models", GET, kk_get_models},
    {"/v1/models/", GET | PART, kk_get_model},
    {"/models/", GET | PART, kk_get_model},
    {"/voices", GET, kk_get_voices},
    {"/v1/voices", GET, kk_get_voices},
    {"/health", GET | NO_STORE, kk_get_health},
    {"/v1/health", GET | NO_STORE, kk_get_health},
    {"/v1/startup-progress", GET | NO_STORE, kk_get_startup_progress},
    {"/startup-progress", GET | NO_STORE, kk_get_startup_progress},
    {"/status", GET | NO_STORE | KEYED, kk_get_status},
    {"/v1/status", GET | NO_STORE | KEYED, kk_get_status},
    {"/metrics", GET | NO_STORE | KEYED, kk_get_metrics},
    {"/v1/metrics", GET | NO_STORE | KEYED, kk_get_metrics},
    {"/cache-status", GET | NO_STORE | KEYED, kk_get_cache_status},
    {"/v1/cache-status", GET | NO_STORE | KEYED, kk_get_cache_status},
    {"/cache-cleanup", POST | NO_STORE, kk_post_cache_cleanup},
    {"/v1/cache-cleanup", POST | NO_STORE, kk_post_cache_cleanup},
    {"/benchmark", GET | POST | NO_STORE | KEYED, kk_benchmark},
    {"/v1/benchmark", GET | POST | NO_STORE | KEYED, kk_benchmark},
    {NULL, 0, NULL},
};

static const kk_route_row *find_route(const char *path, const char **rest)
{
    const size_t path_len = strlen(path);
    for (const kk_route_row *route = kk_routes; route->path != NULL; route++) {
        const size_t len = strlen(route->path);
        const bool takes_part = (route->flags & PART) != 0;
        *rest = path + len;
        if (!takes_part && strcmp(route->path, path) == 0)
            return route;
        if (takes_part && path_len > len && strncmp(route->path, path, len) == 0 &&
            strchr(path + len, '/') == NULL)
            return route;
    }
    return NULL;
}

/* --- identity --- */

static bool is_id(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-");
    return len > 0 && len <= KK_HTTP_ID_LEN && text[len] == '\0';
}

/* The client's X-Request-Id where it is harmless in a log and a header, else one made here. */
static void identify(kk_http_request *request)
{
    static atomic_uint_fast64_t counter;
    const char *given = kk_http_header(request, "X-Request-Id");
    if (given != NULL && is_id(given)) {
        (void)snprintf(request->id, sizeof(request->id), "%s", given);
        return;
    }
    const struct {
        double wall_s, now_s;
        uint64_t count, process;
    } seed = {kk_wall_s(), kk_now_s(), atomic_fetch_add(&counter, 1), (uint64_t)getpid()};
    (void)snprintf(request->id, sizeof(request->id), "req_%016llx",
                   (unsigned long long)kk_hash(&seed, sizeof(seed)));
}

/* --- answers --- */

enum kk_http_verdict kk_answer_error(const kk_call *call, const kk_api_error *error)
{
    kk_api_respond(call->response, error);
    return KK_HTTP_NOW;
}

enum kk_http_verdict kk_answer_json(const kk_call *call, int status, json_t *object)
{
    call->response->status = status;
    call->response->content_type = KK_JSON_TYPE;
    kk_json_write(&call->response->body, object);
    return KK_HTTP_NOW;
}

enum kk_http_verdict kk_answer_not_ready(const kk_call *call)
{
    kk_api_error error;
    kk_progress progress;
    kk_server_progress(call->server, &progress);
    (void)kk_api_fail(&error, 503, NULL, "model_loading", "the model is not loaded yet (%d %%): %s",
                      progress.percent, progress.message);
    error.retry_after_s = 1;
    return kk_answer_error(call, &error);
}

static enum kk_http_verdict not_found(const kk_call *call)
{
    kk_api_error error;
    char shown[200], method[24];
    (void)kk_api_fail(&error, 404, NULL, "unknown_url", "there is no %s %s here",
                      kk_text_shown(method, sizeof(method), call->request->method),
                      kk_text_shown(shown, sizeof(shown), call->request->path));
    return kk_answer_error(call, &error);
}

static const char *methods_of(const kk_route_row *route)
{
    const unsigned both = GET | POST;
    return (route->flags & both) == both ? "GET, HEAD, POST, OPTIONS"
           : (route->flags & POST) != 0  ? "POST, OPTIONS"
                                         : "GET, HEAD, OPTIONS";
}

static enum kk_http_verdict wrong_method(const kk_call *call, const kk_route_row *route)
{
    kk_api_error error;
    char shown[24];
    const char *allowed = methods_of(route);
    (void)kk_api_fail(&error, 405, NULL, "method_not_allowed", "%s takes %s, not %s", route->path,
                      allowed, kk_text_shown(shown, sizeof(shown), call->request->method));
    kk_http_add_header(call->response, "Allow", "%s", allowed);
    return kk_answer_error(call, &error);
}

/* OPTIONS: what the route takes, and for the page of a listed origin that it may. A browser asks
 * this before it sends what a plain link could not. */
static enum kk_http_verdict answer_options(const kk_call *call, const char *methods)
{
    call->response->status = 204;
    kk_http_add_header(call->response, "Allow", "%s", methods);
    if (call->request->allowed_origin != NULL) {
        kk_http_add_header(call->response, "Access-Control-Allow-Methods", "%s", methods);
        kk_preflight_allow_headers(call->request, call->response);
        kk_http_add_header(call->response, "Access-Control-Max-Age", "600");
    }
    return KK_HTTP_NOW;
}

/* --- checks of the headers, before a body is read --- */

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7F)
            return true;
    }
    return false;
}

static int check_headers(const kk_http_request *request, kk_api_error *error)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        if (!kk_http_is_name(kk_slice_of(request->headers[i].name)))
            return kk_api_fail(error, 400, NULL, "invalid_header",
                               "the request has a header whose name is empty, or has a space or "
                               "another character that no name may have");
        if (has_control(request->headers[i].value))
            return kk_api_fail(error, 400, NULL, "invalid_header",
                               "the request has a header with a control character");
    }
    return 0;
}

/* Two lengths, or a length and chunks, are read differently by different programs: where one of
 * them stands in front of this server, a request can be hidden in another. */
static int check_framing(const kk_http_request *request, kk_api_error *error)
{
    size_t n_lengths = kk_http_count_headers(request, "Content-Length");
    size_t n_codings = kk_http_count_headers(request, "Transfer-Encoding");
    const char *length = kk_http_header(request, "Content-Length");
    const char *coding = kk_http_header(request, "Transfer-Encoding");
    if (request->is_malformed)
        return kk_api_fail(error, 400, NULL, "invalid_header",
                           "the request's head must have single spaces in its first line, no "
                           "zero bytes, lines that end in CR LF and are not folded, and one host");
    if (n_lengths + n_codings > 1)
        return kk_api_fail(error, 400, NULL, "invalid_framing",
                           "the request must have one Content-Length or one Transfer-Encoding");
    if (length != NULL && (length[0] == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return kk_api_fail(error, 400, NULL, "invalid_framing",
                           "Content-Length must be a whole number");
    if (coding != NULL &&
        (request->is_http_1_0 || !kk_slice_equal_nocase(kk_slice_of(coding), KK_SLICE("chunked"))))
        return kk_api_fail(error, 400, NULL, "invalid_framing",
                           "Transfer-Encoding must be chunked, in HTTP/1.1");
    if (kk_http_count_headers(request, "Host") > 1)
        return kk_api_fail(error, 400, NULL, "invalid_host", "the request has more than one Host");
    return check_headers(request, error);
}

static int check_length(const kk_http_request *request, kk_api_error *error)
{
    const char *length = kk_http_header(request, "Content-Length");
    if (length == NULL || strtoull(length, NULL, 10) <= KK_SERVER_MAX_BODY)
        return 0;
    return kk_api_fail(error, 413, NULL, "body_too_large",
                       "the body has more than %d bytes; send long texts in parts",
                       KK_SERVER_MAX_BODY);
}

/* The key, before anything of the body is read. */
static int check_key(kk_server *server, const kk_route_row *route, kk_http_request *request,
                     kk_http_response *response, kk_api_error *error)
{
    bool is_post = strcmp(request->method, "POST") == 0;
    bool is_open = (route->flags & KEYED) == 0 || strcmp(request->method, "OPTIONS") == 0;
    if (!request->needs_key || (!is_post && is_open))
        return 0;
    if (request->key == NULL) {
        kk_http_add_header(response, "WWW-Authenticate", "Bearer");
        return kk_api_fail(error, 401, NULL, "invalid_api_key",
                           "this needs a valid key in the header Authorization: Bearer KEY");
    }
    bool has_all_streams = false;
    unsigned wait_s = is_post ? kk_access_begin(server->access, request, &has_all_streams) : 0;
    if (wait_s == 0)
        return 0;
    if (has_all_streams)
        (void)kk_api_fail(error, 429, NULL, "rate_limit_exceeded",
                          "the key has as many answers in the making as it may have at once");
    else
        (void)kk_api_fail(error, 429, NULL, "rate_limit_exceeded",
                          "the key has used up its requests; there is one again in %u s", wait_s);
    error->retry_after_s = (int)wait_s;
    return error->http_status;
}

enum kk_http_verdict kk_route_check(void *user, kk_http_request *request,
                                    kk_http_response *response)
{
    kk_server *server = user;
    kk_api_error error;
    const char *rest;
    const kk_route_row *route = find_route(request->path, &rest);
    identify(request);
    kk_access_identify(server->access, request);
    int status = check_framing(request, &error);
    if (status == 0)
        status = check_length(request, &error);
    if (status == 0 && route != NULL)
        status = check_key(server, route, request, response, &error);
    if (status == 0 && route != NULL && (route->flags & STREAM) != 0 &&
        strcmp(request->method, "POST") == 0)
        return KK_HTTP_STREAM;
    if (status == 0)
        return KK_HTTP_LATER;
    kk_http_add_header(response, "X-Request-Id", "%s", request->id);
    response->must_close = true;
    kk_api_respond(response, &error);
    return KK_HTTP_NOW;
}

/* --- checks of a POST --- */

static int check_origin(const kk_call *call, kk_api_error *error)
{
    const kk_http_request *request = call->request;
    const char *host = kk_http_header(request, "Host");
    const char *origin = kk_http_header(request, "Origin");
    kk_origin_rule rule = call->server->origin;
    char shown[120];
    if (request->is_forwarded) {
        /* Others reach this server by the proxy's name, which is no browser of this machine. */
        const char *outer = kk_http_header(request, "X-Forwarded-Host");
        rule.is_loopback = false;
        host = outer != NULL ? outer : host;
    }
    if (host != NULL && !kk_host_is_own(&rule, host))
        return kk_api_fail(error, 403, NULL, "foreign_host",
                           "this server is not '%s'; on this machine its name is localhost",
                           kk_text_shown(shown, sizeof(shown), host));
    if (origin != NULL && request->allowed_origin == NULL && !kk_origin_is_own(&rule, origin, host))
        return kk_api_fail(error, 403, NULL, "foreign_origin",
                           "pages of '%s' may not use this server",
                           kk_text_shown(shown, sizeof(shown), origin));
    return 0;
}

/* The names that lines of JSON go by; there is no registered one. */
static bool is_lines_type(kk_slice name)
{
    static const char *const names[] = {"application/x-ndjson", "application/ndjson",
                                        "application/jsonl", "application/x-jsonlines",
                                        "application/json-lines"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (kk_slice_equal_nocase(name, kk_slice_of(names[i])))
            return true;
    }
    return false;
}

static int check_type(const kk_call *call, bool takes_lines, kk_api_error *error)
{
    const char *type = kk_http_header(call->request, "Content-Type");
    const char *coding = kk_http_header(call->request, "Content-Encoding");
    if (coding != NULL && !kk_slice_equal_nocase(kk_slice_of(coding), KK_SLICE("identity")))
        return kk_api_fail(error, 415, NULL, "unsupported_encoding",
                           "the body must be sent without Content-Encoding");
    /* A body of nothing has no type, whatever its client puts there by habit. */
    if (type == NULL || (!takes_lines && call->request->body.len == 0))
        return 0;
    kk_slice name = kk_slice_trim((kk_slice){type, strcspn(type, ";")});
    if (kk_slice_equal_nocase(name, KK_SLICE("application/json")) ||
        (takes_lines && is_lines_type(name)))
        return 0;
    return kk_api_fail(error, 415, NULL, "unsupported_content_type", "the body must be %s",
                       takes_lines ? "application/x-ndjson" : "application/json");
}

enum kk_http_verdict kk_route(void *user, kk_http_exchange *exchange,
                              const kk_http_request *request, kk_http_response *response)
{
    kk_call call = {user, exchange, request, response, ""};
    kk_api_error error;
    const kk_route_row *route = find_route(request->path, &call.rest);
    kk_http_add_header(response, "X-Request-Id", "%s", request->id);
    bool is_options = strcmp(request->method, "OPTIONS") == 0;
    if (route == NULL && is_options && strcmp(request->path, "*") == 0)
        return answer_options(&call, "GET, HEAD, POST, OPTIONS");
    if (route == NULL)
        return not_found(&call);
    if (is_options)
        return answer_options(&call, methods_of(route));
    if ((route->flags & NO_STORE) != 0)
        kk_http_add_header(response, "Cache-Control", "no-cache, no-store, must-revalidate");
    bool is_post = strcmp(request->method, "POST") == 0;
    bool is_get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    if (!((route->flags & POST) != 0 && is_post) && !((route->flags & GET) != 0 && is_get))
        return wrong_method(&call, route);
    if (is_post && (check_origin(&call, &error) != 0 ||
                    check_type(&call, (route->flags & STREAM) != 0, &error) != 0))
        return kk_answer_error(&call, &error);
    return route->endpoint(&call);
}

void kk_route_done(void *user, const kk_http_request *request, int status, double audio_s)
{
    kk_server *server = user;
    /* A decoded path may hold line ends and escapes: they must not reach a log or a terminal. */
    char method[24], path[512];
    const kk_server_log_line line = {.id = request->id,
                                     .method =
                                         kk_text_shown(method, sizeof(method), request->method),
                                     .path = kk_text_shown(path, sizeof(path), request->path),
                                     .client = request->client,
                                     .key = request->key_name,
                                     .status = status,
                                     .time_s = kk_wall_s(),
                                     .elapsed_ms = 1e3 * (kk_now_s() - request->start_s),
                                     .audio_s = audio_s};
    kk_access_end(server->access, request);
    kk_metrics_add_answer(server->metrics, status);
    if (server->options.log_request != NULL)
        server->options.log_request(server->options.user, &line);
}
