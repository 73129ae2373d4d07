/*
 * The provider openvino: libraries and models that are none, and with the real runtime its sound
 * beside that of native, the cached form in every state, stopping, and memory that is out. What
 * needs the fetched library is skipped without it.
 */
#include "check.h"
#include "data.h"

#include "base/alloc.h"
#include "base/file.h"
#include "model/model.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>

static char library[512], model_path[512], dir[] = "/tmp/kokoro-openvino-XXXXXX";

#define NEED_ALL()                                                                                 \
    NEED(library, "lib/openvino/libopenvino_c.so");                                                \
    NEED(model_path, "model/kokoro-v1.0.int8.onnx")

/* To compile the model takes the runtime a minute under the address sanitizer: there it is done
 * once. */
#if defined(__SANITIZE_ADDRESS__)
#define NEED_TIME() SKIP("compiles the model, too slow under the address sanitizer")
#else
#define NEED_TIME() (void)0
#endif

/* h e l l o as ids with pads, and a style that is nobody's. */
static const int64_t ids[] = {0, 50, 83, 54, 156, 57, 135, 4, 0};
enum { N_IDS = sizeof(ids) / sizeof(ids[0]) };
static float style[256];

static int open_with(kk_model **model, const char *provider, const char *path, const char *cache,
                     const char *precision, kokoro_error *err)
{
    const kk_model_options options = {.model_path = path,
                                      .cache_dir = cache,
                                      .openvino_library = library,
                                      .precision = precision,
                                      .n_threads = 1};
    return kk_provider_find(provider)->open(model, &options, err);
}

static int open_model(kk_model **model, const char *path, const char *cache, kokoro_error *err)
{
    return open_with(model, "openvino", path, cache, "f32", err);
}

static int speak(kk_model *model, kk_arena *arena, const kk_infer_control *control, kk_pcm *pcm,
                 kokoro_error *err)
{
    return model->provider->infer(model, arena, ids, N_IDS, style, 1.0f, control, pcm, err);
}

static void write_file(const char *path, const void *data, size_t len)
{
    kk_writer writer;
    CHECK_INT(kk_writer_open(&writer, path, NULL), KOKORO_OK);
    kk_writer_write(&writer, data, len);
    CHECK_INT(kk_writer_commit(&writer, NULL), KOKORO_OK);
}

/* Files in <dir>/openvino; the path of the last one. */
static int cached_path(char *dst, size_t size)
{
    char folder[128];
    (void)snprintf(folder, sizeof(folder), "%s/openvino", dir);
    DIR *d = opendir(folder);
    int n = 0;
    const struct dirent *entry;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(dst, size, "%s/%.200s", folder, entry->d_name);
        n++;
    }
    if (d != NULL)
        (void)closedir(d);
    return n;
}

TEST(set_up)
{
    CHECK(mkdtemp(dir) != NULL);
    for (int i = 0; i < 256; i++)
        style[i] = 0.05f * (float)(i % 7 - 3);
}

