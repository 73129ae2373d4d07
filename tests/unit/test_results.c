/*
 * test_results.c - the cache of results: what is kept and what goes first, in memory and on disk,
 * with several threads and processes, without memory, with a full disk and with files that others
 * left in the directory.
 */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/file.h"
#include "cache/results.h"
#include "cache/results_disk.h"
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KB = 1024, MB = 1 << 20 };

static kk_slice key_of(int number)
{
    static _Thread_local char all[8][64];
    static _Thread_local unsigned turn;
    char *out = all[turn++ % 8];
    (void)snprintf(out, sizeof(all[0]), "key %d", number);
    return kk_slice_of(out);
}

/* An answer of so many bytes that its number tells. */
static kk_result *make(int number, size_t len)
{
    kk_slice key = key_of(number);
    kk_result *result = kk_result_make_room(key.len, len);
    if (result == NULL)
        return NULL;
    memcpy(result + 1, key.data, key.len);
    memset((char *)(result + 1) + key.len, 'a' + number % 26, len);
    result->audio_s = number;
    return result;
}

static bool put(kk_results *results, int number, size_t len)
{
    kk_result *result = make(number, len);
    bool is_kept = result != NULL && kk_results_put(results, result);
    kk_result_release(result);
    return is_kept;
}

static bool is_right(const kk_result *result, int number, size_t len)
{
    if (result == NULL || result->data.len != len || result->audio_s != number)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (result->data.data[i] != 'a' + number % 26)
            return false;
    }
    return true;
}

static bool has(kk_results *results, int number, size_t len)
{
    kk_result *result = kk_results_get(results, key_of(number));
    bool is = is_right(result, number, len);
    kk_result_release(result);
    return is;
}

/* --- in memory --- */

TEST(the_least_recently_used_goes_first)
{
    kk_results *results;
    kk_results_view view;
    CHECK_INT(kk_results_create(&results, 11 * KB, NULL), 0);
    for (int i = 0; i < 5; i++)
        CHECK(put(results, i, 2 * KB));
    CHECK(has(results, 0, 2 * KB)); /* and is the newest now */
    CHECK(put(results, 5, 2 * KB));
    CHECK(!has(results, 1, 2 * KB));
    CHECK(has(results, 0, 2 * KB));
    CHECK(has(results, 2, 2 * KB));
    CHECK(has(results, 5, 2 * KB));
    kk_results_read(results, &view);
    CHECK_INT(view.n_entries, 5);
    CHECK_INT(view.n_stored, 6);
    CHECK_INT(view.n_evicted, 1);
    CHECK(view.bytes > 10 * KB && view.bytes <= 11 * KB);
    kk_results_destroy(&results);
    CHECK(results == NULL);
}

TEST(what_takes_more_than_a_quarter_is_not_kept)
{
    kk_results *results;
    kk_results_view view;
    CHECK_INT(kk_results_create(&results, 100 * KB, NULL), 0);
    CHECK(put(results, 1, 24 * KB));
    CHECK(!put(results, 2, 26 * KB));
    CHECK(has(results, 1, 24 * KB));
    CHECK(!has(results, 2, 26 * KB));
    kk_results_read(results, &view);
    CHECK_INT(view.n_evicted, 0);
    kk_results_destroy(&results);
}

TEST(a_key_has_one_answer_the_last)
{
    kk_results *results;
    kk_results_view view;
    CHECK_INT(kk_results_create(&results, MB, NULL), 0);
    CHECK(put(results, 1, 100));
    kk_result *before = kk_results_get(results, key_of(1));
    CHECK(put(results, 1, 200));
    CHECK(has(results, 1, 200));
    CHECK(is_right(before, 1, 100)); /* whoever holds it keeps it */
    kk_result_release(before);
    kk_results_read(results, &view);
    CHECK_INT(view.n_entries, 1);
    kk_results_destroy(&results);
}

TEST(budgets_change_and_nothing_is_kept_without_one)
{
    kk_results *results;
    kk_results_view view;
    CHECK_INT(kk_results_create(&results, MB, NULL), 0);
    for (int i = 0; i < 10; i++)
        CHECK(put(results, i, 10 * KB));
    kk_results_set_limit(results, 50 * KB);
    kk_results_read(results, &view);
    CHECK(view.bytes <= 50 * KB);
    CHECK_INT(view.n_entries, 4);
    CHECK(has(results, 9, 10 * KB));
    CHECK(!has(results, 0, 10 * KB));
    kk_results_set_limit(results, 0);
    kk_results_read(results, &view);
    CHECK_INT(view.n_entries, 0);
    CHECK_INT(view.bytes, 0);
    CHECK(!put(results, 1, 1));
    kk_results_destroy(&results);
}

