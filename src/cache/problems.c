#include "cache/problems.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

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
    (void)kk_text_shown(shown, sizeof(shown), is_long ? path + len - MAX_PATH_LEN : path);
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
