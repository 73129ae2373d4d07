/*
 * apps.h - the subcommands of the program, one file each. Each returns the program's exit status.
 * Only these files and logs print: standard output carries the product, standard error the talk.
 */
#ifndef KK_APPS_H
#define KK_APPS_H

#include "config/config.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>

enum kk_exit { KK_EXIT_OK = 0, KK_EXIT_FAILED = 1, KK_EXIT_USAGE = 2 };

/* One sentence on standard error, behind "kokoro: ". */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
void kk_complain(const char *format, ...);

/* The message of an error; the exit status that goes with it: KK_EXIT_USAGE where another option
 * helps. */
int kk_complain_of(const kokoro_error *err);

/* The same for an engine that could not be opened: with the way to what is missing. */
int kk_complain_of_set_up(const kokoro_error *err);

/* Engine options of the settings, with a log on standard error: of warnings and errors only,
 * unless a level was set. */
void kk_app_engine_options(const kk_config *config, kokoro_options *options);

/* A line of the log, as text or JSON. */
void kk_app_write_log(bool as_json, int level, const char *line);

/* Print a JSON value on standard output, whose reference is taken; NULL: memory was out.
 * KK_EXIT_OK, or a message and KK_EXIT_FAILED. */
struct json_t;
int kk_app_print_json(struct json_t *value);

/* The same for a document that is text already and ends with its newline, without the flush. */
void kk_app_put_document(const char *text);

/* {"success": false, "error": the last complaint}, where no document was printed before: what
 * --json gives of a failure. */
void kk_app_print_failure(void);

/* What kk_complain said last, but for warnings; "" for nothing. */
const char *kk_app_last_complaint(void);

/* Write out standard output: KK_EXIT_OK, or a message and KK_EXIT_FAILED. */
int kk_app_flush(void);

typedef struct kk_app kk_app;

int kk_app_say(kk_app *app);
int kk_app_voices(kk_app *app);
int kk_app_phonemize(kk_app *app);
int kk_app_providers(kk_app *app);
int kk_app_doctor(kk_app *app);
int kk_app_benchmark(kk_app *app);
/* One way to run the model, for the command above. */
int kk_app_benchmark_child(kk_app *app);
int kk_app_benchmark_frequency(kk_app *app);
int kk_app_benchmark_cache(kk_app *app);
int kk_app_cleanup_cache(kk_app *app);
int kk_app_pack(kk_app *app);
int kk_app_keys(kk_app *app);
/* Serve until SIGTERM or SIGINT. */
int kk_app_serve(const kk_config *config);

#endif
