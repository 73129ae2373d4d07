/* streams.c - see streams.h. A thread a listener; a round is over when its last one is. */
#include "bench/streams.h"

#include "base/clock.h"
#include "base/status.h"
#include "bench/texts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TEXTS = 8, LIMIT_S = 90 };
static const int levels[KK_BENCH_MAX_STREAMS] = {1, 2, 4, 8};

typedef struct listener {
    pthread_t thread;
    kk_buf text;
    kk_stream_request request;
    kk_stream_figures figures;
} listener;

typedef struct measuring {
    kk_bench_result *result;
    const kk_bench_request *request;
    kk_stream_target target;
    unsigned n_spoken; /* texts so far: each has its number in it */
    double start_s;
    size_t n_failed;
    char first_problem[160];
} measuring;

static void *listen_thread(void *user)
{
    listener *l = user;
    kk_stream_listen(&l->request, &l->figures);
    return NULL;
}

static void tell(const measuring *m, enum kk_bench_step_kind kind, double value_s, size_t n_done,
                 const char *message)
{
    const double elapsed_s = kk_now_s() - m->start_s;
    const kk_bench_progress progress = {
        .kind = kind,
        .text = "",
        .message = message,
        .value_s = value_s,
        .n_done = n_done,
        .n_all = (size_t)KK_BENCH_MAX_STREAMS * N_TEXTS,
        .elapsed_s = elapsed_s,
        .left_s = n_done > 0 ? elapsed_s / (double)n_done *
                                   (double)((size_t)KK_BENCH_MAX_STREAMS * N_TEXTS - n_done)
                             : 0.0};
    if (m->request->progress != NULL)
        m->request->progress(m->request->progress_user, &progress);
}

/* The text that decides, with a number that no other has. */
static void choose_text(measuring *m, listener *l)
{
    const kk_bench_result *result = m->result;
    m->n_spoken++;
    kk_bench_text_round(&result->texts[result->deciding_text], m->n_spoken, &l->text);
    kk_buf_appendf(&l->text, " That was number %u.", m->n_spoken);
    l->request = (kk_stream_request){.target = m->target,
                                     .text = kk_buf_str(&l->text),
                                     .voice = m->request->voice,
                                     .limit_s = LIMIT_S,
                                     .watch = m->request->watch};
}

static int note(kk_bench_streams *streams, const listener *l)
{
    const kk_stream_figures *figures = &l->figures;
    if (figures->problem[0] != '\0') {
        streams->n_failed++;
        return 0;
    }
    streams->first_sound_s.values[streams->first_sound_s.n++] = figures->first_sound_s;
    streams->audio_s += figures->audio_s;
    streams->n_ran_dry += figures->ran_dry;
    return 1;
}

/* So many listeners at once. */
static int take_round(measuring *m, kk_bench_streams *streams, listener *listeners,
                      kokoro_error *err)
{
    const int n = streams->n_streams;
    int n_started = 0;
    const double start_s = kk_now_s();
    for (; n_started < n; n_started++) {
        listener *l = &listeners[n_started];
        choose_text(m, l);
        if (l->text.failed || pthread_create(&l->thread, NULL, listen_thread, l) != 0)
            break;
    }
    for (int i = 0; i < n_started; i++)
        (void)pthread_join(listeners[i].thread, NULL);
    streams->wall_s += kk_now_s() - start_s;
    if (n_started < n)
        return kk_fail(err, KOKORO_IO, "no thread can be started for a stream");
    const char *problem = "";
    for (int i = 0; i < n; i++) {
        if (note(streams, &listeners[i]) == 0 && problem[0] == '\0')
            problem = listeners[i].figures.problem;
    }
    if (m->first_problem[0] == '\0')
        (void)snprintf(m->first_problem, sizeof(m->first_problem), "%s", problem);
    if (problem[0] != '\0' && !kk_watch_stopped(m->request->watch))
        tell(m, KK_BENCH_STEP_FAILURE, 0.0, m->n_spoken, problem);
    tell(m, KK_BENCH_STEP_STREAMS, listeners[0].figures.first_sound_s, m->n_spoken, "");
    return KOKORO_OK;
}

static int measure_level(measuring *m, int n_streams, listener *listeners, kokoro_error *err)
{
    kk_bench_streams *streams = &m->result->streams[m->result->n_streams];
    *streams = (kk_bench_streams){.n_streams = n_streams};
    streams->first_sound_s.values =
        kk_arena_calloc(&m->result->arena, N_TEXTS, sizeof(*streams->first_sound_s.values));
    if (streams->first_sound_s.values == NULL)
        return kk_fail_memory(err);
    int status = KOKORO_OK;
    for (int i = 0; status == KOKORO_OK && i < N_TEXTS / n_streams; i++) {
        if (kk_watch_stopped(m->request->watch)) {
            m->result->is_interrupted = true;
            return KOKORO_OK;
        }
        status = take_round(m, streams, listeners, err);
    }
    if (status == KOKORO_OK)
        m->result->n_streams++;
    m->n_failed += (size_t)streams->n_failed;
    return status;
}

/* The key is no setting, since the values of settings are shown and logged. */
static int take_key(kk_stream_target *target, kokoro_error *err)
{
    if (target->key == NULL)
        target->key = getenv(KK_STREAM_KEY_VARIABLE);
    if (target->key != NULL && !kk_stream_key_is_sound(target->key))
        return kk_fail(err, KOKORO_INVALID, "%s holds a character that no key has",
                       KK_STREAM_KEY_VARIABLE);
    return KOKORO_OK;
}

static int fail_streams(const measuring *m, kokoro_error *err)
{
    const bool is_about_key = strncmp(m->first_problem, "status 401", 10) == 0;
    return kk_fail(err, KOKORO_IO, "%zu of %u streams failed, the first by %.159s%s%s", m->n_failed,
                   m->n_spoken, m->first_problem,
                   is_about_key ? "; the key that is sent is that of " : "",
                   is_about_key ? KK_STREAM_KEY_VARIABLE : "");
}

int kk_bench_measure_streams(kk_bench_result *result, const kk_bench_request *request,
                             const kk_stream_target *target, kokoro_error *err)
{
    listener listeners[N_TEXTS];
    measuring m = {.result = result, .request = request, .target = *target, .start_s = kk_now_s()};
    int status = take_key(&m.target, err);
    for (int i = 0; i < N_TEXTS; i++)
        listeners[i] = (listener){.text = KK_BUF_INIT};
    result->n_streams = 0;
    for (int i = 0; status == KOKORO_OK && i < KK_BENCH_MAX_STREAMS && !result->is_interrupted; i++)
        status = measure_level(&m, levels[i], listeners, err);
    if (kk_watch_stopped(request->watch))
        result->is_interrupted = true;
    for (int i = 0; i < N_TEXTS; i++)
        kk_buf_fini(&listeners[i].text);
    if (status == KOKORO_OK && m.n_failed > 0 && !result->is_interrupted)
        status = fail_streams(&m, err);
    return status;
}
