/*
 * test_cache_cleanup.c - the clean-up of the cache: each policy with made-up ages, what is
 * preserved, and that nothing outside is touched, whatever others do meanwhile.
 */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "cache/cleanup.h"
#include "cache/tree.h"
#include "check.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MB = 1 << 20, HOUR = 3600 };

/* A directory of its own for each test, with the cache in it and something outside of that. */
static char top[PATH_MAX], cache[PATH_MAX + 8];
/* Names of a thread that changes what one of them leads to. */
static char link_swap[PATH_MAX + 8], at_swap[PATH_MAX + 8], outside_swap[PATH_MAX + 8];

static const char *at(const char *format, ...)
{
    static char path[64][3 * PATH_MAX]; /* so many stay valid */
    static unsigned turn;
    char *out = path[turn++ % 64];
    va_list args;
    int len = snprintf(out, sizeof(path[0]), "%s/", top);
    va_start(args, format);
    (void)vsnprintf(out + len, sizeof(path[0]) - (size_t)len, format, args);
    va_end(args);
    return out;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

static void set_up(void)
{
    (void)snprintf(top, sizeof(top), "/tmp/kokoro-cleanup-XXXXXX");
    if (mkdtemp(top) == NULL)
        CHECK(!"a directory for the test");
    (void)snprintf(cache, sizeof(cache), "%s/cache", top);
    CHECK_INT(mkdir(cache, 0700), 0);
}

static void tear_down(void)
{
    (void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_dirs(const char *path)
{
    kokoro_error err;
    CHECK_INT(kk_make_dirs(path, &err), KOKORO_OK);
}

static void set_age(const char *path, double age_s)
{
    const double then_s = kk_wall_s() - age_s;
    const struct timespec t = {.tv_sec = (time_t)then_s};
    const struct timespec times[2] = {t, t};
    CHECK_INT(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* A file of so many bytes, changed so long ago; its directories are made. */
static void make_file(const char *path, off_t size, double age_s)
{
    char dir[3 * PATH_MAX];
    (void)snprintf(dir, sizeof(dir), "%s", path);
    *strrchr(dir, '/') = '\0';
    make_dirs(dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(ftruncate(fd, size), 0);
    (void)close(fd);
    set_age(path, age_s);
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static kk_cleanup_rules rules_of_guide(void)
{
    return (kk_cleanup_rules){.cache_dir = cache,
                              .max_age_s = 24.0 * HOUR,
                              .max_bytes = 500ull * MB,
                              .max_temp_dirs = 10,
                              .patterns = "tmp* *.tmp *.log.* benchmark_*.log coreml_context_*"};
}

static kk_cleanup_result result; /* too large for the stack of a test */

static int clean(const kk_cleanup_rules *rules)
{
    kokoro_error err = {.status = KOKORO_OK, .message = ""};
    int status = kk_cleanup_run(&result, rules, &err);
    if (status != KOKORO_OK && status != err.status)
        CHECK(!"the status is that of the message");
    return status;
}

/* --- the policies --- */

TEST(age_takes_what_is_older_than_a_day)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    make_file(at("cache/old.bin"), 1000, 25 * HOUR);
    make_file(at("cache/deep/er/old.bin"), 24, 25 * HOUR);
    make_file(at("cache/new.bin"), 10, 23 * HOUR);
    make_file(at("cache/half.bin"), 10, 13 * HOUR);
    make_file(at("cache/future.bin"), 10, -100.0 * HOUR);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/old.bin")) && !exists(at("cache/deep")));
    CHECK(exists(at("cache/new.bin")) && exists(at("cache/half.bin")));
    CHECK(exists(at("cache/future.bin")));
    CHECK_INT(result.age.n_files, 2);
    CHECK_INT(result.age.bytes, 1024);
    CHECK_INT(result.n_empty_dirs, 2);
    CHECK_INT(result.before.bytes, 1054);
    CHECK_INT(result.after.bytes, 30);
    CHECK_INT(result.after.n_files, 3);
    rules.is_aggressive = true;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(exists(at("cache/future.bin")) && !exists(at("cache/new.bin")));
    CHECK(!exists(at("cache/half.bin")));
    rules.is_aggressive = false;
    rules.max_age_s = 0.0; /* a setting may say so */
    make_file(at("cache/now.bin"), 10, 1);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/now.bin")));
    tear_down();
}

TEST(temporary_directories_leave_the_newest)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    for (int i = 0; i < 15; i++) {
        make_file(at("cache/tmp%02d/sub/file", i), 100, 60 * (i + 1));
        set_age(at("cache/tmp%02d/sub", i), 60 * (i + 1));
        set_age(at("cache/tmp%02d", i), 60 * (i + 1));
    }
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.temp_dirs.n_dirs, 5);
    CHECK_INT(result.temp_dirs.bytes, 500);
    CHECK_INT(result.temp_dirs.problems.n, 0);
    for (int i = 0; i < 15; i++)
        CHECK_INT(exists(at("cache/tmp%02d/sub/file", i)), i < 10);
    rules.is_aggressive = true;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.temp_dirs.n_dirs, 5);
    CHECK(exists(at("cache/tmp04/sub/file")) && !exists(at("cache/tmp05")));
    tear_down();
}

TEST(temporary_directories_go_as_a_whole_or_not_at_all)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    /* A program unpacks files that are years old: they are in use all the same. */
    make_file(at("cache/tmpa/unpacked"), 100, 10000.0 * HOUR);
    make_file(at("cache/tmpa/tmpb/tmpfile"), 100, 10000.0 * HOUR);
    make_file(at("cache/tmpold/x"), 100, 30 * HOUR);
    set_age(at("cache/tmpold"), 30 * HOUR);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(exists(at("cache/tmpa/unpacked")) && exists(at("cache/tmpa/tmpb/tmpfile")));
    CHECK(!exists(at("cache/tmpold")));
    CHECK_INT(result.age.n_dirs, 1);
    CHECK_INT(result.age.n_files, 1);
    tear_down();
}

TEST(size_takes_the_oldest_down_to_four_fifths)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    rules.max_bytes = 1000;
    for (int i = 0; i < 11; i++)
        make_file(at("cache/audio/%02d.wav", i), 100, 60 * (i + 1));
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(result.was_too_large);
    CHECK_INT(result.target_bytes, 800);
    CHECK_INT(result.size.n_files, 3);
    CHECK_INT(result.after.bytes, 800);
    for (int i = 0; i < 11; i++)
        CHECK_INT(exists(at("cache/audio/%02d.wav", i)), i < 8);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!result.was_too_large);
    rules.is_aggressive = true;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.target_bytes, 400);
    CHECK_INT(result.after.bytes, 400);
    CHECK(exists(at("cache/audio/03.wav")) && !exists(at("cache/audio/04.wav")));
    tear_down();
}

