/* codec_check.c - see codec_check.h. Decoders are those of the libraries; of AAC, and of MP3 where
 * libmpg123 is missing, only the frames are read. */
#include "codec_check.h"

#include <FLAC/stream_decoder.h>
#include <math.h>
#ifdef KK_HAVE_MPG123
#include <mpg123.h>
#endif
#include <ogg/ogg.h>
#include <opus.h>
#include <stdlib.h>
#include <string.h>

double sound_at(double t_s)
{
    static const double pi = 3.14159265358979323846;
    double sum = 0.0;
    for (int k = 1; k <= 10; k++)
        sum += sin(2.0 * pi * 217.0 * k * t_s + k * k) / k;
    return 0.25 * sum * (0.6 + 0.4 * sin(2.0 * pi * 3.1 * t_s));
}

float *make_sound(size_t n)
{
    float *samples = malloc((n + 1) * sizeof(*samples));
    for (size_t i = 0; samples != NULL && i < n; i++)
        samples[i] = (float)sound_at((double)i / 24000.0);
    return samples;
}

int keep_bytes(void *user, const void *data, size_t len)
{
    kk_buf_append(user, data, len);
    return 0;
}

int encode_whole(const char *format, const kk_encoding *encoding, uint64_t announced,
                 const float *samples, size_t n, kk_buf *out)
{
    kk_encoder *encoder = NULL;
    int status = kk_encoder_open(&encoder, kk_codec_find(format), encoding, announced, keep_bytes,
                                 out, NULL);
    if (status == KOKORO_OK)
        status = kk_encoder_write(encoder, samples, n, NULL);
    if (status == KOKORO_OK)
        status = kk_encoder_finish(encoder, NULL);
    kk_encoder_close(&encoder);
    return status;
}

static void add(decoded *d, const float *samples, size_t n)
{
    if (d->samples == NULL || d->n + n > d->capacity) {
        d->capacity = 2 * (d->n + n) + 4096;
        float *grown = realloc(d->samples, d->capacity * sizeof(*grown));
        if (grown == NULL)
            abort();
        d->samples = grown;
    }
    if (n > 0)
        memcpy(d->samples + d->n, samples, n * sizeof(*samples));
    d->n += n;
}

/* ---- wav and pcm ---- */

static void decode_s16(decoded *d, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        const int16_t value = (int16_t)(bytes[i] | bytes[i + 1] << 8);
        const float sample = (float)value / 32767.0F;
        add(d, &sample, 1);
    }
    d->is_whole = len % 2 == 0;
}

static void decode_wav(decoded *d, const kk_buf *bytes)
{
    const unsigned char *data = (const unsigned char *)bytes->data;
    if (bytes->len < KK_WAV_HEADER_LEN)
        return;
    d->sample_rate_hz = data[24] | data[25] << 8 | data[26] << 16;
    decode_s16(d, data + KK_WAV_HEADER_LEN, bytes->len - KK_WAV_HEADER_LEN);
}

/* ---- flac ---- */

typedef struct flac_reader {
    decoded *d;
    const kk_buf *bytes;
    size_t at;
    bool failed;
} flac_reader;

static FLAC__StreamDecoderReadStatus flac_read(const FLAC__StreamDecoder *decoder,
                                               FLAC__byte buffer[], size_t *len, void *user)
{
    flac_reader *reader = user;
    const size_t left = reader->bytes->len - reader->at;
    (void)decoder;
    *len = *len < left ? *len : left;
    memcpy(buffer, reader->bytes->data + reader->at, *len);
    reader->at += *len;
    return *len > 0 ? FLAC__STREAM_DECODER_READ_STATUS_CONTINUE
                    : FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM;
}

