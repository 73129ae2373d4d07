/*
 * status_patches.c - of GET /status: what is done for the sake of other programs' peculiarities.
 * The engine tells its own measures, the server adds those of its libraries. No function of anybody
 * is replaced at run time, so none is stored.
 */
#include "server/status/status.h"

#include <string.h>

static const kokoro_measure of_server[] = {
    {"strict_requests", "libmicrohttpd", true,
     "it takes malformed requests unless told to be strict: it is", ""},
    {"one_length", "libmicrohttpd", true,
     "it takes a request with two lengths, in which another can be hidden: refused", ""},
    {"gone_clients", "libmicrohttpd", true,
     "it does not watch a connection whose answer is still being made: the server does, and stops "
     "the synthesis",
     ""},
    {"slow_requests", "libmicrohttpd", true,
     "its time limit begins anew with each byte: the server has one for the whole request", ""},
    {"nesting", "jansson", true,
     "its parser calls itself for each level: the depth of a body is looked at before", ""},
};

static void add_measure(void *user, const kokoro_measure *measure)
{
    (void)json_array_append_new(
        user, json_pack("{s:s, s:s, s:b, s:s, s:s?}", "name", measure->name, "target",
                        measure->target, "applied", measure->applied, "detail", measure->detail,
                        "error", measure->error[0] != '\0' ? measure->error : NULL));
}

/* "durations_output: the graph has no ..." of each that failed. */
static json_t *errors_of(json_t *measures)
{
    json_t *errors = json_array(), *measure;
    size_t i;
    json_array_foreach(measures, i, measure)
    {
        const char *error = json_string_value(json_object_get(measure, "error"));
        if (error != NULL)
            (void)json_array_append_new(
                errors,
                json_sprintf("%s: %s", json_string_value(json_object_get(measure, "name")), error));
    }
    return errors;
}

void kk_status_count_patches(const kk_status *s, size_t *n_applied, size_t *n_failed)
{
    json_t *measures = kk_status_measures(s), *measure;
    size_t i;
    *n_applied = *n_failed = 0;
    json_array_foreach(measures, i, measure)
    {
        *n_applied += json_is_true(json_object_get(measure, "applied"));
        *n_failed += json_is_string(json_object_get(measure, "error"));
    }
    json_decref(measures);
}

json_t *kk_status_measures(const kk_status *s)
{
    json_t *measures = json_array();
    if (s->engine != NULL)
        kokoro_list_measures(s->engine, add_measure, measures);
    for (size_t i = 0; i < sizeof(of_server) / sizeof(of_server[0]); i++)
        add_measure(measures, &of_server[i]);
    return measures;
}

json_t *kk_status_patches_of(json_t *measures, bool is_open, double took_s)
{
    json_t *errors = errors_of(measures);
    return json_pack("{s:b, s:o, s:o, s:i, s:o}", "applied",
                     is_open && json_array_size(errors) == 0, "application_time",
                     is_open ? kk_json_real(took_s) : json_null(), "patch_errors", errors,
                     "original_functions_stored", 0, "measures", measures);
}

json_t *kk_status_patches(const kk_status *s)
{
    /* They are taken while the engine opens. */
    return kk_status_patches_of(kk_status_measures(s), s->engine != NULL, s->times.engine_s);
}
