/*
 * history.c - the file of the history. A rollback journal, not a write-ahead log: a run is one
 * small transaction in minutes, so there is nothing to gain, and a log would need files beside it
 * also to read, a directory that can be written, and no network file system.
 */
#include "bench/history.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "bench/history_db.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUSY_TIMEOUT_MS = 10000,
    APPLICATION = 0x4b6b4248, /* "KkBH": whose file it is */
    VERSION = 1,
    N_TABLES = 5 /* that the last step makes */
};

/* Step k brings a file of version k to version k + 1. A table for something else, hourly figures of
 * a server for one, is a further step. */
static const char *const steps[VERSION] = {
    "CREATE TABLE runs ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, started_at_s REAL NOT NULL,"
    " duration_s REAL NOT NULL, mode TEXT NOT NULL, version TEXT NOT NULL, voice TEXT NOT NULL,"
    " machine TEXT NOT NULL, busy TEXT NOT NULL, load_before REAL NOT NULL,"
    " load_after REAL NOT NULL, is_interrupted INTEGER NOT NULL, deciding_text TEXT NOT NULL,"
    " hardware TEXT NOT NULL, system TEXT NOT NULL, model TEXT NOT NULL, libraries TEXT NOT NULL,"
    " instruction_set TEXT NOT NULL, settings TEXT NOT NULL, recommended_way INTEGER,"
    " is_over_quality INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;"
    "CREATE TABLE texts ("
    " run INTEGER NOT NULL REFERENCES runs, text INTEGER NOT NULL, name TEXT NOT NULL,"
    " words TEXT NOT NULL, characters INTEGER NOT NULL, PRIMARY KEY (run, text))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE ways ("
    " run INTEGER NOT NULL REFERENCES runs, way INTEGER NOT NULL, provider TEXT NOT NULL,"
    " precision TEXT NOT NULL, threads INTEGER NOT NULL, execution_provider TEXT NOT NULL,"
    " version TEXT NOT NULL, failure TEXT, load_ms REAL NOT NULL, pack_ms REAL NOT NULL,"
    " first_inference_s REAL NOT NULL, resident_mb REAL NOT NULL, peak_mb REAL NOT NULL,"
    " is_reference INTEGER NOT NULL, tokens INTEGER, durations_differ INTEGER, log_mel_db REAL,"
    " worst_log_mel_db REAL, PRIMARY KEY (run, way)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE timings ("
    " run INTEGER NOT NULL REFERENCES runs, way INTEGER NOT NULL, text INTEGER NOT NULL,"
    " audio_s REAL NOT NULL, chunks INTEGER NOT NULL, first_s REAL NOT NULL,"
    " PRIMARY KEY (run, way, text)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE samples ("
    " run INTEGER NOT NULL REFERENCES runs, way INTEGER NOT NULL, text INTEGER NOT NULL,"
    " kind TEXT NOT NULL, place INTEGER NOT NULL, seconds REAL NOT NULL,"
    " PRIMARY KEY (run, way, text, kind, place)) STRICT, WITHOUT ROWID;",
};

/* ---- statements --------------------------------------------------------------------------- */

