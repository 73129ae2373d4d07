/* json.c - small helpers around jansson. */
#include "server/json.h"

#include "base/alloc.h"

#include <math.h>

static _Thread_local bool no_memory;

static void *alloc(size_t size)
{
    void *block = kk_alloc(size);
    if (block == NULL)
        no_memory = true;
    return block;
}

void kk_json_use_kk_alloc(void)
{
    json_set_alloc_funcs(alloc, kk_free);
}

bool kk_json_take_no_memory(void)
{
    bool was = no_memory;
    no_memory = false;
    return was;
}

static int append(const char *data, size_t len, void *user)
{
    kk_buf *dst = user;
    kk_buf_append(dst, data, len);
    return dst->failed ? -1 : 0;
}

static void write_text(kk_buf *dst, json_t *object, size_t flags)
{
    if (object == NULL || json_dump_callback(object, append, dst, JSON_COMPACT | flags) != 0)
        dst->failed = true;
    json_decref(object);
}

void kk_json_write(kk_buf *dst, json_t *object)
{
    write_text(dst, object, JSON_REAL_PRECISION(15));
}

void kk_json_write_sorted(kk_buf *dst, json_t *object)
{
    write_text(dst, object, JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
}

json_t *kk_json_real(double value)
{
    return json_real(isfinite(value) ? round(value * 1e6) / 1e6 : 0.0);
}

size_t kk_json_depth(kk_slice text)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}
