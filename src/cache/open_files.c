#define _DEFAULT_SOURCE
#include "cache/open_files.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct search {
    const char *dir;
    size_t dir_len;
    kk_open_file_fn *fn;
    void *user;
} search;

/* What stands behind the directory in a path; NULL for a path elsewhere. */
static const char *rest_of(const search *s, const char *path)
{
    return strncmp(path, s->dir, s->dir_len) == 0 && path[s->dir_len] == '/' ? path + s->dir_len + 1
                                                                             : NULL;
}

static void look_at_link(const search *s, const char *link, bool is_working_dir)
{
    char target[PATH_MAX];
    ssize_t len = readlink(link, target, sizeof(target) - 1);
    if (len <= 0)
        return;
    target[len] = '\0';
    const char *rest = rest_of(s, target);
    if (rest != NULL)
        s->fn(s->user, rest, is_working_dir);
}

static void look_at_fds(const search *s, const char *process)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "/proc/%s/fd", process);
    DIR *fds = opendir(path);
    const struct dirent *fd;
    while (fds != NULL && (fd = readdir(fds)) != NULL) {
        if (fd->d_name[0] == '.')
            continue;
        char link[600];
        (void)snprintf(link, sizeof(link), "%s/%s", path, fd->d_name);
        look_at_link(s, link, false);
    }
    if (fds != NULL)
        (void)closedir(fds);
}

/* Lines "from-to rights offset device inode     path". */
static void look_at_maps(const search *s, const char *process)
{
    char path[300], line[PATH_MAX + 128];
    (void)snprintf(path, sizeof(path), "/proc/%s/maps", process);
    FILE *maps = fopen(path, "re");
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        char *at = strchr(line, '/');
        if (at == NULL)
            continue;
        at[strcspn(at, "\n")] = '\0';
        const char *rest = rest_of(s, at);
        if (rest != NULL)
            s->fn(s->user, rest, false);
    }
    if (maps != NULL)
        (void)fclose(maps);
}

void kk_open_files_each(const char *real_dir, kk_open_file_fn *fn, void *user)
{
    const search s = {real_dir, strlen(real_dir), fn, user};
    DIR *processes = opendir("/proc");
    const struct dirent *process;
    while (processes != NULL && (process = readdir(processes)) != NULL) {
        const char *name = process->d_name;
        char link[300];
        if (name[0] < '1' || name[0] > '9')
            continue;
        look_at_fds(&s, name);
        look_at_maps(&s, name);
        (void)snprintf(link, sizeof(link), "/proc/%s/cwd", name);
        look_at_link(&s, link, true);
    }
    if (processes != NULL)
        (void)closedir(processes);
}
