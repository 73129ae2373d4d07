/* errors.c - one table from the engine's statuses to HTTP's, one writer of the error object. */
#include "server/errors.h"

#include "base/utf8.h"
#include "server/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *type_of(int http_status)
{
    switch (http_status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 429:
        return "rate_limit_error";
    default:
        return http_status >= 500 ? "server_error" : "invalid_request_error";
    }
}

void kk_api_error_set(kk_api_error *error, int http_status, const char *param, const char *code,
                      const char *format, ...)
{
    va_list args;
    *error = (kk_api_error){
        .http_status = http_status, .type = type_of(http_status), .param = param, .code = code};
    va_start(args, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
}

void kk_api_from_engine(kk_api_error *error, const kokoro_error *err, const char *text_param)
{
    static const char text[] = ""; /* stands for text_param */
    static const struct {
        int status, http_status;
        const char *param, *code;
    } table[] = {
        {KOKORO_BAD_TEXT, 400, text, "invalid_text"},
        {KOKORO_NO_SPEECH, 400, text, "nothing_to_speak"},
        {KOKORO_TOO_LONG, 400, text, "string_above_max_length"},
        {KOKORO_VOICE, 400, "voice", "unknown_voice"},
        {KOKORO_LANGUAGE, 400, "lang", "unknown_language"},
        {KOKORO_SPEED, 400, "speed", "invalid_speed"},
        {KOKORO_LOUDNESS, 400, "loudness", "unknown_loudness"},
        {KOKORO_PAUSES, 400, NULL, "invalid_pause"}, /* of which of the two is in the sentence */
        {KOKORO_NO_MEMORY, 503, NULL, "out_of_memory"},
        {KOKORO_BAD_MODEL, 503, NULL, "model_unavailable"},
        {KOKORO_BUSY, 429, NULL, "queue_full"},
    };
    int http_status = 500;
    const char *param = NULL, *code = "engine_failed";
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == err->status) {
            http_status = table[i].http_status;
            param = table[i].param == text ? text_param : table[i].param;
            code = table[i].code;
        }
    }
    char shown[sizeof(err->message)];
    (void)kk_api_fail(error, http_status, param, code, "%s",
                      kk_text_shown(shown, sizeof(shown), err->message));
    if (http_status == 503 || http_status == 429)
        error->retry_after_s = 1;
}

void kk_api_write(kk_buf *dst, const kk_api_error *error)
{
    char shown[sizeof(error->message)];
    json_t *object = json_pack("{s:{s:s, s:s, s:s?, s:s?}}", "error", "message",
                               kk_text_shown(shown, sizeof(shown), error->message), "type",
                               error->type, "param", error->param, "code", error->code);
    kk_json_write(dst, object);
}

void kk_api_respond(kk_http_response *response, const kk_api_error *error)
{
    response->status = error->http_status;
    response->content_type = KK_JSON_TYPE;
    if (error->retry_after_s > 0)
        kk_http_add_header(response, "Retry-After", "%d", error->retry_after_s);
    kk_buf_clear(&response->body);
    kk_api_write(&response->body, error);
}

int kk_api_fail_stopping(kk_api_error *error, int retry_after_s)
{
    (void)kk_api_fail(error, 503, NULL, "shutting_down", "the server is stopping");
    error->retry_after_s = retry_after_s;
    return error->http_status;
}
