/*
 * config.c - the table of settings and the order in which their sources are asked.
 */
#include "config/config.h"

#include "base/file.h"
#include "base/status.h"
#include "config/dotenv.h"
#include "config/dotenv_write.h"
#include "config/paths.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const kk_setting kk_settings[KK_N_SETTINGS] = {
#define KK_X(id, variable, option, type, min, max, choices, def, safe, help)                       \
    {variable, option, KK_SETTING_##type, min, max, choices, def, safe, help},
    KK_SETTING_MAP(KK_X)
#undef KK_X
};

/* What .env says of one setting: its last assignment. */
typedef struct dotenv_value {
    const char *text; /* NULL: nothing */
    const char *problem;
    unsigned line;
} dotenv_value;

typedef struct dotenv {
    kk_config *config;
    const char *path;
    void (*warn)(void *user, const char *line);
    void *user;
    dotenv_value values[KK_N_SETTINGS];
    kk_dotenv_strays strays;
    char ignored[400]; /* why nothing in it counts; "": it does */
} dotenv;

void kk_config_init(kk_config *config)
{
    *config = (kk_config){.arena = KK_ARENA_INIT};
}

void kk_config_fini(kk_config *config)
{
    kk_arena_fini(&config->arena);
    kk_config_init(config);
}

/* Place of `value` among the choices, in any case, and the first word of that choice; -1 for none.
 */
static int find_choice(const char *choices, const char *value, kk_slice *found)
{
    kk_slice word = kk_slice_of(value);
    int i = 0;
    bool begins = true;
    while (*choices != '\0') {
        size_t len = strcspn(choices, " |");
        kk_slice choice = {choices, len};
        if (begins)
            *found = choice;
        if (kk_slice_equal_nocase(choice, word))
            return i;
        begins = choices[len] == ' ';
        i += begins;
        choices += len + (choices[len] != '\0');
    }
    return -1;
}

static int fail_choice(const kk_setting *setting, const char *subject, const char *value,
                       kokoro_error *err)
{
    kk_buf names = KK_BUF_INIT;
    for (const char *at = setting->choices; *at != '\0'; at++) {
        if (*at == '|')
            at += strcspn(at, " ");
        if (*at == '\0')
            break;
        if (*at == ' ')
            kk_buf_append_char(&names, ',');
        kk_buf_append_char(&names, *at);
    }
    int status = kk_fail(err, KOKORO_INVALID, "%s must be one of %s, not '%.80s'", subject,
                         names.failed ? setting->choices : kk_buf_str(&names), value);
    kk_buf_fini(&names);
    return status;
}

/* `subject` names the setting and where it was set. Keeps a copy of a good value. */
static int set(kk_config *config, enum kk_setting_id id, const char *value, const char *subject,
               enum kk_setting_origin origin, kokoro_error *err)
{
    const kk_setting *setting = &kk_settings[id];
    kk_slice kept = kk_slice_of(value);
    long long number = 0;
    double real = 0.0;
    bool truth = false;
    switch (setting->type) {
    case KK_SETTING_INT:
        if (!kk_parse_int(value, &number) || number < setting->min || number > setting->max)
            return kk_fail(err, KOKORO_INVALID,
                           "%s must be a whole number from %lld to %lld, not '%.80s'", subject,
                           setting->min, setting->max, value);
        break;
    case KK_SETTING_REAL:
        if (setting->choices[0] != '\0' && strcmp(value, setting->choices) == 0)
            break;
        if (!kk_parse_real(value, &real) || real < (double)setting->min ||
            real > (double)setting->max)
            return kk_fail(err, KOKORO_INVALID,
                           "%s must be a number from %lld to %lld%s%s, not '%.80s'", subject,
                           setting->min, setting->max, setting->choices[0] != '\0' ? " or " : "",
                           setting->choices, value);
        break;
    case KK_SETTING_BOOL:
        if (!kk_parse_bool(value, &truth))
            return kk_fail(err, KOKORO_INVALID, "%s must be true or false, not '%.80s'", subject,
                           value);
        break;
    case KK_SETTING_CHOICE:
        if (value[0] != '\0' && find_choice(setting->choices, value, &kept) < 0)
            return fail_choice(setting, subject, value, err);
        break;
    case KK_SETTING_PATH:
    case KK_SETTING_TEXT:
        break;
    }
    config->value[id] = kk_arena_strndup(&config->arena, kept.data, kept.len);
    config->origin[id] = origin;
    return config->value[id] != NULL ? KOKORO_OK : kk_fail_memory(err);
}

