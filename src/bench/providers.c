/* providers.c - see providers.h. One child answers for all; where it is lost, the next is asked in
 * a new one. */
#include "bench/providers.h"

#include "base/status.h"
#include "bench/lane.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Loading a library takes a tenth of a second, on a cold disk some seconds. */
static const double ANSWER_LIMIT_S = 10.0;

static const char *text_of(const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));
    return text != NULL ? text : "";
}

/* `name`: of the provider that the question is about; NULL: of none. */
static int ask(kk_child *child, const char *what, const char *name, const kokoro_options *options,
               const char *const *command, const kk_bench_watch *watch, json_t **answer,
               kokoro_error *err)
{
    *answer = NULL;
    json_t *question = kk_lane_question(what, options);
    int status = KOKORO_OK;
    if (question == NULL ||
        (name != NULL && json_object_set_new(question, "name", json_string(name)) != 0))
        status = kk_fail_memory(err);
    if (status == KOKORO_OK && child->pid == 0)
        status = kk_child_start(child, command, false, err);
    if (status == KOKORO_OK)
        status = kk_child_ask(child, question, ANSWER_LIMIT_S, watch, answer, err);
    json_decref(question);
    return status;
}

/* Of one provider: what the child says, or why it says nothing. */
static int tell(kk_child *child, const char *name, const kokoro_options *options,
                const char *const *command, const kk_bench_watch *watch,
                void (*fn)(void *user, const kokoro_provider *provider), void *user,
                kokoro_error *err)
{
    json_t *answer = NULL;
    kokoro_error failure;
    char reason[sizeof(failure.message) + 64];
    const int status = ask(child, "provider", name, options, command, watch, &answer, &failure);
    kokoro_provider provider = {
        .name = name, .version = "", .execution_providers = "", .reason = ""};
    if (status == KOKORO_CANCELLED || status == KOKORO_NO_MEMORY)
        return kk_fail(err, status, "%s", failure.message);
    if (status != KOKORO_OK) {
        (void)snprintf(reason, sizeof(reason), "a process that asked it for its version failed: %s",
                       failure.message);
        provider.reason = reason;
    } else {
        provider.available = json_is_true(json_object_get(answer, "available"));
        provider.version = text_of(answer, "version");
        provider.execution_providers = text_of(answer, "execution_providers");
        provider.reason = text_of(answer, "reason");
    }
    fn(user, &provider);
    json_decref(answer);
    return KOKORO_OK;
}

int kk_bench_list_providers(const kokoro_options *options, const char *only,
                            const char *const *command, const kk_bench_watch *watch,
                            void (*fn)(void *user, const kokoro_provider *provider), void *user,
                            kokoro_error *err)
{
    kk_child child = KK_CHILD_INIT;
    const char *name;
    int status = KOKORO_OK;
    for (size_t i = 0; status == KOKORO_OK && (name = kokoro_provider_name(i)) != NULL; i++) {
        if (only == NULL || strcmp(only, name) == 0)
            status = tell(&child, name, options, command, watch, fn, user, err);
    }
    kk_child_end(&child);
    return status;
}

/* The command line of this program's child, in `program` and `command`. */
static int own_command(char program[PATH_MAX], const char *command[3], kokoro_error *err)
{
    const ssize_t len = readlink("/proc/self/exe", program, PATH_MAX - 1);
    if (len <= 0)
        return kk_fail(err, KOKORO_IO, "this program cannot find itself: %s", strerror(errno));
    program[len] = '\0';
    command[0] = program;
    command[1] = KK_CHILD_COMMAND;
    command[2] = NULL;
    return KOKORO_OK;
}

int kk_bench_list_own_providers(const kokoro_options *options,
                                void (*fn)(void *user, const kokoro_provider *provider), void *user,
                                kokoro_error *err)
{
    char program[PATH_MAX];
    const char *command[3];
    const int status = own_command(program, command, err);
    return status == KOKORO_OK
               ? kk_bench_list_providers(options, NULL, command, NULL, fn, user, err)
               : status;
}

static void tell_cached(const json_t *list, void (*fn)(void *user, const kokoro_cached *cached),
                        void *user)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *object = json_array_get(list, i);
        const kokoro_cached cached = {.provider = text_of(object, "provider"),
                                      .folder = text_of(object, "folder"),
                                      .path = json_string_value(json_object_get(object, "path")),
                                      .reason =
                                          json_string_value(json_object_get(object, "reason"))};
        fn(user, &cached);
    }
}

int kk_bench_list_own_cached(const kokoro_options *options,
                             void (*fn)(void *user, const kokoro_cached *cached), void *user,
                             kokoro_error *err)
{
    char program[PATH_MAX];
    const char *command[3];
    kk_child child = KK_CHILD_INIT;
    json_t *answer = NULL;
    int status = own_command(program, command, err);
    if (status == KOKORO_OK)
        status = ask(&child, "cached", NULL, options, command, NULL, &answer, err);
    kk_child_end(&child);
    if (status == KOKORO_OK) {
        tell_cached(json_object_get(answer, "cached"), fn, user);
    } else if (status != KOKORO_NO_MEMORY) {
        kokoro_options without = *options;
        without.ort_library = ""; /* the one that would be loaded for an answer */
        status = kokoro_list_cached(&without, fn, user, err);
    }
    json_decref(answer);
    return status;
}
