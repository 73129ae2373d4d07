/*
 * test_bench_child.c - the questions to a child, when it answers well, and when it crashes, hangs,
 * babbles or goes. The children are shell scripts.
 */
#include "base/clock.h"
#include "bench/lane.h"
#include "bench/providers.h"
#include "check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child says to one question; whether it is still there. */
static int ask(const char *script, double limit_s, const kk_bench_watch *watch, json_t **answer,
               kokoro_error *err, bool *is_alive)
{
    const char *const command[] = {"/bin/sh", "-c", script, NULL};
    json_t *question = json_pack("{s:s}", "do", "open");
    kk_child child = KK_CHILD_INIT;
    CHECK_INT(kk_child_start(&child, command, true, err), KOKORO_OK);
    const pid_t pid = child.pid;
    const int status = kk_child_ask(&child, question, limit_s, watch, answer, err);
    if (is_alive != NULL)
        *is_alive = child.pid != 0;
    kk_child_end(&child);
    CHECK_INT(child.pid, 0);
    CHECK_INT(waitpid(pid, NULL, WNOHANG), -1); /* nobody is left, also no zombie */
    json_decref(question);
    return status;
}

static void check_failure(const char *script, double limit_s, const char *words)
{
    json_t *answer = NULL;
    kokoro_error err;
    bool is_alive = true;
    CHECK_INT(ask(script, limit_s, NULL, &answer, &err, &is_alive), KOKORO_PROVIDER);
    CHECK_HAS(err.message, words);
    CHECK(answer == NULL);
    CHECK(!is_alive);
}

TEST(an_answer_comes_back)
{
    json_t *answer = NULL;
    kokoro_error err;
    CHECK_INT(ask("read line; echo \"$line\"", 10.0, NULL, &answer, &err, NULL), KOKORO_OK);
    CHECK_STR(json_string_value(json_object_get(answer, "do")), "open");
    json_decref(answer);
}

TEST(an_answer_in_parts_is_one)
{
    json_t *answer = NULL;
    kokoro_error err;
    CHECK_INT(
        ask("read line; printf '{\"a\":'; sleep 0.2; echo '7}'", 10.0, NULL, &answer, &err, NULL),
        KOKORO_OK);
    CHECK_INT(json_integer_value(json_object_get(answer, "a")), 7);
    json_decref(answer);
}

TEST(a_refusal_leaves_the_child_alive)
{
    json_t *answer = NULL;
    kokoro_error err;
    bool is_alive = false;
    CHECK_INT(ask("read line; echo '{\"error\": \"no such library\"}'; read line", 10.0, NULL,
                  &answer, &err, &is_alive),
              KOKORO_PROVIDER);
    CHECK_STR(err.message, "no such library");
    CHECK(is_alive);
}

TEST(a_crash_is_named_with_its_last_words)
{
    check_failure("read line; echo 'about to fall' >&2; kill -SEGV $$", 10.0, "signal 11");
    check_failure("read line; echo 'about to fall' >&2; kill -SEGV $$", 10.0, "about to fall");
    check_failure("echo lost >&2; exit 3", 10.0, "status 3");
    check_failure("read line; exit 0", 10.0, "status 0");
}

TEST(a_child_that_hangs_is_ended)
{
    check_failure("read line; echo 'thinking' >&2; exec sleep 60", 0.4, "no answer within");
    check_failure("read line; exec 1>&-; exec sleep 60", 20.0, "did not end");
}

TEST(who_does_not_go_is_ended_when_patience_is_over)
{
    const char *const command[] = {"/bin/sh", "-c", "exec sleep 60", NULL};
    kk_child child;
    CHECK_INT(kk_child_start(&child, command, false, NULL), KOKORO_OK);
    const double begin_s = kk_now_s();
    kk_child_end_within(&child, 0.05);
    CHECK(kk_now_s() - begin_s < 1.0); /* by default it would take two seconds */
    CHECK_INT(child.pid, 0);
}

TEST(babble_is_no_answer)
{
    check_failure("read line; echo hello; exec sleep 60", 10.0, "no JSON object: 'hello'");
    check_failure("read line; echo '[1, 2]'; exec sleep 60", 10.0, "no JSON object");
    check_failure("read line; echo '{\"a\": 1, \"a\": 2}'; exec sleep 60", 10.0, "no JSON object");
    check_failure("read line; exec yes x | tr -d '\\n'", 10.0, "without end");
}

TEST(a_program_that_is_not_there)
{
    const char *const command[] = {"/nowhere/kokoro", NULL};
    kk_child child;
    kokoro_error err;
    CHECK_INT(kk_child_start(&child, command, true, &err), KOKORO_IO);
    CHECK_HAS(err.message, "/nowhere/kokoro");
    kk_child_end(&child);
}

