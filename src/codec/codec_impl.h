/*
 * codec_impl.h - what one format gives to codec.c. A new format is a file with a kk_codec_ops, a
 * declaration here and a row in the table of codec.c.
 */
#ifndef KK_CODEC_CODEC_IMPL_H
#define KK_CODEC_CODEC_IMPL_H

#include "codec/codec.h"
#include "codec/limiter.h"
#include "codec/resample.h"

#include <stdbool.h>

struct kk_encoder {
    const kk_codec *codec;
    kk_sink_fn *sink;
    void *user;
    uint64_t n_announced;    /* of 24 kHz; KK_SAMPLES_UNKNOWN */
    uint64_t n_written;      /* of 24 kHz */
    kk_resampler *resampler; /* NULL: the rate stays */
    float factor;            /* volume and gain */
    kk_limiter *limiter;     /* NULL: the factor is 1 at most */

    /* What the formats see. */
    int sample_rate_hz; /* of the samples that come */
    int asked_hz;       /* what is in them reaches to half of it */
    int wished_hz;      /* the same; 0: none was asked for */
    int bitrate_kbps;
    uint64_t n_samples; /* of sample_rate_hz, that will come; KK_SAMPLES_UNKNOWN */
    uint64_t n_given;   /* of sample_rate_hz, given to the format so far */
    bool is_refused;    /* by the sink */
    void *state;        /* the format's own */
};

struct kk_codec_ops {
    /* What stands in front of the samples. */
    int (*begin)(kk_encoder *encoder, kokoro_error *err);
    /* Samples are within [-1, 1]. */
    int (*write)(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err);
    /* What stands behind them. */
    int (*finish)(kk_encoder *encoder, kokoro_error *err);
    /* Frees `state`, which may be NULL; NULL: there is none. */
    void (*close)(kk_encoder *encoder);
    /* As kk_encoder_head; NULL: the beginning stays as it is. */
    size_t (*head)(const kk_encoder *encoder, unsigned char dst[KK_HEAD_MAX]);
    /* As kk_codec_is_there; NULL: always. */
    int (*is_there)(kokoro_error *err);
    /* Whether the bitrate is one of this format at this rate; if not, *err says which are. NULL:
     * the format has none. */
    int (*check_bitrate)(int sample_rate_hz, int bitrate_kbps, kokoro_error *err);
    int (*default_bitrate)(int sample_rate_hz); /* NULL with check_bitrate */
    int decoded_hz;                             /* 0: the rate asked for */
};

extern const struct kk_codec_ops kk_pcm_ops, kk_wav_ops, kk_flac_ops, kk_mp3_ops, kk_opus_ops,
    kk_aac_ops;

/* Gather samples into blocks of `size`; each that is full goes to `send`, which empties it. */
int kk_encoder_gather(kk_encoder *encoder, float *block, size_t size, size_t *n_block,
                      const float *samples, size_t n,
                      int (*send)(kk_encoder *encoder, kokoro_error *err), kokoro_error *err);
/* Hand bytes to the sink: OK, or CANCELLED when it refuses them. */
int kk_encoder_push(kk_encoder *encoder, const void *data, size_t len, kokoro_error *err);

/* Four bytes, the least first. */
void kk_put_u32(unsigned char *dst, uint32_t value);

#endif
