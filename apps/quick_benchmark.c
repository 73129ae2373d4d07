/*
 * quick_benchmark.c - a child of its own, since a benchmark measures its process: it should start
 * as small as any. It belongs to the terminal like this program, and Ctrl-C is for it to handle.
 */
#include "quick_benchmark.h"

#include "base/spawn.h"
#include "bench/whole_run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return KK_EXIT_FAILED;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return KK_EXIT_OK;
    if (WIFSIGNALED(status))
        kk_complain("the benchmark was ended by signal %d", WTERMSIG(status));
    else
        kk_complain("the benchmark failed");
    return KK_EXIT_FAILED;
}

static int start(pid_t *pid, const kk_app *app, bool is_quiet)
{
    static const char *const words[] = {"--quick", NULL};
    kk_whole_run run;
    int number = ENOMEM;
    if (kk_whole_run_init(&run, &app->config, words) == KOKORO_OK) {
        const kk_spawn spawn = {.program = "/proc/self/exe",
                                .arguments = run.arguments,
                                .environment = run.environment,
                                .fds = {KK_SPAWN_KEEP, is_quiet ? STDERR_FILENO : KK_SPAWN_KEEP,
                                        KK_SPAWN_KEEP, KK_SPAWN_KEEP},
                                .default_signals = true};
        number = kk_spawn_start(pid, &spawn);
    }
    kk_whole_run_fini(&run);
    return number;
}

int kk_app_quick_benchmark(const kk_app *app, bool is_quiet)
{
    pid_t pid = 0;
    int status = KK_EXIT_FAILED;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    (void)fflush(stdout);
    (void)sigaction(SIGINT, &ignore, &before);
    const int number = start(&pid, app, is_quiet);
    if (number == 0)
        status = wait_for(pid);
    (void)sigaction(SIGINT, &before, NULL);
    if (number != 0)
        kk_complain("the benchmark cannot be started: %s", strerror(number));
    return status;
}
