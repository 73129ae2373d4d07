/*
 * libavcodec.c - libavcodec.so.59 (FFmpeg 5) without its headers. The few structures that callers
 * of it must write to are declared here up to the last field that is used: within one version of
 * the library's name no field moves.
 */
#include "codec/libavcodec.h"

#include "base/alloc.h"
#include "base/status.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

enum {
    CODEC_TYPE_AUDIO = 1,
    CODEC_ID_AAC = 86018,
    FORMAT_FLOAT_PLANAR = 8,
    LAYOUT_MONO = 4, /* the bit of the front centre */
    LOG_NOTHING = -8
};

/* AVCodecParameters */
typedef struct parameters {
    int codec_type, codec_id;
    uint32_t codec_tag;
    uint8_t *extradata;
    int extradata_size;
    int format;
    int64_t bit_rate; /* bit/s */
    int bits[2], profile, level;
    int width, height, aspect[2];
    int field_order, colours[5], video_delay;
    uint64_t channel_layout;
    int channels;
    int sample_rate;
} parameters;

/* AVFrame */
typedef struct frame {
    uint8_t *data[8];
    int linesize[8];
    uint8_t **extended_data;
    int width, height;
    int nb_samples;
    int format;
    int key_frame, pict_type, aspect[2];
    int64_t pts, pkt_dts;
    int time_base[2], picture_numbers[2], quality;
    void *opaque;
    int repeat_pict, interlaced, top_field_first, palette_has_changed;
    int64_t reordered_opaque;
    int sample_rate;
    uint64_t channel_layout;
    void *buf[8];
    void **extended_buf;
    int nb_extended_buf;
    void **side_data;
    int nb_side_data;
    int flags, colours[5];
    int64_t best_effort_timestamp, pkt_pos, pkt_duration;
    void *metadata;
    int decode_error_flags;
    int channels;
} frame;

/* AVPacket */
typedef struct packet {
    void *buf;
    int64_t pts, dts;
    uint8_t *data;
    int size;
} packet;

/* X(result, name, parameters): the functions that are looked up. */
#define FUNCTIONS(X)                                                                               \
    X(const void *, avcodec_find_encoder_by_name, (const char *name))                              \
    X(void *, avcodec_alloc_context3, (const void *codec))                                         \
    X(void, avcodec_free_context, (void **context))                                                \
    X(int, avcodec_open2, (void *context, const void *codec, void **options))                      \
    X(parameters *, avcodec_parameters_alloc, (void))                                              \
    X(void, avcodec_parameters_free, (parameters * *p))                                            \
    X(int, avcodec_parameters_to_context, (void *context, const parameters *p))                    \
    X(int, avcodec_send_frame, (void *context, const frame *f))                                    \
    X(int, avcodec_receive_packet, (void *context, packet *p))                                     \
    X(packet *, av_packet_alloc, (void))                                                           \
    X(void, av_packet_free, (packet * *p))                                                         \
    X(frame *, av_frame_alloc, (void))                                                             \
    X(void, av_frame_free, (frame * *f))                                                           \
    X(int, av_dict_set, (void **dictionary, const char *key, const char *value, int flags))        \
    X(void, av_dict_free, (void **dictionary))                                                     \
    X(void, av_log_set_level, (int level))

typedef struct functions {
#define KK_X(result, name, args) result(*name) args;
    FUNCTIONS(KK_X)
#undef KK_X
    const void *codec; /* NULL: not there */
} functions;

/* A function's address out of dlsym, which C has no conversion for. */
static bool look_up(void *handle, const char *name, void *function)
{
    void *address = dlsym(handle, name);
    memcpy(function, &address, sizeof(address));
    return address != NULL;
}

/* The library stays in the process (NODELETE), whose threads and tables may be in use to the end:
 * to open it again costs next to nothing. */
