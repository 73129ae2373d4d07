/*
 * audio.h - stage 5: what is done to the model's samples between chunks. A text of one chunk is
 * left untouched.
 */
#ifndef KK_AUDIO_AUDIO_H
#define KK_AUDIO_AUDIO_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Ready a chunk for being set between others, in place: the first and last few milliseconds of a
 * seam are faded, so that the joint does not click, and where a sentence was cut in its middle the
 * silence at the seam is shortened. Returns the part to play in *start and *n (samples).
 */
typedef struct kk_seam {
    bool before;     /* another chunk comes before */
    bool after;      /* another chunk follows */
    bool cut_before; /* ... and the seam before is inside a sentence */
    bool cut_after;
} kk_seam;

void kk_audio_join(float *samples, size_t n_samples, kk_seam seam, size_t *start, size_t *n);

#endif
