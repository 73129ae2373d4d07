/* test_cache_log.c - what clean-ups cost the speech: which requests count as during one, the
 * figures of them, and the JSON of statistics and results; the list of all in the directory. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "check.h"
#include "server/cache/cache_log.h"
#include "server/cache/cache_report.h"
#include "server/cache/cleanup_file.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static const json_t *at(const json_t *object, const char *a, const char *b)
{
    object = json_object_get(object, a);
    return b != NULL ? json_object_get(object, b) : object;
}

static double number(const json_t *object, const char *a, const char *b)
{
    const json_t *value = at(object, a, b);
    CHECK(json_is_number(value));
    return json_number_value(value);
}

static const json_t *recent(const json_t *log, size_t i)
{
    return json_array_get(json_object_get(log, "recent"), i);
}

static kk_cache_log *new_log(void)
{
    kk_cache_log *log = NULL;
    CHECK_INT(kk_cache_log_create(&log, NULL), KOKORO_OK);
    return log;
}

static kk_cleanup_result result; /* too large for the stack of a test */

TEST(requests_count_where_they_overlap)
{
    kk_cache_log *log = new_log();
    const double now_s = kk_now_s();
    for (int i = 1; i <= 20; i++)
        kk_cache_log_add_speech(log, now_s - 100.0, 0.010 * i, 0.100 * i);
    kk_cache_log_add_speech(log, now_s - 100.0, -1.0, 5.0); /* no sound: does not count */
    unsigned first = kk_cache_log_begin(log, "start", false);
    kk_cache_log_add_speech(log, now_s - 1.0, 0.5, 30.0); /* began before, ends after */
    result.before.bytes = 5 << 20;
    result.after.bytes = 3 << 20;
    result.age.n_files = 4;
    kk_cache_log_end(log, first, &result, NULL);
    kk_cache_log_add_speech(log, now_s - 1.0, 1.5, 40.0);          /* overlapped, told later */
    kk_cache_log_add_speech(log, kk_now_s() + 1000.0, 9.0, 900.0); /* began after it */
    json_t *json = kk_cache_log_json(log, NULL);
    const json_t *cleanup = recent(json, 0), *impact = at(cleanup, "performance_impact", NULL);
    CHECK_INT(number(json, "count", NULL), 1);
    CHECK_NEAR(number(json, "total_freed_mb", NULL), 2.0, 0.0);
    CHECK_INT(number(cleanup, "removed_files", NULL), 4);
    CHECK(json_is_null(at(cleanup, "error", NULL)));
    CHECK(json_is_false(at(cleanup, "running", NULL)));
    CHECK_INT(number(impact, "before", "requests"), 20);
    CHECK_NEAR(number(impact, "before", "first_sound_mean_ms"), 105.0, 1e-3);
    CHECK_NEAR(number(impact, "before", "first_sound_p95_ms"), 190.0, 1e-3);
    CHECK_NEAR(number(impact, "before", "total_p95_ms"), 1900.0, 1e-3);
    CHECK_INT(number(impact, "during", "requests"), 2);
    CHECK_NEAR(number(impact, "during", "first_sound_mean_ms"), 1000.0, 1e-3);
    CHECK_NEAR(number(impact, "during", "total_p95_ms"), 40000.0, 1e-3);
    json_decref(json);
    kk_cache_log_destroy(&log);
    CHECK(log == NULL);
    kk_cache_log_destroy(&log);
}

TEST(the_last_eight_are_shown_and_all_are_counted)
{
    kk_cache_log *log = new_log();
    unsigned running = kk_cache_log_begin(log, "request", true);
    json_t *json = kk_cache_log_json(log, NULL);
    CHECK(json_is_true(at(recent(json, 0), "running", NULL)));
    CHECK_INT(number(json, "count", NULL), 0);
    json_decref(json);
    for (int i = 0; i < 10; i++) {
        unsigned n = kk_cache_log_begin(log, "request", i % 2 == 0);
        kk_cache_log_end(log, n, NULL, i == 9 ? "busy" : "other");
    }
    kk_cache_log_end(log, running, &result, NULL); /* its place is another's by now */
    json = kk_cache_log_json(log, NULL);
    CHECK_INT(json_array_size(at(json, "recent", NULL)), 8);
    CHECK_INT(number(json, "count", NULL), 11);
    CHECK_STR(json_string_value(at(recent(json, 0), "error", NULL)), "busy");
    for (size_t i = 0; i < 8; i++)
        CHECK_INT(number(recent(json, i), "removed_files", NULL), 0);
    json_decref(json);
    kk_cache_log_destroy(&log);
}

