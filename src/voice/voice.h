/*
 * voice.h - stage 3b: a voice expression and a chunk's length to the style vector the model is
 * steered by.
 *
 * A voice is a table of 510 rows of 256 floats, one row a number of phonemes: row n - 1 for n
 * phonemes (the first 128 style the decoder, the last 128 the prosody). A blend is the weighted
 * mean of the voices' rows:
 *
 *     af_bella(2)+af_sky(1)      two parts af_bella, one part af_sky; a weight left out is 1
 */
#ifndef KK_VOICE_VOICE_H
#define KK_VOICE_VOICE_H

#include "base/file.h"
#include "kokoro/kokoro.h"
#include "text/text.h"

#include <stddef.h>

enum {
    KK_STYLE_SIZE = 256,
    KK_VOICE_ROWS = KOKORO_MAX_PHONEMES,
    KK_BLEND_MAX = 16,
    KK_N_MEASURED_VOICES = 54 /* whose loudness is known: those of Kokoro-82M 1.0 */
};

typedef struct kk_voices kk_voices;

/* Map a packed voices file. NOT_FOUND, IO, BAD_DATA, NO_MEMORY. */
int kk_voices_open(kk_voices **out, const char *path, kokoro_error *err);
void kk_voices_close(kk_voices **voices);
size_t kk_voices_count(const kk_voices *voices);
/* Voices in alphabetical order; index < count. */
kokoro_voice kk_voices_get(const kk_voices *voices, size_t index);

typedef struct kk_blend {
    size_t index[KK_BLEND_MAX];
    float weight[KK_BLEND_MAX]; /* sums to 1 */
    size_t n;
} kk_blend;

/* Read a voice expression. VOICE: unknown name (near ones are named), bad weight, too many parts.
 */
int kk_blend_parse(const kk_voices *voices, const char *text, kk_blend *out, kokoro_error *err);
/* The first voice's language; LANGUAGE where it is one we do not speak yet. */
int kk_blend_language(const kk_voices *voices, const kk_blend *blend, enum kk_language *out,
                      kokoro_error *err);
/* style[256] for a chunk of n_phonemes (1 to 510). */
void kk_blend_style(const kk_voices *voices, const kk_blend *blend, size_t n_phonemes,
                    float style[KK_STYLE_SIZE]);
/* Integrated loudness of its speech, in LUFS. LOUDNESS: a voice that was never measured. */
int kk_blend_loudness(const kk_voices *voices, const kk_blend *blend, double *lufs,
                      kokoro_error *err);

#endif
