/* progress.h - a bar on standard error while a long text is spoken; silent unless that is a
 * terminal. */
#ifndef KK_APPS_PROGRESS_H
#define KK_APPS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct kk_progress {
    bool is_shown;
    double start_s; /* of the first chunk's work */
    double audio_s; /* so far */
} kk_progress;

void kk_progress_start(kk_progress *progress);
/* `done` of `n` chunks are made, the last of them `audio_s` long. */
void kk_progress_step(kk_progress *progress, size_t done, size_t n, double audio_s);
/* Clear the line. */
void kk_progress_end(kk_progress *progress);

#endif