typedef struct watcher {
    int n_asked, stop_at;
    unsigned n_continued;
    int continue_at;
} watcher;

static bool is_stopped(void *user)
{
    watcher *w = user;
    w->n_asked++;
    w->n_continued += w->continue_at != 0 && w->n_asked == w->continue_at;
    return w->stop_at != 0 && w->n_asked >= w->stop_at;
}

static unsigned times_continued(void *user)
{
    return ((watcher *)user)->n_continued;
}

TEST(who_waits_can_be_stopped)
{
    watcher w = {.stop_at = 2};
    const kk_bench_watch watch = {.user = &w, .stopped = is_stopped};
    json_t *answer = NULL;
    kokoro_error err;
    CHECK_INT(ask("read line; exec sleep 60", 60.0, &watch, &answer, &err, NULL), KOKORO_CANCELLED);
}

/* One way and a child that answers by a script, as lane.h has it. */
static int speak(const char *script, const kk_bench_watch *watch, kk_bench_way *way,
                 kk_lane_sample *sample, kk_arena *arena, kokoro_error *err)
{
    const char *const command[] = {"/bin/sh", "-c", script, NULL};
    kokoro_options options;
    kk_lane lane = {.way = way, .child = KK_CHILD_INIT};
    const kk_lane_context context = {.options = &options,
                                     .command = command,
                                     .voice = "af_heart",
                                     .watch = watch,
                                     .arena = arena};
    const kk_lane_request request = {.text = "Hello", .keep = true, .limit_s = 10.0};
    kk_bench_sound sound;
    kokoro_options_init(&options);
    *way = (kk_bench_way){.way = {"native", "bf16", 2}};
    int status = kk_lane_open(&lane, &context, 10.0, err);
    if (status == KOKORO_OK)
        status = kk_lane_speak(&lane, &context, &request, sample, err);
    if (status == KOKORO_OK)
        status = kk_lane_sound(&lane, sample, arena, &sound, err);
    if (status == KOKORO_OK) {
        CHECK_INT(sound.n_samples, 1);
        CHECK_INT(sound.n_durations, 1);
        CHECK_INT(sound.durations[0], 0x64636261);
    }
    kk_lane_close(&lane);
    return status;
}

#define OPENED                                                                                     \
    "read line; echo '{\"provider\": \"native\", \"precision\": \"f32\", \"load_ms\": 20, "        \
    "\"pack_ms\": 0, \"execution_provider\": \"native\", \"version\": \"x\"}'; read line; "
#define SPOKEN(model_s)                                                                            \
    "echo '{\"model_s\": " model_s ", \"first_audio_s\": 0.1, \"audio_s\": 1.5, \"n_chunks\": 1, " \
    "\"resident_mb\": 10, \"peak_mb\": 12, \"n_samples\": 1, \"n_durations\": 1}'; read line"

TEST(a_lane_opens_and_speaks)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_bench_way way;
    kk_lane_sample sample;
    kokoro_error err;
    CHECK_INT(
        speak(OPENED "printf 'xxxxabcd' >&3; " SPOKEN("0.5"), NULL, &way, &sample, &arena, &err),
        KOKORO_OK);
    CHECK_STR(way.way.precision, "f32"); /* what it really opened */
    CHECK_NEAR(way.load_ms, 20.0, 0.0);
    CHECK_NEAR(sample.model_s, 0.5, 0.0);
    CHECK_NEAR(sample.peak_mb, 12.0, 0.0);
    CHECK(!sample.is_partial);
    kk_arena_fini(&arena);
}

TEST(nonsense_in_an_answer_is_a_failure)
{
    kk_arena arena = KK_ARENA_INIT;
    kk_bench_way way;
    kk_lane_sample sample;
    kokoro_error err;
    CHECK_INT(speak(OPENED SPOKEN("-1"), NULL, &way, &sample, &arena, &err), KOKORO_PROVIDER);
    CHECK_HAS(err.message, "makes no sense");
    CHECK_INT(speak(OPENED SPOKEN("\"fast\""), NULL, &way, &sample, &arena, &err), KOKORO_PROVIDER);
    CHECK_INT(speak(OPENED "printf abc >&3; " SPOKEN("1"), NULL, &way, &sample, &arena, &err),
              KOKORO_BAD_DATA);
    CHECK_INT(speak("read line; echo '{\"provider\": \"other\", \"load_ms\": 1, \"pack_ms\": 1}'",
                    NULL, &way, &sample, &arena, &err),
              KOKORO_PROVIDER);
    kk_arena_fini(&arena);
}

