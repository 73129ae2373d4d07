/*
 * ov_model.c - the provider `openvino`: open, infer, close, describe.
 *
 * Inputs, by name: tokens (or input_ids) int64 [1, N]; style float [1, 256]; speed float or int
 * [1]. Outputs: audio float [samples], and the durations float [N] that onnx_outputs.c added.
 */
#include "model/openvino/ov_provider.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "model/onnx/onnx_outputs.h"
#include "model/openvino/ov_load.h"

#include <math.h>
#include <string.h>

enum {
    STYLE_SIZE = 256,
    ASK_MS = 5 /* between two looks whether the caller wants to stop */
};

static const char WHAT[] = "OpenVINO";

/* ---- binding ------------------------------------------------------------------------------ */

static int bind_input(kk_ov_model *model, size_t index, bool bound[KK_OV_N_INPUTS],
                      kokoro_error *err)
{
    const kk_ov_api *api = &model->api;
    ov_port *port = NULL;
    char *name = NULL;
    int type = 0;
    int status = kk_ov_check(
        api, api->ov_compiled_model_input_by_index(model->compiled, index, &port), WHAT, err);
    if (status == KOKORO_OK)
        status = kk_ov_check(api, api->ov_port_get_any_name(port, &name), WHAT, err);
    if (status == KOKORO_OK)
        status = kk_ov_check(api, api->ov_port_get_element_type(port, &type), WHAT, err);
    if (status == KOKORO_OK) {
        enum kk_ov_input slot = KK_OV_SPEED;
        bool is_right = false;
        if (strcmp(name, "tokens") == 0 || strcmp(name, "input_ids") == 0) {
            slot = KK_OV_TOKENS;
            is_right = type == OV_I64;
        } else if (strcmp(name, "style") == 0) {
            slot = KK_OV_STYLE;
            is_right = type == OV_F32;
        } else if (strcmp(name, "speed") == 0) {
            is_right = type == OV_F32 || type == OV_I32 || type == OV_I64;
            model->speed_type = type;
        }
        if (!is_right || bound[slot])
            status =
                kk_fail(err, KOKORO_BAD_MODEL,
                        "the model has an input '%.60s' of OpenVINO type %d; a Kokoro export takes "
                        "tokens or input_ids (int64), style (float) and speed (float or int)",
                        name, type);
        model->input_index[slot] = index;
        bound[slot] = true;
    }
    if (name != NULL)
        api->ov_free(name);
    if (port != NULL)
        api->ov_output_const_port_free(port);
    return status;
}

/* The first output that is not the durations is the audio. */
static int bind_outputs(kk_ov_model *model, kokoro_error *err)
{
    const kk_ov_api *api = &model->api;
    size_t n = 0;
    bool has_audio = false;
    int status =
        kk_ov_check(api, api->ov_compiled_model_outputs_size(model->compiled, &n), WHAT, err);
    for (size_t i = 0; i < n && status == KOKORO_OK; i++) {
        ov_port *port = NULL;
        char *name = NULL;
        status = kk_ov_check(api, api->ov_compiled_model_output_by_index(model->compiled, i, &port),
                             WHAT, err);
        if (status == KOKORO_OK)
            status = kk_ov_check(api, api->ov_port_get_any_name(port, &name), WHAT, err);
        if (status == KOKORO_OK && strcmp(name, KK_ONNX_DURATIONS) == 0) {
            model->durations_index = i;
            model->has_durations = true;
        } else if (status == KOKORO_OK && !has_audio) {
            model->audio_index = i;
            has_audio = true;
        }
        if (name != NULL)
            api->ov_free(name);
        if (port != NULL)
            api->ov_output_const_port_free(port);
    }
    if (status == KOKORO_OK && !has_audio)
        status = kk_fail(err, KOKORO_BAD_MODEL, "the model has no audio output");
    return status;
}

