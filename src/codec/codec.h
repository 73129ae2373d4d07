/*
 * codec.h - stage 6: pcm float to the bytes of a format, pushed to a sink. One encoder lives over a
 * whole answer.
 */
#ifndef KK_CODEC_CODEC_H
#define KK_CODEC_CODEC_H

#include "kokoro/kokoro.h"

#include <stddef.h>
#include <stdint.h>

/* Receives encoded bytes in order; 0 to go on, else the encoder stops and returns CANCELLED. */
typedef int kk_sink_fn(void *user, const void *data, size_t len);

typedef struct kk_codec {
    const char *name;         /* "wav", as in response_format */
    const char *content_type; /* "audio/wav" */
    const struct kk_codec_ops *ops;
} kk_codec;

/* A table ended by a NULL name. */
extern const kk_codec kk_codecs[];
/* NULL for an unknown name. */
const kk_codec *kk_codec_find(const char *name);
/* "wav, pcm": for messages. */
const char *kk_codec_names(void);

typedef struct kk_encoder kk_encoder;

/* n_samples as far as it is known, for exact sizes in headers. */
#define KK_SAMPLES_UNKNOWN UINT64_MAX

/* NO_MEMORY, CANCELLED (the sink refused the header). On failure *out is NULL. */
int kk_encoder_open(kk_encoder **out, const kk_codec *codec, uint64_t n_samples, kk_sink_fn *sink,
                    void *user, kokoro_error *err);
int kk_encoder_write(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err);
/* Flush. The encoder stays open until it is closed. INVALID when fewer or more samples came than
 * were announced. */
int kk_encoder_finish(kk_encoder *encoder, kokoro_error *err);
void kk_encoder_close(kk_encoder **encoder);

/* The 16-bit value of a sample: clamped to [-1, 1], times 32767, rounded to the nearest (ties to
 * even); NaN is 0. */
int16_t kk_sample_s16(float sample);

enum { KK_WAV_HEADER_LEN = 44 };
/* The 44 bytes in front of 16-bit 24 kHz mono; KK_SAMPLES_UNKNOWN (or more than the
 * fields hold) gives the streaming sentinel 0xFFFFFFFF in both. */
void kk_wav_header(unsigned char dst[KK_WAV_HEADER_LEN], uint64_t n_samples);

#endif
