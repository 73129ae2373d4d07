/*
 * ort_model.c - the provider `onnxruntime`.
 *
 * Inputs, by name: tokens (or input_ids) int64 [1, N]; style float [1, 256]; speed float or int
 * [1]. Outputs: audio float [samples], and the durations float [N] that onnx_outputs.c added.
 *
 * Loading: the runtime optimises the graph at level basic, whose samples equal those of the levels
 * above on this model (measured), writes it in its ORT format, and from then on that file is mapped
 * and used in place: 0.13 s instead of 0.39 s on the development machine, and the pages are shared
 * by all processes.
 *
 * Memory: the pattern planner is off, because it keeps a plan a shape and every text has another
 * (460 MB grew to over 1 GB in other programs), and after a long chunk the arena gives its memory
 * back.
 */
#include "model/ort/ort_provider.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "model/ort/onnx_outputs.h"
#include "model/ort/ort_api.h"
#include "model/ort/ort_cache.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    N_INPUTS = 3,
    STYLE_SIZE = 256,
    LONG_CHUNK =
        200 /* ids from which on the arena is shrunk after a run: 200 ids take about 0.5 GB */
};

enum input { TOKENS, STYLE, SPEED };

typedef struct ort_model {
    kk_model base;
    kk_ort_api api;
    OrtEnv *env;
    OrtSession *session;
    OrtMemoryInfo *memory;
    OrtRunOptions *long_run;
    kk_map map; /* the cached form, in use while the session lives */
    char *input_names[N_INPUTS];
    int speed_type;
    char *audio_name, *durations_name; /* the latter NULL where the export has none */
} ort_model;

static void ignore_log(void *param, int severity, const char *category, const char *logid,
                       const char *code_location, const char *message)
{
    /* What fails comes back as a status; the runtime's own talk on stderr would only repeat it. */
    (void)param, (void)severity, (void)category, (void)logid, (void)code_location, (void)message;
}

/* ---- session ---- */

/* Session options for reading an ONNX file (is_cached false) or our cached ORT form. */
static int make_options(const kk_ort_api *api, int n_threads, bool is_cached,
                        OrtSessionOptions **out, kokoro_error *err)
{
    static const char what[] = "ONNX Runtime options";
    int status = kk_ort_check(api, api->CreateSessionOptions(out), what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->DisableMemPattern(*out), what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->SetIntraOpNumThreads(*out, n_threads), what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->SetSessionGraphOptimizationLevel(*out, ORT_OPTIMIZE_BASIC),
                              what, err);
    /* An idle server must not spin: workers stop when the last run returns. */
    const char *entries[][2] = {{"session.force_spinning_stop", "1"},
                                {"session.load_model_format", "ORT"},
                                {"session.use_ort_model_bytes_directly", "1"},
                                {"session.use_ort_model_bytes_for_initializers", "1"}};
    size_t n = is_cached ? sizeof(entries) / sizeof(entries[0]) : 1;
    for (size_t i = 0; i < n && status == KOKORO_OK; i++)
        status = kk_ort_check(api, api->AddSessionConfigEntry(*out, entries[i][0], entries[i][1]),
                              what, err);
    return status;
}

/* A session from the ONNX file itself; with save_path also writes the optimised form there. */
static int load_onnx(ort_model *model, const kk_model_options *options, const char *save_path,
                     OrtSession **out, kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    OrtSessionOptions *session_options = NULL;
    kk_onnx_bytes bytes;
    int status = kk_onnx_bytes_open(&bytes, options->model_path, err);
    if (status != KOKORO_OK)
        return status;
    status = make_options(api, options->n_threads, false, &session_options, err);
    if (status == KOKORO_OK && save_path != NULL) {
        status = kk_ort_check(api, api->SetOptimizedModelFilePath(session_options, save_path),
                              "ONNX Runtime options", err);
        if (status == KOKORO_OK)
            status = kk_ort_check(
                api,
                api->AddSessionConfigEntry(session_options, "session.save_model_format", "ORT"),
                "ONNX Runtime options", err);
    }
    if (status == KOKORO_OK) {
        char what[300];
        (void)snprintf(what, sizeof(what), "model %s is damaged or not an ONNX model",
                       options->model_path);
        status = kk_ort_check(
            api,
            api->CreateSessionFromArray(model->env, bytes.data, bytes.len, session_options, out),
            what, err);
        if (status != KOKORO_OK)
            status = KOKORO_BAD_MODEL;
    }
    if (session_options != NULL)
        api->ReleaseSessionOptions(session_options);
    kk_onnx_bytes_close(&bytes);
    if (status == KOKORO_BAD_MODEL && err != NULL)
        err->status = status;
    return status;
}

