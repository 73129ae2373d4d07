/*
 * cleanup_cache.c - `kokoro cleanup-cache`: what lies in the cache directory, once or every second,
 * and its clean-up.
 *
 * Ctrl-C ends a clean-up between two files: what was done so far is told, and the program then ends
 * by that signal. It is the way to end --watch, and no failure there.
 */
#include "cli.h"
#include "options.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "server/cache/cache_report.h"
#include "server/cache/cache_rules.h"
#include "server/cache/cleanup_file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

/* A signal that the parent ignores stays ignored. */
static void catch_signals(void)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN)
            continue;
        memset(&action, 0, sizeof(action));
        action.sa_handler = on_signal;
        (void)sigemptyset(&action.sa_mask);
        (void)sigaction(numbers[i], &action, NULL);
    }
}

static bool is_stopped(void *user)
{
    (void)user;
    return caught != 0;
}

/* ---- output ------------------------------------------------------------------------------- */

static void tell_problems(const kk_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++)
        kk_complain("warning: %s", problems->text[i]);
    if (problems->n_more > 0)
        kk_complain("warning: and %zu more", problems->n_more);
}

static void print_age(const char *name, double age_s)
{
    if (age_s < 2.0 * 3600.0)
        (void)printf("  %-16s %.0f min old\n", name, age_s / 60.0);
    else if (age_s < 48.0 * 3600.0)
        (void)printf("  %-16s %.1f h old\n", name, age_s / 3600.0);
    else
        (void)printf("  %-16s %.1f days old\n", name, age_s / 86400.0);
}

static void print_kinds(const kk_amount kinds[KK_N_KINDS])
{
    for (int i = 0; i < KK_N_KINDS; i++)
        (void)printf("    %-22s %10.2f MB %8zu files\n", kk_kind_words[i],
                     kk_cache_mb(kinds[i].bytes), kinds[i].n_files);
}

static void print_statistics(const kk_cache_statistics *s)
{
    (void)printf("Cache statistics\n");
    (void)printf("  %-16s %.2f MB of %.0f MB\n", "Total size", kk_cache_mb(s->all.bytes),
                 kk_cache_mb(s->max_bytes));
    (void)printf("  %-16s %zu\n", "Files", s->all.n_files);
    (void)printf("  %-16s %zu\n", "Directories", s->n_dirs);
    (void)printf("  %-16s %zu of %zu\n", "Temp dirs", s->n_temp_dirs, s->max_temp_dirs);
    (void)printf("  %-16s %s\n", "Cache path", s->path);
    if (s->all.n_files > 0) {
        print_age("Oldest file", s->oldest_age_s);
        print_age("Newest file", s->newest_age_s);
    }
    (void)printf("  By kind\n");
    print_kinds(s->kinds);
    (void)printf("  %-16s %.2f MB, %zu files: in use, no clean-up removes them\n", "Preserved",
                 kk_cache_mb(s->preserved.bytes), s->preserved.n_files);
    (void)printf("  %-16s %s\n", "Needs cleanup",
                 s->needs_cleanup ? "yes; kokoro cleanup-cache does it" : "no");
}

/* One line a second, for a pipe or a file. */
static void print_line(const kk_cache_statistics *s)
{
    char when[32] = "";
    const time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &local);
    (void)printf("%s %.2f MB %zu files %zu dirs %zu temp dirs, preserved %.2f MB, needs cleanup: "
                 "%s\n",
                 when, kk_cache_mb(s->all.bytes), s->all.n_files, s->n_dirs, s->n_temp_dirs,
                 kk_cache_mb(s->preserved.bytes), s->needs_cleanup ? "yes" : "no");
}

static void print_policy(const char *name, const kk_policy_result *policy)
{
    if (policy->n_files + policy->n_dirs > 0)
        (void)printf("    %-22s %10.2f MB %8zu files %6zu directories\n", name,
                     kk_cache_mb(policy->bytes), policy->n_files, policy->n_dirs);
}

static void print_result(const kk_cleanup_result *r)
{
    (void)printf("Cache cleanup %s in %.0f ms\n", r->is_stopped ? "stopped early" : "completed",
                 r->elapsed_ms);
    (void)printf("  %-16s %.2f MB\n", "Initial size", kk_cache_mb(r->before.bytes));
    (void)printf("  %-16s %.2f MB\n", "Final size", kk_cache_mb(r->after.bytes));
    (void)printf("  %-16s %.2f MB\n", "Freed", kk_cache_mb(r->before.bytes - r->after.bytes));
    print_policy("by age", &r->age);
    print_policy("temporary directories", &r->temp_dirs);
    print_policy("by size", &r->size);
    print_policy("by pattern", &r->patterns);
    (void)printf("  %-16s %.2f MB, %zu files in use\n", "Preserved",
                 kk_cache_mb(r->preserved.bytes), r->preserved.n_files);
}

/* ---- the work ----------------------------------------------------------------------------- */

static json_t *statistics_json(const kk_cache_statistics *s, const char *patterns)
{
    json_t *object = kk_cache_statistics_json(s);
    kk_cache_add_details(object, s, patterns);
    return object;
}

