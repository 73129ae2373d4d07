/* results_disk.c - every step goes from the open directory to a name in it, never through a link.
 */
#define _DEFAULT_SOURCE
#include "cache/results_disk.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 64, HASH_DIGITS = 16, MAX_FILES = 1 << 20 };
#define ENDING ".result"
#define TEMP_ENDING ".tmp"
static const char magic[8] = {'K', 'O', 'K', 'O', 'R', 'E', 'S', '1'};
static const double abandoned_s = 3600.0;

typedef struct header {
    char magic[sizeof(magic)];
    uint64_t key_len, data_len;
    double audio_s;
    uint64_t hash;
} header;

struct kk_results_disk {
    pthread_mutex_t mutex; /* of the view and what follows */
    kk_results_disk_view view;
    uint64_t written; /* bytes since the last count */
    char *cache_dir;
};

/* A file of ours, in the order of its age. */
typedef struct aged {
    double used_s;
    uint64_t size;
    char name[HASH_DIGITS + sizeof(ENDING)];
} aged;

/* --- the directory --- */

/* -1 and *err. */
static int open_dir(const kk_results_disk *disk, kokoro_error *err)
{
    struct stat st;
    int cache = open(disk->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cache < 0 && errno == ENOENT && kk_make_dirs(disk->cache_dir, NULL) == KOKORO_OK)
        cache = open(disk->cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;
    if (cache >= 0) {
        (void)mkdirat(cache, KK_RESULTS_FOLDER, 0700);
        fd = openat(cache, KK_RESULTS_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    const int number = errno;
    if (cache >= 0)
        (void)close(cache);
    if (fd < 0) {
        kk_error_set(err, KOKORO_IO, "cannot use directory %s/%s: %s", disk->cache_dir,
                     KK_RESULTS_FOLDER, strerror(number));
        return -1;
    }
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return fd;
    (void)close(fd);
    kk_error_set(err, KOKORO_IO,
                 "%s/%s is not used for results, because others may write there; it must belong to "
                 "this user, with mode 0700",
                 disk->cache_dir, KK_RESULTS_FOLDER);
    return -1;
}

static void name_of(char name[NAME_SIZE], kk_slice key)
{
    (void)snprintf(name, NAME_SIZE, "%016llx" ENDING,
                   (unsigned long long)kk_hash(key.data, key.len));
}

static bool has_name_of_ours(const char *name, const char **rest)
{
    *rest = name + HASH_DIGITS;
    return strspn(name, "0123456789abcdef") == HASH_DIGITS &&
           strncmp(*rest, ENDING, sizeof(ENDING) - 1) == 0;
}

/* --- one file --- */

static uint64_t hash_of(const header *h, const kk_result *result)
{
    uint64_t parts[4] = {h->key_len, h->data_len, kk_hash(&h->audio_s, sizeof(h->audio_s)),
                         kk_hash(result->key.data, result->key.len + result->data.len)};
    return kk_hash(parts, sizeof(parts));
}

static bool read_all(int fd, void *dst, size_t len)
{
    char *at = dst;
    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* NULL with *is_damaged, or because memory is out. */
static kk_result *read_result(int fd, uint64_t size, bool *is_damaged)
{
    header h;
    *is_damaged = size < sizeof(h) || !read_all(fd, &h, sizeof(h)) ||
                  memcmp(h.magic, magic, sizeof(magic)) != 0 || h.key_len > size ||
                  h.data_len > size || h.key_len + h.data_len != size - sizeof(h);
    kk_result *result =
        *is_damaged ? NULL : kk_result_make_room((size_t)h.key_len, (size_t)h.data_len);
    if (result == NULL)
        return NULL;
    result->audio_s = h.audio_s;
    *is_damaged = !read_all(fd, result + 1, (size_t)(h.key_len + h.data_len)) ||
                  hash_of(&h, result) != h.hash;
    if (!*is_damaged)
        return result;
    kk_result_release(result);
    return NULL;
}

bool kk_results_disk_may_have(kk_results_disk *disk, kk_slice key)
{
    char name[NAME_SIZE];
    struct stat st;
    int dir = open_dir(disk, NULL);
    name_of(name, key);
    bool has = dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (dir >= 0)
        (void)close(dir);
    return has;
}

static void count(kk_results_disk *disk, uint64_t *what)
{
    (void)pthread_mutex_lock(&disk->mutex);
    (*what)++;
    (void)pthread_mutex_unlock(&disk->mutex);
}

/* What is met under a name of ours and is no whole answer goes; a link goes itself. */
static void remove_damaged(kk_results_disk *disk, int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0)
        count(disk, &disk->view.n_damaged);
}

kk_result *kk_results_disk_get(kk_results_disk *disk, kk_slice key)
{
    char name[NAME_SIZE];
    struct stat st;
    kk_result *result = NULL;
    bool is_damaged = false;
    kk_results_disk_view view;
    kk_results_disk_read(disk, &view);
    int dir = open_dir(disk, NULL);
    if (dir < 0)
        return NULL;
    name_of(name, key);
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        is_damaged = errno == ELOOP;
    } else if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
               (uint64_t)st.st_size <= view.max_bytes) {
        result = read_result(fd, (uint64_t)st.st_size, &is_damaged);
        if (result != NULL && !kk_slice_equal(result->key, key)) {
            kk_result_release(result); /* another key of the same hash */
            result = NULL;
        }
    }
    if (is_damaged)
        remove_damaged(disk, dir, name);
    if (result != NULL) {
        (void)futimens(fd, NULL);
        count(disk, &disk->view.n_hits);
    }
    if (fd >= 0)
        (void)close(fd);
    (void)close(dir);
    return result;
}

/* 0 or an errno; a file that could not be written whole is gone again. */
static int write_result(int dir, const char *name, const kk_result *result)
{
    static atomic_uint serial;
    char temp[2 * NAME_SIZE];
    header h = {
        .key_len = result->key.len, .data_len = result->data.len, .audio_s = result->audio_s};
    memcpy(h.magic, magic, sizeof(magic));
    h.hash = hash_of(&h, result);
    (void)snprintf(temp, sizeof(temp), "%s.%ld.%u" TEMP_ENDING, name, (long)getpid(),
                   atomic_fetch_add(&serial, 1));
    int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int number = kk_write_all(fd, &h, sizeof(h));
    if (number == 0)
        number = kk_write_all(fd, result->key.data, result->key.len + result->data.len);
    if (close(fd) != 0 && number == 0)
        number = errno;
    if (number == 0 && renameat(dir, temp, dir, name) != 0)
        number = errno;
    if (number != 0)
        (void)unlinkat(dir, temp, 0);
    return number;
}

/* Others may write to the same directory: so it is counted anew each time that this process has
 * written an eighth of the budget, and not only when it is over it by its own reckoning. */
static bool must_count(kk_results_disk *disk)
{
    const kk_results_disk_view *view = &disk->view;
    (void)pthread_mutex_lock(&disk->mutex);
    bool must = view->bytes > view->max_bytes || disk->written > view->max_bytes / 8;
    (void)pthread_mutex_unlock(&disk->mutex);
    return must;
}

int kk_results_disk_put(kk_results_disk *disk, const kk_result *result, kokoro_error *err)
{
    char name[NAME_SIZE];
    kk_results_disk_view view;
    const uint64_t size = sizeof(header) + result->key.len + result->data.len;
    kk_results_disk_read(disk, &view);
    if (size > kk_results_share(view.max_bytes))
        return KOKORO_OK;
    int dir = open_dir(disk, err);
    if (dir < 0) {
        count(disk, &disk->view.n_failed);
        return KOKORO_IO;
    }
    name_of(name, result->key);
    int number = write_result(dir, name, result);
    (void)close(dir);
    if (number != 0) {
        count(disk, &disk->view.n_failed);
        return kk_fail(err, KOKORO_IO, "cannot write %s/%s/%s: %s", disk->cache_dir,
                       KK_RESULTS_FOLDER, name, strerror(number));
    }
    (void)pthread_mutex_lock(&disk->mutex);
    disk->view.n_stored++;
    disk->view.n_entries++;
    disk->view.bytes += size;
    disk->written += size;
    (void)pthread_mutex_unlock(&disk->mutex);
    return must_count(disk) ? kk_results_disk_trim(disk, err) : KOKORO_OK;
}

/* --- all of them --- */

typedef struct listing {
    aged *files;
    size_t n, capacity;
    uint64_t bytes;
} listing;

static void remove_abandoned(int dir, const char *name, double age_s)
{
    const size_t len = strlen(name), end = sizeof(TEMP_ENDING) - 1;
    if (age_s > abandoned_s && len > end && strcmp(name + len - end, TEMP_ENDING) == 0)
        (void)unlinkat(dir, name, 0);
}

static int add_file(listing *list, const char *name, const struct stat *st)
{
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        aged *files = kk_realloc(list->files, capacity * sizeof(*files));
        if (files == NULL)
            return KOKORO_NO_MEMORY;
        list->files = files;
        list->capacity = capacity;
    }
    aged *file = &list->files[list->n++];
    file->used_s = (double)st->st_mtim.tv_sec + 1e-9 * (double)st->st_mtim.tv_nsec;
    file->size = (uint64_t)st->st_size;
    memcpy(file->name, name, sizeof(file->name));
    list->bytes += file->size;
    return KOKORO_OK;
}

