/*
 * engine.c - opening and closing: voices, lexicon, helper and model come together here.
 */
#include "engine/engine.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "hardware/hardware.h"

#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

const char *kokoro_version(void)
{
#define KK_STRING_(x) #x
#define KK_STRING(x) KK_STRING_(x)
    return KK_STRING(KOKORO_VERSION_MAJOR) "." KK_STRING(KOKORO_VERSION_MINOR) "." KK_STRING(
        KOKORO_VERSION_PATCH);
}

const char *kokoro_source_text(int source)
{
    static const char *const texts[] = {
#define KOKORO_X(name, text) text,
        KOKORO_SOURCE_MAP(KOKORO_X)
#undef KOKORO_X
    };
    return source >= 0 && source < KOKORO_N_SOURCES ? texts[source] : "none";
}

void kokoro_options_init(kokoro_options *options)
{
    *options = (kokoro_options){.struct_size = sizeof(*options), .provider = "auto"};
}

/* A caller compiled against an older header passes a shorter struct: the rest is as
 * kokoro_options_init leaves it. */
static int copy_options(kokoro_options *dst, const kokoro_options *src, kokoro_error *err)
{
    if (src == NULL || src->struct_size < sizeof(size_t) || src->struct_size > sizeof(*dst))
        return kk_fail(err, KOKORO_INVALID, "options must be filled by kokoro_options_init first");
    size_t len = src->struct_size;
    kokoro_options_init(dst);
    memcpy(dst, src, len);
    if (dst->provider == NULL)
        dst->provider = "auto";
    return KOKORO_OK;
}

static int new_engine(kokoro_engine **out, const kokoro_options *options, kokoro_error *err)
{
    kokoro_engine *engine = kk_calloc(1, sizeof(*engine));
    if (engine == NULL)
        return kk_fail_memory(err);
    engine->log = (kk_log){options->log, options->log_user};
    if (kk_schedule_init(&engine->schedule) != 0) {
        kk_free(engine);
        return kk_fail_memory(err);
    }
    const kk_phonemizer_options phonemizer = {.lexicon_path = options->lexicon_path,
                                              .espeak_helper = options->espeak_helper,
                                              .log = &engine->log,
                                              .known_files = options->known_files};
    int status = kk_phonemizer_open(&engine->phonemizer, &phonemizer, err);
    if (status != KOKORO_OK)
        kokoro_close(&engine);
    *out = engine;
    return status;
}

static int open_model(kokoro_engine *engine, const kokoro_options *options, kokoro_error *err)
{
    const kk_model_options model = {.model_path = options->model_path,
                                    .cache_dir = options->cache_dir,
                                    .library = options->ort_library,
                                    .openvino_library = options->openvino_library,
                                    .cpu_mask = options->cpu_mask,
                                    .precision = options->precision,
                                    .n_threads = engine->n_threads,
                                    .wants_placement = options->wants_placement,
                                    .known_files = options->known_files,
                                    .log = &engine->log};
    return kk_choose_and_open(&engine->model, &engine->n_threads, &engine->choice, options, &model,
                              err);
}

static int check_options(const kokoro_options *options, kokoro_error *err)
{
    if (options->model_path == NULL || options->model_path[0] == '\0')
        return kk_fail(err, KOKORO_INVALID, "no model: set KOKORO_MODEL, or run: ./run setup");
    if (options->voices_path == NULL || options->voices_path[0] == '\0')
        return kk_fail(err, KOKORO_INVALID, "no voices: set KOKORO_VOICES, or run: ./run setup");
    if (options->n_threads < 0 || options->n_threads > 1024)
        return kk_fail(err, KOKORO_INVALID, "threads must be 0 to 1024, not %d",
                       options->n_threads);
    if (options->n_at_once < 0 || options->n_at_once > 1024)
        return kk_fail(err, KOKORO_INVALID, "at once can be 0 to 1024 inferences, not %d",
                       options->n_at_once);
    return KOKORO_OK;
}

