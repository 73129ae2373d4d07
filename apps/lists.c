/*
 * lists.c - `kokoro voices` and `kokoro providers`. Neither opens a model.
 */
#include "cli.h"

#include "bench/providers.h"
#include "options.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A command that takes no words; KK_EXIT_USAGE and a message when there are some. */
static int refuse_words(const kk_app *app)
{
    if (app->n_words == 0)
        return KK_EXIT_OK;
    kk_complain("%s takes no argument '%.40s'", app->command->name, app->words[0]);
    return KK_EXIT_USAGE;
}

/* Prints and frees `list` when it is not NULL. */
static int print_list(json_t *list)
{
    return list != NULL ? kk_app_print_json(list) : kk_app_flush();
}

static void show_voice(void *user, const kokoro_voice *voice)
{
    json_t *list = user;
    if (list == NULL)
        (void)printf("%-14s %-6s %s\n", voice->id, voice->language, voice->gender);
    else
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "id", voice->id, "language",
                                                    voice->language, "gender", voice->gender));
}

int kk_app_voices(kk_app *app)
{
    kokoro_error error;
    if (refuse_words(app) != KK_EXIT_OK)
        return KK_EXIT_USAGE;
    json_t *list = app->values[KK_LIST_JSON] != NULL ? json_array() : NULL;
    if (kokoro_list_voices(kk_config_text(&app->config, KK_SET_VOICES), show_voice, list, &error) !=
        KOKORO_OK) {
        json_decref(list);
        return kk_complain_of_set_up(&error);
    }
    return print_list(list);
}

/* "A,B" to ["A", "B"] */
static json_t *split(const char *text)
{
    json_t *parts = json_array();
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        kk_slice part = kk_slice_trim((kk_slice){text, len});
        (void)json_array_append_new(parts, json_stringn(part.data, part.len));
        text += len + (text[len] == ',');
    }
    return parts;
}

static void show_provider(void *user, const kokoro_provider *provider)
{
    json_t *list = user;
    if (list != NULL) {
        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:b, s:s, s:o, s:s}", "name", provider->name, "available",
                      provider->available, "version", provider->version, "execution_providers",
                      split(provider->execution_providers), "reason", provider->reason));
        return;
    }
    if (provider->available)
        (void)printf("%-12s available, version %s: %s\n", provider->name, provider->version,
                     provider->execution_providers);
    else
        (void)printf("%-12s not available: %s\n", provider->name, provider->reason);
}

int kk_app_providers(kk_app *app)
{
    kokoro_options options;
    kokoro_error error;
    if (refuse_words(app) != KK_EXIT_OK)
        return KK_EXIT_USAGE;
    json_t *list = app->values[KK_LIST_JSON] != NULL ? json_array() : NULL;
    kk_app_engine_options(&app->config, &options);
    if (kk_bench_list_own_providers(&options, show_provider, list, &error) != KOKORO_OK) {
        json_decref(list);
        return kk_complain_of(&error);
    }
    return print_list(list);
}
