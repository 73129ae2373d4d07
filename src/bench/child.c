/*
 * child.c - see child.h. The child is no leader of a group: whoever stops this process by its group
 * stops its children too.
 */
#include "bench/child.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE_LIMIT = 1 << 18, SLICE_MS = 100 };

bool kk_watch_stopped(const kk_bench_watch *watch)
{
    return watch != NULL && watch->stopped != NULL && watch->stopped(watch->user);
}

unsigned kk_watch_continued(const kk_bench_watch *watch)
{
    return watch != NULL && watch->continued != NULL ? watch->continued(watch->user) : 0;
}

int kk_child_start(kk_child *child, const char *const *command, bool needs_file, kokoro_error *err)
{
    int input[2] = {-1, -1}, output[2] = {-1, -1}, talk[2] = {-1, -1};
    *child = (kk_child)KK_CHILD_INIT;
    child->file = needs_file ? kk_file_unnamed() : -1;
    int number = needs_file && child->file < 0 ? errno : kk_spawn_pipe(input);
    if (number == 0)
        number = kk_spawn_pipe(output);
    if (number == 0)
        number = kk_spawn_pipe(talk);
    if (number == 0) {
        const kk_spawn spawn = {
            .program = command[0],
            .arguments = command,
            .fds = {input[0], output[1], talk[1], needs_file ? child->file : KK_SPAWN_NUL}};
        number = kk_spawn_start(&child->pid, &spawn);
    }
    kk_spawn_close(&input[0]);
    kk_spawn_close(&output[1]);
    kk_spawn_close(&talk[1]);
    child->to = input[1];
    child->from = output[0];
    child->talk = talk[0];
    if (number == 0)
        return KOKORO_OK;
    child->pid = 0;
    kk_child_end(child);
    return kk_fail(err, KOKORO_IO, "cannot start %.200s: %s", command[0], strerror(number));
}

/* Keep the end of what it says. */
static void read_talk(kk_child *child)
{
    char text[512];
    const ssize_t n = read(child->talk, text, sizeof(text));
    if (n <= 0) {
        if (n == 0 || errno != EINTR)
            kk_spawn_close(&child->talk);
        return;
    }
    const size_t len = (size_t)n;
    size_t kept = strlen(child->tail);
    const size_t room = sizeof(child->tail) - 1;
    if (kept + len > room) {
        const size_t drop = kept + len - room;
        memmove(child->tail, child->tail + drop, kept - drop + 1);
        kept -= drop;
    }
    for (size_t i = 0; i < len; i++)
        child->tail[kept + i] = text[i] != '\0' ? text[i] : ' ';
    child->tail[kept + len] = '\0';
}

/* What is left of its talk, without waiting. */
static void drain_talk(kk_child *child)
{
    struct pollfd fd = {.fd = child->talk, .events = POLLIN};
    for (int i = 0; i < 64 && child->talk >= 0 && poll(&fd, 1, 0) > 0; i++) {
        read_talk(child);
        fd.fd = child->talk;
    }
}

/* The last lines of its talk, on one line, or nothing. */
static void append_tail(const kk_child *child, kk_buf *text)
{
    kk_slice tail = kk_slice_trim(kk_slice_of(child->tail));
    const size_t most = 240;
    if (tail.len > most) {
        tail.data += tail.len - most;
        tail.len = most;
    }
    if (tail.len == 0)
        return;
    kk_buf_append_str(text, "; it said: ");
    for (size_t i = 0; i < tail.len; i++)
        kk_buf_append_char(text, tail.data[i] == '\n' ? ' ' : tail.data[i]);
}

/* Wait up to `patience_s` for its end; true with its state when it ended. */
static bool reap(kk_child *child, double patience_s, int *state)
{
    const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    const double end_s = kk_now_s() + patience_s;
    for (;;) {
        const pid_t got = waitpid(child->pid, state, WNOHANG);
        if (got == child->pid || (got < 0 && errno == ECHILD)) {
            child->pid = 0;
            return true;
        }
        if (kk_now_s() >= end_s)
            return false;
        (void)nanosleep(&pause, NULL);
    }
}

static void kill_child(kk_child *child, int *state)
{
    if (child->pid == 0)
        return;
    (void)kill(child->pid, SIGKILL);
    (void)reap(child, 10.0, state);
}

static void append_end(int state, kk_buf *text)
{
    if (WIFSIGNALED(state))
        kk_buf_appendf(text, "it was ended by signal %d (%s)", WTERMSIG(state),
                       strsignal(WTERMSIG(state)));
    else
        kk_buf_appendf(text, "it ended with status %d", WEXITSTATUS(state));
}

/* It closed its side: the sentence about its end. */
static int fail_ended(kk_child *child, kokoro_error *err)
{
    kk_buf text = KK_BUF_INIT;
    int state = 0;
    const bool ended = child->pid == 0 || reap(child, KK_CHILD_PATIENCE_S, &state);
    drain_talk(child);
    if (ended)
        append_end(state, &text);
    else
        kk_buf_append_str(&text, "it closed its output and did not end");
    append_tail(child, &text);
    const int status = kk_fail(err, KOKORO_PROVIDER, "%s", kk_buf_str(&text));
    kk_buf_fini(&text);
    kill_child(child, &state);
    kk_child_end(child);
    return status;
}

