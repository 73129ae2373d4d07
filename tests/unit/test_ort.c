/*
 * The provider onnxruntime with the real runtime: every slot in use, the cached form in every
 * state, and models that are none. Needs the fetched data.
 */
#include "check.h"
#include "data.h"

#include "base/file.h"
#include "model/model.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>

static char library[512], model_path[512], dir[] = "/tmp/kokoro-ort-XXXXXX";

/* h e l l o as ids with pads, and a style that is nobody's: the shapes and durations are what
 * matters here. */
static const int64_t ids[] = {0, 50, 83, 54, 156, 57, 135, 4, 0};
enum { N_IDS = sizeof(ids) / sizeof(ids[0]) };
static float style[256];

static int open_model(kk_model **model, const char *path, const char *cache, kokoro_error *err)
{
    const kk_model_options options = {
        .model_path = path, .cache_dir = cache, .library = library, .n_threads = 1};
    return kk_provider_find("onnxruntime")->open(model, &options, err);
}

static void write_file(const char *path, const void *data, size_t len)
{
    kk_writer writer;
    CHECK_INT(kk_writer_open(&writer, path, NULL), KOKORO_OK);
    kk_writer_write(&writer, data, len);
    CHECK_INT(kk_writer_commit(&writer, NULL), KOKORO_OK);
}

/* The one file in <dir>/ort. */
static void cached_path(char *dst, size_t size)
{
    char ort_dir[128];
    (void)snprintf(ort_dir, sizeof(ort_dir), "%s/ort", dir);
    DIR *d = opendir(ort_dir);
    int n = 0;
    const struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(dst, size, "%s/%.200s", ort_dir, entry->d_name);
        n++;
    }
    if (d != NULL)
        (void)closedir(d);
    CHECK_INT(n, 1);
}

static int speak(kk_model *model, kk_arena *arena, float speed, kk_pcm *pcm, kokoro_error *err)
{
    return model->provider->infer(model, arena, ids, N_IDS, style, speed, NULL, pcm, err);
}

TEST(set_up)
{
    NEED(library, "lib/libonnxruntime.so");
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");
    CHECK(mkdtemp(dir) != NULL);
    for (int i = 0; i < 256; i++)
        style[i] = 0.05f * (float)(i % 7 - 3);
}

