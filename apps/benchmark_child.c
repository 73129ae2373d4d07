/*
 * benchmark_child.c - `kokoro benchmark-child`: one way to run the model in a process of its own,
 * asked line by line by `kokoro benchmark` (the questions: bench/lane.h, bench/providers.h). It
 * uses nothing that keeps results, and ends with its parent.
 */
#define _GNU_SOURCE /* prctl */
#include "cli.h"

#include "base/alloc.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

enum { SOUND_FILE = 3, LINE_LIMIT = 1 << 20 };

typedef struct child {
    kokoro_engine *engine;
    const kk_config *config;
    int answers; /* descriptor; standard output is for libraries that talk */
    bool is_over;
} child;

/* One text being spoken. */
typedef struct speech {
    bool pieces, keep;
    bool is_partial; /* stopped behind the first piece */
    int write_errno;
    size_t n_samples, n_durations;
    kk_buf durations;
} speech;

/* Of "VmRSS:" or "VmHWM:", in MB; 0 where it is not told. */
static double memory_mb(const char *name)
{
    kk_buf text = KK_BUF_INIT;
    double mb = 0.0;
    if (kk_file_read(&text, "/proc/self/status", 1 << 16, NULL) == KOKORO_OK) {
        const char *at = strstr(kk_buf_str(&text), name);
        if (at != NULL)
            mb = (double)strtoull(at + strlen(name), NULL, 10) / 1024.0;
    }
    kk_buf_fini(&text);
    return mb;
}

static json_t *error_answer(const char *message)
{
    return json_pack("{s:s}", "error", message);
}

static const char *text_of(const json_t *question, const char *name)
{
    return json_string_value(json_object_get(question, name));
}

/* The file is there when `kokoro benchmark` is the parent; it alone opens one at this place. */
static int keep_chunk(speech *s, const kokoro_chunk *chunk)
{
    const int number =
        kk_write_all(SOUND_FILE, chunk->samples, chunk->n_samples * sizeof(*chunk->samples));
    s->n_samples += chunk->n_samples;
    s->n_durations += chunk->n_durations;
    kk_buf_append(&s->durations, chunk->durations, chunk->n_durations * sizeof(*chunk->durations));
    s->write_errno = s->durations.failed ? ENOMEM : number;
    return s->write_errno;
}

static int on_chunk(void *user, const kokoro_chunk *chunk)
{
    speech *s = user;
    if (s->pieces && !chunk->ends_chunk) {
        s->is_partial = true;
        return 1;
    }
    return s->keep ? keep_chunk(s, chunk) : 0;
}

static json_t *spoken_answer(const speech *s, const kokoro_stats *stats)
{
    return json_pack("{s:f, s:f, s:f, s:I, s:f, s:f, s:b, s:I, s:I}", "model_s",
                     stats->model_ms / 1e3, "first_audio_s", stats->first_audio_ms / 1e3, "audio_s",
                     stats->audio_s, "n_chunks", (json_int_t)stats->n_chunks, "resident_mb",
                     memory_mb("VmRSS:"), "peak_mb", memory_mb("VmHWM:"), "is_partial",
                     s->is_partial, "n_samples", (json_int_t)s->n_samples, "n_durations",
                     (json_int_t)s->n_durations);
}

static json_t *speak(child *c, const json_t *question)
{
    kokoro_request request;
    kokoro_stats stats;
    kokoro_error error;
    const char *text = text_of(question, "text");
    speech s = {.pieces = json_is_true(json_object_get(question, "pieces")),
                .keep = json_is_true(json_object_get(question, "keep")),
                .durations = KK_BUF_INIT};
    if (c->engine == NULL || text == NULL)
        return error_answer("no model is open, or there is no text");
    if (s.keep && (ftruncate(SOUND_FILE, 0) != 0 || lseek(SOUND_FILE, 0, SEEK_SET) != 0))
        return error_answer("the file for the sound cannot be written");
    kokoro_request_init(&request);
    request.text = text;
    request.text_len = strlen(text);
    request.voice = text_of(question, "voice");
    request.pieces = s.pieces;
    const int status = kokoro_speak(c->engine, &request, on_chunk, &s, &stats, &error);
    if (s.keep && s.write_errno == 0)
        s.write_errno = kk_write_all(SOUND_FILE, s.durations.data, s.durations.len);
    kk_buf_fini(&s.durations);
    if (status != KOKORO_OK && !s.is_partial && s.write_errno == 0)
        return error_answer(error.message);
    if (s.write_errno != 0)
        return error_answer(strerror(s.write_errno));
    return spoken_answer(&s, &stats);
}

/* Those of the question, and what it leaves open by this process's settings. */
static void take_options(const child *c, const json_t *question, kokoro_options *options)
{
    kk_app_engine_options(c->config, options);
    const struct {
        const char *name;
        const char **field;
    } texts[] = {
        {"model_path", &options->model_path},     {"voices_path", &options->voices_path},
        {"lexicon_path", &options->lexicon_path}, {"espeak_helper", &options->espeak_helper},
        {"ort_library", &options->ort_library},   {"openvino_library", &options->openvino_library},
        {"cache_dir", &options->cache_dir},       {"cpu_mask", &options->cpu_mask},
        {"provider", &options->provider},         {"precision", &options->precision}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (text_of(question, texts[i].name) != NULL)
            *texts[i].field = text_of(question, texts[i].name);
    }
}

