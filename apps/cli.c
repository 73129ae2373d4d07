/*
 * cli.c - reads the command line by the tables.
 */
#include "cli.h"

#include "base/alloc.h"

#include <string.h>

/* Where the parser stands. */
typedef struct scan {
    kk_app *app;
    int argc;
    char **argv;
    int at;
    bool only_words; /* behind -- */
} scan;

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, drop, change or swap with the next one to make b of a (optimal string
 * alignment); SIZE_MAX for words of 32 bytes and more. */
static size_t distance(const char *a, const char *b)
{
    size_t d[32][32];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len >= 32 || b_len >= 32)
        return SIZE_MAX;
    for (size_t i = 0; i <= a_len; i++) {
        for (size_t j = 0; j <= b_len; j++) {
            d[i][j] = i == 0 ? j : i;
            if (i == 0 || j == 0)
                continue;
            d[i][j] = least_of(d[i - 1][j], d[i][j - 1]) + 1;
            d[i][j] = least_of(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a_len][b_len];
}

const char *kk_cli_nearest(const char *word, const char *const *names, size_t n)
{
    const char *nearest = NULL;
    size_t least = 2 + strlen(word) / 4;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);
        if (d < least) {
            least = d;
            nearest = names[i];
        }
    }
    return nearest;
}

const kk_command *kk_cli_find(const kk_app *app, const char *name)
{
    const char *names[32];
    size_t n = 0;
    for (size_t i = 0; i < app->n_commands; i++) {
        if (strcmp(app->commands[i].name, name) == 0)
            return &app->commands[i];
        if (n < sizeof(names) / sizeof(names[0]) && app->commands[i].summary[0] != '\0')
            names[n++] = app->commands[i].name;
    }
    const char *nearest = kk_cli_nearest(name, names, n);
    if (nearest != NULL)
        kk_complain("unknown command '%.60s'; did you mean %s?", name, nearest);
    else
        kk_complain("unknown command '%.60s'; kokoro --help lists them", name);
    return NULL;
}

static int unknown_option(const kk_app *app, const char *name)
{
    const char *names[KK_MAX_OPTIONS + KK_N_SETTINGS + 2];
    size_t n = 0;
    names[n++] = "help";
    if (app->command == NULL)
        names[n++] = "version";
    for (size_t i = 0; app->command != NULL && i < app->command->n_options; i++) {
        if (app->command->options[i].help[0] != '\0')
            names[n++] = app->command->options[i].name;
    }
    for (size_t i = 0; i < KK_N_SETTINGS; i++) {
        if (kk_settings[i].option[0] != '\0')
            names[n++] = kk_settings[i].option;
    }
    const char *nearest = kk_cli_nearest(name, names, n);
    if (nearest != NULL)
        kk_complain("unknown option '--%.60s'; did you mean --%s?", name, nearest);
    else
        kk_complain("unknown option '--%.60s'; kokoro %s%s--help lists the options", name,
                    app->command != NULL ? app->command->name : "",
                    app->command != NULL ? " " : "");
    return KK_EXIT_USAGE;
}

/* The value behind = or in the next argument; NULL and a message when there is none. */
static const char *take_value(scan *s, const char *name, const char *attached)
{
    if (attached != NULL)
        return attached;
    if (s->at + 1 < s->argc)
        return s->argv[++s->at];
    kk_complain("%s needs a value", name);
    return NULL;
}

static int set_setting(scan *s, enum kk_setting_id id, const char *shown, const char *attached)
{
    kokoro_error error;
    const char *value = attached;
    if (kk_settings[id].type != KK_SETTING_BOOL)
        value = take_value(s, shown, attached);
    else if (value == NULL)
        value = "true";
    if (value == NULL)
        return KK_EXIT_USAGE;
    if (kk_config_set_option(&s->app->config, id, value, &error) != KOKORO_OK)
        return kk_complain_of(&error);
    return KK_EXIT_OK;
}

