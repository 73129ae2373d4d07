/*
 * codec.c - stage 6: the table of formats, what all of them have in front (sample rate,
 * loudness and volume), and the life of an encoder.
 */
#include "codec/codec_impl.h"

#include "base/alloc.h"
#include "base/status.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_SAMPLES = 2048 };

/*
 * audio/pcm is what clients of OpenAI's API compare with. The name that RFC 3551 would give, L16,
 * means big-endian samples, which these are not. Opus lies in Ogg pages (RFC 7845): audio/ogg;
 * audio/opus is the name of bare packets in RTP.
 */
const kk_codec kk_codecs[] = {
    {"mp3", "audio/mpeg", &kk_mp3_ops},
    {"opus", "audio/ogg", &kk_opus_ops},
    {"aac", "audio/aac", &kk_aac_ops},
    {"flac", "audio/flac", &kk_flac_ops},
    {"wav", "audio/wav", &kk_wav_ops},
    {"pcm", "audio/pcm", &kk_pcm_ops},
    {NULL, NULL, NULL},
};

const int kk_sample_rates[] = {8000, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 0};

const kk_codec *kk_codec_find(const char *name)
{
    for (const kk_codec *codec = kk_codecs; codec->name != NULL; codec++) {
        if (strcmp(codec->name, name) == 0)
            return codec;
    }
    return NULL;
}

const char *kk_codec_names(void)
{
    return "mp3, opus, aac, flac, wav, pcm";
}

int kk_codec_is_there(const kk_codec *codec, kokoro_error *err)
{
    return codec->ops->is_there != NULL ? codec->ops->is_there(err) : KOKORO_OK;
}

static int asked_rate(const kk_encoding *encoding)
{
    return encoding->sample_rate_hz != 0 ? encoding->sample_rate_hz : KOKORO_SAMPLE_RATE_HZ;
}

int kk_codec_rate_hz(const kk_codec *codec, const kk_encoding *encoding)
{
    return codec->ops->decoded_hz != 0 ? codec->ops->decoded_hz : asked_rate(encoding);
}

static int check_rate(const kk_codec *codec, int rate_hz, kokoro_error *err)
{
    char list[96] = "";
    size_t len = 0;
    for (const int *rate = kk_sample_rates; *rate != 0; rate++) {
        if (*rate == rate_hz)
            return KOKORO_OK;
        const char *joint = rate == kk_sample_rates ? "" : rate[1] == 0 ? " or " : ", ";
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%d", joint, *rate);
    }
    return kk_fail(err, KOKORO_INVALID, "the sample rate of %s must be %s Hz, not %d", codec->name,
                   list, rate_hz);
}

static int check_bitrate(const kk_codec *codec, const kk_encoding *encoding, kokoro_error *err)
{
    if (encoding->bitrate_kbps == 0)
        return KOKORO_OK;
    if (codec->ops->check_bitrate == NULL)
        return kk_fail(err, KOKORO_INVALID,
                       "%s has no bitrate to choose; leave it out, or choose mp3, opus or aac",
                       codec->name);
    return codec->ops->check_bitrate(kk_codec_rate_hz(codec, encoding), encoding->bitrate_kbps,
                                     err);
}

int kk_codec_check(const kk_codec *codec, const kk_encoding *encoding,
                   enum kk_encoding_field *field, kokoro_error *err)
{
    *field = KK_ENCODING_SAMPLE_RATE;
    int status = check_rate(codec, asked_rate(encoding), err);
    if (status != KOKORO_OK)
        return status;
    *field = KK_ENCODING_BITRATE;
    status = check_bitrate(codec, encoding, err);
    if (status != KOKORO_OK)
        return status;
    *field = KK_ENCODING_VOLUME;
    if (!(encoding->volume >= 0.0 && encoding->volume <= KK_VOLUME_MAX))
        return kk_fail(err, KOKORO_INVALID, "the volume must be from 0 to %g, not %g",
                       KK_VOLUME_MAX, encoding->volume);
    return KOKORO_OK;
}

int kk_encoder_gather(kk_encoder *encoder, float *block, size_t size, size_t *n_block,
                      const float *samples, size_t n,
                      int (*send)(kk_encoder *encoder, kokoro_error *err), kokoro_error *err)
{
    int status = KOKORO_OK;
    while (n > 0 && status == KOKORO_OK) {
        const size_t room = size - *n_block;
        const size_t now = n < room ? n : room;
        memcpy(block + *n_block, samples, now * sizeof(*samples));
        *n_block += now;
        samples += now;
        n -= now;
        if (*n_block == size)
            status = send(encoder, err);
    }
    return status;
}

int kk_encoder_push(kk_encoder *encoder, const void *data, size_t len, kokoro_error *err)
{
    if (len > 0 && (encoder->is_refused || encoder->sink(encoder->user, data, len) != 0)) {
        encoder->is_refused = true;
        return kk_fail(err, KOKORO_CANCELLED, "the receiver of the %s sound stopped it",
                       encoder->codec->name);
    }
    return KOKORO_OK;
}

