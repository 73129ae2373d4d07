#include "base/arena.h"

#include "base/alloc.h"

#include <stdint.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024, SMALL_ALIGN = 16, LARGE_ALIGN = 64 };

struct kk_arena_block {
    struct kk_arena_block *next;
    size_t size; /* bytes of data */
    size_t used;
    unsigned char *data; /* the first LARGE_ALIGN boundary behind this head */
};

static struct kk_arena_block *new_block(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct kk_arena_block) - LARGE_ALIGN)
        return NULL;
    struct kk_arena_block *block = kk_alloc(sizeof(*block) + LARGE_ALIGN + size);
    if (block == NULL)
        return NULL;
    uintptr_t start = (uintptr_t)(block + 1);
    block->data =
        (unsigned char *)(block + 1) + ((LARGE_ALIGN - start % LARGE_ALIGN) % LARGE_ALIGN);
    block->size = size;
    block->used = 0;
    block->next = NULL;
    return block;
}

void *kk_arena_alloc(kk_arena *arena, size_t size)
{
    size_t align = size >= LARGE_ALIGN ? LARGE_ALIGN : SMALL_ALIGN;
    struct kk_arena_block *block = arena->blocks;
    size_t start = block ? (block->used + align - 1) / align * align : 0;
    if (block == NULL || start > block->size || size > block->size - start) {
        block = new_block(size > BLOCK_SIZE ? size : BLOCK_SIZE);
        if (block == NULL)
            return NULL;
        start = 0;
        /* A block of its own for one large item goes behind the current one, whose room is still
         * wanted. */
        if (size > BLOCK_SIZE / 2 && arena->blocks != NULL) {
            block->next = arena->blocks->next;
            arena->blocks->next = block;
        } else {
            block->next = arena->blocks;
            arena->blocks = block;
        }
    }
    block->used = start + size;
    return block->data + start;
}

void *kk_arena_calloc(kk_arena *arena, size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size)
        return NULL;
    void *data = kk_arena_alloc(arena, n * size);
    if (data != NULL)
        memset(data, 0, n * size);
    return data;
}

char *kk_arena_strndup(kk_arena *arena, const char *text, size_t len)
{
    char *copy = kk_arena_alloc(arena, len + 1);
    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *kk_arena_strdup(kk_arena *arena, const char *text)
{
    return kk_arena_strndup(arena, text, strlen(text));
}

void *kk_arena_grow(kk_arena *arena, void *items, size_t n_used, size_t n_needed, size_t size,
                    size_t *capacity)
{
    if (items != NULL && n_needed <= *capacity)
        return items;
    size_t n = *capacity > 0 ? *capacity : 8;
    while (n < n_needed) {
        if (n > SIZE_MAX / 2 / size)
            return NULL;
        n *= 2;
    }
    void *bigger = kk_arena_alloc(arena, n * size);
    if (bigger == NULL)
        return NULL;
    if (items != NULL && n_used > 0)
        memcpy(bigger, items, n_used * size);
    *capacity = n;
    return bigger;
}

void kk_arena_fini(kk_arena *arena)
{
    struct kk_arena_block *block = arena->blocks;
    while (block != NULL) {
        struct kk_arena_block *next = block->next;
        kk_free(block);
        block = next;
    }
    arena->blocks = NULL;
}
