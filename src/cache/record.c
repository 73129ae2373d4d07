/*
 * record.c - the record's file and the two locks beside it: `lock` of the process that measures,
 * for as long as it does, and `write.lock` for the moment of a change, so that whoever prolongs a
 * record does not write over one that was measured meanwhile.
 */
#include "cache/record.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/utf8.h"
#include "cache/attempt.h"
#include "cache/file_lock.h"
#include "cache/record_json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "benchmark"

enum { SIZE_LIMIT = 1 << 16, REFRESH_S = 3600, CLOCK_SLACK_S = 60, MAX_PERIODS = 4 };
static const double write_patience_s = 2.0;

static char *path_of(const char *cache_dir, const char *name)
{
    return kk_path_join(cache_dir, name);
}

char *kk_record_path(const char *cache_dir)
{
    return path_of(cache_dir, FOLDER "/record.json");
}

/* ---- the file ----------------------------------------------------------------------------- */

static int load(kk_record *out, const char *path, kokoro_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return kk_fail(err, errno == ENOENT || errno == ENOTDIR ? KOKORO_NOT_FOUND : KOKORO_IO,
                       "cannot open benchmark record %s: %s", path, strerror(errno));
    /* Also what would not end or never begin: a device, a pipe. */
    if (!S_ISREG(st.st_mode))
        return kk_fail(err, KOKORO_BAD_DATA, "benchmark record %s is not a regular file", path);
    kk_buf text = KK_BUF_INIT;
    kokoro_error reason = {KOKORO_OK, ""};
    int status = kk_file_read(&text, path, SIZE_LIMIT, &reason);
    if (status == KOKORO_OK)
        status = kk_record_read_json(out, (kk_slice){kk_buf_str(&text), text.len}, &reason);
    kk_buf_fini(&text);
    if (status == KOKORO_TOO_LONG)
        status = KOKORO_BAD_DATA;
    if (status == KOKORO_BAD_DATA) { /* its own words may be in the reason */
        char shown[sizeof(reason.message)];
        return kk_fail(err, status, "benchmark record %s is damaged: %s", path,
                       kk_text_shown(shown, sizeof(shown), reason.message));
    }
    return status == KOKORO_OK ? status : kk_fail(err, status, "%s", reason.message);
}

int kk_record_load(kk_record *out, const char *cache_dir, kokoro_error *err)
{
    memset(out, 0, sizeof(*out));
    char *path = kk_record_path(cache_dir);
    if (path == NULL)
        return kk_fail_memory(err);
    int status = load(out, path, err);
    kk_free(path);
    return status;
}

/* A name is on the disk when its directory is. Some file systems cannot; then nothing is lost. */
static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

/* Make the folder where it is not there. A link would lead out of the cache. */
static int make_folder(const char *folder, kokoro_error *err)
{
    struct stat st;
    if (lstat(folder, &st) == 0 && S_ISLNK(st.st_mode))
        return kk_fail(err, KOKORO_IO, "the benchmark record cannot be in %s: it is a link",
                       folder);
    return kk_make_dirs(folder, err);
}

static int take_write_lock(int *fd, const char *cache_dir, kokoro_error *err)
{
    *fd = -1;
    char *folder = path_of(cache_dir, FOLDER), *lock = path_of(cache_dir, FOLDER "/write.lock");
    int status = folder == NULL || lock == NULL ? kk_fail_memory(err) : make_folder(folder, err);
    if (status == KOKORO_OK)
        status = kk_file_lock_take(fd, lock, write_patience_s, err);
    kk_free(folder);
    kk_free(lock);
    return status;
}

/* With the write lock held. */
static int store(const kk_record *record, const char *cache_dir, kokoro_error *err)
{
    kk_buf text = KK_BUF_INIT;
    kk_writer writer;
    char *path = kk_record_path(cache_dir), *folder = path_of(cache_dir, FOLDER);
    int status = path == NULL || folder == NULL ? kk_fail_memory(err)
                                                : kk_record_write_json(&text, record, err);
    if (status == KOKORO_OK)
        status = kk_writer_open(&writer, path, err);
    if (status == KOKORO_OK) {
        kk_writer_write(&writer, text.data, text.len);
        status = kk_writer_commit(&writer, err);
    }
    if (status == KOKORO_OK)
        sync_folder(folder);
    else if (status == KOKORO_NOT_FOUND)
        status = kk_fail(err, KOKORO_IO, "cannot write %s: its directory is gone", path);
    kk_buf_fini(&text);
    kk_free(path);
    kk_free(folder);
    return status;
}

