/*
 * test_judgement.c - when the server benchmarks by itself: once a period, not while a record is
 * valid, never when told not to; and the file of the last attempt, also when the clock moves.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp, utimensat */
#include "cache/attempt.h"
#include "server/benchmark/judgement.h"

#include "check.h"
#include "record_rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const double day_s = 86400.0;
static const double noon_s = 1764000000.0; /* some day */
static const kk_record_view missing = {.state = KK_RECORD_MISSING};

static kk_bench_verdict judged(const kk_bench_facts *facts, double now_s)
{
    kk_bench_facts at = *facts;
    at.now_s = now_s;
    return kk_bench_judge(&at);
}

TEST(once_a_period_also_when_it_failed)
{
    for (size_t i = 0; i < N_RULES; i++) {
        kk_bench_facts facts = {.rule = rules[i].rule, .record = &missing};
        const double period_s = rules[i].days * day_s;
        CHECK(judged(&facts, noon_s).is_due);
        CHECK_NEAR(judged(&facts, noon_s).next_at_s, noon_s, 1e-6);
        facts.tried_at_s = noon_s;
        CHECK(!judged(&facts, noon_s).is_due);
        CHECK(!judged(&facts, noon_s + period_s - 1.0).is_due);
        CHECK_NEAR(judged(&facts, noon_s + 1.0).next_at_s, noon_s + period_s, 1e-3);
        CHECK(judged(&facts, noon_s + period_s).is_due);
        CHECK_NEAR(judged(&facts, noon_s + period_s + 5.0).next_at_s, noon_s + period_s + 5.0,
                   1e-3);
    }
}

TEST(not_while_a_record_is_valid)
{
    const kk_record_view valid = {.state = KK_RECORD_VALID, .expires_at_s = noon_s + day_s};
    const kk_record_view expired = {.state = KK_RECORD_EXPIRED, .expires_at_s = noon_s - day_s};
    const kk_record_view changed = {.state = KK_RECORD_CHANGED, .expires_at_s = noon_s + day_s};
    const kk_record_view damaged = {.state = KK_RECORD_DAMAGED};
    kk_bench_facts facts = {.rule = {KK_WEEKLY, false}, .record = &valid};
    CHECK(!judged(&facts, noon_s).is_due);
    CHECK_NEAR(judged(&facts, noon_s).next_at_s, noon_s + day_s, 1e-3);
    CHECK(judged(&facts, noon_s + day_s).is_due);
    facts.record = &expired;
    CHECK(judged(&facts, noon_s).is_due);
    facts.record = &changed;
    CHECK(judged(&facts, noon_s).is_due);
    facts.record = &damaged;
    CHECK(judged(&facts, noon_s).is_due);
    /* An attempt of this fingerprint holds it back in any of these cases. */
    facts.tried_at_s = noon_s - day_s;
    CHECK(!judged(&facts, noon_s).is_due);
}

TEST(never_when_manually_or_skipped)
{
    for (int is_skipped = 0; is_skipped < 2; is_skipped++) {
        const kk_bench_facts facts = {.rule = {is_skipped ? KK_DAILY : KK_MANUALLY, false},
                                      .record = &missing,
                                      .is_skipped = is_skipped};
        CHECK(!judged(&facts, noon_s).is_due);
        CHECK(!judged(&facts, noon_s + 1000.0 * day_s).is_due);
        CHECK_NEAR(judged(&facts, noon_s).next_at_s, 0.0, 0.0);
    }
}

/* --- the attempt's file --- */

static char dir[64];
static const kk_fingerprint ours = {.hardware = "this", .model = "one"};