TEST(trimming_takes_the_unused)
{
    kk_results *results;
    CHECK_INT(kk_results_create(&results, MB, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK(put(results, i, KB));
    CHECK_INT(kk_results_trim(results, 3600.0), 0);
    CHECK(has(results, 0, KB));
    CHECK(kk_results_trim(results, 0.0) > 4 * KB);
    CHECK(!has(results, 0, KB));
    kk_results_destroy(&results);
}

TEST(thousands_are_found_again)
{
    enum { N = 5000 };
    kk_results *results;
    int n_found = 0;
    CHECK_INT(kk_results_create(&results, 100 * MB, NULL), 0);
    for (int i = 0; i < N; i++)
        CHECK(put(results, i, 16));
    for (int i = 0; i < N; i++)
        n_found += has(results, i, 16);
    CHECK_INT(n_found, N);
    kk_results_destroy(&results);
}

/* Empty keys and answers, bytes of all kinds. */
TEST(keys_are_compared_whole)
{
    kk_results *results;
    const kk_slice keys[] = {KK_SLICE(""), KK_SLICE("a"), KK_SLICE("a\0"), KK_SLICE("a\0b"),
                             KK_SLICE("\xff\xfe")};
    const size_t n = sizeof(keys) / sizeof(keys[0]);
    CHECK_INT(kk_results_create(&results, MB, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        kk_result *result = kk_result_make(keys[i], (kk_slice){"xyz", i > 3 ? 3 : i}, (double)i);
        CHECK(kk_results_put(results, result));
        kk_result_release(result);
    }
    for (size_t i = 0; i < n; i++) {
        kk_result *result = kk_results_get(results, keys[i]);
        CHECK(result != NULL && result->audio_s == (double)i);
        kk_result_release(result);
    }
    kk_results_destroy(&results);
}

/* --- several threads --- */

typedef struct worker {
    kk_results *results;
    int seed;
    size_t n_hits, n_wrong;
} worker;

static void *use_much(void *user)
{
    worker *w = user;
    unsigned state = (unsigned)w->seed;
    for (int i = 0; i < 4000; i++) {
        state = state * 1664525U + 1013904223U;
        int number = (int)(state >> 16) % 40;
        size_t len = (size_t)(number + 1) * 50;
        if (state % 3 == 0) {
            (void)put(w->results, number, len);
        } else {
            kk_result *result = kk_results_get(w->results, key_of(number));
            w->n_hits += result != NULL;
            w->n_wrong += result != NULL && !is_right(result, number, len);
            kk_result_release(result);
        }
        if (i % 500 == 0)
            kk_results_set_limit(w->results, (uint64_t)(i % 1000 == 0 ? 20 : 30) * KB);
        if (i % 700 == 0)
            (void)kk_results_trim(w->results, 0.0);
    }
    return NULL;
}

TEST(many_threads_get_whole_answers)
{
    enum { N = 8 };
    pthread_t threads[N];
    worker workers[N];
    kk_results *results;
    size_t n_hits = 0, n_wrong = 0;
    CHECK_INT(kk_results_create(&results, 30 * KB, NULL), 0);
    for (int i = 0; i < N; i++) {
        workers[i] = (worker){results, i, 0, 0};
        CHECK_INT(pthread_create(&threads[i], NULL, use_much, &workers[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        (void)pthread_join(threads[i], NULL);
        n_hits += workers[i].n_hits;
        n_wrong += workers[i].n_wrong;
    }
    CHECK(n_hits > 0);
    CHECK_INT(n_wrong, 0);
    kk_results_destroy(&results);
}

/* --- on disk --- */

static char top[PATH_MAX], cache[PATH_MAX + 8], folder[PATH_MAX + 16];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

static void set_up(void)
{
    (void)snprintf(top, sizeof(top), "/tmp/kokoro-results-XXXXXX");
    if (mkdtemp(top) == NULL)
        CHECK(!"a directory for the test");
    (void)snprintf(cache, sizeof(cache), "%s/cache", top);
    (void)snprintf(folder, sizeof(folder), "%s/audio", cache);
}

static void tear_down(void)
{
    (void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int store(kk_results_disk *disk, int number, size_t len, kokoro_error *err)
{
    kk_result *result = make(number, len);
    int status = kk_results_disk_put(disk, result, err);
    kk_result_release(result);
    return status;
}

static bool loads(kk_results_disk *disk, int number, size_t len)
{
    kk_result *result = kk_results_disk_get(disk, key_of(number));
    bool is = is_right(result, number, len);
    kk_result_release(result);
    return is;
}

/* The only file in the folder; the number of files. */
static int only_file(char path[2 * PATH_MAX])
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int n = 0;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, 2 * PATH_MAX, "%s/%s", folder, entry->d_name);
        n++;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return n;
}

/* So many seconds ago. */
static void set_age(const char *path, long age_s)
{
    struct timespec times[2];
    (void)clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age_s;
    times[1] = times[0];
    CHECK_INT(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

TEST(disk_keeps_for_the_next_program)
{
    set_up();
    kk_results_disk *disk;
    kk_results_disk_view view;
    struct stat st;
    char path[2 * PATH_MAX];
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, NULL), 0);
    CHECK(!kk_results_disk_may_have(disk, key_of(1)));
    CHECK(!loads(disk, 1, 1000));
    CHECK_INT(store(disk, 1, 1000, NULL), 0);
    CHECK(kk_results_disk_may_have(disk, key_of(1)));
    CHECK(loads(disk, 1, 1000));
    CHECK_INT(only_file(path), 1);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_INT(stat(folder, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0700);
    kk_results_disk_close(&disk);
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, NULL), 0);
    CHECK(loads(disk, 1, 1000));
    kk_results_disk_read(disk, &view);
    CHECK_INT(view.n_entries, 1);
    CHECK(view.bytes > 1000 && view.bytes < 1200);
    CHECK_INT(view.n_hits, 1);
    kk_results_disk_close(&disk);
    tear_down();
}

TEST(disk_removes_the_longest_unused)
{
    set_up();
    kk_results_disk *disk;
    kk_results_disk_view view;
    char path[2 * PATH_MAX];
    CHECK_INT(kk_results_disk_open(&disk, cache, 10 * KB, NULL), 0);
    CHECK_INT(store(disk, 0, 2 * KB, NULL), 0);
    CHECK_INT(only_file(path), 1);
    CHECK_INT(store(disk, 1, 2 * KB, NULL), 0);
    set_age(path, 1000);
    CHECK(loads(disk, 0, 2 * KB)); /* used, and so the newest */
    DIR *dir = opendir(folder);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        char other[2 * PATH_MAX];
        (void)snprintf(other, sizeof(other), "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.' && strcmp(other, path) != 0)
            set_age(other, 500);
    }
    (void)closedir(dir);
    for (int i = 2; i < 5; i++)
        CHECK_INT(store(disk, i, 2 * KB, NULL), 0);
    CHECK(!loads(disk, 1, 2 * KB));
    CHECK(loads(disk, 0, 2 * KB));
    CHECK(loads(disk, 4, 2 * KB));
    kk_results_disk_read(disk, &view);
    CHECK_INT(view.n_entries, 4);
    CHECK_INT(view.n_evicted, 1);
    CHECK(view.bytes <= 10 * KB);
    /* A smaller budget holds from the next look at all. */
    kk_results_disk_set_limit(disk, 5 * KB);
    CHECK_INT(kk_results_disk_trim(disk, NULL), 0);
    kk_results_disk_read(disk, &view);
    CHECK_INT(view.n_entries, 2);
    /* More than a quarter of it is not kept, and is no error. */
    CHECK_INT(store(disk, 9, 3 * KB, NULL), 0);
    CHECK(!loads(disk, 9, 3 * KB));
    kk_results_disk_close(&disk);
    tear_down();
}

/* Every byte of the file in turn is another, and every shorter file: never a wrong answer, and the
 * file is gone. */
TEST(damaged_files_are_removed)
{
    set_up();
    kk_results_disk *disk;
    char path[2 * PATH_MAX], bytes[512], none[2 * PATH_MAX];
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, NULL), 0);
    CHECK_INT(store(disk, 1, 64, NULL), 0);
    CHECK_INT(only_file(path), 1);
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, bytes, sizeof(bytes));
    (void)close(fd);
    CHECK(len > 64 && len < (ssize_t)sizeof(bytes));
    for (ssize_t i = 0; i < 2 * len; i++) {
        const size_t n = (size_t)(i < len ? len : i - len);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (i < len)
            bytes[i] ^= 0x40;
        CHECK_INT(kk_write_all(fd, bytes, n), 0);
        if (i < len)
            bytes[i] ^= 0x40;
        (void)close(fd);
        kk_result *result = kk_results_disk_get(disk, key_of(1));
        CHECK(result == NULL);
        kk_result_release(result);
        CHECK_INT(only_file(none), 0);
    }
    /* Longer than it says. */
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK_INT(kk_write_all(fd, bytes, (size_t)len), 0);
    CHECK_INT(kk_write_all(fd, "x", 1), 0);
    (void)close(fd);
    CHECK(!loads(disk, 1, 64));
    kk_results_disk_view view;
    kk_results_disk_read(disk, &view);
    CHECK_INT(view.n_damaged, 2 * len + 1);
    kk_results_disk_close(&disk);
    tear_down();
}

/* A whole file of another key under this name, as after a collision: left alone, and no hit. */
TEST(another_keys_answer_is_no_hit)
{
    set_up();
    kk_results_disk *disk;
    char first[2 * PATH_MAX], second[2 * PATH_MAX];
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, NULL), 0);
    CHECK_INT(store(disk, 1, 64, NULL), 0);
    CHECK_INT(only_file(first), 1);
    (void)snprintf(second, sizeof(second), "%s/kept", top);
    CHECK_INT(rename(first, second), 0);
    CHECK_INT(store(disk, 2, 64, NULL), 0);
    char other[2 * PATH_MAX];
    CHECK_INT(only_file(other), 1);
    CHECK_INT(rename(other, first), 0);
    CHECK(!loads(disk, 1, 64));
    CHECK_INT(only_file(other), 1);
    kk_results_disk_close(&disk);
    tear_down();
}

