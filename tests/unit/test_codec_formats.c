/*
 * test_codec_formats.c - every format: what a decoder gives back of it, at every rate, length and
 * bitrate; how it comes out of the encoder; what happens when something fails.
 */
#include "base/alloc.h"
#include "check.h"
#include "codec_check.h"

#include <stdlib.h>

static const char *const formats[] = {"mp3", "opus", "aac", "flac", "wav", "pcm"};
enum { N_FORMATS = sizeof(formats) / sizeof(formats[0]) };

static const kk_encoding plain = KK_ENCODING_INIT;

/* Without libmpg123, which the test set-up installs, the frames of mp3 are only counted. */
#ifdef KK_HAVE_MPG123
static const bool has_mp3 = true;
#else
static const bool has_mp3 = false;
#endif

/* The library of aac may be missing; the test set-up installs it. */
static bool is_made(const char *format)
{
    return kk_codec_is_there(kk_codec_find(format), NULL) == KOKORO_OK;
}

static bool is(const char *format, const char *other)
{
    return strcmp(format, other) == 0;
}

static bool is_exact(const char *format)
{
    return !is(format, "mp3") && !is(format, "aac");
}

/* n of 24 kHz at another rate, rounded to the nearest. */
static size_t n_at(size_t n, int rate_hz)
{
    return (size_t)floor((double)n * rate_hz / 24000.0 + 0.5);
}

static bool takes(const char *format, const kk_encoding *encoding)
{
    enum kk_encoding_field field;
    return kk_codec_check(kk_codec_find(format), encoding, &field, NULL) == KOKORO_OK;
}

static void check_magic(const char *format, const kk_buf *bytes)
{
    const char *data = bytes->data;
    if (bytes->len == 0)
        CHECK(is(format, "pcm") || !is_exact(format));
    else if (is(format, "wav"))
        CHECK(bytes->len >= 44 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WAVE", 4) == 0);
    else if (is(format, "flac"))
        CHECK(memcmp(data, "fLaC", 4) == 0);
    else if (is(format, "opus"))
        CHECK(memcmp(data, "OggS", 4) == 0 && memcmp(data + 28, "OpusHead", 8) == 0);
    else if (is(format, "mp3"))
        CHECK(data[0] == '\xFF' && (data[1] & '\xE0') == '\xE0');
    else if (is(format, "aac"))
        CHECK(memcmp(data, "\xFF\xF1", 2) == 0);
}

/* Exact, or never shorter and at most three frames longer. */
static void check_length(const char *format, const decoded *d, size_t want)
{
    CHECK(d->is_whole);
    if (is_exact(format)) {
        CHECK_INT(d->n, want);
    } else {
        CHECK(d->n >= want);
        CHECK(d->n <= want + 3 * d->frame_samples);
    }
}

static void check_one(const char *format, int rate_hz, const float *sound, size_t n, bool is_known)
{
    kk_encoding encoding = KK_ENCODING_INIT;
    kk_buf bytes = KK_BUF_INIT;
    decoded d;
    const int before = check_failures;
    encoding.sample_rate_hz = rate_hz;
    if (!is_made(format))
        return;
    CHECK(takes(format, &encoding));
    const int hz = kk_codec_rate_hz(kk_codec_find(format), &encoding);
    CHECK_INT(encode_whole(format, &encoding, is_known ? n : KK_SAMPLES_UNKNOWN, sound, n, &bytes),
              KOKORO_OK);
    check_magic(format, &bytes);
    decode(&d, format, &bytes, hz);
    check_length(format, &d, n_at(n, hz));
    if (d.n > 0)
        CHECK_INT(d.sample_rate_hz, hz);
    decoded_free(&d);
    kk_buf_fini(&bytes);
    if (check_failures > before)
        printf("... %s, %d Hz, %zu samples, %s\n", format, rate_hz, n, is_known ? "known" : "not");
}

TEST(lengths)
{
    static const size_t lengths[] = {0,    1,    2,    239,  480,  575,  576,   577,
                                     1023, 1024, 1025, 1151, 1152, 1153, 24000, 70001};
    float *sound = make_sound(70001);
    for (size_t f = 0; f < N_FORMATS; f++) {
        for (const int *rate = kk_sample_rates; *rate != 0; rate++) {
            for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
                check_one(formats[f], *rate, sound, lengths[i], true);
                check_one(formats[f], *rate, sound, lengths[i], false);
            }
        }
    }
    free(sound);
}

