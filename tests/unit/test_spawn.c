/* test_spawn.c - programs that are started: what they get, and when they cannot be. */
#define _XOPEN_SOURCE 700 /* mkstemp */
#include "base/alloc.h"
#include "base/spawn.h"
#include "base/str.h"
#include "bench/child.h"
#include "bench/whole_run.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEEP = KK_SPAWN_KEEP, NUL = KK_SPAWN_NUL };

/* All that a shell script says on the descriptor `said`, 1 or 2; its status. */
static int run(const char *script, kk_spawn spawn, int said, kk_buf *text)
{
    const char *const arguments[] = {"sh", "-c", script, NULL};
    int ends[2], state = -1;
    char bytes[256];
    ssize_t n;
    pid_t pid = 0;
    CHECK_INT(kk_spawn_pipe(ends), 0);
    spawn.program = "/bin/sh";
    spawn.arguments = arguments;
    spawn.fds[said] = ends[1];
    CHECK_INT(kk_spawn_start(&pid, &spawn), 0);
    kk_spawn_close(&ends[1]);
    kk_buf_clear(text);
    while ((n = read(ends[0], bytes, sizeof(bytes))) > 0)
        kk_buf_append(text, bytes, (size_t)n);
    kk_spawn_close(&ends[0]);
    CHECK_INT(ends[0], -1);
    CHECK_INT(waitpid(pid, &state, 0), pid);
    return state;
}

TEST(output_and_nothing_to_read)
{
    kk_buf text = KK_BUF_INIT;
    const kk_spawn spawn = {.fds = {NUL, KEEP, NUL, KEEP}};
    CHECK_INT(run("cat; echo heard; echo lost >&2; exit 3", spawn, 1, &text), 3 << 8);
    CHECK_STR(kk_buf_str(&text), "heard\n");
    const kk_spawn other = {.fds = {NUL, NUL, KEEP, KEEP}};
    CHECK_INT(run("echo lost; echo heard >&2", other, 2, &text), 0);
    CHECK_STR(kk_buf_str(&text), "heard\n");
    kk_buf_fini(&text);
}

TEST(one_descriptor_for_two)
{
    kk_buf text = KK_BUF_INIT;
    int ends[2];
    CHECK_INT(kk_spawn_pipe(ends), 0);
    const kk_spawn spawn = {.fds = {NUL, KEEP, NUL, ends[1]}};
    CHECK_INT(run("echo one; echo three >&3", spawn, 1, &text), 0);
    CHECK_STR(kk_buf_str(&text), "one\n");
    char bytes[8] = "";
    CHECK_INT(read(ends[0], bytes, 7), 6);
    CHECK_STR(bytes, "three\n");
    kk_spawn_close(&ends[0]);
    kk_spawn_close(&ends[1]);
    kk_buf_fini(&text);
}

TEST(the_environment_can_be_another)
{
    kk_buf text = KK_BUF_INIT;
    static const char *const assignments[] = {"KK_TEST_SPAWN=auto"};
    (void)setenv("KK_TEST_SPAWN", "native", 1);
    (void)setenv("KK_TEST_SPAWN_TOO", "stays", 1);
    const char **environment = kk_spawn_environment(assignments, 1);
    const kk_spawn spawn = {.environment = environment, .fds = {NUL, KEEP, NUL, KEEP}};
    CHECK_INT(run("echo $KK_TEST_SPAWN $KK_TEST_SPAWN_TOO", spawn, 1, &text), 0);
    CHECK_STR(kk_buf_str(&text), "auto stays\n");
    const kk_spawn same = {.fds = {NUL, KEEP, NUL, KEEP}};
    CHECK_INT(run("echo $KK_TEST_SPAWN $KK_TEST_SPAWN_TOO", same, 1, &text), 0);
    CHECK_STR(kk_buf_str(&text), "native stays\n");
    kk_free(environment);
    kk_alloc_fail_at(1, 0);
    CHECK(kk_spawn_environment(assignments, 1) == NULL);
    kk_alloc_fail_at(0, 0);
    kk_buf_fini(&text);
}

