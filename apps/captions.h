/*
 * captions.h - when the words of a text are heard, as a file: .json with every word, .srt and .vtt
 * with captions of a few words each.
 */
#ifndef KK_APPS_CAPTIONS_H
#define KK_APPS_CAPTIONS_H

#include "base/str.h"
#include "kokoro/kokoro.h"

/* All zero is empty. */
typedef struct kk_captions {
    kokoro_timed_word *words; /* [n], in their order */
    size_t n, capacity;
    bool failed; /* memory is out */
} kk_captions;

/* Whether the ending of a path names a form that is made. */
bool kk_captions_is_made(const char *path);
void kk_captions_add(kk_captions *captions, const kokoro_chunk *chunk);
/* Write the file; `text` is that of the request. NO_MEMORY, IO. */
int kk_captions_write(const kk_captions *captions, const char *path, kk_slice text,
                      kokoro_error *err);
void kk_captions_fini(kk_captions *captions);

#endif