TEST(audio_is_the_sum_of_the_durations)
{
    NEED(library, "lib/libonnxruntime.so");
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");
    kk_model *model = NULL;
    kokoro_error err = {0, ""};
    CHECK_INT(open_model(&model, model_path, dir, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    CHECK_STR(model->info.execution_provider, "CPUExecutionProvider");
    CHECK(model->info.pack_ms > 0 && model->info.load_ms >= model->info.pack_ms);
    kk_arena arena = KK_ARENA_INIT;
    kk_pcm normal, again, slow;
    CHECK_INT(speak(model, &arena, 1.0f, &normal, &err), KOKORO_OK);
    CHECK_INT(normal.n_durations, N_IDS);
    size_t frames = 0;
    for (size_t i = 0; i < normal.n_durations; i++)
        frames += (size_t)normal.durations[i];
    CHECK_INT(normal.n_samples, frames * KOKORO_SAMPLES_PER_FRAME);
    CHECK_INT(speak(model, &arena, 0.5f, &slow, &err), KOKORO_OK);
    CHECK(slow.n_samples > normal.n_samples * 3 / 2);
    CHECK_INT(speak(model, &arena, 1.0f, &again, &err), KOKORO_OK);
    CHECK(again.n_samples == normal.n_samples &&
          memcmp(again.samples, normal.samples, normal.n_samples * sizeof(float)) == 0);
    kk_arena_fini(&arena);
    model->provider->close(model);
}

TEST(the_cached_form_is_used_and_a_damaged_one_made_anew)
{
    NEED(library, "lib/libonnxruntime.so");
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");
    char path[512];
    kk_model *model = NULL;
    CHECK_INT(open_model(&model, model_path, dir, NULL), KOKORO_OK);
    CHECK_NEAR(model->info.pack_ms, 0, 0);
    model->provider->close(model);
    cached_path(path, sizeof(path));
    struct stat whole;
    CHECK_INT(stat(path, &whole), 0);
    CHECK_INT(truncate(path, whole.st_size / 2), 0);
    CHECK_INT(open_model(&model, model_path, dir, NULL), KOKORO_OK);
    CHECK(model->info.pack_ms > 0);
    model->provider->close(model);
    CHECK_INT(open_model(&model, model_path, dir, NULL), KOKORO_OK);
    CHECK_NEAR(model->info.pack_ms, 0, 0); /* what was made anew is whole */
    model->provider->close(model);
    FILE *file = fopen(path, "r+b");
    CHECK(file != NULL && fseek(file, 40000000, SEEK_SET) == 0 && fputc(0x55, file) == 0x55 &&
          fputc(0xAA, file) == 0xAA);
    CHECK_INT(fclose(file), 0);
    CHECK_INT(open_model(&model, model_path, dir, NULL), KOKORO_OK);
    CHECK(model->info.pack_ms > 0);
    model->provider->close(model);
}

TEST(the_placement_of_nodes_is_told_when_asked)
{
    NEED(library, "lib/libonnxruntime.so");
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");
    const char *const caches[] = {dir, NULL};
    for (size_t i = 0; i < 2; i++) {
        const kk_model_options options = {.model_path = model_path,
                                          .cache_dir = caches[i],
                                          .library = library,
                                          .n_threads = 1,
                                          .wants_placement = true};
        kk_model *model = NULL;
        int n = 0;
        CHECK_INT(kk_provider_find("onnxruntime")->open(&model, &options, NULL), KOKORO_OK);
        CHECK(sscanf(model->info.placement, "CPUExecutionProvider: %d nodes", &n) == 1 && n > 1000);
        model->provider->close(model);
    }
    kk_model *model = NULL;
    CHECK_INT(open_model(&model, model_path, dir, NULL), KOKORO_OK);
    CHECK(model->info.placement == NULL);
    model->provider->close(model);
}

TEST(without_a_usable_cache_the_model_still_opens)
{
    NEED(library, "lib/libonnxruntime.so");
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");
    kk_model *model = NULL;
    kokoro_error err;
    CHECK_INT(open_model(&model, model_path, NULL, &err), KOKORO_OK);
    model->provider->close(model);
    CHECK_INT(open_model(&model, model_path, "/proc/no-such-directory", &err), KOKORO_OK);
    model->provider->close(model);
}

/* An ONNX model in wire form: y = Identity(x), x and y float [1]. */
static const unsigned char identity_model[] = {
    0x08, 0x07, /* ir_version 7 */
    0x3A, 0x3B, /* graph */
    0x0A, 0x10, 0x0A, 0x01, 'x',  0x12, 0x01, 'y',  0x22, 0x08, 'I',  'd',  'e',  'n',  't',
    'i',  't',  'y', /* node */
    0x12, 0x01, 'g', /* name */
    0x5A, 0x11, 0x0A, 0x01, 'x',  0x12, 0x0C, 0x0A, 0x0A, 0x08, 0x01, 0x12, 0x06, 0x0A, 0x04,
    0x08, 0x01, 0x1A, 0x00, 0x62, 0x11, 0x0A, 0x01, 'y',  0x12, 0x0C, 0x0A, 0x0A, 0x08, 0x01,
    0x12, 0x06, 0x0A, 0x04, 0x08, 0x01, 0x1A, 0x00, 0x42, 0x04, 0x0A, 0x00, 0x10, 0x0D, /* opset 13
                                                                                         */
};

TEST(what_is_no_kokoro_model_is_named)
{
    NEED(library, "lib/libonnxruntime.so");
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/other.onnx", dir);
    kk_model *model = NULL;
    kokoro_error err;
    CHECK_INT(open_model(&model, "/no/such/model.onnx", dir, &err), KOKORO_NOT_FOUND);
    CHECK_HAS(err.message, "/no/such/model.onnx");
    CHECK_INT(open_model(&model, dir, dir, &err), KOKORO_IO);
    CHECK_HAS(err.message, "not a regular file");
    write_file(path, "", 0);
    CHECK_INT(open_model(&model, path, dir, &err), KOKORO_BAD_MODEL);
    write_file(path, "RIFF....WAVEfmt ", 16);
    CHECK_INT(open_model(&model, path, dir, &err), KOKORO_BAD_MODEL);
    CHECK_HAS(err.message, "damaged or not an ONNX model");
    write_file(path, identity_model, sizeof(identity_model));
    CHECK_INT(open_model(&model, path, dir, &err), KOKORO_BAD_MODEL);
    CHECK_HAS(err.message, "inputs");
    kk_map map;
    CHECK_INT(kk_map_open(&map, model_path, "model", &err), KOKORO_OK);
    const size_t lengths[] = {100, 4096, 1000000, map.len / 2, map.len - 1};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        write_file(path, map.data, lengths[i]);
        CHECK_INT(open_model(&model, path, dir, &err), KOKORO_BAD_MODEL);
        CHECK(model == NULL);
    }
    kk_map_close(&map);
}

TEST(a_library_that_is_none_is_named)
{
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");
    static const char *const rows[][2] = {
        {"/no/such/libonnxruntime.so", "/no/such/libonnxruntime.so"},
        {"libm.so.6", "no OrtGetApiBase"},
        {"", "KOKORO_ORT_LIBRARY"}};
    char saved[sizeof(library)];
    memcpy(saved, library, sizeof(library));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kk_model *model = NULL;
        kokoro_error err;
        (void)snprintf(library, sizeof(library), "%s", rows[i][0]);
        CHECK_INT(open_model(&model, model_path, NULL, &err), KOKORO_PROVIDER);
        CHECK_HAS(err.message, rows[i][1]);
    }
    memcpy(library, saved, sizeof(library));
}

TEST(tear_down)
{
    NEED(library, "lib/libonnxruntime.so");
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    CHECK_INT(system(command), 0);
}

TEST_MAIN(T(set_up), T(audio_is_the_sum_of_the_durations),
          T(the_cached_form_is_used_and_a_damaged_one_made_anew),
          T(the_placement_of_nodes_is_told_when_asked),
          T(without_a_usable_cache_the_model_still_opens), T(what_is_no_kokoro_model_is_named),
          T(a_library_that_is_none_is_named), T(tear_down))
