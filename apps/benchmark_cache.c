/*
 * benchmark_cache.c - `kokoro benchmark-cache`: the record of the last benchmark, which the server,
 * the commands and the library share: its state, its removal, a new one, its contents. The parts
 * that are asked for come in this order, each as JSON first and as text made of that.
 */
#include "cli.h"
#include "frequency.h"
#include "options.h"
#include "quick_benchmark.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/utf8.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_RECORD = 1 << 16 };
static const double hour_s = 3600.0, day_s = 86400.0;

static const char *cache_dir_of(const kk_app *app)
{
    return kk_config_text(&app->config, KK_SET_CACHE);
}

static json_t *date_or_null(double seconds)
{
    char text[KK_DATE_SIZE];
    return isfinite(seconds) ? json_string(kk_date_text(seconds, text)) : json_null();
}

/* ---- --status ----------------------------------------------------------------------------- */

static json_t *configuration(const kk_config *config)
{
    const kk_validity_rule rule = kk_frequency_rule(config);
    const double period_s = kk_validity_s(&rule);
    return json_pack("{s:s, s:o, s:o, s:b, s:b, s:b}", "frequency",
                     kk_frequencies[rule.frequency].name, "cache_duration_hours",
                     kk_json_of_span(period_s, hour_s), "cache_duration_days",
                     kk_json_of_span(period_s, day_s), "development_mode",
                     kk_config_bool(config, KK_SET_DEVELOPMENT_MODE), "fast_startup",
                     kk_config_bool(config, KK_SET_FAST_STARTUP), "skip_benchmarking",
                     kk_config_bool(config, KK_SET_SKIP_BENCHMARKING));
}

#define MEASURES_NOW "kokoro benchmark-cache --force-benchmark measures now."

/* `is_alone`: nothing measures by itself. */
static const char *advice(enum kk_record_state state, bool is_alone)
{
    switch (state) {
    case KK_RECORD_MISSING:
        return is_alone ? "There is no benchmark yet; " MEASURES_NOW
                        : "There is no benchmark yet: a server measures when it is idle, for up to "
                          "30 seconds; " MEASURES_NOW;
    case KK_RECORD_EXPIRED:
        return "The result is still used until the next benchmark; " MEASURES_NOW;
    case KK_RECORD_CHANGED:
        return "The result is not used, since it was found under other conditions; " MEASURES_NOW;
    case KK_RECORD_DAMAGED:
        return "The file is not used, and the next benchmark replaces it; " MEASURES_NOW;
    case KK_RECORD_VALID:
        break;
    }
    return is_alone ? "The result is in use; nothing is measured until you ask for it."
                    : "The result is in use, and each use prolongs it.";
}

static json_t *way_or_null(const kk_way *way)
{
    char text[KK_WAY_TEXT];
    kk_way_text(way, text);
    return way->provider[0] != '\0' ? json_string(text) : json_null();
}

static json_t *results_of(const kk_record *record)
{
    json_t *object = json_object();
    for (size_t i = 0; i < record->n_results; i++) {
        char text[KK_WAY_TEXT];
        kk_way_text(&record->results[i].way, text);
        (void)json_object_set_new(object, text, json_real(record->results[i].seconds));
    }
    return object;
}

static void add_record(json_t *status, const kk_record *record, const kk_record_view *view,
                       bool is_manual, bool is_skipped)
{
    const double left_s = view->expires_at_s - kk_wall_s();
    const bool is_off = is_manual || is_skipped;
    json_t *rest = json_pack(
        "{s:o, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:s, s:s, s:b, s:o}", "age_hours",
        kk_json_of_span(view->age_s, hour_s), "age_days", kk_json_of_span(view->age_s, day_s),
        "benchmarked_at", date_or_null(record->measured_at_s), "benchmark_date",
        record->measured_at_s, "expires_in_hours", kk_json_of_span(left_s, hour_s),
        "next_benchmark", is_off ? json_null() : date_or_null(view->expires_at_s),
        "recommended_provider", way_or_null(&record->recommended), "current_provider",
        way_or_null(&record->current), "mode", record->mode, "reason", record->reason,
        "is_over_quality_limit", record->is_over_quality, "benchmark_results", results_of(record));
    (void)json_object_update(status, rest);
    json_decref(rest);
}