/* It is there and of no use. */
static int fail_useless(kk_child *child, const char *what, kokoro_error *err)
{
    kk_buf text = KK_BUF_INIT;
    int state = 0;
    drain_talk(child);
    kk_buf_append_str(&text, what);
    append_tail(child, &text);
    const int status = kk_fail(err, KOKORO_PROVIDER, "%s", kk_buf_str(&text));
    kk_buf_fini(&text);
    kill_child(child, &state);
    kk_child_end(child);
    return status;
}

static int send_question(kk_child *child, const json_t *question, kokoro_error *err)
{
    char *line = json_dumps(question, JSON_COMPACT);
    const size_t len = line != NULL ? strlen(line) : 0;
    int number = 0;
    if (line == NULL)
        return kk_fail_memory(err);
    line[len] = '\n'; /* in the place of the NUL */
    number = kk_write_all(child->to, line, len + 1);
    free(line);
    return number == 0 ? KOKORO_OK : fail_ended(child, err);
}

/* The answer in child->line, ended by its newline. */
static int parse_answer(kk_child *child, json_t **answer, kokoro_error *err)
{
    char what[160];
    json_error_t where;
    const size_t len = strcspn(kk_buf_str(&child->line), "\n");
    *answer = json_loadb(kk_buf_str(&child->line), len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(*answer)) {
        json_decref(*answer);
        *answer = NULL;
        (void)snprintf(what, sizeof(what), "it answered what is no JSON object: '%.*s'",
                       (int)(len < 80 ? len : 80), kk_buf_str(&child->line));
        return fail_useless(child, what, err);
    }
    const json_t *message = json_object_get(*answer, "error");
    if (message == NULL)
        return KOKORO_OK;
    const int status = kk_fail(err, KOKORO_PROVIDER, "%s",
                               json_is_string(message) ? json_string_value(message) : "it failed");
    json_decref(*answer);
    *answer = NULL;
    return status;
}

/* What has come in: true when a whole line is there. */
static bool take_bytes(kk_child *child, bool *is_over)
{
    char bytes[4096];
    const ssize_t n = read(child->from, bytes, sizeof(bytes));
    if (n <= 0) {
        *is_over = n == 0 || errno != EINTR;
        return false;
    }
    kk_buf_append(&child->line, bytes, (size_t)n);
    return memchr(bytes, '\n', (size_t)n) != NULL;
}

static int fail_late(kk_child *child, double limit_s, kokoro_error *err)
{
    char what[80];
    (void)snprintf(what, sizeof(what), "it gave no answer within %.0f s and was ended", limit_s);
    return fail_useless(child, what, err);
}

/* Until a line is there. While this process was stopped, the child was too, or might have been:
 * that time does not count. */
static int wait_for_line(kk_child *child, double limit_s, const kk_bench_watch *watch,
                         kokoro_error *err)
{
    double last_s = kk_now_s(), waited_s = 0.0;
    unsigned continued = kk_watch_continued(watch);
    for (;;) {
        struct pollfd fds[2] = {{.fd = child->from, .events = POLLIN},
                                {.fd = child->talk, .events = POLLIN}};
        const int n = poll(fds, 2, SLICE_MS);
        const double now_s = kk_now_s();
        if (kk_watch_continued(watch) != continued) {
            continued = kk_watch_continued(watch);
            child->away_s += now_s - last_s;
        } else {
            waited_s += now_s - last_s;
        }
        last_s = now_s;
        if (kk_watch_stopped(watch))
            return kk_fail(err, KOKORO_CANCELLED, "stopped");
        bool is_over = false;
        if (n > 0 && fds[1].revents != 0)
            read_talk(child);
        if (n > 0 && fds[0].revents != 0 && take_bytes(child, &is_over))
            return child->line.failed ? kk_fail_memory(err) : KOKORO_OK;
        if (is_over)
            return kk_watch_stopped(watch) ? kk_fail(err, KOKORO_CANCELLED, "stopped")
                                           : fail_ended(child, err);
        if (child->line.len > LINE_LIMIT)
            return fail_useless(child, "it answered without end", err);
        if (waited_s > limit_s)
            return fail_late(child, limit_s, err);
    }
}

int kk_child_ask(kk_child *child, const json_t *question, double limit_s,
                 const kk_bench_watch *watch, json_t **answer, kokoro_error *err)
{
    *answer = NULL;
    if (child->pid == 0)
        return kk_fail(err, KOKORO_PROVIDER, "it is not there any more");
    kk_buf_clear(&child->line);
    int status = send_question(child, question, err);
    if (status == KOKORO_OK)
        status = wait_for_line(child, limit_s, watch, err);
    return status == KOKORO_OK ? parse_answer(child, answer, err) : status;
}

void kk_child_end(kk_child *child)
{
    kk_child_end_within(child, KK_CHILD_PATIENCE_S);
}

void kk_child_end_within(kk_child *child, double patience_s)
{
    int state = 0;
    kk_spawn_close(&child->to); /* the end of its input is its sign to go */
    if (child->pid != 0 && !reap(child, patience_s, &state))
        kill_child(child, &state);
    kk_spawn_close(&child->from);
    kk_spawn_close(&child->talk);
    kk_spawn_close(&child->file);
    kk_buf_fini(&child->line);
}
