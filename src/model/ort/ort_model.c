/*
 * ort_model.c - the provider `onnxruntime`: open, infer, close, describe.
 *
 * Inputs, by name: tokens (or input_ids) int64 [1, N]; style float [1, 256]; speed float or int
 * [1]. Outputs: audio float [samples], and the durations float [N] that onnx_outputs.c added.
 */
#include "model/ort/ort_provider.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "model/onnx/onnx_outputs.h"
#include "model/ort/ort_session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    STYLE_SIZE = 256,
    LONG_CHUNK = 200 /* ids that take about 0.5 GB: more than to be kept for shorter chunks */
};

static void ignore_log(void *param, int severity, const char *category, const char *logid,
                       const char *code_location, const char *message)
{
    /* What fails comes back as a status; the runtime's own talk on stderr would only repeat it. */
    (void)param, (void)severity, (void)category, (void)logid, (void)code_location, (void)message;
}

static void ort_close(kk_model *base)
{
    kk_ort_model *model = (kk_ort_model *)base;
    const kk_ort_api *api = &model->api;
    OrtAllocator *allocator = NULL;
    if (api->library != NULL &&
        kk_ort_check(api, api->GetAllocatorWithDefaultOptions(&allocator), "", NULL) == 0) {
        char *names[] = {model->input_names[0], model->input_names[1], model->input_names[2],
                         model->audio_name, model->durations_name};
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (names[i] != NULL)
                (void)kk_ort_check(api, api->AllocatorFree(allocator, names[i]), "", NULL);
        }
    }
    if (model->shrinking_run != NULL)
        api->ReleaseRunOptions(model->shrinking_run);
    if (model->memory != NULL)
        api->ReleaseMemoryInfo(model->memory);
    if (model->session != NULL)
        api->ReleaseSession(model->session);
    if (model->env != NULL)
        api->ReleaseEnv(model->env);
    kk_map_close(&model->map);
    kk_ort_api_close(&model->api);
    kk_free(model);
}

