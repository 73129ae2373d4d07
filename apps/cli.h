/*
 * cli.h - the command line as tables: a command and its options; every setting that has an option
 * name is an option of every command. Parser, help texts and suggestions come from them.
 */
#ifndef KK_APPS_CLI_H
#define KK_APPS_CLI_H

#include "apps.h"
#include "base/str.h"

#include <stddef.h>
#include <stdio.h>

enum { KK_MAX_OPTIONS = 32 };

typedef struct kk_option {
    const char *name;  /* "speed" for --speed */
    char letter;       /* 'f' for -f; 0 for none */
    const char *value; /* what it takes, "FILE"; NULL for a switch */
    const char *help;  /* "": for other programs alone, not shown */
    int setting;       /* the kk_setting_id that it sets, plus 1; 0: it is the command's own */
} kk_option;

typedef struct kk_command {
    const char *name;
    const char *arguments; /* "[TEXT ... | -f FILE | -]" */
    const char *summary;   /* "": for the program itself alone, not listed */
    const char *notes;     /* paragraphs at the end of its help; "" for none */
    const kk_option *options;
    size_t n_options; /* at most KK_MAX_OPTIONS */
    int (*run)(kk_app *app);
} kk_command;

struct kk_app {
    const kk_command *commands; /* [n_commands] */
    size_t n_commands;
    const kk_command *command; /* NULL until it is known */
    kk_config config;
    const char **words; /* [n_words] what is no option */
    size_t n_words;
    const char
        *values[KK_MAX_OPTIONS]; /* of the command's options; NULL: not given; "": a switch */
    bool wants_help, wants_version;
    double start_s;  /* when the program started, kk_now_s */
    kk_buf warnings; /* of .env, a line each */
};

/* Read the command line. KK_EXIT_OK, or a message and KK_EXIT_USAGE. */
int kk_cli_parse(kk_app *app, int argc, char **argv);
void kk_cli_fini(kk_app *app);

/* The command of that name; a message that names the nearest, and NULL. */
const kk_command *kk_cli_find(const kk_app *app, const char *name);

/* Help of a command; of the program when it is NULL. */
void kk_cli_help(const kk_app *app, const kk_command *command, FILE *file);

/* The nearest of `names` to a misspelt word, or NULL when none is near. */
const char *kk_cli_nearest(const char *word, const char *const *names, size_t n);

/* The words, joined by spaces. */
void kk_cli_join_words(const kk_app *app, kk_buf *text);

#endif
