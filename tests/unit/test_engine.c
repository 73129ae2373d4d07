/*
 * The public API with the real model: what is refused before any sound, what the stats say, that
 * chunks add up, that engines and requests leave nothing behind, and that every failed allocation
 * comes back as an error.
 */
#include "check.h"
#include "data.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "kokoro/kokoro.h"

#include <pthread.h>
#include <stdint.h>

static char model_path[512], voices_path[512], lexicon_path[512], library[512];
static char cache_dir[] = "/tmp/kokoro-engine-XXXXXX";
static kokoro_engine *engine;

static void set_options(kokoro_options *options)
{
    kokoro_options_init(options);
    options->model_path = model_path;
    options->voices_path = voices_path;
    options->lexicon_path = lexicon_path;
    options->ort_library = library;
    options->cache_dir = cache_dir;
    options->cpu_mask = getenv("KOKORO_CPU_MASK");
}

typedef struct sum {
    size_t n_samples, n_chunks, n_frames, stop_after;
    float peak, last, largest_step_at_seam;
    uint64_t hash; /* of all samples */
} sum;

static int add(void *user, const kokoro_chunk *chunk)
{
    sum *s = user;
    CHECK_INT(chunk->index, s->n_chunks);
    if (s->n_chunks > 0 && chunk->n_samples > 0) {
        float step = fabsf(chunk->samples[0] - s->last);
        if (step > s->largest_step_at_seam)
            s->largest_step_at_seam = step;
    }
    for (size_t i = 0; i < chunk->n_samples; i++)
        s->peak = fabsf(chunk->samples[i]) > s->peak ? fabsf(chunk->samples[i]) : s->peak;
    for (size_t i = 0; i < chunk->n_durations; i++)
        s->n_frames += (size_t)chunk->durations[i];
    s->last = chunk->n_samples > 0 ? chunk->samples[chunk->n_samples - 1] : 0.0f;
    s->hash = 31 * s->hash + kk_hash(chunk->samples, chunk->n_samples * sizeof(float));
    s->n_samples += chunk->n_samples;
    s->n_chunks++;
    return s->stop_after > 0 && s->n_chunks >= s->stop_after;
}

static int speak(const char *text, const char *voice, double speed, sum *s, kokoro_stats *stats,
                 kokoro_error *err)
{
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = text;
    request.text_len = strlen(text);
    request.voice = voice;
    request.speed = speed;
    size_t stop_after = s->stop_after;
    memset(s, 0, sizeof(*s));
    s->stop_after = stop_after;
    return kokoro_speak(engine, &request, add, s, stats, err);
}

#define NEED_DATA()                                                                                \
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");                                               \
    NEED(voices_path, "voices/voices.pack");                                                       \
    NEED(lexicon_path, "lexicon/english.pack");                                                    \
    NEED(library, "lib/libonnxruntime.so")