/* Models in use may be larger than all that is allowed: what comes beside them is not thrown away
 * with every clean-up for that. */
TEST(beside_models_over_the_limit_there_is_room_for_a_fifth)
{
    set_up();
    make_file(at("cache/native/now.pack"), 1200, 1);
    const kk_cache_current current[] = {{"native", NULL, NULL}};
    kk_cleanup_rules rules = rules_of_guide();
    kk_cache_statistics *view = kk_calloc(1, sizeof(*view));
    rules.current = current;
    rules.n_current = 1;
    rules.max_bytes = 1000;
    for (int i = 0; i < 4; i++)
        make_file(at("cache/audio/%02d.wav", i), 50, 60 * (i + 1));
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK(!view->needs_cleanup);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!result.was_too_large);
    CHECK_INT(result.after.bytes, 1400);
    make_file(at("cache/audio/04.wav"), 50, 300);
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK(view->needs_cleanup);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(result.was_too_large);
    CHECK_INT(result.target_bytes, 1360);
    CHECK_INT(result.size.n_files, 2); /* the oldest, down to four fifths of the fifth */
    for (int i = 0; i < 5; i++)
        CHECK_INT(exists(at("cache/audio/%02d.wav", i)), i < 3);
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK(!view->needs_cleanup);
    kk_free(view);
    tear_down();
}

/* Dated ahead by a broken clock or a careless program: as old as since it was so dated. */
TEST(a_date_of_the_future_does_not_keep_a_file_for_ever)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    make_file(at("cache/far.bin"), 10, -9000.0 * HOUR);
    make_file(at("cache/near.bin"), 10, -20.0 * HOUR);
    make_file(at("cache/tmpfar/x"), 10, -9000.0 * HOUR);
    set_age(at("cache/tmpfar"), -9000.0 * HOUR);
    kk_cache_statistics *view = kk_calloc(1, sizeof(*view));
    rules.now_s = kk_wall_s() + 25.0 * HOUR;
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK_NEAR(view->oldest_age_s, 25.0 * HOUR, 60.0);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/far.bin")) && exists(at("cache/near.bin")));
    CHECK(!exists(at("cache/tmpfar")));
    rules.now_s = kk_wall_s() + 45.0 * HOUR;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/near.bin")));
    kk_free(view);
    tear_down();
}

TEST(results_have_a_limit_of_their_own)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    for (int i = 0; i < 10; i++) {
        make_file(at("cache/audio/%016x.result", i), 100, 60 * (i + 1));
        make_file(at("cache/other/%d", i), 100, 60 * (i + 1));
    }
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.size.n_files, 0);
    rules.max_result_bytes = 650;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.size.n_files, 4);
    CHECK_INT(result.size.bytes, 400);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(exists(at("cache/audio/%016x.result", i)), i < 6);
        CHECK(exists(at("cache/other/%d", i)));
    }
    rules.is_aggressive = true;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.kinds[KK_KIND_AUDIO].n_files, 3);
    tear_down();
}

