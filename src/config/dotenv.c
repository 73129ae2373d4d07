/*
 * dotenv.c - one pass over the text; values are unquoted in place, since a value is never longer
 * than its source.
 */
#include "config/dotenv.h"

#include "base/utf8.h"

#include <string.h>

static const char unclosed[] = "its quote is not closed";

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

/* Other programs also take such. */
static bool is_foreign_name(char c)
{
    return is_name(c) || c == '.' || c == '-';
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
        *problem = unclosed;
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

/* Of "export" and the blanks behind it, where [at, end) begins so. */
static size_t export_len(const char *at, const char *end)
{
    size_t len = 6;
    if (end - at <= 6 || strncmp(at, "export", len) != 0 || !is_blank(at[len]))
        return 0;
    while (at + len < end && is_blank(at[len]))
        len++;
    return len;
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
    at += export_len(at, end);
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

/* Whether a line that is no NAME=... has something in it that should be told. */
static bool is_stray(const char *at, const char *end)
{
    while (at < end && (is_blank(*at) || *at == '\r'))
        at++;
    if (at == end || *at == '#')
        return false;
    at += export_len(at, end);
    const char *name = at;
    while (at < end && is_foreign_name(*at))
        at++;
    const bool is_named = at > name;
    while (at < end && is_blank(*at))
        at++;
    return !is_named || at == end || *at != '=';
}

/* The quote that an assignment opens and does not close; NUL: none. */
static char left_open(const kk_dotenv_line *line)
{
    if (line->problem != unclosed)
        return '\0';
    const char *at = line->name.data + line->name.len;
    while (is_blank(*at) || *at == '=')
        at++;
    return *at;
}

/* The number of the line in which something is no text; 0: all is. */
static unsigned find_damage(kk_slice text)
{
    const char *nul = text.len > 0 ? memchr(text.data, '\0', text.len) : NULL;
    const size_t sound = kk_utf8_valid_len(text);
    const size_t at =
        nul != NULL && (size_t)(nul - text.data) < sound ? (size_t)(nul - text.data) : sound;
    unsigned number = 1;
    for (size_t i = 0; i < at; i++)
        number += text.data[i] == '\n';
    return at < text.len ? number : 0;
}

int kk_dotenv_read(char *text, size_t len, kk_dotenv_fn *fn, void *user, kk_dotenv_strays *strays)
{
    char *end = text + len;
    char quote = '\0'; /* in which a value of several lines stands */
    unsigned number = 0;
    int status = 0;
    kk_dotenv_strays found = {.damage_line = find_damage((kk_slice){text, len})};
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end && status == 0) {
        kk_dotenv_line line = {.problem = NULL};
        char *eol = memchr(text, '\n', (size_t)(end - text));
        if (eol == NULL)
            eol = end;
        number++;
        const bool closes = quote != '\0' && memchr(text, quote, (size_t)(eol - text)) != NULL;
        if (quote == '\0' && is_stray(text, eol) && found.n++ == 0)
            found.first = number;
        if (read_line(text, eol, &line)) {
            if (quote == '\0')
                quote = left_open(&line);
            line.number = number;
            status = fn(user, &line);
        }
        if (closes)
            quote = '\0';
        text = eol + 1;
    }
    if (strays != NULL)
        *strays = found;
    return status;
}