static int open_parts(kk_encoder *encoder, const kk_encoding *encoding, kokoro_error *err)
{
    const struct kk_codec_ops *ops = encoder->codec->ops;
    const int asked_hz = asked_rate(encoding);
    enum kk_encoding_field field;
    int status = kk_codec_is_there(encoder->codec, err);
    if (status == KOKORO_OK)
        status = kk_codec_check(encoder->codec, encoding, &field, err);
    if (status != KOKORO_OK)
        return status;
    encoder->factor = (float)(encoding->volume * pow(10.0, encoding->gain_db / 20.0));
    encoder->asked_hz = asked_hz;
    encoder->wished_hz = encoding->sample_rate_hz;
    encoder->sample_rate_hz = kk_codec_rate_hz(encoder->codec, encoding);
    encoder->bitrate_kbps = encoding->bitrate_kbps;
    if (encoding->bitrate_kbps == 0 && ops->default_bitrate != NULL)
        encoder->bitrate_kbps = ops->default_bitrate(asked_hz);
    encoder->n_samples = encoder->n_announced;
    if (encoder->sample_rate_hz != KOKORO_SAMPLE_RATE_HZ) {
        if (encoder->n_announced != KK_SAMPLES_UNKNOWN)
            encoder->n_samples =
                kk_resampled(encoder->n_announced, KOKORO_SAMPLE_RATE_HZ, encoder->sample_rate_hz);
        status = kk_resampler_open(&encoder->resampler, KOKORO_SAMPLE_RATE_HZ,
                                   encoder->sample_rate_hz, err);
    }
    if (status == KOKORO_OK && encoder->factor > 1.0F)
        status = kk_limiter_open(&encoder->limiter, encoder->sample_rate_hz, err);
    return status == KOKORO_OK ? ops->begin(encoder, err) : status;
}

int kk_encoder_open(kk_encoder **out, const kk_codec *codec, const kk_encoding *encoding,
                    uint64_t n_samples, kk_sink_fn *sink, void *user, kokoro_error *err)
{
    kk_encoder *encoder = kk_calloc(1, sizeof(*encoder));
    *out = NULL;
    if (encoder == NULL)
        return kk_fail_memory(err);
    encoder->codec = codec;
    encoder->sink = sink;
    encoder->user = user;
    encoder->n_announced = n_samples;
    int status = open_parts(encoder, encoding, err);
    if (status != KOKORO_OK)
        kk_encoder_close(&encoder);
    *out = encoder;
    return status;
}

/* At most BLOCK_SAMPLES of the format's rate, as loud as they shall be. */
static int give_block(kk_encoder *encoder, float *block, size_t n, kokoro_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const float value = block[i];
        /* In this order NaN is 0. */
        block[i] = value >= 1.0F ? 1.0F : value > -1.0F ? value : value <= -1.0F ? -1.0F : 0.0F;
    }
    encoder->n_given += n;
    return n > 0 ? encoder->codec->ops->write(encoder, block, n, err) : KOKORO_OK;
}

/* At most BLOCK_SAMPLES of the format's rate. */
static int give(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    float block[BLOCK_SAMPLES];
    for (size_t i = 0; i < n; i++)
        block[i] = samples[i] * encoder->factor;
    if (encoder->limiter != NULL)
        n = kk_limiter_run(encoder->limiter, block, n);
    return give_block(encoder, block, n, err);
}

static int resample(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    float block[BLOCK_SAMPLES];
    size_t n_block;
    int status = KOKORO_OK;
    do {
        n_block = kk_resampler_run(encoder->resampler, &samples, &n, block, BLOCK_SAMPLES);
        status = give(encoder, block, n_block, err);
    } while (status == KOKORO_OK && (n > 0 || n_block == BLOCK_SAMPLES));
    return status;
}

int kk_encoder_write(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    int status = KOKORO_OK;
    encoder->n_written += n;
    while (n > 0 && status == KOKORO_OK) {
        const size_t now = n < BLOCK_SAMPLES ? n : BLOCK_SAMPLES;
        status = encoder->resampler != NULL ? resample(encoder, samples, now, err)
                                            : give(encoder, samples, now, err);
        samples += now;
        n -= now;
    }
    return status;
}

static int drain(kk_encoder *encoder, kokoro_error *err)
{
    float block[BLOCK_SAMPLES];
    size_t n;
    int status = KOKORO_OK;
    while (status == KOKORO_OK &&
           (n = kk_resampler_drain(encoder->resampler, block, BLOCK_SAMPLES)) > 0)
        status = give(encoder, block, n, err);
    return status;
}

int kk_encoder_finish(kk_encoder *encoder, kokoro_error *err)
{
    if (encoder->n_announced != KK_SAMPLES_UNKNOWN && encoder->n_written != encoder->n_announced)
        return kk_fail(err, KOKORO_INVALID, "%llu samples were announced, %llu came",
                       (unsigned long long)encoder->n_announced,
                       (unsigned long long)encoder->n_written);
    int status = encoder->resampler != NULL ? drain(encoder, err) : KOKORO_OK;
    if (status == KOKORO_OK && encoder->limiter != NULL) {
        float block[BLOCK_SAMPLES];
        status = give_block(encoder, block,
                            kk_limiter_drain(encoder->limiter, block, BLOCK_SAMPLES), err);
    }
    return status == KOKORO_OK ? encoder->codec->ops->finish(encoder, err) : status;
}

size_t kk_encoder_head(const kk_encoder *encoder, unsigned char dst[KK_HEAD_MAX])
{
    return encoder->codec->ops->head != NULL ? encoder->codec->ops->head(encoder, dst) : 0;
}

void kk_encoder_close(kk_encoder **encoder)
{
    if (encoder == NULL || *encoder == NULL)
        return;
    if ((*encoder)->codec->ops->close != NULL)
        (*encoder)->codec->ops->close(*encoder);
    kk_limiter_close(&(*encoder)->limiter);
    kk_resampler_close(&(*encoder)->resampler);
    kk_free(*encoder);
    *encoder = NULL;
}
