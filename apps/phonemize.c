/*
 * phonemize.c - `kokoro phonemize`: a line of phonemes for each line of text, so that it can stand
 * in a pipe: a bad line gives an empty line and a message, and the exit status tells at the end.
 */
#include "cli.h"

#include "input.h"
#include "options.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct phonemize {
    kk_app *app;
    kokoro_engine *engine;
    const char *language; /* NULL: en-us */
    bool is_json;
    size_t line; /* from 1 */
    int status;  /* exit status so far */
} phonemize;

static json_t *words_of(const kokoro_phonemes *phonemes)
{
    json_t *words = json_array();
    for (size_t i = 0; phonemes != NULL && i < phonemes->n_words; i++) {
        const kokoro_word *word = &phonemes->words[i];
        (void)json_array_append_new(
            words, json_pack("{s:s, s:s, s:s, s:I, s:I}", "text", word->text, "phonemes",
                             word->phonemes, "source", kokoro_source_text(word->source), "offset",
                             (json_int_t)word->offset, "len", (json_int_t)word->len));
    }
    return words;
}

/* `phonemes` NULL: a line that cannot be read. */
static void print_json(phonemize *p, kk_slice text, const kokoro_phonemes *phonemes)
{
    json_t *object = json_pack("{s:s%, s:s, s:o}", "text", text.data, text.len, "phonemes",
                               phonemes != NULL ? phonemes->text : "", "words", words_of(phonemes));
    char *line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    if (line != NULL) {
        (void)puts(line);
    } else {
        (void)puts("{}");
        kk_complain("line %zu: out of memory", p->line);
        p->status = KK_EXIT_FAILED;
    }
    free(line);
    json_decref(object);
}

/* Its place in the output stays, and the next line may be better. */
static void fail_line(phonemize *p, const kokoro_error *err)
{
    kk_complain("line %zu: %s", p->line, err->message);
    p->status = KK_EXIT_FAILED;
    if (p->is_json)
        print_json(p, KK_SLICE(""), NULL);
    else
        (void)puts("");
}

/* Returns whether to go on. */
static bool take_line(phonemize *p, kk_slice text)
{
    kokoro_error error;
    kokoro_phonemes *phonemes = NULL;
    int status = kk_input_check(p->app, text, "the text", &error);
    if (status == KOKORO_OK)
        status = kokoro_phonemize(p->engine, text.data, text.len, p->language, &phonemes, &error);
    if (status == KOKORO_LANGUAGE) { /* the same for every line */
        p->status = kk_complain_of(&error);
        return false;
    }
    if (status != KOKORO_OK)
        fail_line(p, &error);
    else if (p->is_json)
        print_json(p, text, phonemes);
    else
        (void)puts(phonemes->text);
    kokoro_phonemes_free(&phonemes);
    if (kk_app_flush() == KK_EXIT_OK)
        return true;
    p->status = KK_EXIT_FAILED;
    return false;
}

static void take_words(phonemize *p)
{
    kk_buf text = KK_BUF_INIT;
    kk_cli_join_words(p->app, &text);
    const char *at = kk_buf_str(&text);
    bool goes_on = true;
    while (goes_on) {
        size_t len = strcspn(at, "\n");
        p->line++;
        goes_on = take_line(p, (kk_slice){at, len});
        at += len;
        if (*at == '\0' || at[1] == '\0')
            break;
        at++;
    }
    kk_buf_fini(&text);
}

static void take_file(phonemize *p, FILE *file, const char *name)
{
    kk_buf line = KK_BUF_INIT;
    bool goes_on = true;
    while (goes_on) {
        enum kk_line kind = kk_input_line(file, kk_input_byte_limit(p->app) + 1, &line);
        if (kind == KK_LINE_END)
            break;
        if (kind == KK_LINE_BROKEN || kind == KK_LINE_NO_MEMORY) {
            kk_complain("cannot read %s: %s", name,
                        kind == KK_LINE_BROKEN ? strerror(errno) : "out of memory");
            p->status = KK_EXIT_FAILED;
            break;
        }
        p->line++;
        goes_on = take_line(p, (kk_slice){kk_buf_str(&line), line.len});
    }
    kk_buf_fini(&line);
}

static int take_input(phonemize *p, enum kk_input_kind kind, const char *path)
{
    if (kind == KK_INPUT_WORDS) {
        take_words(p);
        return p->status;
    }
    FILE *file = kind == KK_INPUT_STDIN ? stdin : fopen(path, "r");
    const char *name = kind == KK_INPUT_STDIN ? "standard input" : path;
    if (file == NULL) {
        kk_complain("cannot open %s: %s", name, strerror(errno));
        return KK_EXIT_FAILED;
    }
    take_file(p, file, name);
    if (file != stdin)
        (void)fclose(file);
    return p->status;
}

/* The language of the voice that was set: of the first one of a blend. */
typedef struct voice_language {
    const char *voice;
    char language[16];
} voice_language;

static void match_voice(void *user, const kokoro_voice *voice)
{
    voice_language *wanted = user;
    size_t len = strlen(voice->id);
    if (strncmp(wanted->voice, voice->id, len) == 0 && strchr("(+- ", wanted->voice[len]) != NULL)
        (void)snprintf(wanted->language, sizeof(wanted->language), "%s", voice->language);
}

static const char *language_of(const kk_app *app, voice_language *wanted)
{
    if (app->values[KK_PHONEMIZE_LANG] != NULL)
        return app->values[KK_PHONEMIZE_LANG];
    wanted->voice = kk_config_text(&app->config, KK_SET_VOICE);
    /* Without the voices file the language is the default one; that is no reason to stop. */
    if (app->config.origin[KK_SET_VOICE] != KK_FROM_DEFAULT)
        (void)kokoro_list_voices(kk_config_text(&app->config, KK_SET_VOICES), match_voice, wanted,
                                 NULL);
    return wanted->language[0] != '\0' ? wanted->language : NULL;
}

int kk_app_phonemize(kk_app *app)
{
    kokoro_options options;
    kokoro_error error;
    voice_language wanted = {.voice = ""};
    const char *path = app->values[KK_PHONEMIZE_FILE];
    enum kk_input_kind kind = kk_input_kind_of(app, path);
    if (kind == KK_INPUT_NONE)
        return KK_EXIT_USAGE;
    phonemize p = {.app = app,
                   .language = language_of(app, &wanted),
                   .is_json = app->values[KK_PHONEMIZE_JSON] != NULL};
    kk_app_engine_options(&app->config, &options);
    if (kokoro_open_phonemizer(&p.engine, &options, &error) != KOKORO_OK)
        return kk_complain_of_set_up(&error);
    int status = take_input(&p, kind, path);
    kokoro_close(&p.engine);
    return status;
}
