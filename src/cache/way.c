/* way.c - see way.h. */
#include "cache/way.h"

#include <stdio.h>
#include <string.h>

bool kk_way_equal(const kk_way *a, const kk_way *b)
{
    return strcmp(a->provider, b->provider) == 0 && strcmp(a->precision, b->precision) == 0 &&
           a->n_threads == b->n_threads;
}

void kk_way_text(const kk_way *way, char text[KK_WAY_TEXT])
{
    (void)snprintf(text, KK_WAY_TEXT, "%s %s, %d thread%s", way->provider, way->precision,
                   way->n_threads, way->n_threads == 1 ? "" : "s");
}
