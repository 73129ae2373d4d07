/*
 * doctor.c - `kokoro doctor`: every part tried once, in the order in which a sound needs them, each
 * with what to do when it fails.
 */
#include "bench/providers.h"
#include "cli.h"
#include "frequency.h"
#include "options.h"
#include "player.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "codec/codec.h"
#include "hardware/hardware.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum verdict { OK, NOTE, FAIL };

static const char SET_UP[] = "run: ./run setup";

typedef struct doctor {
    kk_app *app;
    kokoro_options options;
    json_t *checks; /* NULL: lines of text */
    size_t n_failed;
} doctor;

/* `remedy` "" for none. */
#if defined(__GNUC__)
__attribute__((format(printf, 5, 6)))
#endif
static void
tell(doctor *d, enum verdict verdict, const char *name, const char *remedy, const char *format, ...)
{
    static const char *const shown[] = {"ok", "note", "FAIL"};
    static const char *const words[] = {"ok", "note", "fail"};
    char detail[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    d->n_failed += verdict == FAIL;
    if (d->checks != NULL)
        (void)json_array_append_new(d->checks,
                                    json_pack("{s:s, s:s, s:s, s:s}", "name", name, "status",
                                              words[verdict], "detail", detail, "remedy", remedy));
    else
        (void)printf("%-5s %-10s %s%s%s\n", shown[verdict], name, detail,
                     remedy[0] != '\0' ? "; " : "", remedy);
    (void)fflush(stdout);
}

static const char *setting(const doctor *d, enum kk_setting_id id)
{
    return kk_config_text(&d->app->config, id);
}

static void check_machine(doctor *d)
{
    kk_hardware hardware;
    char limits[128] = "";
    kk_hardware_read(&hardware);
    if (hardware.cpu_quota > 0)
        (void)snprintf(limits, sizeof(limits), ", %.1f CPUs by control group", hardware.cpu_quota);
    tell(d, OK, "cpu", "", "%s, %d cores, %d logical%s, instruction set %s, %d threads",
         hardware.cpu_model, hardware.n_physical, hardware.n_logical, limits,
         hardware.instruction_set, kk_hardware_threads(&hardware));
    uint64_t memory = hardware.memory_bytes;
    if (hardware.memory_limit_bytes > 0 && hardware.memory_limit_bytes < memory)
        memory = hardware.memory_limit_bytes;
    bool is_small = memory < (uint64_t)1 << 30;
    tell(d, is_small ? NOTE : OK, "memory", is_small ? "1 GB and more is comfortable" : "",
         "%.1f GB%s", (double)memory / (1 << 30),
         memory < hardware.memory_bytes ? ", the limit of the control group" : "");
}

static void check_dotenv(doctor *d)
{
    const char *at = kk_buf_str(&d->app->warnings);
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        tell(d, NOTE, "settings", "", "%.*s", (int)len, at);
        at += len + 1;
    }
}