TEST(a_library_that_is_none_is_named)
{
    static const char *const rows[][2] = {
        {"/no/such/libopenvino_c.so", "/no/such/libopenvino_c.so"},
        {"/no/such/libopenvino_c.so", "./run setup --with openvino"},
        {"libm.so.6", "has no ov_"},
        {"", "KOKORO_OPENVINO_LIBRARY"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kk_arena arena = KK_ARENA_INIT;
        kk_model *model = NULL;
        kokoro_error err;
        kokoro_provider described;
        (void)snprintf(library, sizeof(library), "%s", rows[i][0]);
        CHECK_INT(open_model(&model, "/no/such/model.onnx", NULL, &err), KOKORO_PROVIDER);
        CHECK(model == NULL);
        CHECK_HAS(err.message, rows[i][1]);
        const kk_model_options options = {.openvino_library = library};
        kk_provider_find("openvino")->describe(&arena, &options, &described);
        CHECK_STR(described.name, "openvino");
        CHECK(!described.available);
        CHECK_STR(described.version, "");
        CHECK_HAS(described.reason, rows[i][1]);
        kk_arena_fini(&arena);
    }
}

TEST(auto_does_not_take_it_unmeasured)
{
    CHECK(!kk_provider_find("openvino")->is_automatic);
    CHECK(kk_provider_find("native")->is_automatic);
    CHECK(kk_provider_find("onnxruntime")->is_automatic);
}

TEST(it_is_described)
{
    NEED_ALL();
    kk_arena arena = KK_ARENA_INIT;
    kokoro_provider described;
    const kk_model_options options = {.openvino_library = library};
    kk_provider_find("openvino")->describe(&arena, &options, &described);
    CHECK(described.available);
    CHECK_STR(described.execution_providers, "OpenVINO:CPU");
    CHECK_STR(described.reason, "");
    int year = 0, release = 0;
    CHECK(sscanf(described.version, "%d.%d", &year, &release) == 2 && year >= 2024);
    CHECK(strchr(described.version, '-') == NULL);
    kk_arena_fini(&arena);
}

TEST(what_is_no_model_is_named)
{
    NEED_ALL();
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/other.onnx", dir);
    kk_model *model = NULL;
    kokoro_error err;
    CHECK_INT(open_model(&model, "/no/such/model.onnx", dir, &err), KOKORO_NOT_FOUND);
    CHECK_HAS(err.message, "/no/such/model.onnx");
    CHECK_INT(open_model(&model, "/no/such/model.onnx", NULL, &err), KOKORO_NOT_FOUND);
    write_file(path, "RIFF....WAVEfmt ", 16);
    CHECK_INT(open_model(&model, path, dir, &err), KOKORO_BAD_MODEL);
    CHECK_HAS(err.message, "damaged or not an ONNX model");
    CHECK_INT(err.status, KOKORO_BAD_MODEL);
    kk_map map;
    CHECK_INT(kk_map_open(&map, model_path, "model", &err), KOKORO_OK);
    const size_t lengths[] = {4096, map.len / 2};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        write_file(path, map.data, lengths[i]);
        CHECK_INT(open_model(&model, path, NULL, &err), KOKORO_BAD_MODEL);
        CHECK(model == NULL);
    }
    kk_map_close(&map);
    CHECK_INT(open_with(&model, "openvino", model_path, dir, "f64", &err), KOKORO_INVALID);
    CHECK_HAS(err.message, "auto, f32, bf16");
    CHECK_INT(cached_path(path, sizeof(path)), 0); /* none of these is kept */
}

static bool is_same(const kk_pcm *a, const kk_pcm *b)
{
    return a->n_samples == b->n_samples &&
           memcmp(a->samples, b->samples, a->n_samples * sizeof(float)) == 0;
}

TEST(the_cached_form_is_used_and_a_damaged_one_made_anew)
{
    NEED_ALL();
    NEED_TIME();
    char path[512];
    kk_arena arena = KK_ARENA_INIT;
    kokoro_error err = {0, ""};
    kk_pcm pcm[3];
    const bool is_made[] = {true, false, true};
    for (size_t i = 0; i < 3; i++) {
        kk_model *model = NULL;
        CHECK_INT(open_model(&model, model_path, dir, &err), KOKORO_OK);
        CHECK_STR(err.message, "");
        if (model == NULL)
            break;
        CHECK_STR(model->info.execution_provider, "OpenVINO:CPU");
        CHECK_STR(model->info.precision, "f32");
        CHECK((model->info.pack_ms > 0) == is_made[i]);
        CHECK(model->info.load_ms > model->info.pack_ms);
        CHECK_INT(speak(model, &arena, NULL, &pcm[i], &err), KOKORO_OK);
        CHECK(is_same(&pcm[i], &pcm[0]));
        model->provider->close(model);
        CHECK_INT(cached_path(path, sizeof(path)), 1);
        if (i == 1) {
            FILE *file = fopen(path, "r+b");
            CHECK(file != NULL && fseek(file, 40000000, SEEK_SET) == 0 &&
                  fputc(0x55, file) == 0x55 && fputc(0xAA, file) == 0xAA);
            CHECK_INT(fclose(file), 0);
        }
    }
    size_t frames = 0;
    CHECK_INT(pcm[0].n_durations, N_IDS);
    for (size_t i = 0; i < pcm[0].n_durations; i++)
        frames += (size_t)pcm[0].durations[i];
    CHECK_INT(pcm[0].n_samples, frames * KOKORO_SAMPLES_PER_FRAME);
    kk_arena_fini(&arena);
}

