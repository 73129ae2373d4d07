/*
 * live.c - follows .env and the benchmark record. A file that cannot be used changes nothing: the
 * settings and the engine stay as they were, and a warning says why.
 */
#include "server/live.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "cache/record.h"
#include "server/server_state.h"

#include <pthread.h>
#include <string.h>

static const double kept_s = 3600.0;

typedef struct settings {
    const kk_config *config;
    kk_config own;        /* where they are not the first */
    double replaced_at_s; /* 0: in use */
    struct settings *next;
} settings;

struct kk_live {
    pthread_mutex_t mutex;
    settings *newest;
    kk_file_id dotenv, record; /* as they were last looked at */
    char *record_path;
};

int kk_live_create(kk_live **out, const kk_config *first, kokoro_error *err)
{
    kk_live *live = kk_calloc(1, sizeof(*live));
    settings *s = kk_calloc(1, sizeof(*s));
    *out = NULL;
    if (live == NULL || s == NULL || pthread_mutex_init(&live->mutex, NULL) != 0) {
        kk_free(live);
        kk_free(s);
        return kk_fail_memory(err);
    }
    s->config = first;
    live->newest = s;
    live->record_path = kk_record_path(kk_config_text(first, KK_SET_CACHE));
    if (live->record_path == NULL) {
        kk_live_destroy(&live);
        return kk_fail_memory(err);
    }
    kk_file_identify(&live->dotenv, KK_DOTENV_PATH);
    kk_file_identify(&live->record, live->record_path);
    *out = live;
    return KOKORO_OK;
}

static void free_settings(settings *s)
{
    if (s->config == &s->own)
        kk_config_fini(&s->own);
    kk_free(s);
}

void kk_live_destroy(kk_live **live_ptr)
{
    kk_live *live = *live_ptr;
    if (live == NULL)
        return;
    for (settings *s = live->newest, *next; s != NULL; s = next) {
        next = s->next;
        free_settings(s);
    }
    kk_free(live->record_path);
    (void)pthread_mutex_destroy(&live->mutex);
    kk_free(live);
    *live_ptr = NULL;
}

const kk_config *kk_live_config(kk_live *live)
{
    (void)pthread_mutex_lock(&live->mutex);
    const kk_config *config = live->newest->config;
    (void)pthread_mutex_unlock(&live->mutex);
    return config;
}

/* --- settings --- */

static void warn_of_dotenv(void *user, const char *line)
{
    kk_log_write(user, KOKORO_LOG_WARNING, "%s", line);
}

static void drop_old(kk_live *live)
{
    double now_s = kk_now_s();
    settings *old = NULL;
    (void)pthread_mutex_lock(&live->mutex);
    for (settings **link = &live->newest->next; *link != NULL; link = &(*link)->next) {
        if (now_s - (*link)->replaced_at_s > kept_s) {
            old = *link;
            *link = NULL;
            break;
        }
    }
    (void)pthread_mutex_unlock(&live->mutex);
    for (settings *next; old != NULL; old = next) {
        next = old->next;
        free_settings(old);
    }
}

/* What a socket was opened with stays as long as it. */
static bool is_of_the_start(enum kk_setting_id id)
{
    static const enum kk_setting_id of_the_start[] = {
        KK_SET_HOST,
        KK_SET_PORT,
        KK_SET_WYOMING_HOST,
        KK_SET_WYOMING_PORT,
        KK_SET_WYOMING_WITHOUT_KEYS,
        KK_SET_WYOMING_ANNOUNCE,
        KK_SET_MAX_CONNECTIONS,
        KK_SET_MAX_CONNECTIONS_PER_ADDRESS,
    };
    for (size_t i = 0; i < sizeof(of_the_start) / sizeof(of_the_start[0]); i++) {
        if (of_the_start[i] == id)
            return true;
    }
    return false;
}

static void tell_changes(kk_server *server, const kk_config *before, const kk_config *now)
{
    for (int i = 0; i < KK_N_SETTINGS; i++) {
        const enum kk_setting_id id = (enum kk_setting_id)i;
        const char *value = kk_config_text(now, id);
        if (strcmp(value, kk_config_text(before, id)) == 0)
            continue;
        if (is_of_the_start(id))
            kk_log_write(&server->log, KOKORO_LOG_WARNING,
                         "%s will be '%s' from the next start on; this server keeps '%s'",
                         kk_settings[id].variable, value,
                         kk_config_text(server->options.config, id));
        else
            kk_log_write(&server->log, KOKORO_LOG_INFO, "%s is now '%s'", kk_settings[id].variable,
                         value);
    }
}