int kk_ov_bind(kk_ov_model *model, kokoro_error *err)
{
    const kk_ov_api *api = &model->api;
    bool bound[KK_OV_N_INPUTS] = {false, false, false};
    size_t n = 0;
    int status =
        kk_ov_check(api, api->ov_compiled_model_inputs_size(model->compiled, &n), WHAT, err);
    if (status == KOKORO_OK && n != KK_OV_N_INPUTS)
        status = kk_fail(
            err, KOKORO_BAD_MODEL,
            "the model has %zu inputs, not the %d of a Kokoro export (tokens, style, speed)", n,
            KK_OV_N_INPUTS);
    for (size_t i = 0; i < n && status == KOKORO_OK; i++)
        status = bind_input(model, i, bound, err);
    return status == KOKORO_OK ? bind_outputs(model, err) : status;
}

/* ---- open and close ----------------------------------------------------------------------- */

static void ov_close(kk_model *base)
{
    kk_ov_model *model = (kk_ov_model *)base;
    const kk_ov_api *api = &model->api;
    if (model->request != NULL)
        api->ov_infer_request_free(model->request);
    if (model->compiled != NULL)
        api->ov_compiled_model_free(model->compiled);
    if (model->core != NULL)
        api->ov_core_free(model->core);
    kk_map_close(&model->map);
    kk_ov_api_close(&model->api);
    kk_free(model);
}

static int ov_open(kk_model **out, const kk_model_options *options, kokoro_error *err)
{
    *out = NULL;
    double start_s = kk_now_s();
    kk_ov_model *model = kk_calloc(1, sizeof(*model));
    if (model == NULL)
        return kk_fail_memory(err);
    model->base.provider = &kk_provider_openvino;
    const kk_ov_api *api = &model->api;
    int status = kk_ov_api_open(&model->api, options->openvino_library, err);
    if (status == KOKORO_OK)
        status = kk_ov_check(api, api->ov_core_create(&model->core), WHAT, err);
    if (status == KOKORO_OK)
        status = kk_ov_load(model, options, err);
    if (status == KOKORO_OK)
        status = kk_ov_bind(model, err);
    if (status == KOKORO_OK)
        status = kk_ov_check(
            api, api->ov_compiled_model_create_infer_request(model->compiled, &model->request),
            WHAT, err);
    if (status != KOKORO_OK) {
        ov_close(&model->base);
        return status;
    }
    if (!model->has_durations)
        kk_log_write(options->log, KOKORO_LOG_WARNING, "model %s does not give durations",
                     options->model_path);
    model->base.info.execution_provider = "OpenVINO:" KK_OV_DEVICE;
    model->base.info.version = api->version;
    model->base.info.load_ms = 1e3 * (kk_now_s() - start_s);
    *out = &model->base;
    return KOKORO_OK;
}

/* ---- inference ---------------------------------------------------------------------------- */

/* The speed in the type that the export takes. */
typedef union speed_value {
    float f;
    int32_t i32;
    int64_t i64;
} speed_value;

static int set_speed(const kk_ov_model *model, speed_value *value, float speed, kokoro_error *err)
{
    if (model->speed_type != OV_F32 && speed != roundf(speed))
        return kk_fail(err, KOKORO_SPEED, "this model takes whole numbers as speed, not %g",
                       (double)speed);
    if (model->speed_type == OV_I64)
        value->i64 = (int64_t)speed;
    else if (model->speed_type == OV_I32)
        value->i32 = (int32_t)speed;
    else
        value->f = speed;
    return KOKORO_OK;
}

/* Hand `data` to an input; the request keeps a reference to it until it gets another. */
static int set_input(kk_ov_model *model, enum kk_ov_input slot, int type, ov_shape shape,
                     void *data, kokoro_error *err)
{
    const kk_ov_api *api = &model->api;
    ov_tensor *tensor = NULL;
    int status = kk_ov_check(api, api->ov_tensor_create_from_host_ptr(type, shape, data, &tensor),
                             WHAT, err);
    if (status == KOKORO_OK)
        status = kk_ov_check(api,
                             api->ov_infer_request_set_input_tensor_by_index(
                                 model->request, model->input_index[slot], tensor),
                             WHAT, err);
    if (tensor != NULL)
        api->ov_tensor_free(tensor);
    return status;
}