TEST(two_minutes)
{
    enum { N = 120 * 24000 + 7 };
    float *sound = make_sound(N);
    for (size_t f = 0; f < N_FORMATS; f++)
        check_one(formats[f], 24000, sound, N, false);
    free(sound);
}

/* Samples that a decoder gives before the sound begins. */
static size_t delay_of(const char *format)
{
    return is(format, "mp3") ? 1105 : is(format, "aac") ? 1024 : 0;
}

static double snr_of(const char *format, const kk_encoding *encoding)
{
    enum { N = 48000 };
    float *sound = make_sound(N);
    kk_buf bytes = KK_BUF_INIT;
    decoded d;
    CHECK_INT(encode_whole(format, encoding, N, sound, N, &bytes), KOKORO_OK);
    const int hz = kk_codec_rate_hz(kk_codec_find(format), encoding);
    decode(&d, format, &bytes, hz);
    const double snr = snr_db(&d, n_at(N, hz), delay_of(format));
    decoded_free(&d);
    kk_buf_fini(&bytes);
    free(sound);
    return snr;
}

/* Measured: wav and flac 84 dB, the noise of 16 bits, at every rate; mp3 66 dB and more; opus 16 dB
 * at 8 kHz, 24 dB up to 16 kHz, 29 dB else. */
TEST(the_sound_comes_back)
{
    for (const int *rate = kk_sample_rates; *rate != 0; rate++) {
        const kk_encoding encoding = {*rate, 0, 1.0, 0.0};
        CHECK(snr_of("wav", &encoding) > 80.0);
        CHECK(snr_of("flac", &encoding) > 80.0);
        CHECK(!has_mp3 || snr_of("mp3", &encoding) > 50.0);
        CHECK(snr_of("opus", &encoding) > (*rate < 12000 ? 10.0 : 18.0));
    }
}

TEST(more_bits_are_nearer)
{
    const kk_encoding low = {0, 32, 1.0, 0.0}, high = {0, 160, 1.0, 0.0};
    CHECK(!has_mp3 || snr_of("mp3", &high) > snr_of("mp3", &low) + 3.0);
    CHECK(snr_of("opus", &high) > snr_of("opus", &low) + 3.0);
}

TEST(flac_keeps_every_bit)
{
    enum { N = 5000 };
    float *sound = make_sound(N);
    kk_buf flac = KK_BUF_INIT, pcm = KK_BUF_INIT;
    decoded a, b;
    CHECK_INT(encode_whole("flac", &plain, N, sound, N, &flac), KOKORO_OK);
    CHECK_INT(encode_whole("pcm", &plain, N, sound, N, &pcm), KOKORO_OK);
    decode(&a, "flac", &flac, 24000);
    decode(&b, "pcm", &pcm, 24000);
    CHECK_INT(a.n, b.n);
    CHECK(a.n == b.n && memcmp(a.samples, b.samples, a.n * sizeof(*a.samples)) == 0);
    decoded_free(&a);
    decoded_free(&b);
    kk_buf_fini(&flac);
    kk_buf_fini(&pcm);
    free(sound);
}

/* The samples that STREAMINFO tells: 36 bits. */
static uint64_t flac_total(const unsigned char *head)
{
    return (uint64_t)(head[21] & 15) << 32 | (uint64_t)head[22] << 24 | (uint64_t)head[23] << 16 |
           (uint64_t)head[24] << 8 | head[25];
}

TEST(flac_says_how_long_it_is)
{
    enum { N = 5000 };
    float *sound = make_sound(N);
    kk_buf known = KK_BUF_INIT, unknown = KK_BUF_INIT;
    const kk_encoding at_8000 = {8000, 0, 1.0, 0.0};
    CHECK_INT(encode_whole("flac", &at_8000, N, sound, N, &known), KOKORO_OK);
    CHECK_INT(flac_total((unsigned char *)known.data), 1667);
    CHECK_INT(encode_whole("flac", &plain, KK_SAMPLES_UNKNOWN, sound, N, &unknown), KOKORO_OK);
    CHECK_INT(flac_total((unsigned char *)unknown.data), 0);
    kk_buf_fini(&known);
    kk_buf_fini(&unknown);
    free(sound);
}