static int set_own(scan *s, size_t index, const char *shown, const char *attached)
{
    const kk_option *option = &s->app->command->options[index];
    if (option->setting > 0)
        return set_setting(s, (enum kk_setting_id)(option->setting - 1), shown, attached);
    if (option->value == NULL && attached != NULL) {
        kk_complain("%s takes no value", shown);
        return KK_EXIT_USAGE;
    }
    const char *value = option->value != NULL ? take_value(s, shown, attached) : "";
    s->app->values[index] = value;
    return value != NULL ? KK_EXIT_OK : KK_EXIT_USAGE;
}

/* "--name" or "--name=value" */
static int take_long(scan *s, const char *argument)
{
    kk_app *app = s->app;
    size_t len = strcspn(argument, "=");
    const char *attached = argument[len] == '=' ? argument + len + 1 : NULL;
    char shown[64], *name = shown + 2;
    if (len >= sizeof(shown))
        return unknown_option(app, argument + 2);
    memcpy(shown, argument, len);
    shown[len] = '\0';
    if (attached == NULL && strcmp(name, "help") == 0) {
        app->wants_help = true;
        return KK_EXIT_OK;
    }
    if (attached == NULL && app->command == NULL && strcmp(name, "version") == 0) {
        app->wants_version = true;
        return KK_EXIT_OK;
    }
    for (size_t i = 0; app->command != NULL && i < app->command->n_options; i++) {
        if (strcmp(app->command->options[i].name, name) == 0)
            return set_own(s, i, shown, attached);
    }
    for (int id = 0; id < KK_N_SETTINGS; id++) {
        if (kk_settings[id].option[0] != '\0' && strcmp(kk_settings[id].option, name) == 0)
            return set_setting(s, (enum kk_setting_id)id, shown, attached);
    }
    return unknown_option(app, name);
}

/* "-f", "-fFILE" */
static int take_short(scan *s, const char *argument)
{
    kk_app *app = s->app;
    const char shown[3] = {'-', argument[1], '\0'};
    const char *attached = argument[2] != '\0' ? argument + 2 : NULL;
    if (argument[1] == 'h' && attached == NULL) {
        app->wants_help = true;
        return KK_EXIT_OK;
    }
    for (size_t i = 0; app->command != NULL && i < app->command->n_options; i++) {
        if (app->command->options[i].letter == argument[1])
            return set_own(s, i, shown, attached);
    }
    kk_complain("unknown option '%.60s'; text that starts with - goes behind --", argument);
    return KK_EXIT_USAGE;
}

static int take_word(scan *s, const char *argument)
{
    kk_app *app = s->app;
    if (app->command != NULL) {
        app->words[app->n_words++] = argument;
        return KK_EXIT_OK;
    }
    if (strcmp(argument, "help") == 0) {
        app->wants_help = true;
        return KK_EXIT_OK;
    }
    app->command = kk_cli_find(app, argument);
    return app->command != NULL ? KK_EXIT_OK : KK_EXIT_USAGE;
}

int kk_cli_parse(kk_app *app, int argc, char **argv)
{
    scan s = {.app = app, .argc = argc, .argv = argv, .at = 1};
    int status = KK_EXIT_OK;
    app->words = kk_calloc((size_t)argc + 1, sizeof(*app->words));
    if (app->words == NULL) {
        kk_complain("out of memory");
        return KK_EXIT_FAILED;
    }
    for (; status == KK_EXIT_OK && s.at < argc; s.at++) {
        const char *argument = argv[s.at];
        if (s.only_words || argument[0] != '-' || argument[1] == '\0')
            status = take_word(&s, argument);
        else if (strcmp(argument, "--") == 0)
            s.only_words = true;
        else if (argument[1] == '-')
            status = take_long(&s, argument);
        else
            status = take_short(&s, argument);
    }
    return status;
}

void kk_cli_fini(kk_app *app)
{
    kk_free(app->words);
    app->words = NULL;
    kk_buf_fini(&app->warnings);
    kk_config_fini(&app->config);
}

void kk_cli_join_words(const kk_app *app, kk_buf *text)
{
    for (size_t i = 0; i < app->n_words; i++) {
        if (i > 0)
            kk_buf_append_char(text, ' ');
        kk_buf_append_str(text, app->words[i]);
    }
}
