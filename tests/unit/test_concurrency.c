/*
 * Several requests at once on one engine with the provider native: each gives the samples that it
 * gives alone with one thread, however many run beside it, with pieces too, and while memory is
 * given back; a listener that holds on to a piece holds up nobody.
 */
#include "check.h"
#include "data.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "engine/engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { N_TEXTS = 4, ROUNDS = 3 };
static const char *const texts[N_TEXTS] = {
    "Go.", "The first of four sentences is short.",
    "A second one, which is longer than the first, is spoken by another thread meanwhile.",
    "Where is the third? It asks, and it is made of two chunks perhaps."};

static char model_path[512], voices_path[512], lexicon_path[512];
static char cache_dir[] = "/tmp/kokoro-concurrency-XXXXXX";
static kokoro_engine *engine;

#define NEED_DATA()                                                                                \
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");                                               \
    NEED(voices_path, "voices/voices.pack");                                                       \
    NEED(lexicon_path, "lexicon/english.pack")

static int open_engine(kokoro_engine **out, int n_threads, int n_at_once, kokoro_error *err)
{
    kokoro_options options;
    kokoro_options_init(&options);
    options.model_path = model_path;
    options.voices_path = voices_path;
    options.lexicon_path = lexicon_path;
    options.cache_dir = cache_dir;
    options.provider = "native";
    options.cpu_mask = getenv("KOKORO_CPU_MASK");
    options.n_threads = n_threads;
    options.n_at_once = n_at_once;
    return kokoro_open(out, &options, err);
}

static int hash_chunk(void *user, const kokoro_chunk *chunk)
{
    uint64_t *hash = user;
    for (size_t i = 0; i < chunk->n_samples; i++)
        *hash = *hash * 31 + kk_hash(&chunk->samples[i], sizeof(chunk->samples[i]));
    return 0;
}

/* Of all samples, however they are cut into pieces; 0 when the request failed. */
static uint64_t speak(kokoro_engine *with, size_t text, bool pieces)
{
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = texts[text];
    request.text_len = strlen(texts[text]);
    request.voice = text % 2 == 0 ? "af_heart" : "bm_george";
    request.pieces = pieces;
    uint64_t hash = 1;
    return kokoro_speak(with, &request, hash_chunk, &hash, NULL, NULL) == KOKORO_OK ? hash : 0;
}

static uint64_t alone[2][N_TEXTS]; /* whole and in pieces, one thread */