static void check_home(doctor *d)
{
    struct stat st;
    const char *home = setting(d, KK_SET_HOME);
    if (stat(home, &st) != 0)
        tell(d, NOTE, "home", SET_UP, "%s: %s", home, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        tell(d, FAIL, "home", "set KOKORO_HOME to a directory", "%s is not a directory", home);
    else
        tell(d, OK, "home", "", "%s", home);
}

/* Whether a file can be made in `dir`, or `dir` itself where it is not there yet: a check should
 * leave nothing behind. */
static int try_directory(const char *dir, kokoro_error *err)
{
    kk_writer writer;
    char *path = kk_path_join(dir, "doctor");
    if (path == NULL)
        return kk_fail_memory(err);
    int status = KOKORO_OK;
    if (kk_file_exists(dir)) {
        status = kk_writer_open(&writer, path, err);
        if (status == KOKORO_OK)
            kk_writer_abort(&writer);
    } else {
        char *slash = path + strlen(path);
        while (slash > path && !kk_file_exists(path)) {
            while (slash > path && *slash != '/')
                slash--;
            *slash = '\0';
        }
        const char *parent = path[0] != '\0' ? path : dir[0] == '/' ? "/" : ".";
        if (access(parent, W_OK | X_OK) != 0)
            status = kk_fail(err, KOKORO_IO, "cannot make directory %s: %s", dir, strerror(errno));
    }
    kk_free(path);
    return status;
}

static void check_cache(doctor *d)
{
    kokoro_error error;
    const char *dir = setting(d, KK_SET_CACHE);
    if (try_directory(dir, &error) == KOKORO_OK)
        tell(d, OK, "cache", "", "%s %s", dir,
             kk_file_exists(dir) ? "can be written" : "can be made");
    else
        tell(d, NOTE, "cache",
             "set KOKORO_CACHE to a directory that can be written; every start is slower without "
             "it",
             "%s", error.message);
}

/* The size tells a partial copy; whether it works is seen when it speaks. */
static void check_model(doctor *d)
{
    struct stat st;
    const char *path = setting(d, KK_SET_MODEL);
    if (stat(path, &st) != 0)
        tell(d, FAIL, "model", SET_UP, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        tell(d, FAIL, "model", "set KOKORO_MODEL to the file", "%s is not a regular file", path);
    else
        tell(d, OK, "model", "", "%s, %.1f MB", path, (double)st.st_size / 1e6);
}

static void count_voice(void *user, const kokoro_voice *voice)
{
    (void)voice;
    ++*(size_t *)user;
}

static void check_voices(doctor *d)
{
    size_t n = 0;
    kokoro_error error;
    const char *path = setting(d, KK_SET_VOICES);
    if (kokoro_list_voices(path, count_voice, &n, &error) != KOKORO_OK)
        tell(d, FAIL, "voices", SET_UP, "%s", error.message);
    else
        tell(d, OK, "voices", "", "%s, %zu voices", path, n);
}

/* Source of the only word of `text`; -1 when it cannot be had. */
static int source_of(kokoro_engine *engine, const char *text)
{
    kokoro_phonemes *phonemes = NULL;
    int source = -1;
    if (kokoro_phonemize(engine, text, strlen(text), "en-us", &phonemes, NULL) == KOKORO_OK &&
        phonemes->n_words > 0)
        source = phonemes->words[0].source;
    kokoro_phonemes_free(&phonemes);
    return source;
}

static void check_pronunciation(doctor *d)
{
    kokoro_engine *engine = NULL;
    kokoro_error error;
    if (kokoro_open_phonemizer(&engine, &d->options, &error) != KOKORO_OK) {
        tell(d, FAIL, "lexicon", SET_UP, "%s", error.message);
        return;
    }
    if (source_of(engine, "hello") == KOKORO_SOURCE_GOLD)
        tell(d, OK, "lexicon", "", "%s", setting(d, KK_SET_LEXICON));
    else
        tell(d, FAIL, "lexicon", SET_UP, "%s does not know the word hello",
             setting(d, KK_SET_LEXICON));
    /* In no lexicon, and no inflection of a word that is. */
    if (source_of(engine, "zorblaxu") == KOKORO_SOURCE_ESPEAK)
        tell(d, OK, "espeak", "", "%s answers", setting(d, KK_SET_ESPEAK_HELPER));
    else
        tell(d, NOTE, "espeak", SET_UP,
             "%s does not answer, and words that the lexicon lacks are spelt",
             setting(d, KK_SET_ESPEAK_HELPER));
    kokoro_close(&engine);
}

static void tell_provider(void *user, const kokoro_provider *provider)
{
    doctor *d = user;
    if (provider->available)
        tell(d, OK, "provider", "", "%s %s: %s", provider->name, provider->version,
             provider->execution_providers);
    else
        tell(d, NOTE, "provider", "", "%s is not available: %s", provider->name, provider->reason);
}

static void check_providers(doctor *d)
{
    kokoro_error error;
    if (kk_bench_list_own_providers(&d->options, tell_provider, d, &error) != KOKORO_OK)
        tell(d, FAIL, "provider", "", "%s", error.message);
}

static int pass_chunk(void *user, const kokoro_chunk *chunk)
{
    (void)user;
    (void)chunk;
    return 0;
}

static void check_speech(doctor *d)
{
    kokoro_engine *engine = NULL;
    kokoro_error error;
    kokoro_stats stats;
    kokoro_request request;
    double start_s = kk_now_s();
    int status = kokoro_open(&engine, &d->options, &error);
    double load_s = kk_now_s() - start_s;
    kokoro_request_init(&request);
    request.text = "Hello.";
    request.text_len = strlen(request.text);
    request.voice = setting(d, KK_SET_VOICE);
    if (status == KOKORO_OK)
        status = kokoro_speak(engine, &request, pass_chunk, NULL, &stats, &error);
    if (status != KOKORO_OK) {
        tell(d, FAIL, "speech", "", "%s", error.message);
    } else {
        kokoro_engine_info info = {.struct_size = sizeof(info)};
        kokoro_get_engine_info(engine, &info);
        tell(d, OK, "speech", "",
             "%s on %s with %d threads: ready in %.2f s, %.2f s of speech in "
             "%.2f s",
             request.voice, info.execution_provider, info.n_threads, load_s, stats.audio_s,
             stats.model_ms / 1e3);
    }
    kokoro_close(&engine);
}

/* What "auto" goes by. */
static void check_record(doctor *d)
{
    kk_record record;
    kk_record_view view;
    char *path;
    char way[KK_WAY_TEXT];
    static const char remedy[] = "kokoro benchmark measures";
    kk_frequency_look(&d->app->config, &record, &view, &path);
    kk_way_text(&record.recommended, way);
    if (view.state == KK_RECORD_MISSING)
        tell(d, NOTE, "benchmark", remedy, "none yet");
    else if (view.state == KK_RECORD_DAMAGED)
        tell(d, NOTE, "benchmark", "the next benchmark replaces it", "%s", view.problem);
    else if (view.state == KK_RECORD_CHANGED)
        tell(d, NOTE, "benchmark", remedy, "measured with another %s", view.changed);
    else
        tell(d, OK, "benchmark", "", "%s, measured or used %.1f hours ago%s", way,
             view.age_s / 3600.0, view.state == KK_RECORD_EXPIRED ? ", older than its period" : "");
    kk_free(path);
}

/* 0 when a server could listen there, else what keeps it from doing so. */
static int try_to_listen(const struct addrinfo *address)
{
    const int yes = 1;
    int fd = socket(address->ai_family, SOCK_STREAM, 0);
    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    int number =
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, 1) != 0 ? errno : 0;
    (void)close(fd);
    return number;
}

static void check_port(doctor *d)
{
    const char *host = setting(d, KK_SET_HOST), *port = setting(d, KK_SET_PORT);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *addresses = NULL;
    int failed = getaddrinfo(host, port, &hints, &addresses);
    if (failed != 0) {
        tell(d, NOTE, "port", "set KOKORO_HOST to an address of this machine", "%s: %s", host,
             gai_strerror(failed));
        return;
    }
    int number = try_to_listen(addresses);
    freeaddrinfo(addresses);
    if (number == 0)
        tell(d, OK, "port", "", "%s port %s is free", host, port);
    else
        tell(d, NOTE, "port", "a running kokoro may hold it; --port chooses another",
             "%s port %s: %s", host, port, strerror(number));
}

/* All that are made; one whose library is missing is a note. */
static void check_formats(doctor *d)
{
    kk_buf names = KK_BUF_INIT;
    for (const kk_codec *codec = kk_codecs; codec->name != NULL; codec++) {
        kokoro_error error;
        if (kk_codec_is_there(codec, &error) == KOKORO_OK)
            kk_buf_appendf(&names, "%s%s", names.len > 0 ? ", " : "", codec->name);
        else
            tell(d, NOTE, "formats", "", "%s", error.message);
    }
    tell(d, OK, "formats", "", "%s", kk_buf_str(&names));
    kk_buf_fini(&names);
}

static void check_player(doctor *d)
{
    const char *name = kk_player_find();
    if (name != NULL)
        tell(d, OK, "player", "", "%s", name);
    else
        tell(d, NOTE, "player", "install one to use --play", "none of %s in PATH",
             kk_player_names());
}

static int finish_json(doctor *d)
{
    json_t *report = json_pack("{s:b, s:s, s:o}", "ok", d->n_failed == 0, "version",
                               kokoro_version(), "checks", d->checks);
    return kk_app_print_json(report);
}

int kk_app_doctor(kk_app *app)
{
    doctor d = {.app = app};
    if (app->n_words > 0) {
        kk_complain("doctor takes no argument '%.40s'", app->words[0]);
        return KK_EXIT_USAGE;
    }
    if (app->values[KK_LIST_JSON] != NULL && (d.checks = json_array()) == NULL)
        return kk_complain_of(&(kokoro_error){KOKORO_NO_MEMORY, "out of memory"});
    /* What is wrong is told below, once. */
    kk_config_engine_options(&app->config, &d.options);
    check_machine(&d);
    check_dotenv(&d);
    check_home(&d);
    check_cache(&d);
    check_model(&d);
    check_voices(&d);
    check_pronunciation(&d);
    check_providers(&d);
    check_speech(&d);
    check_record(&d);
    check_port(&d);
    check_formats(&d);
    check_player(&d);
    int status = d.checks != NULL ? finish_json(&d) : KK_EXIT_OK;
    if (kk_app_flush() != KK_EXIT_OK || d.n_failed > 0)
        status = KK_EXIT_FAILED;
    return status;
}
