/* test_codec.c - samples to bytes: rounding, headers, sinks that refuse, every allocation failing.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "check.h"
#include "codec/codec.h"

static const kk_encoding plain = KK_ENCODING_INIT;

static int keep(void *user, const void *data, size_t len)
{
    kk_buf_append(user, data, len);
    return 0;
}

/* Refuses from its n-th call on. */
static int refuse(void *user, const void *data, size_t len)
{
    int *calls_left = user;
    (void)data;
    (void)len;
    return (*calls_left)-- <= 0;
}

static unsigned u16_at(const kk_buf *buf, size_t at)
{
    const unsigned char *data = (const unsigned char *)buf->data;
    return data[at] | (unsigned)data[at + 1] << 8;
}

static unsigned long u32_at(const kk_buf *buf, size_t at)
{
    return u16_at(buf, at) | (unsigned long)u16_at(buf, at + 2) << 16;
}

TEST(samples_round_and_clamp)
{
    CHECK_INT(kk_sample_s16(0.0F), 0);
    CHECK_INT(kk_sample_s16(1.0F), 32767);
    CHECK_INT(kk_sample_s16(-1.0F), -32767);
    CHECK_INT(kk_sample_s16(1.5F), 32767);
    CHECK_INT(kk_sample_s16(-INFINITY), -32767);
    CHECK_INT(kk_sample_s16(INFINITY), 32767);
    CHECK_INT(kk_sample_s16(NAN), 0);
    CHECK_INT(kk_sample_s16(-NAN), 0);
    CHECK_INT(kk_sample_s16(0.4F / 32767.0F), 0);
    CHECK_INT(kk_sample_s16(0.6F / 32767.0F), 1);
    CHECK_INT(kk_sample_s16(-0.6F / 32767.0F), -1);
}

TEST(every_value_survives)
{
    for (int value = -32767; value <= 32767; value++) {
        if (kk_sample_s16((float)value / 32767.0F) != value) {
            CHECK_INT(kk_sample_s16((float)value / 32767.0F), value);
            return;
        }
    }
    CHECK(true);
}

static int encode(const char *name, uint64_t announced, const float *samples, size_t n, kk_buf *out)
{
    kk_encoder *encoder = NULL;
    int status = kk_encoder_open(&encoder, kk_codec_find(name), &plain, announced, keep, out, NULL);
    if (status == KOKORO_OK)
        status = kk_encoder_write(encoder, samples, n, NULL);
    if (status == KOKORO_OK)
        status = kk_encoder_finish(encoder, NULL);
    kk_encoder_close(&encoder);
    return status;
}

TEST(pcm_is_little_endian)
{
    const float samples[] = {0.0F, 1.0F, -1.0F};
    kk_buf buf = KK_BUF_INIT;
    CHECK_INT(encode("pcm", KK_SAMPLES_UNKNOWN, samples, 3, &buf), KOKORO_OK);
    CHECK_INT(buf.len, 6);
    CHECK_INT(u16_at(&buf, 0), 0);
    CHECK_INT(u16_at(&buf, 2), 0x7FFF);
    CHECK_INT(u16_at(&buf, 4), 0x8001);
    kk_buf_fini(&buf);
}

TEST(long_sounds_keep_their_order)
{
    enum { N = 5001 };
    float samples[N];
    kk_buf buf = KK_BUF_INIT;
    for (int i = 0; i < N; i++)
        samples[i] = (float)i / 32767.0F;
    CHECK_INT(encode("pcm", N, samples, N, &buf), KOKORO_OK);
    CHECK_INT(buf.len, 2 * N);
    for (size_t i = 0; i < N && buf.len == 2 * N; i += 500)
        CHECK_INT(u16_at(&buf, 2 * i), i);
    kk_buf_fini(&buf);
}