int kokoro_open(kokoro_engine **out, const kokoro_options *options, kokoro_error *err)
{
    kokoro_options copy;
    kokoro_engine *engine = NULL;
    *out = NULL;
    int status = copy_options(&copy, options, err);
    if (status == KOKORO_OK)
        status = check_options(&copy, err);
    if (status == KOKORO_OK)
        status = new_engine(&engine, &copy, err);
    if (status != KOKORO_OK)
        return status;
    engine->n_threads = copy.n_threads;
    if (engine->n_threads == 0) {
        kk_hardware hardware;
        kk_hardware_read(&hardware);
        engine->n_threads = kk_hardware_threads(&hardware);
    }
    status = kk_voices_open(&engine->voices, copy.voices_path, err);
    if (status == KOKORO_OK)
        status = open_model(engine, &copy, err);
    if (status == KOKORO_OK && engine->model->info.is_concurrent)
        kk_schedule_set(&engine->schedule, copy.n_at_once > 0 ? copy.n_at_once : engine->n_threads,
                        engine->n_threads);
    else if (status == KOKORO_OK)
        kk_schedule_set(&engine->schedule, 1, engine->n_threads);
    if (status != KOKORO_OK)
        kokoro_close(&engine);
    *out = engine;
    return status;
}

int kokoro_open_phonemizer(kokoro_engine **out, const kokoro_options *options, kokoro_error *err)
{
    kokoro_options copy;
    *out = NULL;
    int status = copy_options(&copy, options, err);
    return status == KOKORO_OK ? new_engine(out, &copy, err) : status;
}

void kokoro_close(kokoro_engine **engine_ptr)
{
    kokoro_engine *engine = engine_ptr != NULL ? *engine_ptr : NULL;
    if (engine == NULL)
        return;
    if (engine->model != NULL)
        engine->model->provider->close(engine->model);
    kk_choice_fini(&engine->choice);
    kk_voices_close(&engine->voices);
    kk_phonemizer_close(&engine->phonemizer);
    kk_schedule_fini(&engine->schedule);
    kk_free(engine);
    *engine_ptr = NULL;
}

void kokoro_get_engine_info(const kokoro_engine *engine, kokoro_engine_info *info)
{
    kokoro_engine_info full = {.struct_size = info->struct_size,
                               .provider = "none",
                               .execution_provider = "none",
                               .precision = "none",
                               .runtime_version = "",
                               .choice = "none",
                               .choice_reason = "",

                               .placement = ""};
    if (engine->model != NULL) {
        const kk_model_info *model = &engine->model->info;
        full.provider = engine->model->provider->name;
        full.execution_provider = model->execution_provider;
        full.precision = model->precision;
        full.runtime_version = model->version;
        full.n_threads = engine->n_threads;
        full.load_ms = model->load_ms;
        full.pack_ms = model->pack_ms;
        full.choice = engine->choice.choice;
        full.choice_reason = engine->choice.reason;
        full.placement = model->placement != NULL ? model->placement : "";
    }
    memcpy(info, &full, info->struct_size < sizeof(full) ? info->struct_size : sizeof(full));
}

void kokoro_set_benchmark_period(kokoro_engine *engine, const char *frequency, bool extended)
{
    kk_choice_set_period(&engine->choice, frequency, extended);
}

void kokoro_trim(kokoro_engine *engine)
{
    if (engine->model != NULL && engine->model->provider->trim != NULL) {
        kk_turn turn = {.kind = KK_TURN_BATCH, .came_s = kk_now_s()};
        (void)kk_schedule_take(&engine->schedule, &turn);
        engine->model->provider->trim(engine->model);
        kk_schedule_pass(&engine->schedule, &turn);
    }
#if defined(__GLIBC__)
    (void)malloc_trim(0);
#endif
}