static FLAC__StreamDecoderWriteStatus flac_write(const FLAC__StreamDecoder *decoder,
                                                 const FLAC__Frame *frame,
                                                 const FLAC__int32 *const channels[], void *user)
{
    const flac_reader *reader = user;
    (void)decoder;
    reader->d->sample_rate_hz = (int)frame->header.sample_rate;
    for (uint32_t i = 0; i < frame->header.blocksize; i++) {
        const float sample = (float)channels[0][i] / 32767.0F;
        add(reader->d, &sample, 1);
    }
    return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

static void flac_error(const FLAC__StreamDecoder *decoder, FLAC__StreamDecoderErrorStatus status,
                       void *user)
{
    flac_reader *reader = user;
    (void)decoder;
    (void)status;
    reader->failed = true;
}

/* The library compares the MD5 where there is one. */
static void decode_flac(decoded *d, const kk_buf *bytes)
{
    flac_reader reader = {.d = d, .bytes = bytes};
    FLAC__StreamDecoder *decoder = FLAC__stream_decoder_new();
    (void)FLAC__stream_decoder_set_md5_checking(decoder, true);
    (void)FLAC__stream_decoder_init_stream(decoder, flac_read, NULL, NULL, NULL, NULL, flac_write,
                                           NULL, flac_error, &reader);
    const bool is_done = FLAC__stream_decoder_process_until_end_of_stream(decoder);
    d->is_whole = FLAC__stream_decoder_finish(decoder) && is_done && !reader.failed;
    FLAC__stream_decoder_delete(decoder);
}

/* ---- mp3 ---- */

/* Bytes of the frame whose header is at `p`; 0: that is none. */
static size_t mp3_frame(decoded *d, const unsigned char *p)
{
    static const int kbps_1[] = {0,   32,  40,  48,  56,  64,  80,  96,
                                 112, 128, 160, 192, 224, 256, 320, 0};
    static const int kbps_2[] = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0};
    static const int rates[] = {44100, 48000, 32000, 0};
    const int version = p[1] >> 3 & 3; /* 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5 */
    /* Eleven bits of sync, layer III, one channel. */
    if (p[0] != 0xFF || p[1] >> 5 != 7 || version == 1 || (p[1] >> 1 & 3) != 1 || p[3] >> 6 != 3)
        return 0;
    const int kbps = version == 3 ? kbps_1[p[2] >> 4] : kbps_2[p[2] >> 4];
    const int rate_hz = rates[p[2] >> 2 & 3] / (version == 3 ? 1 : version == 2 ? 2 : 4);
    if (rate_hz == 0 || kbps == 0)
        return 0;
    if (d->n_frames == 0)
        d->bitrate_kbps = kbps;
    d->sample_rate_hz = rate_hz;
    d->frame_samples = version == 3 ? 1152 : 576;
    return d->frame_samples / 8 * (size_t)kbps * 1000 / (size_t)rate_hz + (p[2] >> 1 & 1);
}

#ifdef KK_HAVE_MPG123
static void decode_frames(decoded *d, const unsigned char *data, size_t len)
{
    float block[1152];
    size_t got = 0;
    int status;
    mpg123_handle *mpg = mpg123_new(NULL, NULL);
    (void)mpg123_param(mpg, MPG123_ADD_FLAGS, MPG123_FORCE_FLOAT | MPG123_QUIET, 0.0);
    (void)mpg123_open_feed(mpg);
    (void)mpg123_feed(mpg, data, len);
    do {
        status = mpg123_read(mpg, (unsigned char *)block, sizeof(block), &got);
        add(d, block, got / sizeof(float));
    } while (status == MPG123_OK || status == MPG123_NEW_FORMAT);
    mpg123_delete(mpg);
}
#endif

static void decode_mp3(decoded *d, const kk_buf *bytes)
{
    const unsigned char *data = (const unsigned char *)bytes->data;
    size_t at = 0, len = 1;
    while (at + 4 <= bytes->len && len > 0) {
        len = mp3_frame(d, data + at);
        if (at + len > bytes->len)
            break;
        at += len;
        d->n_frames += len > 0;
    }
    d->is_whole = at == bytes->len;
#ifdef KK_HAVE_MPG123
    decode_frames(d, data, at);
#else
    d->n = d->n_frames * d->frame_samples;
#endif
}

/* ---- aac ---- */

static void read_adts(decoded *d, const kk_buf *bytes)
{
    static const int rates[16] = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                  22050, 16000, 12000, 11025, 8000,  7350};
    const unsigned char *p = (const unsigned char *)bytes->data;
    size_t at = 0;
    d->frame_samples = 1024;
    while (at + 7 <= bytes->len && p[at] == 0xFF && p[at + 1] == 0xF1 && (p[at + 2] >> 6) == 1 &&
           (p[at + 2] & 1) == 0 && p[at + 3] >> 6 == 1) {
        const size_t len = (size_t)(p[at + 3] & 3) << 11 | (size_t)p[at + 4] << 3 | p[at + 5] >> 5;
        if (len < 8 || at + len > bytes->len)
            break;
        d->sample_rate_hz = rates[p[at + 2] >> 2 & 15];
        at += len;
        d->n_frames++;
    }
    d->n = d->n_frames * 1024;
    d->is_whole = at == bytes->len;
}

