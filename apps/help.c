/*
 * help.c - help texts, made from the tables of commands, options and settings.
 */
#include "cli.h"

#include <string.h>

enum { HELP_COLUMN = 30, HELP_WIDTH = 92 };

/* `left`, then `text` in its column, broken at spaces. */
static void print_row(FILE *file, const char *left, const char *text)
{
    int at = fprintf(file, "  %s", left);
    if (at >= HELP_COLUMN) {
        (void)fputc('\n', file);
        at = 0;
    }
    (void)fprintf(file, "%*s", HELP_COLUMN - at, "");
    for (size_t column = HELP_COLUMN; *text != '\0';) {
        size_t len = strcspn(text, " ");
        if (column + len > HELP_WIDTH && column > HELP_COLUMN) {
            (void)fprintf(file, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        (void)fprintf(file, "%s%.*s", column > HELP_COLUMN ? " " : "", (int)len, text);
        column += len + 1;
        text += len + (text[len] == ' ');
    }
    (void)fputc('\n', file);
}

static const char *value_name(const kk_setting *setting)
{
    switch (setting->type) {
    case KK_SETTING_PATH:
        return " PATH";
    case KK_SETTING_INT:
    case KK_SETTING_REAL:
        return " N";
    case KK_SETTING_BOOL:
        return "";
    case KK_SETTING_TEXT:
    case KK_SETTING_CHOICE:
        break;
    }
    return " NAME";
}

/* "least urgent kind of line to log: error, warning, info, debug [KOKORO_LOG_LEVEL, info]" */
static void describe_setting(const kk_setting *setting, kk_buf *text)
{
    kk_buf_append_str(text, setting->help);
    const char *choices = setting->type == KK_SETTING_CHOICE ? setting->choices : "";
    for (const char *at = choices; *at != '\0'; at += strspn(at, " ")) {
        kk_buf_append_str(text, at == choices ? ": " : ", ");
        kk_buf_append(text, at, strcspn(at, " |"));
        at += strcspn(at, " ");
    }
    kk_buf_appendf(text, setting->def[0] != '\0' ? " [%s, %s]" : " [%s%s]", setting->variable,
                   setting->def);
}

static void print_settings(FILE *file)
{
    (void)fputs("\nSettings, of every command [environment variable, default]:\n", file);
    for (size_t i = 0; i < KK_N_SETTINGS; i++) {
        char left[64] = "";
        kk_buf text = KK_BUF_INIT;
        if (kk_settings[i].option[0] != '\0')
            (void)snprintf(left, sizeof(left), "--%s%s", kk_settings[i].option,
                           value_name(&kk_settings[i]));
        else
            (void)snprintf(left, sizeof(left), "%s", kk_settings[i].variable);
        describe_setting(&kk_settings[i], &text);
        print_row(file, left, kk_buf_str(&text));
        kk_buf_fini(&text);
    }
    (void)fputs("\nAn option goes before the environment, that before .env in the working "
                "directory, that before the\ndefault. .env may not choose paths.\n",
                file);
}

static void print_command(const kk_command *command, FILE *file)
{
    (void)fprintf(file, "Usage: kokoro %s %s\n\n%s.\n", command->name, command->arguments,
                  command->summary);
    if (command->n_options > 0)
        (void)fputs("\nOptions:\n", file);
    for (size_t i = 0; i < command->n_options; i++) {
        const kk_option *option = &command->options[i];
        char left[64];
        char letter[8] = "";
        if (option->help[0] == '\0')
            continue;
        if (option->letter != 0)
            (void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
        (void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
                       option->value != NULL ? " " : "",
                       option->value != NULL ? option->value : "");
        print_row(file, left, option->help);
    }
    if (command->notes[0] != '\0')
        (void)fprintf(file, "\n%s\n", command->notes);
}

void kk_cli_help(const kk_app *app, const kk_command *command, FILE *file)
{
    if (command != NULL) {
        print_command(command, file);
        print_settings(file);
        return;
    }
    (void)fputs("Usage: kokoro COMMAND [ARGUMENT ...]\n\n"
                "Text to speech with the Kokoro-82M voice model.\n\nCommands:\n",
                file);
    for (size_t i = 0; i < app->n_commands; i++) {
        if (app->commands[i].summary[0] != '\0')
            print_row(file, app->commands[i].name, app->commands[i].summary);
    }
    (void)fputs("\nkokoro COMMAND --help tells more of one; kokoro --version names the version.\n",
                file);
    print_settings(file);
}