static void take_provider(void *user, const kokoro_provider *provider)
{
    *(json_t **)user = json_pack("{s:b, s:s, s:s, s:s}", "available", provider->available,
                                 "version", provider->version, "execution_providers",
                                 provider->execution_providers, "reason", provider->reason);
}

static json_t *describe(const child *c, const json_t *question)
{
    kokoro_options options;
    kokoro_error error;
    json_t *answer = NULL;
    take_options(c, question, &options);
    if (kokoro_describe_provider(&options, text_of(question, "name"), take_provider, &answer,
                                 &error) != KOKORO_OK)
        return error_answer(error.message);
    return answer;
}

static void add_cached(void *user, const kokoro_cached *cached)
{
    (void)json_array_append_new(user, json_pack("{s:s, s:s, s:s?, s:s?}", "provider",
                                                cached->provider, "folder", cached->folder, "path",
                                                cached->path, "reason", cached->reason));
}

static json_t *list_cached(const child *c, const json_t *question)
{
    kokoro_options options;
    kokoro_error error;
    json_t *list = json_array();
    take_options(c, question, &options);
    if (kokoro_list_cached(&options, add_cached, list, &error) != KOKORO_OK) {
        json_decref(list);
        return error_answer(error.message);
    }
    return json_pack("{s:o}", "cached", list);
}

static void add_measure(void *user, const kokoro_measure *measure)
{
    (void)json_array_append_new(
        user, json_pack("{s:s, s:s, s:b, s:s, s:s?}", "name", measure->name, "target",
                        measure->target, "applied", measure->applied, "detail", measure->detail,
                        "error", measure->error[0] != '\0' ? measure->error : NULL));
}

/* The cost of asking for the placement is no part of the load time: it has a question of its own.
 */
static json_t *open_engine(child *c, const json_t *question, bool wants_placement)
{
    kokoro_options options;
    kokoro_error error;
    take_options(c, question, &options);
    options.n_threads = (int)json_integer_value(json_object_get(question, "threads"));
    options.wants_placement = wants_placement;
    kokoro_close(&c->engine);
    if (kokoro_open(&c->engine, &options, &error) != KOKORO_OK)
        return error_answer(error.message);
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    kokoro_get_engine_info(c->engine, &info);
    json_t *measures = json_array();
    kokoro_list_measures(c->engine, add_measure, measures);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:f, s:o}", "provider", info.provider,
                     "precision", info.precision, "execution_provider", info.execution_provider,
                     "version", info.runtime_version, "placement",
                     info.placement != NULL ? info.placement : "", "threads", info.n_threads,
                     "load_ms", info.load_ms, "pack_ms", info.pack_ms, "measures", measures);
}

static json_t *answer_of(child *c, const char *line, size_t len)
{
    json_error_t where;
    json_t *question = json_loadb(line, len, 0, &where);
    const char *what = question != NULL ? text_of(question, "do") : NULL;
    json_t *answer = NULL;
    if (what == NULL)
        answer = error_answer("this is no question");
    else if (strcmp(what, "open") == 0)
        answer = open_engine(c, question, false);
    else if (strcmp(what, "place") == 0)
        answer = open_engine(c, question, true);
    else if (strcmp(what, "provider") == 0)
        answer = describe(c, question);
    else if (strcmp(what, "cached") == 0)
        answer = list_cached(c, question);
    else if (strcmp(what, "speak") == 0)
        answer = speak(c, question);
    else if (strcmp(what, "quit") == 0)
        answer = json_object();
    else
        answer = error_answer("this question is not known");
    c->is_over = what != NULL && strcmp(what, "quit") == 0;
    json_decref(question);
    return answer;
}

static bool give_answer(const child *c, json_t *answer)
{
    char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(answer);
    if (text == NULL)
        return false;
    const size_t len = strlen(text);
    text[len] = '\n'; /* in the place of the NUL */
    const bool is_given = kk_write_all(c->answers, text, len + 1) == 0;
    free(text);
    return is_given;
}

/* Ctrl-C in a terminal reaches the whole group; the parent decides what comes of it. */
static void tie_to_parent(void)
{
    const pid_t parent = getppid();
    (void)signal(SIGINT, SIG_IGN);
#if defined(__linux__)
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent)
        _exit(KK_EXIT_FAILED);
}

int kk_app_benchmark_child(kk_app *app)
{
    /* `benchmark-child serve`: the server of --comprehensive, which ends with the benchmark too. */
    if (app->n_words == 1 && strcmp(app->words[0], "serve") == 0) {
        tie_to_parent();
        return kk_app_serve(&app->config);
    }
    child c = {.config = &app->config, .answers = -1};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len = 0;
    if (fcntl(SOUND_FILE, F_GETFD) < 0 || (c.answers = dup(STDOUT_FILENO)) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || fcntl(c.answers, F_SETFD, FD_CLOEXEC) != 0) {
        kk_complain("benchmark-child is for kokoro benchmark alone");
        return KK_EXIT_USAGE;
    }
    (void)fcntl(SOUND_FILE, F_SETFD, FD_CLOEXEC);
    tie_to_parent();
    while (!c.is_over && (len = getline(&line, &capacity, stdin)) > 0 && len < LINE_LIMIT) {
        if (!give_answer(&c, answer_of(&c, line, (size_t)len)))
            break;
    }
    free(line);
    kokoro_close(&c.engine);
    (void)close(c.answers);
    return c.is_over || len <= 0 ? KK_EXIT_OK : KK_EXIT_FAILED;
}
