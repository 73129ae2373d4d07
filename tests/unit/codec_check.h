/*
 * codec_check.h - what the tests of the formats share: a sound that is known at every moment, so
 * that it is known at every rate; and a reader for each format, which gives what a decoder gives.
 */
#ifndef KK_TESTS_CODEC_CHECK_H
#define KK_TESTS_CODEC_CHECK_H

#include "base/str.h"
#include "codec/codec.h"

#include <stdbool.h>
#include <stddef.h>

/* Some harmonics below 2.2 kHz that come and go, within [-0.8, 0.8], at t seconds. */
double sound_at(double t_s);
/* [n] of it at 24 kHz; the caller frees it with free(). */
float *make_sound(size_t n);

/* kk_sink_fn into a kk_buf. */
int keep_bytes(void *user, const void *data, size_t len);

/* All of it in one go; the status of the call that failed first. */
int encode_whole(const char *format, const kk_encoding *encoding, uint64_t announced,
                 const float *samples, size_t n, kk_buf *out);

/* What is in the bytes of a format. */
typedef struct decoded {
    float *samples; /* [n]; NULL where the reader only counts */
    size_t n, capacity;
    int sample_rate_hz;
    size_t frame_samples; /* of the formats made of frames */
    size_t n_frames;
    int bitrate_kbps; /* mp3: of the first frame */
    bool is_whole;    /* no byte was strange, none was left, and the end was marked as such */
} decoded;

void decode(decoded *out, const char *format, const kk_buf *bytes, int pcm_rate_hz);
void decoded_free(decoded *d);

/* Decibels of the sound over what differs, d->samples[i] being of moment i - delay; the 20 ms at
 * both ends are left out. */
double snr_db(const decoded *d, size_t n_sound, size_t delay);

#endif