/* Read the settings anew; true when they are others. */
static bool read_settings(kk_live *live, kk_server *server)
{
    kokoro_error error;
    const kk_config *before = kk_live_config(live);
    settings *s = kk_calloc(1, sizeof(*s));
    if (s == NULL)
        return false;
    int status =
        kk_config_load_again(&s->own, before, KK_DOTENV_PATH, warn_of_dotenv, &server->log, &error);
    s->config = &s->own;
    if (status != KOKORO_OK) {
        kk_log_write(&server->log, KOKORO_LOG_WARNING, "the settings stay as they were: %s",
                     error.message);
        free_settings(s);
        return false;
    }
    tell_changes(server, before, s->config);
    (void)pthread_mutex_lock(&live->mutex);
    live->newest->replaced_at_s = kk_now_s();
    s->next = live->newest;
    live->newest = s;
    (void)pthread_mutex_unlock(&live->mutex);
    return true;
}

/* --- the engine --- */

static bool differs(const kk_config *a, const kk_config *b, enum kk_setting_id id)
{
    return strcmp(kk_config_text(a, id), kk_config_text(b, id)) != 0;
}

static bool engine_settings_differ(const kk_config *a, const kk_config *b)
{
    return differs(a, b, KK_SET_PROVIDER) || differs(a, b, KK_SET_THREADS) ||
           differs(a, b, KK_SET_PRECISION) || differs(a, b, KK_SET_CPU_MASK);
}

/* How long a record is good the engine in use can be told; always, since another may have taken its
 * place meanwhile, by settings that were being changed. */
static void tell_period(kk_server *server, const kk_config *config)
{
    kokoro_options options;
    kokoro_engine *engine = kk_server_take_engine(server);
    kk_config_engine_options(config, &options);
    if (engine != NULL)
        kokoro_set_benchmark_period(engine, options.benchmark_frequency,
                                    options.benchmark_extended);
    kk_server_give_engine(server, engine);
}

bool kk_live_choice_is_old(const kokoro_engine_info *now, const kk_record_view *view,
                           const kk_record *record, const kokoro_options *options)
{
    const bool is_measured =
        strcmp(now->choice, "measured") == 0 || strcmp(now->choice, "expired") == 0;
    kk_way wanted, way = {.n_threads = now->n_threads};
    if (strcmp(now->choice, "asked") == 0)
        return false;
    if (view->state != KK_RECORD_VALID && view->state != KK_RECORD_EXPIRED)
        return strcmp(now->choice, "unmeasured") != 0;
    kk_record_way(record, options, &wanted);
    (void)strncpy(way.provider, now->provider, sizeof(way.provider) - 1);
    (void)strncpy(way.precision, now->precision, sizeof(way.precision) - 1);
    return !is_measured || strcmp(now->choice, "expired") == 0 || !kk_way_equal(&way, &wanted) ||
           strncmp(now->choice_reason, record->reason, strlen(record->reason)) != 0;
}

/* Would the engine be another, or chosen for another reason, if it were opened now? */
static bool record_differs(kk_server *server, const kk_config *config)
{
    kk_record record;
    kk_record_view view;
    kk_fingerprint fingerprint;
    kokoro_options options;
    kokoro_engine_info info = {.struct_size = sizeof(info)};
    const kk_validity_rule rule = {.frequency = KK_MANUALLY};
    if (strcmp(kk_config_text(config, KK_SET_PROVIDER), "auto") != 0)
        return false;
    kk_config_engine_options(config, &options);
    if (kk_fingerprint_make(&fingerprint, &options, NULL) != KOKORO_OK)
        return false;
    kk_record_look(&record, kk_config_text(config, KK_SET_CACHE), &fingerprint, &rule, kk_wall_s(),
                   &view);
    kokoro_engine *engine = kk_server_take_engine(server);
    bool differs = false; /* an unloaded one is opened as the record says then */
    if (engine != NULL) {
        kokoro_get_engine_info(engine, &info);
        differs = kk_live_choice_is_old(&info, &view, &record, &options);
    }
    kk_server_give_engine(server, engine);
    return differs;
}

void kk_live_read_again(kk_live *live)
{
    live->dotenv = (kk_file_id){.size = UINT64_MAX}; /* that of no file */
}

void kk_live_tick(kk_live *live, kk_server *server)
{
    const kk_config *before = kk_live_config(live);
    kk_file_id dotenv, record;
    bool must_open = false;
    kk_file_identify(&dotenv, KK_DOTENV_PATH);
    kk_file_identify(&record, live->record_path);
    if (!kk_file_id_equal(&dotenv, &live->dotenv)) {
        live->dotenv = dotenv;
        if (read_settings(live, server))
            must_open = engine_settings_differ(before, kk_live_config(live));
    }
    /* An engine that is being opened may have read the record before it changed. */
    if (!kk_file_id_equal(&record, &live->record) && kk_server_is_ready(server)) {
        live->record = record;
        must_open = must_open || record_differs(server, kk_live_config(live));
    }
    if (must_open)
        kk_server_open_engine(server);
    tell_period(server, kk_live_config(live));
    drop_old(live);
}
