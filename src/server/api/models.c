/* models.c - GET /v1/models, /v1/models/{id}, /v1/audio/models: names of one and the same model. */
#include "server/server_state.h"

#include "base/utf8.h"

#include "server/json.h"
#include "server/speech/speech_request.h"

/* When the model's weights were published: 2025-01-27 UTC. */
enum { MODEL_CREATED = 1737936000 };

static json_t *model_object(const char *name)
{
    return json_pack("{s:s, s:s, s:i, s:s}", "id", name, "object", "model", "created",
                     MODEL_CREATED, "owned_by", "kokoro");
}

enum kk_http_verdict kk_get_models(const kk_call *call)
{
    json_t *models = json_array();
    for (const char *const *name = kk_model_names; *name != NULL; name++)
        (void)json_array_append_new(models, model_object(*name));
    return kk_answer_json(call, 200, json_pack("{s:s, s:o}", "object", "list", "data", models));
}

enum kk_http_verdict kk_get_audio_models(const kk_call *call)
{
    json_t *models = json_array();
    for (const char *const *name = kk_model_names; *name != NULL; name++)
        (void)json_array_append_new(models, json_pack("{s:s}", "id", *name));
    return kk_answer_json(call, 200, json_pack("{s:o}", "models", models));
}

enum kk_http_verdict kk_get_model(const kk_call *call)
{
    kk_api_error error;
    char shown[80];
    if (kk_model_is_known(call->rest))
        return kk_answer_json(call, 200, model_object(call->rest));
    (void)kk_api_fail(&error, 404, "model", "model_not_found",
                      "the model '%s' does not exist; GET /v1/models lists those that do",
                      kk_text_shown(shown, sizeof(shown), call->rest));
    return kk_answer_error(call, &error);
}
