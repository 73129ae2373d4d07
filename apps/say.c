/*
 * say.c - `kokoro say`: text to sound in a file, a pipe or a player.
 */
#include "cli.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "captions.h"
#include "input.h"
#include "options.h"
#include "output.h"
#include "player.h"
#include "progress.h"
#include "say_stats.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_OUTPUTS = 2, MAX_REPEAT = 1000 };

typedef struct say {
    kk_app *app;
    kokoro_engine *engine;
    kokoro_request request;
    kk_encoding encoding;
    kk_buf text;
    kk_output *outputs[MAX_OUTPUTS]; /* a file or stream, a player */
    size_t n_outputs;
    kk_progress progress;
    kk_captions captions;
    kk_say_stats stats;
    size_t n_repeats;
    bool is_kept; /* the first run's samples go out, those of repeats do not */
    bool write_failed;
    kokoro_error error;
} say;

static const char *option(const say *s, enum kk_say_option index)
{
    return s->app->values[index];
}

static int read_numbers(say *s)
{
    const char *speed = option(s, KK_SAY_SPEED);
    const char *repeat = option(s, KK_SAY_REPEAT);
    double ratio = 1.0;
    long long n = 1;
    if (speed != NULL &&
        (!kk_parse_real(speed, &ratio) || ratio < KOKORO_SPEED_MIN || ratio > KOKORO_SPEED_MAX)) {
        kk_complain("--speed must be a number from %g to %g, not '%.40s'", KOKORO_SPEED_MIN,
                    KOKORO_SPEED_MAX, speed);
        return KK_EXIT_USAGE;
    }
    if (repeat != NULL && (!kk_parse_int(repeat, &n) || n < 1 || n > MAX_REPEAT)) {
        kk_complain("--repeat must be a whole number from 1 to %d, not '%.40s'", MAX_REPEAT,
                    repeat);
        return KK_EXIT_USAGE;
    }
    s->request.speed = ratio;
    s->n_repeats = (size_t)n;
    s->stats.is_repeated = repeat != NULL;
    return KK_EXIT_OK;
}

static bool read_pause(const say *s, enum kk_say_option index, double *out)
{
    const char *value = option(s, index);
    if (value == NULL || (kk_parse_real(value, out) && *out >= 0.0 && *out <= KOKORO_PAUSE_MAX_S))
        return true;
    kk_complain("--%s must be a number of seconds from 0 to %g, not '%.40s'",
                index == KK_SAY_SENTENCE_PAUSE ? "sentence-pause" : "paragraph-pause",
                KOKORO_PAUSE_MAX_S, value);
    return false;
}

/* What stands between words, and when they are heard. */
static int read_words(say *s)
{
    const char *path = option(s, KK_SAY_TIMESTAMPS);
    if (!read_pause(s, KK_SAY_SENTENCE_PAUSE, &s->request.sentence_pause_s) ||
        !read_pause(s, KK_SAY_PARAGRAPH_PAUSE, &s->request.paragraph_pause_s))
        return KK_EXIT_USAGE;
    s->request.wants_words = path != NULL;
    if (path != NULL && !kk_captions_is_made(path)) {
        kk_complain("--timestamps writes files that end in .json, .srt or .vtt, not '%.80s'", path);
        return KK_EXIT_USAGE;
    }
    if (path != NULL && s->request.is_phonemes) {
        kk_complain("--timestamps are of words: with --phonemes there are none");
        return KK_EXIT_USAGE;
    }
    return KK_EXIT_OK;
}

static int read_request(say *s)
{
    kokoro_request_init(&s->request);
    int status = read_numbers(s);
    if (status == KK_EXIT_OK)
        status = kk_input_read(s->app, option(s, KK_SAY_FILE), &s->text);
    s->request.text = kk_buf_str(&s->text);
    s->request.text_len = s->text.len;
    s->request.is_phonemes = option(s, KK_SAY_PHONEMES) != NULL;
    s->request.pieces = option(s, KK_SAY_PIECES) != NULL;
    s->request.voice = kk_config_text(&s->app->config, KK_SET_VOICE);
    s->request.language = option(s, KK_SAY_LANG);
    return status == KK_EXIT_OK ? read_words(s) : status;
}

/* "wav" of "a/b.wav"; "" for "b", ".b" and "b." */
static const char *ending_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name ? dot + 1 : "";
}

/* A format by its name or the usual ending of its files. */
static const kk_codec *codec_of(const char *name)
{
    static const char *const endings[][2] = {{"ogg", "opus"}, {"oga", "opus"}};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (kk_slice_equal_nocase(kk_slice_of(endings[i][0]), kk_slice_of(name)))
            name = endings[i][1];
    }
    for (const kk_codec *codec = kk_codecs; codec->name != NULL; codec++) {
        if (kk_slice_equal_nocase(kk_slice_of(codec->name), kk_slice_of(name)))
            return codec;
    }
    return NULL;
}

