/*
 * mp3.c - MPEG audio layer III (ISO/IEC 11172-3, 13818-3) through LAME: bare frames of a constant
 * bitrate, without ID3 and without an Xing or Info frame, which players that join answers take for
 * sound. Every frame stands for itself (no bit reservoir): it goes out as soon as it is full, and
 * an answer may be cut or continued at any of them.
 *
 * What a decoder gives back begins some 1105 samples before the sound and ends less than three
 * frames later than it: without those extra frames there is no place to say so.
 */
#include "codec/codec_impl.h"

#include "base/alloc.h"
#include "base/status.h"

#include <lame.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PIECE_SAMPLES = 1152,
    /* LAME's own bound of what so many samples and a flush give. */
    OUT_LEN = PIECE_SAMPLES * 5 / 4 + 7200,
    QUALITY = 5 /* 0 best, 9 fastest */
};

typedef struct mp3 {
    lame_global_flags *library;
    float gain; /* takes back what LAME scales its input by, 0.95 mostly, so that all formats are
                   equally loud */
    float piece[PIECE_SAMPLES];
    unsigned char out[OUT_LEN];
} mp3;

/* kbit/s of layer III, by version of the standard. */
static const int rates_mpeg1[] = {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0};
static const int rates_mpeg2[] = {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0};
static const int rates_mpeg25[] = {8, 16, 24, 32, 40, 48, 56, 64, 0};

static const int *bitrates_of(int rate_hz)
{
    return rate_hz >= 32000 ? rates_mpeg1 : rate_hz >= 16000 ? rates_mpeg2 : rates_mpeg25;
}

static int check_bitrate(int rate_hz, int bitrate_kbps, kokoro_error *err)
{
    char list[96] = "";
    size_t len = 0;
    for (const int *rate = bitrates_of(rate_hz); *rate != 0; rate++) {
        if (*rate == bitrate_kbps)
            return KOKORO_OK;
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%d",
                                len == 0       ? ""
                                : rate[1] == 0 ? " or "
                                               : ", ",
                                *rate);
    }
    return kk_fail(err, KOKORO_INVALID, "the bitrate of mp3 at %d Hz must be %s kbit/s, not %d",
                   rate_hz, list, bitrate_kbps);
}

static int default_bitrate(int rate_hz)
{
    return rate_hz >= 32000 ? 128 : rate_hz >= 16000 ? 96 : 64;
}

/* LAME would print. */
static void say_nothing(const char *format, va_list args)
{
    (void)format;
    (void)args;
}

static bool set_up(const kk_encoder *encoder, lame_global_flags *library)
{
    (void)lame_set_errorf(library, say_nothing);
    (void)lame_set_debugf(library, say_nothing);
    (void)lame_set_msgf(library, say_nothing);
    lame_set_write_id3tag_automatic(library, 0);
    return lame_set_num_channels(library, 1) == 0 && lame_set_mode(library, MONO) == 0 &&
           lame_set_in_samplerate(library, encoder->sample_rate_hz) == 0 &&
           lame_set_out_samplerate(library, encoder->sample_rate_hz) == 0 &&
           lame_set_brate(library, encoder->bitrate_kbps) == 0 &&
           lame_set_quality(library, QUALITY) == 0 && lame_set_bWriteVbrTag(library, 0) == 0 &&
           lame_set_disable_reservoir(library, 1) == 0 && lame_init_params(library) >= 0;
}

static int begin(kk_encoder *encoder, kokoro_error *err)
{
    mp3 *m = kk_calloc(1, sizeof(*m));
    if (m == NULL)
        return kk_fail_memory(err);
    encoder->state = m;
    m->library = lame_init();
    if (m->library == NULL || !set_up(encoder, m->library))
        return kk_fail_memory(err);
    const float scale = lame_get_scale(m->library);
    m->gain = scale > 0.0F ? 1.0F / scale : 1.0F;
    return KOKORO_OK;
}

/* `len` negative: the library failed. */
static int push(kk_encoder *encoder, int len, kokoro_error *err)
{
    const mp3 *m = encoder->state;
    return len < 0 ? kk_fail_memory(err) : kk_encoder_push(encoder, m->out, (size_t)len, err);
}

static int write_samples(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    mp3 *m = encoder->state;
    int status = KOKORO_OK;
    while (n > 0 && status == KOKORO_OK) {
        const size_t now = n < PIECE_SAMPLES ? n : PIECE_SAMPLES;
        for (size_t i = 0; i < now; i++)
            m->piece[i] = samples[i] * m->gain;
        const int len = lame_encode_buffer_ieee_float(m->library, m->piece, m->piece, (int)now,
                                                      m->out, OUT_LEN);
        status = push(encoder, len, err);
        samples += now;
        n -= now;
    }
    return status;
}

static int finish(kk_encoder *encoder, kokoro_error *err)
{
    mp3 *m = encoder->state;
    return encoder->n_given > 0 ? push(encoder, lame_encode_flush(m->library, m->out, OUT_LEN), err)
                                : KOKORO_OK;
}

static void close_library(kk_encoder *encoder)
{
    mp3 *m = encoder->state;
    if (m == NULL)
        return;
    if (m->library != NULL)
        (void)lame_close(m->library);
    kk_free(m);
}

const struct kk_codec_ops kk_mp3_ops = {.begin = begin,
                                        .write = write_samples,
                                        .finish = finish,
                                        .close = close_library,
                                        .check_bitrate = check_bitrate,
                                        .default_bitrate = default_bitrate};
