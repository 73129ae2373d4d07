#include "bench/report.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "bench/report_parts.h"
#include "bench/result_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 4 << 20, MAX_COPY = 64 << 20 };

/* ---- figures ------------------------------------------------------------------------------ */

double kk_report_median(const kk_report *report, size_t way)
{
    return report->inference[way][report->result->deciding_text].median;
}

bool kk_report_has_history(const kk_report *report)
{
    return report->history != NULL && report->history->n_runs > 1;
}

int kk_report_init(kk_report *report, const kk_bench_result *result, const kk_history_view *history,
                   kokoro_error *err)
{
    *report = (kk_report){.result = result, .history = history, .stem = ""};
    for (size_t way = 0; way < result->n_ways; way++) {
        for (size_t text = 0; text < result->n_texts; text++) {
            const kk_bench_timing *timing = &result->ways[way].timings[text];
            if (kk_summarise(&timing->inference_s, &report->inference[way][text]) != KOKORO_OK ||
                kk_summarise(&timing->first_audio_s, &report->first_audio[way][text]) != KOKORO_OK)
                return kk_fail_memory(err);
        }
        if (result->ways[way].failure != NULL || result->deciding_text >= result->n_texts ||
            report->inference[way][result->deciding_text].n == 0)
            continue;
        size_t at = report->n_ran++;
        for (; at > 0 &&
               kk_report_median(report, report->order[at - 1]) > kk_report_median(report, way);
             at--)
            report->order[at] = report->order[at - 1];
        report->order[at] = way;
    }
    return KOKORO_OK;
}

/* ---- files -------------------------------------------------------------------------------- */

enum { TIMING, MEMORY, HISTORY, JSON, MARKDOWN, N_FILES };

static const char *const endings[N_FILES] = {"_timing.svg", "_memory.svg", "_history.svg", ".json",
                                             ".md"};

typedef struct files {
    kk_buf paths[N_FILES], texts[N_FILES];
    kk_writer writers[N_FILES];
    kk_buf stem; /* of the names, as a link has it */
} files;

static void files_fini(files *f)
{
    for (int i = 0; i < N_FILES; i++) {
        kk_writer_abort(&f->writers[i]);
        kk_buf_fini(&f->paths[i]);
        kk_buf_fini(&f->texts[i]);
    }
    kk_buf_fini(&f->stem);
}

/* A name as part of a link: RFC 3986, 2.3. */
static void append_link(kk_buf *out, kk_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.data[i];
        const char lower = kk_ascii_lower(c);
        if (kk_ascii_is_lower(lower) || (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c)))
            kk_buf_append_char(out, c);
        else
            kk_buf_appendf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

/* Names of all files, and the directory that they need. */
static int files_init(files *f, const char *markdown_path, kokoro_error *err)
{
    const kk_slice path = kk_slice_of(markdown_path);
    kk_slice stem = path;
    *f = (files){.stem = KK_BUF_INIT};
    for (int i = 0; i < N_FILES; i++)
        f->writers[i].fd = -1;
    if (path.len == 0 || path.data[path.len - 1] == '/')
        return kk_fail(err, KOKORO_IO, "the report needs the name of a file, not '%s'",
                       markdown_path);
    if (kk_slice_ends(path, KK_SLICE(".md")) && path.len > 3 && path.data[path.len - 4] != '/')
        stem.len -= 3;
    for (int i = 0; i < N_FILES; i++) {
        kk_buf_append_slice(&f->paths[i], i == MARKDOWN ? path : stem);
        if (i != MARKDOWN)
            kk_buf_append_str(&f->paths[i], endings[i]);
        if (f->paths[i].failed)
            return kk_fail_memory(err);
    }
    const char *slash = strrchr(markdown_path, '/');
    const size_t dir_len = slash != NULL ? (size_t)(slash - markdown_path) : 0;
    append_link(&f->stem, (kk_slice){stem.data + (slash != NULL ? dir_len + 1 : 0),
                                     stem.len - (slash != NULL ? dir_len + 1 : 0)});
    if (f->stem.failed)
        return kk_fail_memory(err);
    if (dir_len == 0)
        return KOKORO_OK;
    char *dir = kk_strndup(markdown_path, dir_len);
    const int status = dir != NULL ? kk_make_dirs(dir, err) : kk_fail_memory(err);
    kk_free(dir);
    return status;
}

/* The live figures of the report that is there go into the new one. */
static int make_markdown(kk_buf *out, const kk_report *report, const char *path, kokoro_error *err)
{
    kk_buf old = KK_BUF_INIT;
    kk_slice kept = {NULL, 0};
    size_t start = 0, end = 0;
    const int status = kk_file_read(&old, path, MAX_FILE, NULL);
    if (status == KOKORO_OK &&
        kk_report_find_runtime((kk_slice){kk_buf_str(&old), old.len}, &start, &end))
        kept = (kk_slice){old.data + start, end - start};
    kk_report_system(out, report);
    kk_report_results(out, report);
    kk_report_advice(out, report);
    kk_report_runtime(out, kept);
    kk_report_runs(out, report);
    kk_report_notes(out, report);
    kk_buf_fini(&old);
    return status == KOKORO_NO_MEMORY || out->failed ? kk_fail_memory(err) : KOKORO_OK;
}

