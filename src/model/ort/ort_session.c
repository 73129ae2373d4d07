/*
 * ort_session.c - loading a model into ONNX Runtime.
 *
 * The runtime optimises the graph at level basic, whose samples equal those of the levels above on
 * the published model (measured), writes it in its ORT format, and from then on that file is mapped
 * and used in place: 0.13 s instead of 0.39 s on the development machine, and the pages are shared
 * by all processes.
 *
 * The memory pattern planner is off, because it keeps a plan a shape and every text has another:
 * 460 MB grew to over 1 GB in other programs.
 */
#include "model/ort/ort_session.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "cache/cache_path.h"
#include "model/onnx/onnx_outputs.h"
#include "model/sealed_file.h"

#include <stdio.h>
#include <unistd.h>

/* Session options for reading an ONNX file (is_cached false) or our cached ORT form. */
static int make_options(const kk_ort_api *api, const kk_model_options *options, bool is_cached,
                        OrtSessionOptions **out, kokoro_error *err)
{
    static const char what[] = "ONNX Runtime options";
    int status = kk_ort_check(api, api->CreateSessionOptions(out), what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->DisableMemPattern(*out), what, err);
    if (status == KOKORO_OK)
        status = kk_ort_check(api, api->SetIntraOpNumThreads(*out, options->n_threads), what, err);
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
    if (status == KOKORO_OK && options->wants_placement)
        status = kk_ort_check(api, api->AddSessionConfigEntry(*out, KK_ORT_RECORD_PLACEMENT, "1"),
                              what, err);
    return status;
}

/* A session from the ONNX file itself; with save_path also writes the optimised form there. */
static int load_onnx(kk_ort_model *model, const kk_model_options *options, const char *save_path,
                     OrtSession **out, kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    OrtSessionOptions *session_options = NULL;
    kk_onnx_bytes bytes;
    int status = kk_onnx_bytes_open(&bytes, options->model_path, err);
    if (status != KOKORO_OK)
        return status;
    status = make_options(api, options, false, &session_options, err);
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

static int load_cached(kk_ort_model *model, const kk_model_options *options, const char *path,
                       kokoro_error *err)
{
    const kk_ort_api *api = &model->api;
    OrtSessionOptions *session_options = NULL;
    size_t len = 0;
    int status = kk_sealed_open(&model->map, &len, path, options->known_files, err);
    if (status != KOKORO_OK)
        return status;
    status = make_options(api, options, true, &session_options, err);
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
static int make_cached(kk_ort_model *model, const kk_model_options *options, const char *path,
                       kokoro_error *err)
{
    kk_cache_sweep(path);
    char *temp_path = kk_temp_path(path);
    if (temp_path == NULL)
        return kk_fail_memory(err);
    OrtSession *session = NULL;
    int status = load_onnx(model, options, temp_path, &session, err);
    if (session != NULL)
        model->api.ReleaseSession(session);
    if (status == KOKORO_OK)
        status = kk_sealed_commit(temp_path, path, err);
    else
        (void)unlink(temp_path);
    kk_free(temp_path);
    return status;
}

kk_cache_kind kk_ort_cache_kind(const kk_ort_api *api)
{
    return (kk_cache_kind){.folder = "ort", .ending = "ort", .version = api->version, .layout = 2};
}

/*
 * The cached form if it is there and whole, else made now; failing that (a full disk, a read-only
 * place), the model itself. A model that cannot be read fails there, with its own reason.
 */
int kk_ort_session_open(kk_ort_model *model, const kk_model_options *options, kokoro_error *err)
{
    if (options->cache_dir == NULL || options->cache_dir[0] == '\0')
        return load_onnx(model, options, NULL, &model->session, err);
    char *path = NULL;
    kokoro_error reason = {KOKORO_OK, ""};
    const kk_cache_kind kind = kk_ort_cache_kind(&model->api);
    int status = kk_cache_path(&path, options->cache_dir, options->model_path, &kind, err);
    if (status == KOKORO_OK)
        status = load_cached(model, options, path, &reason);
    if (path != NULL && status != KOKORO_OK && status != KOKORO_NO_MEMORY) {
        if (status != KOKORO_NOT_FOUND)
            kk_log_write(options->log, KOKORO_LOG_WARNING, "%s; it is made anew", reason.message);
        double start_s = kk_now_s();
        status = make_cached(model, options, path, &reason);
        model->base.info.pack_ms = 1e3 * (kk_now_s() - start_s);
        if (status == KOKORO_OK)
            status = load_cached(model, options, path, &reason);
    }
    kk_free(path);
    if (status == KOKORO_OK)
        return KOKORO_OK;
    if (status == KOKORO_NO_MEMORY)
        return kk_fail_memory(err);
    status = load_onnx(model, options, NULL, &model->session, err);
    if (status == KOKORO_OK)
        kk_log_write(options->log, KOKORO_LOG_WARNING, "the optimised model is not kept: %s",
                     reason.message);
    return status;
}

void kk_ort_find_placement(kk_ort_model *model, const kk_model_options *options)
{
    OrtSession *session = NULL;
    kk_ort_count_nodes(model, model->session);
    if (model->placement[0] != '\0' || model->api.Session_GetEpGraphAssignmentInfo == NULL ||
        load_onnx(model, options, NULL, &session, NULL) != KOKORO_OK)
        return;
    kk_ort_count_nodes(model, session);
    model->api.ReleaseSession(session);
}