static json_t *status_part(kk_app *app)
{
    kk_record record;
    kk_record_view view;
    char *path;
    const bool is_manual = kk_frequency_rule(&app->config).frequency == KK_MANUALLY;
    const bool is_skipped = kk_config_bool(&app->config, KK_SET_SKIP_BENCHMARKING);
    const bool is_alone = is_manual || is_skipped;
    kk_frequency_look(&app->config, &record, &view, &path);
    json_t *status = json_pack(
        "{s:o, s:s, s:s, s:s?, s:s?, s:o}", "configuration", configuration(&app->config), "path",
        path != NULL ? path : "", "state", kk_record_state_text(view.state), "changed",
        view.changed, "problem", view.state == KK_RECORD_DAMAGED ? view.problem : NULL,
        "running_process", json_integer(kk_record_lock_holder(cache_dir_of(app))));
    kk_free(path);
    if (view.state != KK_RECORD_MISSING && view.state != KK_RECORD_DAMAGED)
        add_record(status, &record, &view, is_manual, is_skipped);
    (void)json_object_set_new(status, "advice", json_string(advice(view.state, is_alone)));
    return status;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "-";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *yes_or_no(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key)) ? "yes" : "no";
}

static void print_configuration(const json_t *c)
{
    (void)printf("Configuration\n  Frequency:        %s\n", text_of(c, "frequency"));
    if (json_is_null(json_object_get(c, "cache_duration_hours")))
        (void)puts("  Cache duration:   until a benchmark is asked for");
    else
        (void)printf("  Cache duration:   %.0f hours (%.0f days)\n",
                     number_of(c, "cache_duration_hours"), number_of(c, "cache_duration_days"));
    (void)printf("  Development mode: %s\n  Fast start-up:    %s\n",
                 yes_or_no(c, "development_mode"), yes_or_no(c, "fast_startup"));
}

static void print_results(const json_t *results)
{
    const char *key;
    const json_t *value;
    (void)puts("  Results");
    json_object_foreach((json_t *)(uintptr_t)results, key, value)(void)
        printf("    %-30s %.3f s\n", key, json_number_value(value));
}

/* A record of other conditions has no period: what it says is not used. */
static void print_period(const json_t *s)
{
    const double left = number_of(s, "expires_in_hours");
    const bool is_changed = json_is_string(json_object_get(s, "changed"));
    const char *next = text_of(s, "next_benchmark");
    if (json_is_null(json_object_get(s, "expires_in_hours")) && !is_changed)
        (void)puts("  Expires in:       never");
    else if (left > 0.0 && !is_changed)
        (void)printf("  Expires in:       %.1f hours\n", left);
    else if (!is_changed)
        (void)printf("  Expired:          %.1f hours ago\n", -left);
    if (json_is_true(json_object_get(json_object_get(s, "configuration"), "skip_benchmarking")))
        next = "when it is asked for: KOKORO_SKIP_BENCHMARKING turns the server's own off";
    else if (json_is_null(json_object_get(s, "next_benchmark")))
        next = "when it is asked for";
    else if (is_changed || left <= 0.0)
        next = "due";
    (void)printf("  Next benchmark:   %s\n", next);
}

