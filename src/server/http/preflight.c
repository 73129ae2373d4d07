/*
 * preflight.c - the names go out in as many lines as they need: a list may be told in several
 * (RFC 9110, 5.3), and a browser joins them.
 */
#include "server/http/preflight.h"

#include <stdio.h>
#include <string.h>

static const char allowed[] = "Access-Control-Allow-Headers";

/* Bytes of a line, which is a header's value; lines beside the first. */
enum { LINE_SIZE = 160, MAX_LINES = 8 };

typedef struct line {
    char text[LINE_SIZE];
    size_t len, n_lines;
} line;

static void send_line(line *l, kk_http_response *response)
{
    if (l->len == 0 || l->n_lines == MAX_LINES)
        return;
    kk_http_add_header(response, allowed, "%s", l->text);
    l->n_lines++;
    l->len = 0;
}

static void add_name(line *l, kk_slice name, kk_http_response *response)
{
    if (!kk_http_is_name(name) || name.len >= LINE_SIZE)
        return;
    if (l->len + 2 + name.len >= LINE_SIZE)
        send_line(l, response);
    if (l->n_lines == MAX_LINES)
        return;
    l->len += (size_t)snprintf(l->text + l->len, LINE_SIZE - l->len, "%s%.*s",
                               l->len > 0 ? ", " : "", (int)name.len, name.data);
}

void kk_preflight_allow_headers(const kk_http_request *request, kk_http_response *response)
{
    line l = {.len = 0};
    const char *asked = kk_http_header(request, "Access-Control-Request-Headers");
    kk_http_add_header(response, allowed, "Authorization, Content-Type, X-API-Key, X-Request-Id");
    kk_http_add_header(response, "Vary", "Access-Control-Request-Headers");
    for (; asked != NULL && *asked != '\0'; asked += *asked == ',') {
        const size_t len = strcspn(asked, ",");
        add_name(&l, kk_slice_trim((kk_slice){asked, len}), response);
        asked += len;
    }
    send_line(&l, response);
}