/* By --format, else by the ending of the file, else wav. NULL and a message for one not made. */
static const kk_codec *choose_codec(const char *format, const char *path)
{
    if (format == NULL && (path == NULL || strcmp(path, "-") == 0))
        return kk_codec_find("wav");
    const char *ending = path != NULL ? ending_of(path) : "";
    const char *wanted = format != NULL ? format : ending[0] != '\0' ? ending : "wav";
    const kk_codec *codec = codec_of(wanted);
    kokoro_error error;
    if (codec != NULL && kk_codec_is_there(codec, &error) == KOKORO_OK)
        return codec;
    if (codec != NULL)
        kk_complain("%s", error.message);
    else if (format != NULL)
        kk_complain("--format '%.40s' is not made; made are %s", format, kk_codec_names());
    else
        kk_complain("the ending .%.40s is no format that is made; use one of %s, or name one "
                    "with --format",
                    wanted, kk_codec_names());
    return NULL;
}

/* What somebody who plays it wants of the first sound. */
static const double PLAYS_WITHIN_S = 0.25;

/* An option that is a whole number above 0. */
static bool read_count(const say *s, enum kk_say_option index, int *out)
{
    const char *name = s->app->command->options[index].name, *text = option(s, index);
    long long number = 0;
    if (text != NULL && (!kk_parse_int(text, &number) || number < 1 || number > 1000000)) {
        kk_complain("--%s must be a whole number from 1 to 1000000, not '%.40s'", name, text);
        return false;
    }
    *out = (int)number;
    return true;
}

static int read_encoding(say *s, const kk_codec *codec)
{
    static const enum kk_say_option options[] = {[KK_ENCODING_SAMPLE_RATE] = KK_SAY_SAMPLE_RATE,
                                                 [KK_ENCODING_BITRATE] = KK_SAY_BITRATE,
                                                 [KK_ENCODING_VOLUME] = KK_SAY_VOLUME};
    const char *volume = option(s, KK_SAY_VOLUME);
    enum kk_encoding_field wrong;
    s->encoding = (kk_encoding)KK_ENCODING_INIT;
    if (!read_count(s, KK_SAY_SAMPLE_RATE, &s->encoding.sample_rate_hz) ||
        !read_count(s, KK_SAY_BITRATE, &s->encoding.bitrate_kbps))
        return KK_EXIT_USAGE;
    if (volume != NULL && !kk_parse_real(volume, &s->encoding.volume)) {
        kk_complain("--volume must be a number from 0 to %g, not '%.40s'", KK_VOLUME_MAX, volume);
        return KK_EXIT_USAGE;
    }
    if (kk_codec_check(codec, &s->encoding, &wrong, &s->error) != KOKORO_OK) {
        kk_complain("--%s: %s", s->app->command->options[options[wrong]].name, s->error.message);
        return KK_EXIT_USAGE;
    }
    return KK_EXIT_OK;
}

static int add_output(say *s, int status, kk_output *output)
{
    if (status != KOKORO_OK)
        return kk_complain_of(&s->error);
    s->outputs[s->n_outputs++] = output;
    return KK_EXIT_OK;
}

/* Before the engine is opened: an unwritable place should fail at once. */
static int open_outputs(say *s)
{
    const char *path = option(s, KK_SAY_OUTPUT);
    bool plays = option(s, KK_SAY_PLAY) != NULL;
    kk_output *output = NULL;
    const kk_codec *codec = choose_codec(option(s, KK_SAY_FORMAT), path);
    if (codec == NULL || read_encoding(s, codec) != KK_EXIT_OK)
        return KK_EXIT_USAGE;
    if (path == NULL && !plays && isatty(STDOUT_FILENO)) {
        if (kk_player_find() == NULL) {
            kk_complain("standard output is a terminal and none of %s is there to play; keep the "
                        "sound with -o FILE",
                        kk_player_names());
            return KK_EXIT_USAGE;
        }
        plays = true;
    } else if (path == NULL && !plays) {
        path = "-";
    }
    int status = KK_EXIT_OK;
    if (path != NULL) {
        int opened = kk_output_open(&output, path, codec, &s->encoding, &s->error);
        status = add_output(s, opened, output);
    }
    if (status == KK_EXIT_OK && plays) {
        kk_encoding encoding = s->encoding;
        encoding.bitrate_kbps = 0;
        int opened = kk_output_open_player(&output, &encoding, &s->error);
        status = add_output(s, opened, output);
    }
    /* Who only listens hears it while it is made. */
    if (plays && path == NULL) {
        s->request.pieces = s->request.skip_silence = true;
        s->request.first_sound_within_s = PLAYS_WITHIN_S;
    }
    return status;
}

/* Samples of the whole speech, where the first part of it says so. */
static uint64_t total_of(const kokoro_chunk *chunk)
{
    return chunk->n_total > 0 ? chunk->n_total : KK_SAMPLES_UNKNOWN;
}