static void print_status(const json_t *s)
{
    const char *changed = json_string_value(json_object_get(s, "changed"));
    const json_int_t running = json_integer_value(json_object_get(s, "running_process"));
    print_configuration(json_object_get(s, "configuration"));
    (void)printf("\nBenchmark record\n  File:             %s\n  State:            %s%s%s\n",
                 text_of(s, "path"), text_of(s, "state"),
                 changed != NULL ? ": measured with another " : "", changed != NULL ? changed : "");
    if (json_is_string(json_object_get(s, "problem")))
        (void)printf("  Problem:          %s\n", text_of(s, "problem"));
    if (json_object_get(s, "age_hours") != NULL) {
        (void)printf("  Age:              %.1f hours (%.1f days)\n  Benchmark date:   %s\n",
                     number_of(s, "age_hours"), number_of(s, "age_days"),
                     text_of(s, "benchmarked_at"));
        print_period(s);
        (void)printf("  Recommended:      %s\n  Current:          %s\n  Reason:           %s\n",
                     text_of(s, "recommended_provider"), text_of(s, "current_provider"),
                     text_of(s, "reason"));
        print_results(json_object_get(s, "benchmark_results"));
    }
    if (running != 0)
        (void)printf("  Running now:      a benchmark, in process %lld\n", (long long)running);
    (void)printf("\n%s\n", text_of(s, "advice"));
}

/* ---- --clear ------------------------------------------------------------------------------ */

static json_t *clear_part(kk_app *app, int *status)
{
    kokoro_error error = {KOKORO_OK, ""};
    char *path = kk_record_path(cache_dir_of(app));
    const bool was_there = path != NULL && kk_file_exists(path);
    if (path == NULL || kk_record_clear(cache_dir_of(app), &error) != KOKORO_OK) {
        kk_complain("%s", path != NULL ? error.message : "out of memory");
        *status = KK_EXIT_FAILED;
    }
    json_t *object = json_pack("{s:b, s:b, s:s, s:s?}", "success", *status == KK_EXIT_OK, "removed",
                               was_there && *status == KK_EXIT_OK, "path", path != NULL ? path : "",
                               "error", *status == KK_EXIT_OK ? NULL : error.message);
    kk_free(path);
    return object;
}

static void print_clear(const json_t *c)
{
    if (json_is_true(json_object_get(c, "removed")))
        (void)printf("The benchmark record %s is removed.\n", text_of(c, "path"));
    else if (json_is_true(json_object_get(c, "success")))
        (void)puts("There is no benchmark record; nothing was to be removed.");
}

/* ---- --force-benchmark -------------------------------------------------------------------- */

/* Takes the reference of `failures`, which may be NULL. */
static json_t *force_failure(json_t *failures)
{
    json_t *object = json_pack("{s:b, s:s}", "success", 0, "error", kk_app_last_complaint());
    if (failures != NULL)
        (void)json_object_set_new(object, "failed", failures);
    return object;
}

static json_t *new_record_to_json(const kk_app *app, const kk_record *record)
{
    const kk_record_result *fastest = &record->results[0], *slowest = fastest;
    for (size_t i = 1; i < record->n_results; i++) {
        fastest = record->results[i].seconds < fastest->seconds ? &record->results[i] : fastest;
        slowest = record->results[i].seconds > slowest->seconds ? &record->results[i] : slowest;
    }
    const kk_validity_rule rule = kk_frequency_rule(&app->config);
    const double gain =
        slowest->seconds > 0.0 ? 100.0 * (1.0 - fastest->seconds / slowest->seconds) : 0.0;
    return json_pack("{s:b, s:o, s:s, s:o, s:f, s:o, s:f, s:o, s:f}", "success", 1,
                     "recommended_provider", way_or_null(&record->recommended), "reason",
                     record->reason, "cache_duration_hours",
                     kk_json_of_span(kk_validity_s(&rule), hour_s), "improvement_percent",
                     round(gain * 10.0) / 10.0, "fastest", way_or_null(&fastest->way),
                     "fastest_seconds", fastest->seconds, "slowest", way_or_null(&slowest->way),
                     "slowest_seconds", slowest->seconds);
}

