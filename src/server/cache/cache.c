/*
 * cache.c - GET /cache-status, POST /cache-cleanup, and the clean-up at the start. Disks can be
 * slow: the work is done by two threads of its own, never by the connections' thread nor by those
 * that speak: one cleans, at the lowest priority, and one looks, which so waits for no clean-up.
 */
#define _DEFAULT_SOURCE
#include "server/server_state.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"
#include "server/cache/cache_keeper.h"
#include "server/cache/cache_log.h"
#include "server/cache/cache_report.h"
#include "server/cache/cache_rules.h"
#include "server/cache/cleanup_file.h"
#include "server/json.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_WAITING = 16 };
/* Of nice(2). Somebody waits for a look, on a machine that may be busy speaking. */
enum { LOOK_PRIORITY = 5, CLEAN_PRIORITY = 19 };

struct kk_cache_keeper {
    kk_server *server;
    kk_jobs *lookers, *cleaners; /* a thread each */
    kk_cache_log *log;
    atomic_bool must_end;
};

typedef struct job {
    kk_cache_keeper *keeper;
    kk_http_exchange *exchange; /* NULL: of the start */
    kk_http_response response;
    bool is_cleanup, is_aggressive;
} job;

int kk_cache_keeper_create(kk_cache_keeper **out, kk_server *server, kokoro_error *err)
{
    kk_cache_keeper *keeper = kk_calloc(1, sizeof(*keeper));
    *out = NULL;
    if (keeper == NULL)
        return kk_fail_memory(err);
    keeper->server = server;
    atomic_init(&keeper->must_end, false);
    int status = kk_cache_log_create(&keeper->log, err);
    if (status == KOKORO_OK)
        status = kk_jobs_start(&keeper->lookers, 1, MAX_WAITING, err);
    if (status == KOKORO_OK)
        status = kk_jobs_start(&keeper->cleaners, 1, MAX_WAITING, err);
    if (status != KOKORO_OK)
        kk_cache_keeper_destroy(&keeper);
    *out = keeper;
    return status;
}

void kk_cache_keeper_end(kk_cache_keeper *keeper)
{
    if (keeper == NULL)
        return;
    atomic_store(&keeper->must_end, true);
    kk_jobs_end(keeper->lookers);
    kk_jobs_end(keeper->cleaners);
}

void kk_cache_keeper_destroy(kk_cache_keeper **keeper_ptr)
{
    kk_cache_keeper *keeper = keeper_ptr != NULL ? *keeper_ptr : NULL;
    if (keeper == NULL)
        return;
    *keeper_ptr = NULL;
    kk_cache_keeper_end(keeper);
    kk_jobs_stop(&keeper->lookers);
    kk_jobs_stop(&keeper->cleaners);
    kk_cache_log_destroy(&keeper->log);
    kk_free(keeper);
}

void kk_cache_keeper_add_speech(kk_cache_keeper *keeper, double start_s, double first_s,
                                double total_s)
{
    kk_cache_log_add_speech(keeper->log, start_s, first_s, total_s);
}

/* --- the work --- */

static bool must_end(void *user)
{
    return atomic_load(&((kk_cache_keeper *)user)->must_end);
}

/* Until the model is loaded its runtime is not touched from here too. */
static int make_rules(kk_cache_rules *rules, const job *j, kokoro_error *err)
{
    kk_server *server = j->keeper->server;
    int status = kk_cache_rules_init(rules, kk_server_config(server), j->is_aggressive,
                                     kk_server_is_ready(server), err);
    rules->rules.stopped = must_end;
    rules->rules.stopped_user = j->keeper;
    return status;
}

/* What is kept in memory too, and how often it was of use. */
static json_t *results_json(kk_server *server)
{
    kk_speech_cache_view view;
    kk_metrics_view *metrics = kk_calloc(1, sizeof(*metrics));
    if (metrics == NULL)
        return NULL;
    kk_speech_cache_read(server->results, &view);
    kk_metrics_read(server->metrics, metrics);
    json_t *object = kk_speech_cache_json(&view);
    (void)json_object_set_new(object, "hits", json_integer((json_int_t)metrics->n_cache_hits));
    (void)json_object_set_new(object, "misses", json_integer((json_int_t)metrics->n_cache_misses));
    kk_free(metrics);
    return object;
}

