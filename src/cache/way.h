/*
 * way.h - one way to run the model: what benchmarks compare, the record recommends and an engine
 * is opened with.
 */
#ifndef KK_CACHE_WAY_H
#define KK_CACHE_WAY_H

#include <stdbool.h>
#include <stddef.h>

enum { KK_WAY_NAME = 16, KK_WAY_TEXT = 64 };

typedef struct kk_way {
    char provider[KK_WAY_NAME];  /* "native", "onnxruntime", "openvino" */
    char precision[KK_WAY_NAME]; /* "bf16", "f32", "file" */
    int n_threads;               /* 1 or more */
} kk_way;

/* Equal in all three. */
bool kk_way_equal(const kk_way *a, const kk_way *b);

/* "native bf16, 2 threads" */
void kk_way_text(const kk_way *way, char text[KK_WAY_TEXT]);

#endif
