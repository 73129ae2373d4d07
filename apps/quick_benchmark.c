/*
 * quick_benchmark.c - a child of its own, since a benchmark measures its process: it should start
 * as small as any. It belongs to the terminal like this program, and Ctrl-C is for it to handle.
 */
#include "quick_benchmark.h"

#include "base/spawn.h"
#include "base/str.h"
#include "bench/whole_run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* `why` is what its document says; NULL: it has none. */
static int wait_for(pid_t pid, const char *why)
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
        kk_complain("the benchmark failed%s%s", why != NULL ? ": " : "", why != NULL ? why : "");
    return KK_EXIT_FAILED;
}

/* `out` KK_SPAWN_KEEP: its text goes where ours goes; else its document goes there. */
static int start(pid_t *pid, const kk_app *app, int out)
{
    const char *const words[] = {"--quick", "--continue-on-error",
                                 out != KK_SPAWN_KEEP ? "--json" : NULL, NULL};
    kk_whole_run run;
    int number = ENOMEM;
    if (kk_whole_run_init(&run, &app->config, words) == KOKORO_OK) {
        const kk_spawn spawn = {.program = "/proc/self/exe",
                                .arguments = run.arguments,
                                .environment = run.environment,
                                .fds = {KK_SPAWN_KEEP, out, KK_SPAWN_KEEP, KK_SPAWN_KEEP},
                                .default_signals = true};
        number = kk_spawn_start(pid, &spawn);
    }
    kk_whole_run_fini(&run);
    return number;
}

/* All that comes from a pipe, until its other end is closed. */
static void read_all(int fd, kk_buf *text)
{
    char part[4096];
    ssize_t n;
    while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0)
            kk_buf_append(text, part, (size_t)n);
    }
}

/* "way" and "error" of each that failed, by the document of a result. */
static json_t *failures_of(const json_t *result)
{
    json_t *list = json_array(), *way;
    size_t i;
    json_array_foreach(json_object_get(result, "ways"), i, way)
    {
        const char *failure = json_string_value(json_object_get(way, "failure"));
        const char *provider = json_string_value(json_object_get(way, "provider"));
        const char *precision = json_string_value(json_object_get(way, "precision"));
        if (failure != NULL && provider != NULL && precision != NULL)
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "provider", provider,
                                                        "precision", precision, "error", failure));
    }
    return list;
}

int kk_app_quick_benchmark(const kk_app *app, json_t **failures)
{
    pid_t pid = 0;
    int status = KK_EXIT_FAILED, number = 0;
    int ends[2] = {-1, -1};
    kk_buf text = KK_BUF_INIT;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    (void)fflush(stdout);
    (void)sigaction(SIGINT, &ignore, &before);
    if (failures != NULL)
        number = kk_spawn_pipe(ends);
    if (number == 0)
        number = start(&pid, app, failures != NULL ? ends[1] : KK_SPAWN_KEEP);
    kk_spawn_close(&ends[1]);
    if (number == 0 && failures != NULL)
        read_all(ends[0], &text);
    json_t *result = text.data != NULL ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    if (number == 0)
        status = wait_for(pid, json_string_value(json_object_get(result, "error")));
    (void)sigaction(SIGINT, &before, NULL);
    if (number != 0)
        kk_complain("the benchmark cannot be started: %s", strerror(number));
    if (failures != NULL)
        *failures = failures_of(result);
    json_decref(result);
    kk_spawn_close(&ends[0]);
    kk_buf_fini(&text);
    return status;
}
