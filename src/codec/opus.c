/*
 * opus.c - Opus in Ogg (RFC 6716, 7845) through libopusenc, at 48 kHz, in packets of 20 ms. The
 * head of the stream says how many samples a decoder must drop in front, the last page where the
 * sound ends: what comes out is exactly as long as what went in.
 *
 * Pages are taken from the library one by one: a page a packet at first, so that the first sound
 * need not wait, then PACKETS_PER_PAGE, because the head of a page costs 28 bytes.
 */
#include "codec/codec_impl.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"

#include <ogg/ogg.h>
#include <opusenc.h>
#include <stdatomic.h>
#include <string.h>

enum {
    RATE_HZ = 48000,
    PACKET_SAMPLES = 960,
    FIRST_PACKETS = 10, /* 0.2 s */
    PACKETS_PER_PAGE = 5,
    MIN_KBPS = 6,
    MAX_KBPS = 256,
    /* Of 0 to 10: 0.5 % of real time; 10 takes 1.6 %, and at 48 kbit/s it is no nearer to the sound
     * (1.31 dB against 1.12 dB, log-mel). */
    COMPLEXITY = 5,
    /* The first page holds the head alone (RFC 7845, 5.1), which tells the rate of what was
     * encoded. */
    HEAD_PAGE_LEN = 47,
    PAGE_HEADER_LEN = 28,
    HEAD_RATE_AT = 40
};

typedef struct opus {
    OggOpusComments *comments;
    OggOpusEnc *library;
    float block[PACKET_SAMPLES]; /* what waits for a whole packet */
    size_t n_block;
    uint64_t n_packets;
} opus;

/* Opus has five widths of sound, named by the rates that carry them, and always plays at 48 kHz:
 * the narrowest that holds what the asked rate can. */
static int width_of(int asked_hz)
{
    return asked_hz <= 8000    ? OPUS_BANDWIDTH_NARROWBAND
           : asked_hz <= 12000 ? OPUS_BANDWIDTH_MEDIUMBAND
           : asked_hz <= 16000 ? OPUS_BANDWIDTH_WIDEBAND
           : asked_hz <= 24000 ? OPUS_BANDWIDTH_SUPERWIDEBAND
                               : OPUS_BANDWIDTH_FULLBAND;
}

static int check_bitrate(int rate_hz, int bitrate_kbps, kokoro_error *err)
{
    (void)rate_hz;
    if (bitrate_kbps >= MIN_KBPS && bitrate_kbps <= MAX_KBPS)
        return KOKORO_OK;
    return kk_fail(err, KOKORO_INVALID, "the bitrate of opus must be from %d to %d kbit/s, not %d",
                   MIN_KBPS, MAX_KBPS, bitrate_kbps);
}

static int default_bitrate(int rate_hz)
{
    return rate_hz <= 8000 ? 16 : rate_hz <= 16000 ? 24 : 48;
}

/* Streams that are put one behind the other must differ in their numbers; the library would take
 * them from rand(), which is the same in every process. */
static opus_int32 next_serial(void)
{
    static atomic_uint counter;
    const uint32_t number = atomic_fetch_add(&counter, 1) + (uint32_t)(kk_now_s() * 1e6);
    /* A multiplier without common divisors with 2^31 (Knuth's golden ratio) keeps them apart. */
    return (opus_int32)(number * 2654435761U & 0x7FFFFFFFU);
}

static bool set_up(const kk_encoder *encoder, OggOpusEnc *library)
{
    return ope_encoder_ctl(library, OPE_SET_SERIALNO(next_serial())) == OPE_OK &&
           ope_encoder_ctl(library, OPE_SET_DECISION_DELAY(0)) == OPE_OK &&
           ope_encoder_ctl(library, OPE_SET_COMMENT_PADDING(0)) == OPE_OK &&
           ope_encoder_ctl(library, OPUS_SET_EXPERT_FRAME_DURATION(OPUS_FRAMESIZE_20_MS)) ==
               OPE_OK &&
           ope_encoder_ctl(library, OPUS_SET_BITRATE(encoder->bitrate_kbps * 1000)) == OPE_OK &&
           ope_encoder_ctl(library, OPUS_SET_COMPLEXITY(COMPLEXITY)) == OPE_OK &&
           ope_encoder_ctl(library, OPUS_SET_MAX_BANDWIDTH(width_of(encoder->asked_hz))) == OPE_OK;
}

