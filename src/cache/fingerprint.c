/*
 * fingerprint.c - what a measurement hangs on, as text that can be shown:
 *
 *     hardware         Intel Xeon, 4 CPUs on 2 cores, 8 GB of memory, at most 1.5 CPUs
 *     system           Linux x86_64 6.1.0
 *     model            hash of blocks spread over the file, and its size
 *     libraries        kokoro 0.1.0, onnxruntime <the same of its library>, openvino absent
 *     instruction_set  avx512bf16
 *     settings         precision auto, threads auto
 *
 * A runtime's library is told by its blocks, like the model: to ask it for its version it would
 * have to be loaded, which costs an engine that does not use it tens of milliseconds and megabytes.
 */
#include "cache/fingerprint.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/str.h"
#include "cache/blocks.h"
#include "hardware/hardware.h"
#include "kernels/kernels.h"

#include <stdio.h>
#include <string.h>

static const char free_settings[] = "precision auto, threads auto";

/* Takes the text of `buf` and empties it. */
static int keep(char field[KK_FINGERPRINT_SIZE], kk_buf *buf, kokoro_error *err)
{
    if (buf->failed) {
        kk_buf_fini(buf);
        return kk_fail_memory(err);
    }
    enum { HASHED = KK_FINGERPRINT_SIZE - 1 - 20 };
    if (buf->len < KK_FINGERPRINT_SIZE)
        (void)snprintf(field, KK_FINGERPRINT_SIZE, "%s", kk_buf_str(buf));
    else
        (void)snprintf(field, KK_FINGERPRINT_SIZE, "%.*s... %016llx", HASHED, kk_buf_str(buf),
                       (unsigned long long)kk_hash(buf->data, buf->len));
    kk_buf_fini(buf);
    return KOKORO_OK;
}

/* Memory to the nearest GB: a kernel's update moves what it keeps for itself by some MB. */
static double round_gb(uint64_t bytes)
{
    return (double)((bytes + (1ull << 29)) >> 30);
}

static int take_hardware(kk_fingerprint *out, kokoro_error *err)
{
    kk_hardware hardware;
    kk_buf text = KK_BUF_INIT;
    kk_hardware_read(&hardware);
    kk_buf_appendf(&text, "%s, %d CPU%s on %d core%s, %.0f GB of memory", hardware.cpu_model,
                   hardware.n_logical, hardware.n_logical == 1 ? "" : "s", hardware.n_physical,
                   hardware.n_physical == 1 ? "" : "s", round_gb(hardware.memory_bytes));
    if (hardware.cpu_quota > 0.0)
        kk_buf_appendf(&text, ", at most %.2f CPUs", hardware.cpu_quota);
    if (hardware.memory_limit_bytes > 0)
        kk_buf_appendf(&text, ", at most %llu MB",
                       (unsigned long long)(hardware.memory_limit_bytes >> 20));
    int status = keep(out->hardware, &text, err);
    if (status != KOKORO_OK)
        return status;
    kk_buf_appendf(&text, "%s %s", hardware.platform, hardware.release);
    return keep(out->system, &text, err);
}

static int take_model(kk_fingerprint *out, const char *path, kokoro_error *err)
{
    kk_blocks blocks;
    kk_buf text = KK_BUF_INIT;
    if (path == NULL || path[0] == '\0')
        return kk_fail(err, KOKORO_NOT_FOUND, "no model: set KOKORO_MODEL, or run: ./run setup");
    int status = kk_blocks_read(&blocks, path, "model", err);
    if (status != KOKORO_OK)
        return status;
    kk_buf_appendf(&text, "%016llx, %llu bytes", (unsigned long long)kk_blocks_hash(&blocks),
                   (unsigned long long)blocks.size);
    return keep(out->model, &text, err);
}

/* A name without a slash is looked up by the loader where we do not look: it stands for itself. */
static void name_library(kk_buf *text, const char *name, const char *path)
{
    kk_blocks blocks;
    if (path == NULL || path[0] == '\0')
        kk_buf_appendf(text, ", %s absent", name);
    else if (kk_blocks_read(&blocks, path, name, NULL) == KOKORO_OK)
        kk_buf_appendf(text, ", %s %016llx", name, (unsigned long long)kk_blocks_hash(&blocks));
    else
        kk_buf_appendf(text, ", %s %s", name, strchr(path, '/') != NULL ? "absent" : path);
}