static void write_file(const char *path, const char *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(kk_write_all(fd, bytes, strlen(bytes)), 0);
    (void)close(fd);
}

TEST(links_are_not_followed)
{
    set_up();
    kk_results_disk *disk = NULL;
    kokoro_error err;
    char path[2 * PATH_MAX], outside[2 * PATH_MAX];
    (void)snprintf(outside, sizeof(outside), "%s/outside", top);
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, NULL), 0);
    CHECK_INT(store(disk, 1, 64, NULL), 0);
    CHECK_INT(only_file(path), 1);
    /* A link to a whole answer outside: no hit; the link goes, its target stays. */
    CHECK_INT(rename(path, outside), 0);
    CHECK_INT(symlink(outside, path), 0);
    CHECK(!loads(disk, 1, 64));
    CHECK(kk_file_exists(outside));
    char none[2 * PATH_MAX];
    CHECK_INT(only_file(none), 0);
    /* What is written replaces a link, and does not go through it. */
    write_file(outside, "precious");
    CHECK_INT(symlink(outside, path), 0);
    CHECK_INT(store(disk, 1, 64, NULL), 0);
    CHECK(loads(disk, 1, 64));
    kk_buf kept = KK_BUF_INIT;
    CHECK_INT(kk_file_read(&kept, outside, 100, NULL), 0);
    CHECK_STR(kk_buf_str(&kept), "precious");
    kk_buf_fini(&kept);
    kk_results_disk_close(&disk);
    /* The folder itself is a link. */
    CHECK_INT(unlink(path), 0);
    CHECK_INT(rmdir(folder), 0);
    (void)snprintf(outside, sizeof(outside), "%s/elsewhere", top);
    CHECK_INT(mkdir(outside, 0700), 0);
    CHECK_INT(symlink(outside, folder), 0);
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, &err), KOKORO_IO);
    CHECK(disk == NULL);
    CHECK_HAS(err.message, "audio");
    tear_down();
}

