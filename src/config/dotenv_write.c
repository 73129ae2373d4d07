#define _XOPEN_SOURCE 700 /* realpath */
/*
 * dotenv_write.c - goes through the file line by line. Which lines assign the name is asked of the
 * reader (dotenv.c), so that both always agree.
 */
#include "config/dotenv_write.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "base/str.h"
#include "config/dotenv.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const kk_slice bom = {"\xef\xbb\xbf", 3};

/* A line without its end. */
typedef struct line {
    kk_slice text;
    kk_slice end;   /* "\n", "\r\n", or "" at the end of the file */
    bool is_ours;   /* assigns the name */
    bool is_broken; /* its value cannot be read */
} line;

typedef struct asked {
    const char *name;
    line *found;
} asked;

static int take_assignment(void *user, const kk_dotenv_line *read)
{
    const asked *a = user;
    a->found->is_ours = kk_slice_equal(read->name, kk_slice_of(a->name));
    a->found->is_broken = read->problem != NULL;
    return 0;
}

/* The line at `at`; false at the end. */
static bool next_line(kk_slice text, size_t *at, line *out)
{
    if (*at >= text.len)
        return false;
    const char *start = text.data + *at;
    const size_t left = text.len - *at;
    const char *eol = memchr(start, '\n', left);
    size_t len = eol != NULL ? (size_t)(eol - start) : left, end = eol != NULL ? 1 : 0;
    *at += len + end;
    if (len > 0 && start[len - 1] == '\r') {
        len--;
        end++;
    }
    *out = (line){.text = {start, len}, .end = {start + len, end}};
    return true;
}

/* Ask the reader, who changes what it reads, about a copy. */
static int judge_line(line *l, bool is_first, const char *name, kokoro_error *err)
{
    asked a = {name, l};
    kk_buf copy = KK_BUF_INIT;
    if (!is_first && kk_slice_starts(l->text, bom))
        return KOKORO_OK;
    kk_buf_append_slice(&copy, l->text);
    if (copy.failed) {
        kk_buf_fini(&copy);
        return kk_fail_memory(err);
    }
    if (copy.len > 0)
        (void)kk_dotenv_read(copy.data, copy.len, take_assignment, &a, NULL);
    kk_buf_fini(&copy);
    return KOKORO_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where the value of an assignment begins and ends: quotes belong to it, blanks around do not. */
static void find_value(const line *l, size_t *begin, size_t *end)
{
    const char *text = l->text.data;
    const size_t len = l->text.len;
    const char *equals = memchr(text, '=', len);
    size_t at = equals != NULL ? (size_t)(equals - text) + 1 : len;
    while (at < len && is_blank(text[at]))
        at++;
    *begin = *end = at;
    if (l->is_broken) {
        *end = len;
    } else if (at < len && (text[at] == '"' || text[at] == '\'')) {
        const char quote = text[at++];
        while (at < len && text[at] != quote)
            at += quote == '"' && text[at] == '\\' && at + 1 < len ? 2 : 1;
        *end = at < len ? at + 1 : len;
    } else {
        for (; at < len && !(text[at] == '#' && is_blank(text[at - 1])); at++) {
            if (text[at] == '#' && at == *begin)
                break;
            if (!is_blank(text[at]))
                *end = at + 1;
        }
    }
}

/* As the reader takes it: plain where nothing in it has a meaning, else in single quotes. */
static int put_value(kk_buf *dst, const char *value, kokoro_error *err)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:,-";
    if (strpbrk(value, "'\r\n") != NULL)
        return kk_fail(err, KOKORO_INVALID,
                       "a value with a quote or a line break cannot be written to .env");
    kk_buf_appendf(dst, value[strspn(value, plain)] == '\0' ? "%s" : "'%s'", value);
    return KOKORO_OK;
}

/* The line with another value. A comment needs a blank before it, also where the value was empty.
 */
static int put_line(kk_buf *dst, const line *l, const char *value, kokoro_error *err)
{
    size_t begin, end;
    find_value(l, &begin, &end);
    kk_buf_append(dst, l->text.data, begin);
    int status = put_value(dst, value, err);
    if (end < l->text.len && !is_blank(l->text.data[end]))
        kk_buf_append_char(dst, ' ');
    kk_buf_append(dst, l->text.data + end, l->text.len - end);
    kk_buf_append_slice(dst, l->end);
    return status;
}