TEST(each_alone)
{
    NEED_DATA();
    kokoro_engine *one = NULL;
    kokoro_error err = {0, ""};
    CHECK(mkdtemp(cache_dir) != NULL);
    CHECK_INT(open_engine(&one, 1, 0, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    for (size_t i = 0; i < N_TEXTS; i++) {
        alone[0][i] = speak(one, i, false);
        alone[1][i] = speak(one, i, true);
        CHECK(alone[0][i] != 0 && alone[1][i] != 0);
        CHECK(alone[0][i] != alone[0][(i + 1) % N_TEXTS]);
    }
    kokoro_close(&one);
    /* More threads than this machine may have, so that every share of them comes up. */
    CHECK_INT(open_engine(&engine, 4, 0, &err), KOKORO_OK);
}

typedef struct speaker {
    size_t index;
    unsigned n_wrong;
} speaker;

static void *speak_rounds(void *context)
{
    speaker *s = context;
    for (size_t round = 0; round < ROUNDS; round++) {
        const size_t text = (s->index + round) % N_TEXTS;
        const bool pieces = (s->index + round) % 2 == 0;
        s->n_wrong += speak(engine, text, pieces) != alone[pieces][text];
    }
    return NULL;
}

static atomic_bool speaking;

static void *trim_on(void *unused)
{
    while (atomic_load(&speaking)) {
        engine->model->provider->trim(engine->model);
        const struct timespec pause = {0, 2000000};
        (void)nanosleep(&pause, NULL);
    }
    return unused;
}

static void speak_side_by_side(size_t n)
{
    pthread_t threads[2 * N_TEXTS];
    speaker speakers[2 * N_TEXTS];
    for (size_t i = 0; i < n; i++) {
        speakers[i] = (speaker){i, 0};
        CHECK_INT(pthread_create(&threads[i], NULL, speak_rounds, &speakers[i]), 0);
    }
    for (size_t i = 0; i < n; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_INT(speakers[i].n_wrong, 0);
    }
}

TEST(side_by_side_gives_the_samples_of_each_alone)
{
    NEED_DATA();
    speak_side_by_side(N_TEXTS);
    speak_side_by_side(2 * N_TEXTS); /* more than run at once */
    for (size_t i = 0; i < N_TEXTS; i++)
        CHECK(speak(engine, i, false) == alone[0][i]);
}

TEST(memory_can_be_given_back_at_any_time)
{
    NEED_DATA();
    pthread_t trimmer;
    atomic_store(&speaking, true);
    CHECK_INT(pthread_create(&trimmer, NULL, trim_on, NULL), 0);
    speak_side_by_side(2);
    atomic_store(&speaking, false);
    CHECK_INT(pthread_join(trimmer, NULL), 0);
    CHECK(speak(engine, 1, false) == alone[0][1]);
}

/* ---- a slow listener ---- */

typedef struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool waits, may_go_on;
    uint64_t hash;
} meeting;

static int wait_in_the_first_piece(void *user, const kokoro_chunk *chunk)
{
    meeting *m = user;
    (void)pthread_mutex_lock(&m->mutex);
    m->waits = true;
    (void)pthread_cond_broadcast(&m->changed);
    while (!m->may_go_on)
        (void)pthread_cond_wait(&m->changed, &m->mutex);
    (void)pthread_mutex_unlock(&m->mutex);
    return hash_chunk(&m->hash, chunk);
}

static kokoro_engine *one_at_once;

static void *listen_slowly(void *context)
{
    meeting *m = context;
    kokoro_request request;
    kokoro_request_init(&request);
    request.text = texts[2];
    request.text_len = strlen(texts[2]);
    request.pieces = true;
    m->hash = 1;
    if (kokoro_speak(one_at_once, &request, wait_in_the_first_piece, m, NULL, NULL) != KOKORO_OK)
        m->hash = 0;
    return NULL;
}

TEST(a_listener_that_waits_holds_up_nobody)
{
    NEED_DATA();
    meeting m = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, 0};
    pthread_t thread;
    CHECK_INT(open_engine(&one_at_once, 2, 1, NULL), KOKORO_OK);
    CHECK_INT(pthread_create(&thread, NULL, listen_slowly, &m), 0);
    (void)pthread_mutex_lock(&m.mutex);
    while (!m.waits)
        (void)pthread_cond_wait(&m.changed, &m.mutex);
    (void)pthread_mutex_unlock(&m.mutex);
    /* It would wait for ever if the listener held the model. */
    CHECK(speak(one_at_once, 1, false) == alone[0][1]);
    CHECK(speak(one_at_once, 3, true) == alone[1][3]);
    (void)pthread_mutex_lock(&m.mutex);
    m.may_go_on = true;
    (void)pthread_cond_broadcast(&m.changed);
    (void)pthread_mutex_unlock(&m.mutex);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK(m.hash == alone[1][2]);
    kokoro_close(&one_at_once);
}

TEST(failed_allocations_of_a_new_context_are_reported)
{
    NEED_DATA();
    int failures = 0;
    for (size_t k = 1; k < 2000; k++) {
        engine->model->provider->trim(engine->model); /* none is idle */
        kk_alloc_fail_at(k, 0);
        const uint64_t hash = speak(engine, 0, false);
        kk_alloc_fail_at(0, 0);
        if (hash != 0) {
            CHECK(hash == alone[0][0]);
            break;
        }
        failures++;
    }
    CHECK(failures > 4 && failures < 1999);
}

TEST(wrong_numbers_are_refused)
{
    NEED_DATA();
    kokoro_engine *other = NULL;
    kokoro_error err;
    CHECK_INT(open_engine(&other, 1, -1, &err), KOKORO_INVALID);
    CHECK_HAS(err.message, "at once");
    kokoro_close(&engine);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", cache_dir);
    CHECK_INT(system(command), 0);
}

TEST_MAIN(T(each_alone), T(side_by_side_gives_the_samples_of_each_alone),
          T(memory_can_be_given_back_at_any_time), T(a_listener_that_waits_holds_up_nobody),
          T(failed_allocations_of_a_new_context_are_reported), T(wrong_numbers_are_refused))