static int load_cached(ort_model *model, const kk_model_options *options, const char *path,
                       kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    OrtSessionOptions *session_options = NULL;
    size_t len = 0;
    int status = kk_ort_cache_open(&model->map, &len, path, err);
    if (status != KOKORO_OK)
        return status;
    status = make_options(api, options->n_threads, true, &session_options, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api,
                              api->CreateSessionFromArray(model->env, model->map.data, len,
                                                          session_options, &model->session),
                              "cached model", err);
    if (session_options != NULL)
        api->ReleaseSessionOptions(session_options);
    if (status != KOKORO_OK)
        kk_map_close(&model->map);
    return status;
}

/* Make the cached form. The session that writes it is thrown away: the cached form uses less
 * memory. */
static int make_cached(ort_model *model, const kk_model_options *options, const char *path,
                       kokoro_error *err)
{
    kk_buf temp_path = KK_BUF_INIT;
    kk_buf_appendf(&temp_path, "%s.%ld.tmp", path, (long)getpid());
    if (temp_path.failed) {
        kk_buf_fini(&temp_path);
        return kk_fail_memory(err);
    }
    OrtSession *session = NULL;
    int status = load_onnx(model, options, temp_path.data, &session, err);
    if (session != NULL)
        model->api.ReleaseSession(session);
    if (status == KOKORO_OK)
        status = kk_ort_cache_commit(temp_path.data, path, err);
    else
        (void)unlink(temp_path.data);
    kk_buf_fini(&temp_path);
    return status;
}

/* The cached form if it is there and whole, else made now; failing that (a full disk), the model
 * itself. */
static int open_session(ort_model *model, const kk_model_options *options, kokoro_error *err)
{
    char *path = NULL;
    int status = KOKORO_IO;
    kokoro_error reason = {KOKORO_OK, ""};
    if (options->cache_dir != NULL && options->cache_dir[0] != '\0') {
        status = kk_ort_cache_path(&path, options->cache_dir, options->model_path,
                                   model->api.version, &reason);
        if (status == KOKORO_OK)
            status = load_cached(model, options, path, &reason);
        if (path != NULL && status != KOKORO_OK && status != KOKORO_NO_MEMORY) {
            if (status != KOKORO_NOT_FOUND)
                kk_log_write(options->log, KOKORO_LOG_WARNING, "%s; it is made anew",
                             reason.message);
            double start_s = kk_now_s();
            status = make_cached(model, options, path, &reason);
            model->base.info.pack_ms = 1e3 * (kk_now_s() - start_s);
            if (status == KOKORO_OK)
                status = load_cached(model, options, path, &reason);
        }
        if (status == KOKORO_BAD_MODEL || status == KOKORO_NO_MEMORY) {
            kk_free(path);
            return kk_fail(err, status, "%s", reason.message);
        }
        if (status != KOKORO_OK)
            kk_log_write(options->log, KOKORO_LOG_WARNING, "the optimised model is not kept: %s",
                         reason.message);
    }
    kk_free(path);
    return status == KOKORO_OK ? status : load_onnx(model, options, NULL, &model->session, err);
}

/* ---- what the model takes and gives ---- */

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

static int bad_input(const ort_model *model, const char *name, int type, kokoro_error *err)
{
    (void)model;
    return kk_fail(err, KOKORO_BAD_MODEL,
                   "the model has an input '%s' of ONNX type %d; a Kokoro export takes tokens or "
                   "input_ids (int64), "
                   "style (float) and speed (float or int)",
                   name, type);
}

static int bind_input(ort_model *model, size_t index, OrtAllocator *allocator, kokoro_error *err)
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
    enum input slot = SPEED;
    bool is_right = false;
    if (strcmp(name, "tokens") == 0 || strcmp(name, "input_ids") == 0) {
        slot = TOKENS;
        is_right = type == ORT_INT64;
    } else if (strcmp(name, "style") == 0) {
        slot = STYLE;
        is_right = type == ORT_FLOAT;
    } else if (strcmp(name, "speed") == 0) {
        is_right = type == ORT_FLOAT || type == ORT_INT32 || type == ORT_INT64;
        model->speed_type = type;
    }
    if (!is_right || model->input_names[slot] != NULL) {
        status = bad_input(model, name, type, err);
        (void)api->AllocatorFree(allocator, name);
        return status;
    }
    model->input_names[slot] = name;
    return KOKORO_OK;
}

static int bind_outputs(ort_model *model, OrtAllocator *allocator, kokoro_error *err)
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

