/*
 * data.h - where a test finds the fetched data: KOKORO_HOME, else the user's data directory.
 * Without it a test is skipped, unless KOKORO_REQUIRE_DATA is set: then it fails, so that no run
 * that must be whole can pass by skipping.
 */
#ifndef KK_TESTS_DATA_H
#define KK_TESTS_DATA_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline bool data_path(char *dst, size_t size, const char *name)
{
    const char *home = getenv("KOKORO_HOME");
    const char *xdg = getenv("XDG_DATA_HOME");
    const char *user = getenv("HOME");
    if (home != NULL && home[0] != '\0')
        (void)snprintf(dst, size, "%s/%s", home, name);
    else if (xdg != NULL && xdg[0] != '\0')
        (void)snprintf(dst, size, "%s/kokoro/%s", xdg, name);
    else
        (void)snprintf(dst, size, "%s/.local/share/kokoro/%s", user != NULL ? user : "", name);
    return access(dst, R_OK) == 0;
}

/* Use as: NEED(path, "model/..."); skips or fails the test when the file is not there. */
#define NEED(path, name)                                                                           \
    do {                                                                                           \
        if (!data_path(path, sizeof(path), name)) {                                                \
            CHECK(getenv("KOKORO_REQUIRE_DATA") == NULL);                                          \
            SKIP(path);                                                                            \
        }                                                                                          \
    } while (0)

#endif