/* With the head put in its place a sound of unknown length is as one of known length. */
TEST(heads_tell_the_length_afterwards)
{
    enum { N = 30001 };
    float *sound = make_sound(N);
    for (size_t f = 0; f < N_FORMATS; f++) {
        kk_encoder *encoder = NULL;
        kk_buf bytes = KK_BUF_INIT, known = KK_BUF_INIT;
        unsigned char head[KK_HEAD_MAX];
        const kk_encoding encoding = {16000, 0, 1.0, 0.0};
        decoded d;
        if (!is_made(formats[f]))
            continue;
        CHECK_INT(kk_encoder_open(&encoder, kk_codec_find(formats[f]), &encoding,
                                  KK_SAMPLES_UNKNOWN, keep_bytes, &bytes, NULL),
                  KOKORO_OK);
        CHECK_INT(kk_encoder_write(encoder, sound, N, NULL), KOKORO_OK);
        CHECK_INT(kk_encoder_finish(encoder, NULL), KOKORO_OK);
        const size_t len = kk_encoder_head(encoder, head);
        kk_encoder_close(&encoder);
        CHECK_INT(len, is(formats[f], "wav") ? 44 : is(formats[f], "flac") ? 42 : 0);
        memcpy(bytes.data, head, len);
        if (is(formats[f], "wav")) {
            CHECK_INT(encode_whole("wav", &encoding, N, sound, N, &known), KOKORO_OK);
            CHECK(known.len == bytes.len && memcmp(known.data, bytes.data, known.len) == 0);
        } else if (is(formats[f], "flac")) {
            CHECK_INT(flac_total((unsigned char *)bytes.data), n_at(N, 16000));
            decode(&d, "flac", &bytes, 16000); /* compares the MD5, which is there now */
            CHECK(d.is_whole);
            CHECK_INT(d.n, n_at(N, 16000));
            bytes.data[26] = (char)(bytes.data[26] + 1);
            decoded_free(&d);
            decode(&d, "flac", &bytes, 16000);
            CHECK(!d.is_whole);
            decoded_free(&d);
        }
        kk_buf_fini(&bytes);
        kk_buf_fini(&known);
    }
    free(sound);
}

