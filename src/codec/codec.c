/*
 * codec.c - stage 6: the table of formats, and the life of an encoder.
 */
#include "codec/codec_impl.h"

#include "base/alloc.h"
#include "base/status.h"

#include <string.h>

/*
 * audio/pcm is what clients of OpenAI's API compare with. The name that RFC 3551 would give, L16,
 * means big-endian samples, which these are not.
 */
const kk_codec kk_codecs[] = {
    {"wav", "audio/wav", &kk_wav_ops},
    {"pcm", "audio/pcm", &kk_pcm_ops},
    {NULL, NULL, NULL},
};

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
    return "wav, pcm";
}

int kk_encoder_push(kk_encoder *encoder, const void *data, size_t len, kokoro_error *err)
{
    if (len > 0 && encoder->sink(encoder->user, data, len) != 0)
        return kk_fail(err, KOKORO_CANCELLED, "the receiver of the %s sound stopped it",
                       encoder->codec->name);
    return KOKORO_OK;
}

int kk_encoder_open(kk_encoder **out, const kk_codec *codec, uint64_t n_samples, kk_sink_fn *sink,
                    void *user, kokoro_error *err)
{
    kk_encoder *encoder = kk_calloc(1, sizeof(*encoder));
    *out = NULL;
    if (encoder == NULL)
        return kk_fail_memory(err);
    encoder->codec = codec;
    encoder->sink = sink;
    encoder->user = user;
    encoder->n_samples = n_samples;
    int status = codec->ops->begin(encoder, err);
    if (status != KOKORO_OK)
        kk_encoder_close(&encoder);
    *out = encoder;
    return status;
}

int kk_encoder_write(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    encoder->n_written += n;
    return encoder->codec->ops->write(encoder, samples, n, err);
}

int kk_encoder_finish(kk_encoder *encoder, kokoro_error *err)
{
    if (encoder->n_samples != KK_SAMPLES_UNKNOWN && encoder->n_written != encoder->n_samples)
        return kk_fail(err, KOKORO_INVALID, "%llu samples were announced, %llu came",
                       (unsigned long long)encoder->n_samples,
                       (unsigned long long)encoder->n_written);
    return encoder->codec->ops->finish(encoder, err);
}

void kk_encoder_close(kk_encoder **encoder)
{
    if (encoder != NULL) {
        kk_free(*encoder);
        *encoder = NULL;
    }
}