static int list_files(listing *list, int dir, kokoro_error *err)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *files = copy >= 0 ? fdopendir(copy) : NULL;
    if (files == NULL) {
        if (copy >= 0)
            (void)close(copy);
        return kk_fail(err, KOKORO_IO, "cannot read the directory of results: %s", strerror(errno));
    }
    const double now_s = kk_wall_s();
    const struct dirent *found;
    int status = KOKORO_OK;
    while (status == KOKORO_OK && list->n < MAX_FILES && (found = readdir(files)) != NULL) {
        struct stat st;
        const char *rest;
        if (!has_name_of_ours(found->d_name, &rest) ||
            fstatat(dir, found->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (strcmp(rest, ENDING) == 0)
            status = add_file(list, found->d_name, &st);
        else
            remove_abandoned(dir, found->d_name, now_s - (double)st.st_mtim.tv_sec);
    }
    (void)closedir(files);
    return status == KOKORO_OK ? status : kk_fail_memory(err);
}

static int by_oldest(const void *a, const void *b)
{
    const double x = ((const aged *)a)->used_s, y = ((const aged *)b)->used_s;
    return (x > y) - (x < y);
}

int kk_results_disk_trim(kk_results_disk *disk, kokoro_error *err)
{
    listing list = {0};
    kk_results_disk_view view;
    uint64_t n_evicted = 0;
    size_t first = 0;
    kk_results_disk_read(disk, &view);
    int dir = open_dir(disk, err);
    int status = dir >= 0 ? list_files(&list, dir, err) : KOKORO_IO;
    if (status == KOKORO_OK && list.bytes > view.max_bytes) {
        const uint64_t target = view.max_bytes / 10 * 9;
        qsort(list.files, list.n, sizeof(*list.files), by_oldest);
        for (; first < list.n && list.bytes > target; first++) {
            if (unlinkat(dir, list.files[first].name, 0) == 0)
                n_evicted++;
            list.bytes -= list.files[first].size;
        }
    }
    if (status == KOKORO_OK) {
        (void)pthread_mutex_lock(&disk->mutex);
        disk->view.n_entries = list.n - first;
        disk->view.bytes = list.bytes;
        disk->view.n_evicted += n_evicted;
        disk->written = 0;
        (void)pthread_mutex_unlock(&disk->mutex);
    }
    kk_free(list.files);
    if (dir >= 0)
        (void)close(dir);
    return status;
}

int kk_results_disk_open(kk_results_disk **out, const char *cache_dir, uint64_t max_bytes,
                         kokoro_error *err)
{
    *out = NULL;
    kk_results_disk *disk = kk_calloc(1, sizeof(*disk));
    if (disk == NULL)
        return kk_fail_memory(err);
    disk->cache_dir = kk_strdup(cache_dir);
    if (disk->cache_dir == NULL || pthread_mutex_init(&disk->mutex, NULL) != 0) {
        kk_free(disk->cache_dir);
        kk_free(disk);
        return kk_fail_memory(err);
    }
    disk->view.max_bytes = max_bytes;
    int status = kk_results_disk_trim(disk, err);
    if (status != KOKORO_OK)
        kk_results_disk_close(&disk);
    *out = disk;
    return status;
}

void kk_results_disk_close(kk_results_disk **disk_ptr)
{
    kk_results_disk *disk = disk_ptr != NULL ? *disk_ptr : NULL;
    if (disk == NULL)
        return;
    *disk_ptr = NULL;
    (void)pthread_mutex_destroy(&disk->mutex);
    kk_free(disk->cache_dir);
    kk_free(disk);
}

void kk_results_disk_set_limit(kk_results_disk *disk, uint64_t max_bytes)
{
    (void)pthread_mutex_lock(&disk->mutex);
    disk->view.max_bytes = max_bytes;
    (void)pthread_mutex_unlock(&disk->mutex);
}

void kk_results_disk_read(kk_results_disk *disk, kk_results_disk_view *out)
{
    (void)pthread_mutex_lock(&disk->mutex);
    *out = disk->view;
    (void)pthread_mutex_unlock(&disk->mutex);
}