TEST(patterns_take_what_they_name)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    make_file(at("cache/tmp_old"), 1, 2 * HOUR);
    make_file(at("cache/a/b.tmp"), 1, 2 * HOUR);
    make_file(at("cache/young.tmp"), 1, HOUR / 2);
    make_file(at("cache/server.log.1"), 1, 1);
    make_file(at("cache/server.log"), 1, 1);
    make_file(at("cache/benchmark_9.log"), 1, 1);
    make_file(at("cache/coreml_context_7/a/b"), 1, 1);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.n_patterns, 5);
    CHECK_INT(result.patterns.n_files, 5);
    CHECK(exists(at("cache/server.log")) && exists(at("cache/young.tmp")));
    CHECK(!exists(at("cache/coreml_context_7")) && !exists(at("cache/a")));
    rules.patterns = "  server.* \t [ ";
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.n_patterns, 2);
    CHECK(!exists(at("cache/server.log")));
    rules.patterns = "";
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.n_patterns, 0);
    CHECK(exists(at("cache/young.tmp")));
    tear_down();
}

/* --- what is preserved --- */

static void make_everything_old(void)
{
    make_file(at("cache/native/now.pack"), 1000, 900 * HOUR);
    make_file(at("cache/native/stale.pack"), 1000, 900 * HOUR);
    make_file(at("cache/ort/now.ort"), 1000, 900 * HOUR);
    make_file(at("cache/ort/stale.ort"), 1000, 950 * HOUR);
    make_file(at("cache/openvino/now/blob"), 1000, 900 * HOUR);
    make_file(at("cache/openvino/stale/blob"), 1000, 900 * HOUR);
    make_file(at("cache/benchmark/record.json"), 1000, 900 * HOUR);
    make_file(at("cache/benchmark/lock"), 0, 900 * HOUR);
    make_file(at("cache/benchmark/record.json.1.2.tmp"), 10, 900 * HOUR);
}

TEST(what_is_needed_survives_every_policy)
{
    set_up();
    make_everything_old();
    const char *native = at("cache/native/now.pack"), *ort = at("cache/ort/now.ort");
    const char *openvino = at("cache/openvino/now");
    const kk_cache_current current[] = {{"native", native, NULL},
                                        {"ort", ort, NULL},
                                        {"openvino", openvino, NULL},
                                        {"none", at("elsewhere"), NULL}};
    kk_cleanup_rules rules = rules_of_guide();
    rules.current = current;
    rules.n_current = 4;
    rules.max_bytes = 100;
    rules.patterns = "*";
    rules.is_aggressive = true;
    for (int i = 0; i < 2; i++) {
        CHECK_INT(clean(&rules), KOKORO_OK);
        CHECK(exists(native) && exists(ort) && exists(at("cache/openvino/now/blob")));
        CHECK(exists(at("cache/benchmark/record.json")) && exists(at("cache/benchmark/lock")));
        CHECK(!exists(at("cache/native/stale.pack")) && !exists(at("cache/ort/stale.ort")));
        CHECK(!exists(at("cache/openvino/stale")));
        CHECK(!exists(at("cache/benchmark/record.json.1.2.tmp")));
        CHECK_INT(result.preserved.n_files, 5);
        CHECK_INT(result.preserved.bytes, 4000);
    }
    CHECK_INT(result.kinds[KK_KIND_PACKED].n_files, 1);
    CHECK_INT(result.kinds[KK_KIND_RECORD].n_files, 2);
    tear_down();
}

TEST(without_word_of_what_is_needed_the_newest_stays)
{
    set_up();
    make_everything_old();
    make_file(at("cache/native/newer.pack"), 1000, 800 * HOUR);
    const kk_cache_current current[] = {
        {"native", NULL, NULL}, {"ort", NULL, NULL}, {"other", NULL, NULL}};
    kk_cleanup_rules rules = rules_of_guide();
    rules.current = current;
    rules.n_current = 3;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(exists(at("cache/native/newer.pack")) && !exists(at("cache/native/now.pack")));
    CHECK(exists(at("cache/ort/now.ort")) && !exists(at("cache/ort/stale.ort")));
    CHECK(!exists(at("cache/openvino/now/blob")) && exists(at("cache/openvino")));
    tear_down();
}

TEST(of_several_precisions_that_in_use_stays)
{
    set_up();
    make_file(at("cache/openvino/1.bf16.blob"), 10, 900 * HOUR);
    make_file(at("cache/openvino/2.bf16.blob"), 10, 800 * HOUR);
    make_file(at("cache/openvino/3.f32.blob"), 10, 700 * HOUR);
    kk_cache_current current = {"openvino", NULL, ".bf16.blob"};
    kk_cleanup_rules rules = rules_of_guide();
    rules.current = &current;
    rules.n_current = 1;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/openvino/1.bf16.blob")) && exists(at("cache/openvino/2.bf16.blob")));
    CHECK(!exists(at("cache/openvino/3.f32.blob")));
    current.ending = ".f32.blob"; /* there is none: the newest of any */
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(exists(at("cache/openvino/2.bf16.blob")));
    tear_down();
}

