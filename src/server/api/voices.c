/* voices.c - GET /voices in the Kokoro-ONNX TTS API's shape, /v1/audio/voices in the usual one. */
#include "server/server_state.h"

#include "server/json.h"

#include <stdio.h>
#include <string.h>

/* Suggestions, the best first; what a voices file lacks is passed over. */
static const struct {
    const char *use;
    const char *voices[3];
} recommended[] = {
    {"high_quality_female", {"af_heart", "af_bella", "bf_emma"}},
    {"high_quality_male", {"am_michael", "am_fenrir", "bm_george"}},
    {"natural_female", {"af_nicole", "af_sarah", "bf_isabella"}},
    {"natural_male", {"am_puck", "bm_fable", "am_echo"}},
};

static void add_id(void *user, const kokoro_voice *voice)
{
    (void)json_array_append_new(user, json_string(voice->id));
}

/* The ids of all voices as an array, of an unloaded engine too; NULL: there never was one. */
static json_t *list_ids(kk_server *server)
{
    json_t *ids = json_array();
    kokoro_engine *engine = kk_server_take_engine(server);
    kokoro_voice voice;
    for (size_t i = 0; engine != NULL && i < kokoro_voice_count(engine); i++) {
        if (kokoro_get_voice(engine, i, &voice) == KOKORO_OK)
            add_id(ids, &voice);
    }
    const bool is_well =
        engine != NULL ||
        (kk_server_is_ready(server) &&
         kokoro_list_voices(kk_config_text(kk_server_config(server), KK_SET_VOICES), add_id, ids,
                            NULL) == KOKORO_OK);
    kk_server_give_engine(server, engine);
    if (is_well)
        return ids;
    json_decref(ids);
    return NULL;
}

static bool has_voice(const json_t *ids, const char *id)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        if (strcmp(json_string_value(json_array_get(ids, i)), id) == 0)
            return true;
    }
    return false;
}

static json_t *recommended_voices(const json_t *ids)
{
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof(recommended) / sizeof(recommended[0]); i++) {
        for (size_t k = 0; k < 3; k++) {
            const char *id = recommended[i].voices[k];
            if (!has_voice(ids, id))
                continue;
            (void)json_object_set_new(object, recommended[i].use, json_string(id));
            break;
        }
    }
    return object;
}

/* {"af_*": 11, ...}: voices by language and sex. */
static void count_category(json_t *categories, const char *id)
{
    char name[16];
    size_t len = strcspn(id, "_");
    (void)snprintf(name, sizeof(name), "%.*s_*", (int)(len < 8 ? len : 8), id);
    json_int_t n = json_integer_value(json_object_get(categories, name));
    (void)json_object_set_new(categories, name, json_integer(n + 1));
}

enum kk_http_verdict kk_get_voices(const kk_call *call)
{
    kk_reload reload;
    json_t *voices = list_ids(call->server), *categories = json_object();
    kk_server_reload_view(call->server, &reload);
    if (voices == NULL) {
        json_decref(categories);
        return kk_answer_not_ready(call);
    }
    const size_t n = json_array_size(voices);
    for (size_t i = 0; i < n; i++)
        count_category(categories, json_string_value(json_array_get(voices, i)));
    json_t *suggestions = recommended_voices(voices);
    return kk_answer_json(call, 200,
                          json_pack("{s:o, s:I, s:b, s:o, s:o}", "voices", voices, "total_voices",
                                    (json_int_t)n, "model_loaded", !reload.is_unloaded,
                                    "voice_categories", categories, "recommended_voices",
                                    suggestions));
}

enum kk_http_verdict kk_get_audio_voices(const kk_call *call)
{
    const char *legacy = kk_http_query(call->request, "legacy");
    bool is_legacy = false;
    json_t *ids = list_ids(call->server);
    if (ids == NULL)
        return kk_answer_not_ready(call);
    if (legacy != NULL)
        (void)kk_parse_bool(legacy, &is_legacy);
    json_t *voices = json_array();
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        /* A client that finds every name equal to its id lets its user type a blend. */
        (void)json_array_append_new(
            voices, is_legacy ? json_string(id) : json_pack("{s:s, s:s}", "id", id, "name", id));
    }
    json_decref(ids);
    return kk_answer_json(call, 200, json_pack("{s:o}", "voices", voices));
}