static int on_chunk(void *user, const kokoro_chunk *chunk)
{
    say *s = user;
    if (!s->is_kept)
        return 0;
    if (chunk->index == 0 && chunk->begins_chunk)
        s->stats.first_audio_ms = 1e3 * (kk_now_s() - s->app->start_s);
    for (size_t i = 0; i < s->n_outputs; i++) {
        if (kk_output_write(s->outputs[i], chunk->samples, chunk->n_samples, total_of(chunk),
                            &s->error) != KOKORO_OK) {
            s->write_failed = true;
            return 1;
        }
    }
    const bool is_pause = !chunk->begins_chunk && chunk->n_durations == 0; /* behind its chunk */
    kk_captions_add(&s->captions, chunk);
    kk_progress_step(&s->progress, chunk->index + (chunk->ends_chunk || is_pause), chunk->n_chunks,
                     (double)chunk->n_samples / KOKORO_SAMPLE_RATE_HZ);
    return 0;
}

static int speak_once(say *s, size_t index)
{
    kokoro_stats stats;
    kokoro_error error;
    s->is_kept = index == 0;
    kk_progress_start(&s->progress);
    int status = kokoro_speak(s->engine, &s->request, on_chunk, s, &stats, &error);
    kk_progress_end(&s->progress);
    if (s->write_failed)
        return kk_complain_of(&s->error);
    if (status != KOKORO_OK)
        return kk_complain_of(&error);
    if (index == 0)
        s->stats.first = stats;
    s->stats.model_s[index] = stats.model_ms / 1e3;
    s->stats.n = index + 1;
    return KK_EXIT_OK;
}

/* From the command line it must be possible; a setting is for the voices that it can be for. */
static int set_gain(say *s)
{
    const kk_config *config = &s->app->config;
    const double lufs = kk_config_real(config, KK_SET_LOUDNESS);
    double voice_lufs;
    if (!(lufs < 0.0))
        return KK_EXIT_OK;
    int status = kokoro_voice_loudness(s->engine, s->request.voice, &voice_lufs, &s->error);
    for (size_t i = 0; status == KOKORO_OK && i < s->n_outputs; i++)
        kk_output_set_gain(s->outputs[i], lufs - voice_lufs);
    if (status == KOKORO_OK)
        return KK_EXIT_OK;
    if (status != KOKORO_LOUDNESS || config->origin[KK_SET_LOUDNESS] == KK_FROM_OPTION)
        return kk_complain_of(&s->error);
    kk_complain("KOKORO_LOUDNESS is not followed by the voice %.80s, which was never measured",
                s->request.voice);
    return KK_EXIT_OK;
}

static int speak(say *s)
{
    kokoro_options options;
    kk_app_engine_options(&s->app->config, &options);
    s->stats.model_s = kk_calloc(s->n_repeats, sizeof(*s->stats.model_s));
    if (s->stats.model_s == NULL)
        return kk_complain_of(&(kokoro_error){KOKORO_NO_MEMORY, "out of memory"});
    if (kokoro_open(&s->engine, &options, &s->error) != KOKORO_OK)
        return kk_complain_of_set_up(&s->error);
    int status = set_gain(s);
    for (size_t i = 0; status == KK_EXIT_OK && i < s->n_repeats; i++) {
        status = speak_once(s, i);
        /* The listener need not wait for the repeats. */
        for (size_t k = 0; i == 0 && status == KK_EXIT_OK && k < s->n_outputs; k++) {
            if (kk_output_finish(s->outputs[k], &s->error) != KOKORO_OK)
                status = kk_complain_of(&s->error);
        }
    }
    return status;
}

static int write_captions(say *s)
{
    const char *path = option(s, KK_SAY_TIMESTAMPS);
    if (path == NULL || kk_captions_write(&s->captions, path, (kk_slice){s->text.data, s->text.len},
                                          &s->error) == KOKORO_OK)
        return KK_EXIT_OK;
    return kk_complain_of(&s->error);
}

static void report(const say *s)
{
    size_t unknown = s->stats.first.unknown_symbols;
    if (unknown > 0)
        kk_complain("%zu phoneme symbol%s unknown to the model %s left out", unknown,
                    unknown == 1 ? "" : "s", unknown == 1 ? "was" : "were");
    if (option(s, KK_SAY_STATS) != NULL)
        kk_say_print_stats(&s->stats, s->engine);
}

int kk_app_say(kk_app *app)
{
    say s = {.app = app, .text = KK_BUF_INIT};
    int status = read_request(&s);
    if (status == KK_EXIT_OK)
        status = open_outputs(&s);
    if (status == KK_EXIT_OK)
        status = speak(&s);
    if (status == KK_EXIT_OK)
        status = write_captions(&s);
    if (status == KK_EXIT_OK)
        report(&s);
    for (size_t i = 0; i < s.n_outputs; i++)
        kk_output_close(&s.outputs[i]);
    kokoro_close(&s.engine);
    kk_free(s.stats.model_s);
    kk_captions_fini(&s.captions);
    kk_buf_fini(&s.text);
    return status;
}