/* The number of the last line that assigns the name, from 1; 0 for none. */
static int find_last(kk_slice text, const char *name, size_t *last, kokoro_error *err)
{
    line l;
    *last = 0;
    for (size_t at = 0, number = 1; next_line(text, &at, &l); number++) {
        int status = judge_line(&l, number == 1, name, err);
        if (status != KOKORO_OK)
            return status;
        if (l.is_ours)
            *last = number;
    }
    return KOKORO_OK;
}

static int change(kk_buf *dst, kk_slice text, const char *name, const char *value,
                  kokoro_error *err)
{
    size_t last;
    kk_slice newline = {"\n", 1}; /* that of the last line that has one */
    line l;
    int status = find_last(text, name, &last, err);
    for (size_t at = 0, number = 1; status == KOKORO_OK && next_line(text, &at, &l); number++) {
        status = judge_line(&l, number == 1, name, err);
        if (l.end.len > 0 && l.end.data[l.end.len - 1] == '\n')
            newline = l.end;
        if (status == KOKORO_OK && number == last) {
            status = put_line(dst, &l, value, err);
        } else if (!l.is_ours) {
            kk_buf_append_slice(dst, l.text);
            kk_buf_append_slice(dst, l.end);
        }
    }
    if (dst->len > 0 && dst->data[dst->len - 1] == '\r') /* half of one */
        kk_buf_append_char(dst, '\n');
    else if (dst->len > 0 && dst->data[dst->len - 1] != '\n')
        kk_buf_append_slice(dst, newline);
    if (status == KOKORO_OK && last == 0) {
        kk_buf_appendf(dst, "%s=", name);
        status = put_value(dst, value, err);
        kk_buf_append_slice(dst, newline);
    }
    return status == KOKORO_OK && dst->failed ? kk_fail_memory(err) : status;
}

static int replace(const char *path, const kk_buf *text, const struct stat *old, kokoro_error *err)
{
    kk_writer writer;
    int status = kk_writer_open(&writer, path, err);
    if (status != KOKORO_OK)
        return status == KOKORO_NOT_FOUND ? KOKORO_IO : status;
    /* Before there is anything in it that others should not read. Another's file keeps its owner
     * only where we may give files away. */
    if (old != NULL) {
        const bool is_given =
            fchown(writer.fd, old->st_uid, old->st_gid) == 0 || old->st_uid == geteuid();
        if (fchmod(writer.fd, old->st_mode & (is_given ? 07777 : 0777)) != 0)
            writer.saved_errno = errno;
    }
    kk_writer_write(&writer, text->data, text->len);
    return kk_writer_commit(&writer, err);
}

/* With the links followed. */
static int set_in(const char *path, const char *name, const char *value, kokoro_error *err)
{
    struct stat st;
    kk_buf text = KK_BUF_INIT, changed = KK_BUF_INIT;
    const bool is_there = stat(path, &st) == 0;
    int status = KOKORO_OK;
    if (!is_there && errno != ENOENT)
        return kk_fail(err, KOKORO_IO, "cannot read %s: %s", path, strerror(errno));
    if (is_there && !S_ISREG(st.st_mode))
        return kk_fail(err, KOKORO_IO, "cannot write %s: it is not a regular file", path);
    if (is_there && access(path, W_OK) != 0)
        return kk_fail(err, KOKORO_IO, "cannot write %s: %s", path, strerror(errno));
    if (is_there)
        status = kk_file_read(&text, path, KK_DOTENV_LIMIT, err);
    const kk_slice before = {kk_buf_str(&text), text.len};
    if (status == KOKORO_OK)
        status = change(&changed, before, name, value, err);
    if (status == KOKORO_OK && !kk_slice_equal(before, (kk_slice){changed.data, changed.len}))
        status = replace(path, &changed, is_there ? &st : NULL, err);
    kk_buf_fini(&text);
    kk_buf_fini(&changed);
    return status == KOKORO_NOT_FOUND ? KOKORO_IO : status;
}

int kk_dotenv_set(const char *path, const char *name, const char *value, kokoro_error *err)
{
    struct stat st;
    char target[PATH_MAX];
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    if (name[0] == '\0' || name[strspn(name, allowed)] != '\0')
        return kk_fail(err, KOKORO_INVALID, "'%.80s' is no name of a variable", name);
    if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
        return set_in(path, name, value, err);
    if (realpath(path, target) == NULL)
        return kk_fail(err, KOKORO_IO, "cannot follow the link %s: %s", path, strerror(errno));
    return set_in(target, name, value, err);
}