TEST(time_in_which_we_were_stopped_does_not_count)
{
    const char *const command[] = {"/bin/sh", "-c", "read line; sleep 0.5; echo '{}'", NULL};
    watcher w = {.continue_at = 1};
    const kk_bench_watch watch = {.user = &w, .stopped = is_stopped, .continued = times_continued};
    json_t *question = json_pack("{s:s}", "do", "open"), *answer = NULL;
    kk_child child = KK_CHILD_INIT;
    kokoro_error err;
    CHECK_INT(kk_child_start(&child, command, true, &err), KOKORO_OK);
    CHECK_INT(kk_child_ask(&child, question, 30.0, &watch, &answer, &err), KOKORO_OK);
    CHECK(child.away_s > 0.0);
    kk_child_end(&child);
    json_decref(question);
    json_decref(answer);
}

TEST(a_question_to_a_child_that_is_gone)
{
    const char *const command[] = {"/bin/sh", "-c", "exit 4", NULL};
    json_t *question = json_pack("{s:s}", "do", "open"), *answer = NULL;
    kk_child child = KK_CHILD_INIT;
    kokoro_error err;
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK_INT(kk_child_start(&child, command, true, &err), KOKORO_OK);
    CHECK_INT(kk_child_ask(&child, question, 10.0, NULL, &answer, &err), KOKORO_PROVIDER);
    CHECK_HAS(err.message, "status 4");
    CHECK_INT(kk_child_ask(&child, question, 10.0, NULL, &answer, &err), KOKORO_PROVIDER);
    CHECK_HAS(err.message, "not there any more");
    kk_child_end(&child);
    json_decref(question);
}

/* What was told of providers, a line each. */
static void note_provider(void *user, const kokoro_provider *provider)
{
    kk_buf_appendf(user, "%s %s %s: %s\n", provider->name, provider->available ? "there" : "absent",
                   provider->version, provider->reason);
}

static int list(const char *script, const char *only, const kk_bench_watch *watch, kk_buf *text,
                kokoro_error *err)
{
    const char *const command[] = {"/bin/sh", "-c", script, NULL};
    kokoro_options options;
    kokoro_options_init(&options);
    kk_buf_clear(text);
    return kk_bench_list_providers(&options, only, command, watch, note_provider, text, err);
}

/* The first word of a question is "do", the name of the provider comes last. */
#define ANSWER_BUT(name, deed)                                                                     \
    "while read line; do case \"$line\" in *" name "*) " deed ";; *) echo "                        \
    "'{\"available\": true, \"version\": \"7\", \"reason\": \"\"}';; esac; done"

TEST(a_library_that_crashes_costs_its_provider_alone)
{
    kk_buf text = KK_BUF_INIT;
    kokoro_error err;
    CHECK_INT(
        list(ANSWER_BUT("onnxruntime", "echo ouch >&2; kill -ABRT $$"), NULL, NULL, &text, &err),
        KOKORO_OK);
    CHECK_HAS(kk_buf_str(&text), "native there 7: \n");
    CHECK_HAS(kk_buf_str(&text), "onnxruntime absent : ");
    CHECK_HAS(kk_buf_str(&text), "signal 6 (Aborted); it said: ouch\n");
    CHECK_HAS(kk_buf_str(&text), "openvino there 7: \n");
    CHECK_INT(
        list(ANSWER_BUT("openvino", "echo '{\"error\": \"no\"}'"), "openvino", NULL, &text, &err),
        KOKORO_OK);
    CHECK_STR(kk_buf_str(&text),
              "openvino absent : a process that asked it for its version failed: no\n");
    CHECK_INT(list("exit 0", "nothing", NULL, &text, &err), KOKORO_OK);
    CHECK_STR(kk_buf_str(&text), "");
    kk_buf_fini(&text);
}

TEST(who_asks_for_providers_can_be_stopped)
{
    watcher w = {.stop_at = 2};
    const kk_bench_watch watch = {.user = &w, .stopped = is_stopped};
    kk_buf text = KK_BUF_INIT;
    kokoro_error err;
    CHECK_INT(list("exec sleep 60", NULL, &watch, &text, &err), KOKORO_CANCELLED);
    kk_buf_fini(&text);
}

TEST_MAIN(T(a_question_to_a_child_that_is_gone), T(an_answer_comes_back),
          T(an_answer_in_parts_is_one), T(a_refusal_leaves_the_child_alive),
          T(a_crash_is_named_with_its_last_words), T(a_child_that_hangs_is_ended),
          T(who_does_not_go_is_ended_when_patience_is_over), T(babble_is_no_answer),
          T(a_program_that_is_not_there), T(who_waits_can_be_stopped), T(a_lane_opens_and_speaks),
          T(nonsense_in_an_answer_is_a_failure), T(time_in_which_we_were_stopped_does_not_count),
          T(a_library_that_crashes_costs_its_provider_alone),
          T(who_asks_for_providers_can_be_stopped))