/* Serial number and checksum, which differ from one Ogg stream to the next, become 0. */
static void forget_serials(kk_buf *bytes)
{
    unsigned char *p = (unsigned char *)bytes->data;
    size_t at = 0;
    while (at + 27 <= bytes->len && memcmp(p + at, "OggS", 4) == 0) {
        size_t len = 27 + (size_t)p[at + 26];
        for (size_t i = 0; i < p[at + 26]; i++)
            len += p[at + 27 + i];
        memset(p + at + 14, 0, 4);
        memset(p + at + 22, 0, 4);
        at += len;
    }
    CHECK_INT(at, bytes->len);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static void encode_split(const char *format, const kk_encoding *encoding, const float *sound,
                         size_t n, uint32_t seed, kk_buf *out)
{
    kk_encoder *encoder = NULL;
    CHECK_INT(kk_encoder_open(&encoder, kk_codec_find(format), encoding, KK_SAMPLES_UNKNOWN,
                              keep_bytes, out, NULL),
              KOKORO_OK);
    while (n > 0) {
        size_t now = next_random(&seed) % (seed & 64 ? 5000 : 50);
        now = now < n ? now : n;
        CHECK_INT(kk_encoder_write(encoder, sound, now, NULL), KOKORO_OK);
        sound += now;
        n -= now;
    }
    CHECK_INT(kk_encoder_finish(encoder, NULL), KOKORO_OK);
    kk_encoder_close(&encoder);
}

TEST(pieces_do_not_matter)
{
    enum { N = 30001 };
    static const int rates[] = {0, 16000, 48000};
    float *sound = make_sound(N);
    for (size_t f = 0; f < N_FORMATS; f++) {
        for (size_t r = 0; is_made(formats[f]) && r < sizeof(rates) / sizeof(rates[0]); r++) {
            const kk_encoding encoding = {rates[r], 0, 1.5, 0.0};
            kk_buf whole = KK_BUF_INIT;
            CHECK_INT(encode_whole(formats[f], &encoding, KK_SAMPLES_UNKNOWN, sound, N, &whole), 0);
            if (is(formats[f], "opus"))
                forget_serials(&whole);
            for (uint32_t seed = 1; seed <= 4; seed++) {
                kk_buf split = KK_BUF_INIT;
                encode_split(formats[f], &encoding, sound, N, seed, &split);
                if (is(formats[f], "opus"))
                    forget_serials(&split);
                CHECK(split.len == whole.len && memcmp(split.data, whole.data, whole.len) == 0);
                kk_buf_fini(&split);
            }
            kk_buf_fini(&whole);
        }
    }
    free(sound);
}

/* It decodes to 48 kHz whatever is asked for; who wants the original rate finds it in the head, in
 * a page whose checksum is right (a wrong one is no page to the reader of check_one). */
TEST(opus_tells_the_rate_that_was_asked_for)
{
    enum { N = 24001 };
    float *sound = make_sound(N);
    for (const int *rate = kk_sample_rates; *rate != 0; rate++) {
        const kk_encoding encoding = {*rate, 0, 1.0, 0.0};
        kk_buf bytes = KK_BUF_INIT;
        decoded d;
        CHECK_INT(encode_whole("opus", &encoding, N, sound, N, &bytes), KOKORO_OK);
        const unsigned char *p = (const unsigned char *)bytes.data + 28 + 12;
        CHECK_INT(p[0] | p[1] << 8 | p[2] << 16 | p[3] << 24, *rate);
        decode(&d, "opus", &bytes, 0);
        CHECK(d.is_whole);
        CHECK_INT(d.n, 2 * N);
        decoded_free(&d);
        kk_buf_fini(&bytes);
    }
    free(sound);
}

/* Two streams behind one another must not be taken for one. */
TEST(opus_streams_have_numbers_of_their_own)
{
    const float sample = 0.1F;
    kk_buf a = KK_BUF_INIT, b = KK_BUF_INIT;
    CHECK_INT(encode_whole("opus", &plain, 1, &sample, 1, &a), KOKORO_OK);
    CHECK_INT(encode_whole("opus", &plain, 1, &sample, 1, &b), KOKORO_OK);
    CHECK(memcmp(a.data + 14, b.data + 14, 4) != 0);
    kk_buf_fini(&a);
    kk_buf_fini(&b);
}

/* What is out when so many samples are in must be a sound already. */
TEST(sound_goes_out_early)
{
    /* Samples held back at most: by the resampler in front of opus, by whole frames, by what an
     * encoder looks ahead. */
    static const size_t held[N_FORMATS] = {1200, 2000, 3072, 1200, 0, 0};
    enum { N = 24000 };
    float *sound = make_sound(N);
    for (size_t f = 0; f < N_FORMATS; f++) {
        kk_encoder *encoder = NULL;
        kk_buf bytes = KK_BUF_INIT;
        if (!is_made(formats[f]))
            continue;
        CHECK_INT(kk_encoder_open(&encoder, kk_codec_find(formats[f]), &plain, KK_SAMPLES_UNKNOWN,
                                  keep_bytes, &bytes, NULL),
                  KOKORO_OK);
        const size_t front = bytes.len;
        CHECK_INT(front > 0, !is(formats[f], "pcm") && is_exact(formats[f]));
        for (size_t i = 0; i < N; i += 240) {
            decoded d;
            CHECK_INT(kk_encoder_write(encoder, sound + i, 240, NULL), KOKORO_OK);
            if (i + 240 <= held[f])
                continue;
            decode(&d, formats[f], &bytes, 24000);
            const double got_s = (double)d.n / d.sample_rate_hz;
            /* From then on every piece is heard but for a page of five packets of opus. */
            const double page_s = is(formats[f], "opus") && i > 4800 ? 0.1 : 0.0;
            if (!(got_s > 0.0 && got_s + page_s >= (double)(i + 240 - held[f]) / 24000.0))
                CHECK_FAIL_("%s: %.3f s of %.3f s", formats[f], got_s, (double)(i + 240) / 24000.0);
            decoded_free(&d);
        }
        kk_encoder_close(&encoder);
        kk_buf_fini(&bytes);
    }
    free(sound);
}

/* A listener who has a part of the bytes has the beginning of the sound. */
TEST(a_beginning_is_the_beginning)
{
    enum { N = 48000 };
    float *sound = make_sound(N);
    for (size_t f = 0; f < N_FORMATS; f++) {
        kk_buf bytes = KK_BUF_INIT;
        decoded whole, part;
        if (is(formats[f], "aac") || (is(formats[f], "mp3") && !has_mp3))
            continue; /* only counted here; decoded from outside */
        CHECK_INT(encode_whole(formats[f], &plain, KK_SAMPLES_UNKNOWN, sound, N, &bytes), 0);
        decode(&whole, formats[f], &bytes, 24000);
        const size_t len = bytes.len;
        for (size_t tenth = 1; tenth < 10; tenth++) {
            bytes.len = len * tenth / 10;
            decode(&part, formats[f], &bytes, 24000);
            /* Half a second of slack for frames and pages, and for a bitrate that varies. */
            CHECK(part.n + (size_t)whole.sample_rate_hz / 2 > whole.n * tenth / 10);
            CHECK(part.n < whole.n);
            CHECK(memcmp(part.samples, whole.samples, part.n * sizeof(float)) == 0);
            decoded_free(&part);
        }
        decoded_free(&whole);
        kk_buf_fini(&bytes);
    }
    free(sound);
}

TEST(volume_is_a_factor)
{
    const float samples[] = {0.0F, 0.25F, -0.5F, 0.75F, -0.9F, NAN, INFINITY};
    static const struct {
        double volume;
        int want[7];
    } table[] = {{0.0, {0, 0, 0, 0, 0, 0, 0}},
                 {0.5, {0, 4096, -8192, 12288, -14745, 0, 32767}},
                 {1.0, {0, 8192, -16384, 24575, -29490, 0, 32767}}};
    for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
        kk_buf bytes = KK_BUF_INIT;
        const kk_encoding encoding = {0, 0, table[k].volume, 0.0};
        CHECK_INT(encode_whole("pcm", &encoding, 7, samples, 7, &bytes), KOKORO_OK);
        CHECK_INT(bytes.len, 14);
        for (size_t i = 0; i < 7 && bytes.len == 14; i++) {
            const unsigned char *p = (const unsigned char *)bytes.data + 2 * i;
            /* Half a step either way where a product is rounded; 0 times infinity is no number. */
            CHECK_NEAR((int16_t)(p[0] | p[1] << 8), table[k].want[i], 1.0);
        }
        kk_buf_fini(&bytes);
    }
}

