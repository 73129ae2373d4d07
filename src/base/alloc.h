/*
 * alloc.h - the one way memory is had. Every allocation of the library passes here, so that a test
 * can make the k-th one fail.
 */
#ifndef KK_BASE_ALLOC_H
#define KK_BASE_ALLOC_H

#include <stddef.h>

/* Uninitialised memory for `size` bytes; NULL when there is none. Size 0 gives a pointer that may
 * be freed. */
void *kk_alloc(size_t size);
/* Zeroed memory for n * size bytes; NULL also when the product overflows. */
void *kk_calloc(size_t n, size_t size);
/* As realloc: on failure NULL, and the old block stays. */
void *kk_realloc(void *block, size_t size);
void kk_free(void *block);
/* Copies owned by the caller. */
char *kk_strdup(const char *text);
char *kk_strndup(const char *text, size_t len);

/*
 * Tests: make the k-th allocation from now fail (1 is the next), and with `persistent` every later
 * one too. k 0 switches it off. kk_alloc_count() is the number of allocations since the last call
 * of kk_alloc_fail_at.
 */
void kk_alloc_fail_at(size_t k, int persistent);
size_t kk_alloc_count(void);

#endif
