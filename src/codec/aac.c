/*
 * aac.c - AAC-LC in ADTS frames (ISO/IEC 13818-7, 14496-3) through libavcodec. A frame is 1024
 * samples with a header of 7 bytes in front, and stands for itself.
 *
 * What a decoder gives back begins 1024 samples before the sound and ends less than two frames
 * later than it: ADTS has no place to say so.
 */
#include "codec/codec_impl.h"

#include "base/alloc.h"
#include "base/status.h"
#include "codec/libavcodec.h"

#include <string.h>

enum {
    ADTS_LEN = 7,
    FRAME_MAX = 8191, /* what the 13 bits of its length hold */
    MIN_KBPS = 16
};

typedef struct aac {
    kk_aac_library *library;
    float block[KK_AAC_FRAME_SAMPLES];
    size_t n_block;
    unsigned rate_index;
} aac;

/* The order in which ADTS numbers them. */
static const int adts_rates[] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                 22050, 16000, 12000, 11025, 8000,  7350};

/* 6144 bits a frame, on average, are the most that a decoder must take. */
static int max_kbps(int rate_hz)
{
    return rate_hz * 6 / 1000;
}

static int check_bitrate(int rate_hz, int bitrate_kbps, kokoro_error *err)
{
    if (bitrate_kbps >= MIN_KBPS && bitrate_kbps <= max_kbps(rate_hz))
        return KOKORO_OK;
    return kk_fail(err, KOKORO_INVALID,
                   "the bitrate of aac at %d Hz must be from %d to %d kbit/s, not %d", rate_hz,
                   MIN_KBPS, max_kbps(rate_hz), bitrate_kbps);
}

static int default_bitrate(int rate_hz)
{
    return rate_hz >= 32000 ? 96 : rate_hz >= 22050 ? 64 : rate_hz >= 16000 ? 48 : 32;
}

static int begin(kk_encoder *encoder, kokoro_error *err)
{
    aac *a = kk_calloc(1, sizeof(*a));
    if (a == NULL)
        return kk_fail_memory(err);
    encoder->state = a;
    while (adts_rates[a->rate_index] != encoder->sample_rate_hz)
        a->rate_index++;
    return kk_aac_library_open(&a->library, encoder->sample_rate_hz, encoder->bitrate_kbps, err);
}

static int push_frame(kk_encoder *encoder, const unsigned char *data, size_t len, kokoro_error *err)
{
    unsigned char bytes[FRAME_MAX];
    const aac *a = encoder->state;
    const unsigned whole = (unsigned)(ADTS_LEN + len);
    if (len > FRAME_MAX - ADTS_LEN)
        return kk_fail(err, KOKORO_PROVIDER, "libavcodec made an AAC frame of %zu bytes", len);
    bytes[0] = 0xFF; /* sync word, MPEG-4, layer 0, no checksum */
    bytes[1] = 0xF1;
    bytes[2] = (unsigned char)(1U << 6 | a->rate_index << 2); /* LC */
    bytes[3] = (unsigned char)(1U << 6 | whole >> 11);        /* one channel, length: 13 bits */
    bytes[4] = (unsigned char)(whole >> 3 & 0xFFU);
    bytes[5] = (unsigned char)((whole & 7U) << 5 | 0x1FU); /* bitrate varies: all ones */
    bytes[6] = 0xFC;
    memcpy(bytes + ADTS_LEN, data, len);
    return kk_encoder_push(encoder, bytes, whole, err);
}

/* The block, or with NULL the end; then the frames that are ready. */
static int send(kk_encoder *encoder, const float *block, kokoro_error *err)
{
    aac *a = encoder->state;
    const unsigned char *data;
    size_t len;
    int status = kk_aac_library_send(a->library, block, err);
    a->n_block = 0;
    while (status == KOKORO_OK) {
        status = kk_aac_library_receive(a->library, &data, &len, err);
        if (status != KOKORO_OK || data == NULL)
            break;
        status = push_frame(encoder, data, len, err);
    }
    return status;
}

static int send_block(kk_encoder *encoder, kokoro_error *err)
{
    const aac *a = encoder->state;
    return send(encoder, a->block, err);
}

static int write_samples(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    aac *a = encoder->state;
    return kk_encoder_gather(encoder, a->block, KK_AAC_FRAME_SAMPLES, &a->n_block, samples, n,
                             send_block, err);
}

static int finish(kk_encoder *encoder, kokoro_error *err)
{
    aac *a = encoder->state;
    int status = KOKORO_OK;
    if (encoder->n_given == 0)
        return KOKORO_OK;
    if (a->n_block > 0) {
        memset(a->block + a->n_block, 0, (KK_AAC_FRAME_SAMPLES - a->n_block) * sizeof(*a->block));
        status = send(encoder, a->block, err);
    }
    return status == KOKORO_OK ? send(encoder, NULL, err) : status;
}

static void close_library(kk_encoder *encoder)
{
    aac *a = encoder->state;
    if (a == NULL)
        return;
    kk_aac_library_close(&a->library);
    kk_free(a);
}

const struct kk_codec_ops kk_aac_ops = {.begin = begin,
                                        .write = write_samples,
                                        .finish = finish,
                                        .close = close_library,
                                        .is_there = kk_libavcodec_is_there,
                                        .check_bitrate = check_bitrate,
                                        .default_bitrate = default_bitrate};