TEST(what_is_open_mapped_or_locked_survives)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    const char *names[] = {"open", "mapped", "locked", "free"};
    for (int i = 0; i < 4; i++)
        make_file(at("cache/%s.tmp", names[i]), 5000, 50 * HOUR);
    for (int i = 0; i < 12; i++)
        make_file(at("cache/tmp%d/x", i), 1, 50 * HOUR + i);
    for (int i = 0; i < 12; i++)
        set_age(at("cache/tmp%d", i), 50 * HOUR + i);
    int locked_dir = open(at("cache/tmp11"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(flock(locked_dir, LOCK_SH), 0);
    int in_dir = open(at("cache/tmp10/x"), O_RDONLY | O_CLOEXEC);
    int opened = open(at("cache/open.tmp"), O_RDONLY | O_CLOEXEC);
    int locked = open(at("cache/locked.tmp"), O_RDONLY | O_CLOEXEC);
    CHECK_INT(flock(locked, LOCK_EX), 0);
    kk_map map;
    CHECK_INT(kk_map_open(&map, at("cache/mapped.tmp"), "file", NULL), KOKORO_OK);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(exists(at("cache/open.tmp")) && exists(at("cache/mapped.tmp")));
    CHECK(exists(at("cache/locked.tmp")) && !exists(at("cache/free.tmp")));
    CHECK(exists(at("cache/tmp11/x")) && exists(at("cache/tmp10/x")));
    CHECK_INT(result.age.n_dirs, 10);
    kk_map_close(&map);
    (void)close(locked);
    (void)close(opened);
    (void)close(in_dir);
    (void)close(locked_dir);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.after.n_files, 0);
    tear_down();
}

