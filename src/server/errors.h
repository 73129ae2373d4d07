/*
 * errors.h - errors as OpenAI's clients read them:
 *
 *     {"error": {"message": "...", "type": "invalid_request_error", "param": "speed", "code":
 * null}}
 */
#ifndef KK_SERVER_ERRORS_H
#define KK_SERVER_ERRORS_H

#include "server/http/http.h"

typedef struct kk_api_error {
    int http_status;
    const char *type;  /* static */
    const char *param; /* static; NULL: none */
    const char *code;  /* static; NULL: none */
    int retry_after_s; /* 0: no such header */
    char message[640];
} kk_api_error;

/* Fill *error; the type follows from the status. */
#if defined(__GNUC__)
__attribute__((format(printf, 5, 6)))
#endif
void kk_api_error_set(kk_api_error *error, int http_status, const char *param, const char *code,
                      const char *format, ...);

/* The same, with the status as its value: return kk_api_fail(error, 400, "voice", "...", "..."); */
#define kk_api_fail(error, http_status, param, code, ...)                                          \
    (kk_api_error_set((error), (http_status), (param), (code), __VA_ARGS__), (int)(http_status))

/* The answer to a failed call of kokoro.h: status and code by the one table, its message. `param`
 * of the text is "input" or "text". */
void kk_api_from_engine(kk_api_error *error, const kokoro_error *err, const char *text_param);

/* Make it the whole response. */
void kk_api_respond(kk_http_response *response, const kk_api_error *error);

/* The JSON object of an error; memory out shows in dst->failed. */
void kk_api_write(kk_buf *dst, const kk_api_error *error);

/* The server ends, and takes nothing new; 0: nothing is told of when to come again. Returns 503. */
int kk_api_fail_stopping(kk_api_error *error, int retry_after_s);

#endif
