/*
 * report_runtime.c - the one section of a report that a server keeps up to date. Two comments mark
 * its text; everything else of the file stays byte for byte. Who replaces a report holds its lock:
 * else a server could write an old report over a new one.
 */
#include "bench/report_parts.h"

#include "base/file.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGIN "<!-- kokoro runtime: begin -->\n"
#define END "<!-- kokoro runtime: end -->\n"

enum { MAX_FILE = 4 << 20 };

/* How often `word` stands in text, and where first. */
static size_t count(kk_slice text, kk_slice word, size_t *first)
{
    size_t n = 0;
    for (size_t at = 0; at + word.len <= text.len; at++)
        if (memcmp(text.data + at, word.data, word.len) == 0 && n++ == 0)
            *first = at;
    return n;
}

bool kk_report_find_runtime(kk_slice report, size_t *start, size_t *end)
{
    size_t begin = 0;
    if (count(report, KK_SLICE(BEGIN), &begin) != 1 || count(report, KK_SLICE(END), end) != 1)
        return false;
    *start = begin + sizeof(BEGIN) - 1;
    return *start <= *end;
}

void kk_report_runtime(kk_buf *out, kk_slice kept)
{
    kk_buf_append_str(out, "## Runtime Performance Tracking\n\n" BEGIN);
    if (kept.data != NULL)
        kk_buf_append_slice(out, kept);
    else
        kk_buf_append_str(out, "No live figures yet: a running server writes them here.\n");
    kk_buf_append_str(out, END "\n");
}

void kk_report_keep_runtime(kk_buf *report, kk_slice old)
{
    size_t start = 0, end = 0, old_start = 0, old_end = 0;
    kk_buf kept = KK_BUF_INIT;
    if (!kk_report_find_runtime((kk_slice){kk_buf_str(report), report->len}, &start, &end) ||
        !kk_report_find_runtime(old, &old_start, &old_end))
        return;
    kk_buf_append(&kept, report->data, start);
    kk_buf_append(&kept, old.data + old_start, old_end - old_start);
    kk_buf_append(&kept, report->data + end, report->len - end);
    kk_buf_fini(report);
    *report = kept;
}

int kk_report_lock(const char *path)
{
    for (;;) {
        struct stat locked, there;
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -1;
        while (flock(fd, LOCK_EX) != 0 && errno == EINTR)
            continue;
        /* While we waited another file may have taken its place. */
        if (fstat(fd, &locked) == 0 && stat(path, &there) == 0 && locked.st_ino == there.st_ino &&
            locked.st_dev == there.st_dev)
            return fd;
        (void)close(fd);
    }
}

void kk_report_unlock(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

/* Text between the markers: whole lines, and no comment of its own. */
static void append_harmless(kk_buf *out, const char *text)
{
    for (const char *mark; (mark = strstr(text, "<!--")) != NULL; text = mark + 4) {
        kk_buf_append(out, text, (size_t)(mark - text));
        kk_buf_append_str(out, "&lt;!--");
    }
    kk_buf_append_str(out, text);
    if (out->len > 0 && out->data[out->len - 1] != '\n')
        kk_buf_append_char(out, '\n');
}

static int replace(const char *path, const char *text, kokoro_error *err)
{
    kk_buf old = KK_BUF_INIT, middle = KK_BUF_INIT;
    kk_writer writer;
    size_t start = 0, end = 0;
    int status = kk_file_read(&old, path, MAX_FILE, err);
    append_harmless(&middle, text);
    if (status == KOKORO_OK && middle.failed)
        status = kk_fail_memory(err);
    if (status == KOKORO_OK &&
        !kk_report_find_runtime((kk_slice){kk_buf_str(&old), old.len}, &start, &end))
        status =
            kk_fail(err, KOKORO_BAD_DATA,
                    "%s has not exactly one section for live figures and is left alone; kokoro "
                    "benchmark writes a new report",
                    path);
    if (status == KOKORO_OK)
        status = kk_writer_open(&writer, path, err);
    if (status == KOKORO_OK) {
        kk_writer_write(&writer, old.data, start);
        kk_writer_write(&writer, middle.data, middle.len);
        kk_writer_write(&writer, old.data + end, old.len - end);
        status = kk_writer_commit(&writer, err);
    }
    kk_buf_fini(&old);
    kk_buf_fini(&middle);
    return status;
}

int kk_report_update_runtime(const char *markdown_path, const char *text, kokoro_error *err)
{
    const int lock = kk_report_lock(markdown_path);
    /* Without a lock the reading of the file says why. */
    const int status = replace(markdown_path, text, err);
    kk_report_unlock(lock);
    return status;
}