static json_t *look(const job *j, kk_api_error *error)
{
    kokoro_error err = {.status = KOKORO_NO_MEMORY, .message = "out of memory"};
    kk_cache_rules rules;
    json_t *object = NULL;
    kk_cache_statistics *statistics = kk_calloc(1, sizeof(*statistics));
    int status = statistics != NULL ? make_rules(&rules, j, &err) : KOKORO_NO_MEMORY;
    if (status == KOKORO_OK) {
        status = kk_cache_look(statistics, &rules.rules, &err);
        if (status == KOKORO_OK) {
            object =
                json_pack("{s:o, s:o}", "cache_statistics", kk_cache_statistics_json(statistics),
                          "cleanup_recommendations", kk_cache_advice_json(statistics));
            kk_cache_add_details(object, statistics, rules.rules.patterns);
            json_t *others = kk_cleanup_file_read(rules.rules.cache_dir);
            (void)json_object_set_new(object, "cleanups",
                                      kk_cache_log_json(j->keeper->log, others));
            json_decref(others);
            (void)json_object_set_new(object, "results", results_json(j->keeper->server));
        }
        kk_cache_rules_fini(&rules);
    }
    kk_free(statistics);
    if (status != KOKORO_OK)
        kk_api_from_engine(error, &err, NULL);
    return object;
}

/* For servers after this one. That it cannot be kept is worth no failure. */
static void note(const job *j, const char *cache_dir, unsigned number)
{
    kokoro_error err;
    json_t *entry = kk_cache_log_entry(j->keeper->log, number);
    if (entry != NULL && kk_cleanup_file_add(cache_dir, entry, &err) != KOKORO_OK)
        kk_log_write(&j->keeper->server->log, KOKORO_LOG_WARNING,
                     "the clean-up of the cache is not noted: %s", err.message);
}

/* KOKORO_OK, or why not. Answers in memory are let go as files are by age; all, when it is
 * aggressive. */
static int clean(const job *j, kk_cleanup_result *result, uint64_t *freed_memory, kokoro_error *err)
{
    kk_cache_rules rules;
    int status = make_rules(&rules, j, err);
    if (status != KOKORO_OK)
        return status;
    const unsigned number = kk_cache_log_begin(
        j->keeper->log, j->exchange != NULL ? "request" : "start", j->is_aggressive);
    status = kk_cleanup_run(result, &rules.rules, err);
    const double max_age_s = rules.rules.max_age_s;
    *freed_memory =
        kk_speech_cache_trim(j->keeper->server->results, j->is_aggressive ? 0.0 : max_age_s);
    kk_cache_log_end(j->keeper->log, number, status == KOKORO_OK ? result : NULL, err->message);
    if (status == KOKORO_OK)
        note(j, rules.rules.cache_dir, number);
    kk_cache_rules_fini(&rules);
    return status;
}

static json_t *clean_up(const job *j, kk_api_error *error)
{
    kokoro_error err = {.status = KOKORO_NO_MEMORY, .message = "out of memory"};
    json_t *object = NULL;
    uint64_t freed_memory = 0;
    kk_cleanup_result *result = kk_calloc(1, sizeof(*result));
    int status = result != NULL ? clean(j, result, &freed_memory, &err) : KOKORO_NO_MEMORY;
    if (status == KOKORO_OK) {
        char message[KK_CLEANUP_MESSAGE_SIZE];
        kk_cleanup_message(message, result);
        json_t *done = kk_cleanup_result_json(result);
        (void)json_object_set_new(done, "freed_memory_mb", kk_json_real(kk_cache_mb(freed_memory)));
        object =
            json_pack("{s:b, s:o, s:s}", "success", 1, "cleanup_result", done, "message", message);
    } else if (status == KOKORO_BUSY) {
        (void)kk_api_fail(error, 409, NULL, "cleanup_running", "%s", err.message);
    } else if (status == KOKORO_INVALID) {
        (void)kk_api_fail(error, 409, NULL, "cache_dir_refused", "%s", err.message);
    } else {
        kk_api_from_engine(error, &err, NULL);
    }
    kk_free(result);
    return object;
}

/* Of this thread alone, on Linux. */
static void set_priority(int priority)
{
    (void)setpriority(PRIO_PROCESS, 0, priority);
}

static void run_request(void *user)
{
    job *j = user;
    kk_api_error error;
    (void)kk_api_fail(&error, 503, NULL, "out_of_memory", "out of memory");
    set_priority(j->is_cleanup ? CLEAN_PRIORITY : LOOK_PRIORITY);
    json_t *object = j->is_cleanup ? clean_up(j, &error) : look(j, &error);
    if (object != NULL) {
        j->response.status = 200;
        j->response.content_type = KK_JSON_TYPE;
        kk_json_write(&j->response.body, object);
    } else {
        kk_api_respond(&j->response, &error);
    }
    if (j->response.body.failed) {
        kk_http_end(j->exchange, false);
    } else {
        kk_http_begin(j->exchange, &j->response, j->response.body.len);
        kk_http_end(j->exchange, true);
    }
    kk_http_release(j->exchange);
    kk_buf_fini(&j->response.body);
    kk_free(j);
}

