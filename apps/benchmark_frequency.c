/*
 * benchmark_frequency.c - `kokoro benchmark-frequency`: how long the result of a benchmark is good.
 * Shows it, or writes it into .env of the working directory, asked for by an option or answer by
 * answer. The command loads the settings itself, so that it can mend a .env that holds a wrong one.
 */
#include "cli.h"
#include "frequency.h"
#include "options.h"

#include "base/alloc.h"
#include "bench/advice.h"
#include "config/dotenv_write.h"
#include "input.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char variable[] = "KOKORO_BENCHMARK_FREQUENCY";
enum { MAX_ANSWER = 200 };

static void complain_of_line(void *user, const char *line)
{
    (void)user;
    kk_complain("%s", line);
}

static int load(kk_app *app)
{
    kokoro_error error;
    if (kk_config_load(&app->config, KK_DOTENV_PATH, complain_of_line, NULL, &error) != KOKORO_OK)
        return kk_complain_of(&error);
    return KK_EXIT_OK;
}

/* The exported value, which goes before .env; NULL when there is none. */
static const char *exported(void)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static void warn_of_override(const char *chosen)
{
    const char *value = exported();
    if (value != NULL && (kk_frequency_find(value) < 0 ||
                          strcmp(kk_frequencies[kk_frequency_find(value)].name, chosen) != 0))
        kk_complain("warning: the environment sets %s=%.40s, which goes before .env; unset it to "
                    "make %s the one in use",
                    variable, value, chosen);
}

/* ---- --show-current ----------------------------------------------------------------------- */

static const char *origin_text(enum kk_setting_origin origin)
{
    static const char *const texts[] = {[KK_FROM_DEFAULT] = "the default",
                                        [KK_FROM_DOTENV] = "./.env",
                                        [KK_FROM_ENVIRONMENT] = "the environment",
                                        [KK_FROM_OPTION] = "an option"};
    return texts[origin];
}

static json_t *current_to_json(const kk_config *config)
{
    kk_record record;
    kk_record_view view;
    char *path;
    const kk_validity_rule rule = kk_frequency_rule(config);
    const kk_frequency_text *text = &kk_frequencies[rule.frequency];
    const double period_s = kk_validity_s(&rule);
    kk_frequency_look(config, &record, &view, &path);
    const bool is_there = view.state != KK_RECORD_MISSING && view.state != KK_RECORD_DAMAGED;
    json_t *cache = json_pack("{s:s, s:s, s:o, s:o}", "path", path != NULL ? path : "", "state",
                              kk_record_state_text(view.state), "age_hours",
                              is_there ? kk_json_of_span(view.age_s, 3600.0) : json_null(),
                              "recommended_provider",
                              is_there ? json_string(record.recommended.provider) : json_null());
    kk_free(path);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:s?, s:o}", "frequency", text->name, "source",
                     origin_text(config->origin[KK_SET_BENCHMARK_FREQUENCY]), "description",
                     text->description, "cache_duration_hours", kk_json_of_span(period_s, 3600.0),
                     "cache_duration_days", kk_json_of_span(period_s, 86400.0), "is_extended",
                     rule.is_extended, "environment_variable", exported(), "cache", cache);
}

static void print_cache(const kk_config *config)
{
    kk_record record;
    kk_record_view view;
    char *path;
    char way[KK_WAY_TEXT];
    kk_frequency_look(config, &record, &view, &path);
    (void)printf("\nBenchmark record\n  File:           %s\n", path != NULL ? path : "");
    kk_free(path);
    if (view.state == KK_RECORD_MISSING) {
        (void)puts("  State:          no record yet");
        return;
    }
    (void)printf("  State:          %s%s%s\n", kk_record_state_text(view.state),
                 view.changed != NULL ? ": measured with another " : "",
                 view.changed != NULL ? view.changed : "");
    if (view.state == KK_RECORD_DAMAGED) {
        (void)printf("  Problem:        %s\n", view.problem);
        return;
    }
    kk_way_text(&record.recommended, way);
    (void)printf("  Age:            %.1f hours\n  Recommended:    %s\n", view.age_s / 3600.0, way);
}

