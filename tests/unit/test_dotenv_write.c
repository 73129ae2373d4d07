/*
 * One name of a .env is changed and every other byte stays: the text before and after, modes,
 * links, what is no file, what cannot be written, memory, kills.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "check.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "config/dotenv.h"
#include "config/dotenv_write.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[64], file[128];
static kokoro_error error;

static void make_dir(void)
{
    strcpy(dir, "/tmp/kokoro-dotenv-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(file, sizeof(file), "%s/.env", dir);
}

/* The directory is empty but for .env: nothing temporary is left. */
static void remove_dir(void)
{
    (void)unlink(file);
    CHECK(rmdir(dir) == 0);
}

static void write_text(const char *path, const char *data, size_t len)
{
    FILE *stream = fopen(path, "wb");
    CHECK(stream != NULL && fwrite(data, 1, len, stream) == len);
    if (stream != NULL)
        (void)fclose(stream);
}

static void check_text(const char *path, const char *want, size_t len)
{
    kk_buf text = KK_BUF_INIT;
    CHECK_INT(kk_file_read(&text, path, 1 << 24, &error), KOKORO_OK);
    CHECK_INT(text.len, len);
    if (text.len != len || memcmp(kk_buf_str(&text), want, len) != 0)
        CHECK_STR(kk_buf_str(&text), want);
    kk_buf_fini(&text);
}

static int set(const char *value)
{
    return kk_dotenv_set(file, "FREQ", value, &error);
}

TEST(lines)
{
    static const char *const cases[][2] = {
        {"", "FREQ=daily\n"},
        {"\n", "\nFREQ=daily\n"},
        {"A=1", "A=1\nFREQ=daily\n"},
        {"A=1\n# FREQ=x\n", "A=1\n# FREQ=x\nFREQ=daily\n"},
        {"FREQ=weekly", "FREQ=daily\n"},
        {"FREQ=weekly\nB = 2 \n", "FREQ=daily\nB = 2 \n"},
        {"FREQ=a\nX=1\nFREQ=b\n\n", "X=1\nFREQ=daily\n\n"},
        {"FREQ=a\nexport FREQ=b # why\nY\n", "export FREQ=daily # why\nY\n"},
        {"  export\tFREQ = 'b'\t# why\n", "  export\tFREQ = daily\t# why\n"},
        {"FREQ=\"a \\\" # b\"   #c\n", "FREQ=daily   #c\n"},
        {"FREQ=a#b c # d\n", "FREQ=daily # d\n"},
        {"FREQ=\n", "FREQ=daily\n"},
        {"FREQ=   \n", "FREQ=   daily\n"},
        {"FREQ=# nothing\n", "FREQ=daily # nothing\n"},
        {"FREQ=\"open\nA=1\n", "FREQ=daily\nA=1\n"},
        {"FREQ='a'b\n", "FREQ=daily\n"},
        {"MYFREQ=1\nFREQ2=2\nFREQ\nfreq=3\n", "MYFREQ=1\nFREQ2=2\nFREQ\nfreq=3\nFREQ=daily\n"},
        {"A=1\r\nFREQ=b\r\nC=2\r\n", "A=1\r\nFREQ=daily\r\nC=2\r\n"},
        {"A=1\r\nB=2", "A=1\r\nB=2\r\nFREQ=daily\r\n"},
        {"A=1\r\nB=2\nC=3", "A=1\r\nB=2\nC=3\nFREQ=daily\n"},
        {"A=1\nB=2\r\nC=3", "A=1\nB=2\r\nC=3\r\nFREQ=daily\r\n"},
        {"FREQ=x\nA=1\r\nB=2\nC=3", "FREQ=daily\nA=1\r\nB=2\nC=3\n"},
        {"A=1\r\nFREQ=x\nB=2", "A=1\r\nFREQ=daily\nB=2\n"},
        {"A=1\r\nB=2\r", "A=1\r\nB=2\r\nFREQ=daily\r\n"},
        {"\xef\xbb\xbf"
         "FREQ=b\n",
         "\xef\xbb\xbf"
         "FREQ=daily\n"},
        {"A=\xff\xfe\n\t\nFREQ=b\n", "A=\xff\xfe\n\t\nFREQ=daily\n"},
        {"FREQ=daily\nA=1", "FREQ=daily\nA=1\n"},
    };
    make_dir();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_text(file, cases[i][0], strlen(cases[i][0]));
        CHECK_INT(set("daily"), KOKORO_OK);
        check_text(file, cases[i][1], strlen(cases[i][1]));
        CHECK_INT(set("daily"), KOKORO_OK); /* and again changes nothing */
        check_text(file, cases[i][1], strlen(cases[i][1]));
    }
    static const char nul[] = "A=1\nFREQ=a\0b\nB=2\n",
                      after[] = "A=1\nFREQ=a\0b\nB=2\nFREQ=daily\n";
    write_text(file, nul, sizeof(nul) - 1);
    CHECK_INT(set("daily"), KOKORO_OK);
    check_text(file, after, sizeof(after) - 1);
    remove_dir();
}