/* Decibels, to a thousandth of the whole range: 20 log10 2 are twice. */
TEST(gain_is_in_decibels_and_the_volume_on_top)
{
    const float samples[] = {0.0F, 0.25F, -0.5F, 0.45F};
    static const struct {
        double volume, gain_db, factor;
    } table[] = {{1.0, -20.0, 0.1},     {1.0, -6.0205999, 0.5}, {1.0, 6.0205999, 2.0},
                 {0.5, 6.0205999, 1.0}, {2.0, -6.0205999, 1.0}, {0.0, 20.0, 0.0}};
    for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
        kk_buf bytes = KK_BUF_INIT;
        const kk_encoding encoding = {0, 0, table[k].volume, table[k].gain_db};
        CHECK_INT(encode_whole("pcm", &encoding, 4, samples, 4, &bytes), KOKORO_OK);
        CHECK_INT(bytes.len, 8);
        for (size_t i = 0; i < 4 && bytes.len == 8; i++) {
            const unsigned char *p = (const unsigned char *)bytes.data + 2 * i;
            CHECK_NEAR((int16_t)(p[0] | p[1] << 8), 32767.0 * table[k].factor * (double)samples[i],
                       1.0);
        }
        kk_buf_fini(&bytes);
    }
}

static int16_t sample_at(const kk_buf *bytes, size_t i)
{
    const unsigned char *p = (const unsigned char *)bytes->data + 2 * i;
    return (int16_t)(p[0] | p[1] << 8);
}

/* The amplitude of one frequency between two samples. */
static double amplitude(const kk_buf *bytes, size_t from, size_t to, double hz, int rate_hz)
{
    double re = 0.0, im = 0.0;
    for (size_t i = from; i < to; i++) {
        const double phase = 2.0 * 3.14159265358979323846 * hz * (double)i / rate_hz;
        re += sample_at(bytes, i) * cos(phase);
        im += sample_at(bytes, i) * sin(phase);
    }
    return 2.0 * sqrt(re * re + im * im) / (double)(to - from) / 32767.0;
}

/* A tone of 500 Hz for a second, loud in its second half. Cut off, 1.8 of it would have a third
 * harmonic of 0.22. */
