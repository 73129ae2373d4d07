/* http_head.c - looks where a parser that works in place has left its strings. */
#include "server/http/http_head.h"

#include <stdint.h>
#include <string.h>

enum { SPACE = 1, LINE_END = 2 };

/* Addresses are compared as numbers: of a bad head they may be of different blocks. */
static bool is_at(const char *text, const char *end, size_t distance)
{
    return (uintptr_t)text == (uintptr_t)end + distance;
}

void kk_head_begin(kk_head *head, const char *method, kk_slice target, const char *version)
{
    head->end = version + strlen(version);
    head->is_good = version[0] != '\0' && is_at(target.data, method + strlen(method), SPACE) &&
                    is_at(version, target.data + target.len, SPACE);
}

void kk_head_add(kk_head *head, const char *name, const char *value)
{
    bool follows = is_at(name, head->end, LINE_END);
    head->is_good = head->is_good && follows && value != NULL;
    if (!head->is_good)
        return;
    const char *colon = name + strlen(name);
    const char *at = colon + 1;
    while ((uintptr_t)at < (uintptr_t)value && (*at == ' ' || *at == '\t'))
        at++;
    head->is_good = at == value;
    head->end = value + strlen(value);
}

bool kk_head_is_good(const kk_head *head, const char *method, size_t head_len)
{
    return head->is_good && is_at(method + head_len, head->end, (size_t)2 * LINE_END);
}