static int make_texts(files *f, const kk_report *report, kokoro_error *err)
{
    kk_plot_timing(&f->texts[TIMING], report);
    kk_plot_memory(&f->texts[MEMORY], report);
    if (kk_report_has_history(report))
        kk_plot_history(&f->texts[HISTORY], report);
    if (f->texts[TIMING].failed || f->texts[MEMORY].failed || f->texts[HISTORY].failed)
        return kk_fail_memory(err);
    int status = kk_result_to_json(&f->texts[JSON], report->result, report->history, NULL, err);
    if (status == KOKORO_OK)
        status = make_markdown(&f->texts[MARKDOWN], report, kk_buf_str(&f->paths[MARKDOWN]), err);
    return status;
}

/* Write all under temporary names, then give them their own. */
static int write_files(files *f, kokoro_error *err)
{
    int status = KOKORO_OK;
    for (int i = 0; i < N_FILES && status == KOKORO_OK; i++) {
        if (f->texts[i].len == 0)
            continue;
        status = kk_writer_open(&f->writers[i], kk_buf_str(&f->paths[i]), err);
        if (status != KOKORO_OK)
            break;
        kk_writer_write(&f->writers[i], f->texts[i].data, f->texts[i].len);
        if (f->writers[i].saved_errno != 0)
            status = kk_fail(err, KOKORO_IO, "cannot write %s: %s", kk_buf_str(&f->paths[i]),
                             strerror(f->writers[i].saved_errno));
    }
    for (int i = 0; i < N_FILES && status == KOKORO_OK; i++)
        if (f->texts[i].len > 0)
            status = kk_writer_commit(&f->writers[i], err);
    if (status == KOKORO_OK && f->texts[HISTORY].len == 0 &&
        unlink(kk_buf_str(&f->paths[HISTORY])) != 0 && errno != ENOENT)
        status = kk_fail(err, KOKORO_IO, "cannot remove %s, of an older report: %s",
                         kk_buf_str(&f->paths[HISTORY]), strerror(errno));
    return status;
}

int kk_report_write(const kk_bench_result *result, const kk_history_view *history,
                    const char *markdown_path, kokoro_error *err)
{
    files f;
    kk_report *report = kk_alloc(sizeof(*report));
    int lock = -1;
    int status = files_init(&f, markdown_path, err);
    if (report == NULL && status == KOKORO_OK)
        status = kk_fail_memory(err);
    if (status == KOKORO_OK)
        status = kk_report_init(report, result, history, err);
    if (status != KOKORO_OK)
        goto done;
    report->stem = kk_buf_str(&f.stem);
    lock = kk_report_lock(markdown_path);
    status = make_texts(&f, report, err);
    if (status == KOKORO_OK)
        status = write_files(&f, err);
done:
    kk_report_unlock(lock);
    files_fini(&f);
    kk_free(report);
    return status;
}

/* All texts of a report that lies there; only the one for people must be there. */
static int read_files(files *to, files *from, kokoro_error *err)
{
    kk_buf old = KK_BUF_INIT;
    int status = KOKORO_OK;
    for (int i = 0; i < N_FILES && status == KOKORO_OK; i++) {
        status = kk_file_read(&to->texts[i], kk_buf_str(&from->paths[i]), MAX_COPY, err);
        if (status == KOKORO_NOT_FOUND && i != MARKDOWN)
            status = KOKORO_OK;
    }
    if (status == KOKORO_OK &&
        kk_file_read(&old, kk_buf_str(&to->paths[MARKDOWN]), MAX_FILE, NULL) == KOKORO_OK)
        kk_report_keep_runtime(&to->texts[MARKDOWN], (kk_slice){kk_buf_str(&old), old.len});
    kk_buf_fini(&old);
    if (status == KOKORO_OK && to->texts[MARKDOWN].failed)
        status = kk_fail_memory(err);
    return status;
}

int kk_report_copy(const char *from_path, const char *to_path, kokoro_error *err)
{
    files from, to;
    int status = files_init(&from, from_path, err);
    const int status_to = files_init(&to, to_path, status == KOKORO_OK ? err : NULL);
    const int lock = kk_report_lock(to_path);
    if (status == KOKORO_OK)
        status = status_to;
    if (status == KOKORO_OK)
        status = read_files(&to, &from, err);
    if (status == KOKORO_OK)
        status = write_files(&to, err);
    kk_report_unlock(lock);
    files_fini(&from);
    files_fini(&to);
    return status;
}