/* Only what is over a limit is worth a clean-up that nobody asked for. */
static void run_start(void *user)
{
    job *j = user;
    kokoro_error err = {.status = KOKORO_NO_MEMORY, .message = "out of memory"};
    const kk_log *log = &j->keeper->server->log;
    uint64_t freed_memory = 0;
    kk_cache_rules rules;
    kk_cache_statistics *statistics = kk_calloc(1, sizeof(*statistics));
    kk_cleanup_result *result = kk_calloc(1, sizeof(*result));
    set_priority(CLEAN_PRIORITY);
    int status =
        statistics != NULL && result != NULL ? make_rules(&rules, j, &err) : KOKORO_NO_MEMORY;
    if (status == KOKORO_OK) {
        status = kk_cache_look(statistics, &rules.rules, &err);
        kk_cache_rules_fini(&rules);
    }
    const bool is_needed = status == KOKORO_OK && statistics->needs_cleanup;
    if (is_needed)
        status = clean(j, result, &freed_memory, &err);
    if (is_needed && status == KOKORO_OK) {
        char message[KK_CLEANUP_MESSAGE_SIZE];
        kk_cleanup_message(message, result);
        kk_log_write(log, KOKORO_LOG_INFO, "%s", message);
    } else if (status != KOKORO_OK && status != KOKORO_BUSY && status != KOKORO_CANCELLED) {
        kk_log_write(log, KOKORO_LOG_WARNING, "the cache is not cleaned up: %s", err.message);
    }
    kk_free(result);
    kk_free(statistics);
    kk_free(j);
}

void kk_cache_keeper_begin(kk_cache_keeper *keeper)
{
    job *j = kk_calloc(1, sizeof(*j));
    if (j == NULL)
        return;
    j->keeper = keeper;
    if (kk_jobs_add(keeper->cleaners, run_start, j) != KOKORO_OK)
        kk_free(j);
}

/* --- the connection's side --- */

static enum kk_http_verdict answer_later(const kk_call *call, bool is_cleanup, bool is_aggressive)
{
    kk_api_error error;
    kk_cache_keeper *keeper = call->server->cache;
    if (kk_server_is_draining(call->server)) {
        (void)kk_api_fail_stopping(&error, 0);
        call->response->must_close = true;
        return kk_answer_error(call, &error);
    }
    job *j = kk_calloc(1, sizeof(*j));
    if (j == NULL) {
        (void)kk_api_fail(&error, 503, NULL, "out_of_memory", "out of memory");
        return kk_answer_error(call, &error);
    }
    j->keeper = keeper;
    j->exchange = call->exchange;
    j->is_cleanup = is_cleanup;
    j->is_aggressive = is_aggressive;
    j->response = *call->response; /* the headers that hold for every answer */
    j->response.body = (kk_buf)KK_BUF_INIT;
    kk_http_hold(call->exchange);
    if (kk_jobs_add(is_cleanup ? keeper->cleaners : keeper->lookers, run_request, j) == KOKORO_OK)
        return KK_HTTP_LATER;
    kk_http_release(call->exchange);
    kk_free(j);
    (void)kk_api_fail(&error, 429, NULL, "queue_full",
                      "%d requests about the cache wait already; try again", MAX_WAITING);
    error.retry_after_s = 1;
    return kk_answer_error(call, &error);
}

enum kk_http_verdict kk_get_cache_status(const kk_call *call)
{
    return answer_later(call, false, false);
}

enum kk_http_verdict kk_post_cache_cleanup(const kk_call *call)
{
    kk_api_error error;
    char shown[80];
    const char *word = kk_http_query(call->request, "aggressive");
    const kk_slice value = kk_slice_of(word != NULL ? word : "false");
    const bool is_aggressive = kk_slice_equal_nocase(value, KK_SLICE("true"));
    if (!is_aggressive && !kk_slice_equal_nocase(value, KK_SLICE("false"))) {
        (void)kk_api_fail(&error, 400, "aggressive", "invalid_value",
                          "aggressive must be true or false, not '%s'",
                          kk_text_shown(shown, sizeof(shown), word));
        return kk_answer_error(call, &error);
    }
    if (!kk_server_is_ready(call->server))
        return kk_answer_not_ready(call);
    return answer_later(call, true, is_aggressive);
}
