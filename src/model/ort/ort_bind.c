/*
 * ort_bind.c - a Kokoro export's inputs and outputs, found by name. Exports differ: tokens is also
 * called input_ids, and speed may be a whole number.
 */
#include "model/ort/ort_session.h"

#include "base/status.h"
#include "model/onnx/onnx_outputs.h"

#include <string.h>

static int element_type(const kk_ort_api *api, OrtTypeInfo *info, int *type, kokoro_error *err)
{
    const OrtTensorTypeAndShapeInfo *tensor = NULL;
    *type = 0;
    int status =
        kk_ort_check(api, api->CastTypeInfoToTensorInfo(info, &tensor), "model input", err);
    if (status == KOKORO_OK && tensor != NULL)
        status = kk_ort_check(api, api->GetTensorElementType(tensor, type), "model input", err);
    api->ReleaseTypeInfo(info);
    return status;
}

static int bad_input(const char *name, int type, kokoro_error *err)
{
    return kk_fail(err, KOKORO_BAD_MODEL,
                   "the model has an input '%s' of ONNX type %d; a Kokoro export takes tokens or "
                   "input_ids (int64), "
                   "style (float) and speed (float or int)",
                   name, type);
}

static int bind_input(kk_ort_model *model, size_t index, OrtAllocator *allocator, kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    OrtTypeInfo *info = NULL;
    char *name = NULL;
    int type = 0;
    int status = kk_ort_check(api, api->SessionGetInputTypeInfo(model->session, index, &info),
                              "model input", err);
    if (status == KOKORO_OK)
        status = element_type(api, info, &type, err);
    if (status == KOKORO_OK)
        status =
            kk_ort_check(api, api->SessionGetInputName(model->session, index, allocator, &name),
                         "model input", err);
    if (status != KOKORO_OK)
        return status;
    enum kk_ort_input slot = KK_ORT_SPEED;
    bool is_right = false;
    if (strcmp(name, "tokens") == 0 || strcmp(name, "input_ids") == 0) {
        slot = KK_ORT_TOKENS;
        is_right = type == ORT_INT64;
    } else if (strcmp(name, "style") == 0) {
        slot = KK_ORT_STYLE;
        is_right = type == ORT_FLOAT;
    } else if (strcmp(name, "speed") == 0) {
        is_right = type == ORT_FLOAT || type == ORT_INT32 || type == ORT_INT64;
        model->speed_type = type;
    }
    if (!is_right || model->input_names[slot] != NULL) {
        status = bad_input(name, type, err);
        (void)api->AllocatorFree(allocator, name);
        return status;
    }
    model->input_names[slot] = name;
    return KOKORO_OK;
}

static int bind_outputs(kk_ort_model *model, OrtAllocator *allocator, kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    size_t n = 0;
    int status =
        kk_ort_check(api, api->SessionGetOutputCount(model->session, &n), "model outputs", err);
    for (size_t i = 0; i < n && status == KOKORO_OK; i++) {
        char *name = NULL;
        status = kk_ort_check(api, api->SessionGetOutputName(model->session, i, allocator, &name),
                              "model outputs", err);
        if (status != KOKORO_OK)
            break;
        bool is_durations = strcmp(name, KK_ONNX_DURATIONS) == 0;
        char **slot = is_durations ? &model->durations_name : &model->audio_name;
        if (*slot == NULL)
            *slot = name; /* the first output that is not the durations is the audio */
        else
            (void)api->AllocatorFree(allocator, name);
    }
    if (status == KOKORO_OK && model->audio_name == NULL)
        return kk_fail(err, KOKORO_BAD_MODEL, "the model has no audio output");
    return status;
}

int kk_ort_bind(kk_ort_model *model, kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    OrtAllocator *allocator = NULL;
    size_t n = 0;
    int status =
        kk_ort_check(api, api->GetAllocatorWithDefaultOptions(&allocator), "ONNX Runtime", err);
    if (status == KOKORO_OK)
        status =
            kk_ort_check(api, api->SessionGetInputCount(model->session, &n), "model inputs", err);
    if (status == KOKORO_OK && n != KK_ORT_N_INPUTS)
        status = kk_fail(
            err, KOKORO_BAD_MODEL,
            "the model has %zu inputs, not the %d of a Kokoro export (tokens, style, speed)", n,
            KK_ORT_N_INPUTS);
    for (size_t i = 0; i < n && status == KOKORO_OK; i++)
        status = bind_input(model, i, allocator, err);
    if (status == KOKORO_OK)
        status = bind_outputs(model, allocator, err);
    return status;
}