TEST(signals_do_what_they_do_by_default)
{
    kk_buf text = KK_BUF_INIT;
    sigset_t set, before;
    const kk_spawn plain = {.fds = {NUL, KEEP, NUL, KEEP}};
    const kk_spawn defaults = {.fds = {NUL, KEEP, NUL, KEEP}, .default_signals = true};
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, &before);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK_INT(run("kill -INT $$; echo lives", plain, 1, &text), 0);
    CHECK_STR(kk_buf_str(&text), "lives\n");
    CHECK_INT(run("kill -INT $$; echo lives", defaults, 1, &text), SIGINT);
    CHECK_INT(run("kill -PIPE $$; echo lives", plain, 1, &text), SIGPIPE);
    CHECK_INT(run("kill -TERM $$; echo lives", plain, 1, &text), SIGTERM); /* no longer blocked */
    CHECK_STR(kk_buf_str(&text), "");
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    kk_buf_fini(&text);
}

TEST(a_group_and_a_priority_of_its_own)
{
    const char *const arguments[] = {"cat", NULL};
    int ends[2], state = 0;
    CHECK_INT(kk_spawn_pipe(ends), 0);
    for (int own = 0; own < 2; own++) {
        pid_t pid = 0;
        const kk_spawn spawn = {.program = "cat",
                                .arguments = arguments,
                                .fds = {ends[0], NUL, NUL, KEEP},
                                .searches_path = true,
                                .own_group = own != 0,
                                .niceness = own != 0 ? 7 : 0};
        CHECK_INT(kk_spawn_start(&pid, &spawn), 0);
        CHECK_INT(getpgid(pid), own != 0 ? pid : getpgrp());
        CHECK_INT(getpriority(PRIO_PROCESS, (id_t)pid),
                  own != 0 ? 7 : getpriority(PRIO_PROCESS, 0));
        (void)kill(pid, SIGKILL);
        CHECK_INT(waitpid(pid, &state, 0), pid);
    }
    kk_spawn_close(&ends[0]);
    kk_spawn_close(&ends[1]);
}

TEST(other_descriptors_stay_behind)
{
    kk_buf text = KK_BUF_INIT;
    const int file = fcntl(STDOUT_FILENO, F_DUPFD, 9); /* not closed on exec */
    char script[80];
    CHECK(file >= 9);
    (void)snprintf(script, sizeof(script), "test -e /dev/fd/%d && echo there", file);
    const kk_spawn keeps = {.fds = {NUL, KEEP, NUL, KEEP}};
    (void)run(script, keeps, 1, &text);
    CHECK_STR(kk_buf_str(&text), "there\n");
#if defined(__GLIBC__)
    const kk_spawn closes = {.fds = {NUL, KEEP, NUL, KEEP}, .closes_rest = true};
    (void)run(script, closes, 1, &text);
    CHECK_STR(kk_buf_str(&text), "");
#endif
    (void)close(file);
    kk_buf_fini(&text);
}

static int start(const char *program, bool searches, int input)
{
    const char *const arguments[] = {program, NULL};
    const kk_spawn spawn = {.program = program,
                            .arguments = arguments,
                            .fds = {input, NUL, NUL, KEEP},
                            .searches_path = searches};
    pid_t pid = 0;
    const int number = kk_spawn_start(&pid, &spawn);
    if (number == 0)
        (void)waitpid(pid, NULL, 0);
    return number;
}

TEST(what_cannot_be_started)
{
    CHECK_INT(start("/nowhere/kokoro", false, NUL), ENOENT);
    CHECK_INT(start("no-such-program-at-all", true, NUL), ENOENT);
    CHECK_INT(start("/etc/passwd", false, NUL), EACCES);
    CHECK_INT(start("/bin/true", false, 987654), EBADF);
    CHECK_INT(start("/bin/true", false, NUL), 0);
}

static int lowest_free(void)
{
    const int fd = dup(STDOUT_FILENO);
    (void)close(fd);
    return fd;
}

/* With no descriptor left a pipe, a program's /dev/null and a benchmark's child fail with their
 * reason, and the same works again afterwards. */