static int take_libraries(kk_fingerprint *out, const kokoro_options *options, kokoro_error *err)
{
    kk_buf text = KK_BUF_INIT;
    kk_buf_appendf(&text, "kokoro %s", kokoro_version());
    name_library(&text, "onnxruntime", options->ort_library);
    name_library(&text, "openvino", options->openvino_library);
    return keep(out->libraries, &text, err);
}

static int take_settings(kk_fingerprint *out, const kokoro_options *options, kokoro_error *err)
{
    kk_buf text = KK_BUF_INIT;
    const char *precision = options->precision;
    kk_buf_appendf(&text, "precision %.40s, threads ",
                   precision != NULL && precision[0] != '\0' ? precision : "auto");
    if (options->n_threads > 0)
        kk_buf_appendf(&text, "%d", options->n_threads);
    else
        kk_buf_append_str(&text, "auto");
    return keep(out->settings, &text, err);
}

/* All but what tells the machine. */
static int take_the_rest(kk_fingerprint *out, const kokoro_options *options, kokoro_error *err)
{
    const kk_kernels *kernels = kk_kernels_choose(options->cpu_mask);
    if (kernels == NULL)
        return kk_fail(err, KOKORO_INVALID, "unknown instruction set '%.20s'", options->cpu_mask);
    (void)snprintf(out->instruction_set, sizeof(out->instruction_set), "%s", kernels->name);
    int status = take_model(out, options->model_path, err);
    if (status == KOKORO_OK)
        status = take_libraries(out, options, err);
    if (status == KOKORO_OK)
        status = take_settings(out, options, err);
    return status;
}

int kk_fingerprint_make(kk_fingerprint *out, const kokoro_options *options, kokoro_error *err)
{
    memset(out, 0, sizeof(*out));
    int status = take_the_rest(out, options, err);
    if (status == KOKORO_OK)
        status = take_hardware(out, err);
    return status;
}

/* ---- kept ---------------------------------------------------------------------------------- */

static void mark_text(kk_buf *marks, const char *text)
{
    kk_buf_append(marks, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

/* False: its identity does not tell its state yet. */
static bool mark_file(kk_buf *marks, const char *path)
{
    kk_file_id id = {.inode = 0};
    if (path != NULL && path[0] != '\0')
        kk_file_identify(&id, path);
    mark_text(marks, path);
    kk_buf_append(marks, &id, sizeof(id));
    return kk_file_id_is_settled(&id);
}

/* One number of all that the fields but the machine's come from; 0: it cannot be told. */
static uint64_t mark_of(const kokoro_options *options)
{
    kk_buf marks = KK_BUF_INIT;
    bool is_settled = mark_file(&marks, options->model_path);
    is_settled = mark_file(&marks, options->ort_library) && is_settled;
    is_settled = mark_file(&marks, options->openvino_library) && is_settled;
    mark_text(&marks, options->precision);
    mark_text(&marks, options->cpu_mask);
    kk_buf_appendf(&marks, "%d", options->n_threads);
    const uint64_t mark = marks.failed || !is_settled ? 0 : kk_hash(marks.data, marks.len);
    kk_buf_fini(&marks);
    return mark;
}

int kk_fingerprint_keep(kk_fingerprint_kept *kept, const kokoro_options *options, kokoro_error *err)
{
    const uint64_t mark = mark_of(options);
    if (mark != 0 && mark == kept->mark)
        return KOKORO_OK;
    kk_fingerprint now = {.hardware = ""};
    kept->mark = 0;
    if (kept->has_machine) {
        memcpy(now.hardware, kept->machine.hardware, sizeof(now.hardware));
        memcpy(now.system, kept->machine.system, sizeof(now.system));
    }
    int status = kept->has_machine ? KOKORO_OK : take_hardware(&now, err);
    if (status == KOKORO_OK) {
        kept->has_machine = true;
        kept->machine = now;
        status = take_the_rest(&now, options, err);
    }
    kept->fingerprint = status == KOKORO_OK ? now : (kk_fingerprint){.hardware = ""};
    kept->mark = status == KOKORO_OK ? mark : 0;
    return status;
}

const char *kk_fingerprint_difference(const kk_fingerprint *measured, const kk_fingerprint *now)
{
    kk_fingerprint a = *measured;
    if (strcmp(a.settings, free_settings) == 0)
        memcpy(a.settings, now->settings, sizeof(a.settings));
#define KK_X(field, name)                                                                          \
    if (strcmp(a.field, now->field) != 0)                                                          \
        return name;
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    return NULL;
}