TEST(wav_sizes_are_exact)
{
    const float samples[5] = {0};
    kk_buf buf = KK_BUF_INIT;
    CHECK_INT(encode("wav", 5, samples, 5, &buf), KOKORO_OK);
    CHECK_INT(buf.len, 54);
    CHECK(memcmp(buf.data, "RIFF", 4) == 0);
    CHECK_INT(u32_at(&buf, 4), 46);
    CHECK(memcmp(buf.data + 8, "WAVEfmt ", 8) == 0);
    CHECK_INT(u32_at(&buf, 16), 16);
    CHECK_INT(u16_at(&buf, 20), 1);
    CHECK_INT(u16_at(&buf, 22), 1);
    CHECK_INT(u32_at(&buf, 24), 24000);
    CHECK_INT(u32_at(&buf, 28), 48000);
    CHECK_INT(u16_at(&buf, 32), 2);
    CHECK_INT(u16_at(&buf, 34), 16);
    CHECK(memcmp(buf.data + 36, "data", 4) == 0);
    CHECK_INT(u32_at(&buf, 40), 10);
    kk_buf_fini(&buf);
}

TEST(wav_of_unknown_length_has_the_sentinel)
{
    unsigned char header[KK_WAV_HEADER_LEN];
    kk_wav_header(header, 24000, KK_SAMPLES_UNKNOWN);
    CHECK(memcmp(header + 4, "\xFF\xFF\xFF\xFF", 4) == 0);
    CHECK(memcmp(header + 40, "\xFF\xFF\xFF\xFF", 4) == 0);
    kk_wav_header(header, 24000, (uint64_t)UINT32_MAX);
    CHECK(memcmp(header + 40, "\xFF\xFF\xFF\xFF", 4) == 0);
    kk_wav_header(header, 24000, 2147483629U); /* the longest that both fields hold */
    CHECK(memcmp(header + 4, "\xFE\xFF\xFF\xFF", 4) == 0);
    CHECK(memcmp(header + 40, "\xDA\xFF\xFF\xFF", 4) == 0);
}

TEST(a_wrong_announcement_is_told)
{
    const float samples[3] = {0};
    kk_buf buf = KK_BUF_INIT;
    CHECK_INT(encode("wav", 4, samples, 3, &buf), KOKORO_INVALID);
    CHECK_INT(encode("wav", 2, samples, 3, &buf), KOKORO_INVALID);
    kk_buf_fini(&buf);
}

TEST(a_sink_can_stop)
{
    const float samples[3] = {0};
    kk_encoder *encoder = NULL;
    kokoro_error error;
    int calls_left = 0;
    CHECK_INT(
        kk_encoder_open(&encoder, kk_codec_find("wav"), &plain, 3, refuse, &calls_left, &error),
        KOKORO_CANCELLED);
    CHECK(encoder == NULL);
    calls_left = 1;
    CHECK_INT(
        kk_encoder_open(&encoder, kk_codec_find("wav"), &plain, 3, refuse, &calls_left, &error),
        KOKORO_OK);
    CHECK_INT(kk_encoder_write(encoder, samples, 3, &error), KOKORO_CANCELLED);
    CHECK_INT(error.status, KOKORO_CANCELLED);
    kk_encoder_close(&encoder);
    kk_encoder_close(&encoder);
}

TEST(memory_may_be_out)
{
    kk_encoder *encoder = NULL;
    kk_buf buf = KK_BUF_INIT;
    kk_alloc_fail_at(1, 0);
    CHECK_INT(kk_encoder_open(&encoder, kk_codec_find("pcm"), &plain, 3, keep, &buf, NULL),
              KOKORO_NO_MEMORY);
    kk_alloc_fail_at(0, 0);
    CHECK(encoder == NULL);
    kk_buf_fini(&buf);
}

TEST(names_match_the_table)
{
    kk_buf names = KK_BUF_INIT;
    for (const kk_codec *codec = kk_codecs; codec->name != NULL; codec++) {
        kk_buf_appendf(&names, "%s%s", names.len > 0 ? ", " : "", codec->name);
        CHECK(kk_codec_find(codec->name) == codec);
    }
    CHECK_STR(kk_codec_names(), kk_buf_str(&names));
    CHECK(kk_codec_find("ogg") == NULL);
    CHECK(kk_codec_find("") == NULL);
    CHECK(kk_codec_find("WAV") == NULL);
    kk_buf_fini(&names);
}

TEST_MAIN(T(samples_round_and_clamp), T(every_value_survives), T(pcm_is_little_endian),
          T(long_sounds_keep_their_order), T(wav_sizes_are_exact),
          T(wav_of_unknown_length_has_the_sentinel), T(a_wrong_announcement_is_told),
          T(a_sink_can_stop), T(memory_may_be_out), T(names_match_the_table))