TEST(without_a_usable_cache_the_model_still_opens)
{
    NEED_ALL();
    NEED_TIME();
    kk_model *model = NULL;
    kokoro_error err = {0, ""};
    CHECK_INT(open_model(&model, model_path, "/proc/no-such-directory", &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    if (model != NULL)
        model->provider->close(model);
}

/* True from the n-th question on. */
static bool stops_at(void *user)
{
    int *n = user;
    return --*n <= 0;
}

TEST(an_inference_is_stopped_and_the_next_is_whole)
{
    NEED_ALL();
    kk_arena arena = KK_ARENA_INIT;
    kk_model *model = NULL;
    kokoro_error err = {0, ""};
    kk_pcm before, after, stopped;
    CHECK_INT(open_model(&model, model_path, dir, &err), KOKORO_OK);
    CHECK_INT(speak(model, &arena, NULL, &before, &err), KOKORO_OK);
    for (int asked = 1; asked <= 3; asked++) {
        int n = asked;
        const kk_infer_control control = {.cancelled = stops_at, .cancelled_user = &n};
        CHECK_INT(speak(model, &arena, &control, &stopped, &err), KOKORO_CANCELLED);
        CHECK_INT(n, 0); /* not asked again after its yes */
        CHECK(stopped.samples == NULL && stopped.n_samples == 0);
    }
    int never = 1 << 30;
    const kk_infer_control control = {.cancelled = stops_at, .cancelled_user = &never};
    CHECK_INT(speak(model, &arena, &control, &after, &err), KOKORO_OK);
    CHECK(is_same(&after, &before));
    CHECK(never < (1 << 30) - 1);
    model->provider->close(model);
    kk_arena_fini(&arena);
}

TEST(no_allocation_may_fail_unnoticed)
{
    NEED_ALL();
    kk_model *model = NULL;
    kokoro_error err;
    int status = KOKORO_NO_MEMORY;
    for (size_t k = 1; k < 100 && status != KOKORO_OK; k++) {
        kk_alloc_fail_at(k, 0);
        status = open_model(&model, model_path, dir, &err);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || (status == KOKORO_NO_MEMORY && model == NULL));
    }
    CHECK_INT(status, KOKORO_OK);
    status = KOKORO_NO_MEMORY;
    for (size_t k = 1; k < 100 && status != KOKORO_OK; k++) {
        kk_arena arena = KK_ARENA_INIT;
        kk_pcm pcm;
        kk_alloc_fail_at(k, 0);
        status = speak(model, &arena, NULL, &pcm, &err);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
        kk_arena_fini(&arena);
    }
    CHECK_INT(status, KOKORO_OK);
    model->provider->close(model);
}

TEST(bf16_is_taken_where_the_cpu_has_it)
{
    NEED_ALL();
    NEED_TIME();
    kk_model *model = NULL;
    kokoro_error err;
    int status = open_with(&model, "openvino", model_path, dir, "bf16", &err);
    const char *best = status == KOKORO_OK ? "bf16" : "f32";
    if (status == KOKORO_OK) {
        CHECK_STR(model->info.precision, "bf16");
        model->provider->close(model);
    } else {
        CHECK_INT(status, KOKORO_PROVIDER);
        CHECK_HAS(err.message, "use auto or f32");
    }
    CHECK_INT(open_with(&model, "openvino", model_path, dir, "auto", &err), KOKORO_OK);
    CHECK_STR(model->info.precision, best);
    CHECK_NEAR(model->info.pack_ms, 0, 0);
    model->provider->close(model);
}

/* ---- beside the native engine, with a voice ------------------------------------------------- */

/*
 * The runtime keeps the export's rounding of activations to int8, which native leaves out: one
 * token of 31 came a frame shorter, levels differed by up to 2.4 dB.
 */
enum { MAX_TOKENS = 64, N_MOVED = 4 };
#define AUDIBLE 0.02
#define LEVEL_DB 9.6

typedef struct heard {
    int32_t durations[MAX_TOKENS];
    double rms[MAX_TOKENS]; /* of each token's samples */
    size_t n;
} heard;

static int hear(void *user, const kokoro_chunk *chunk)
{
    heard *h = user;
    const float *at = chunk->samples;
    for (h->n = 0; h->n < chunk->n_durations && h->n < MAX_TOKENS; h->n++) {
        const size_t n = (size_t)chunk->durations[h->n] * KOKORO_SAMPLES_PER_FRAME;
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)at[i] * (double)at[i];
        h->durations[h->n] = chunk->durations[h->n];
        h->rms[h->n] = sqrt(sum / (double)n);
        at += n;
    }
    return 0;
}