/* A directory with a list of clean-ups, of this log, of another server and of the command. */
static char dir[] = "/tmp/kokoro-log-XXXXXX";

static char *list_path(void)
{
    return kk_path_join(dir, KK_CLEANUP_LOG);
}

static void make_dir(void)
{
    memcpy(dir, "/tmp/kokoro-log-XXXXXX", sizeof(dir));
    CHECK(mkdtemp(dir) != NULL);
}

/* Nothing else lies there, so nothing half written. */
static void remove_dir(void)
{
    char *path = list_path();
    (void)unlink(path);
    CHECK_INT(rmdir(dir), 0);
    kk_free(path);
}

static size_t count_listed(void)
{
    json_t *list = kk_cleanup_file_read(dir);
    const size_t n = json_array_size(list);
    json_decref(list);
    return n;
}

TEST(those_of_others_are_shown_too)
{
    make_dir();
    kk_cache_log *earlier = new_log(), *log = new_log();
    const double wall_s = kk_wall_s();
    memset(&result, 0, sizeof(result));
    result.elapsed_ms = 1000.0;
    CHECK_INT(count_listed(), 0);
    unsigned n = kk_cache_log_begin(earlier, "start", false);
    kk_cache_log_end(earlier, n, &result, NULL);
    CHECK_INT(kk_cleanup_file_add(dir, kk_cache_log_entry(earlier, n), NULL), KOKORO_OK);
    kk_cache_log_add_speech(log, kk_now_s() - 0.5, 0.1, 0.2);
    n = kk_cache_log_begin(log, "request", false);
    kk_cache_log_end(log, n, &result, NULL);
    CHECK_INT(kk_cleanup_file_add(dir, kk_cache_log_entry(log, n), NULL), KOKORO_OK);
    result.age.n_files = 3;
    json_t *entry = kk_cleanup_file_entry(&result, wall_s + 10.0, true);
    CHECK_INT(kk_cleanup_file_add(dir, entry, NULL), KOKORO_OK);
    entry = kk_cleanup_file_entry(&result, wall_s - 1000.0, true); /* before this server */
    CHECK_INT(kk_cleanup_file_add(dir, entry, NULL), KOKORO_OK);
    kk_cache_log_add_speech(log, kk_now_s() + 10.5, 0.1, 4.0); /* during that of the command */
    kk_cache_log_add_speech(log, kk_now_s() + 20.0, 0.1, 4.0); /* behind it */
    json_t *others = kk_cleanup_file_read(dir);
    CHECK_INT(json_array_size(others), 4);
    json_t *json = kk_cache_log_json(log, others);
    CHECK_INT(json_array_size(at(json, "recent", NULL)), 4);
    CHECK_INT(number(json, "count", NULL), 1);
    CHECK_STR(json_string_value(at(recent(json, 0), "source", NULL)), "command");
    CHECK_INT(number(recent(json, 0), "removed_files", NULL), 3);
    const json_t *impact = at(recent(json, 0), "performance_impact", NULL);
    CHECK_INT(number(impact, "during", "requests"), 1);
    CHECK_INT(number(impact, "before", "requests"), 1);
    CHECK_STR(json_string_value(at(recent(json, 1), "cause", NULL)), "request");
    CHECK_STR(json_string_value(at(recent(json, 2), "cause", NULL)), "start");
    CHECK(json_is_null(at(recent(json, 3), "performance_impact", NULL)));
    for (size_t i = 0; i < 4; i++)
        CHECK(at(recent(json, i), "writer", NULL) == NULL);
    json_decref(json);
    json_decref(others);
    kk_cache_log_destroy(&log);
    kk_cache_log_destroy(&earlier);
    remove_dir();
}

static void *add_some(void *user)
{
    for (int i = 0; i < 5; i++)
        CHECK_INT(kk_cleanup_file_add(user, kk_cleanup_file_entry(&result, 1.0, false), NULL),
                  KOKORO_OK);
    return NULL;
}

TEST(the_list_is_bounded_and_nothing_is_lost_by_two_at_once)
{
    make_dir();
    pthread_t threads[4];
    memset(&result, 0, sizeof(result));
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, add_some, dir), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_INT(count_listed(), 20);
    for (int i = 0; i < 3; i++)
        (void)add_some(dir);
    CHECK_INT(count_listed(), 32);
    remove_dir();
    CHECK_INT(kk_cleanup_file_add(dir, kk_cleanup_file_entry(&result, 1.0, false), NULL),
              KOKORO_OK); /* nothing is made where nothing is */
    CHECK_INT(count_listed(), 0);
}

