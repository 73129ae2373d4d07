/* history_rows.c - a run into its tables, in one transaction, and back. */
#include "base/status.h"
#include "bench/history_db.h"

#include <stdio.h>
#include <string.h>

static const char *const kinds_of_samples[] = {"inference", "first audio"};

static const kk_samples *samples_of(const kk_bench_timing *timing, size_t kind)
{
    return kind == 0 ? &timing->inference_s : &timing->first_audio_s;
}

static const char *text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* ---- in ----------------------------------------------------------------------------------- */

static bool insert_run(const kk_history *history, const kk_bench_result *r)
{
    const bool is_chosen = r->choice.recommended >= 0 && (size_t)r->choice.recommended < r->n_ways;
    const kk_fingerprint *f = &r->fingerprint;
    sqlite3_stmt *statement = kk_history_prepare(
        history,
        "INSERT INTO runs (started_at_s, duration_s, mode, version, voice, machine, busy,"
        " load_before, load_after, is_interrupted, deciding_text, hardware, system, model,"
        " libraries, instruction_set, settings, recommended_way, is_over_quality, reason)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,nullif(?,-1),?,?)",
        "rrtttttrritttttttiit", r->started_at_s, r->duration_s, text_or_empty(r->mode),
        text_or_empty(r->version), text_or_empty(r->voice), r->hardware.cpu_model,
        text_or_empty(r->busy), r->load_before, r->load_after, (long long)r->is_interrupted,
        r->deciding_text < r->n_texts ? text_or_empty(r->texts[r->deciding_text].name) : "",
        f->hardware, f->system, f->model, f->libraries, f->instruction_set, f->settings,
        is_chosen ? (long long)r->choice.recommended : -1LL, (long long)r->choice.is_over_quality,
        text_or_empty(r->choice.reason));
    return kk_history_execute(history, statement);
}

static bool insert_way(const kk_history *history, long long run, size_t place,
                       const kk_bench_way *w)
{
    const kk_bench_quality *q = &w->quality;
    return kk_history_execute(
        history,
        kk_history_prepare(
            history,
            "INSERT INTO ways VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,nullif(?,-1),nullif(?,-1),"
            "nullif(?,-1.0),nullif(?,-1.0))",
            "iittitttrrrrriiirr", run, (long long)place, w->way.provider, w->way.precision,
            (long long)w->way.n_threads, text_or_empty(w->execution_provider),
            text_or_empty(w->version), w->failure, w->load_ms, w->pack_ms, w->first_inference_s,
            w->resident_mb, w->peak_mb, (long long)q->is_reference,
            q->is_known ? (long long)q->n_tokens : -1LL,
            q->is_known ? (long long)q->n_durations_differ : -1LL,
            q->is_known ? q->log_mel_db : -1.0, q->is_known ? q->worst_log_mel_db : -1.0));
}

static bool insert_timing(const kk_history *history, long long run, size_t way, size_t text,
                          const kk_bench_timing *timing)
{
    bool good = kk_history_execute(
        history, kk_history_prepare(history, "INSERT INTO timings VALUES (?,?,?,?,?,?)", "iiirir",
                                    run, (long long)way, (long long)text, timing->audio_s,
                                    (long long)timing->n_chunks, timing->first_s));
    for (size_t kind = 0; kind < 2; kind++) {
        const kk_samples *samples = samples_of(timing, kind);
        for (size_t i = 0; i < samples->n && good; i++)
            good = kk_history_execute(
                history,
                kk_history_prepare(history, "INSERT INTO samples VALUES (?,?,?,?,?,?)", "iiitir",
                                   run, (long long)way, (long long)text, kinds_of_samples[kind],
                                   (long long)i, samples->values[i]));
    }
    return good;
}

static bool insert_all(const kk_history *history, const kk_bench_result *r, long long *number)
{
    if (!insert_run(history, r))
        return false;
    const long long run = *number = sqlite3_last_insert_rowid(history->db);
    bool good = true;
    for (size_t i = 0; i < r->n_texts && good; i++)
        good = kk_history_execute(
            history,
            kk_history_prepare(history, "INSERT INTO texts VALUES (?,?,?,?,?)", "iitti", run,
                               (long long)i, text_or_empty(r->texts[i].name),
                               text_or_empty(r->texts[i].text), (long long)r->texts[i].n_chars));
    for (size_t i = 0; i < r->n_ways && good; i++) {
        good = insert_way(history, run, i, &r->ways[i]);
        for (size_t k = 0; k < r->n_texts && good; k++)
            good = insert_timing(history, run, i, k, &r->ways[i].timings[k]);
    }
    return good;
}