TEST(an_engine_opens)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_error err = {0, ""};
    CHECK(mkdtemp(cache_dir) != NULL);
    set_options(&options);
    CHECK_INT(kokoro_open(&engine, &options, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    kokoro_get_engine_info(engine, &info);
    CHECK_STR(info.provider, "native");
    CHECK_STR(info.execution_provider, "native");
    CHECK_STR(info.precision, strcmp(info.runtime_version, "avx512bf16") == 0 ? "bf16" : "f32");
    CHECK(info.n_threads >= 1);
    CHECK_INT(kokoro_voice_count(engine), 54);
}

TEST(how_loud_a_voice_is_can_be_asked)
{
    NEED_DATA();
    double first = 1.0, second = 1.0, both = 1.0, none = 1.0;
    kokoro_error err = {0, ""};
    CHECK_INT(kokoro_voice_loudness(engine, "bf_isabella", &first, &err), KOKORO_OK);
    CHECK_INT(kokoro_voice_loudness(engine, "af_nova", &second, &err), KOKORO_OK);
    CHECK_INT(kokoro_voice_loudness(engine, "af_nova(3)+bf_isabella(1)", &both, &err), KOKORO_OK);
    CHECK(first - second > 8.0 && second > -30.0);
    CHECK_NEAR(both, (first + 3.0 * second) / 4.0, 1e-5);
    CHECK_INT(kokoro_voice_loudness(engine, "af_novo", &none, &err), KOKORO_VOICE);
    CHECK_HAS(err.message, "did you mean af_nova?");
    CHECK_NEAR(none, 0.0, 0.0);
    kokoro_engine *phonemizer = NULL;
    kokoro_options options;
    kokoro_options_init(&options);
    CHECK_INT(kokoro_open_phonemizer(&phonemizer, &options, NULL), KOKORO_OK);
    CHECK_INT(kokoro_voice_loudness(phonemizer, "af_nova", &none, NULL), KOKORO_INVALID);
    kokoro_close(&phonemizer);
}

static int speak_with(kokoro_engine *with, const char *text, sum *s)
{
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = text;
    request.text_len = strlen(text);
    memset(s, 0, sizeof(*s));
    return kokoro_speak(with, &request, add, s, NULL, NULL);
}

TEST(the_runtime_speaks_when_it_is_asked_for)
{
    NEED_DATA();
    kokoro_options options;
    kokoro_engine *other = NULL;
    kokoro_error err = {0, ""};
    set_options(&options);
    options.provider = "onnxruntime";
    CHECK_INT(kokoro_open(&other, &options, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    kokoro_get_engine_info(other, &info);
    CHECK_STR(info.provider, "onnxruntime");
    CHECK_STR(info.execution_provider, "CPUExecutionProvider");
    CHECK_STR(info.precision, "file");
    sum theirs, ours;
    CHECK_INT(speak_with(other, "Good morning.", &theirs), KOKORO_OK);
    CHECK_INT(speak_with(engine, "Good morning.", &ours), KOKORO_OK);
    /* The durations are whole numbers of frames, and the same network's. */
    CHECK_NEAR((double)ours.n_frames, (double)theirs.n_frames, 1.0);
    CHECK_NEAR(ours.peak, theirs.peak, 0.2 * (double)theirs.peak);
    kokoro_close(&other);
}

/* Speaks `text` on an engine with so many threads, after other requests or as the first. */
static void hash_speech(const char *text, int n_threads, bool is_first, sum *s)
{
    kokoro_options options;
    kokoro_engine *other = NULL;
    sum unused;
    set_options(&options);
    options.provider = "native";
    options.n_threads = n_threads;
    CHECK_INT(kokoro_open(&other, &options, NULL), KOKORO_OK);
    if (other == NULL)
        return;
    if (!is_first) {
        CHECK_INT(speak_with(other, "A longer sentence than the one that is compared.", &unused),
                  KOKORO_OK);
        CHECK_INT(speak_with(other, "Go.", &unused), KOKORO_OK);
    }
    CHECK_INT(speak_with(other, text, s), KOKORO_OK);
    kokoro_close(&other);
}

TEST(equal_requests_give_equal_samples)
{
    NEED_DATA();
    static const char text[] = "Two and two are four.";
    sum first, again;
    hash_speech(text, 1, true, &first);
    CHECK(first.n_samples > KOKORO_SAMPLE_RATE_HZ / 2);
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        hash_speech(text, n_threads, n_threads == 2, &again);
        CHECK_INT(again.n_samples, first.n_samples);
        CHECK(again.hash == first.hash);
    }
}

typedef struct measures {
    size_t n, n_applied, n_failed;
    char names[1024];
} measures;

static void note_measure(void *user, const kokoro_measure *measure)
{
    measures *m = user;
    char name[80];
    (void)snprintf(name, sizeof(name), " %s ", measure->name);
    CHECK(strstr(m->names, name) == NULL); /* each once */
    (void)strncat(m->names, name, sizeof(m->names) - strlen(m->names) - 1);
    CHECK(measure->target[0] != '\0' && measure->detail[0] != '\0');
    CHECK(!(measure->applied && measure->error[0] != '\0'));
    m->n++;
    m->n_applied += measure->applied;
    m->n_failed += measure->error[0] != '\0';
}

static void speak_between_trims(const char *provider, const char *a_measure)
{
    kokoro_options options;
    kokoro_engine *other = NULL;
    sum before, after;
    measures m = {.n = 0};
    set_options(&options);
    options.provider = provider;
    CHECK_INT(kokoro_open(&other, &options, NULL), KOKORO_OK);
    if (other == NULL)
        return;
    kokoro_trim(other); /* before anything was spoken */
    CHECK_INT(speak_with(other, "Go.", &before), KOKORO_OK);
    kokoro_trim(other);
    kokoro_trim(other);
    CHECK_INT(speak_with(other, "Go.", &after), KOKORO_OK);
    CHECK_INT(after.n_samples, before.n_samples);
    CHECK_INT(after.n_frames, before.n_frames);
    kokoro_list_measures(other, note_measure, &m);
    CHECK_HAS(m.names, a_measure);
    CHECK(m.n_applied > 0);
    CHECK_INT(m.n_failed, 0);
    kokoro_close(&other);
}

TEST(memory_is_given_back_and_measures_are_told)
{
    NEED_DATA();
    speak_between_trims("native", " unnamed_weights ");
    speak_between_trims("onnxruntime", " durations_output ");
    kokoro_engine *phonemizer = NULL;
    kokoro_options options;
    measures m = {.n = 0};
    kokoro_options_init(&options);
    CHECK_INT(kokoro_open_phonemizer(&phonemizer, &options, NULL), KOKORO_OK);
    kokoro_trim(phonemizer);
    kokoro_list_measures(phonemizer, note_measure, &m);
    CHECK_HAS(m.names, " lexicon_case ");
    CHECK_INT(m.n_applied, 0); /* there is neither a lexicon nor a helper */
    kokoro_close(&phonemizer);
}

TEST(a_sentence_is_spoken)
{
    NEED_DATA();
    sum s = {0};
    kokoro_stats stats;
    kokoro_error err = {0, ""};
    CHECK_INT(speak("Hello there, good world.", NULL, 1.0, &s, &stats, &err), KOKORO_OK);
    CHECK_INT(s.n_chunks, 1);
    CHECK_INT(s.n_samples, s.n_frames * KOKORO_SAMPLES_PER_FRAME);
    CHECK(s.peak > 0.05f && s.peak <= 1.5f);
    CHECK_NEAR(stats.audio_s, (double)s.n_samples / KOKORO_SAMPLE_RATE_HZ, 1e-9);
    CHECK(stats.audio_s > 1.0 && stats.audio_s < 4.0);
    CHECK_INT(stats.g2p_sources[KOKORO_SOURCE_LETTERS], 0);
    CHECK(stats.model_ms > 0 && stats.first_audio_ms >= stats.model_ms);
    sum fast = {0};
    CHECK_INT(speak("Hello there, good world.", NULL, 2.0, &fast, &stats, &err), KOKORO_OK);
    CHECK_NEAR((double)fast.n_samples / (double)s.n_samples, 0.5, 0.12);
}

TEST(sentences_join_without_a_click)
{
    NEED_DATA();
    sum s = {0};
    kokoro_error err;
    CHECK_INT(
        speak("The river rose in the night, and nobody in the village slept at all until morning. "
              "By noon the water had gone down again, and the children played in the warm mud.\n\n"
              "Nobody spoke of it afterwards.",
              "bf_emma", 1.0, &s, NULL, &err),
        KOKORO_OK);
    CHECK(s.n_chunks >= 2);
    CHECK(s.largest_step_at_seam < 0.002f);
}

static size_t seam_length(int before, int after)
{
    sum s = {0};
    kokoro_error err;
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = "When the rain falls on the roof,";
    request.text_len = strlen(request.text);
    request.seam_before = before;
    request.seam_after = after;
    CHECK_INT(kokoro_speak(engine, &request, add, &s, NULL, &err), KOKORO_OK);
    CHECK_INT(s.n_chunks, 1);
    return s.n_samples;
}

TEST(a_part_of_a_sentence_has_no_full_stop_at_its_seams)
{
    NEED_DATA();
    const size_t whole = seam_length(KOKORO_SEAM_NONE, KOKORO_SEAM_NONE);
    const size_t ms = KOKORO_SAMPLE_RATE_HZ / 1000;
    CHECK_INT(seam_length(KOKORO_SEAM_SENTENCE, KOKORO_SEAM_SENTENCE), whole);
    const size_t before = seam_length(KOKORO_SEAM_CUT, KOKORO_SEAM_NONE);
    const size_t after = seam_length(KOKORO_SEAM_NONE, KOKORO_SEAM_CUT);
    CHECK(before + 50 * ms < whole);
    CHECK(after + 50 * ms < whole);
    CHECK_INT(seam_length(KOKORO_SEAM_CUT, KOKORO_SEAM_CUT), before + after - whole);
}

TEST(what_cannot_be_spoken_is_refused_before_any_sound)
{
    NEED_DATA();
    static const struct {
        const char *text, *voice;
        double speed;
        int status;
        const char *message;
    } rows[] = {
        {"", NULL, 1, KOKORO_NO_SPEECH, "no word"},
        {" \n\t ", NULL, 1, KOKORO_NO_SPEECH, "no word"},
        {"?!... --", NULL, 1, KOKORO_NO_SPEECH, "no word"},
        {"\xF0\x9F\x98\x80", NULL, 1, KOKORO_NO_SPEECH, "no word"},
        {"caf\xC3", NULL, 1, KOKORO_BAD_TEXT, "byte 3"},
        {"Hello", "nobody", 1, KOKORO_VOICE, "nobody"},
        {"Hello", "zf_xiaoxiao", 1, KOKORO_LANGUAGE, "zh"},
        {"Hello", NULL, 0, KOKORO_SPEED, "0.25 to 4"},
        {"Hello", NULL, 99, KOKORO_SPEED, "99"},
        {"Hello", NULL, -1, KOKORO_SPEED, "-1"},
        {"Hello", NULL, NAN, KOKORO_SPEED, "0.25 to 4"},
        {"Hello", NULL, INFINITY, KOKORO_SPEED, "0.25 to 4"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sum s = {0};
        kokoro_error err = {0, ""};
        CHECK_INT(speak(rows[i].text, rows[i].voice, rows[i].speed, &s, NULL, &err),
                  rows[i].status);
        CHECK_INT(err.status, rows[i].status);
        CHECK_HAS(err.message, rows[i].message);
        CHECK_INT(s.n_chunks, 0);
    }
}

static int count_samples(void *user, const kokoro_chunk *chunk)
{
    size_t *n = user;
    *n += chunk->n_samples;
    return 0;
}

TEST(pauses_over_their_limit_are_refused_before_any_sound)
{
    NEED_DATA();
    for (int is_allowed = 0; is_allowed < 2; is_allowed++) {
        size_t n_samples = 0;
        kokoro_error err = {0, ""};
        kokoro_request request;
        kokoro_request_init(&request);
        request.text = "One. Two.\n\nThree."; /* two pauses: none behind the last */
        request.text_len = strlen(request.text);
        request.sentence_pause_s = 0.25;
        request.paragraph_pause_s = 0.5;
        request.pauses_max_s = is_allowed ? 0.75 : 0.74;
        CHECK_INT(kokoro_speak(engine, &request, count_samples, &n_samples, NULL, &err),
                  is_allowed ? KOKORO_OK : KOKORO_PAUSES);
        CHECK(is_allowed == (n_samples > 0));
        if (!is_allowed)
            CHECK_HAS(err.message, "0.74");
    }
}

TEST(the_caller_can_stop)
{
    NEED_DATA();
    sum s = {.stop_after = 1};
    kokoro_error err;
    CHECK_INT(speak("One sentence stands here for the first chunk alone.\n\nTwo.\n\nThree.", NULL,
                    1.0, &s, NULL, &err),
              KOKORO_CANCELLED);
    CHECK_INT(s.n_chunks, 1);
}

static void *speak_in_thread(void *text)
{
    sum s = {0};
    kokoro_error err;
    int status = speak(text, NULL, 1.0, &s, NULL, &err);
    return (void *)(uintptr_t)(status == KOKORO_OK ? s.n_samples : 0);
}

TEST(threads_share_an_engine)
{
    NEED_DATA();
    static char first[] = "The first of two voices.", second[] = "And here is the second one.";
    pthread_t threads[2];
    void *n[2];
    CHECK_INT(pthread_create(&threads[0], NULL, speak_in_thread, first), 0);
    CHECK_INT(pthread_create(&threads[1], NULL, speak_in_thread, second), 0);
    CHECK_INT(pthread_join(threads[0], &n[0]), 0);
    CHECK_INT(pthread_join(threads[1], &n[1]), 0);
    CHECK(n[0] == speak_in_thread(first) && n[1] == speak_in_thread(second) && n[0] != NULL &&
          n[1] != NULL);
}

TEST(every_failed_allocation_of_a_request_is_reported)
{
    NEED_DATA();
    int status = KOKORO_NO_MEMORY;
    size_t k = 1;
    for (; status != KOKORO_OK && k < 2000; k++) {
        sum s = {0};
        kokoro_error err = {0, ""};
        kk_alloc_fail_at(k, 0);
        status = speak("Go.", NULL, 1.0, &s, NULL, &err);
        kk_alloc_fail_at(0, 0);
        if (status != KOKORO_OK && (status != KOKORO_NO_MEMORY || err.status != KOKORO_NO_MEMORY))
            CHECK_INT(status, KOKORO_NO_MEMORY);
    }
    CHECK_INT(status, KOKORO_OK);
    CHECK(k > 3);
}

TEST(every_failed_allocation_of_opening_is_reported)
{
    NEED_DATA();
    static const char *const providers[] = {"auto", "native", "onnxruntime"};
    for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
        kokoro_options options;
        set_options(&options);
        options.provider = providers[i];
        options.model_path = "/no/such/model"; /* the runtime's memory is its own */
        int status = KOKORO_NO_MEMORY;
        size_t k = 1;
        for (; status == KOKORO_NO_MEMORY && k < 500; k++) {
            kokoro_engine *other = NULL;
            kokoro_error err;
            kk_alloc_fail_at(k, 0);
            status = kokoro_open(&other, &options, &err);
            kk_alloc_fail_at(0, 0);
            CHECK(other == NULL);
        }
        CHECK_INT(status, KOKORO_NOT_FOUND);
        CHECK(k > 5);
    }
}

TEST(phonemes_come_with_their_source)
{
    NEED_DATA();
    kokoro_phonemes *phonemes = NULL;
    kokoro_error err;
    static const char text[] = "Hello world.";
    CHECK_INT(kokoro_phonemize(engine, text, sizeof(text) - 1, "en-us", &phonemes, &err),
              KOKORO_OK);
    CHECK_STR(phonemes->text, "həlˈO wˈɜɹld.");
    CHECK_INT(phonemes->n_words, 2);
    CHECK_STR(phonemes->words[1].text, "world");
    CHECK_INT(phonemes->words[1].offset, 6);
    CHECK_INT(phonemes->words[1].len, 5);
    CHECK_STR(kokoro_source_text(phonemes->words[1].source), "gold");
    kokoro_phonemes_free(&phonemes);
    CHECK(phonemes == NULL);
    CHECK_INT(kokoro_phonemize(engine, text, sizeof(text) - 1, "tlh", &phonemes, &err),
              KOKORO_LANGUAGE);
    CHECK_HAS(err.message, "tlh");
}

TEST(wrong_options_are_named)
{
    NEED_DATA();
    kokoro_engine *other = NULL;
    kokoro_options options;
    kokoro_error err;
    memset(&options, 0, sizeof(options));
    CHECK_INT(kokoro_open(&other, &options, &err), KOKORO_INVALID);
    CHECK_HAS(err.message, "kokoro_options_init");
    set_options(&options);
    options.provider = "abacus";
    CHECK_INT(kokoro_open(&other, &options, &err), KOKORO_INVALID);
    CHECK_HAS(err.message, "abacus");
    static const char *const choosing[] = {"auto", "native"};
    for (size_t i = 0; i < sizeof(choosing) / sizeof(choosing[0]); i++) {
        set_options(&options);
        options.provider = choosing[i];
        options.cpu_mask = "mmx";
        CHECK_INT(kokoro_open(&other, &options, &err), KOKORO_INVALID);
        CHECK_HAS(err.message, "mmx");
        set_options(&options);
        options.provider = choosing[i];
        options.precision = "f16";
        CHECK_INT(kokoro_open(&other, &options, &err), KOKORO_INVALID);
        CHECK_HAS(err.message, "f16");
    }
    set_options(&options);
    options.voices_path = model_path;
    CHECK_INT(kokoro_open(&other, &options, &err), KOKORO_BAD_DATA);
    CHECK_HAS(err.message, "not a packed voices file");
    set_options(&options);
    options.model_path = NULL;
    CHECK_INT(kokoro_open(&other, &options, &err), KOKORO_INVALID);
    CHECK_HAS(err.message, "KOKORO_MODEL");
    CHECK(other == NULL);
}

TEST(closing_sets_the_handle_to_null)
{
    kokoro_close(&engine);
    CHECK(engine == NULL);
    kokoro_close(&engine);
    kokoro_close(NULL);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", cache_dir);
    CHECK_INT(system(command), 0);
}

typedef struct cached_list {
    size_t n, n_told;
    char native[600];
} cached_list;

static void note_cached(void *user, const kokoro_cached *cached)
{
    cached_list *list = user;
    list->n++;
    CHECK((cached->path == NULL) != (cached->reason == NULL));
    CHECK(cached->folder != NULL && cached->provider != NULL);
    list->n_told += cached->path != NULL;
    if (strcmp(cached->folder, "native") == 0 && cached->path != NULL)
        (void)snprintf(list->native, sizeof(list->native), "%s", cached->path);
}

/* What a clean-up is to spare is told before it exists, and telling makes nothing. */
TEST(cached_files_are_named)
{
    kokoro_options options;
    kokoro_error err;
    cached_list list = {0, 0, ""};
    set_options(&options);
    options.cache_dir = "/nowhere/cache";
    CHECK_INT(kokoro_list_cached(&options, note_cached, &list, &err), KOKORO_OK);
    CHECK(list.n >= 2 && list.n_told >= 2);
    CHECK_HAS(list.native, "/nowhere/cache/native/");
    CHECK(access("/nowhere", F_OK) != 0);
    set_options(&options);
    CHECK_INT(kokoro_list_cached(&options, note_cached, &list, &err), KOKORO_OK);
    CHECK(access(list.native, R_OK) == 0); /* what the engine of these tests has mapped */
    options.model_path = "/nowhere/model";
    list = (cached_list){0, 0, ""};
    CHECK_INT(kokoro_list_cached(&options, note_cached, &list, &err), KOKORO_OK);
    CHECK_INT(list.n_told, 0);
    options.cpu_mask = "z80";
    CHECK_INT(kokoro_list_cached(&options, note_cached, &list, &err), KOKORO_OK);
    options.cache_dir = NULL;
    CHECK_INT(kokoro_list_cached(&options, note_cached, &list, &err), KOKORO_INVALID);
    set_options(&options);
    for (size_t k = 1; k < 12; k++) {
        kk_alloc_fail_at(k, 0);
        CHECK_INT(kokoro_list_cached(&options, note_cached, &list, &err), KOKORO_OK);
        kk_alloc_fail_at(0, 0);
    }
}

TEST_MAIN(T(an_engine_opens), T(how_loud_a_voice_is_can_be_asked),
          T(the_runtime_speaks_when_it_is_asked_for), T(equal_requests_give_equal_samples),
          T(memory_is_given_back_and_measures_are_told), T(a_sentence_is_spoken),
          T(sentences_join_without_a_click), T(a_part_of_a_sentence_has_no_full_stop_at_its_seams),
          T(what_cannot_be_spoken_is_refused_before_any_sound),
          T(pauses_over_their_limit_are_refused_before_any_sound), T(the_caller_can_stop),
          T(threads_share_an_engine), T(every_failed_allocation_of_a_request_is_reported),
          T(every_failed_allocation_of_opening_is_reported), T(phonemes_come_with_their_source),
          T(wrong_options_are_named), T(cached_files_are_named), T(closing_sets_the_handle_to_null))