TEST(a_folder_that_others_may_write_to_is_refused)
{
    set_up();
    kk_results_disk *disk = NULL;
    kokoro_error err;
    CHECK_INT(kk_make_dirs(folder, NULL), 0);
    CHECK_INT(chmod(folder, 0777), 0);
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, &err), KOKORO_IO);
    CHECK_HAS(err.message, "0700");
    CHECK_INT(chmod(folder, 0700), 0);
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, &err), 0);
    /* Or while it is used. */
    CHECK_INT(store(disk, 1, 64, NULL), 0);
    CHECK_INT(chmod(folder, 0772), 0);
    CHECK(!loads(disk, 1, 64));
    CHECK_INT(store(disk, 2, 64, &err), KOKORO_IO);
    kk_results_disk_close(&disk);
    tear_down();
}

TEST(foreign_files_stay_and_abandoned_ones_go)
{
    set_up();
    kk_results_disk *disk;
    char path[2 * PATH_MAX];
    static const struct {
        const char *name;
        long age_s;
        bool stays;
    } files[] = {{"notes.txt", 10000, true},
                 {"0123456789abcdef.result.x", 10000, true},
                 {"0123456789abcde.result", 10000, true},
                 {"0123456789ABCDEF.result", 10000, true},
                 {"other.tmp", 10000, true},
                 {"0123456789abcdef.result.77.0.tmp", 10, true},
                 {"0123456789abcdef.result.77.1.tmp", 10000, false}};
    const size_t n = sizeof(files) / sizeof(files[0]);
    CHECK_INT(kk_make_dirs(folder, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        write_file(path, "a file that is larger than all of the budget that there is here");
        set_age(path, files[i].age_s);
    }
    CHECK_INT(kk_results_disk_open(&disk, cache, 16, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        if (kk_file_exists(path) != files[i].stays)
            CHECK_STR(files[i].name, files[i].stays ? "(stays)" : "(goes)");
        check_count++;
    }
    kk_results_disk_close(&disk);
    tear_down();
}

/* What is under the name is no file at all. */
TEST(pipes_and_directories_are_no_answers)
{
    set_up();
    kk_results_disk *disk;
    char path[2 * PATH_MAX];
    kokoro_error err;
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, NULL), 0);
    CHECK_INT(store(disk, 1, 64, NULL), 0);
    CHECK_INT(only_file(path), 1);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK(!loads(disk, 1, 64)); /* and does not wait for a writer */
    CHECK_INT(unlink(path), 0);
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK(!loads(disk, 1, 64));
    CHECK_INT(store(disk, 1, 64, &err), KOKORO_IO);
    char other[2 * PATH_MAX];
    CHECK_INT(only_file(other), 1); /* no temporary file stays behind */
    kk_results_disk_close(&disk);
    tear_down();
}

