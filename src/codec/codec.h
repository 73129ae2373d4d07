/*
 * codec.h - stage 6: pcm float to the bytes of a format, pushed to a sink. One encoder lives over a
 * whole answer:
 *
 *     samples 24 kHz → sample rate → loudness and volume, within [-1, 1] → format → sink
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
/* "mp3, opus, ...": for messages. */
const char *kk_codec_names(void);
/* Whether it can be made here; PROVIDER where a library is missing, with the way to get it. */
int kk_codec_is_there(const kk_codec *codec, kokoro_error *err);

/* How a format is to be made. */
typedef struct kk_encoding {
    int sample_rate_hz; /* of kk_sample_rates; 0: 24000. Opus is coded at 48000 always; of it this
                           says how wide the sound is, and what its head tells as the original */
    int bitrate_kbps;   /* 0: what suits the format */
    double volume;      /* factor, 0 to KK_VOLUME_MAX; 1: as the model made it */
    double gain_db;     /* what brings the voice to a loudness, besides the volume; 0: nothing. What
                           both make too loud is turned down around its peaks (limiter.h) */
} kk_encoding;

#define KK_ENCODING_INIT                                                                           \
    {                                                                                              \
        0, 0, 1.0, 0.0                                                                             \
    }
#define KK_VOLUME_MAX 2.0

/* Ended by 0. */
extern const int kk_sample_rates[];

enum kk_encoding_field { KK_ENCODING_SAMPLE_RATE, KK_ENCODING_BITRATE, KK_ENCODING_VOLUME };

/* INVALID when the format cannot be made so, with what would be right; *field says of what. */
int kk_codec_check(const kk_codec *codec, const kk_encoding *encoding,
                   enum kk_encoding_field *field, kokoro_error *err);

/* Samples a second of what a decoder gives back. */
int kk_codec_rate_hz(const kk_codec *codec, const kk_encoding *encoding);

typedef struct kk_encoder kk_encoder;

/* n_samples as far as it is known, for exact sizes in headers. */
#define KK_SAMPLES_UNKNOWN UINT64_MAX

/* n_samples: of 24 kHz, that will come. NO_MEMORY, CANCELLED (the sink refused the header), and
 * the statuses of kk_codec_check and kk_codec_is_there. On failure *out is NULL. */
int kk_encoder_open(kk_encoder **out, const kk_codec *codec, const kk_encoding *encoding,
                    uint64_t n_samples, kk_sink_fn *sink, void *user, kokoro_error *err);
/* The samples are those of the model: 24 kHz. */
int kk_encoder_write(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err);
/* Flush. The encoder stays open until it is closed. INVALID when fewer or more samples came than
 * were announced. */
int kk_encoder_finish(kk_encoder *encoder, kokoro_error *err);
void kk_encoder_close(kk_encoder **encoder);

/*
 * After kk_encoder_finish: what would have stood at the very beginning had the length been known
 * then, for a receiver that kept all bytes and can put them there. Returns how many bytes, 0 where
 * the beginning stays as it is.
 */
enum { KK_HEAD_MAX = 64 };
size_t kk_encoder_head(const kk_encoder *encoder, unsigned char dst[KK_HEAD_MAX]);

/* The 16-bit value of a sample: clamped to [-1, 1], times 32767, rounded to the nearest (ties to
 * even); NaN is 0. */
int16_t kk_sample_s16(float sample);

enum { KK_WAV_HEADER_LEN = 44 };
/* The 44 bytes in front of 16-bit mono; KK_SAMPLES_UNKNOWN (or more than the fields hold) gives the
 * streaming sentinel 0xFFFFFFFF in both. n_samples are of sample_rate_hz. */
void kk_wav_header(unsigned char dst[KK_WAV_HEADER_LEN], int sample_rate_hz, uint64_t n_samples);

#endif
