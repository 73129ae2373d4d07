/*
 * test_feed_speech.c - a text that arrives in pieces is spoken, with the real model and without a
 * server: its sound in one row, its place in the queue, and every failed allocation an error.
 */
#include "server/speech/feed_speech.h"

#include "bare_server.h"
#include "base/alloc.h"
#include "base/status.h"
#include "data.h"

#include <sched.h>

static char model_path[512], voices_path[512], lexicon_path[512];
static char cache_dir[] = "/tmp/kokoro-feed-XXXXXX";
static kokoro_engine *engine;
static kk_config config;
static kk_server server;

#define NEED_DATA()                                                                                \
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");                                               \
    NEED(voices_path, "voices/voices.pack");                                                       \
    NEED(lexicon_path, "lexicon/english.pack");                                                    \
    set_up()

static void set_up(void)
{
    kokoro_options options;
    if (engine != NULL)
        return;
    CHECK(mkdtemp(cache_dir) != NULL);
    kokoro_options_init(&options);
    options.model_path = model_path;
    options.voices_path = voices_path;
    options.lexicon_path = lexicon_path;
    options.cache_dir = cache_dir;
    options.cpu_mask = getenv("KOKORO_CPU_MASK");
    options.provider = "native";
    CHECK_INT(kokoro_open(&engine, &options, NULL), KOKORO_OK);
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_CACHE, cache_dir, NULL), 0);
    CHECK_INT(kk_config_set_option(&config, KK_SET_MAX_QUEUE, "1", NULL), 0);
    bare_server_start(&server, &config);
    CHECK_INT(kk_cache_keeper_create(&server.cache, &server, NULL), KOKORO_OK);
    CHECK_INT(kk_jobs_start(&server.jobs, 1, 4, NULL), KOKORO_OK);
}

/* Who gives the text, a sentence at a time, and hears it. */
typedef struct listener {
    const char *const *texts; /* up to NULL */
    size_t n_texts, n_samples;
    bool is_gone, begins_paragraphs;
    double pauses_max_s;
    kk_feed_speech *blocks; /* he takes nothing for a moment, whenever he is sent something */
} listener;

static size_t n_running(void)
{
    kk_jobs_view view;
    kk_jobs_read(server.jobs, &view);
    return view.n_running;
}

/* A place is given up by who has one, and by him alone it is taken again. */
static void take_nothing(const listener *l, size_t n_places)
{
    if (l->blocks == NULL)
        return;
    CHECK_INT(n_running(), n_places);
    kk_feed_speech_block(l->blocks, true);
    CHECK_INT(n_running(), 0);
    kk_feed_speech_block(l->blocks, false);
    CHECK_INT(n_running(), n_places);
}

static int next_text(void *user, double buffered_s, kk_feed_text *out, kokoro_error *err)
{
    listener *l = user;
    CHECK(buffered_s >= 0.0);
    take_nothing(l, 0);
    if (l->texts[l->n_texts] == NULL)
        return KK_FEED_END;
    kk_buf_clear(&out->text);
    kk_buf_append_str(&out->text, l->texts[l->n_texts]);
    if (out->text.failed)
        return kk_fail_memory(err);
    out->seam_before = l->n_texts++ > 0 ? KOKORO_SEAM_SENTENCE : KOKORO_SEAM_NONE;
    out->seam_after = KOKORO_SEAM_SENTENCE;
    out->begins_paragraph = l->begins_paragraphs && l->n_texts > 1;
    return KK_FEED_TEXT;
}

static int hear(void *user, const kokoro_chunk *chunk)
{
    listener *l = user;
    l->n_samples += chunk->n_samples;
    take_nothing(l, 1);
    return 0;
}

static bool is_gone(void *user)
{
    return ((listener *)user)->is_gone;
}

static int run_with(listener *l, double pause_s, double paragraph_s, kokoro_stats *stats,
                    kokoro_error *err)
{
    kk_feed_speech speech = {.next = next_text, .chunk = hear, .user = l};
    kokoro_request_init(&speech.speak);
    speech.speak.voice = "af_heart";
    speech.speak.speed = 4.0;
    speech.speak.pieces = true;
    speech.speak.sentence_pause_s = pause_s;
    speech.speak.paragraph_pause_s = paragraph_s;
    speech.speak.pauses_max_s = l->pauses_max_s;
    speech.speak.cancelled = is_gone;
    speech.speak.cancelled_user = l;
    speech.count = (kk_speech_count){.server = &server, .engine = engine};
    if (l->blocks != NULL)
        l->blocks = &speech;
    l->n_texts = l->n_samples = 0;
    int status = kk_feed_speech_run(&speech, err);
    if (stats != NULL)
        *stats = speech.stats;
    return status;
}

