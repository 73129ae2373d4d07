/*
 * arena.h - memory of one request: many small blocks, freed at once.
 *
 *     kk_arena arena = KK_ARENA_INIT;
 *     char *copy = kk_arena_strndup(&arena, text, len);     // NULL when memory is out
 *     kk_arena_fini(&arena);
 *
 * Not safe for several threads at once.
 */
#ifndef KK_BASE_ARENA_H
#define KK_BASE_ARENA_H

#include <stddef.h>

typedef struct kk_arena {
    struct kk_arena_block *blocks; /* newest first */
} kk_arena;

#define KK_ARENA_INIT                                                                              \
    {                                                                                              \
        NULL                                                                                       \
    }

/* Memory aligned to 64 bytes for sizes of 64 bytes and more, to 16 below; uninitialised; NULL when
 * there is none. */
void *kk_arena_alloc(kk_arena *arena, size_t size);
/* n * size zeroed bytes; NULL also on overflow. */
void *kk_arena_calloc(kk_arena *arena, size_t n, size_t size);
char *kk_arena_strndup(kk_arena *arena, const char *text, size_t len);
char *kk_arena_strdup(kk_arena *arena, const char *text);
/*
 * Grow an array in place of its doubling: returns room for at least n_needed items of `size` bytes
 * with the first n_used copied, and the new capacity in *capacity. The old array stays in the arena
 * until it is freed.
 */
void *kk_arena_grow(kk_arena *arena, void *items, size_t n_used, size_t n_needed, size_t size,
                    size_t *capacity);
/* Free everything; the arena may be used again. */
void kk_arena_fini(kk_arena *arena);

#endif
