/* frequency.c - see frequency.h. */
#include "frequency.h"

#include "apps.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define START_UP "none: the server starts with what it knows and measures later, when it is idle"

const kk_frequency_text kk_frequencies[KK_N_FREQUENCIES] = {
    [KK_DAILY] = {"daily", "Daily", "24 hours",
                  "measure again when the last benchmark is a day old", START_UP,
                  "up to 30 seconds of all cores a day",
                  "development, and machines whose drivers or libraries change often"},
    [KK_WEEKLY] = {"weekly", "Weekly", "7 days",
                   "measure again when the last benchmark is a week old", START_UP,
                   "up to 30 seconds of all cores a week",
                   "most users: new libraries are noticed soon, at hardly any cost"},
    [KK_MONTHLY] = {"monthly", "Monthly", "30 days",
                    "measure again when the last benchmark is a month old", START_UP,
                    "up to 30 seconds of all cores a month",
                    "production systems that change seldom, and laptops that save their battery"},
    [KK_MANUALLY] = {"manually", "Manual", "no end",
                     "measure only when it is asked for (kokoro benchmark)", "none", "none",
                     "experts who decide themselves when a machine is measured"},
};

int kk_frequency_find(const char *word)
{
    const kk_slice slice = kk_slice_of(word);
    for (int i = 0; i < KK_N_FREQUENCIES; i++) {
        if (kk_slice_equal_nocase(slice, kk_slice_of(kk_frequencies[i].name)))
            return i;
    }
    return kk_slice_equal_nocase(slice, KK_SLICE("manual")) ? KK_MANUALLY : -1;
}

kk_validity_rule kk_frequency_rule(const kk_config *config)
{
    return (kk_validity_rule){
        .frequency = (enum kk_frequency)kk_config_choice(config, KK_SET_BENCHMARK_FREQUENCY),
        .is_extended = kk_config_bool(config, KK_SET_DEVELOPMENT_MODE) ||
                       kk_config_bool(config, KK_SET_FAST_STARTUP)};
}

void kk_frequency_look(const kk_config *config, kk_record *record, kk_record_view *view,
                       char **path)
{
    kokoro_options options;
    kk_fingerprint fingerprint;
    const kk_validity_rule rule = kk_frequency_rule(config);
    const char *cache_dir = kk_config_text(config, KK_SET_CACHE);
    kk_config_engine_options(config, &options);
    const bool is_known = kk_fingerprint_make(&fingerprint, &options, NULL) == KOKORO_OK;
    kk_record_look(record, cache_dir, is_known ? &fingerprint : NULL, &rule, kk_wall_s(), view);
    *path = kk_record_path(cache_dir);
}

const char *kk_fingerprint_option(const kk_config *config)
{
    static const enum kk_setting_id ids[] = {KK_SET_MODEL, KK_SET_ORT_LIBRARY,
                                             KK_SET_OPENVINO_LIBRARY};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        if (config->origin[ids[i]] == KK_FROM_OPTION)
            return kk_settings[ids[i]].option;
    }
    /* 0 is "auto": that holds for whoever restricts them too. */
    if (config->origin[KK_SET_THREADS] == KK_FROM_OPTION && kk_config_int(config, KK_SET_THREADS))
        return kk_settings[KK_SET_THREADS].option;
    /* Another home brings its model and libraries; its cache too, unless that is set apart. */
    const bool has_own_cache = config->origin[KK_SET_CACHE] == KK_FROM_ENVIRONMENT;
    return config->origin[KK_SET_HOME] == KK_FROM_OPTION && has_own_cache
               ? kk_settings[KK_SET_HOME].option
               : NULL;
}

const char *kk_record_state_text(enum kk_record_state state)
{
    static const char *const texts[] = {[KK_RECORD_MISSING] = "missing",
                                        [KK_RECORD_VALID] = "valid",
                                        [KK_RECORD_EXPIRED] = "expired",
                                        [KK_RECORD_CHANGED] = "changed",
                                        [KK_RECORD_DAMAGED] = "damaged"};
    return texts[state];
}

const char *kk_date_text(double seconds, char text[KK_DATE_SIZE])
{
    struct tm parts;
    const time_t at = isfinite(seconds) && seconds < 253402300800.0 ? (time_t)seconds : -1;
    if (at < 0 || localtime_r(&at, &parts) == NULL ||
        strftime(text, KK_DATE_SIZE, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        (void)snprintf(text, KK_DATE_SIZE, "never");
    return text;
}

json_t *kk_json_of_span(double seconds, double unit_s)
{
    return isfinite(seconds) ? json_real(round(seconds / unit_s * 100.0) / 100.0) : json_null();
}