TEST(a_directory_that_is_only_looked_into_goes)
{
    set_up();
    const kk_cleanup_rules rules = rules_of_guide();
    const char *names[] = {"tmplooked", "tmpcwd"};
    char *here = getcwd(NULL, 0);
    for (int i = 0; i < 2; i++) {
        make_file(at("cache/%s/sub/x", names[i]), 1, 50 * HOUR);
        set_age(at("cache/%s/sub", names[i]), 50 * HOUR);
        set_age(at("cache/%s", names[i]), 50 * HOUR);
    }
    int fd = open(at("cache/tmplooked/sub"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(chdir(at("cache/tmpcwd/sub")), 0);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/tmplooked")) && exists(at("cache/tmpcwd/sub/x")));
    CHECK(here != NULL && chdir(here) == 0);
    free(here);
    (void)close(fd);
    tear_down();
}

/* A process that only holds a lock on a name that another user's eyes cannot see in /proc. */
TEST(a_lock_of_another_process_is_seen)
{
    set_up();
    make_file(at("cache/tmpx/x"), 1, 50 * HOUR);
    set_age(at("cache/tmpx"), 50 * HOUR);
    int pipes[2];
    CHECK_INT(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(at("cache/tmpx/x"), O_RDONLY | O_CLOEXEC);
        char c = flock(fd, LOCK_EX) == 0 ? 'y' : 'n';
        if (write(pipes[1], &c, 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    char c = 0;
    CHECK_INT(read(pipes[0], &c, 1), 1);
    kk_tree tree;
    CHECK_INT(kk_tree_open(&tree, cache, NULL, NULL, NULL), KOKORO_OK);
    CHECK(kk_tree_is_locked(&tree, kk_tree_find(&tree, "tmpx/x")));
    CHECK(!kk_tree_is_locked(&tree, kk_tree_find(&tree, "tmpx")));
    CHECK_INT(kk_tree_remove(&tree, kk_tree_find(&tree, "/tmpx//x"), NULL), KK_TREE_LOCKED);
    kk_tree_close(&tree);
    const kk_cleanup_rules rules = rules_of_guide();
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(exists(at("cache/tmpx/x")));
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/tmpx")));
    tear_down();
}

/* --- nothing outside --- */

TEST(links_are_removed_themselves_and_never_followed)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    make_file(at("outside/old"), 100, 900 * HOUR);
    make_file(at("outside/tmp1/old.tmp"), 100, 900 * HOUR);
    CHECK_INT(symlink(at("outside"), at("cache/old_link")), 0);
    CHECK_INT(symlink(at("outside"), at("cache/tmp_link")), 0);
    CHECK_INT(symlink(at("outside/old"), at("cache/young_link")), 0);
    CHECK_INT(symlink("/", at("cache/root.tmp")), 0);
    CHECK_INT(symlink("..", at("cache/up.tmp")), 0);
    CHECK_INT(symlink(at("outside"), at("cache/native")), 0);
    for (int i = 0; i < 5; i++) {
        const char *names[] = {"old_link", "tmp_link", "root.tmp", "up.tmp", "native"};
        set_age(at("cache/%s", names[i]), 900 * HOUR);
    }
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.age.n_files, 4);
    CHECK(!exists(at("cache/old_link")) && !exists(at("cache/root.tmp")));
    CHECK(exists(at("cache/young_link")));
    CHECK(exists(at("cache/native"))); /* somebody keeps the models on another disk */
    CHECK(exists(at("outside/old")) && exists(at("outside/tmp1/old.tmp")));
    /* The directory itself may be reached by a link. */
    CHECK_INT(symlink(cache, at("link")), 0);
    make_file(at("cache/old"), 100, 900 * HOUR);
    rules.cache_dir = at("link");
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/old")));
    tear_down();
}

typedef struct swap {
    int countdown;
    bool is_done;
} swap;

/* In the middle of the work, a directory of the cache becomes a link to one outside, with the same
 * names in it. */
static bool swap_then_go_on(void *user)
{
    swap *s = user;
    if (s->countdown-- == 0) {
        s->is_done = rename(at("cache/dir"), at("moved")) == 0 &&
                     symlink(at("outside"), at("cache/dir")) == 0;
    }
    return false;
}

TEST(a_directory_swapped_for_a_link_is_left_alone)
{
    bool was_done = true;
    int n = 0;
    for (; was_done; n++) {
        set_up();
        kk_cleanup_rules rules = rules_of_guide();
        swap s = {n, false};
        rules.stopped = swap_then_go_on;
        rules.stopped_user = &s;
        for (int i = 0; i < 3; i++) {
            make_file(at("cache/dir/%d.bin", i), 100, 900 * HOUR);
            make_file(at("outside/%d.bin", i), 100, 900 * HOUR);
        }
        CHECK_INT(clean(&rules), KOKORO_OK);
        for (int i = 0; i < 3; i++)
            CHECK(exists(at("outside/%d.bin", i)));
        was_done = s.is_done;
        tear_down();
    }
    CHECK(n > 5); /* it was swapped before each of several steps */
}

typedef struct swapper {
    pthread_t thread;
    atomic_bool must_end;
} swapper;

/* The name of the cache is a link that leads to the cache and to what is none, in turn. */
static void *swap_the_top(void *user)
{
    swapper *s = user;
    for (int i = 0; !atomic_load(&s->must_end); i++) {
        (void)unlink(at_swap);
        if (symlink(i % 2 == 0 ? outside_swap : cache, at_swap) != 0 ||
            rename(at_swap, link_swap) != 0)
            break;
    }
    return NULL;
}

/* What was judged is what is cleaned, whatever the name leads to a moment later. */
TEST(a_name_that_leads_elsewhere_meanwhile_is_not_followed_twice)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    swapper s;
    const char *model = at("outside/model"), *old = at("outside/old");
    const char *const foreign[] = {model};
    make_file(model, 1, 900 * HOUR);
    make_file(old, 1, 900 * HOUR);
    (void)snprintf(link_swap, sizeof(link_swap), "%s/link", top);
    (void)snprintf(at_swap, sizeof(at_swap), "%s/next", top);
    (void)snprintf(outside_swap, sizeof(outside_swap), "%s/outside", top);
    CHECK_INT(symlink(cache, link_swap), 0);
    rules.cache_dir = link_swap;
    rules.foreign = foreign;
    rules.n_foreign = 1;
    atomic_init(&s.must_end, false);
    CHECK_INT(pthread_create(&s.thread, NULL, swap_the_top, &s), 0);
    const double end_s = kk_now_s() + 2.0;
    int n_cleaned = 0, n_refused = 0;
    while (kk_now_s() < end_s && exists(old)) {
        const int status = clean(&rules);
        n_cleaned += status == KOKORO_OK;
        n_refused += status == KOKORO_INVALID;
    }
    atomic_store(&s.must_end, true);
    CHECK_INT(pthread_join(s.thread, NULL), 0);
    CHECK(exists(model) && exists(old));
    CHECK(n_cleaned > 0 && n_refused > 0);
    tear_down();
}

TEST(what_changed_since_it_was_seen_is_left_alone)
{
    set_up();
    make_file(at("cache/dir/same"), 1, 900 * HOUR);
    make_file(at("cache/written"), 1, 900 * HOUR);
    make_file(at("cache/replaced"), 1, 900 * HOUR);
    make_file(at("cache/gone"), 1, 900 * HOUR);
    make_dirs(at("cache/filled"));
    kk_tree tree;
    static kk_problems problems;
    CHECK_INT(kk_tree_open(&tree, cache, NULL, NULL, NULL), KOKORO_OK);
    set_age(at("cache/written"), 1);
    make_file(at("cache/new"), 1, 900 * HOUR);
    CHECK_INT(rename(at("cache/new"), at("cache/replaced")), 0);
    CHECK_INT(unlink(at("cache/gone")), 0);
    CHECK_INT(rename(at("cache/dir"), at("cache/dir2")), 0);
    make_file(at("cache/dir/same"), 1, 900 * HOUR);
    make_file(at("cache/filled/new"), 1, 1);
    memset(&problems, 0, sizeof(problems));
    CHECK_INT(kk_tree_remove(&tree, kk_tree_find(&tree, "written"), &problems), KK_TREE_LEFT);
    CHECK_INT(kk_tree_remove(&tree, kk_tree_find(&tree, "replaced"), &problems), KK_TREE_LEFT);
    CHECK_INT(kk_tree_remove(&tree, kk_tree_find(&tree, "dir/same"), &problems), KK_TREE_LEFT);
    CHECK_INT(problems.n, 3);
    CHECK_HAS(problems.text[2], "dir/same: it was moved or replaced");
    CHECK_INT(kk_tree_remove(&tree, kk_tree_find(&tree, "filled"), &problems), KK_TREE_LEFT);
    CHECK_INT(problems.n, 3);
    CHECK_INT(kk_tree_remove(&tree, kk_tree_find(&tree, "gone"), NULL), KK_TREE_GONE);
    CHECK(exists(at("cache/written")) && exists(at("cache/replaced")));
    CHECK(exists(at("cache/dir/same")) && exists(at("cache/dir2/same")));
    CHECK_INT(kk_tree_find(&tree, "absent"), KK_TREE_NONE);
    CHECK_INT(kk_tree_find(&tree, "written/x"), kk_tree_find(&tree, "written"));
    kk_tree_close(&tree);
    tear_down();
}

TEST(directories_that_are_no_cache_are_refused)
{
    set_up();
    kokoro_error err;
    kk_cleanup_rules rules = rules_of_guide();
    const char *model = at("cache/model/kokoro.onnx");
    const char *const foreign[] = {at("absent"), "", model};
    make_file(model, 1, 900 * HOUR);
    make_file(at("cache/old"), 1, 900 * HOUR);
    rules.foreign = foreign;
    rules.n_foreign = 3;
    CHECK_INT(kk_cleanup_run(&result, &rules, &err), KOKORO_INVALID);
    CHECK_HAS(err.message, "kokoro.onnx lies there, which is no cache");
    CHECK(exists(model) && exists(at("cache/old")));
    rules.n_foreign = 0;
    const char *const places[] = {"/", "/etc", "/usr/..", "/tmp", "/usr", "/dev/shm/../../home"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        rules.cache_dir = places[i];
        rules.max_age_s = 1e12; /* should it be let in after all */
        rules.max_bytes = UINT64_MAX;
        rules.max_temp_dirs = SIZE_MAX;
        rules.patterns = "";
        CHECK_INT(kk_cleanup_run(&result, &rules, &err), KOKORO_INVALID);
    }
    /* The home directory, what lies above it, and what all programs share in it. */
    char *saved = kk_strdup(getenv("HOME") != NULL ? getenv("HOME") : "/");
    CHECK_INT(setenv("HOME", at("home/me"), 1), 0);
    make_dirs(at("home/me/.cache/kokoro"));
    const char *const homes[] = {"home", "home/me", "home/me/.cache"};
    for (int i = 0; i < 3; i++) {
        rules.cache_dir = at("%s", homes[i]);
        CHECK_INT(kk_cleanup_run(&result, &rules, &err), KOKORO_INVALID);
    }
    rules.cache_dir = at("home/me/.cache/kokoro");
    CHECK_INT(kk_cleanup_run(&result, &rules, &err), KOKORO_OK);
    CHECK_INT(setenv("HOME", saved, 1), 0);
    kk_free(saved);
    tear_down();
}

/* --- two at once, stops, odd files --- */

static int status_of_second;

static bool start_a_second(void *user)
{
    static kk_cleanup_result second;
    kk_cleanup_rules rules = *(const kk_cleanup_rules *)user;
    kokoro_error err;
    rules.stopped = NULL;
    status_of_second = kk_cleanup_run(&second, &rules, &err);
    CHECK_HAS(err.message, "another clean-up");
    return false;
}

TEST(a_second_one_is_told_so)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    rules.stopped = start_a_second;
    rules.stopped_user = &rules;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(status_of_second, KOKORO_BUSY);
    int fd = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(flock(fd, LOCK_EX), 0);
    rules.stopped = NULL;
    CHECK_INT(clean(&rules), KOKORO_BUSY);
    kk_cache_statistics *view = kk_calloc(1, sizeof(*view));
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK); /* looking needs no lock */
    kk_free(view);
    (void)close(fd);
    CHECK_INT(clean(&rules), KOKORO_OK);
    tear_down();
}