int kk_history_add(kk_history *history, const kk_bench_result *result, long long *number,
                   kokoro_error *err)
{
    long long run = 0;
    if (sqlite3_exec(history->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
        insert_all(history, result, &run) &&
        sqlite3_exec(history->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) {
        if (number != NULL)
            *number = run;
        return KOKORO_OK;
    }
    const int status = kk_history_fail(history, "write", err);
    (void)sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* ---- out ---------------------------------------------------------------------------------- */

/* Of a statement's row: text in the arena of the result; NULL where memory is out. */
static const char *take_text(sqlite3_stmt *row, int column, kk_bench_result *out)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    return text != NULL ? kk_arena_strdup(&out->arena, (const char *)text) : NULL;
}

static void copy_text(sqlite3_stmt *row, int column, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    (void)snprintf(out, size, "%s", text != NULL ? (const char *)text : "");
}

/* Whether the place of a row in a table that the result has room for `max` of is one. */
static bool take_place(sqlite3_stmt *row, int column, size_t max, size_t *out)
{
    const sqlite3_int64 place = sqlite3_column_int64(row, column);
    *out = (size_t)place;
    return place >= 0 && (size_t)place < max;
}

static bool read_run(sqlite3_stmt *row, kk_bench_result *out)
{
    kk_fingerprint *f = &out->fingerprint;
    out->started_at_s = sqlite3_column_double(row, 0);
    out->duration_s = sqlite3_column_double(row, 1);
    out->mode = take_text(row, 2, out);
    out->version = take_text(row, 3, out);
    out->voice = take_text(row, 4, out);
    copy_text(row, 5, out->hardware.cpu_model, sizeof(out->hardware.cpu_model));
    out->busy = take_text(row, 6, out);
    out->load_before = sqlite3_column_double(row, 7);
    out->load_after = sqlite3_column_double(row, 8);
    out->is_interrupted = sqlite3_column_int(row, 9) != 0;
    copy_text(row, 10, f->hardware, sizeof(f->hardware));
    copy_text(row, 11, f->system, sizeof(f->system));
    copy_text(row, 12, f->model, sizeof(f->model));
    copy_text(row, 13, f->libraries, sizeof(f->libraries));
    copy_text(row, 14, f->instruction_set, sizeof(f->instruction_set));
    copy_text(row, 15, f->settings, sizeof(f->settings));
    out->choice.recommended =
        sqlite3_column_type(row, 16) == SQLITE_NULL ? -1 : sqlite3_column_int(row, 16);
    out->choice.is_over_quality = sqlite3_column_int(row, 17) != 0;
    out->choice.reason = take_text(row, 18, out);
    return out->mode != NULL && out->version != NULL && out->voice != NULL && out->busy != NULL &&
           out->choice.reason != NULL;
}

/* Its columns: text, name, words, characters, whether it decides. */
static bool read_text(sqlite3_stmt *row, kk_bench_result *out)
{
    size_t place;
    if (!take_place(row, 0, KK_BENCH_MAX_TEXTS, &place) || place != out->n_texts)
        return false;
    kk_bench_text *text = &out->texts[out->n_texts++];
    text->name = take_text(row, 1, out);
    text->text = take_text(row, 2, out);
    text->n_chars = (size_t)sqlite3_column_int64(row, 3);
    if (sqlite3_column_int(row, 4) != 0)
        out->deciding_text = place;
    return text->name != NULL && text->text != NULL;
}

static bool read_way(sqlite3_stmt *row, kk_bench_result *out)
{
    size_t place;
    if (!take_place(row, 0, KK_BENCH_MAX_WAYS, &place) || place != out->n_ways)
        return false;
    kk_bench_way *way = &out->ways[out->n_ways++];
    copy_text(row, 1, way->way.provider, sizeof(way->way.provider));
    copy_text(row, 2, way->way.precision, sizeof(way->way.precision));
    way->way.n_threads = sqlite3_column_int(row, 3);
    way->execution_provider = take_text(row, 4, out);
    way->version = take_text(row, 5, out);
    way->placement = "";
    way->failure = take_text(row, 6, out);
    way->load_ms = sqlite3_column_double(row, 7);
    way->pack_ms = sqlite3_column_double(row, 8);
    way->first_inference_s = sqlite3_column_double(row, 9);
    way->resident_mb = sqlite3_column_double(row, 10);
    way->peak_mb = sqlite3_column_double(row, 11);
    way->quality = (kk_bench_quality){
        .is_known = sqlite3_column_type(row, 14) != SQLITE_NULL,
        .is_reference = sqlite3_column_int(row, 12) != 0,
        .n_tokens = (size_t)sqlite3_column_int64(row, 13),
        .n_durations_differ = (size_t)sqlite3_column_int64(row, 14),
        .log_mel_db = sqlite3_column_double(row, 15),
        .worst_log_mel_db = sqlite3_column_double(row, 16),
    };
    return way->execution_provider != NULL && way->version != NULL &&
           (way->failure != NULL || sqlite3_column_type(row, 6) == SQLITE_NULL);
}

static bool read_timing(sqlite3_stmt *row, kk_bench_result *out)
{
    size_t way, text;
    if (!take_place(row, 0, out->n_ways, &way) || !take_place(row, 1, out->n_texts, &text))
        return false;
    kk_bench_timing *timing = &out->ways[way].timings[text];
    timing->audio_s = sqlite3_column_double(row, 2);
    timing->n_chunks = (size_t)sqlite3_column_int64(row, 3);
    timing->first_s = sqlite3_column_double(row, 4);
    return true;
}

/* Its columns: way, text, whether it is of the first kind, seconds, how many there are of these. */
static bool read_sample(sqlite3_stmt *row, kk_bench_result *out)
{
    size_t way, text;
    if (!take_place(row, 0, out->n_ways, &way) || !take_place(row, 1, out->n_texts, &text))
        return false;
    kk_bench_timing *timing = &out->ways[way].timings[text];
    kk_samples *samples =
        sqlite3_column_int(row, 2) != 0 ? &timing->inference_s : &timing->first_audio_s;
    if (samples->values == NULL)
        samples->values = kk_arena_calloc(&out->arena, (size_t)sqlite3_column_int64(row, 4),
                                          sizeof(*samples->values));
    if (samples->values == NULL)
        return false;
    samples->values[samples->n++] = sqlite3_column_double(row, 3);
    return true;
}

/* Give each row to `read`; how many there were, -1 on failure. */
static long read_rows(const kk_history *history, const char *sql, long long number,
                      bool (*read)(sqlite3_stmt *row, kk_bench_result *out), kk_bench_result *out)
{
    sqlite3_stmt *statement = kk_history_prepare(history, sql, "i", number);
    long n = 0;
    int code = SQLITE_ERROR;
    while (statement != NULL && (code = sqlite3_step(statement)) == SQLITE_ROW && n >= 0)
        n = read(statement, out) ? n + 1 : -1;
    (void)sqlite3_finalize(statement);
    return code == SQLITE_DONE ? n : -1;
}

int kk_history_result(kk_history *history, long long number, kk_bench_result *out,
                      kokoro_error *err)
{
    kk_bench_result_init(out);
    const long n_runs =
        read_rows(history,
                  "SELECT started_at_s, duration_s, mode, version, voice, machine, busy,"
                  " load_before, load_after, is_interrupted, hardware, system, model, libraries,"
                  " instruction_set, settings, recommended_way, is_over_quality, reason"
                  " FROM runs WHERE number = ?",
                  number, read_run, out);
    if (n_runs == 0)
        return kk_fail(err, KOKORO_NOT_FOUND, "the history %s has no run %lld", history->path,
                       number);
    if (n_runs == 1 &&
        read_rows(history,
                  "SELECT text, name, words, characters, name = deciding_text"
                  " FROM texts, runs ON run = number WHERE number = ? ORDER BY text",
                  number, read_text, out) >= 0 &&
        read_rows(
            history,
            "SELECT way, provider, precision, threads, execution_provider, version, failure,"
            " load_ms, pack_ms, first_inference_s, resident_mb, peak_mb, is_reference, tokens,"
            " durations_differ, log_mel_db, worst_log_mel_db"
            " FROM ways WHERE run = ? ORDER BY way",
            number, read_way, out) >= 0 &&
        read_rows(history, "SELECT way, text, audio_s, chunks, first_s FROM timings WHERE run = ?",
                  number, read_timing, out) >= 0 &&
        read_rows(history,
                  "SELECT way, text, kind = 'inference', seconds,"
                  " count(*) OVER (PARTITION BY way, text, kind)"
                  " FROM samples WHERE run = ? ORDER BY way, text, kind, place",
                  number, read_sample, out) >= 0 &&
        out->choice.recommended < (int)out->n_ways)
        return KOKORO_OK;
    kk_bench_result_fini(out);
    const int code = sqlite3_errcode(history->db) & 0xff;
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        return kk_history_fail(history, "read", err);
    return kk_fail(err, KOKORO_NO_MEMORY,
                   "run %lld of the history %s cannot be read: out of memory "
                   "or not as this program writes it",
                   number, history->path);
}