void kokoro_list_measures(const kokoro_engine *engine, kokoro_measure_fn *fn, void *user)
{
    if (engine->model != NULL && engine->model->provider->list_measures != NULL)
        engine->model->provider->list_measures(engine->model, fn, user);
    kk_phonemizer_list_measures(engine->phonemizer, fn, user);
}

size_t kokoro_voice_count(const kokoro_engine *engine)
{
    return engine->voices != NULL ? kk_voices_count(engine->voices) : 0;
}

int kokoro_get_voice(const kokoro_engine *engine, size_t index, kokoro_voice *out)
{
    if (index >= kokoro_voice_count(engine))
        return KOKORO_INVALID;
    *out = kk_voices_get(engine->voices, index);
    return KOKORO_OK;
}

int kokoro_voice_loudness(const kokoro_engine *engine, const char *voice, double *lufs,
                          kokoro_error *err)
{
    kk_blend blend;
    *lufs = 0.0;
    if (engine->voices == NULL)
        return kk_fail(err, KOKORO_INVALID, "this engine was opened for phonemes only");
    int status = kk_blend_parse(
        engine->voices, voice != NULL && voice[0] != '\0' ? voice : "af_heart", &blend, err);
    return status == KOKORO_OK ? kk_blend_loudness(engine->voices, &blend, lufs, err) : status;
}

const char *kokoro_provider_name(size_t index)
{
    return index < KK_N_PROVIDERS ? kk_providers[index]->name : NULL;
}

int kokoro_describe_provider(const kokoro_options *options, const char *name,
                             void (*fn)(void *user, const kokoro_provider *provider), void *user,
                             kokoro_error *err)
{
    kokoro_options copy;
    kokoro_provider provider;
    kk_arena arena = KK_ARENA_INIT;
    const kk_provider *known = name != NULL ? kk_provider_find(name) : NULL;
    int status = copy_options(&copy, options, err);
    if (status != KOKORO_OK)
        return status;
    if (known == NULL)
        return kk_fail(err, KOKORO_INVALID, "unknown provider '%.40s'", name != NULL ? name : "");
    const kk_model_options model = {.library = copy.ort_library,
                                    .openvino_library = copy.openvino_library,
                                    .cpu_mask = copy.cpu_mask};
    known->describe(&arena, &model, &provider);
    fn(user, &provider);
    kk_arena_fini(&arena);
    return KOKORO_OK;
}

int kokoro_list_providers(const kokoro_options *options,
                          void (*fn)(void *user, const kokoro_provider *provider), void *user,
                          kokoro_error *err)
{
    int status = KOKORO_OK;
    for (size_t i = 0; status == KOKORO_OK && i < KK_N_PROVIDERS; i++)
        status = kokoro_describe_provider(options, kk_providers[i]->name, fn, user, err);
    return status;
}

int kokoro_list_cached(const kokoro_options *options,
                       void (*fn)(void *user, const kokoro_cached *cached), void *user,
                       kokoro_error *err)
{
    kokoro_options copy;
    int status = copy_options(&copy, options, err);
    if (status == KOKORO_OK && (copy.model_path == NULL || copy.cache_dir == NULL))
        status = kk_fail(err, KOKORO_INVALID, "model_path and cache_dir must be given");
    for (size_t i = 0; status == KOKORO_OK && i < KK_N_PROVIDERS; i++) {
        kk_arena arena = KK_ARENA_INIT;
        kokoro_cached cached = {.provider = kk_providers[i]->name};
        const kk_model_options model = {.model_path = copy.model_path,
                                        .cache_dir = copy.cache_dir,
                                        .library = copy.ort_library,
                                        .openvino_library = copy.openvino_library,
                                        .cpu_mask = copy.cpu_mask};
        if (kk_providers[i]->cached != NULL) {
            kk_providers[i]->cached(&arena, &model, &cached);
            fn(user, &cached);
        }
        kk_arena_fini(&arena);
    }
    return status;
}