static int show_current(kk_app *app)
{
    const kk_config *config = &app->config;
    int status = load(app);
    if (status != KK_EXIT_OK)
        return status;
    if (app->values[KK_FREQUENCY_JSON] != NULL)
        return kk_app_print_json(current_to_json(config));
    const kk_validity_rule rule = kk_frequency_rule(config);
    const kk_frequency_text *text = &kk_frequencies[rule.frequency];
    const double period_s = kk_validity_s(&rule);
    (void)printf("Benchmark frequency\n  Setting:        %s (from %s)\n  Description:    %s\n",
                 text->name, origin_text(config->origin[KK_SET_BENCHMARK_FREQUENCY]),
                 text->description);
    if (isfinite(period_s))
        (void)printf("  Cache duration: %.0f hours (%.0f days)%s\n", period_s / 3600.0,
                     period_s / 86400.0,
                     rule.is_extended ? ", longer for development mode or fast start-up" : "");
    else
        (void)puts("  Cache duration: until a benchmark is asked for");
    (void)printf("  Environment:    %s: %s\n", variable,
                 exported() != NULL ? exported() : "Not set");
    print_cache(config);
    return kk_app_flush();
}

/* ---- writing ------------------------------------------------------------------------------ */

static int write_frequency(const kk_app *app, enum kk_frequency frequency)
{
    kokoro_error error;
    const char *name = kk_frequencies[frequency].name;
    if (kk_dotenv_set(KK_DOTENV_PATH, variable, name, &error) != KOKORO_OK) {
        kk_complain("%s", error.message);
        return KK_EXIT_FAILED;
    }
    warn_of_override(name);
    if (app->values[KK_FREQUENCY_JSON] != NULL)
        return kk_app_print_json(json_pack("{s:s, s:s, s:s?}", "frequency", name, "written",
                                           KK_DOTENV_PATH, "environment_variable", exported()));
    (void)printf("%s=%s is written to ./.env; a running server sees it within 5 seconds.\n",
                 variable, name);
    return kk_app_flush();
}

static int set_by_option(const kk_app *app, const char *word)
{
    const int frequency = kk_frequency_find(word);
    if (frequency < 0) {
        kk_complain("--frequency must be one of daily, weekly, monthly, manual, manually, not "
                    "'%.40s'",
                    word);
        return KK_EXIT_USAGE;
    }
    return write_frequency(app, (enum kk_frequency)frequency);
}

/* ---- answer by answer --------------------------------------------------------------------- */

static int nothing_changed(void)
{
    (void)puts("Nothing was changed.");
    return kk_app_flush();
}

/* The next line from standard input without white space around; false at its end. */
static bool ask(const char *question, kk_buf *answer)
{
    (void)printf("%s", question);
    (void)fflush(stdout);
    const enum kk_line line = kk_input_line(stdin, MAX_ANSWER, answer);
    if (line == KK_LINE_OK || line == KK_LINE_TOO_LONG)
        return true;
    (void)putchar('\n');
    return false;
}

static bool answered(const kk_buf *answer, const char *word)
{
    return kk_slice_equal_nocase(kk_slice_trim((kk_slice){kk_buf_str(answer), answer->len}),
                                 kk_slice_of(word));
}

/* `current` -1: what is set is none. */
static void explain(int current, enum kk_frequency advised, const char *why)
{
    (void)puts(
        "How long is the result of a benchmark good?\n\n"
        "A benchmark finds the fastest way to run the model on this machine whose sound is\n"
        "near enough to the best. Machines seldom change, so a result may be kept for long.\n");
    for (int i = 0; i < KK_N_FREQUENCIES; i++) {
        const kk_frequency_text *text = &kk_frequencies[i];
        (void)printf("  %d. %s (%s)%s%s\n     %s\n     Start-up:  %s\n     Battery:   %s\n"
                     "     Suits:     %s\n\n",
                     i + 1, text->title, text->duration, (int)advised == i ? "  recommended" : "",
                     current == i ? "  now set" : "", text->description, text->start_up,
                     text->battery, text->best_for);
    }
    (void)printf("Recommended here: %s, because %s.\n\n", kk_frequencies[advised].name, why);
}

