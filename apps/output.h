/*
 * output.h - where the samples of `say` go: a file, a stream that cannot be rewound, a player.
 */
#ifndef KK_APPS_OUTPUT_H
#define KK_APPS_OUTPUT_H

#include "codec/codec.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct kk_output kk_output;

/*
 * Open `path`; "-" is standard output. A regular or new file is made beside its place and renamed
 * when it is whole; anything else (pipe, device) is written in order. IO, NOT_FOUND, NO_MEMORY.
 */
int kk_output_open(kk_output **out, const char *path, const kk_codec *codec,
                   const kk_encoding *encoding, kokoro_error *err);

/* The first of pw-play, aplay and ffplay in PATH. NOT_FOUND names them. It gets a WAV: a bitrate
 * has no place in `encoding`. */
int kk_output_open_player(kk_output **out, const kk_encoding *encoding, kokoro_error *err);

/* Before the first kk_output_write: the gain of kk_encoding, which is known late. */
void kk_output_set_gain(kk_output *output, double gain_db);

/* n_total: samples of the whole sound, so that its sizes are known; else KK_SAMPLES_UNKNOWN. */
int kk_output_write(kk_output *output, const float *samples, size_t n, uint64_t n_total,
                    kokoro_error *err);

/* Give out what is still held back, put the file into its place, wait for the player. */
int kk_output_finish(kk_output *output, kokoro_error *err);

/* Without a finish before nothing of a file is left. Sets *output to NULL. */
void kk_output_close(kk_output **output);

#endif
