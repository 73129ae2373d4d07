/*
 * The benchmark's record between processes: one measures at a time, a killed one holds nothing and
 * leaves the old record or the new one, a use does not write over a measurement.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "record_check.h"

#include "base/file.h"
#include "cache/cache_path.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static void wait_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* A child that takes the lock and says how it went: 'y', or 'n' with the message behind it. */
static pid_t start_holder(int *answers)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        kk_record_lock lock;
        (void)close(ends[0]);
        int status = kk_record_lock_take(&lock, dir, &error);
        const char *answer = status == KOKORO_OK ? "y" : "n";
        if (write(ends[1], answer, 1) == 1 && status != KOKORO_OK)
            (void)!write(ends[1], error.message, strlen(error.message));
        (void)close(ends[1]);
        if (status == KOKORO_OK)
            (void)pause();
        _exit(0);
    }
    (void)close(ends[1]);
    *answers = ends[0];
    return child;
}

static void end_child(pid_t child)
{
    int status;
    (void)kill(child, SIGKILL);
    CHECK_INT(waitpid(child, &status, 0), child);
}

TEST(one_measures_at_a_time)
{
    make_dir();
    CHECK_INT(kk_record_lock_holder(dir), 0);
    int answers;
    char answer[600] = "", number[32];
    pid_t child = start_holder(&answers);
    CHECK_INT(read(answers, answer, 1), 1);
    CHECK_INT(answer[0], 'y');
    kk_record_lock lock;
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_BUSY);
    (void)snprintf(number, sizeof(number), "process %ld", (long)child);
    CHECK_HAS(error.message, number);
    CHECK_INT(lock.fd, -1);
    CHECK_INT(kk_record_lock_holder(dir), child);
    (void)close(answers);
    /* A holder that is killed holds nothing. */
    end_child(child);
    CHECK_INT(kk_record_lock_holder(dir), 0);
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_lock_holder(dir), getpid());
    /* And the other way round; a second take of the same process is refused too. */
    kk_record_lock second;
    CHECK_INT(kk_record_lock_take(&second, dir, &error), KOKORO_BUSY);
    child = start_holder(&answers);
    ssize_t len = read(answers, answer, sizeof(answer) - 1);
    wait_ms(20);
    if (len == 1)
        len += read(answers, answer + 1, sizeof(answer) - 2);
    answer[len > 0 ? len : 0] = '\0';
    (void)snprintf(number, sizeof(number), "process %ld", (long)getpid());
    CHECK_INT(answer[0], 'n');
    CHECK_HAS(answer, number);
    (void)close(answers);
    end_child(child);
    kk_record_lock_give(&lock);
    kk_record_lock_give(&lock);
    CHECK_INT(kk_record_lock_holder(dir), 0);
    /* Somebody removed the file of the lock: the next one makes it anew. */
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_OK);
    kk_record_lock_give(&lock);
    CHECK(unlink(at("benchmark/lock")) == 0);
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_OK);
    CHECK_INT(kk_record_lock_holder(dir), getpid());
    kk_record_lock_give(&lock);
    remove_dir();
}

/* Temporary files of writers that were killed are the one thing they leave. */
static void remove_temporary(void)
{
    DIR *files = opendir(at("benchmark"));
    const struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        char name[300];
        (void)snprintf(name, sizeof(name), "benchmark/%s", entry->d_name);
        if (strstr(name, ".tmp") != NULL)
            (void)unlink(at(name));
    }
    if (files != NULL)
        (void)closedir(files);
}

TEST(killed_while_it_stores)
{
    make_dir();
    kk_record records[2] = {sample(), sample()};
    strcpy(records[1].reason, "the other one");
    records[1].measured_at_s += 1.0;
    records[1].refreshed_at_s += 1.0;
    CHECK_INT(kk_record_store(&records[0], dir, &error), KOKORO_OK);
    srand(7);
    for (int round = 0; round < 40; round++) {
        (void)fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            for (size_t i = 0;; i++) {
                if (kk_record_store(&records[i % 2], dir, &error) != KOKORO_OK)
                    _exit(1);
            }
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = rand() % 6000000}, NULL);
        end_child(child);
        kk_record loaded;
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
        const bool is_other = strcmp(loaded.reason, records[1].reason) == 0;
        check_equal(&loaded, &records[is_other]);
        remove_temporary();
    }
    /* Its lock went with it. */
    CHECK_INT(kk_record_store(&records[0], dir, &error), KOKORO_OK);
    remove_dir();
}

/* A refresh never brings back what was measured before: two processes, one measures, one uses. */
TEST(refresh_beside_a_measurement)
{
    make_dir();
    const kk_validity_rule rule = {KK_MANUALLY, false};
    kk_record record = sample();
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0;; i++)
            (void)kk_record_refresh(dir, &record.fingerprint, &rule, &record.results[i % 2].way,
                                    noon_s, &error);
    }
    int n_old = 0;
    for (int i = 1; i <= 100; i++) {
        kk_record loaded;
        record.measured_at_s = noon_s - (double)(100 - i);
        CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_OK);
        CHECK_INT(kk_record_load(&loaded, dir, &error), KOKORO_OK);
        n_old += loaded.measured_at_s < record.measured_at_s - 0.5;
    }
    end_child(child);
    remove_temporary();
    CHECK_INT(n_old, 0);
    remove_dir();
}

/* A link in the place of a folder leads out of the cache. */
TEST(a_folder_that_is_a_link_is_not_used)
{
    const kk_record record = sample();
    kk_record_lock lock;
    make_dir();
    CHECK_INT(mkdir(at("outside"), 0700), 0);
    CHECK_INT(symlink("outside", at("benchmark")), 0);
    CHECK_INT(kk_record_store(&record, dir, &error), KOKORO_IO);
    CHECK_HAS(error.message, "it is a link");
    CHECK_INT(kk_record_lock_take(&lock, dir, &error), KOKORO_IO);
    CHECK_HAS(error.message, "it is a link");
    const struct timespec old[2] = {{.tv_sec = (time_t)noon_s}, {.tv_sec = (time_t)noon_s}};
    write_file("outside/old.tmp", "", 0);
    CHECK_INT(utimensat(AT_FDCWD, at("outside/old.tmp"), old, 0), 0);
    kk_cache_sweep(at("benchmark/x.pack"));
    CHECK(kk_file_exists(at("outside/old.tmp")));
    kk_cache_sweep(at("outside/x.pack"));
    CHECK_INT(rmdir(at("outside")), 0); /* so it is empty */
    CHECK_INT(unlink(at("benchmark")), 0);
    remove_dir();
}

TEST_MAIN(T(one_measures_at_a_time), T(killed_while_it_stores), T(refresh_beside_a_measurement),
          T(a_folder_that_is_a_link_is_not_used))
