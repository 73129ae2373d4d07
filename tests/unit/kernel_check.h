/*
 * kernel_check.h - what the tests of kernels share: buffers that end where memory ends, so that a
 * read or write beyond one is a fault and not luck; numbers without libc's random; the tables that
 * this CPU runs.
 */
#ifndef KK_TESTS_KERNEL_CHECK_H
#define KK_TESTS_KERNEL_CHECK_H

#include "check.h"
#include "kernels/kernels.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Half a unit in the last place of 1.0f: the error of one rounding. */
static const double HALF_ULP = 0x1p-24;

enum { EDGE_SIZE = 4 << 20, EDGE_SLOTS = 12, EDGE_CANARY = 0xA5 };

typedef struct edge {
    unsigned char *base; /* EDGE_SIZE bytes and a page that may not be touched */
    size_t size;         /* taken */
} edge;

static edge edges[EDGE_SLOTS];

/* `size` bytes in a slot that end at an unmapped page; the 64 bytes before hold canaries. */
static inline void *edge_take(size_t slot, size_t size)
{
    edge *e = &edges[slot];
    if (slot >= EDGE_SLOTS || size + 64 > EDGE_SIZE)
        exit(2);
    if (e->base == NULL) {
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        void *base = mmap(NULL, EDGE_SIZE + page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED || mprotect((unsigned char *)base + EDGE_SIZE, page, PROT_NONE) != 0)
            exit(2);
        e->base = base;
    }
    e->size = size;
    memset(e->base + EDGE_SIZE - size - 64, EDGE_CANARY, 64 + size);
    return e->base + EDGE_SIZE - size;
}

/* Nothing was written before the slot's block. */
static inline bool edge_is_whole(size_t slot)
{
    const unsigned char *canary = edges[slot].base + EDGE_SIZE - edges[slot].size - 64;
    for (size_t i = 0; i < 64; i++) {
        if (canary[i] != EDGE_CANARY)
            return false;
    }
    return true;
}

static inline float *edge_floats(size_t slot, size_t n)
{
    return edge_take(slot, n * sizeof(float));
}

/* A number in [-1, 1) of a linear congruential generator (Knuth, MMIX). */
static inline float any_number(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)((int32_t)(state >> 40) - (1 << 23)) * 0x1p-23f;
}

static inline void fill_any(float *dst, size_t n, float size)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = any_number() * size;
}

/* A copy at the edge. */
static inline float *edge_copy(size_t slot, const float *src, size_t n)
{
    float *dst = edge_floats(slot, n);
    memcpy(dst, src, n * sizeof(float));
    return dst;
}

/* The tables that this CPU runs; NULL behind the last. */
static inline const kk_kernels *runnable_table(size_t i)
{
    for (size_t at = 0; kk_kernels_all[at] != NULL; at++) {
        const kk_kernels *table = kk_kernels_all[at];
        if (kk_kernels_choose(table->name) == table && i-- == 0)
            return table;
    }
    return NULL;
}

#define FOR_EACH_TABLE(table)                                                                      \
    for (size_t table##_at = 0; table##_at < 8; table##_at++)                                      \
        for (const kk_kernels *table = runnable_table(table##_at); table != NULL; table = NULL)

/* The largest of what was seen, for bounds that are stated beside it. */
static inline void keep_largest(double *largest, double value)
{
    if (!(value <= *largest)) /* NaN is the largest of all */
        *largest = value;
}

/* Show a measured error and hold it to its limit. */
#define CHECK_ERROR(table, what, measured, limit)                                                  \
    do {                                                                                           \
        printf("  %-10s %-22s %.3g of %.3g\n", (table)->name, what, (double)(measured),            \
               (double)(limit));                                                                   \
        CHECK((measured) <= (limit));                                                              \
    } while (0)

#endif