static int run(listener *l, double pause_s, kokoro_stats *stats, kokoro_error *err)
{
    return run_with(l, pause_s, 0.0, stats, err);
}

static void check_no_place_is_held(void)
{
    kk_jobs_view view;
    kk_jobs_read(server.jobs, &view);
    CHECK_INT(view.n_running + view.n_waiting, 0);
}

static const char *const two[] = {"Hi.", "Go on.", NULL};

TEST(sentences_in_one_row)
{
    NEED_DATA();
    kokoro_stats stats;
    kokoro_error err;
    listener l = {.texts = two};
    CHECK_INT(run(&l, 0.0, &stats, &err), KOKORO_OK);
    CHECK_INT(l.n_texts, 2);
    CHECK_NEAR(stats.audio_s, (double)l.n_samples / KOKORO_SAMPLE_RATE_HZ, 1e-6);
    CHECK_INT(stats.n_chunks, 2);
    const size_t bare = l.n_samples;
    CHECK_INT(run(&l, 0.25, &stats, &err), KOKORO_OK);
    CHECK(l.n_samples > bare + KOKORO_SAMPLE_RATE_HZ / 8); /* each is spoken for itself too */
    CHECK_NEAR(stats.audio_s, (double)l.n_samples / KOKORO_SAMPLE_RATE_HZ, 1e-6);
    check_no_place_is_held();
}

/* Between paragraphs the longer pause counts, as within one text. */
TEST(paragraphs_in_one_row)
{
    NEED_DATA();
    static const struct {
        bool begins;
        double sentence_s, paragraph_s, want_s;
    } table[] = {{false, 0.0, 1.0, 0.0},
                 {true, 0.0, 1.0, 1.0},
                 {true, 0.25, 1.0, 1.0},
                 {true, 0.5, 0.25, 0.5},
                 {false, 0.5, 1.0, 0.5}};
    kokoro_error err;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        kokoro_stats stats, bare;
        listener l = {.texts = two, .begins_paragraphs = table[i].begins};
        CHECK_INT(run_with(&l, table[i].sentence_s, table[i].paragraph_s, &stats, &err), KOKORO_OK);
        const size_t n = l.n_samples;
        /* The same texts, each for itself. */
        CHECK_INT(run_with(&l, table[i].sentence_s > 0.0 ? 1e-6 : 0.0, 0.0, &bare, &err),
                  KOKORO_OK);
        CHECK_INT(n - l.n_samples, (long)(table[i].want_s * KOKORO_SAMPLE_RATE_HZ));
        CHECK_NEAR(stats.audio_s - bare.audio_s, table[i].want_s, 1e-6);
    }
}

/* What says nothing gets no pause of its own, and takes none from the next. */
TEST(no_pause_before_what_says_nothing)
{
    NEED_DATA();
    static const char *const table[][5] = {{"Hi.", "***", "Go on.", NULL},
                                           {"***", "Hi.", "Go on.", NULL},
                                           {"Hi.", "Go on.", "***", NULL},
                                           {"Hi.", "***", "...", "Go on.", NULL}};
    kokoro_error err;
    listener l = {.texts = two};
    CHECK_INT(run(&l, 2.0, NULL, &err), KOKORO_OK);
    const size_t want = l.n_samples;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        kokoro_stats stats;
        l.texts = table[i];
        CHECK_INT(run(&l, 2.0, &stats, &err), KOKORO_OK);
        CHECK_NEAR((double)l.n_samples, (double)want, KOKORO_SAMPLE_RATE_HZ / 4.0);
        CHECK_NEAR(stats.audio_s, (double)l.n_samples / KOKORO_SAMPLE_RATE_HZ, 1e-6);
    }
}