/* A file may not grow over a limit, as on a full disk: an error, no half file, no hit. */
TEST(a_full_disk_is_an_error_and_leaves_nothing)
{
    set_up();
    kk_results_disk *disk;
    char path[2 * PATH_MAX];
    kokoro_error err = {.status = 0};
    struct rlimit before, limit;
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, NULL), 0);
    CHECK_INT(store(disk, 1, 500, NULL), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 4 * KB;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_INT(store(disk, 2, 20 * KB, &err), KOKORO_IO);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    CHECK_HAS(err.message, "cannot write");
    CHECK(!loads(disk, 2, 20 * KB));
    CHECK(loads(disk, 1, 500));
    CHECK_INT(only_file(path), 1);
    kk_results_disk_view view;
    kk_results_disk_read(disk, &view);
    CHECK_INT(view.n_failed, 1);
    CHECK_INT(store(disk, 2, 20 * KB, NULL), 0);
    CHECK(loads(disk, 2, 20 * KB));
    kk_results_disk_close(&disk);
    tear_down();
}

/* Two processes write and read the same keys; then all that is there is whole. */
TEST(two_processes_share_a_directory)
{
    enum { N = 2, KEYS = 12, ROUNDS = 200 };
    set_up();
    pid_t children[N];
    for (int c = 0; c < N; c++) {
        children[c] = fork();
        if (children[c] != 0)
            continue;
        kk_results_disk *disk;
        int n_wrong = kk_results_disk_open(&disk, cache, 20 * KB, NULL) != 0;
        for (int i = 0; n_wrong == 0 && i < ROUNDS; i++) {
            int number = (i * 7 + c * 5) % KEYS;
            n_wrong += store(disk, number, 3 * KB, NULL) != 0;
            kk_result *result = kk_results_disk_get(disk, key_of((number + 3) % KEYS));
            n_wrong += result != NULL && !is_right(result, (number + 3) % KEYS, 3 * KB);
            kk_result_release(result);
        }
        kk_results_disk_view view;
        kk_results_disk_read(disk, &view);
        n_wrong += view.n_damaged > 0;
        _exit(n_wrong > 0);
    }
    for (int c = 0; c < N; c++) {
        int status = -1;
        CHECK(waitpid(children[c], &status, 0) == children[c]);
        CHECK_INT(status, 0);
    }
    kk_results_disk *disk;
    kk_results_disk_view view;
    CHECK_INT(kk_results_disk_open(&disk, cache, 20 * KB, NULL), 0);
    kk_results_disk_read(disk, &view);
    CHECK(view.n_entries > 0);
    CHECK(view.bytes <= 20 * KB);
    kk_results_disk_close(&disk);
    tear_down();
}

