/*
 * check.h - the whole test harness.
 *
 *     TEST(buf_grows)
 *     {
 *         CHECK_INT(buf.len, 3);
 *     }
 *     TEST_MAIN(T(buf_grows), T(buf_fails))
 *
 * A failed check prints the place and both values, and the test goes on; the program's status is 1.
 * An argument picks the tests whose names contain it.
 */
#ifndef KK_TESTS_CHECK_H
#define KK_TESTS_CHECK_H

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef struct check_test {
    const char *name;
    void (*run)(void);
} check_test;

/* Also counted by threads that a test starts. */
static atomic_int check_failures, check_count;
static int check_skips;

/* Leave a test whose means are missing; a program that ran nothing else ends with 77, which ctest
 * shows as skipped. */
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        check_skips++;                                                                             \
        printf("skip: %s\n", reason);                                                              \
        return;                                                                                    \
    } while (0)

#define TEST(name) static void test_##name(void)
#define T(name)                                                                                    \
    {                                                                                              \
#name, test_##name                                                                         \
    }

#define CHECK_FAIL_(...)                                                                           \
    ((void)check_failures++, printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), puts(""))

#define CHECK(condition)                                                                           \
    ((void)check_count++, (condition) ? (void)0 : (void)CHECK_FAIL_("failed: %s", #condition))
#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        long long check_got = (long long)(got), check_want = (long long)(want);                    \
        (void)check_count++;                                                                       \
        if (check_got != check_want)                                                               \
            CHECK_FAIL_("%s is %lld, not %lld", #got, check_got, check_want);                      \
    } while (0)
#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        const char *check_got = (got), *check_want = (want);                                       \
        (void)check_count++;                                                                       \
        if (check_got == NULL || strcmp(check_got, check_want) != 0)                               \
            CHECK_FAIL_("%s is \"%s\", not \"%s\"", #got, check_got ? check_got : "(null)",        \
                        check_want);                                                               \
    } while (0)
/* The text `got` holds `want` somewhere. */
#define CHECK_HAS(got, want)                                                                       \
    do {                                                                                           \
        const char *check_got = (got), *check_want = (want);                                       \
        (void)check_count++;                                                                       \
        if (check_got == NULL || strstr(check_got, check_want) == NULL)                            \
            CHECK_FAIL_("%s is \"%s\", without \"%s\"", #got, check_got ? check_got : "(null)",    \
                        check_want);                                                               \
    } while (0)
#define CHECK_NEAR(got, want, tolerance)                                                           \
    do {                                                                                           \
        double check_got = (double)(got), check_want = (double)(want);                             \
        (void)check_count++;                                                                       \
        if (!(fabs(check_got - check_want) <= (tolerance)))                                        \
            CHECK_FAIL_("%s is %.9g, not %.9g", #got, check_got, check_want);                      \
    } while (0)

#define TEST_MAIN(...)                                                                             \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const check_test tests[] = {__VA_ARGS__};                                           \
        int n_run = 0;                                                                             \
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {                            \
            if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL)                                \
                continue;                                                                          \
            int before = check_failures;                                                           \
            tests[i].run();                                                                        \
            n_run++;                                                                               \
            printf("%s %s\n", check_failures == before ? "ok  " : "FAIL", tests[i].name);          \
        }                                                                                          \
        printf("%d tests, %d checks, %d failed\n", n_run, check_count, check_failures);            \
        if (check_failures == 0 && check_skips > 0 && check_skips == n_run)                        \
            return 77;                                                                             \
        return check_failures > 0 || n_run == 0 || check_count == 0;                               \
    }

#endif