static int bind(ort_model *model, kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    OrtAllocator *allocator = NULL;
    size_t n = 0;
    int status =
        kk_ort_check(api, api->GetAllocatorWithDefaultOptions(&allocator), "ONNX Runtime", err);
    if (status == KOKORO_OK)
        status =
            kk_ort_check(api, api->SessionGetInputCount(model->session, &n), "model inputs", err);
    if (status == KOKORO_OK && n != N_INPUTS)
        status = kk_fail(
            err, KOKORO_BAD_MODEL,
            "the model has %zu inputs, not the %d of a Kokoro export (tokens, style, speed)", n,
            N_INPUTS);
    for (size_t i = 0; i < n && status == KOKORO_OK; i++)
        status = bind_input(model, i, allocator, err);
    if (status == KOKORO_OK)
        status = bind_outputs(model, allocator, err);
    return status;
}

/* ---- open, infer, close ---- */

static void ort_close(kk_model *base)
{
    ort_model *model = (ort_model *)base;
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
    if (model->long_run != NULL)
        api->ReleaseRunOptions(model->long_run);
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
    ort_model *model = kk_calloc(1, sizeof(*model));
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
        status = open_session(model, options, err);
    if (status == KOKORO_OK)
        status = bind(model, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(
            api,
            api->CreateCpuMemoryInfo(ORT_ARENA_ALLOCATOR, ORT_MEM_TYPE_DEFAULT, &model->memory),
            "ONNX Runtime", err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->CreateRunOptions(&model->long_run), "ONNX Runtime", err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api,
                              api->AddRunConfigEntry(
                                  model->long_run, "memory.enable_memory_arena_shrinkage", "cpu:0"),
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
    *out = &model->base;
    return KOKORO_OK;
}

/* The number of elements of a float output and its data. */
static int read_output(const ort_model *model, OrtValue *value, const float **data, size_t *n,
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

static int copy_outputs(const ort_model *model, kk_arena *arena, OrtValue *const outputs[2],
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

static int make_inputs(const ort_model *model, int64_t *ids, size_t n_ids, float *style,
                       void *speed, size_t speed_len, OrtValue *inputs[N_INPUTS], kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    static const char what[] = "model input";
    const int64_t ids_shape[2] = {1, (int64_t)n_ids}, style_shape[2] = {1, STYLE_SIZE},
                  speed_shape[1] = {1};
    int status =
        kk_ort_check(api,
                     api->CreateTensorWithDataAsOrtValue(model->memory, ids, n_ids * sizeof(*ids),
                                                         ids_shape, 2, ORT_INT64, &inputs[TOKENS]),
                     what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(
            api,
            api->CreateTensorWithDataAsOrtValue(model->memory, style, STYLE_SIZE * sizeof(*style),
                                                style_shape, 2, ORT_FLOAT, &inputs[STYLE]),
            what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api,
                              api->CreateTensorWithDataAsOrtValue(model->memory, speed, speed_len,
                                                                  speed_shape, 1, model->speed_type,
                                                                  &inputs[SPEED]),
                              what, err);
    return status;
}

static int ort_infer(kk_model *base, kk_arena *arena, const int64_t *ids, size_t n_ids,
                     const float *style, float speed, kk_pcm *out, kokoro_error *err)
{
    ort_model *model = (ort_model *)base;
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

    OrtValue *inputs[N_INPUTS] = {NULL}, *outputs[2] = {NULL};
    const char *output_names[2] = {model->audio_name, model->durations_name};
    const size_t n_outputs = model->durations_name != NULL ? 2 : 1;
    int status = make_inputs(model, ids_copy, n_ids, style_copy, &value, value_len, inputs, err);
    if (status == KOKORO_OK) {
        const OrtRunOptions *run_options = n_ids >= LONG_CHUNK ? model->long_run : NULL;
        status = kk_ort_check(
            api,
            api->Run(model->session, run_options, (const char *const *)model->input_names,
                     (const OrtValue *const *)inputs, N_INPUTS, output_names, n_outputs, outputs),
            "ONNX Runtime", err);
    }
    if (status == KOKORO_OK)
        status = copy_outputs(model, arena, outputs, out, err);
    for (size_t i = 0; i < N_INPUTS; i++) {
        if (inputs[i] != NULL)
            api->ReleaseValue(inputs[i]);
    }
    for (size_t i = 0; i < n_outputs; i++) {
        if (outputs[i] != NULL)
            api->ReleaseValue(outputs[i]);
    }
    return status;
}

static void ort_describe(kk_arena *arena, const char *library, kokoro_provider *out)
{
    *out = (kokoro_provider){
        .name = "onnxruntime", .version = "", .execution_providers = "", .reason = ""};
    kk_ort_api api;
    kokoro_error err;
    if (kk_ort_api_open(&api, library, &err) != KOKORO_OK) {
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

const kk_provider kk_provider_onnxruntime = {
    .name = "onnxruntime",
    .open = ort_open,
    .close = ort_close,
    .infer = ort_infer,
    .describe = ort_describe,
};