/* The choice, 1 to 4 or its name; 0 for none; asks again after anything else. */
static int ask_choice(void)
{
    kk_buf answer = KK_BUF_INIT;
    int choice = -1;
    while (choice < 0) {
        long long number;
        if (!ask("Your choice [1-4, 0 to cancel]: ", &answer)) {
            choice = 0;
            break;
        }
        const kk_slice word = kk_slice_trim((kk_slice){kk_buf_str(&answer), answer.len});
        char text[MAX_ANSWER + 1] = "";
        if (word.len < sizeof(text))
            memcpy(text, word.data, word.len);
        if (kk_parse_int(text, &number) && number >= 0 && number <= KK_N_FREQUENCIES)
            choice = (int)number;
        else if (kk_frequency_find(text) >= 0)
            choice = kk_frequency_find(text) + 1;
        else
            (void)puts("Please answer with a number from 0 to 4.");
    }
    kk_buf_fini(&answer);
    return choice;
}

static bool ask_confirmation(enum kk_frequency frequency)
{
    char question[120];
    kk_buf answer = KK_BUF_INIT;
    bool is_yes = false;
    (void)snprintf(question, sizeof(question), "Write %s=%s to ./.env? [y/n]: ", variable,
                   kk_frequencies[frequency].name);
    while (ask(question, &answer)) {
        is_yes = answered(&answer, "y") || answered(&answer, "yes");
        if (is_yes || answered(&answer, "n") || answered(&answer, "no"))
            break;
    }
    kk_buf_fini(&answer);
    return is_yes;
}

/* A wrong frequency, which this command is there to mend, is told and passed over. */
static int load_or_pass_over(kk_app *app, bool *is_wrong)
{
    kokoro_error error;
    const enum kk_setting_id id = KK_SET_BENCHMARK_FREQUENCY;
    *is_wrong = false;
    if (kk_config_load(&app->config, KK_DOTENV_PATH, complain_of_line, NULL, &error) == KOKORO_OK)
        return KK_EXIT_OK;
    *is_wrong = error.status == KOKORO_INVALID && app->config.value[id] == NULL &&
                kk_config_set_option(&app->config, id, kk_settings[id].def, NULL) == KOKORO_OK &&
                kk_config_load(&app->config, KK_DOTENV_PATH, NULL, NULL, NULL) == KOKORO_OK;
    if (!*is_wrong)
        return kk_complain_of(&error);
    kk_complain("%s; other commands do not run until that is mended, as it can be here",
                error.message);
    return KK_EXIT_OK;
}

static int converse(kk_app *app)
{
    char why[160];
    bool is_wrong = false;
    if (app->values[KK_FREQUENCY_JSON] != NULL) {
        kk_complain("--json goes with --show-current or --frequency");
        return KK_EXIT_USAGE;
    }
    const int status = load_or_pass_over(app, &is_wrong);
    if (status != KK_EXIT_OK)
        return status;
    const enum kk_frequency advised = kk_frequency_advise(
        kk_config_bool(&app->config, KK_SET_DEVELOPMENT_MODE), "", why, sizeof(why));
    explain(is_wrong ? -1 : (int)kk_frequency_rule(&app->config).frequency, advised, why);
    const int choice = ask_choice();
    if (choice == 0 || !ask_confirmation((enum kk_frequency)(choice - 1)))
        return nothing_changed();
    return write_frequency(app, (enum kk_frequency)(choice - 1));
}

int kk_app_benchmark_frequency(kk_app *app)
{
    const char *frequency = app->values[KK_FREQUENCY_SET];
    const bool shows = app->values[KK_FREQUENCY_SHOW] != NULL;
    if (app->n_words > 0) {
        kk_complain("benchmark-frequency takes no argument '%.40s'", app->words[0]);
        return KK_EXIT_USAGE;
    }
    if (frequency != NULL && shows) {
        kk_complain("--show-current and --frequency are two commands; choose one");
        return KK_EXIT_USAGE;
    }
    if (shows)
        return show_current(app);
    return frequency != NULL ? set_by_option(app, frequency) : converse(app);
}