/* ---- opus ---- */

typedef struct opus_reader {
    OpusDecoder *decoder;
    long n_packets;
    size_t skip;
    ogg_int64_t end; /* granule position of the last page */
    bool is_ended, failed;
} opus_reader;

static void opus_packet(opus_reader *reader, decoded *d, const ogg_packet *packet)
{
    float block[5760];
    if (reader->n_packets++ == 0) {
        reader->failed = packet->bytes < 19 || memcmp(packet->packet, "OpusHead\1\1", 10) != 0;
        if (!reader->failed)
            reader->skip = packet->packet[10] | (size_t)packet->packet[11] << 8;
        return;
    }
    if (reader->n_packets == 2) {
        reader->failed |= packet->bytes < 8 || memcmp(packet->packet, "OpusTags", 8) != 0;
        return;
    }
    const int n = opus_decode_float(reader->decoder, packet->packet, (opus_int32)packet->bytes,
                                    block, 5760, 0);
    reader->failed |= n < 0;
    if (n > 0)
        add(d, block, (size_t)n);
    d->n_frames++;
}

static void decode_opus(decoded *d, const kk_buf *bytes)
{
    ogg_sync_state sync;
    ogg_stream_state stream = {0};
    ogg_page page;
    ogg_packet packet;
    int problem;
    bool is_open = false;
    opus_reader reader = {.decoder = opus_decoder_create(48000, 1, &problem)};
    (void)ogg_sync_init(&sync);
    memcpy(ogg_sync_buffer(&sync, (long)bytes->len), bytes->data, bytes->len);
    (void)ogg_sync_wrote(&sync, (long)bytes->len);
    while (ogg_sync_pageout(&sync, &page) == 1) {
        if (!is_open)
            is_open = ogg_stream_init(&stream, ogg_page_serialno(&page)) == 0;
        reader.failed |= ogg_stream_pagein(&stream, &page) != 0;
        reader.is_ended = ogg_page_eos(&page);
        reader.end = ogg_page_granulepos(&page);
        while ((problem = ogg_stream_packetout(&stream, &packet)) != 0) {
            reader.failed |= problem < 0;
            if (problem > 0)
                opus_packet(&reader, d, &packet);
        }
    }
    d->is_whole = !reader.failed && reader.is_ended && sync.fill == sync.returned;
    d->sample_rate_hz = 48000;
    d->frame_samples = 960;
    /* A decoder drops what stands before and behind the sound. */
    if (d->n > (size_t)reader.end)
        d->n = (size_t)reader.end;
    const size_t skip = reader.skip < d->n ? reader.skip : d->n;
    d->n -= skip;
    if (d->n > 0)
        memmove(d->samples, d->samples + skip, d->n * sizeof(*d->samples));
    if (is_open)
        (void)ogg_stream_clear(&stream);
    (void)ogg_sync_clear(&sync);
    opus_decoder_destroy(reader.decoder);
}

void decode(decoded *out, const char *format, const kk_buf *bytes, int pcm_rate_hz)
{
    *out = (decoded){.sample_rate_hz = pcm_rate_hz};
    if (strcmp(format, "pcm") == 0)
        decode_s16(out, (const unsigned char *)bytes->data, bytes->len);
    else if (strcmp(format, "wav") == 0)
        decode_wav(out, bytes);
    else if (bytes->len == 0)
        out->is_whole = strcmp(format, "mp3") == 0 || strcmp(format, "aac") == 0;
    else if (strcmp(format, "flac") == 0)
        decode_flac(out, bytes);
    else if (strcmp(format, "mp3") == 0)
        decode_mp3(out, bytes);
    else if (strcmp(format, "aac") == 0)
        read_adts(out, bytes);
    else
        decode_opus(out, bytes);
}

void decoded_free(decoded *d)
{
    free(d->samples);
    d->samples = NULL;
}

double snr_db(const decoded *d, size_t n_sound, size_t delay)
{
    const size_t edge = (size_t)d->sample_rate_hz / 50;
    double power = 0.0, difference = 0.0;
    for (size_t i = edge; i + edge < n_sound && i + delay < d->n; i++) {
        const double want = sound_at((double)i / d->sample_rate_hz);
        const double got = (double)d->samples[i + delay];
        power += want * want;
        difference += (got - want) * (got - want);
    }
    return difference > 0.0 ? 10.0 * log10(power / difference) : 200.0;
}