static int ort_open(kk_model **out, const kk_model_options *options, kokoro_error *err)
{
    *out = NULL;
    double start_s = kk_now_s();
    kk_ort_model *model = kk_calloc(1, sizeof(*model));
    if (model == NULL)
        return kk_fail_memory(err);
    model->base.provider = &kk_provider_onnxruntime;
    kk_ort_api *api = &model->api;
    int status = kk_ort_api_open(api, options->library, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(
            api,
            api->CreateEnvWithCustomLogger(ignore_log, NULL, ORT_LOG_FATAL, "kokoro", &model->env),
            "ONNX Runtime", err);
    if (status == KOKORO_OK)
        status = kk_ort_session_open(model, options, err);
    if (status == KOKORO_OK)
        status = kk_ort_bind(model, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(
            api,
            api->CreateCpuMemoryInfo(ORT_ARENA_ALLOCATOR, ORT_MEM_TYPE_DEFAULT, &model->memory),
            "ONNX Runtime", err);
    if (status == KOKORO_OK)
        status =
            kk_ort_check(api, api->CreateRunOptions(&model->shrinking_run), "ONNX Runtime", err);
    if (status == KOKORO_OK)
        status =
            kk_ort_check(api,
                         api->AddRunConfigEntry(model->shrinking_run,
                                                "memory.enable_memory_arena_shrinkage", "cpu:0"),
                         "ONNX Runtime", err);
    if (status != KOKORO_OK) {
        ort_close(&model->base);
        return status;
    }
    if (model->durations_name == NULL)
        kk_log_write(options->log, KOKORO_LOG_WARNING, "model %s does not give durations",
                     options->model_path);
    model->base.info.execution_provider = "CPUExecutionProvider";
    model->base.info.precision = "file";
    model->base.info.version = api->version;
    model->base.info.load_ms = 1e3 * (kk_now_s() - start_s);
    if (options->wants_placement) {
        kk_ort_find_placement(model, options);
        model->base.info.placement = model->placement;
    }
    *out = &model->base;
    return KOKORO_OK;
}

/* The number of elements of a float output and its data. */
static int read_output(const kk_ort_model *model, OrtValue *value, const float **data, size_t *n,
                       kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    OrtTensorTypeAndShapeInfo *info = NULL;
    int type = 0;
    void *bytes = NULL;
    int status = kk_ort_check(api, api->GetTensorTypeAndShape(value, &info), "model output", err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->GetTensorShapeElementCount(info, n), "model output", err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->GetTensorElementType(info, &type), "model output", err);
    if (status == KOKORO_OK && type != ORT_FLOAT)
        status = kk_fail(err, KOKORO_BAD_MODEL, "the model gives audio of ONNX type %d, not float",
                         type);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->GetTensorMutableData(value, &bytes), "model output", err);
    if (info != NULL)
        api->ReleaseTensorTypeAndShapeInfo(info);
    *data = bytes;
    return status;
}

static int copy_outputs(const kk_ort_model *model, kk_arena *arena, OrtValue *const outputs[2],
                        kk_pcm *out, kokoro_error *err)
{
    const float *data = NULL;
    size_t n = 0;
    int status = read_output(model, outputs[0], &data, &n, err);
    if (status != KOKORO_OK)
        return status;
    out->samples = kk_arena_alloc(arena, n * sizeof(float));
    if (out->samples == NULL)
        return kk_fail_memory(err);
    memcpy(out->samples, data, n * sizeof(float));
    out->n_samples = n;
    if (outputs[1] == NULL)
        return KOKORO_OK;
    status = read_output(model, outputs[1], &data, &n, err);
    if (status != KOKORO_OK)
        return status;
    out->durations = kk_arena_alloc(arena, n * sizeof(*out->durations));
    if (out->durations == NULL)
        return kk_fail_memory(err);
    for (size_t i = 0; i < n; i++)
        out->durations[i] = (int32_t)lrintf(data[i]);
    out->n_durations = n;
    return KOKORO_OK;
}

static int make_inputs(const kk_ort_model *model, int64_t *ids, size_t n_ids, float *style,
                       void *speed, size_t speed_len, OrtValue *inputs[KK_ORT_N_INPUTS],
                       kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    static const char what[] = "model input";
    const int64_t ids_shape[2] = {1, (int64_t)n_ids}, style_shape[2] = {1, STYLE_SIZE},
                  speed_shape[1] = {1};
    int status = kk_ort_check(
        api,
        api->CreateTensorWithDataAsOrtValue(model->memory, ids, n_ids * sizeof(*ids), ids_shape, 2,
                                            ORT_INT64, &inputs[KK_ORT_TOKENS]),
        what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(
            api,
            api->CreateTensorWithDataAsOrtValue(model->memory, style, STYLE_SIZE * sizeof(*style),
                                                style_shape, 2, ORT_FLOAT, &inputs[KK_ORT_STYLE]),
            what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api,
                              api->CreateTensorWithDataAsOrtValue(model->memory, speed, speed_len,
                                                                  speed_shape, 1, model->speed_type,
                                                                  &inputs[KK_ORT_SPEED]),
                              what, err);
    return status;
}

static int ort_infer(kk_model *base, kk_arena *arena, const int64_t *ids, size_t n_ids,
                     const float *style, float speed, const kk_infer_control *control, kk_pcm *out,
                     kokoro_error *err)
{
    kk_ort_model *model = (kk_ort_model *)base;
    const kk_ort_api *api = &model->api;
    *out = (kk_pcm){NULL, 0, NULL, 0};
    if (model->speed_type != ORT_FLOAT && speed != roundf(speed))
        return kk_fail(err, KOKORO_SPEED, "this model takes whole numbers as speed, not %g",
                       (double)speed);
    union {
        float f;
        int32_t i32;
        int64_t i64;
    } value = {.f = speed};
    size_t value_len = model->speed_type == ORT_INT64 ? sizeof(value.i64) : sizeof(value.f);
    if (model->speed_type == ORT_INT64)
        value.i64 = (int64_t)speed;
    else if (model->speed_type == ORT_INT32)
        value.i32 = (int32_t)speed;

    /* The runtime takes inputs as mutable memory; copies keep the caller's const true. */
    int64_t *ids_copy = kk_arena_alloc(arena, n_ids * sizeof(*ids));
    float *style_copy = kk_arena_alloc(arena, STYLE_SIZE * sizeof(*style));
    if (ids_copy == NULL || style_copy == NULL)
        return kk_fail_memory(err);
    memcpy(ids_copy, ids, n_ids * sizeof(*ids));
    memcpy(style_copy, style, STYLE_SIZE * sizeof(*style));

    OrtValue *inputs[KK_ORT_N_INPUTS] = {NULL}, *outputs[2] = {NULL};
    const char *output_names[2] = {model->audio_name, model->durations_name};
    const size_t n_outputs = model->durations_name != NULL ? 2 : 1;
    int status = make_inputs(model, ids_copy, n_ids, style_copy, &value, value_len, inputs, err);
    if (status == KOKORO_OK) {
        bool is_long = n_ids >= LONG_CHUNK;
        const OrtRunOptions *run_options =
            model->holds_long && !is_long ? model->shrinking_run : NULL;
        status = kk_ort_check(api,
                              api->Run(model->session, run_options,
                                       (const char *const *)model->input_names,
                                       (const OrtValue *const *)inputs, KK_ORT_N_INPUTS,
                                       output_names, n_outputs, outputs),
                              "ONNX Runtime", err);
        model->holds_long = is_long || (model->holds_long && status != KOKORO_OK);
    }
    if (status == KOKORO_OK)
        status = copy_outputs(model, arena, outputs, out, err);
    if (status == KOKORO_OK && control != NULL && control->piece != NULL &&
        control->piece(control->piece_user, out->samples, out->n_samples, true, true, out) != 0)
        status = kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
    for (size_t i = 0; i < KK_ORT_N_INPUTS; i++) {
        if (inputs[i] != NULL)
            api->ReleaseValue(inputs[i]);
    }
    for (size_t i = 0; i < n_outputs; i++) {
        if (outputs[i] != NULL)
            api->ReleaseValue(outputs[i]);
    }
    return status;
}

/* The runtime gives its arena back at the end of a run that asks for it, and at no other time: the
 * shortest run there is. */
static void ort_trim(kk_model *base)
{
    kk_ort_model *model = (kk_ort_model *)base;
    static const int64_t ids[] = {0, 16, 0}; /* a pause between two pads */
    static const float style[STYLE_SIZE];
    kk_arena arena = KK_ARENA_INIT;
    kk_pcm pcm;
    model->holds_long = true;
    (void)ort_infer(base, &arena, ids, sizeof(ids) / sizeof(ids[0]), style, 1.0f, NULL, &pcm, NULL);
    kk_arena_fini(&arena);
}

static void ort_list_measures(const kk_model *base, kokoro_measure_fn *fn, void *user)
{
    const kk_ort_model *model = (const kk_ort_model *)base;
    const char *telemetry = getenv("ORT_DISABLE_TELEMETRY");
    const bool is_off = telemetry != NULL && strcmp(telemetry, "1") == 0;
    const kokoro_measure measures[] = {
        {"telemetry_off", "ONNX Runtime", is_off,
         is_off ? "ORT_DISABLE_TELEMETRY is set, so that the runtime makes no device id and sends "
                  "no figures of use"
                : "the environment sets ORT_DISABLE_TELEMETRY to another value, which stays",
         ""},
        {"quiet_log", "ONNX Runtime", true,
         "the runtime writes nothing to standard error: what fails comes back as an error", ""},
        {"arena_shrinkage", "ONNX Runtime", true,
         "the runtime keeps the memory of its longest run: after a long chunk the next short one "
         "gives it back",
         ""},
    };
    kk_onnx_list_measures(model->durations_name != NULL, model->speed_type != ORT_FLOAT, fn, user);
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
        fn(user, &measures[i]);
}

static void ort_describe(kk_arena *arena, const kk_model_options *options, kokoro_provider *out)
{
    *out = (kokoro_provider){
        .name = "onnxruntime", .version = "", .execution_providers = "", .reason = ""};
    kk_ort_api api;
    kokoro_error err;
    if (kk_ort_api_open(&api, options->library, &err) != KOKORO_OK) {
        const char *reason = kk_arena_strdup(arena, err.message);
        out->reason = reason != NULL ? reason : "out of memory";
        return;
    }
    char **names = NULL;
    int n = 0;
    kk_buf list = KK_BUF_INIT;
    if (kk_ort_check(&api, api.GetAvailableProviders(&names, &n), "", NULL) == KOKORO_OK) {
        for (int i = 0; i < n; i++)
            kk_buf_appendf(&list, "%s%s", i > 0 ? "," : "", names[i]);
        (void)kk_ort_check(&api, api.ReleaseAvailableProviders(names, n), "", NULL);
    }
    const char *version = kk_arena_strdup(arena, api.version);
    const char *execution_providers = kk_arena_strdup(arena, kk_buf_str(&list));
    out->available = version != NULL && execution_providers != NULL;
    if (out->available) {
        out->version = version;
        out->execution_providers = execution_providers;
    } else {
        out->reason = "out of memory";
    }
    kk_buf_fini(&list);
    kk_ort_api_close(&api);
}

static void ort_cached(kk_arena *arena, const kk_model_options *options, kokoro_cached *out)
{
    kk_ort_api api;
    kokoro_error err;
    out->folder = "ort";
    if (kk_ort_api_open(&api, options->library, &err) != KOKORO_OK) {
        const char *reason = kk_arena_strdup(arena, err.message);
        out->reason = reason != NULL ? reason : "out of memory";
        return;
    }
    const kk_cache_kind kind = kk_ort_cache_kind(&api);
    kk_model_cached(arena, options, &kind, out);
    kk_ort_api_close(&api);
}

const kk_provider kk_provider_onnxruntime = {
    .name = "onnxruntime",
    .is_automatic = true,
    .open = ort_open,
    .close = ort_close,
    .infer = ort_infer,
    .trim = ort_trim,
    .list_measures = ort_list_measures,
    .describe = ort_describe,
    .cached = ort_cached,
};
