/*
 * test_cache_mount.c - the clean-up where a directory from outside is mounted in the cache. Only a
 * child of the test sees the mounts.
 */
#define _GNU_SOURCE
#include "cache/cleanup.h"
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[] = "/tmp/kokoro-mount-XXXXXX";
static kk_cleanup_result result; /* too large for the stack of a test */

static const char *at(const char *name)
{
    static char path[8][128]; /* so many stay valid */
    static unsigned turn;
    char *out = path[turn++ % 8];
    (void)snprintf(out, sizeof(path[0]), "%s/%s", top, name);
    return out;
}

static bool exists(const char *name)
{
    struct stat st;
    return lstat(at(name), &st) == 0;
}

/* A file of long ago. */
static void make_file(const char *name)
{
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    const int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && futimens(fd, times) == 0);
    (void)close(fd);
}

/* The exit status of the child: 0 when the mounts were told, 77 when it may not mount. */
static int clean_with_mounts(void)
{
    const kk_cleanup_rules rules = {.cache_dir = at("cache"), .max_age_s = 3600.0, .patterns = "*"};
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(at("outside"), at("cache/mnt"), NULL, MS_BIND, NULL) != 0 ||
        mount(at("outside"), at("cache/tmpmnt"), NULL, MS_BIND, NULL) != 0)
        return 77;
    if (kk_cleanup_run(&result, &rules, NULL) != KOKORO_OK || result.age.problems.n != 2)
        return 1;
    for (size_t i = 0; i < 2; i++) {
        if (strstr(result.age.problems.text[i], "mnt: another directory is mounted") == NULL)
            return 1;
    }
    return 0;
}

/* A bind mount is of the same file system: st_dev does not tell it. */
TEST(what_is_mounted_from_outside_is_left_alone)
{
    static const char *const dirs[] = {"outside/dir",  "outside", "cache/mnt",
                                       "cache/tmpmnt", "cache",   ""};
    static const char *const files[] = {"outside/dir/old", "outside/old", "cache/old"};
    int status = 0;
    CHECK(mkdtemp(top) != NULL);
    for (size_t i = 5; i-- > 0;)
        CHECK_INT(mkdir(at(dirs[i]), 0700), 0);
    for (size_t i = 0; i < 3; i++)
        make_file(files[i]);
    (void)fflush(stdout);
    const pid_t child = fork();
    if (child == 0)
        _exit(clean_with_mounts());
    CHECK_INT(waitpid(child, &status, 0), child);
    const bool may_not = WIFEXITED(status) && WEXITSTATUS(status) == 77;
    if (!may_not) {
        CHECK_INT(status, 0);
        CHECK(exists("outside/dir/old") && exists("outside/old"));
        CHECK(exists("cache/mnt") && exists("cache/tmpmnt") && !exists("cache/old"));
    }
    for (size_t i = 0; i < 3; i++)
        (void)unlink(at(files[i]));
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        CHECK_INT(rmdir(at(dirs[i])), 0);
    if (may_not)
        SKIP("nothing can be mounted here");
}

TEST_MAIN(T(what_is_mounted_from_outside_is_left_alone))