/* Run the request to its end, or to where the caller wants it to stop: the runtime looks for that
 * between two layers. */
static int run(kk_ov_model *model, const kk_infer_control *control, kokoro_error *err)
{
    const kk_ov_api *api = &model->api;
    bool (*cancelled)(void *) = control != NULL ? control->cancelled : NULL;
    bool stops = cancelled != NULL && cancelled(control->cancelled_user);
    if (stops)
        return kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
    int status = kk_ov_check(api, api->ov_infer_request_start_async(model->request), WHAT, err);
    if (status != KOKORO_OK)
        return status;
    int result = OV_RESULT_NOT_READY;
    while (cancelled != NULL && !stops && result == OV_RESULT_NOT_READY) {
        result = api->ov_infer_request_wait_for(model->request, ASK_MS);
        stops = result == OV_RESULT_NOT_READY && cancelled(control->cancelled_user);
    }
    if (stops)
        (void)api->ov_infer_request_cancel(model->request);
    if (result == OV_RESULT_NOT_READY)
        result = api->ov_infer_request_wait(model->request);
    if (stops)
        return kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
    return kk_ov_check(api, result, WHAT, err);
}

/* An output's elements, in the arena. */
static int read_output(const kk_ov_model *model, kk_arena *arena, size_t index, float **data,
                       size_t *n, kokoro_error *err)
{
    const kk_ov_api *api = &model->api;
    ov_tensor *tensor = NULL;
    void *elements = NULL;
    int type = 0;
    int status = kk_ov_check(
        api, api->ov_infer_request_get_output_tensor_by_index(model->request, index, &tensor), WHAT,
        err);
    if (status == KOKORO_OK)
        status = kk_ov_check(api, api->ov_tensor_get_element_type(tensor, &type), WHAT, err);
    if (status == KOKORO_OK)
        status = kk_ov_check(api, api->ov_tensor_get_size(tensor, n), WHAT, err);
    if (status == KOKORO_OK)
        status = kk_ov_check(api, api->ov_tensor_data(tensor, &elements), WHAT, err);
    if (status == KOKORO_OK && type != OV_F32)
        status = kk_fail(err, KOKORO_BAD_MODEL,
                         "the model gives an output of OpenVINO type %d, not float", type);
    if (status == KOKORO_OK) {
        *data = kk_arena_alloc(arena, *n * sizeof(float));
        if (*data == NULL)
            status = kk_fail_memory(err);
        else
            memcpy(*data, elements, *n * sizeof(float));
    }
    if (tensor != NULL)
        api->ov_tensor_free(tensor);
    return status;
}

static int read_outputs(const kk_ov_model *model, kk_arena *arena, kk_pcm *out, kokoro_error *err)
{
    float *frames = NULL;
    size_t n = 0;
    int status = read_output(model, arena, model->audio_index, &out->samples, &out->n_samples, err);
    if (status != KOKORO_OK || !model->has_durations)
        return status;
    status = read_output(model, arena, model->durations_index, &frames, &n, err);
    if (status != KOKORO_OK)
        return status;
    out->durations = kk_arena_alloc(arena, n * sizeof(*out->durations));
    if (out->durations == NULL)
        return kk_fail_memory(err);
    for (size_t i = 0; i < n; i++)
        out->durations[i] = (int32_t)lrintf(frames[i]);
    out->n_durations = n;
    return KOKORO_OK;
}

