/*
 * codec_impl.h - what one format gives to codec.c. A new format is a file with a kk_codec_ops, a
 * declaration here and a row in the table of codec.c.
 */
#ifndef KK_CODEC_CODEC_IMPL_H
#define KK_CODEC_CODEC_IMPL_H

#include "codec/codec.h"

struct kk_encoder {
    const kk_codec *codec;
    kk_sink_fn *sink;
    void *user;
    uint64_t n_samples; /* announced at the start; KK_SAMPLES_UNKNOWN */
    uint64_t n_written;
};

struct kk_codec_ops {
    /* What stands in front of the samples. */
    int (*begin)(kk_encoder *encoder, kokoro_error *err);
    int (*write)(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err);
    /* What stands behind them. */
    int (*finish)(kk_encoder *encoder, kokoro_error *err);
};

extern const struct kk_codec_ops kk_pcm_ops, kk_wav_ops;

/* Hand bytes to the sink: OK, or CANCELLED when it refuses them. */
int kk_encoder_push(kk_encoder *encoder, const void *data, size_t len, kokoro_error *err);
/* 16-bit samples, shared by pcm and wav. */
int kk_pcm_write(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err);

#endif