/* A file may grow no more, as on a full disk; memory may be out: the list stays as it was. */
TEST(a_list_that_cannot_be_written_stays)
{
    make_dir();
    kokoro_error error;
    struct rlimit old;
    memset(&result, 0, sizeof(result));
    (void)add_some(dir);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct rlimit tight = {100, old.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &tight), 0);
    json_t *entry = kk_cleanup_file_entry(&result, 1.0, false);
    const int status = kk_cleanup_file_add(dir, entry, &error);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
    CHECK_INT(status, KOKORO_IO);
    CHECK_HAS(error.message, KK_CLEANUP_LOG);
    CHECK_INT(count_listed(), 5);
    CHECK_INT(kk_cleanup_file_add(dir, NULL, &error), KOKORO_NO_MEMORY);
    int failed = KOKORO_NO_MEMORY;
    size_t k = 0;
    while (failed != KOKORO_OK && ++k < 50) {
        kk_alloc_fail_at(k, 0);
        failed = kk_cleanup_file_add(dir, kk_cleanup_file_entry(&result, 1.0, false), &error);
        kk_alloc_fail_at(0, 0);
        CHECK(failed == KOKORO_OK || failed == KOKORO_NO_MEMORY);
        CHECK(count_listed() == 5 || failed == KOKORO_OK);
    }
    CHECK(failed == KOKORO_OK && k > 2);
    CHECK_INT(count_listed(), 6);
    remove_dir();
}

static void *speak_much(void *user)
{
    for (int i = 0; i < 500; i++)
        kk_cache_log_add_speech(user, kk_now_s(), 0.1, 0.2);
    return NULL;
}

TEST(threads_add_and_read)
{
    kk_cache_log *log = new_log();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, speak_much, log), 0);
    for (int i = 0; i < 20; i++) {
        unsigned n = kk_cache_log_begin(log, "request", false);
        json_decref(kk_cache_log_json(log, NULL));
        kk_cache_log_end(log, n, &result, NULL);
    }
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    json_t *json = kk_cache_log_json(log, NULL);
    CHECK_INT(number(json, "count", NULL), 20);
    json_decref(json);
    kk_cache_log_destroy(&log);
}

TEST(reports_are_json_whatever_the_names)
{
    kk_cache_statistics *s = kk_calloc(1, sizeof(*s));
    (void)snprintf(s->path, sizeof(s->path), "/a\xff/b");
    s->all.bytes = 1234567;
    s->needs_cleanup = true;
    for (int i = 0; i < KK_PROBLEMS_MAX + 5; i++)
        kk_problems_add(&s->problems, "x\xfe", "why");
    json_t *json = kk_cache_statistics_json(s);
    CHECK_STR(json_string_value(at(json, "cache_path", NULL)), "/a?/b");
    CHECK_NEAR(number(json, "total_size_mb", NULL), 1.18, 1e-9);
    kk_cache_add_details(json, s, "*\xff");
    CHECK_INT(json_array_size(at(json, "errors", NULL)), KK_PROBLEMS_MAX + 1);
    CHECK_STR(json_string_value(json_array_get(at(json, "errors", NULL), KK_PROBLEMS_MAX)),
              "and 5 more");
    char *text = json_dumps(json, 0);
    CHECK(text != NULL);
    kk_free(text);
    json_decref(json);
    json = kk_cache_advice_json(s);
    CHECK_STR(json_string_value(at(json, "recommended_action", NULL)), "cleanup");
    json_decref(json);
    kk_free(s);
    memset(&result, 0, sizeof(result));
    result.was_too_large = true;
    result.target_bytes = 400ull << 20;
    json = kk_cleanup_result_json(&result);
    CHECK_NEAR(number(at(json, "cleanup_results", "size"), "target_size_mb", NULL), 400.0, 0.0);
    CHECK(at(at(json, "cleanup_results", "size"), "message", NULL) == NULL);
    json_decref(json);
}

TEST(memory_may_be_out)
{
    kk_cache_log *log = NULL;
    kk_alloc_fail_at(1, 0);
    CHECK_INT(kk_cache_log_create(&log, NULL), KOKORO_NO_MEMORY);
    kk_alloc_fail_at(0, 0);
    CHECK(log == NULL);
}

TEST_MAIN(T(requests_count_where_they_overlap), T(the_last_eight_are_shown_and_all_are_counted),
          T(those_of_others_are_shown_too),
          T(the_list_is_bounded_and_nothing_is_lost_by_two_at_once),
          T(a_list_that_cannot_be_written_stays), T(threads_add_and_read),
          T(reports_are_json_whatever_the_names), T(memory_may_be_out))
