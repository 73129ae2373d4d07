/* workspace.c - see workspace.h. Anonymous mappings, asked for in huge pages where there are such.
 */
#define _GNU_SOURCE
#include "ops/ops.h"

#include "base/alloc.h"
#include "base/status.h"

#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, PAGE = 4096, HUGE_PAGE = 2 * 1024 * 1024 };

int kk_workspace_reserve(kk_workspace *ws, size_t size, kokoro_error *err)
{
    ws->used = 0;
    ws->peak = 0;
    ws->overflown = 0;
    if (size <= ws->size)
        return KOKORO_OK;
    kk_workspace_fini(ws);
    size = (size + PAGE - 1) / PAGE * PAGE;
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return kk_fail(err, KOKORO_NO_MEMORY, "no memory for %zu MB of intermediate values",
                       size >> 20);
#if defined(MADV_HUGEPAGE)
    (void)madvise(base, size, MADV_HUGEPAGE);
#endif
    ws->base = base;
    ws->size = size;
    return KOKORO_OK;
}

void kk_workspace_fini(kk_workspace *ws)
{
    if (ws->base != NULL)
        munmap(ws->base, ws->size);
    *ws = (kk_workspace){NULL, 0, 0, 0, 0};
}

void kk_workspace_trim(kk_workspace *ws, size_t keep)
{
    /* Half a huge page would not be given back, and be taken anew in small ones. */
    keep = (keep + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (ws->base != NULL && keep < ws->size)
        (void)madvise(ws->base + keep, ws->size - keep, MADV_DONTNEED);
}

void kk_ops_forget_weights(const kk_ops *ops)
{
    if (ops->mapped_weights == NULL)
        return;
    unsigned char *start = NULL;
    memcpy(&start, &ops->mapped_weights, sizeof(start)); /* madvise only reads its address */
    (void)madvise(start, ops->mapped_len, MADV_DONTNEED);
}

void *kk_workspace_alloc(kk_workspace *ws, size_t size)
{
    if (size > ws->size || (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT > ws->size - ws->used) {
        ws->overflown = 1;
        return NULL;
    }
    void *block = ws->base + ws->used;
    ws->used += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (ws->used > ws->peak)
        ws->peak = ws->used;
    return block;
}

float *kk_workspace_floats(kk_workspace *ws, size_t n)
{
    return n > SIZE_MAX / sizeof(float) ? NULL : kk_workspace_alloc(ws, n * sizeof(float));
}

kk_mark kk_workspace_mark(const kk_workspace *ws)
{
    return ws->used;
}

void kk_workspace_release(kk_workspace *ws, kk_mark mark)
{
    ws->used = mark;
}
