/* cleanup_file.c - see cleanup_file.h. The file is its own lock: who has it checks that it is still
 * the one of that name, since each change puts another there. */
#define _DEFAULT_SOURCE /* flock */
#include "server/cache/cleanup_file.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "server/cache/cache_report.h"
#include "server/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ENTRIES = 32, MAX_BYTES = 1 << 18 };
static const char format_name[] = "kokoro clean-ups 1";
static const double patience_s = 2.0;

/* ---- reading ------------------------------------------------------------------------------ */

static bool is_number(const json_t *entry, const char *name)
{
    const json_t *value = json_object_get(entry, name);
    const double number = json_number_value(value);
    return json_is_number(value) && isfinite(number) && number >= 0.0;
}

static bool is_entry(const json_t *entry)
{
    static const char *const numbers[] = {"started_at", "elapsed_ms", "freed_mb", "removed_files",
                                          "removed_dirs"};
    const json_t *error = json_object_get(entry, "error");
    const json_t *impact = json_object_get(entry, "performance_impact");
    bool is = json_is_string(json_object_get(entry, "source")) &&
              json_is_string(json_object_get(entry, "cause")) &&
              json_is_string(json_object_get(entry, "writer")) &&
              json_is_boolean(json_object_get(entry, "aggressive")) &&
              json_is_false(json_object_get(entry, "running")) &&
              (json_is_null(error) || json_is_string(error)) &&
              (json_is_null(impact) || json_is_object(impact));
    for (size_t i = 0; is && i < sizeof(numbers) / sizeof(numbers[0]); i++)
        is = is_number(entry, numbers[i]);
    return is;
}

/* A regular file of that name itself, for a moment of reading; -1 and errno. */
static int open_file(const char *path, int flags)
{
    struct stat st;
    const int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    (void)close(fd);
    errno = EINVAL;
    return -1;
}

/* What is right in it; what is not is as if it were not there. NULL: memory is out. */
static json_t *read_entries(int fd)
{
    json_t *list = json_array(), *document = NULL, *entry;
    size_t i, len = 0;
    char *text = kk_alloc(MAX_BYTES + 1);
    if (text == NULL) {
        json_decref(list);
        return NULL;
    }
    for (ssize_t n = 1; fd >= 0 && n > 0 && len <= MAX_BYTES; len += (size_t)n) {
        n = pread(fd, text + len, MAX_BYTES + 1 - len, (off_t)len);
        n = n > 0 ? n : 0;
    }
    if (len > 0 && len <= MAX_BYTES)
        document = json_loadb(text, len, 0, NULL);
    const char *format = json_string_value(json_object_get(document, "format"));
    json_array_foreach(json_object_get(document, "cleanups"), i, entry)
    {
        if (format != NULL && strcmp(format, format_name) == 0 && is_entry(entry))
            (void)json_array_append(list, entry);
    }
    json_decref(document);
    kk_free(text);
    return list;
}

json_t *kk_cleanup_file_read(const char *cache_dir)
{
    char *path = kk_path_join(cache_dir, KK_CLEANUP_LOG);
    const int fd = path != NULL ? open_file(path, O_RDONLY) : -1;
    json_t *list = path != NULL ? read_entries(fd) : NULL;
    if (fd >= 0)
        (void)close(fd);
    kk_free(path);
    return list;
}

/* ---- adding ------------------------------------------------------------------------------- */

/* The file, locked, made where there is none; IO, BUSY. */
static int open_locked(int *out, const char *path, kokoro_error *err)
{
    static const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    const double until_s = kk_now_s() + patience_s;
    *out = -1;
    do {
        struct stat mine, there;
        const int fd = open_file(path, O_RDWR | O_CREAT);
        if (fd < 0)
            return kk_fail(err, KOKORO_IO, "cannot open %s: %s", path, strerror(errno));
        /* A file system without locks does without: the last one's entry stays then. */
        const bool has = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
        if (has && fstat(fd, &mine) == 0 && lstat(path, &there) == 0 &&
            mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) {
            *out = fd;
            return KOKORO_OK;
        }
        (void)close(fd);
        (void)nanosleep(&moment, NULL);
    } while (kk_now_s() < until_s);
    return kk_fail(err, KOKORO_BUSY, "another program holds %s", path);
}

static int write_entries(const char *path, json_t *list, kokoro_error *err)
{
    kk_writer writer;
    json_t *document = json_pack("{s:s, s:O}", "format", format_name, "cleanups", list);
    char *text =
        document != NULL ? json_dumps(document, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    int status = text != NULL ? kk_writer_open(&writer, path, err) : kk_fail_memory(err);
    if (status == KOKORO_OK) {
        kk_writer_write(&writer, text, strlen(text));
        status = kk_writer_commit(&writer, err);
    }
    free(text);
    json_decref(document);
    return status;
}

static int add(const char *path, json_t *entry, kokoro_error *err)
{
    int fd;
    int status = open_locked(&fd, path, err);
    if (status != KOKORO_OK)
        return status;
    json_t *list = read_entries(fd);
    while (json_array_size(list) >= MAX_ENTRIES)
        (void)json_array_remove(list, 0);
    status =
        json_array_append(list, entry) == 0 ? write_entries(path, list, err) : kk_fail_memory(err);
    json_decref(list);
    (void)close(fd);
    return status;
}

int kk_cleanup_file_add(const char *cache_dir, json_t *entry, kokoro_error *err)
{
    struct stat st;
    char *path = kk_path_join(cache_dir, KK_CLEANUP_LOG);
    int status = KOKORO_OK;
    if (path == NULL || entry == NULL)
        status = kk_fail_memory(err);
    else if (stat(cache_dir, &st) == 0)
        status = add(path, entry, err);
    json_decref(entry);
    kk_free(path);
    return status;
}

json_t *kk_cleanup_entry_json(const kk_cleanup_entry *entry, json_t *impact)
{
    const bool is_well = entry->problem == NULL || entry->problem[0] == '\0';
    return json_pack(
        "{s:o, s:s, s:s, s:b, s:b, s:o, s:o, s:I, s:I, s:o, s:o}", "started_at",
        kk_json_real(entry->started_at_s), "source", entry->source, "cause", entry->cause,
        "aggressive", entry->is_aggressive, "running", entry->is_running, "elapsed_ms",
        kk_json_real(entry->elapsed_ms), "freed_mb", kk_json_real(kk_cache_mb(entry->freed_bytes)),
        "removed_files", (json_int_t)entry->n_files, "removed_dirs", (json_int_t)entry->n_dirs,
        "error", is_well ? json_null() : json_string(entry->problem), "performance_impact", impact);
}

json_t *kk_cleanup_file_entry(const kk_cleanup_result *r, double started_at_s, bool is_aggressive)
{
    const kk_cleanup_entry entry = {.started_at_s = started_at_s,
                                    .source = "command",
                                    .cause = "command",
                                    .is_aggressive = is_aggressive,
                                    .elapsed_ms = r->elapsed_ms,
                                    .freed_bytes = r->before.bytes - r->after.bytes,
                                    .n_files = kk_cleanup_n_files(r),
                                    .n_dirs = kk_cleanup_n_dirs(r)};
    json_t *object = kk_cleanup_entry_json(&entry, json_null());
    if (object != NULL)
        (void)json_object_set_new(object, "writer", json_string("command"));
    return object;
}
