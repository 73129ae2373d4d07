/*
 * cgroup.c - version 2 (/sys/fs/cgroup/<group>/cpu.max, memory.max), and version 1 with its
 * controllers' own trees. Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/.
 */
#include "hardware/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 1024 };

static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool is_read = fgets(line, size, file) != NULL;
    (void)fclose(file);
    return is_read;
}

/* This process's group in the hierarchy of `controller` ("" is version 2):
 * "/system.slice/x.service". */
static bool find_group(const char *root, const char *controller, char *group, size_t size)
{
    char path[PATH_SIZE], line[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        char *names = strchr(line, ':');
        char *name = names != NULL ? strchr(names + 1, ':') : NULL;
        if (name == NULL)
            continue;
        *name++ = '\0';
        names++;
        name[strcspn(name, "\n")] = '\0';
        if (*controller == '\0') {
            found = *names == '\0';
        } else {
            for (char *word = strtok(names, ","); word != NULL && !found; word = strtok(NULL, ","))
                found = strcmp(word, controller) == 0;
        }
        if (found)
            (void)snprintf(group, size, "%s", name);
    }
    if (file != NULL)
        (void)fclose(file);
    return found;
}

typedef double limit_fn(const char *dir); /* of one group; 0: none */

static double quota_v2(const char *dir)
{
    char path[PATH_SIZE], line[128];
    (void)snprintf(path, sizeof(path), "%s/cpu.max", dir);
    double quota = 0.0, period = 0.0;
    if (!read_line(path, line, sizeof(line)) || sscanf(line, "%lf %lf", &quota, &period) != 2 ||
        period <= 0.0)
        return 0.0;
    return quota / period;
}

static double quota_v1(const char *dir)
{
    char path[PATH_SIZE], line[128];
    (void)snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
    double quota = read_line(path, line, sizeof(line)) ? atof(line) : 0.0;
    (void)snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
    double period = read_line(path, line, sizeof(line)) ? atof(line) : 0.0;
    return quota > 0.0 && period > 0.0 ? quota / period : 0.0;
}

static double memory_v2(const char *dir)
{
    char path[PATH_SIZE], line[128];
    (void)snprintf(path, sizeof(path), "%s/memory.max", dir);
    return read_line(path, line, sizeof(line)) ? atof(line) : 0.0; /* "max" reads as 0 */
}

static double memory_v1(const char *dir)
{
    char path[PATH_SIZE], line[128];
    (void)snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", dir);
    double limit = read_line(path, line, sizeof(line)) ? atof(line) : 0.0;
    return limit < 1e18 ? limit : 0.0; /* the kernel writes about 2^63 for no limit */
}

/* The smallest limit on the way from `group` up to the root of the hierarchy mounted at `mount`. */
static double smallest(const char *mount, const char *group, limit_fn *limit)
{
    char dir[PATH_SIZE];
    int len = snprintf(dir, sizeof(dir), "%s%s", mount, group);
    if (len < 0 || len >= PATH_SIZE)
        return 0.0;
    double best = 0.0;
    size_t mount_len = strlen(mount);
    for (;;) {
        double here = limit(dir);
        if (here > 0.0 && (best <= 0.0 || here < best))
            best = here;
        char *slash = strrchr(dir, '/');
        if (slash == NULL || (size_t)(slash - dir) < mount_len)
            return best;
        *slash = '\0';
    }
}

static double find_limit(const char *root, const char *controller, limit_fn *v1, limit_fn *v2)
{
    char group[PATH_SIZE], mount[PATH_SIZE];
    if (find_group(root, controller, group, sizeof(group))) {
        (void)snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root, controller);
        double limit = smallest(mount, group, v1);
        /* In a container the group's path is the host's, and its own files lie at the mount. */
        if (limit > 0.0 || (limit = v1(mount)) > 0.0)
            return limit;
    }
    if (!find_group(root, "", group, sizeof(group)))
        return 0.0;
    (void)snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
    double limit = smallest(mount, group, v2);
    return limit > 0.0 ? limit : v2(mount);
}

double kk_cgroup_cpu_quota(const char *root)
{
    return find_limit(root, "cpu", quota_v1, quota_v2);
}

uint64_t kk_cgroup_memory_limit(const char *root)
{
    return (uint64_t)find_limit(root, "memory", memory_v1, memory_v2);
}