TEST(out_of_descriptors)
{
    static const char *const command[] = {"/bin/sh", "-c", "exit 0", NULL};
    struct rlimit before, none;
    kk_child child;
    kokoro_error err;
    int ends[2] = {7, 7};
    const int free_before = lowest_free();
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* A child has those that are open here until it executes: 0 to 2 are, and no more may be. */
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_INT(kk_spawn_pipe(ends), EMFILE);
    CHECK(ends[0] == -1 && ends[1] == -1);
    CHECK_INT(kk_child_start(&child, command, true, &err), KOKORO_IO);
    CHECK_HAS(err.message, "Too many open files");
    kk_child_end(&child);
    none.rlim_cur = 0;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK(start("/bin/true", false, NUL) != 0);
    /* Each place where a child's pipes may run out. */
    for (rlim_t n = 3; n < 12; n++) {
        none.rlim_cur = n;
        CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
        if (kk_child_start(&child, command, true, &err) != KOKORO_OK)
            CHECK_INT(child.pid, 0);
        kk_child_end(&child);
        CHECK(child.to == -1 && child.from == -1 && child.talk == -1 && child.file == -1);
    }
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_INT(kk_child_start(&child, command, true, &err), KOKORO_OK);
    kk_child_end(&child);
    const int after = lowest_free();
    CHECK_INT(after, free_before); /* nothing was left open */
}

static bool has(const char *const *list, const char *text)
{
    while (*list != NULL && strcmp(*list, text) != 0)
        list++;
    return *list != NULL;
}

/* The command line of a benchmark that compares all ways, whatever the parent's settings choose. */
TEST(a_whole_run_takes_no_choice_of_its_parent)
{
    static const char *const words[] = {"--quick", NULL};
    kk_config config;
    kk_whole_run run;
    kokoro_error err;
    (void)setenv("KOKORO_PROVIDER", "onnxruntime", 1);
    kk_config_init(&config);
    CHECK_INT(kk_config_set_option(&config, KK_SET_PROVIDER, "native", &err), KOKORO_OK);
    CHECK_INT(kk_config_set_option(&config, KK_SET_PORT, "8001", &err), KOKORO_OK);
    CHECK_INT(kk_config_set_option(&config, KK_SET_THREADS, "2", &err), KOKORO_OK);
    char dotenv[] = "/tmp/kokoro-spawn-XXXXXX";
    const int fd = mkstemp(dotenv);
    static const char lines[] = "KOKORO_PRECISION=f32\nKOKORO_VOICE=af_sky\nKOKORO_THREADS=9\n";
    CHECK(fd >= 0 && write(fd, lines, sizeof(lines) - 1) == (ssize_t)sizeof(lines) - 1);
    (void)close(fd);
    CHECK_INT(kk_config_load(&config, dotenv, NULL, NULL, &err), KOKORO_OK);
    CHECK_INT(unlink(dotenv), 0);
    size_t k = 0;
    int status = KOKORO_NO_MEMORY;
    for (; status != KOKORO_OK && k < 50; k++) {
        kk_alloc_fail_at(k + 1, 0);
        status = kk_whole_run_init(&run, &config, words);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
        if (status != KOKORO_OK)
            kk_whole_run_fini(&run);
    }
    CHECK(status == KOKORO_OK && k > 1);
    CHECK_STR(run.arguments[1], "benchmark");
    CHECK_STR(run.arguments[2], "--inherited");
    CHECK_STR(run.arguments[3], "--quick");
    CHECK_STR(run.arguments[4], "--threads=2");
    CHECK(run.arguments[5] == NULL);
    CHECK(has(run.environment, "KOKORO_PROVIDER=auto"));
    CHECK(has(run.environment, "KOKORO_PRECISION=auto"));
    CHECK(!has(run.environment, "KOKORO_PROVIDER=onnxruntime"));
    /* What .env set it has from its parent, where an option did not go before. */
    CHECK(has(run.environment, "KOKORO_VOICE=af_sky"));
    CHECK(!has(run.environment, "KOKORO_PRECISION=f32"));
    CHECK(!has(run.environment, "KOKORO_THREADS=9"));
    kk_whole_run_fini(&run);
    kk_config_fini(&config);
}

TEST_MAIN(T(out_of_descriptors), T(output_and_nothing_to_read), T(one_descriptor_for_two),
          T(the_environment_can_be_another), T(signals_do_what_they_do_by_default),
          T(a_group_and_a_priority_of_its_own), T(other_descriptors_stay_behind),
          T(what_cannot_be_started), T(a_whole_run_takes_no_choice_of_its_parent))