int kk_record_store(const kk_record *record, const char *cache_dir, kokoro_error *err)
{
    int lock;
    int status = take_write_lock(&lock, cache_dir, err);
    if (status == KOKORO_OK)
        status = store(record, cache_dir, err);
    kk_file_lock_give(&lock);
    return status;
}

/* Who clears wants a new measurement, however short ago one was tried. */
int kk_record_clear(const char *cache_dir, kokoro_error *err)
{
    char *path = kk_record_path(cache_dir);
    struct stat st;
    int lock = -1, status = KOKORO_OK;
    if (path == NULL)
        return kk_fail_memory(err);
    /* Nothing is made where nothing was. */
    if (lstat(path, &st) == 0) {
        status = take_write_lock(&lock, cache_dir, err);
        if (status == KOKORO_OK && unlink(path) != 0 && errno != ENOENT)
            status = kk_fail(err, KOKORO_IO, "cannot remove %s: %s", path, strerror(errno));
        kk_file_lock_give(&lock);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        status = kk_fail(err, KOKORO_IO, "cannot look at %s: %s", path, strerror(errno));
    }
    kk_free(path);
    return status == KOKORO_OK ? kk_attempts_clear(cache_dir, err) : status;
}

/* ---- how long it is good ------------------------------------------------------------------ */

double kk_validity_s(const kk_validity_rule *rule)
{
    static const double days[][2] = {
        [KK_DAILY] = {1, 7}, [KK_WEEKLY] = {7, 14}, [KK_MONTHLY] = {30, 60}};
    if (rule->frequency == KK_MANUALLY)
        return (double)INFINITY;
    return days[rule->frequency][rule->is_extended ? 1 : 0] * 86400.0;
}

/* Dates that lie in the future were written before the clock was moved back: they count as now. */
void kk_record_judge(const kk_record *record, const kk_fingerprint *fingerprint,
                     const kk_validity_rule *rule, double now_s, kk_record_view *out)
{
    const double period_s = kk_validity_s(rule);
    const double measured_s = fmin(record->measured_at_s, now_s);
    const double used_s = fmax(measured_s, fmin(record->refreshed_at_s, now_s));
    *out = (kk_record_view){.state = KK_RECORD_VALID, .age_s = now_s - used_s};
    out->expires_at_s = fmin(used_s + period_s, measured_s + MAX_PERIODS * period_s);
    if (now_s >= out->expires_at_s)
        out->state = KK_RECORD_EXPIRED;
    if (fingerprint != NULL)
        out->changed = kk_fingerprint_difference(&record->fingerprint, fingerprint);
    if (out->changed != NULL)
        out->state = KK_RECORD_CHANGED;
}

void kk_record_look(kk_record *record, const char *cache_dir, const kk_fingerprint *fingerprint,
                    const kk_validity_rule *rule, double now_s, kk_record_view *out)
{
    kokoro_error reason;
    int status = kk_record_load(record, cache_dir, &reason);
    if (status == KOKORO_OK) {
        kk_record_judge(record, fingerprint, rule, now_s, out);
        return;
    }
    *out = (kk_record_view){.state = KK_RECORD_MISSING};
    if (status == KOKORO_NOT_FOUND)
        return;
    out->state = KK_RECORD_DAMAGED;
    (void)snprintf(out->problem, sizeof(out->problem), "%.*s", (int)sizeof(out->problem) - 1,
                   reason.message);
}

void kk_record_way(const kk_record *record, const kokoro_options *options, kk_way *out)
{
    const char *precision = options->precision;
    *out = record->recommended;
    if (options->n_threads > 0)
        out->n_threads = options->n_threads;
    /* "file" is the precision of a provider that has no choice. */
    if (precision != NULL && precision[0] != '\0' && strcmp(precision, "auto") != 0 &&
        strcmp(out->precision, "file") != 0)
        (void)snprintf(out->precision, sizeof(out->precision), "%.*s",
                       (int)sizeof(out->precision) - 1, precision);
}

