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

static bool has_voice(const kokoro_engine *engine, const char *id)
{
    kokoro_voice voice;
    for (size_t i = 0; i < kokoro_voice_count(engine); i++) {
        if (kokoro_get_voice(engine, i, &voice) == KOKORO_OK && strcmp(voice.id, id) == 0)
            return true;
    }
    return false;
}

static json_t *recommended_voices(const kokoro_engine *engine)
{
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof(recommended) / sizeof(recommended[0]); i++) {
        for (size_t k = 0; k < 3; k++) {
            const char *id = recommended[i].voices[k];
            if (!has_voice(engine, id))
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
    kokoro_engine *engine = kk_server_take_engine(call->server);
    if (engine == NULL)
        return kk_answer_not_ready(call);
    json_t *voices = json_array(), *categories = json_object();
    size_t n = kokoro_voice_count(engine);
    for (size_t i = 0; i < n; i++) {
        kokoro_voice voice;
        if (kokoro_get_voice(engine, i, &voice) != KOKORO_OK)
            continue;
        (void)json_array_append_new(voices, json_string(voice.id));
        count_category(categories, voice.id);
    }
    json_t *suggestions = recommended_voices(engine);
    kk_server_give_engine(call->server, engine);
    return kk_answer_json(call, 200,
                          json_pack("{s:o, s:I, s:b, s:o, s:o}", "voices", voices, "total_voices",
                                    (json_int_t)n, "model_loaded", 1, "voice_categories",
                                    categories, "recommended_voices", suggestions));
}

enum kk_http_verdict kk_get_audio_voices(const kk_call *call)
{
    kokoro_engine *engine = kk_server_take_engine(call->server);
    const char *legacy = kk_http_query(call->request, "legacy");
    bool is_legacy = false;
    if (engine == NULL)
        return kk_answer_not_ready(call);
    if (legacy != NULL)
        (void)kk_parse_bool(legacy, &is_legacy);
    json_t *voices = json_array();
    for (size_t i = 0; i < kokoro_voice_count(engine); i++) {
        kokoro_voice voice;
        if (kokoro_get_voice(engine, i, &voice) != KOKORO_OK)
            continue;
        /* A client that finds every name equal to its id lets its user type a blend. */
        (void)json_array_append_new(
            voices, is_legacy ? json_string(voice.id)
                              : json_pack("{s:s, s:s}", "id", voice.id, "name", voice.id));
    }
    kk_server_give_engine(call->server, engine);
    return kk_answer_json(call, 200, json_pack("{s:o}", "voices", voices));
}