static int take(void *user, const kk_dotenv_line *line)
{
    char *value = user;
    CHECK_STR(value, "");
    CHECK(line->problem == NULL);
    (void)snprintf(value, 64, "%s", line->value);
    return 0;
}

TEST(values_that_need_quotes)
{
    static const char *const values[] = {"a b", "a#b", " x ", "", "\"q\"", "$HOME", "a\\nb"};
    make_dir();
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        kk_buf text = KK_BUF_INIT;
        char value[64] = "";
        CHECK_INT(set(values[i]), KOKORO_OK);
        CHECK_INT(kk_file_read(&text, file, 1000, &error), KOKORO_OK);
        if (text.len > 0)
            (void)kk_dotenv_read(text.data, text.len, take, value, NULL);
        CHECK_STR(value, values[i]);
        kk_buf_fini(&text);
    }
    CHECK_INT(set("it's"), KOKORO_INVALID);
    CHECK_INT(set("a\nB=1"), KOKORO_INVALID);
    CHECK_INT(kk_dotenv_set(file, "A B", "x", &error), KOKORO_INVALID);
    CHECK_INT(kk_dotenv_set(file, "", "x", &error), KOKORO_INVALID);
    check_text(file, "FREQ='a\\nb'\n", 12);
    remove_dir();
}