TEST(too_loud_is_turned_down_and_not_cut_off)
{
    enum { N = 24000 };
    float *samples = calloc(N, sizeof(*samples));
    const int rates[] = {24000, 48000, 8000};
    CHECK(samples != NULL);
    for (size_t i = 0; samples != NULL && i < N; i++)
        samples[i] = (float)((i < N / 2 ? 0.4 : 0.9) *
                             sin(2.0 * 3.14159265358979323846 * 500.0 * (double)i / N));
    for (size_t k = 0; samples != NULL && k < 3; k++) {
        const kk_encoding encoding = {rates[k], 0, 2.0, 0.0};
        const size_t n = (size_t)rates[k];
        kk_buf bytes = KK_BUF_INIT, parts = KK_BUF_INIT;
        CHECK_INT(encode_whole("pcm", &encoding, N, samples, N, &bytes), KOKORO_OK);
        CHECK_INT(bytes.len, 2 * n);
        for (size_t i = 0; k == 0 && i + 200 < N / 2; i++)
            CHECK_NEAR(sample_at(&bytes, i), 32767.0 * 2.0 * (double)samples[i], 1.0);
        CHECK_NEAR(amplitude(&bytes, n / 4, n * 45 / 100, 500.0, rates[k]), 0.8, 0.01);
        CHECK_NEAR(amplitude(&bytes, n * 3 / 4, n * 95 / 100, 500.0, rates[k]), 0.99, 0.02);
        CHECK(amplitude(&bytes, n * 3 / 4, n * 95 / 100, 1500.0, rates[k]) < 0.005);
        kk_encoder *encoder = NULL;
        CHECK_INT(
            kk_encoder_open(&encoder, kk_codec_find("pcm"), &encoding, N, keep_bytes, &parts, NULL),
            KOKORO_OK);
        for (size_t i = 0, len = 1; i < N; i += len, len = len % 97 + 1)
            CHECK_INT(kk_encoder_write(encoder, samples + i, N - i < len ? N - i : len, NULL),
                      KOKORO_OK);
        CHECK_INT(kk_encoder_finish(encoder, NULL), KOKORO_OK);
        kk_encoder_close(&encoder);
        CHECK(parts.len == bytes.len && memcmp(parts.data, bytes.data, bytes.len) == 0);
        kk_buf_fini(&bytes);
        kk_buf_fini(&parts);
    }
    free(samples);
}

/* The most that a loudness and a volume can ask for: still turned down, not cut off. */
TEST(a_gain_above_one_goes_through_the_limiter)
{
    enum { N = 24000 };
    float *samples = calloc(N, sizeof(*samples));
    CHECK(samples != NULL);
    for (size_t i = 0; samples != NULL && i < N; i++)
        samples[i] = (float)(0.9 * sin(2.0 * 3.14159265358979323846 * 500.0 * (double)i / N));
    for (double gain_db = 6.0; samples != NULL && gain_db < 25.0; gain_db += 18.0) {
        const kk_encoding encoding = {0, 0, 2.0, gain_db};
        kk_buf bytes = KK_BUF_INIT;
        CHECK_INT(encode_whole("pcm", &encoding, N, samples, N, &bytes), KOKORO_OK);
        CHECK_INT(bytes.len, 2 * N);
        CHECK_NEAR(amplitude(&bytes, N / 2, N * 9 / 10, 500.0, N), 0.99, 0.02);
        CHECK(amplitude(&bytes, N / 2, N * 9 / 10, 1500.0, N) < 0.005);
        kk_buf_fini(&bytes);
    }
    free(samples);
}

/* Also shorter than what is looked ahead, and damaged. */
TEST(a_loud_sound_of_any_length)
{
    const float samples[] = {0.9F, -0.9F, NAN, INFINITY, 0.1F};
    for (size_t n = 0; n <= 5; n++) {
        const kk_encoding encoding = {0, 0, 2.0, 0.0};
        kk_buf bytes = KK_BUF_INIT;
        CHECK_INT(encode_whole("pcm", &encoding, n, samples, n, &bytes), KOKORO_OK);
        CHECK_INT(bytes.len, 2 * n);
        for (size_t i = 0; n <= 3 && i < n; i++)
            CHECK_NEAR(sample_at(&bytes, i), (i == 0 ? 1 : i == 1 ? -1 : 0) * 32767.0, 400.0);
        kk_buf_fini(&bytes);
    }
}