static bool stop_after(void *user)
{
    return (*(int *)user)-- <= 0;
}

TEST(it_stops_when_asked)
{
    set_up();
    for (int i = 0; i < 20; i++)
        make_file(at("cache/%02d", i), 1, 900 * HOUR);
    kk_cleanup_rules rules = rules_of_guide();
    int n = 0;
    rules.stopped = stop_after;
    rules.stopped_user = &n;
    CHECK_INT(clean(&rules), KOKORO_CANCELLED);
    n = 6;
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(result.is_stopped);
    CHECK_INT(result.age.n_files, 5); /* one question was for the look at the directory */
    CHECK_INT(result.after.n_files, 15);
    tear_down();
}

TEST(odd_files_do_no_harm)
{
    set_up();
    kk_cleanup_rules rules = rules_of_guide();
    char name[256], deep[4096];
    memset(name, 'x', 255);
    name[255] = '\0';
    make_file(at("cache/%s", name), 1, 900 * HOUR);
    make_file(at("cache/bad\xff\n\x1b[31m"), 1, 900 * HOUR);
    make_file(at("cache/-rf"), 1, 900 * HOUR);
    CHECK_INT(mkfifo(at("cache/fifo"), 0600), 0);
    set_age(at("cache/fifo"), 900 * HOUR);
    size_t len = 0;
    for (int i = 0; i < 40; i++)
        len += (size_t)snprintf(deep + len, sizeof(deep) - len, "d/");
    make_file(at("cache/%sfile", deep), 1, 900 * HOUR);
    make_file(at("cache/tmpdeep/%sfile", deep), 1, 900 * HOUR);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("cache/%s", name)) && !exists(at("cache/-rf")));
    CHECK_INT(result.age.n_files, 3);
    CHECK(exists(at("cache/fifo")) && exists(at("cache/%sfile", deep)));
    CHECK(exists(at("cache/tmpdeep/%sfile", deep))); /* nobody saw what is in it */
    CHECK_INT(result.age.problems.n, 2);
    CHECK_HAS(result.age.problems.text[0], "too many directories in each other");
    tear_down();
}

