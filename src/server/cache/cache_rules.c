#include "server/cache/cache_rules.h"

#include "base/status.h"
#include "bench/providers.h"
#include "cache/record.h"

#include <string.h>

enum { MAX_CURRENT = sizeof(((kk_cache_rules *)0)->current) / sizeof(kk_cache_current) };

static void add_current(void *user, const kokoro_cached *cached)
{
    kk_cache_rules *rules = user;
    if (rules->rules.n_current == MAX_CURRENT)
        return;
    kk_cache_current *current = &rules->current[rules->rules.n_current++];
    current->folder = kk_arena_strdup(&rules->arena, cached->folder);
    if (cached->path != NULL)
        current->path = kk_arena_strdup(&rules->arena, cached->path);
    if (current->folder == NULL) /* memory is out: no kind of that name, as if it were not told */
        current->folder = "";
}

/* Nobody can be asked: of each kind the newest is kept. */
static void keep_newest(kk_cache_rules *rules)
{
    static const kk_cache_current folders[] = {
        {"native", NULL, NULL}, {"ort", NULL, NULL}, {"openvino", NULL, NULL}};
    memcpy(rules->current, folders, sizeof(folders));
    rules->rules.n_current = sizeof(folders) / sizeof(folders[0]);
}

/* Of OpenVINO's compiled models the one of the precision that is used counts: that is asked for, or
 * the benchmark recommends it. */
static const char *ending_in_use(const kk_config *config)
{
    const char *precision = kk_config_text(config, KK_SET_PRECISION);
    const char *provider = kk_config_text(config, KK_SET_PROVIDER);
    kk_record record;
    const bool is_auto = strcmp(provider, "auto") == 0;
    const bool has_record =
        is_auto && kk_record_load(&record, kk_config_text(config, KK_SET_CACHE), NULL) == KOKORO_OK;
    if (has_record)
        provider = record.recommended.provider;
    if (has_record && strcmp(precision, "auto") == 0)
        precision = record.recommended.precision;
    if (strcmp(provider, "openvino") != 0)
        return NULL;
    return strcmp(precision, "bf16") == 0  ? ".bf16.blob"
           : strcmp(precision, "f32") == 0 ? ".f32.blob"
                                           : NULL;
}

int kk_cache_rules_init(kk_cache_rules *out, const kk_config *config, bool is_aggressive,
                        bool asks_providers, kokoro_error *err)
{
    static const enum kk_setting_id foreign[] = {KK_SET_HOME,         KK_SET_MODEL,
                                                 KK_SET_VOICES,       KK_SET_LEXICON,
                                                 KK_SET_ORT_LIBRARY,  KK_SET_OPENVINO_LIBRARY,
                                                 KK_SET_ESPEAK_HELPER};
    memset(out, 0, sizeof(*out));
    out->rules = (kk_cleanup_rules){
        .cache_dir = kk_config_text(config, KK_SET_CACHE),
        .max_age_s = 3600.0 * kk_config_real(config, KK_SET_CACHE_MAX_AGE_HOURS),
        .max_bytes = (uint64_t)kk_config_int(config, KK_SET_CACHE_MAX_MB) << 20,
        .max_result_bytes = (uint64_t)kk_config_int(config, KK_SET_RESULT_CACHE_DISK_MB) << 20,
        .max_temp_dirs = (size_t)kk_config_int(config, KK_SET_CACHE_MAX_TEMP_DIRS),
        .patterns = kk_config_text(config, KK_SET_CACHE_PATTERNS),
        .is_aggressive = is_aggressive,
        .current = out->current,
        .foreign = out->foreign};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        out->foreign[out->rules.n_foreign++] = kk_config_text(config, foreign[i]);
    kokoro_options options;
    kk_config_engine_options(config, &options);
    if (!asks_providers || kk_bench_list_own_cached(&options, add_current, out, NULL) != KOKORO_OK)
        keep_newest(out);
    const char *ending = ending_in_use(config);
    for (size_t i = 0; i < out->rules.n_current; i++) {
        if (strcmp(out->current[i].folder, "openvino") == 0)
            out->current[i].ending = ending;
        if (out->current[i].folder[0] == '\0') {
            kk_cache_rules_fini(out);
            return kk_fail_memory(err);
        }
    }
    return KOKORO_OK;
}

void kk_cache_rules_fini(kk_cache_rules *rules)
{
    kk_arena_fini(&rules->arena);
}
