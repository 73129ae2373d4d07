/* progress.c - see progress.h. */
#include "progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 24 };

void kk_progress_start(kk_progress *progress)
{
    *progress = (kk_progress){.start_s = kk_now_s()};
}

void kk_progress_step(kk_progress *progress, size_t done, size_t n, double audio_s)
{
    char bar[WIDTH + 1];
    progress->audio_s += audio_s;
    if (n < 2 || !isatty(STDERR_FILENO))
        return;
    size_t filled = WIDTH * done / n;
    memset(bar, '.', WIDTH);
    memset(bar, '#', filled);
    bar[WIDTH] = '\0';
    double left_s = (kk_now_s() - progress->start_s) / (double)done * (double)(n - done);
    (void)fprintf(stderr, "\r[%s] chunk %zu of %zu, %.0f s of audio, %.0f s left\033[K", bar, done,
                  n, progress->audio_s, left_s);
    (void)fflush(stderr);
    progress->is_shown = true;
}

void kk_progress_end(kk_progress *progress)
{
    if (progress->is_shown)
        (void)fputs("\r\033[K", stderr);
    progress->is_shown = false;
}