int kk_history_fail(const kk_history *history, const char *verb, kokoro_error *err)
{
    switch (sqlite3_errcode(history->db) & 0xff) {
    case SQLITE_NOMEM:
        return kk_fail_memory(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return kk_fail(err, KOKORO_BUSY,
                       "cannot %s the history %s: another process keeps it locked", verb,
                       history->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return kk_fail(err, KOKORO_BAD_DATA, "the history %s is damaged (%s)", history->path,
                       sqlite3_errmsg(history->db));
    default:
        return kk_fail(err, KOKORO_IO, "cannot %s the history %s: %s", verb, history->path,
                       sqlite3_errmsg(history->db));
    }
}

sqlite3_stmt *kk_history_prepare(const kk_history *history, const char *sql, const char *kinds, ...)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(history->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    va_list values;
    va_start(values, kinds);
    int code = SQLITE_OK;
    for (int i = 1; kinds[i - 1] != '\0' && code == SQLITE_OK; i++) {
        if (kinds[i - 1] == 'i') {
            code = sqlite3_bind_int64(statement, i, va_arg(values, long long));
        } else if (kinds[i - 1] == 'r') {
            const double value = va_arg(values, double);
            code = sqlite3_bind_double(statement, i, isfinite(value) ? value : 0.0);
        } else {
            code =
                sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
        }
    }
    va_end(values);
    if (code != SQLITE_OK) {
        (void)sqlite3_finalize(statement);
        return NULL;
    }
    return statement;
}

bool kk_history_execute(const kk_history *history, sqlite3_stmt *statement)
{
    (void)history;
    const bool is_done = statement != NULL && sqlite3_step(statement) == SQLITE_DONE;
    (void)sqlite3_finalize(statement);
    return is_done;
}

/* The number that a pragma or a count gives; -1 on failure. */
static long long first_number(sqlite3_stmt *statement)
{
    const long long value = statement != NULL && sqlite3_step(statement) == SQLITE_ROW
                                ? sqlite3_column_int64(statement, 0)
                                : -1;
    (void)sqlite3_finalize(statement);
    return value;
}

static long long ask(const kk_history *history, const char *sql)
{
    return first_number(kk_history_prepare(history, sql, ""));
}

static bool is_sound(const kk_history *history)
{
    sqlite3_stmt *statement = kk_history_prepare(history, "PRAGMA quick_check(1)", "");
    const bool sound = statement != NULL && sqlite3_step(statement) == SQLITE_ROW &&
                       strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    (void)sqlite3_finalize(statement);
    return sound;
}

/* How many tables are there as this version makes them, by their words, which SQLite keeps; -1 on
 * failure. */
static long long count_tables(const kk_history *history)
{
    sqlite3_stmt *statement = kk_history_prepare(
        history, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND instr(?, sql) > 0",
        "t", steps[VERSION - 1]);
    return first_number(statement);
}

/* ---- opening ------------------------------------------------------------------------------ */

static int connect(kk_history *history, enum kk_history_access access, kokoro_error *err)
{
    const int flags = access == KK_HISTORY_READ ? SQLITE_OPEN_READONLY
                                                : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int code =
        sqlite3_open_v2(history->path, &history->db, flags | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (history->db == NULL)
        return kk_fail_memory(err);
    (void)sqlite3_busy_timeout(history->db, BUSY_TIMEOUT_MS);
    /* Also the end of a transaction, the removal of its journal, is on the disk. */
    (void)sqlite3_exec(history->db, "PRAGMA synchronous = EXTRA", NULL, NULL, NULL);
    if (code == SQLITE_OK && access == KK_HISTORY_WRITE && sqlite3_db_readonly(history->db, "main"))
        return kk_fail(err, KOKORO_IO, "cannot write the history %s: it is read-only",
                       history->path);
    return code == SQLITE_OK ? KOKORO_OK : kk_history_fail(history, "open", err);
}

static void disconnect(kk_history *history)
{
    (void)sqlite3_close(history->db);
    history->db = NULL;
}

/* Whether the file is ours. BAD_DATA: damaged or foreign. */
static int judge(const kk_history *history, bool *is_new, kokoro_error *err)
{
    const long long application = ask(history, "PRAGMA application_id");
    const long long n_tables = ask(history, "SELECT count(*) FROM sqlite_schema");
    *is_new = false;
    if (application < 0 || n_tables < 0)
        return kk_history_fail(history, "read", err);
    if (n_tables == 0) {
        *is_new = true;
        return KOKORO_OK;
    }
    if (application != APPLICATION)
        return kk_fail(err, KOKORO_BAD_DATA, "%s is a database of another program", history->path);
    const long long version = ask(history, "PRAGMA user_version");
    if (version > VERSION)
        return kk_fail(err, KOKORO_IO, "the history %s was written by a newer version of kokoro",
                       history->path);
    const bool has_form = version == VERSION; /* which all tables have been given together */
    const long long n_whole = has_form ? count_tables(history) : 0;
    if (version < 0 || n_whole < 0)
        return kk_history_fail(history, "read", err);
    if (version == 0 || (has_form && n_whole != N_TABLES))
        return kk_fail(err, KOKORO_BAD_DATA, "the history %s is damaged: it has not all its tables",
                       history->path);
    if (is_sound(history))
        return KOKORO_OK;
    const int code = sqlite3_errcode(history->db) & 0xff;
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return kk_fail(err, KOKORO_BAD_DATA, "the history %s is damaged", history->path);
    return kk_history_fail(history, "read", err);
}

/* In one transaction; another process may have done it while we waited. */
static int bring_up(const kk_history *history, kokoro_error *err)
{
    char sql[96];
    bool good = sqlite3_exec(history->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    const long long version = good ? ask(history, "PRAGMA user_version") : -1;
    for (long long k = version; good && k >= 0 && k < VERSION; k++)
        good = sqlite3_exec(history->db, steps[k], NULL, NULL, NULL) == SQLITE_OK;
    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                   APPLICATION, VERSION);
    if (good && version >= 0 && sqlite3_exec(history->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return KOKORO_OK;
    const int status = kk_history_fail(history, "write", err);
    (void)sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static int try_open(kk_history *history, enum kk_history_access access, kokoro_error *err)
{
    bool is_new = false;
    int status = connect(history, access, err);
    if (status == KOKORO_OK)
        status = judge(history, &is_new, err);
    if (status == KOKORO_OK && access == KK_HISTORY_READ && is_new)
        status = kk_fail(err, KOKORO_NOT_FOUND, "there is no benchmark in the history %s yet",
                         history->path);
    if (status == KOKORO_OK && access == KK_HISTORY_WRITE &&
        (is_new || ask(history, "PRAGMA user_version") < VERSION))
        status = bring_up(history, err);
    if (status != KOKORO_OK)
        disconnect(history);
    return status;
}

/* ---- what is no history ------------------------------------------------------------------- */

/* The directory that holds the file, locked; -1 when that cannot be. */
static int lock_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL   ? kk_strdup(".")
                : slash == path ? kk_strdup("/")
                                : kk_strndup(path, (size_t)(slash - path));
    const int fd = dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    kk_free(dir);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR)
        continue;
    return fd;
}

/* Give the file, and the journal that belongs to it, a name that is free. */
static int move_aside(kk_history *history, const char *why, kokoro_error *err)
{
    kk_buf name = KK_BUF_INIT, journal = KK_BUF_INIT, new_journal = KK_BUF_INIT;
    kk_buf_appendf(&name, "%s.damaged-%.0f", history->path, kk_wall_s());
    const size_t len = name.len;
    for (int i = 2; !name.failed && kk_file_exists(name.data); i++) {
        name.len = len;
        kk_buf_appendf(&name, "-%d", i);
    }
    kk_buf_appendf(&journal, "%s-journal", history->path);
    kk_buf_appendf(&new_journal, "%s-journal", kk_buf_str(&name));
    kk_buf_appendf(&history->note, "%s; it was moved to %s and a new one begun", why,
                   kk_buf_str(&name));
    int status = KOKORO_OK;
    if (name.failed || journal.failed || new_journal.failed || history->note.failed)
        status = kk_fail_memory(err);
    else if (rename(history->path, name.data) != 0)
        status = kk_fail(err, KOKORO_IO, "%s and cannot be moved to %s: %s", why, name.data,
                         strerror(errno));
    else
        (void)rename(journal.data, new_journal.data);
    kk_buf_fini(&name);
    kk_buf_fini(&journal);
    kk_buf_fini(&new_journal);
    return status;
}

/* Under the lock of the directory, where a second look shows whether another process was quicker.
 */
static int begin_anew(kk_history *history, kokoro_error *err)
{
    kokoro_error why = {0};
    const int lock = lock_directory(history->path);
    int status = try_open(history, KK_HISTORY_WRITE, &why);
    if (status == KOKORO_BAD_DATA) {
        status = move_aside(history, why.message, err);
        if (status == KOKORO_OK)
            status = try_open(history, KK_HISTORY_WRITE, err);
    } else if (status != KOKORO_OK) {
        kk_error_set(err, status, "%s", why.message);
    }
    if (lock >= 0)
        (void)close(lock);
    return status;
}

int kk_history_open(kk_history **out, const char *path, enum kk_history_access access,
                    kokoro_error *err)
{
    *out = NULL;
    if (access == KK_HISTORY_READ && !kk_file_exists(path))
        return kk_fail(err, KOKORO_NOT_FOUND,
                       "there is no history %s yet; kokoro benchmark makes it", path);
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return kk_fail(err, KOKORO_IO, "the history %s is no regular file", path);
    kk_history *history = kk_calloc(1, sizeof(*history));
    if (history == NULL)
        return kk_fail_memory(err);
    history->path = kk_strdup(path);
    int status = history->path != NULL ? try_open(history, access, err) : kk_fail_memory(err);
    if (status == KOKORO_BAD_DATA && access == KK_HISTORY_WRITE)
        status = begin_anew(history, err);
    if (status != KOKORO_OK)
        kk_history_close(&history);
    *out = history;
    return status;
}

void kk_history_close(kk_history **history)
{
    if (history == NULL || *history == NULL)
        return;
    disconnect(*history);
    kk_buf_fini(&(*history)->note);
    kk_free((*history)->path);
    kk_free(*history);
    *history = NULL;
}

const char *kk_history_note(const kk_history *history)
{
    return kk_buf_str(&history->note);
}