TEST(what_can_be_chosen)
{
    static const struct {
        const char *format;
        kk_encoding encoding;
        int field; /* -1: it is fine */
        const char *has;
    } table[] = {
        {"mp3", {0, 64, 1.0, 0.0}, -1, ""},
        {"mp3", {44100, 320, 1.0, 0.0}, -1, ""},
        {"mp3", {24000, 320, 1.0, 0.0}, KK_ENCODING_BITRATE, "mp3 at 24000 Hz must be 8, 16,"},
        {"mp3", {12000, 80, 1.0, 0.0}, KK_ENCODING_BITRATE, "56 or 64 kbit/s, not 80"},
        {"mp3", {48000, 24, 1.0, 0.0}, KK_ENCODING_BITRATE, "must be 32, 40,"},
        {"opus", {0, 6, 1.0, 0.0}, -1, ""},
        {"opus", {0, 257, 1.0, 0.0}, KK_ENCODING_BITRATE, "from 6 to 256 kbit/s, not 257"},
        {"opus", {22050, 0, 1.0, 0.0}, -1, ""},
        {"opus", {32000, 0, 1.0, 0.0}, -1, ""},
        {"opus", {44100, 0, 1.0, 0.0}, -1, ""},
        {"opus", {11025, 0, 1.0, 0.0}, KK_ENCODING_SAMPLE_RATE, "44100 or 48000 Hz, not 11025"},
        {"aac", {24000, 144, 1.0, 0.0}, -1, ""},
        {"aac", {24000, 145, 1.0, 0.0}, KK_ENCODING_BITRATE, "from 16 to 144 kbit/s"},
        {"aac", {8000, 49, 1.0, 0.0}, KK_ENCODING_BITRATE, "aac at 8000 Hz must be from 16 to 48"},
        {"flac", {0, 64, 1.0, 0.0}, KK_ENCODING_BITRATE, "flac has no bitrate"},
        {"wav", {0, 64, 1.0, 0.0}, KK_ENCODING_BITRATE, "mp3, opus or aac"},
        {"pcm", {11025, 0, 1.0, 0.0}, KK_ENCODING_SAMPLE_RATE, "44100 or 48000 Hz, not 11025"},
        {"pcm", {0, 0, -0.01, 0.0}, KK_ENCODING_VOLUME, "from 0 to 2, not -0.01"},
        {"mp3", {0, 0, NAN, 0.0}, KK_ENCODING_VOLUME, "from 0 to 2"},
        {"mp3", {-1, 0, 1.0, 0.0}, KK_ENCODING_SAMPLE_RATE, "not -1"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        enum kk_encoding_field field;
        kokoro_error error = {0};
        const int status =
            kk_codec_check(kk_codec_find(table[i].format), &table[i].encoding, &field, &error);
        CHECK_INT(status, table[i].field < 0 ? KOKORO_OK : KOKORO_INVALID);
        if (table[i].field >= 0) {
            kk_encoder *encoder = NULL;
            CHECK_INT(field, table[i].field);
            CHECK_HAS(error.message, table[i].has);
            CHECK(kk_encoder_open(&encoder, kk_codec_find(table[i].format), &table[i].encoding, 0,
                                  keep_bytes, NULL, NULL) != KOKORO_OK);
            CHECK(encoder == NULL);
        }
    }
}

TEST(bitrates_are_kept)
{
    static const int mp3[][2] = {{48000, 320}, {44100, 32}, {24000, 160}, {24000, 8},
                                 {16000, 48},  {8000, 64},  {8000, 8},    {12000, 24}};
    enum { N = 48000 };
    float *sound = make_sound(N);
    for (size_t i = 0; i < sizeof(mp3) / sizeof(mp3[0]); i++) {
        const kk_encoding encoding = {mp3[i][0], mp3[i][1], 1.0, 0.0};
        kk_buf bytes = KK_BUF_INIT;
        decoded d;
        CHECK_INT(encode_whole("mp3", &encoding, N, sound, N, &bytes), KOKORO_OK);
        decode(&d, "mp3", &bytes, 0);
        CHECK_INT(d.bitrate_kbps, mp3[i][1]);
        check_length("mp3", &d, n_at(N, mp3[i][0]));
        decoded_free(&d);
        kk_buf_fini(&bytes);
    }
    for (int kbps = 6; kbps <= 256; kbps += 50) {
        const kk_encoding encoding = {0, kbps, 1.0, 0.0};
        kk_buf bytes = KK_BUF_INIT;
        CHECK_INT(encode_whole("opus", &encoding, N, sound, N, &bytes), KOKORO_OK);
        /* It varies with the sound; pages and the head come on top. */
        CHECK((double)bytes.len * 8.0 / 2.0 < 1e3 * (kbps * 1.4 + 8.0));
        kk_buf_fini(&bytes);
    }
    free(sound);
}

typedef struct refusal {
    int n_left, n_after; /* calls that are taken; calls that came after the refusal */
} refusal;

static int refuse(void *user, const void *data, size_t len)
{
    refusal *r = user;
    (void)data;
    (void)len;
    if (r->n_left-- > 0)
        return 0;
    r->n_after++;
    return 1;
}

static int encode_into(const char *format, const float *sound, size_t n, kk_sink_fn *sink,
                       void *user)
{
    const kk_encoding encoding = {16000, 0, 1.0, 0.0};
    kk_encoder *encoder = NULL;
    int status = kk_encoder_open(&encoder, kk_codec_find(format), &encoding, KK_SAMPLES_UNKNOWN,
                                 sink, user, NULL);
    if (status == KOKORO_OK)
        status = kk_encoder_write(encoder, sound, n, NULL);
    if (status == KOKORO_OK)
        status = kk_encoder_finish(encoder, NULL);
    kk_encoder_close(&encoder);
    return status;
}

TEST(a_sink_can_stop_anywhere)
{
    enum { N = 12000 };
    float *sound = make_sound(N);
    for (size_t f = 0; f < N_FORMATS; f++) {
        int status = KOKORO_CANCELLED;
        for (int k = 0; is_made(formats[f]) && status != KOKORO_OK && k < 1000; k++) {
            refusal r = {.n_left = k};
            status = encode_into(formats[f], sound, N, refuse, &r);
            CHECK_INT(status, r.n_after > 0 ? KOKORO_CANCELLED : KOKORO_OK);
            CHECK(r.n_after <= 1);
        }
        CHECK(status == KOKORO_OK || !is_made(formats[f]));
    }
    free(sound);
}

TEST(an_encoder_may_be_closed_at_any_time)
{
    enum { N = 5000 };
    float *sound = make_sound(N);
    for (size_t f = 0; f < N_FORMATS; f++) {
        for (size_t n = 0; is_made(formats[f]) && n <= N; n += 1250) {
            kk_encoder *encoder = NULL;
            kk_buf bytes = KK_BUF_INIT;
            CHECK_INT(kk_encoder_open(&encoder, kk_codec_find(formats[f]), &plain, 5000, keep_bytes,
                                      &bytes, NULL),
                      KOKORO_OK);
            CHECK_INT(kk_encoder_write(encoder, sound, n, NULL), KOKORO_OK);
            const size_t len = bytes.len;
            kk_encoder_close(&encoder);
            CHECK_INT(bytes.len, len);
            kk_buf_fini(&bytes);
        }
    }
    free(sound);
}

static int count(void *user, const void *data, size_t len)
{
    (void)data;
    *(size_t *)user += len;
    return 0;
}

TEST(memory_may_be_out_anywhere)
{
    enum { N = 5000 };
    float *sound = make_sound(N);
    for (size_t f = 0; f < N_FORMATS; f++) {
        size_t want = 0, got = 0;
        int status = KOKORO_NO_MEMORY;
        if (!is_made(formats[f]))
            continue;
        CHECK_INT(encode_into(formats[f], sound, N, count, &want), KOKORO_OK);
        size_t k = 1;
        for (; status == KOKORO_NO_MEMORY && k < 50; k++) {
            got = 0;
            kk_alloc_fail_at(k, 0);
            status = encode_into(formats[f], sound, N, count, &got);
            kk_alloc_fail_at(0, 0);
        }
        CHECK_INT(status, KOKORO_OK);
        CHECK_INT(got, want);
        CHECK(k > 2);
    }
    free(sound);
}

TEST(a_missing_library_is_named)
{
    kokoro_error error = {0};
    if (kk_codec_is_there(kk_codec_find("aac"), &error) == KOKORO_OK)
        SKIP("libavcodec.so.59 is there");
    CHECK_INT(error.status, KOKORO_PROVIDER);
    CHECK_HAS(error.message, "libavcodec.so.59");
    CHECK_HAS(error.message, "apt-get install libavcodec59");
}

TEST_MAIN(T(lengths), T(two_minutes), T(the_sound_comes_back), T(more_bits_are_nearer),
          T(flac_keeps_every_bit), T(flac_says_how_long_it_is), T(heads_tell_the_length_afterwards),
          T(pieces_do_not_matter), T(opus_tells_the_rate_that_was_asked_for),
          T(opus_streams_have_numbers_of_their_own), T(sound_goes_out_early),
          T(a_beginning_is_the_beginning), T(volume_is_a_factor),
          T(gain_is_in_decibels_and_the_volume_on_top),
          T(a_gain_above_one_goes_through_the_limiter), T(too_loud_is_turned_down_and_not_cut_off),
          T(a_loud_sound_of_any_length), T(what_can_be_chosen), T(bitrates_are_kept),
          T(a_sink_can_stop_anywhere), T(an_encoder_may_be_closed_at_any_time),
          T(memory_may_be_out_anywhere), T(a_missing_library_is_named))
