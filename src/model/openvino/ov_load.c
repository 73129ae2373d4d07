/*
 * ov_load.c - loading a model into OpenVINO.
 *
 * The runtime reads the ONNX export from memory, with its durations made an output, and compiles it
 * for this CPU in 5 s. What comes of that it writes to a file, and from then on the file is read
 * instead, in 1.6 s. The runtime's own cache would read the export first to find out whether its
 * file belongs to it; ours is found by the fingerprint of the export and checked before it is used.
 *
 *     <cache>/openvino/<fingerprint of model, runtime, CPU, precision>.<precision>.blob
 */
#include "model/openvino/ov_load.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/str.h"
#include "cache/cache_path.h"
#include "model/onnx/onnx_outputs.h"
#include "model/onnx/onnx_phase.h"
#include "model/sealed_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LAYOUT = 2 };

/* A property of the CPU device, copied; "" when the runtime has none of that name. */
static void get_property(const kk_ov_model *model, const char *name, char *dst, size_t size)
{
    char *value = NULL;
    dst[0] = '\0';
    if (model->api.ov_core_get_property(model->core, KK_OV_DEVICE, name, &value) == OV_OK)
        (void)snprintf(dst, size, "%s", value);
    if (value != NULL)
        model->api.ov_free(value);
}

/* A word of a list that spaces separate. */
static bool has_word(const char *list, const char *word)
{
    const size_t len = strlen(word);
    while (*list != '\0') {
        size_t n = strcspn(list, " ");
        if (n == len && memcmp(list, word, n) == 0)
            return true;
        list += n + strspn(list + n, " ");
    }
    return false;
}

static int choose_precision(kk_ov_model *model, const char *wanted, const char *capabilities,
                            kokoro_error *err)
{
    const bool has_bf16 = has_word(capabilities, "BF16");
    if (wanted == NULL || strcmp(wanted, "auto") == 0)
        wanted = has_bf16 ? "bf16" : "f32";
    else if (strcmp(wanted, "f32") != 0 && strcmp(wanted, "bf16") != 0)
        return kk_fail(err, KOKORO_INVALID, "unknown precision '%.20s'; known are auto, f32, bf16",
                       wanted);
    else if (strcmp(wanted, "bf16") == 0 && !has_bf16)
        return kk_fail(err, KOKORO_PROVIDER,
                       "OpenVINO has no precision bf16 on this CPU; use auto or f32");
    model->base.info.precision = strcmp(wanted, "bf16") == 0 ? "bf16" : "f32";
    return KOKORO_OK;
}

/*
 * One stream that uses all threads: one inference at a time, as quick as can be. Threads are not
 * pinned to cores, which would put those of two processes on the same ones.
 */
static int set_properties(kk_ov_model *model, int n_threads, kokoro_error *err)
{
    char threads[16];
    (void)snprintf(threads, sizeof(threads), "%d", n_threads);
    const char *const rows[][2] = {{"PERFORMANCE_HINT", "LATENCY"},
                                   {"NUM_STREAMS", "1"},
                                   {"INFERENCE_NUM_THREADS", threads},
                                   {"ENABLE_CPU_PINNING", "NO"},
                                   {"INFERENCE_PRECISION_HINT", model->base.info.precision}};
    int status = KOKORO_OK;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && status == KOKORO_OK; i++)
        status = kk_ov_check(
            &model->api,
            model->api.ov_core_set_property(model->core, KK_OV_DEVICE, rows[i][0], rows[i][1]),
            rows[i][0], err);
    return status;
}

static int compile_onnx(kk_ov_model *model, const char *path, kokoro_error *err)
{
    const kk_ov_api *api = &model->api;
    ov_model *graph = NULL;
    kk_onnx_bytes bytes;
    char what[300];
    int status = kk_onnx_bytes_open(&bytes, path, err);
    if (status != KOKORO_OK)
        return status;
    model->mends_phase = kk_onnx_mend_phase(bytes.data, bytes.len);
    (void)snprintf(what, sizeof(what), "model %.200s is damaged or not an ONNX model", path);
    status = kk_ov_check(api,
                         api->ov_core_read_model_from_memory_buffer(
                             model->core, (const char *)bytes.data, bytes.len, NULL, &graph),
                         what, err);
    kk_onnx_bytes_close(&bytes);
    if (status == KOKORO_OK)
        status = kk_ov_check(
            api, api->ov_core_compile_model(model->core, graph, KK_OV_DEVICE, 0, &model->compiled),
            what, err);
    if (graph != NULL)
        api->ov_model_free(graph);
    if (status != KOKORO_OK && err != NULL)
        err->status = KOKORO_BAD_MODEL;
    return status != KOKORO_OK ? KOKORO_BAD_MODEL : KOKORO_OK;
}