static void say(heard *h, const char *provider, const char *voices)
{
    kokoro_options options;
    kokoro_request request;
    kokoro_engine *engine = NULL;
    kokoro_error err = {0, ""};
    kokoro_options_init(&options);
    options.model_path = model_path;
    options.voices_path = voices;
    options.openvino_library = library;
    options.cache_dir = dir;
    options.provider = provider;
    options.precision = "f32";
    options.n_threads = 1;
    kokoro_request_init(&request);
    request.text = "həlˈO wˈɜɹld, ðɪs ɪz ɐ tˈɛst.";
    request.text_len = strlen(request.text);
    request.is_phonemes = true;
    CHECK_INT(kokoro_open(&engine, &options, &err), KOKORO_OK);
    CHECK_INT(kokoro_speak(engine, &request, hear, h, NULL, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    kokoro_get_engine_info(engine, &info);
    CHECK_STR(info.provider, provider);
    CHECK_STR(info.placement, "");
    kokoro_close(&engine);
}

TEST(it_says_what_native_says)
{
    NEED_ALL();
    char voices[512];
    NEED(voices, "voices/voices.pack");
    heard native = {.n = 0}, openvino = {.n = 0};
    say(&native, "native", voices);
    say(&openvino, "openvino", voices);
    CHECK(native.n > 20);
    CHECK_INT(openvino.n, native.n);
    size_t n_moved = 0;
    for (size_t i = 0; i < native.n && i < openvino.n; i++) {
        const int moved = abs(native.durations[i] - openvino.durations[i]);
        CHECK(moved <= 1);
        n_moved += moved > 0;
        if (native.rms[i] > AUDIBLE)
            CHECK_NEAR(20 * log10(openvino.rms[i] / native.rms[i]), 0, LEVEL_DB);
    }
    CHECK(n_moved <= N_MOVED);
}

TEST(tear_down)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    CHECK_INT(system(command), 0);
}

TEST_MAIN(T(set_up), T(a_library_that_is_none_is_named), T(auto_does_not_take_it_unmeasured),
          T(it_is_described), T(what_is_no_model_is_named),
          T(the_cached_form_is_used_and_a_damaged_one_made_anew),
          T(without_a_usable_cache_the_model_still_opens),
          T(an_inference_is_stopped_and_the_next_is_whole), T(no_allocation_may_fail_unnoticed),
          T(bf16_is_taken_where_the_cpu_has_it), T(it_says_what_native_says), T(tear_down))
