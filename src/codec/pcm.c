/*
 * pcm.c - the formats without compression: bare 16-bit samples, and WAV (RIFF, "Multimedia
 * Programming Interface and Data Specifications 1.0", 1991), which is a header in front of them.
 */
#include "codec/codec_impl.h"

#include <math.h>
#include <string.h>

enum { BYTES_PER_SAMPLE = 2, PIECE_SAMPLES = 2048 };

int16_t kk_sample_s16(float sample)
{
    if (!(sample == sample))
        return 0;
    float clamped = sample > 1.0F ? 1.0F : sample < -1.0F ? -1.0F : sample;
    return (int16_t)lrintf(clamped * 32767.0F);
}

static void put_u16(unsigned char *dst, unsigned value)
{
    dst[0] = (unsigned char)(value & 0xFFU);
    dst[1] = (unsigned char)(value >> 8 & 0xFFU);
}

void kk_put_u32(unsigned char *dst, uint32_t value)
{
    put_u16(dst, value & 0xFFFFU);
    put_u16(dst + 2, value >> 16);
}

static int pcm_write(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    unsigned char piece[PIECE_SAMPLES * BYTES_PER_SAMPLE];
    int status = KOKORO_OK;
    while (n > 0 && status == KOKORO_OK) {
        size_t now = n < PIECE_SAMPLES ? n : PIECE_SAMPLES;
        for (size_t i = 0; i < now; i++)
            put_u16(piece + i * BYTES_PER_SAMPLE, (uint16_t)kk_sample_s16(samples[i]));
        status = kk_encoder_push(encoder, piece, now * BYTES_PER_SAMPLE, err);
        samples += now;
        n -= now;
    }
    return status;
}

static int nothing(kk_encoder *encoder, kokoro_error *err)
{
    (void)encoder;
    (void)err;
    return KOKORO_OK;
}

void kk_wav_header(unsigned char dst[KK_WAV_HEADER_LEN], int sample_rate_hz, uint64_t n_samples)
{
    enum { IN_FRONT = KK_WAV_HEADER_LEN - 8 }; /* of the data, counted by the RIFF size */
    uint32_t riff_len = UINT32_MAX, data_len = UINT32_MAX;
    if (n_samples <= (UINT32_MAX - IN_FRONT) / BYTES_PER_SAMPLE) {
        data_len = (uint32_t)n_samples * BYTES_PER_SAMPLE;
        riff_len = data_len + IN_FRONT;
    }
    memcpy(dst, "RIFF", 4);
    kk_put_u32(dst + 4, riff_len);
    memcpy(dst + 8, "WAVEfmt ", 8);
    kk_put_u32(dst + 16, 16); /* length of what follows up to "data" */
    put_u16(dst + 20, 1);     /* integer PCM */
    put_u16(dst + 22, 1);     /* channels */
    kk_put_u32(dst + 24, (uint32_t)sample_rate_hz);
    kk_put_u32(dst + 28, (uint32_t)sample_rate_hz * BYTES_PER_SAMPLE);
    put_u16(dst + 32, BYTES_PER_SAMPLE);
    put_u16(dst + 34, 8 * BYTES_PER_SAMPLE);
    memcpy(dst + 36, "data", 4);
    kk_put_u32(dst + 40, data_len);
}

static int wav_begin(kk_encoder *encoder, kokoro_error *err)
{
    unsigned char header[KK_WAV_HEADER_LEN];
    kk_wav_header(header, encoder->sample_rate_hz, encoder->n_samples);
    return kk_encoder_push(encoder, header, sizeof(header), err);
}

static size_t wav_head(const kk_encoder *encoder, unsigned char dst[KK_HEAD_MAX])
{
    kk_wav_header(dst, encoder->sample_rate_hz, encoder->n_given);
    return KK_WAV_HEADER_LEN;
}

const struct kk_codec_ops kk_pcm_ops = {.begin = nothing, .write = pcm_write, .finish = nothing};
const struct kk_codec_ops kk_wav_ops = {
    .begin = wav_begin, .write = pcm_write, .finish = nothing, .head = wav_head};