TEST(unreadable_directories_are_told_and_the_rest_goes_on)
{
    if (geteuid() == 0)
        SKIP("root can read every directory");
    set_up();
    const kk_cleanup_rules rules = rules_of_guide();
    make_file(at("cache/closed/old"), 1, 900 * HOUR);
    make_file(at("cache/old"), 1, 900 * HOUR);
    CHECK_INT(chmod(at("cache/closed"), 0), 0);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_INT(result.age.problems.n, 1);
    CHECK_HAS(result.age.problems.text[0], "closed: Permission denied");
    CHECK(!exists(at("cache/old")));
    CHECK_INT(chmod(at("cache/closed"), 0500), 0);
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK_HAS(result.age.problems.text[0], "closed/old: Permission denied");
    CHECK_INT(chmod(at("cache/closed"), 0700), 0);
    tear_down();
}

TEST(problems_are_text_that_can_be_shown)
{
    static kk_problems problems, more;
    char path[600];
    memset(&problems, 0, sizeof(problems));
    kk_problems_add(&problems, "a\xffz\n\xc2\x9b\xc3\xa9\x7f", "reason");
    CHECK_STR(problems.text[0], "a?z??\xc3\xa9?: reason");
    memset(path, 'x', 599);
    path[599] = '\0';
    kk_problems_add(&problems, path, "reason");
    CHECK_INT(strlen(problems.text[1]), 3 + 150 + 8);
    for (int i = 0; i < 30; i++)
        kk_problems_add(&problems, "p", "q");
    CHECK_INT(problems.n, KK_PROBLEMS_MAX);
    CHECK_INT(problems.n_more, 12);
    memset(&more, 0, sizeof(more));
    kk_problems_add(&more, "p", "q");
    kk_problems_join(&more, &problems);
    CHECK_INT(more.n, KK_PROBLEMS_MAX);
    CHECK_INT(more.n_more, 13);
    kk_problems_add(NULL, "p", "q");
}

/* --- statistics --- */