/* Of all texts together, whether between them or inside of one. */
TEST(pauses_have_a_limit_together)
{
    NEED_DATA();
    static const char *const inside[] = {"Hi. Go on.", "Yes.", NULL};
    static const char *const between[] = {"Hi.", "***", "Go on.", "Yes.", NULL};
    const char *const *const table[] = {inside, between};
    kokoro_error err;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        listener l = {.texts = table[i], .pauses_max_s = 1.0};
        CHECK_INT(run(&l, 0.5, NULL, &err), KOKORO_OK);
        l.pauses_max_s = 0.99;
        CHECK_INT(run(&l, 0.5, NULL, &err), KOKORO_PAUSES);
        CHECK_HAS(err.message, "0.99");
        CHECK(l.n_samples > 0); /* of the texts before */
        l.pauses_max_s = 0.4;
        const size_t n = l.n_samples;
        CHECK_INT(run(&l, 0.5, NULL, &err), KOKORO_PAUSES);
        CHECK(i == 0 ? l.n_samples == 0 : l.n_samples < n);
        check_no_place_is_held();
    }
}

TEST(nothing_to_speak)
{
    NEED_DATA();
    static const char *const marks[] = {"...", NULL}, *const none[] = {NULL};
    kokoro_error err;
    CHECK_INT(run(&(listener){.texts = marks}, 0.0, NULL, &err), KOKORO_NO_SPEECH);
    CHECK_INT(run(&(listener){.texts = none}, 0.0, NULL, &err), KOKORO_NO_SPEECH);
    check_no_place_is_held();
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_at_gate(void *job)
{
    (void)job;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
}

/* The one worker is busy: who comes waits, until he goes; and with one who waits the queue is full.
 */
TEST(it_waits_for_its_turn)
{
    NEED_DATA();
    kk_jobs_view view;
    kokoro_error err;
    kk_metrics_view before, after;
    (void)pthread_mutex_lock(&gate);
    CHECK_INT(kk_jobs_add(server.jobs, wait_at_gate, NULL), KOKORO_OK);
    do
        kk_jobs_read(server.jobs, &view);
    while (view.n_running == 0);
    CHECK_INT(run(&(listener){.texts = two, .is_gone = true}, 0.0, NULL, &err), KOKORO_CANCELLED);
    kk_metrics_read(server.metrics, &before);
    CHECK_INT(kk_jobs_add(server.jobs, wait_at_gate, NULL), KOKORO_OK);
    CHECK_INT(run(&(listener){.texts = two}, 0.0, NULL, &err), KOKORO_BUSY);
    kk_metrics_read(server.metrics, &after);
    CHECK_INT(after.spans[KK_METRICS_SINCE_START].n_speech,
              before.spans[KK_METRICS_SINCE_START].n_speech);
    (void)pthread_mutex_unlock(&gate);
    do
        kk_jobs_read(server.jobs, &view);
    while (view.n_running + view.n_waiting > 0);
    listener l = {.texts = two};
    CHECK_INT(run(&l, 0.0, NULL, &err), KOKORO_OK);
    CHECK(l.n_samples > 0);
}

/* While text is awaited there is no place to be given up. */
TEST(who_takes_nothing_gives_up_the_place_that_he_has)
{
    NEED_DATA();
    kokoro_error err;
    kk_feed_speech other;
    listener l = {.texts = two, .blocks = &other};
    CHECK_INT(run(&l, 0.1, NULL, &err), KOKORO_OK);
    CHECK(l.n_samples > 0);
    check_no_place_is_held();
}

TEST(every_failed_allocation_is_an_error)
{
    NEED_DATA();
    size_t n_failed = 0;
    bool is_done = false;
    for (size_t k = 1; !is_done && k < 5000; k++) {
        kokoro_error err = {.status = KOKORO_OK};
        listener l = {.texts = two};
        kk_alloc_fail_at(k, 0);
        const int status = run(&l, 0.1, NULL, &err);
        is_done = kk_alloc_count() < k;
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
        n_failed += status == KOKORO_NO_MEMORY;
        CHECK_INT(err.status, status);
        check_no_place_is_held();
    }
    CHECK(is_done);
    CHECK(n_failed > 5);
}

TEST(all_is_given_back)
{
    char command[600];
    if (engine == NULL)
        SKIP(model_path);
    kk_jobs_stop(&server.jobs);
    kk_cache_keeper_destroy(&server.cache);
    bare_server_stop(&server, &config);
    kokoro_close(&engine);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", cache_dir);
    CHECK_INT(system(command), 0);
}

TEST_MAIN(T(sentences_in_one_row), T(paragraphs_in_one_row), T(no_pause_before_what_says_nothing),
          T(pauses_have_a_limit_together), T(nothing_to_speak), T(it_waits_for_its_turn),
          T(who_takes_nothing_gives_up_the_place_that_he_has),
          T(every_failed_allocation_is_an_error), T(all_is_given_back))
