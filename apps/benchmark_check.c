/* benchmark_check.c - see benchmark_check.h. */
#include "benchmark_check.h"

#include "apps.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the report's place -------------------------------------------------------------------- */

/* Cut the last name off; "." where it was the only one. */
static void go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        slash[slash == path ? 1 : 0] = '\0';
    } else if (path[0] != '\0') {
        path[0] = '.';
        path[1] = '\0';
    }
}

/* A file can be made in the directory and taken away again: what permissions alone do not tell
 * where the user is root or the file system has files of its own only, as /proc. */
static int try_directory(const char *dir, kokoro_error *err)
{
    kk_writer writer;
    char *path = kk_path_join(dir, "report");
    int status = path != NULL ? kk_writer_open(&writer, path, err) : kk_fail_memory(err);
    if (status == KOKORO_OK)
        kk_writer_abort(&writer);
    kk_free(path);
    return status;
}

/* Leave in `path` the directory in which the first missing name of the path is to be made; 0 or an
 * errno. */
static int find_directory(char *path)
{
    struct stat st;
    go_up(path);
    while (stat(path, &st) != 0) {
        if (errno != ENOENT || strcmp(path, ".") == 0 || strcmp(path, "/") == 0)
            return errno;
        go_up(path);
    }
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    return access(path, W_OK | X_OK) == 0 ? 0 : errno;
}

int kk_check_report_path(const char *path, kokoro_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return kk_fail(err, KOKORO_IO, "the report cannot be written: %.200s is no regular file",
                       path);
    char *copy = kk_strdup(path);
    if (copy == NULL)
        return kk_fail_memory(err);
    const int number = find_directory(copy);
    kokoro_error tried = {0};
    int status = KOKORO_OK;
    if (number != 0)
        status = kk_fail(err, KOKORO_IO, "the report %.200s cannot be written: %s", path,
                         strerror(number));
    else if (try_directory(copy, &tried) != KOKORO_OK)
        status = kk_fail(err, KOKORO_IO, "the report %.200s cannot be written: %.200s", path,
                         tried.message);
    kk_free(copy);
    return status;
}

/* ---- --validate-only ----------------------------------------------------------------------- */

static json_t *way_to_json(const kk_bench_way *way)
{
    json_t *measures = way->measures != NULL ? json_loads(way->measures, 0, NULL) : NULL;
    return json_pack("{s:s, s:s, s:i, s:b, s:s?, s:o}", "provider", way->way.provider, "precision",
                     way->way.precision, "threads", way->way.n_threads, "ready",
                     way->failure == NULL, "failure", way->failure, "measures",
                     measures != NULL ? measures : json_array());
}

static json_t *to_json(const kk_bench_result *result, const kk_bench_request *request,
                       const char *report)
{
    json_t *texts = json_array(), *ways = json_array(), *absent = json_array();
    bool is_ready = true;
    for (size_t i = 0; i < result->n_texts; i++)
        (void)json_array_append_new(texts,
                                    json_pack("{s:s, s:I}", "name", result->texts[i].name,
                                              "characters", (json_int_t)result->texts[i].n_chars));
    for (size_t i = 0; i < result->n_ways; i++) {
        (void)json_array_append_new(ways, way_to_json(&result->ways[i]));
        is_ready = is_ready && result->ways[i].failure == NULL;
    }
    for (size_t i = 0; i < result->n_absent; i++)
        (void)json_array_append_new(absent,
                                    json_pack("{s:s, s:s}", "provider", result->absent[i].provider,
                                              "reason", result->absent[i].reason));
    return json_pack("{s:b, s:s, s:s, s:s, s:o, s:o, s:o, s:f}", "success", is_ready, "model",
                     request->options->model_path, "voice", request->voice, "report", report,
                     "texts", texts, "ways", ways, "absent", absent, "expected_s",
                     kk_bench_guess_s(result, &request->plan));
}

/* What is done for the sake of this way's runtime and model: an error is one of the patch. */
static void print_measures(const kk_bench_way *way)
{
    json_t *measures = way->measures != NULL ? json_loads(way->measures, 0, NULL) : NULL;
    const json_t *measure;
    size_t i;
    json_array_foreach(measures, i, measure)
    {
        const char *error = json_string_value(json_object_get(measure, "error"));
        const char *state = json_is_true(json_object_get(measure, "applied")) ? "applied"
                            : error != NULL                                   ? "failed"
                                                                              : "not needed";
        (void)printf("  patch   %s, for %s: %s%s%s\n",
                     json_string_value(json_object_get(measure, "name")),
                     json_string_value(json_object_get(measure, "target")), state,
                     error != NULL ? ": " : "", error != NULL ? error : "");
    }
    json_decref(measures);
}

static void print_text(const kk_bench_result *result, const kk_bench_request *request,
                       const char *report)
{
    (void)printf("model     %s\nvoice     %s\nreport    %s\n", request->options->model_path,
                 request->voice, report);
    for (size_t t = 0; t < result->n_texts; t++)
        (void)printf("text      %s, %zu characters\n", result->texts[t].name,
                     result->texts[t].n_chars);
    for (size_t i = 0; i < result->n_ways; i++) {
        char name[KK_WAY_TEXT];
        const kk_bench_way *way = &result->ways[i];
        kk_way_text(&way->way, name);
        (void)printf("%s  %s%s%s\n", way->failure != NULL ? "FAILS   " : "ready   ", name,
                     way->failure != NULL ? ": " : "", way->failure != NULL ? way->failure : "");
        print_measures(way);
    }
    for (size_t i = 0; i < result->n_absent; i++)
        (void)printf("absent    %s: %s\n", result->absent[i].provider, result->absent[i].reason);
    (void)printf("time      about %.0f s\n", kk_bench_guess_s(result, &request->plan));
}

int kk_print_validation(const kk_bench_result *result, const kk_bench_request *request,
                        const char *report, bool json)
{
    if (json)
        return kk_app_print_json(to_json(result, request, report));
    print_text(result, request, report);
    return kk_app_flush();
}
