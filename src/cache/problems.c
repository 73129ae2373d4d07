#include "cache/problems.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* The text with what would harm a terminal or a JSON string replaced; `size` bytes with the NUL. */
static void copy_shown(char *dst, size_t size, const char *src)
{
    size_t at = 0;
    kk_slice rest = kk_slice_of(src);
    while (rest.len > 0) {
        uint32_t code_point = 0;
        size_t len = kk_utf8_decode(rest, &code_point);
        const int is_shown = len > 0 && code_point >= 0x20 && code_point != 0x7f &&
                             !(code_point >= 0x80 && code_point < 0xa0);
        const size_t n_out = is_shown ? len : 1;
        if (at + n_out + 1 > size)
            break;
        if (is_shown)
            memcpy(dst + at, rest.data, len);
        else
            dst[at] = '?';
        at += n_out;
        len = len > 0 ? len : 1;
        rest = (kk_slice){rest.data + len, rest.len - len};
    }
    dst[at] = '\0';
}

void kk_problems_add(kk_problems *problems, const char *path, const char *what)
{
    enum { MAX_PATH_LEN = 150 };
    if (problems == NULL)
        return;
    if (problems->n == KK_PROBLEMS_MAX) {
        problems->n_more++;
        return;
    }
    const size_t len = strlen(path);
    const int is_long = len > MAX_PATH_LEN;
    char shown[MAX_PATH_LEN + 1];
    copy_shown(shown, sizeof(shown), is_long ? path + len - MAX_PATH_LEN : path);
    (void)snprintf(problems->text[problems->n++], KK_PROBLEM_SIZE, "%s%s: %s", is_long ? "..." : "",
                   shown, what);
}

void kk_problems_join(kk_problems *dst, const kk_problems *src)
{
    for (size_t i = 0; i < src->n; i++) {
        if (dst->n < KK_PROBLEMS_MAX)
            memcpy(dst->text[dst->n++], src->text[i], KK_PROBLEM_SIZE);
        else
            dst->n_more++;
    }
    dst->n_more += src->n_more;
}
