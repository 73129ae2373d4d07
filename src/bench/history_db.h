/*
 * history_db.h - the inside of the history: statements of SQLite with few words.
 *
 *     history.c        the file: opened, made, brought to this version's form, moved aside
 *     history_rows.c   a run into its tables and back
 *     history_view.c   the last runs beside each other
 */
#ifndef KK_BENCH_HISTORY_DB_H
#define KK_BENCH_HISTORY_DB_H

#include "base/str.h"
#include "bench/history.h"

#include <sqlite3.h>

struct kk_history {
    sqlite3 *db;
    char *path;
    kk_buf note;
};

/* What SQLite complained of, as a status: BUSY, NO_MEMORY, BAD_DATA (damaged), else IO. */
int kk_history_fail(const kk_history *history, const char *verb, kokoro_error *err);

/* Prepare and bind: `kinds` has a letter for each value, i (long long), r (double; what is not
 * finite is 0) or t (const char *; NULL is NULL). NULL on failure. The caller finalizes it. */
sqlite3_stmt *kk_history_prepare(const kk_history *history, const char *sql, const char *kinds,
                                 ...);
/* Run a statement that gives no rows; whether it succeeded. */
bool kk_history_execute(const kk_history *history, sqlite3_stmt *statement);

#endif