TEST(mode_and_links)
{
    struct stat st;
    char target[160], link_path[160];
    make_dir();
    CHECK_INT(set("daily"), KOKORO_OK);
    CHECK(chmod(file, 0640) == 0);
    CHECK_INT(set("weekly"), KOKORO_OK);
    CHECK(stat(file, &st) == 0 && (st.st_mode & 07777) == 0640);
    if (geteuid() == 0) {
        CHECK(chown(file, 12345, 54321) == 0);
        CHECK_INT(set("daily"), KOKORO_OK);
        CHECK(stat(file, &st) == 0 && st.st_uid == 12345 && st.st_gid == 54321);
        CHECK_INT(st.st_mode & 07777, 0640);
    }
    (void)snprintf(target, sizeof(target), "%s/real", dir);
    (void)snprintf(link_path, sizeof(link_path), "%s/hop", dir);
    CHECK(rename(file, target) == 0 && symlink("real", link_path) == 0 &&
          symlink(link_path, file) == 0);
    CHECK_INT(set("monthly"), KOKORO_OK);
    check_text(target, "FREQ=monthly\n", 13);
    CHECK(lstat(file, &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(lstat(link_path, &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(unlink(target) == 0);
    CHECK_INT(set("daily"), KOKORO_IO);
    CHECK_HAS(error.message, "link");
    CHECK(unlink(link_path) == 0);
    remove_dir();
}

TEST(what_cannot_be_written)
{
    char inside[160];
    make_dir();
    CHECK(mkdir(file, 0700) == 0);
    CHECK_INT(set("daily"), KOKORO_IO);
    CHECK_HAS(error.message, "not a regular file");
    CHECK(rmdir(file) == 0 && mkfifo(file, 0600) == 0);
    CHECK_INT(set("daily"), KOKORO_IO);
    CHECK(unlink(file) == 0);
    (void)snprintf(inside, sizeof(inside), "%s/none/.env", dir);
    CHECK_INT(kk_dotenv_set(inside, "FREQ", "daily", &error), KOKORO_IO);
    char *big = malloc(KK_DOTENV_LIMIT + 1);
    if (big != NULL) {
        memset(big, '#', KK_DOTENV_LIMIT + 1);
        write_text(file, big, KK_DOTENV_LIMIT + 1);
        CHECK_INT(set("daily"), KOKORO_TOO_LONG);
        check_text(file, big, KK_DOTENV_LIMIT + 1);
    }
    free(big);
    if (geteuid() != 0) {
        write_text(file, "A=1\n", 4);
        CHECK(chmod(file, 0400) == 0);
        CHECK_INT(set("daily"), KOKORO_IO);
        CHECK(chmod(file, 0600) == 0 && chmod(dir, 0500) == 0);
        CHECK_INT(set("daily"), KOKORO_IO);
        CHECK(chmod(dir, 0700) == 0);
        check_text(file, "A=1\n", 4);
    }
    remove_dir();
}

/* A disk that is full while the new file is written, played by a limit of the size of files. */
TEST(full_disk)
{
    make_dir();
    write_text(file, "A=1\nB=2\n", 8);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){10, 10});
        _exit(set("daily") == KOKORO_IO ? 0 : 1);
    }
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_text(file, "A=1\nB=2\n", 8);
    remove_dir();
}

TEST(every_allocation_may_fail)
{
    make_dir();
    write_text(file, "A=1\nFREQ=x # y\n", 15);
    size_t n = 0;
    for (int status = KOKORO_NO_MEMORY; status == KOKORO_NO_MEMORY; n++) {
        check_text(file, "A=1\nFREQ=x # y\n", 15);
        kk_alloc_fail_at(n + 1, 0);
        status = set("daily");
        kk_alloc_fail_at(0, 0);
        CHECK(status == KOKORO_OK || status == KOKORO_NO_MEMORY);
    }
    CHECK(n > 5);
    check_text(file, "A=1\nFREQ=daily # y\n", 19);
    remove_dir();
}

TEST(killed_while_it_writes)
{
    make_dir();
    write_text(file, "A=1\nFREQ=daily\n", 15);
    srand(11);
    for (int round = 0; round < 20; round++) {
        (void)fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            for (int i = 0;; i++) {
                if (set(i % 2 == 0 ? "weekly" : "daily") != KOKORO_OK)
                    _exit(1);
            }
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = rand() % 5000000}, NULL);
        int status;
        (void)kill(child, SIGKILL);
        CHECK_INT(waitpid(child, &status, 0), child);
        kk_buf text = KK_BUF_INIT;
        CHECK_INT(kk_file_read(&text, file, 1000, &error), KOKORO_OK);
        CHECK(strcmp(kk_buf_str(&text), "A=1\nFREQ=daily\n") == 0 ||
              strcmp(kk_buf_str(&text), "A=1\nFREQ=weekly\n") == 0);
        kk_buf_fini(&text);
        char command[160]; /* what a killed writer leaves beside it */
        (void)snprintf(command, sizeof(command), "rm -f %s/.env.*.tmp", dir);
        CHECK_INT(system(command), 0);
    }
    remove_dir();
}

TEST_MAIN(T(lines), T(values_that_need_quotes), T(mode_and_links), T(what_cannot_be_written),
          T(full_disk), T(every_allocation_may_fail), T(killed_while_it_writes))