static bool load(functions *f)
{
    void *handle = dlopen("libavcodec.so.59", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    bool is_whole = handle != NULL;
    if (!is_whole)
        return false;
#define KK_X(result, name, args) is_whole = is_whole && look_up(handle, #name, &f->name);
    FUNCTIONS(KK_X)
#undef KK_X
    if (is_whole) {
        f->av_log_set_level(LOG_NOTHING);
        f->codec = f->avcodec_find_encoder_by_name("aac");
    }
    (void)dlclose(handle);
    return is_whole && f->codec != NULL;
}

static int load_or_fail(functions *f, kokoro_error *err)
{
    if (load(f))
        return KOKORO_OK;
    return kk_fail(err, KOKORO_PROVIDER,
                   "aac needs the library libavcodec.so.59, which is not installed here; install "
                   "it with: apt-get install libavcodec59");
}

int kk_libavcodec_is_there(kokoro_error *err)
{
    functions f = {0};
    return load_or_fail(&f, err);
}

struct kk_aac_library {
    functions f;
    void *context;
    frame *frame;
    packet *packet;
    float samples[KK_AAC_FRAME_SAMPLES];
};

static int fill_context(const functions *f, void *context, int sample_rate_hz, int bitrate_kbps)
{
    parameters *p = f->avcodec_parameters_alloc();
    if (p == NULL)
        return -1;
    p->codec_type = CODEC_TYPE_AUDIO;
    p->codec_id = CODEC_ID_AAC;
    p->format = FORMAT_FLOAT_PLANAR;
    p->bit_rate = (int64_t)bitrate_kbps * 1000;
    p->channel_layout = LAYOUT_MONO;
    p->channels = 1;
    p->sample_rate = sample_rate_hz;
    const int result = f->avcodec_parameters_to_context(context, p);
    f->avcodec_parameters_free(&p);
    return result;
}

static int open_context(const functions *f, void *context)
{
    void *options = NULL;
    /* The default, "twoloop", takes three times as long, and at 64 kbit/s it is no nearer to the
     * sound (22.0 dB against 24.5 dB). */
    int result = f->av_dict_set(&options, "aac_coder", "fast", 0);
    if (result >= 0)
        result = f->avcodec_open2(context, f->codec, &options);
    f->av_dict_free(&options);
    return result;
}

int kk_aac_library_open(kk_aac_library **out, int sample_rate_hz, int bitrate_kbps,
                        kokoro_error *err)
{
    *out = NULL;
    functions f = {0};
    int status = load_or_fail(&f, err);
    if (status != KOKORO_OK)
        return status;
    kk_aac_library *l = kk_calloc(1, sizeof(*l));
    if (l == NULL)
        return kk_fail_memory(err);
    l->f = f;
    l->context = f.avcodec_alloc_context3(f.codec);
    l->frame = f.av_frame_alloc();
    l->packet = f.av_packet_alloc();
    if (l->context == NULL || l->frame == NULL || l->packet == NULL ||
        fill_context(&f, l->context, sample_rate_hz, bitrate_kbps) < 0 ||
        open_context(&f, l->context) < 0) {
        kk_aac_library_close(&l);
        return kk_fail_memory(err);
    }
    l->frame->data[0] = (uint8_t *)l->samples;
    l->frame->extended_data = l->frame->data;
    l->frame->linesize[0] = (int)sizeof(l->samples);
    l->frame->nb_samples = KK_AAC_FRAME_SAMPLES;
    l->frame->format = FORMAT_FLOAT_PLANAR;
    l->frame->sample_rate = sample_rate_hz;
    l->frame->channel_layout = LAYOUT_MONO;
    l->frame->channels = 1;
    *out = l;
    return KOKORO_OK;
}

int kk_aac_library_send(kk_aac_library *l, const float *samples, kokoro_error *err)
{
    if (samples != NULL)
        memcpy(l->samples, samples, sizeof(l->samples));
    const int result = l->f.avcodec_send_frame(l->context, samples != NULL ? l->frame : NULL);
    if (samples != NULL)
        l->frame->pts += KK_AAC_FRAME_SAMPLES;
    return result >= 0 ? KOKORO_OK : kk_fail_memory(err);
}

int kk_aac_library_receive(kk_aac_library *l, const unsigned char **data, size_t *len,
                           kokoro_error *err)
{
    const int result = l->f.avcodec_receive_packet(l->context, l->packet);
    *data = result >= 0 ? l->packet->data : NULL;
    *len = result >= 0 ? (size_t)l->packet->size : 0;
    return result == -ENOMEM ? kk_fail_memory(err) : KOKORO_OK;
}

void kk_aac_library_close(kk_aac_library **l)
{
    if (*l == NULL)
        return;
    (*l)->f.avcodec_free_context(&(*l)->context);
    (*l)->f.av_frame_free(&(*l)->frame);
    (*l)->f.av_packet_free(&(*l)->packet);
    kk_free(*l);
    *l = NULL;
}