int kk_config_set_option(kk_config *config, enum kk_setting_id id, const char *value,
                         kokoro_error *err)
{
    char subject[64];
    (void)snprintf(subject, sizeof(subject), "--%s", kk_settings[id].option);
    if (value[0] == '\0')
        return kk_fail(err, KOKORO_INVALID, "%s needs a value that is not empty", subject);
    return set(config, id, value, subject, KK_FROM_OPTION, err);
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
warn(const dotenv *d, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (d->warn != NULL)
        d->warn(d->user, line);
}

static int take_line(void *user, const kk_dotenv_line *line)
{
    dotenv *d = user;
    for (size_t id = 0; id < KK_N_SETTINGS; id++) {
        if (!kk_slice_equal(line->name, kk_slice_of(kk_settings[id].variable)))
            continue;
        if (!kk_settings[id].safe) {
            warn(d,
                 "%s line %u: %s is ignored, because a file in the working directory may not "
                 "choose it; set it in the environment",
                 d->path, line->number, kk_settings[id].variable);
            break;
        }
        const char *text = kk_arena_strdup(&d->config->arena, line->value);
        if (text == NULL)
            return KOKORO_NO_MEMORY;
        d->values[id] = (dotenv_value){text, line->problem, line->number};
        break;
    }
    return KOKORO_OK;
}

/* A .env that cannot be read is no reason to stop: it may not even be meant for us. */
static int read_dotenv(dotenv *d, kokoro_error *err)
{
    struct stat st;
    kokoro_error reason;
    kk_buf text = KK_BUF_INIT;
    if (d->path == NULL || stat(d->path, &st) != 0)
        return KOKORO_OK;
    if (!S_ISREG(st.st_mode)) {
        (void)snprintf(d->ignored, sizeof(d->ignored), "it is not a regular file");
        return KOKORO_OK;
    }
    int status = kk_file_read(&text, d->path, KK_DOTENV_LIMIT, &reason);
    if (status == KOKORO_OK && text.len > 0) {
        status = kk_dotenv_read(text.data, text.len, take_line, d, &d->strays);
    } else if (status != KOKORO_OK && status != KOKORO_NO_MEMORY) {
        (void)snprintf(d->ignored, sizeof(d->ignored), "%.390s", reason.message);
        status = KOKORO_OK;
    }
    kk_buf_fini(&text);
    return status == KOKORO_OK ? status : kk_fail_memory(err);
}

static int load_one(kk_config *config, enum kk_setting_id id, const dotenv *d, kokoro_error *err)
{
    const kk_setting *setting = &kk_settings[id];
    const char *variable = getenv(setting->variable);
    const dotenv_value *line = &d->values[id];
    char subject[512];
    if (config->value[id] != NULL)
        return KOKORO_OK;
    if (variable != NULL && variable[0] != '\0') {
        (void)snprintf(subject, sizeof(subject), "%s in the environment", setting->variable);
        return set(config, id, variable, subject, KK_FROM_ENVIRONMENT, err);
    }
    if (line->problem != NULL)
        return kk_fail(err, KOKORO_INVALID, "%s line %u: the value of %s cannot be read: %s",
                       d->path, line->line, setting->variable, line->problem);
    if (line->text != NULL && line->text[0] != '\0') {
        (void)snprintf(subject, sizeof(subject), "%.300s line %u: %s", d->path, line->line,
                       setting->variable);
        return set(config, id, line->text, subject, KK_FROM_DOTENV, err);
    }
    return set(config, id, setting->def, setting->variable, KK_FROM_DEFAULT, err);
}

/* What is wrong with .env as a file, in one sentence; false where all of it is well. */
static bool tell_damage(char *dst, size_t size, const dotenv *d)
{
    const kk_dotenv_strays *s = &d->strays;
    if (d->ignored[0] != '\0')
        (void)snprintf(dst, size, "%.300s is ignored: %s", d->path, d->ignored);
    else if (s->damage_line > 0)
        (void)snprintf(dst, size, "%.300s is damaged: line %u is no text in UTF-8", d->path,
                       s->damage_line);
    else if (s->n > 1)
        (void)snprintf(dst, size, "%.300s line %u and %u more are no assignments NAME=value",
                       d->path, s->first, s->n - 1);
    else if (s->n == 1)
        (void)snprintf(dst, size, "%.300s line %u is no assignment NAME=value", d->path, s->first);
    else
        return false;
    return true;
}

/* A setting that .env made before, and of which nothing else says anything now; -1: there is none.
 */
static int find_lost(const kk_config *config, const kk_config *before)
{
    for (int id = 0; before != NULL && id < KK_N_SETTINGS; id++) {
        if (before->origin[id] == KK_FROM_DOTENV && config->origin[id] == KK_FROM_DEFAULT)
            return id;
    }
    return -1;
}

/* Of a file that was cut or overwritten what is missing is not taken for a wish. */
static int judge_damage(const kk_config *config, const kk_config *before, const dotenv *d,
                        kokoro_error *err)
{
    char what[720];
    if (!tell_damage(what, sizeof(what), d))
        return KOKORO_OK;
    const int lost = find_lost(config, before);
    if (lost >= 0)
        return kk_fail(err, KOKORO_INVALID, "%s, and nothing in it sets %s any more", what,
                       kk_settings[lost].variable);
    warn(d, "%s%s", what, d->ignored[0] == '\0' ? "; the rest of the file counts" : "");
    return KOKORO_OK;
}

static int load(kk_config *config, const kk_config *before, dotenv *d, kokoro_error *err)
{
    int status = read_dotenv(d, err);
    for (int id = 0; status == KOKORO_OK && id < KK_N_SETTINGS; id++)
        status = load_one(config, (enum kk_setting_id)id, d, err);
    if (status == KOKORO_OK)
        status = judge_damage(config, before, d, err);
    return status == KOKORO_OK ? kk_config_derive_paths(config, err) : status;
}

int kk_config_load(kk_config *config, const char *dotenv_path,
                   void (*warn_fn)(void *user, const char *line), void *user, kokoro_error *err)
{
    dotenv d = {.config = config, .path = dotenv_path, .warn = warn_fn, .user = user};
    return load(config, NULL, &d, err);
}

int kk_config_load_again(kk_config *config, const kk_config *before, const char *dotenv_path,
                         void (*warn_fn)(void *user, const char *line), void *user,
                         kokoro_error *err)
{
    kk_config_init(config);
    for (int id = 0; id < KK_N_SETTINGS; id++) {
        if (before->origin[id] != KK_FROM_OPTION)
            continue;
        int status = kk_config_set_option(config, (enum kk_setting_id)id, before->value[id], err);
        if (status != KOKORO_OK)
            return status;
    }
    dotenv d = {.config = config, .path = dotenv_path, .warn = warn_fn, .user = user};
    return load(config, before, &d, err);
}

static bool is_among(enum kk_setting_id id, const enum kk_setting_id *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

int kk_config_arguments(const kk_config *config, const enum kk_setting_id *except, size_t n_except,
                        kk_arena *arena, const char **arguments, size_t *n)
{
    for (int id = 0; id < KK_N_SETTINGS; id++) {
        if (config->origin[id] != KK_FROM_OPTION ||
            is_among((enum kk_setting_id)id, except, n_except))
            continue;
        kk_buf text = KK_BUF_INIT;
        kk_buf_appendf(&text, "--%s=%s", kk_settings[id].option, config->value[id]);
        char *argument = text.failed ? NULL : kk_arena_strdup(arena, kk_buf_str(&text));
        kk_buf_fini(&text);
        if (argument == NULL)
            return KOKORO_NO_MEMORY;
        arguments[(*n)++] = argument;
    }
    return KOKORO_OK;
}

const char *kk_config_text(const kk_config *config, enum kk_setting_id id)
{
    return config->value[id];
}

long long kk_config_int(const kk_config *config, enum kk_setting_id id)
{
    long long number = 0;
    (void)kk_parse_int(config->value[id], &number);
    return number;
}

double kk_config_real(const kk_config *config, enum kk_setting_id id)
{
    double number = 0.0;
    (void)kk_parse_real(config->value[id], &number);
    return number;
}

bool kk_config_bool(const kk_config *config, enum kk_setting_id id)
{
    bool truth = false;
    (void)kk_parse_bool(config->value[id], &truth);
    return truth;
}

int kk_config_choice(const kk_config *config, enum kk_setting_id id)
{
    kk_slice found;
    return find_choice(kk_settings[id].choices, config->value[id], &found);
}

void kk_config_engine_options(const kk_config *config, kokoro_options *options)
{
    kokoro_options_init(options);
    options->model_path = kk_config_text(config, KK_SET_MODEL);
    options->voices_path = kk_config_text(config, KK_SET_VOICES);
    options->lexicon_path = kk_config_text(config, KK_SET_LEXICON);
    options->espeak_helper = kk_config_text(config, KK_SET_ESPEAK_HELPER);
    options->ort_library = kk_config_text(config, KK_SET_ORT_LIBRARY);
    options->openvino_library = kk_config_text(config, KK_SET_OPENVINO_LIBRARY);
    options->cpu_mask = kk_config_text(config, KK_SET_CPU_MASK);
    options->precision = kk_config_text(config, KK_SET_PRECISION);
    options->cache_dir = kk_config_text(config, KK_SET_CACHE);
    options->provider = kk_config_text(config, KK_SET_PROVIDER);
    options->n_threads = (int)kk_config_int(config, KK_SET_THREADS);
    options->benchmark_frequency = kk_config_text(config, KK_SET_BENCHMARK_FREQUENCY);
    options->benchmark_extended = kk_config_bool(config, KK_SET_DEVELOPMENT_MODE) ||
                                  kk_config_bool(config, KK_SET_FAST_STARTUP);
}
