/* lane.c - see lane.h. */
#include "bench/lane.h"

#include "base/status.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SAMPLES = KOKORO_SAMPLE_RATE_HZ * 3600, MAX_DURATIONS = 1 << 20 };

/* A string of an answer, "" where there is none. */
static const char *text_of(const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));
    return text != NULL ? text : "";
}

static double real_of(const json_t *answer, const char *name, bool *is_good)
{
    const json_t *value = json_object_get(answer, name);
    const double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number) || number < 0.0)
        *is_good = false;
    return number;
}

static size_t count_of(const json_t *answer, const char *name, json_int_t most, bool *is_good)
{
    const json_t *value = json_object_get(answer, name);
    const json_int_t number = json_integer_value(value);
    if (value != NULL && (!json_is_integer(value) || number < 0 || number > most)) {
        *is_good = false;
        return 0;
    }
    return (size_t)number;
}

static void set_name(char dst[KK_WAY_NAME], const char *src)
{
    const size_t len = strlen(src) < KK_WAY_NAME ? strlen(src) : KK_WAY_NAME - 1;
    memcpy(dst, src, len);
    dst[len] = '\0';
}

static int fail_nonsense(kk_lane *lane, const char *what, kokoro_error *err)
{
    kk_lane_close(lane);
    return kk_fail(err, KOKORO_PROVIDER, "its answer about %s makes no sense", what);
}

json_t *kk_lane_question(const char *what, const kokoro_options *options)
{
    json_t *question = json_pack("{s:s}", "do", what);
    const struct {
        const char *name, *value;
    } paths[] = {
        {"model_path", options->model_path},     {"voices_path", options->voices_path},
        {"lexicon_path", options->lexicon_path}, {"espeak_helper", options->espeak_helper},
        {"ort_library", options->ort_library},   {"openvino_library", options->openvino_library},
        {"cache_dir", options->cache_dir},       {"cpu_mask", options->cpu_mask}};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (question != NULL && paths[i].value != NULL &&
            json_object_set_new(question, paths[i].name, json_string(paths[i].value)) != 0) {
            json_decref(question);
            question = NULL;
        }
    }
    return question;
}

static json_t *open_question(const kk_lane *lane, const char *what, const kokoro_options *options)
{
    const kk_way *way = &lane->way->way;
    json_t *question = kk_lane_question(what, options);
    json_t *choice = json_pack("{s:s, s:s, s:i}", "provider", way->provider, "precision",
                               lane->in_auto ? "auto" : way->precision, "threads", way->n_threads);
    if (question != NULL && (choice == NULL || json_object_update(question, choice) != 0)) {
        json_decref(question);
        question = NULL;
    }
    json_decref(choice);
    return question;
}

/* Left out of the result where the child tells none. */
static const char *measures_of(const json_t *answer, kk_arena *arena)
{
    char *text = json_dumps(json_object_get(answer, "measures"), JSON_COMPACT);
    const char *copy = text != NULL ? kk_arena_strdup(arena, text) : NULL;
    free(text);
    return copy;
}

static int read_opened(kk_lane *lane, const kk_lane_context *context, const json_t *answer,
                       kokoro_error *err)
{
    bool is_good = true;
    kk_bench_way *way = lane->way;
    way->load_ms = real_of(answer, "load_ms", &is_good);
    way->pack_ms = real_of(answer, "pack_ms", &is_good);
    way->execution_provider =
        kk_arena_strdup(context->arena, text_of(answer, "execution_provider"));
    way->version = kk_arena_strdup(context->arena, text_of(answer, "version"));
    way->placement = kk_arena_strdup(context->arena, text_of(answer, "placement"));
    way->measures = measures_of(answer, context->arena);
    if (way->execution_provider == NULL || way->version == NULL || way->placement == NULL)
        return kk_fail_memory(err);
    if (!is_good || strcmp(text_of(answer, "provider"), way->way.provider) != 0)
        return fail_nonsense(lane, "the model", err);
    if (text_of(answer, "precision")[0] != '\0')
        set_name(way->way.precision, text_of(answer, "precision"));
    lane->is_open = true;
    return KOKORO_OK;
}

int kk_lane_open(kk_lane *lane, const kk_lane_context *context, double limit_s, kokoro_error *err)
{
    json_t *answer = NULL;
    int status = kk_child_start(&lane->child, context->command, true, err);
    if (status != KOKORO_OK)
        return status;
    json_t *question = open_question(lane, "open", context->options);
    status = question != NULL
                 ? kk_child_ask(&lane->child, question, limit_s, context->watch, &answer, err)
                 : kk_fail_memory(err);
    if (status == KOKORO_OK)
        status = read_opened(lane, context, answer, err);
    json_decref(question);
    json_decref(answer);
    if (status != KOKORO_OK)
        kk_lane_close(lane);
    return status;
}

