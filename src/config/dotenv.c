/*
 * dotenv.c - one pass over the text; values are unquoted in place, since a value is never longer
 * than its source.
 */
#include "config/dotenv.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

/* `at` stands on the opening quote, `end` is the NUL that ends the line. */
static char *quoted(char *at, const char *end, const char **problem)
{
    char quote = *at++;
    char *start = at, *dst = at;
    while (at < end && *at != quote) {
        if (quote == '"' && *at == '\\' && at + 1 < end) {
            at++;
            *dst++ = unescape(*at++);
        } else {
            *dst++ = *at++;
        }
    }
    if (at == end) {
        *problem = "its quote is not closed";
        return start;
    }
    at++;
    while (is_blank(*at))
        at++;
    if (at < end && *at != '#')
        *problem = "text follows its closing quote";
    *dst = '\0';
    return start;
}

/* Up to a comment, which starts with # at the front or behind white space. */
static char *unquoted(char *at, const char *end)
{
    char *start = at;
    char *last = at;
    for (; at < end && !(*at == '#' && (at == start || is_blank(at[-1]))); at++) {
        if (!is_blank(*at))
            last = at + 1;
    }
    *last = '\0';
    return start;
}

/* NAME=... of the line [at, end); false for anything else. *end may be overwritten. */
static bool read_line(char *at, char *end, kk_dotenv_line *line)
{
    if (memchr(at, '\0', (size_t)(end - at)) != NULL)
        return false;
    if (end > at && end[-1] == '\r')
        end--;
    *end = '\0';
    while (is_blank(*at))
        at++;
    if (strncmp(at, "export", 6) == 0 && is_blank(at[6])) {
        for (at += 6; is_blank(*at);)
            at++;
    }
    char *name = at;
    while (is_name(*at))
        at++;
    line->name = (kk_slice){name, (size_t)(at - name)};
    while (is_blank(*at))
        at++;
    if (line->name.len == 0 || *at != '=')
        return false;
    for (at++; is_blank(*at);)
        at++;
    line->problem = NULL;
    line->value = *at == '"' || *at == '\'' ? quoted(at, end, &line->problem) : unquoted(at, end);
    if (line->problem != NULL)
        line->value = end; /* which is empty */
    return true;
}

int kk_dotenv_read(char *text, size_t len, kk_dotenv_fn *fn, void *user)
{
    char *end = text + len;
    unsigned number = 0;
    int status = 0;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end && status == 0) {
        kk_dotenv_line line;
        char *eol = memchr(text, '\n', (size_t)(end - text));
        if (eol == NULL)
            eol = end;
        number++;
        if (read_line(text, eol, &line)) {
            line.number = number;
            status = fn(user, &line);
        }
        text = eol + 1;
    }
    return status;
}