static json_t *force_part(kk_app *app, int *status)
{
    kk_record record;
    kk_record_view view;
    char *path;
    json_t *failures = NULL;
    const double begin_s = kk_wall_s();
    const char *option = kk_fingerprint_option(&app->config);
    if (option != NULL) {
        kk_complain("the record is for every program: --%s would make one that none of the others "
                    "can use; set it in the environment or in .env",
                    option);
        *status = KK_EXIT_USAGE;
        return force_failure(NULL);
    }
    *status = kk_app_quick_benchmark(app, app->values[KK_CACHE_JSON] != NULL ? &failures : NULL);
    if (*status != KK_EXIT_OK)
        return force_failure(failures);
    kk_frequency_look(&app->config, &record, &view, &path);
    kk_free(path);
    if (view.state == KK_RECORD_MISSING || view.state == KK_RECORD_DAMAGED ||
        record.measured_at_s < begin_s - 1.0) {
        kk_complain("the benchmark ended without a new record");
        *status = KK_EXIT_FAILED;
        return force_failure(failures);
    }
    json_t *object = new_record_to_json(app, &record);
    if (failures != NULL)
        (void)json_object_set_new(object, "failed", failures);
    return object;
}

static void print_force(const json_t *f)
{
    if (!json_is_true(json_object_get(f, "success")))
        return;
    (void)printf("New benchmark record\n  Recommended: %s\n  Reason:      %s\n",
                 text_of(f, "recommended_provider"), text_of(f, "reason"));
    if (json_is_null(json_object_get(f, "cache_duration_hours")))
        (void)puts("  Good for:    no end");
    else
        (void)printf("  Good for:    %.0f hours\n", number_of(f, "cache_duration_hours"));
    (void)printf("  Fastest:     %s, %.3f s\n  Slowest:     %s, %.3f s\n  Improvement: %.1f %%\n",
                 text_of(f, "fastest"), number_of(f, "fastest_seconds"), text_of(f, "slowest"),
                 number_of(f, "slowest_seconds"), number_of(f, "improvement_percent"));
}

/* ---- --inspect ---------------------------------------------------------------------------- */

/* Whatever is in the file, also what is no record. */
static json_t *inspect_part(kk_app *app)
{
    struct stat st;
    kk_record record;
    kokoro_error error = {KOKORO_OK, ""};
    char *path = kk_record_path(cache_dir_of(app));
    kk_buf text = KK_BUF_INIT;
    json_t *contents = NULL;
    const bool is_there = path != NULL && stat(path, &st) == 0;
    const int status = kk_record_load(&record, cache_dir_of(app), &error);
    if (is_there && S_ISREG(st.st_mode) && kk_file_read(&text, path, MAX_RECORD, NULL) == KOKORO_OK)
        contents = json_loadb(text.data != NULL ? text.data : "", text.len, 0, NULL);
    kk_buf_fini(&text);
    json_t *object = json_pack(
        "{s:s, s:b, s:o, s:o, s:s?, s:o}", "path", path != NULL ? path : "", "exists", is_there,
        "size_bytes", is_there ? json_integer((json_int_t)st.st_size) : json_null(), "modified",
        is_there ? date_or_null((double)st.st_mtim.tv_sec) : json_null(), "problem",
        is_there && status != KOKORO_OK ? error.message : NULL, "contents",
        contents != NULL ? contents : json_null());
    kk_free(path);
    return object;
}

static void print_value(const char *key, const json_t *value, int depth)
{
    const char *name;
    const json_t *member;
    size_t i;
    char date[KK_DATE_SIZE];
    (void)printf("%*s%s:", depth * 2, "", key);
    if (json_is_object(value)) {
        (void)puts("");
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
            print_value(name, member, depth + 1);
    } else if (json_is_array(value)) {
        (void)puts("");
        json_array_foreach(value, i, member)
        {
            char place[24];
            (void)snprintf(place, sizeof(place), "%zu", i + 1);
            print_value(place, member, depth + 1);
        }
    } else if (json_is_string(value)) {
        (void)printf(" %s\n", json_string_value(value));
    } else if (json_is_number(value) && strcmp(key, "benchmark_date") == 0) {
        (void)printf(" %.3f (%s)\n", json_number_value(value),
                     kk_date_text(json_number_value(value), date));
    } else if (json_is_number(value)) {
        (void)printf(" %.6g\n", json_number_value(value));
    } else {
        (void)printf(" %s\n", json_is_true(value)    ? "true"
                              : json_is_false(value) ? "false"
                                                     : "null");
    }
}