void kk_lane_close(kk_lane *lane)
{
    kk_lane_close_within(lane, KK_CHILD_PATIENCE_S);
}

void kk_lane_close_within(kk_lane *lane, double patience_s)
{
    kk_child_end_within(&lane->child, patience_s);
    lane->is_open = false;
}

void kk_lane_place(kk_lane *lane, const kk_lane_context *context, double limit_s)
{
    json_t *answer = NULL;
    json_t *question = open_question(lane, "place", context->options);
    if (question != NULL &&
        kk_child_ask(&lane->child, question, limit_s, context->watch, &answer, NULL) == KOKORO_OK) {
        const char *placement = kk_arena_strdup(context->arena, text_of(answer, "placement"));
        if (placement != NULL)
            lane->way->placement = placement;
    }
    json_decref(question);
    json_decref(answer);
}

static int read_spoken(kk_lane *lane, const json_t *answer, kk_lane_sample *out, kokoro_error *err)
{
    bool is_good = true;
    *out = (kk_lane_sample){
        .model_s = real_of(answer, "model_s", &is_good),
        .first_audio_s = real_of(answer, "first_audio_s", &is_good),
        .audio_s = real_of(answer, "audio_s", &is_good),
        .resident_mb = real_of(answer, "resident_mb", &is_good),
        .peak_mb = real_of(answer, "peak_mb", &is_good),
        .n_chunks = count_of(answer, "n_chunks", MAX_DURATIONS, &is_good),
        .n_samples = count_of(answer, "n_samples", MAX_SAMPLES, &is_good),
        .n_durations = count_of(answer, "n_durations", MAX_DURATIONS, &is_good),
        .is_partial = json_is_true(json_object_get(answer, "is_partial")),
    };
    return is_good && out->audio_s > 0.0 ? KOKORO_OK : fail_nonsense(lane, "a text", err);
}

int kk_lane_speak(kk_lane *lane, const kk_lane_context *context, const kk_lane_request *request,
                  kk_lane_sample *out, kokoro_error *err)
{
    json_t *answer = NULL;
    json_t *question =
        json_pack("{s:s, s:s, s:s, s:b, s:b}", "do", "speak", "text", request->text, "voice",
                  context->voice, "pieces", request->pieces, "keep", request->keep);
    *out = (kk_lane_sample){.n_samples = 0};
    int status = question != NULL ? kk_child_ask(&lane->child, question, request->limit_s,
                                                 context->watch, &answer, err)
                                  : kk_fail_memory(err);
    if (status == KOKORO_OK)
        status = read_spoken(lane, answer, out, err);
    json_decref(question);
    json_decref(answer);
    return status;
}

static int read_at(int fd, void *dst, size_t len, off_t offset, kokoro_error *err)
{
    char *at = dst;
    while (len > 0) {
        const ssize_t n = pread(fd, at, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return kk_fail(err, n < 0 ? KOKORO_IO : KOKORO_BAD_DATA,
                           "the sound of the child cannot be read: %s",
                           n < 0 ? strerror(errno) : "it is shorter than it said");
        at += n;
        offset += n;
        len -= (size_t)n;
    }
    return KOKORO_OK;
}

int kk_lane_sound(const kk_lane *lane, const kk_lane_sample *sample, kk_arena *arena,
                  kk_bench_sound *out, kokoro_error *err)
{
    const size_t samples_len = sample->n_samples * sizeof(float);
    const size_t durations_len = sample->n_durations * sizeof(int32_t);
    float *samples = kk_arena_alloc(arena, samples_len + 1);
    int32_t *durations = kk_arena_alloc(arena, durations_len + 1);
    *out = (kk_bench_sound){.n_samples = 0};
    if (samples == NULL || durations == NULL)
        return kk_fail_memory(err);
    int status = read_at(lane->child.file, samples, samples_len, 0, err);
    if (status == KOKORO_OK)
        status = read_at(lane->child.file, durations, durations_len, (off_t)samples_len, err);
    if (status == KOKORO_OK)
        *out = (kk_bench_sound){.samples = samples,
                                .n_samples = sample->n_samples,
                                .durations = durations,
                                .n_durations = sample->n_durations};
    return status;
}