TEST(the_directory_may_vanish)
{
    set_up();
    kk_results_disk *disk;
    CHECK_INT(kk_results_disk_open(&disk, cache, MB, NULL), 0);
    CHECK_INT(store(disk, 1, 64, NULL), 0);
    (void)nftw(cache, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    CHECK(!loads(disk, 1, 64));
    CHECK_INT(store(disk, 1, 64, NULL), 0);
    CHECK(loads(disk, 1, 64));
    kk_results_disk_close(&disk);
    tear_down();
}

/* --- without memory --- */

/* All of it once; whether everything went well. */
static bool use_all(void)
{
    kk_results *results = NULL;
    kk_results_disk *disk = NULL;
    kokoro_error err = {.status = KOKORO_OK};
    bool is_well = true;
    int status = kk_results_create(&results, MB, &err);
    is_well = status == KOKORO_OK && results != NULL;
    CHECK(status == KOKORO_OK || (status == KOKORO_NO_MEMORY && results == NULL));
    for (int i = 0; is_well && i < 300; i++) /* the table grows */
        is_well = put(results, i, 16);
    status = is_well ? kk_results_disk_open(&disk, cache, MB, &err) : KOKORO_OK;
    CHECK(status == KOKORO_OK || (status == KOKORO_NO_MEMORY && disk == NULL));
    is_well = is_well && status == KOKORO_OK;
    kk_result *result = is_well ? make(1, 64) : NULL;
    is_well = is_well && result != NULL && kk_results_disk_put(disk, result, &err) == KOKORO_OK &&
              loads(disk, 1, 64) && kk_results_disk_trim(disk, &err) == KOKORO_OK;
    kk_result_release(result);
    kk_results_disk_close(&disk);
    kk_results_destroy(&results);
    return is_well;
}

TEST(every_allocation_may_fail)
{
    set_up();
    bool is_well = false;
    size_t k = 0;
    while (!is_well && k < 5000) {
        kk_alloc_fail_at(++k, 0);
        is_well = use_all();
        /* Growing the table failed: that is no failure of what is kept. */
        is_well = is_well && kk_alloc_count() < k;
        kk_alloc_fail_at(0, 0);
    }
    CHECK(is_well);
    CHECK(k > 600);
    char path[2 * PATH_MAX];
    CHECK_INT(only_file(path), 1); /* whole, and nothing half written */
    tear_down();
}

TEST_MAIN(T(the_least_recently_used_goes_first), T(what_takes_more_than_a_quarter_is_not_kept),
          T(a_key_has_one_answer_the_last), T(budgets_change_and_nothing_is_kept_without_one),
          T(trimming_takes_the_unused), T(thousands_are_found_again), T(keys_are_compared_whole),
          T(many_threads_get_whole_answers), T(disk_keeps_for_the_next_program),
          T(disk_removes_the_longest_unused), T(damaged_files_are_removed),
          T(another_keys_answer_is_no_hit), T(links_are_not_followed),
          T(a_folder_that_others_may_write_to_is_refused),
          T(foreign_files_stay_and_abandoned_ones_go), T(pipes_and_directories_are_no_answers),
          T(a_full_disk_is_an_error_and_leaves_nothing), T(two_processes_share_a_directory),
          T(the_directory_may_vanish), T(every_allocation_may_fail))