/* Hand out the pages that are full, with `flush` also the one that is not. */
static int push_pages(kk_encoder *encoder, bool flush, kokoro_error *err)
{
    opus *o = encoder->state;
    unsigned char *page;
    opus_int32 len;
    int status = KOKORO_OK;
    while (status == KOKORO_OK && ope_encoder_get_page(o->library, &page, &len, flush) != 0)
        status = kk_encoder_push(encoder, page, (size_t)len, err);
    return status;
}

/* The library tells the rate at which it gets the sound; players that offer the original one look
 * for what was asked for. */
static int push_head(kk_encoder *encoder, kokoro_error *err)
{
    opus *o = encoder->state;
    unsigned char *page, head[HEAD_PAGE_LEN];
    opus_int32 len;
    if (ope_encoder_get_page(o->library, &page, &len, 1) == 0)
        return kk_fail_memory(err);
    if (encoder->wished_hz == 0 || len != HEAD_PAGE_LEN)
        return kk_encoder_push(encoder, page, (size_t)len, err);
    memcpy(head, page, sizeof(head));
    kk_put_u32(head + HEAD_RATE_AT, (uint32_t)encoder->wished_hz);
    ogg_page_checksum_set(&(ogg_page){.header = head,
                                      .header_len = PAGE_HEADER_LEN,
                                      .body = head + PAGE_HEADER_LEN,
                                      .body_len = HEAD_PAGE_LEN - PAGE_HEADER_LEN});
    return kk_encoder_push(encoder, head, sizeof(head), err);
}

static int begin(kk_encoder *encoder, kokoro_error *err)
{
    int problem;
    opus *o = kk_calloc(1, sizeof(*o));
    if (o == NULL)
        return kk_fail_memory(err);
    encoder->state = o;
    o->comments = ope_comments_create();
    if (o->comments != NULL)
        o->library = ope_encoder_create_pull(o->comments, RATE_HZ, 1, 0, &problem);
    if (o->library == NULL || !set_up(encoder, o->library) ||
        ope_encoder_flush_header(o->library) != OPE_OK)
        return kk_fail_memory(err);
    const int status = push_head(encoder, err);
    return status == KOKORO_OK ? push_pages(encoder, true, err) : status;
}

/* What is in the block, which is a whole packet but for the last. */
static int write_block(kk_encoder *encoder, kokoro_error *err)
{
    opus *o = encoder->state;
    if (ope_encoder_write_float(o->library, o->block, (int)o->n_block) != OPE_OK)
        return kk_fail_memory(err);
    o->n_block = 0;
    o->n_packets++;
    return push_pages(encoder,
                      o->n_packets <= FIRST_PACKETS || o->n_packets % PACKETS_PER_PAGE == 0, err);
}

static int write_samples(kk_encoder *encoder, const float *samples, size_t n, kokoro_error *err)
{
    opus *o = encoder->state;
    return kk_encoder_gather(encoder, o->block, PACKET_SAMPLES, &o->n_block, samples, n,
                             write_block, err);
}

static int finish(kk_encoder *encoder, kokoro_error *err)
{
    opus *o = encoder->state;
    /* Also where there is nothing left: the library learns where the end is with what it is given
     * alone. */
    if (ope_encoder_write_float(o->library, o->block, (int)o->n_block) != OPE_OK ||
        ope_encoder_drain(o->library) != OPE_OK)
        return kk_fail_memory(err);
    return push_pages(encoder, true, err);
}

static void close_library(kk_encoder *encoder)
{
    opus *o = encoder->state;
    if (o == NULL)
        return;
    if (o->library != NULL)
        ope_encoder_destroy(o->library);
    if (o->comments != NULL)
        ope_comments_destroy(o->comments);
    kk_free(o);
}

const struct kk_codec_ops kk_opus_ops = {.begin = begin,
                                         .write = write_samples,
                                         .finish = finish,
                                         .close = close_library,
                                         .check_bitrate = check_bitrate,
                                         .default_bitrate = default_bitrate,
                                         .decoded_hz = RATE_HZ};
