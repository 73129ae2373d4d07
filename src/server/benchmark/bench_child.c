/*
 * bench_child.c - the start of this program, its signals and its progress lines:
 *
 *     {"percent": 41.5, "left_s": 12.3, "step": "native bf16, 2 threads: medium"}
 */
#include "server/benchmark/bench_child.h"

#include "base/clock.h"
#include "base/spawn.h"
#include "base/status.h"
#include "bench/whole_run.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOWEST_PRIORITY = 19, MAX_LINE = 4096 };

/* The words behind `kokoro benchmark`. One provider that fails must not keep the others from being
 * compared. */
static int spawn(pid_t *pid, const char *program, const kk_config *config, const char *mode,
                 const char *output_file, int talk)
{
    const char *const words[] = {"--progress-json",
                                 "--continue-on-error",
                                 "--output-file",
                                 output_file,
                                 strcmp(mode, "quick") == 0 ? "--quick" : NULL,
                                 NULL};
    kk_whole_run run;
    int number = ENOMEM;
    if (kk_whole_run_init(&run, config, words) == KOKORO_OK) {
        const kk_spawn spawn = {.program = program,
                                .arguments = run.arguments,
                                .environment = run.environment,
                                .fds = {KK_SPAWN_NUL, KK_SPAWN_NUL, talk, KK_SPAWN_KEEP},
                                .own_group = true,
                                .default_signals = true,
                                .closes_rest = true,
                                .niceness = LOWEST_PRIORITY};
        number = kk_spawn_start(pid, &spawn);
    }
    kk_whole_run_fini(&run);
    return number;
}

int kk_bench_child_start(kk_bench_child *child, const kk_config *config, const char *mode,
                         const char *output_file, kokoro_error *err)
{
    char program[PATH_MAX];
    int fds[2] = {-1, -1};
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    *child = (kk_bench_child){.progress_fd = -1, .line = KK_BUF_INIT, .left_s = -1.0};
    if (len <= 0)
        return kk_fail(err, KOKORO_IO, "this program cannot be found: %s", strerror(errno));
    program[len] = '\0';
    int number = kk_spawn_pipe(fds);
    if (number == 0) {
        (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
        number = spawn(&child->pid, program, config, mode, output_file, fds[1]);
    }
    kk_spawn_close(&fds[1]);
    if (number != 0) {
        child->pid = 0;
        kk_spawn_close(&fds[0]);
        return kk_fail(err, KOKORO_IO, "the benchmark cannot be started: %s", strerror(number));
    }
    child->progress_fd = fds[0];
    return KOKORO_OK;
}

static void take_line(kk_bench_child *child, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    if (!json_is_object(object)) {
        (void)snprintf(child->last, sizeof(child->last), "%s", line);
    } else {
        const json_t *left = json_object_get(object, "left_s");
        const char *step = json_string_value(json_object_get(object, "step"));
        child->percent = json_number_value(json_object_get(object, "percent"));
        child->left_s = json_is_number(left) ? json_number_value(left) : -1.0;
        (void)snprintf(child->step, sizeof(child->step), "%s", step != NULL ? step : "");
    }
    json_decref(object);
}

void kk_bench_child_read(kk_bench_child *child)
{
    char bytes[1024];
    ssize_t len;
    while (child->progress_fd >= 0 && (len = read(child->progress_fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            if (bytes[i] != '\n') {
                if (child->line.len < MAX_LINE)
                    kk_buf_append_char(&child->line, bytes[i]);
                continue;
            }
            if (!child->line.failed && child->line.len > 0)
                take_line(child, kk_buf_str(&child->line));
            kk_buf_fini(&child->line);
        }
    }
}

static void forget(kk_bench_child *child)
{
    kk_spawn_close(&child->progress_fd);
    kk_buf_fini(&child->line);
    child->pid = 0;
}

bool kk_bench_child_has_ended(kk_bench_child *child, int *exit_status)
{
    int how = 0;
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0)
        return false;
    kk_bench_child_read(child);
    /* Its own children end with it. While it is not reaped, its number is not another's. */
    (void)kill(-child->pid, SIGKILL);
    pid_t pid = waitpid(child->pid, &how, 0);
    *exit_status = pid < 0            ? 1
                   : WIFEXITED(how)   ? WEXITSTATUS(how)
                   : WIFSIGNALED(how) ? 128 + WTERMSIG(how)
                                      : 1;
    forget(child);
    return true;
}

void kk_bench_child_stop(const kk_bench_child *child)
{
    if (child->pid > 0)
        (void)kill(-child->pid, SIGSTOP);
}

void kk_bench_child_go_on(const kk_bench_child *child)
{
    if (child->pid > 0)
        (void)kill(-child->pid, SIGCONT);
}

void kk_bench_child_kill(const kk_bench_child *child)
{
    if (child->pid > 0)
        (void)kill(-child->pid, SIGKILL);
}

void kk_bench_child_end(kk_bench_child *child)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int exit_status;
    if (child->pid <= 0)
        return;
    (void)kill(-child->pid, SIGTERM);
    (void)kill(-child->pid, SIGCONT);
    double end_s = kk_now_s() + 2.0;
    while (!kk_bench_child_has_ended(child, &exit_status)) {
        if (kk_now_s() > end_s)
            (void)kill(-child->pid, SIGKILL);
        (void)nanosleep(&pause, NULL);
    }
}
