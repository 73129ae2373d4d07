#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t fail_at;
static atomic_int fail_on;
static atomic_size_t count;

void kk_alloc_fail_at(size_t k, int persistent)
{
    atomic_store(&count, 0);
    atomic_store(&fail_on, persistent);
    atomic_store(&fail_at, k);
}

size_t kk_alloc_count(void)
{
    return atomic_load(&count);
}

static int must_fail(void)
{
    size_t k = atomic_load_explicit(&fail_at, memory_order_relaxed);
    size_t n = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1;
    if (k == 0)
        return 0;
    return n == k || (n > k && atomic_load_explicit(&fail_on, memory_order_relaxed));
}

void *kk_alloc(size_t size)
{
    return must_fail() ? NULL : malloc(size > 0 ? size : 1);
}

void *kk_calloc(size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size)
        return NULL;
    return must_fail() ? NULL : calloc(n > 0 ? n : 1, size > 0 ? size : 1);
}

void *kk_realloc(void *block, size_t size)
{
    return must_fail() ? NULL : realloc(block, size > 0 ? size : 1);
}

void kk_free(void *block)
{
    free(block);
}

char *kk_strndup(const char *text, size_t len)
{
    char *copy = kk_alloc(len + 1);
    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *kk_strdup(const char *text)
{
    return kk_strndup(text, strlen(text));
}