/* Every second the same place is drawn anew, until a signal, or nobody reads any more. */
static int watch(kk_cache_statistics *s, const kk_cleanup_rules *rules)
{
    const struct timespec second = {.tv_sec = 1};
    const bool is_terminal = isatty(STDOUT_FILENO) == 1;
    kokoro_error error;
    for (bool is_first = true; caught == 0; is_first = false) {
        if (!is_first && nanosleep(&second, NULL) != 0 && caught != 0)
            break;
        int status = kk_cache_look(s, rules, &error);
        if (status == KOKORO_CANCELLED)
            break;
        if (status != KOKORO_OK)
            return kk_complain_of(&error);
        if (!is_terminal) {
            print_line(s);
        } else {
            (void)fputs("\033[H\033[2J", stdout);
            print_statistics(s);
            (void)puts("\nCtrl-C ends this.");
        }
        if (fflush(stdout) != 0) {
            /* A reader such as head that has seen enough is no failure. */
            return errno == EPIPE ? KK_EXIT_OK : kk_app_flush();
        }
    }
    return KK_EXIT_OK;
}

static int show(const kk_app *app, const kk_cleanup_rules *rules)
{
    const bool is_json = app->values[KK_CLEANUP_JSON] != NULL;
    kokoro_error error = {.status = KOKORO_NO_MEMORY, .message = "out of memory"};
    kk_cache_statistics *s = kk_calloc(1, sizeof(*s));
    int status;
    if (s == NULL) {
        status = kk_complain_of(&error);
    } else if (app->values[KK_CLEANUP_WATCH] != NULL) {
        status = watch(s, rules);
    } else if (kk_cache_look(s, rules, &error) != KOKORO_OK) {
        status = kk_complain_of(&error);
    } else {
        tell_problems(&s->problems);
        if (is_json) {
            status = kk_app_print_json(statistics_json(s, rules->patterns));
        } else {
            print_statistics(s);
            status = kk_app_flush();
        }
    }
    kk_free(s);
    return status;
}

/* For whoever serves from this directory, and shows what clean-ups there were. */
static void note(const kk_cleanup_result *r, const kk_cleanup_rules *rules, double started_at_s)
{
    kokoro_error error;
    if (kk_cleanup_file_add(rules->cache_dir,
                            kk_cleanup_file_entry(r, started_at_s, rules->is_aggressive),
                            &error) != KOKORO_OK)
        kk_complain("warning: the clean-up is not noted for /cache-status: %s", error.message);
}

/* That a directory is refused is a failure as any other of the work, no wrong option. */
static int clean(const kk_app *app, const kk_cleanup_rules *rules)
{
    const bool is_json = app->values[KK_CLEANUP_JSON] != NULL;
    kokoro_error error = {.status = KOKORO_NO_MEMORY, .message = "out of memory"};
    kk_cleanup_result *r = kk_calloc(1, sizeof(*r));
    const double started_at_s = kk_wall_s();
    int status;
    if (r == NULL || kk_cleanup_run(r, rules, &error) != KOKORO_OK) {
        (void)kk_complain_of(&error);
        status = KK_EXIT_FAILED;
    } else {
        note(r, rules, started_at_s);
        const kk_policy_result *policies[] = {&r->age, &r->temp_dirs, &r->size, &r->patterns};
        for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
            tell_problems(&policies[i]->problems);
        if (is_json) {
            status = kk_app_print_json(kk_cleanup_result_json(r));
        } else {
            print_result(r);
            status = kk_app_flush();
        }
    }
    kk_free(r);
    return status;
}

static int check_options(const kk_app *app)
{
    const bool watches = app->values[KK_CLEANUP_WATCH] != NULL;
    if (app->n_words > 0)
        kk_complain("cleanup-cache takes no argument '%.40s'", app->words[0]);
    else if (watches && app->values[KK_CLEANUP_STATS] == NULL)
        kk_complain("--watch shows the statistics again and again: give --stats with it");
    else if (watches && app->values[KK_CLEANUP_JSON] != NULL)
        kk_complain("--json gives one document, --watch goes on: give one of them");
    else
        return KK_EXIT_OK;
    return KK_EXIT_USAGE;
}

int kk_app_cleanup_cache(kk_app *app)
{
    kokoro_error error;
    kk_cache_rules rules;
    int status = check_options(app);
    if (status != KK_EXIT_OK)
        return status;
    const bool shows = app->values[KK_CLEANUP_STATS] != NULL;
    if (kk_cache_rules_init(&rules, &app->config, app->values[KK_CLEANUP_AGGRESSIVE] != NULL, true,
                            &error) != KOKORO_OK)
        return kk_complain_of(&error);
    rules.rules.stopped = is_stopped;
    catch_signals();
    status = shows ? show(app, &rules.rules) : clean(app, &rules.rules);
    kk_cache_rules_fini(&rules);
    if (caught != 0 && app->values[KK_CLEANUP_WATCH] == NULL) {
        if (status != KK_EXIT_OK && app->values[KK_CLEANUP_JSON] != NULL)
            kk_app_print_failure();
        (void)signal(caught, SIG_DFL);
        (void)raise(caught);
    }
    return status;
}
