/*
 * talk.c - what goes to standard error: messages and log lines; and the end of standard output.
 */
#include "apps.h"

#include "base/clock.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For the document of a failure: what was said last but for warnings, and whether there is one. */
static char last_complaint[2048];
static bool has_document;

void kk_complain(const char *format, ...)
{
    static const char warning[] = "warning: ";
    char line[sizeof(last_complaint)];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    (void)fprintf(stderr, "kokoro: %s\n", line);
    if (strncmp(line, warning, sizeof(warning) - 1) != 0)
        memcpy(last_complaint, line, sizeof(line));
}

const char *kk_app_last_complaint(void)
{
    return last_complaint;
}

int kk_complain_of(const kokoro_error *err)
{
    kk_complain("%s", err->message);
    switch (err->status) {
    case KOKORO_INVALID:
    case KOKORO_VOICE:
    case KOKORO_LANGUAGE:
    case KOKORO_SPEED:
    case KOKORO_PAUSES:
    case KOKORO_LOUDNESS:
        return KK_EXIT_USAGE;
    default:
        return KK_EXIT_FAILED;
    }
}

int kk_complain_of_set_up(const kokoro_error *err)
{
    if (err->status != KOKORO_NOT_FOUND)
        return kk_complain_of(err);
    kk_complain("%s; kokoro doctor tells what is missing, and ./run setup fetches it",
                err->message);
    return KK_EXIT_FAILED;
}

static const char *level_name(int level)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    return names[level < 0 ? 0 : level > KOKORO_LOG_DEBUG ? KOKORO_LOG_DEBUG : level];
}

void kk_app_write_log(bool as_json, int level, const char *line)
{
    if (!as_json) {
        (void)fprintf(stderr, "kokoro: %s: %s\n", level_name(level), line);
        return;
    }
    json_t *object = json_pack("{s:f, s:s, s:s}", "time", kk_wall_s(), "level", level_name(level),
                               "message", line);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(14)) : NULL;
    if (text != NULL)
        (void)fprintf(stderr, "%s\n", text);
    free(text);
    json_decref(object);
}

/* A command that ends soon has a reader who waits: what went well need not be told. */
static void log_quietly(void *user, int level, const char *line)
{
    const kk_config *config = user;
    const int most =
        config->origin[KK_SET_LOG_LEVEL] != KK_FROM_DEFAULT ? KOKORO_LOG_DEBUG : KOKORO_LOG_WARNING;
    if (level <= most && level <= kk_config_choice(config, KK_SET_LOG_LEVEL))
        kk_app_write_log(kk_config_bool(config, KK_SET_LOG_JSON), level, line);
}

void kk_app_engine_options(const kk_config *config, kokoro_options *options)
{
    kk_config_engine_options(config, options);
    options->log = log_quietly;
    options->log_user = (void *)(uintptr_t)config;
}

int kk_app_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return KK_EXIT_OK;
    /* It may have failed long ago; what is cut short can bear a line more that tells why. */
    const bool is_well_now = errno == 0 && write(STDOUT_FILENO, "\n", 1) == 1;
    kk_complain("cannot write standard output: %s",
                is_well_now ? "an earlier write failed" : strerror(errno));
    return KK_EXIT_FAILED;
}

int kk_app_print_json(json_t *value)
{
    char *text = value != NULL ? json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(value);
    if (text == NULL) {
        kk_complain("out of memory");
        return KK_EXIT_FAILED;
    }
    (void)puts(text);
    free(text);
    has_document = true;
    return kk_app_flush();
}

void kk_app_put_document(const char *text)
{
    (void)fputs(text, stdout);
    has_document = true;
}

void kk_app_print_failure(void)
{
    if (has_document)
        return;
    /* What is no UTF-8, of a path perhaps, cannot stand in JSON. */
    json_t *text = json_string(last_complaint);
    (void)kk_app_print_json(json_pack("{s:b, s:o}", "success", 0, "error",
                                      text != NULL ? text : json_string("see standard error")));
}
