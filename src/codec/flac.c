/*
 * flac.c - FLAC (RFC 9639) through libFLAC: 16 bits, level 5, in blocks of some 48 ms, so that
 * little waits for its block to fill; the usual 4096 samples would hold back 170 ms at 24 kHz and
 * save 2 %.
 *
 * The library goes back to the beginning once all samples are known. What it writes there is kept
 * for kk_encoder_head: the length when it was unknown, the sizes of frames, and the MD5.
 */
#include "codec/codec_impl.h"

#include "base/alloc.h"
#include "base/status.h"

#include <FLAC/stream_encoder.h>
#include <string.h>

enum {
    LEVEL = 5,
    BLOCK_24K = 1152,      /* 48 ms; 576 and 2304 for half and twice the rate */
    HEAD_LEN = 4 + 4 + 34, /* "fLaC", a block's header, STREAMINFO */
    FRONT_MAX = 512,       /* all that stands in front of the first frame */
    PIECE_SAMPLES = 1024
};

typedef struct flac {
    FLAC__StreamEncoder *library;
    kokoro_error *err; /* of the call that runs */
    uint64_t at;       /* where the library writes next */
    uint64_t end;
    unsigned char front[FRONT_MAX];
    bool is_begun; /* the front is out */
} flac;

static FLAC__StreamEncoderWriteStatus take(const FLAC__StreamEncoder *library,
                                           const FLAC__byte data[], size_t len, uint32_t n_samples,
                                           uint32_t frame, void *user)
{
    kk_encoder *encoder = user;
    flac *f = encoder->state;
    (void)library;
    (void)n_samples;
    (void)frame;
    const uint64_t at = f->at;
    f->at += len;
    if (!f->is_begun || at < f->end) {
        if (at + len > FRONT_MAX)
            return FLAC__STREAM_ENCODER_WRITE_STATUS_FATAL_ERROR;
        memcpy(f->front + at, data, len);
    } else if (kk_encoder_push(encoder, data, len, f->err) != KOKORO_OK) {
        return FLAC__STREAM_ENCODER_WRITE_STATUS_FATAL_ERROR;
    }
    if (f->at > f->end)
        f->end = f->at;
    return FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
}

static FLAC__StreamEncoderSeekStatus seek(const FLAC__StreamEncoder *library, FLAC__uint64 at,
                                          void *user)
{
    const kk_encoder *encoder = user;
    flac *f = encoder->state;
    (void)library;
    f->at = at;
    return FLAC__STREAM_ENCODER_SEEK_STATUS_OK;
}

static FLAC__StreamEncoderTellStatus tell(const FLAC__StreamEncoder *library, FLAC__uint64 *at,
                                          void *user)
{
    const kk_encoder *encoder = user;
    const flac *f = encoder->state;
    (void)library;
    *at = f->at;
    return FLAC__STREAM_ENCODER_TELL_STATUS_OK;
}

/* The library failed: for the sink's reason, or else it was memory that it lacked. */
static int fail(const kk_encoder *encoder, kokoro_error *err)
{
    return encoder->is_refused ? KOKORO_CANCELLED : kk_fail_memory(err);
}

static uint32_t block_samples(int rate_hz)
{
    return rate_hz < 16000 ? BLOCK_24K / 2 : rate_hz < 32000 ? BLOCK_24K : BLOCK_24K * 2;
}

static bool set_up(const kk_encoder *encoder, FLAC__StreamEncoder *library)
{
    /* 0 is how the format says that the length is unknown. */
    const uint64_t n = encoder->n_samples != KK_SAMPLES_UNKNOWN ? encoder->n_samples : 0;
    const int rate_hz = encoder->sample_rate_hz;
    return FLAC__stream_encoder_set_channels(library, 1) &&
           FLAC__stream_encoder_set_bits_per_sample(library, 16) &&
           FLAC__stream_encoder_set_sample_rate(library, (uint32_t)rate_hz) &&
           FLAC__stream_encoder_set_compression_level(library, LEVEL) &&
           FLAC__stream_encoder_set_blocksize(library, block_samples(rate_hz)) &&
           FLAC__stream_encoder_set_total_samples_estimate(library, n);
}

static int begin(kk_encoder *encoder, kokoro_error *err)
{
    flac *f = kk_calloc(1, sizeof(*f));
    if (f == NULL)
        return kk_fail_memory(err);
    encoder->state = f;
    f->err = err;
    f->library = FLAC__stream_encoder_new();
    if (f->library == NULL || !set_up(encoder, f->library) ||
        FLAC__stream_encoder_init_stream(f->library, take, seek, tell, NULL, encoder) !=
            FLAC__STREAM_ENCODER_INIT_STATUS_OK)
        return fail(encoder, err);
    f->is_begun = true;
    return kk_encoder_push(encoder, f->front, (size_t)f->end, err);
}

static int write_samples(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    FLAC__int32 piece[PIECE_SAMPLES];
    const FLAC__int32 *const channels[] = {piece};
    flac *f = encoder->state;
    f->err = err;
    while (n > 0) {
        const size_t now = n < PIECE_SAMPLES ? n : PIECE_SAMPLES;
        for (size_t i = 0; i < now; i++)
            piece[i] = kk_sample_s16(samples[i]);
        if (!FLAC__stream_encoder_process(f->library, channels, (uint32_t)now))
            return fail(encoder, err);
        samples += now;
        n -= now;
    }
    return KOKORO_OK;
}

static int finish(kk_encoder *encoder, kokoro_error *err)
{
    flac *f = encoder->state;
    f->err = err;
    return FLAC__stream_encoder_finish(f->library) ? KOKORO_OK : fail(encoder, err);
}

static void close_library(kk_encoder *encoder)
{
    flac *f = encoder->state;
    if (f == NULL)
        return;
    /* Deleting finishes what is unfinished: that must not reach the sink any more. */
    encoder->is_refused = true;
    f->err = NULL;
    if (f->library != NULL)
        FLAC__stream_encoder_delete(f->library);
    kk_free(f);
}

static size_t head(const kk_encoder *encoder, unsigned char dst[KK_HEAD_MAX])
{
    const flac *f = encoder->state;
    memcpy(dst, f->front, HEAD_LEN);
    return HEAD_LEN;
}

const struct kk_codec_ops kk_flac_ops = {
    .begin = begin, .write = write_samples, .finish = finish, .close = close_library, .head = head};
