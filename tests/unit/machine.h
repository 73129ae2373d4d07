/*
 * machine.h - a made-up machine for tests: files as /proc and /sys have them, below a root.
 */
#ifndef KK_TESTS_MACHINE_H
#define KK_TESTS_MACHINE_H

#include "check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The file root + path with that text, and the directories above it. */
static inline void machine_put(const char *root, const char *path, const char *text)
{
    char full[512];
    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        (void)mkdir(full, 0700);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    CHECK(file != NULL && fputs(text, file) >= 0);
    (void)fclose(file);
}

#endif