static void make_dir(void)
{
    strcpy(dir, "/tmp/kokoro-attempt-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
}

/* The one file of an attempt that is there. */
static const char *attempt(void)
{
    static char path[512];
    const struct dirent *entry;
    (void)snprintf(path, sizeof(path), "%s/" KK_ATTEMPTS, dir);
    DIR *attempts = opendir(path);
    size_t n = 0;
    while (attempts != NULL && (entry = readdir(attempts)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/" KK_ATTEMPTS "/%s", dir, entry->d_name);
        n++;
    }
    if (attempts != NULL)
        (void)closedir(attempts);
    CHECK_INT(n, 1);
    return path;
}

static void remove_dir(void)
{
    static const char *const names[] = {"/" KK_ATTEMPTS, "/benchmark", ""};
    char path[128];
    CHECK_INT(kk_record_clear(dir, NULL), KOKORO_OK); /* attempts too */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", dir, names[i]);
        CHECK(rmdir(path) == 0 || errno == ENOENT);
    }
}

static void date_attempt(double wall_s)
{
    const struct timespec times[2] = {{.tv_sec = (time_t)wall_s}, {.tv_sec = (time_t)wall_s}};
    CHECK_INT(utimensat(AT_FDCWD, attempt(), times, 0), 0);
}

/* Two servers with one cache, of different models: what one tried is nothing to the other, and
 * hides nothing from it. */
TEST(an_attempt_is_of_its_fingerprint)
{
    kk_fingerprint other = ours;
    strcpy(other.model, "two");
    make_dir();
    CHECK_NEAR(kk_attempt_read(dir, &ours, noon_s), 0.0, 0.0);
    CHECK(kk_attempt_note(dir, &ours, noon_s));
    CHECK_NEAR(kk_attempt_read(dir, &ours, noon_s + 5.0), noon_s, 1e-6);
    CHECK_NEAR(kk_attempt_read(dir, &other, noon_s + 5.0), 0.0, 0.0);
    CHECK(kk_attempt_note(dir, &other, noon_s + 60.0));
    CHECK_NEAR(kk_attempt_read(dir, &other, noon_s + 90.0), noon_s + 60.0, 1e-6);
    CHECK_NEAR(kk_attempt_read(dir, &ours, noon_s + 90.0), noon_s, 1e-6);
    kk_attempt_forget(dir, &ours);
    CHECK_NEAR(kk_attempt_read(dir, &ours, noon_s + 90.0), 0.0, 0.0);
    CHECK_NEAR(kk_attempt_read(dir, &other, noon_s + 90.0), noon_s + 60.0, 1e-6);
    CHECK(!kk_attempt_note("/dev/null/nowhere", &ours, noon_s));
    remove_dir();
}

/* Fingerprints come and go: their files do not gather. What no period reaches back to goes, and
 * nothing that is no attempt does. */
TEST(attempts_of_long_ago_go)
{
    kk_fingerprint other = ours;
    char foreign[128];
    strcpy(other.model, "two");
    make_dir();
    CHECK(kk_attempt_note(dir, &ours, noon_s));
    (void)snprintf(foreign, sizeof(foreign), "%s/" KK_ATTEMPTS "/note", dir);
    CHECK_INT(mkdir(foreign, 0700), 0);
    CHECK(kk_attempt_note(dir, &other, noon_s + 60.0 * day_s));
    CHECK_NEAR(kk_attempt_read(dir, &ours, noon_s + 60.0 * day_s), noon_s, 1e-6);
    CHECK(kk_attempt_note(dir, &other, noon_s + 62.0 * day_s));
    CHECK_NEAR(kk_attempt_read(dir, &ours, noon_s + 62.0 * day_s), 0.0, 0.0);
    CHECK_NEAR(kk_attempt_read(dir, &other, noon_s + 62.0 * day_s), noon_s + 62.0 * day_s, 1e-6);
    CHECK_INT(rmdir(foreign), 0);
    remove_dir();
}

/* A link in the place of a directory leads out of the cache: nothing is made, dated or removed
 * behind it. */
TEST(an_attempt_follows_no_link)
{
    char outside[] = "/tmp/kokoro-outside-XXXXXX", kept[128], path[128];
    CHECK(mkdtemp(outside) != NULL);
    make_dir();
    CHECK(kk_attempt_note(dir, &ours, noon_s));
    const char *name = strrchr(attempt(), '/');
    (void)snprintf(kept, sizeof(kept), "%s%s", outside, name);
    CHECK_INT(rename(attempt(), kept), 0);
    (void)snprintf(path, sizeof(path), "%s/" KK_ATTEMPTS, dir);
    CHECK_INT(rmdir(path), 0);
    CHECK_INT(symlink(outside, path), 0);
    CHECK(!kk_attempt_note(dir, &ours, noon_s + 365.0 * day_s));
    CHECK_NEAR(kk_attempt_read(dir, &ours, noon_s), 0.0, 0.0);
    kk_attempt_forget(dir, &ours);
    CHECK_INT(kk_attempts_clear(dir, NULL), KOKORO_OK);
    struct stat st;
    CHECK(stat(kept, &st) == 0 && st.st_mtim.tv_sec == (time_t)noon_s);
    CHECK_INT(unlink(kept), 0);
    CHECK_INT(rmdir(outside), 0);
    CHECK_INT(unlink(path), 0);
    remove_dir();
}

/* The server judges all the time; a date a year ahead must not hold it back for a year. */
TEST(a_clock_that_was_moved_back_ends_the_period_all_the_same)
{
    kk_bench_facts facts = {.rule = {KK_WEEKLY, false}, .record = &missing};
    int n_due = 0;
    make_dir();
    CHECK(kk_attempt_note(dir, &ours, noon_s + 365.0 * day_s));
    for (double hour = 0.0; hour <= 8.0 * 24.0; hour += 1.0) {
        const double now_s = noon_s + 3600.0 * hour;
        facts.tried_at_s = kk_attempt_read(dir, &ours, now_s);
        CHECK_NEAR(facts.tried_at_s, noon_s, 1.0);
        n_due += judged(&facts, now_s).is_due;
    }
    CHECK_INT(n_due, 24 + 1); /* the eighth day's hours */
    /* Clocks are put right by seconds all the time: that changes no file. */
    struct stat st;
    date_attempt(noon_s + 5.0);
    CHECK_NEAR(kk_attempt_read(dir, &ours, noon_s), noon_s, 1e-6);
    CHECK(stat(attempt(), &st) == 0 && st.st_mtim.tv_sec == (time_t)(noon_s + 5.0));
    remove_dir();
}

TEST_MAIN(T(once_a_period_also_when_it_failed), T(not_while_a_record_is_valid),
          T(never_when_manually_or_skipped), T(an_attempt_is_of_its_fingerprint),
          T(attempts_of_long_ago_go), T(an_attempt_follows_no_link),
          T(a_clock_that_was_moved_back_ends_the_period_all_the_same))