/* Whether the use of a way at now_s changes the record, which is then changed. */
static bool refresh(kk_record *record, const char *cache_dir, const kk_fingerprint *fingerprint,
                    const kk_validity_rule *rule, const kk_way *way, double now_s)
{
    kk_record_view view;
    kk_record_look(record, cache_dir, fingerprint, rule, now_s, &view);
    if (view.state != KK_RECORD_VALID)
        return false;
    const bool is_new_way = !kk_way_equal(&record->current, way);
    const bool is_ahead = record->measured_at_s > now_s || record->refreshed_at_s > now_s;
    const bool is_due = kk_way_equal(&record->recommended, way) &&
                        (is_ahead || now_s - record->refreshed_at_s >= REFRESH_S);
    if (!is_new_way && !is_due)
        return false;
    record->current = *way;
    if (kk_way_equal(&record->recommended, way)) {
        record->measured_at_s = fmin(record->measured_at_s, now_s);
        record->refreshed_at_s = now_s;
    }
    return true;
}

int kk_record_refresh(const char *cache_dir, const kk_fingerprint *fingerprint,
                      const kk_validity_rule *rule, const kk_way *way, double now_s,
                      kokoro_error *err)
{
    kk_record record;
    int lock;
    if (!refresh(&record, cache_dir, fingerprint, rule, way, now_s))
        return KOKORO_OK;
    int status = take_write_lock(&lock, cache_dir, err);
    /* Once more, since another process may have changed it. */
    if (status == KOKORO_OK && refresh(&record, cache_dir, fingerprint, rule, way, now_s))
        status = store(&record, cache_dir, err);
    kk_file_lock_give(&lock);
    return status;
}

bool kk_record_is_ahead(const kk_record *record, double now_s)
{
    return fmax(record->measured_at_s, record->refreshed_at_s) > now_s + CLOCK_SLACK_S;
}

/* Whether it had to be changed. */
static bool redate(kk_record *record, const char *cache_dir, double now_s)
{
    if (kk_record_load(record, cache_dir, NULL) != KOKORO_OK || !kk_record_is_ahead(record, now_s))
        return false;
    record->measured_at_s = fmin(record->measured_at_s, now_s);
    record->refreshed_at_s = fmin(record->refreshed_at_s, now_s);
    return true;
}

int kk_record_redate(const char *cache_dir, double now_s, kokoro_error *err)
{
    kk_record record;
    int lock;
    if (!redate(&record, cache_dir, now_s))
        return KOKORO_OK;
    int status = take_write_lock(&lock, cache_dir, err);
    /* Once more, since another process may have changed it. */
    if (status == KOKORO_OK && redate(&record, cache_dir, now_s))
        status = store(&record, cache_dir, err);
    kk_file_lock_give(&lock);
    return status;
}

/* ---- who measures ------------------------------------------------------------------------- */

int kk_record_lock_take(kk_record_lock *lock, const char *cache_dir, kokoro_error *err)
{
    lock->fd = -1;
    char *folder = path_of(cache_dir, FOLDER), *path = path_of(cache_dir, FOLDER "/lock");
    int status = folder == NULL || path == NULL ? kk_fail_memory(err) : make_folder(folder, err);
    if (status == KOKORO_OK)
        status = kk_file_lock_take(&lock->fd, path, 0.0, err);
    if (status == KOKORO_BUSY)
        status = kk_fail(err, status, "a benchmark is running already, in process %d",
                         kk_file_lock_holder(path));
    kk_free(folder);
    kk_free(path);
    return status;
}

void kk_record_lock_give(kk_record_lock *lock)
{
    kk_file_lock_give(&lock->fd);
}

int kk_record_lock_holder(const char *cache_dir)
{
    char *path = path_of(cache_dir, FOLDER "/lock");
    int holder = path != NULL ? kk_file_lock_holder(path) : 0;
    kk_free(path);
    return holder;
}