static void print_inspect(const json_t *i)
{
    const char *key;
    const json_t *value;
    (void)printf("Contents of the benchmark record\n  File:     %s\n", text_of(i, "path"));
    if (!json_is_true(json_object_get(i, "exists"))) {
        (void)puts("  There is none.");
        return;
    }
    (void)printf("  Size:     %lld bytes\n  Modified: %s\n",
                 (long long)json_integer_value(json_object_get(i, "size_bytes")),
                 text_of(i, "modified"));
    if (json_is_string(json_object_get(i, "problem")))
        (void)printf("  Problem:  %s\n", text_of(i, "problem"));
    const json_t *contents = json_object_get(i, "contents");
    if (json_is_object(contents)) {
        json_object_foreach((json_t *)(uintptr_t)contents, key, value) print_value(key, value, 1);
    }
}

/* ---- the whole ---------------------------------------------------------------------------- */

static char *shown_text(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *shown = kk_alloc(size);
    if (shown != NULL)
        (void)kk_text_shown(shown, size, text);
    return shown;
}

/* The same with all text as a terminal may have it: a record may be anybody's. What memory is out
 * for is null. */
static json_t *shown_value(const json_t *value)
{
    const char *key;
    const json_t *member;
    size_t i;
    json_t *copy = NULL;
    if (json_is_object(value)) {
        copy = json_object();
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            char *name = shown_text(key);
            if (name != NULL)
                (void)json_object_set_new(copy, name, shown_value(member));
            kk_free(name);
        }
    } else if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, member)(void) json_array_append_new(copy, shown_value(member));
    } else if (json_is_string(value)) {
        char *text = shown_text(json_string_value(value));
        copy = text != NULL ? json_string(text) : NULL;
        kk_free(text);
    } else {
        copy = json_copy((json_t *)(uintptr_t)value);
    }
    return copy != NULL ? copy : json_null();
}

/* A finished part: into the document, or onto standard output at once. */
static void put_part(const kk_app *app, json_t *document, const char *name, json_t *part,
                     void (*print)(const json_t *part))
{
    if (app->values[KK_CACHE_JSON] == NULL) {
        if (json_object_size(document) > 0)
            (void)puts("");
        json_t *shown = shown_value(part);
        print(shown);
        json_decref(shown);
    }
    (void)json_object_set_new(document, name, part);
}

int kk_app_benchmark_cache(kk_app *app)
{
    const char *const *given = app->values;
    int cleared = KK_EXIT_OK, forced = KK_EXIT_OK;
    if (app->n_words > 0) {
        kk_complain("benchmark-cache takes no argument '%.40s'", app->words[0]);
        return KK_EXIT_USAGE;
    }
    json_t *document = json_object();
    if (given[KK_CACHE_STATUS] != NULL ||
        (given[KK_CACHE_CLEAR] == NULL && given[KK_CACHE_FORCE] == NULL &&
         given[KK_CACHE_INSPECT] == NULL))
        put_part(app, document, "status", status_part(app), print_status);
    if (given[KK_CACHE_CLEAR] != NULL)
        put_part(app, document, "clear", clear_part(app, &cleared), print_clear);
    if (given[KK_CACHE_FORCE] != NULL)
        put_part(app, document, "force_benchmark", force_part(app, &forced), print_force);
    if (given[KK_CACHE_INSPECT] != NULL)
        put_part(app, document, "inspect", inspect_part(app), print_inspect);
    int status = KK_EXIT_OK;
    if (given[KK_CACHE_JSON] != NULL) {
        status = kk_app_print_json(document);
    } else {
        json_decref(document);
        status = kk_app_flush();
    }
    return status != KK_EXIT_OK ? status : cleared != KK_EXIT_OK ? cleared : forced;
}
