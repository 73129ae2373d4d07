/*
 * advice.c - by what the kernel and container programs tell. Sources: the kernel's
 * Documentation/ABI/testing/sysfs-class-power; systemd's container interface (the variable
 * "container").
 */
#include "bench/advice.h"

#include "base/file.h"
#include "base/str.h"
#include "hardware/cgroup.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_SIZE = 1024 };

/* The first line of a small file is `word`. */
static bool says(const char *dir, const char *name, const char *file, const char *word)
{
    char path[PATH_SIZE];
    kk_buf text = KK_BUF_INIT;
    (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
    (void)kk_file_read(&text, path, 256, NULL);
    const bool is_word =
        kk_slice_equal(kk_slice_trim((kk_slice){kk_buf_str(&text), text.len}), kk_slice_of(word));
    kk_buf_fini(&text);
    return is_word;
}

/* A battery that feeds the machine: not one of a mouse, and no empty bay. */
static bool has_battery(const char *root)
{
    char folder[PATH_SIZE];
    (void)snprintf(folder, sizeof(folder), "%s/sys/class/power_supply", root);
    DIR *supplies = opendir(folder);
    const struct dirent *entry;
    bool is_found = false;
    while (supplies != NULL && !is_found && (entry = readdir(supplies)) != NULL)
        is_found = says(folder, entry->d_name, "type", "Battery") &&
                   !says(folder, entry->d_name, "scope", "Device") &&
                   !says(folder, entry->d_name, "present", "0");
    if (supplies != NULL)
        (void)closedir(supplies);
    return is_found;
}

static bool has_file(const char *root, const char *name)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s%s", root, name);
    return kk_file_exists(path);
}

/* The files that Docker and Podman leave, the variable of systemd-nspawn and others, or limits. */
static bool is_container(const char *root)
{
    return has_file(root, "/.dockerenv") || has_file(root, "/run/.containerenv") ||
           getenv("container") != NULL || kk_cgroup_cpu_quota(root) > 0.0 ||
           kk_cgroup_memory_limit(root) > 0;
}

enum kk_frequency kk_frequency_advise(bool in_development, const char *root, char *why, size_t size)
{
    if (in_development) {
        (void)snprintf(why, size, "development mode is on, so that things change often");
        return KK_DAILY;
    }
    if (has_battery(root)) {
        (void)snprintf(why, size, "this machine has a battery");
        return KK_MONTHLY;
    }
    if (is_container(root)) {
        (void)snprintf(
            why, size,
            "this is a container or a limited service, which changes with its image only");
        return KK_MONTHLY;
    }
    (void)snprintf(why, size, "this machine runs on mains power and nothing speaks for another");
    return KK_WEEKLY;
}