static int import_cached(kk_ov_model *model, const char *path, kokoro_known_files *known,
                         kokoro_error *err)
{
    size_t len = 0;
    int status = kk_sealed_open(&model->map, &len, path, known, err);
    if (status != KOKORO_OK)
        return status;
    status = kk_ov_check(&model->api,
                         model->api.ov_core_import_model(model->core, (const char *)model->map.data,
                                                         len, KK_OV_DEVICE, &model->compiled),
                         "cached model", err);
    if (status != KOKORO_OK)
        kk_map_close(&model->map);
    return status;
}

/* Keep the compiled form for the next start. Nothing of it is worth an error. */
static void keep(const kk_ov_model *model, const kk_log *log, const char *path)
{
    kokoro_error reason = {KOKORO_OK, "out of memory"};
    kk_cache_sweep(path);
    char *temp_path = kk_temp_path(path);
    int status = KOKORO_NO_MEMORY;
    if (temp_path != NULL)
        status = kk_ov_check(&model->api,
                             model->api.ov_compiled_model_export_model(model->compiled, temp_path),
                             "cannot write the cached model", &reason);
    if (status == KOKORO_OK)
        status = kk_sealed_commit(temp_path, path, &reason);
    else if (temp_path != NULL)
        (void)unlink(temp_path);
    kk_free(temp_path);
    if (status != KOKORO_OK)
        kk_log_write(log, KOKORO_LOG_WARNING, "the compiled model is not kept: %s", reason.message);
}

/* What was compiled for another CPU or precision must not be taken. */
static int cached_path(char **out, const kk_ov_model *model, const kk_model_options *options,
                       const char *capabilities, kokoro_error *err)
{
    char id[512], device[128];
    get_property(model, "FULL_DEVICE_NAME", device, sizeof(device));
    int len = snprintf(id, sizeof(id), "%d|%s|%s|%s", LAYOUT, device, capabilities,
                       model->base.info.precision);
    /* The precision stands in the name for those who cannot ask a running OpenVINO. */
    const bool is_bf16 = strcmp(model->base.info.precision, "bf16") == 0;
    const kk_cache_kind kind = {.folder = "openvino",
                                .ending = is_bf16 ? "bf16.blob" : "f32.blob",
                                .version = model->api.build,
                                .layout = kk_hash(id, (size_t)len)};
    return kk_cache_path(out, options->cache_dir, options->model_path, &kind, err);
}

/* The compiled form if it is there and whole, else the export compiled now, and kept if that can
 * be. */
int kk_ov_load(kk_ov_model *model, const kk_model_options *options, kokoro_error *err)
{
    char capabilities[256];
    get_property(model, "OPTIMIZATION_CAPABILITIES", capabilities, sizeof(capabilities));
    int status = choose_precision(model, options->precision, capabilities, err);
    if (status == KOKORO_OK)
        status = set_properties(model, options->n_threads, err);
    if (status != KOKORO_OK)
        return status;
    if (options->cache_dir == NULL || options->cache_dir[0] == '\0')
        return compile_onnx(model, options->model_path, err);
    char *path = NULL;
    kokoro_error reason = {KOKORO_OK, ""};
    status = cached_path(&path, model, options, capabilities, &reason);
    const bool has_model = status != KOKORO_NOT_FOUND;
    if (status == KOKORO_OK)
        status = import_cached(model, path, options->known_files, &reason);
    if (!has_model || status == KOKORO_NO_MEMORY) {
        status = kk_fail(err, status, "%s", reason.message);
    } else if (status != KOKORO_OK) {
        if (status != KOKORO_NOT_FOUND)
            kk_log_write(options->log, KOKORO_LOG_WARNING, "%s; the model is compiled anew",
                         reason.message);
        double start_s = kk_now_s();
        status = compile_onnx(model, options->model_path, err);
        if (status == KOKORO_OK && path != NULL)
            keep(model, options->log, path);
        model->base.info.pack_ms = 1e3 * (kk_now_s() - start_s);
    }
    kk_free(path);
    return status;
}