static int ov_infer(kk_model *base, kk_arena *arena, const int64_t *ids, size_t n_ids,
                    const float *style, float speed, const kk_infer_control *control, kk_pcm *out,
                    kokoro_error *err)
{
    kk_ov_model *model = (kk_ov_model *)base;
    *out = (kk_pcm){NULL, 0, NULL, 0};
    /* The runtime takes inputs as mutable memory; copies keep the caller's const true. */
    int64_t *ids_copy = kk_arena_alloc(arena, n_ids * sizeof(*ids));
    float *style_copy = kk_arena_alloc(arena, STYLE_SIZE * sizeof(*style));
    speed_value *value = kk_arena_alloc(arena, sizeof(*value));
    if (ids_copy == NULL || style_copy == NULL || value == NULL)
        return kk_fail_memory(err);
    memcpy(ids_copy, ids, n_ids * sizeof(*ids));
    memcpy(style_copy, style, STYLE_SIZE * sizeof(*style));
    int64_t ids_dims[2] = {1, (int64_t)n_ids}, style_dims[2] = {1, STYLE_SIZE}, speed_dims[1] = {1};
    int status = set_speed(model, value, speed, err);
    if (status == KOKORO_OK)
        status = set_input(model, KK_OV_TOKENS, OV_I64, (ov_shape){2, ids_dims}, ids_copy, err);
    if (status == KOKORO_OK)
        status = set_input(model, KK_OV_STYLE, OV_F32, (ov_shape){2, style_dims}, style_copy, err);
    if (status == KOKORO_OK)
        status =
            set_input(model, KK_OV_SPEED, model->speed_type, (ov_shape){1, speed_dims}, value, err);
    if (status == KOKORO_OK)
        status = run(model, control, err);
    if (status == KOKORO_OK)
        status = read_outputs(model, arena, out, err);
    if (status == KOKORO_OK && control != NULL && control->piece != NULL &&
        control->piece(control->piece_user, out->samples, out->n_samples, true, true, out) != 0)
        status = kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
    return status;
}

static void ov_list_measures(const kk_model *base, kokoro_measure_fn *fn, void *user)
{
    const kk_ov_model *model = (const kk_ov_model *)base;
    /* The cached form does not tell; but an export with this name of its durations has that place.
     */
    const bool mends_phase = model->map.data != NULL ? model->has_durations : model->mends_phase;
    const kokoro_measure measures[] = {
        {"source_phase", "ONNX export", mends_phase,
         "the export gives a negative number without imaginary part the angle -pi, which "
         "OpenVINO's "
         "exact transform meets in every frame: it becomes pi",
         mends_phase ? "" : "the graph has no such place"},
        {"stays_loaded", "OpenVINO", true,
         "the runtime's threads end when they like: its library stays in memory once loaded", ""},
        {"short_messages", "OpenVINO", true,
         "the runtime's messages name places in its sources: one line of them is kept", ""},
    };
    kk_onnx_list_measures(model->has_durations, model->speed_type != OV_F32, fn, user);
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
        fn(user, &measures[i]);
}

static void ov_describe(kk_arena *arena, const kk_model_options *options, kokoro_provider *out)
{
    *out = (kokoro_provider){
        .name = "openvino", .version = "", .execution_providers = "", .reason = ""};
    kk_ov_api api;
    kokoro_error err;
    if (kk_ov_api_open(&api, options->openvino_library, &err) != KOKORO_OK) {
        const char *reason = kk_arena_strdup(arena, err.message);
        out->reason = reason != NULL ? reason : "out of memory";
        return;
    }
    const char *version = kk_arena_strdup(arena, api.version);
    out->available = version != NULL;
    out->version = version != NULL ? version : "";
    out->execution_providers = version != NULL ? "OpenVINO:" KK_OV_DEVICE : "";
    out->reason = version != NULL ? "" : "out of memory";
    kk_ov_api_close(&api);
}

/* Its names hang on what only a running runtime knows: the device and what it can do. */
static void ov_cached(kk_arena *arena, const kk_model_options *options, kokoro_cached *out)
{
    (void)arena;
    (void)options;
    out->folder = "openvino";
    out->reason = "only a running OpenVINO knows the name of its file";
}

const kk_provider kk_provider_openvino = {
    .name = "openvino",
    .open = ov_open,
    .close = ov_close,
    .infer = ov_infer,
    .list_measures = ov_list_measures,
    .describe = ov_describe,
    .cached = ov_cached,
};