TEST(statistics_count_by_kind)
{
    set_up();
    make_everything_old();
    make_file(at("cache/audio/a.wav"), 50, 2 * HOUR);
    make_file(at("cache/a/tmp1/tmp2/x"), 7, 3 * HOUR);
    make_file(at("cache/other"), 3, 1 * HOUR);
    kk_cleanup_rules rules = rules_of_guide();
    const kk_cache_current current[] = {{"native", at("cache/native/now.pack"), NULL}};
    rules.current = current;
    rules.n_current = 1;
    kk_cache_statistics *view = kk_calloc(1, sizeof(*view));
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK_STR(view->path, cache);
    CHECK_INT(view->all.n_files, 12);
    CHECK_INT(view->all.bytes, 7070);
    CHECK_INT(view->n_dirs, 10);
    CHECK_INT(view->n_temp_dirs, 2);
    CHECK_INT(view->kinds[KK_KIND_PACKED].bytes, 2000);
    CHECK_INT(view->kinds[KK_KIND_OPTIMISED].n_files, 2);
    CHECK_INT(view->kinds[KK_KIND_OPENVINO].n_files, 2);
    CHECK_INT(view->kinds[KK_KIND_RECORD].n_files, 2);
    CHECK_INT(view->kinds[KK_KIND_AUDIO].bytes, 50);
    CHECK_INT(view->kinds[KK_KIND_TEMPORARY].bytes, 17);
    CHECK_INT(view->kinds[KK_KIND_OTHER].bytes, 3);
    CHECK_INT(view->preserved.n_files, 3);
    CHECK_NEAR(view->oldest_age_s, 950.0 * HOUR, 60.0);
    CHECK_NEAR(view->newest_age_s, 1.0 * HOUR, 60.0);
    CHECK(!view->needs_cleanup);
    rules.max_bytes = 7069;
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK(view->needs_cleanup);
    rules.max_bytes = 7070;
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK(!view->needs_cleanup);
    rules.is_aggressive = true;
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK(view->needs_cleanup);
    CHECK_INT(view->max_bytes, 3535);
    /* Two directories, but the inner goes with the outer: a clean-up has nothing to do. */
    rules = rules_of_guide();
    rules.max_temp_dirs = 1;
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK_INT(view->n_temp_dirs, 2);
    CHECK(!view->needs_cleanup);
    rules.max_temp_dirs = 0;
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK(view->needs_cleanup);
    int fd = open(at("cache/a/tmp1/tmp2/x"), O_RDONLY | O_CLOEXEC);
    CHECK_INT(kk_cache_look(view, &rules, NULL), KOKORO_OK);
    CHECK(!view->needs_cleanup); /* in use, it has to stay */
    (void)close(fd);
    kk_free(view);
    tear_down();
}

TEST(a_directory_that_is_not_there_holds_nothing)
{
    set_up();
    kokoro_error err;
    kk_cleanup_rules rules = rules_of_guide();
    rules.cache_dir = at("absent");
    kk_cache_statistics *view = kk_calloc(1, sizeof(*view));
    CHECK_INT(kk_cache_look(view, &rules, &err), KOKORO_OK);
    CHECK_INT(view->all.n_files, 0);
    CHECK(!view->needs_cleanup);
    CHECK_STR(view->path, at("absent"));
    CHECK_INT(clean(&rules), KOKORO_OK);
    CHECK(!exists(at("absent")));
    make_file(at("file"), 1, 1);
    rules.cache_dir = at("file");
    CHECK_INT(kk_cache_look(view, &rules, &err), KOKORO_IO);
    CHECK_HAS(err.message, "Not a directory");
    CHECK_INT(kk_cleanup_run(&result, &rules, &err), KOKORO_IO);
    kk_free(view);
    tear_down();
}

TEST(every_allocation_may_fail)
{
    int status = KOKORO_NO_MEMORY;
    size_t k = 1;
    kk_cache_statistics *view = kk_calloc(1, sizeof(*view));
    for (; k < 10000 && status != KOKORO_OK; k++) {
        set_up();
        make_everything_old();
        const kk_cleanup_rules rules = rules_of_guide();
        kk_alloc_fail_at(k, 0);
        status = kk_cache_look(view, &rules, NULL);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
        tear_down();
    }
    CHECK_INT(status, KOKORO_OK);
    status = KOKORO_NO_MEMORY;
    for (k = 1; k < 10000 && status != KOKORO_OK; k++) {
        set_up();
        make_everything_old();
        kk_cleanup_rules rules = rules_of_guide();
        rules.patterns = "*.nothing";
        kk_alloc_fail_at(k, 0);
        status = clean(&rules);
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
        CHECK(exists(at("cache/benchmark/record.json")));
        tear_down();
    }
    CHECK_INT(status, KOKORO_OK);
    CHECK(k > 3);
    kk_free(view);
}

TEST_MAIN(T(age_takes_what_is_older_than_a_day), T(temporary_directories_leave_the_newest),
          T(temporary_directories_go_as_a_whole_or_not_at_all),
          T(size_takes_the_oldest_down_to_four_fifths), T(results_have_a_limit_of_their_own),
          T(beside_models_over_the_limit_there_is_room_for_a_fifth),
          T(a_date_of_the_future_does_not_keep_a_file_for_ever),
          T(of_several_precisions_that_in_use_stays),
          T(a_name_that_leads_elsewhere_meanwhile_is_not_followed_twice),
          T(patterns_take_what_they_name), T(what_is_needed_survives_every_policy),
          T(without_word_of_what_is_needed_the_newest_stays),
          T(what_is_open_mapped_or_locked_survives), T(a_lock_of_another_process_is_seen),
          T(a_directory_that_is_only_looked_into_goes),
          T(links_are_removed_themselves_and_never_followed),
          T(a_directory_swapped_for_a_link_is_left_alone),
          T(what_changed_since_it_was_seen_is_left_alone),
          T(directories_that_are_no_cache_are_refused), T(a_second_one_is_told_so),
          T(it_stops_when_asked), T(odd_files_do_no_harm),
          T(unreadable_directories_are_told_and_the_rest_goes_on),
          T(problems_are_text_that_can_be_shown), T(statistics_count_by_kind),
          T(a_directory_that_is_not_there_holds_nothing), T(every_allocation_may_fail))
