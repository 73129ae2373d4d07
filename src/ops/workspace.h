/*
 * workspace.h - memory of one inference: reserved once from the plan, handed out as a stack.
 *
 *     kk_mark mark = kk_workspace_mark(ws);
 *     float *x = kk_workspace_floats(ws, n);     // 64-byte aligned, uninitialised
 *     kk_workspace_release(ws, mark);            // everything since the mark
 *
 * Pages are touched as they are used, so a generous reservation costs nothing.
 */
#ifndef KK_OPS_WORKSPACE_H
#define KK_OPS_WORKSPACE_H

#include "kokoro/kokoro.h"

#include <stddef.h>
#include <stdint.h>

typedef struct kk_workspace {
    unsigned char *base;
    size_t size, used, peak;
    int overflown; /* an allocation did not fit: the plan was wrong */
} kk_workspace;

typedef size_t kk_mark;

/* At least `size` bytes, all free. What was handed out before is gone. NO_MEMORY. */
int kk_workspace_reserve(kk_workspace *ws, size_t size, kokoro_error *err);
void kk_workspace_fini(kk_workspace *ws);
/* Give the pages beyond `keep` bytes, and the rest of a huge page, back to the system; the
 * reservation stays. */
void kk_workspace_trim(kk_workspace *ws, size_t keep);

/* NULL when the reservation is used up. */
void *kk_workspace_alloc(kk_workspace *ws, size_t size);
float *kk_workspace_floats(kk_workspace *ws, size_t n);

kk_mark kk_workspace_mark(const kk_workspace *ws);
void kk_workspace_release(kk_workspace *ws, kk_mark mark);

#endif
