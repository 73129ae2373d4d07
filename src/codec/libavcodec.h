/*
 * libavcodec.h - the encoder "aac" of libavcodec, which is loaded when it is first needed: it
 * brings a hundred packages along, so that it is no part of what must be installed.
 */
#ifndef KK_CODEC_LIBAVCODEC_H
#define KK_CODEC_LIBAVCODEC_H

#include "kokoro/kokoro.h"

#include <stddef.h>

enum { KK_AAC_FRAME_SAMPLES = 1024 };

/* OK when the library is there; PROVIDER, with the way to get it. */
int kk_libavcodec_is_there(kokoro_error *err);

typedef struct kk_aac_library kk_aac_library;

/* NO_MEMORY, PROVIDER. On failure *out is NULL. */
int kk_aac_library_open(kk_aac_library **out, int sample_rate_hz, int bitrate_kbps,
                        kokoro_error *err);

/* The next KK_AAC_FRAME_SAMPLES; NULL: there are no more. NO_MEMORY. */
int kk_aac_library_send(kk_aac_library *library, const float *samples, kokoro_error *err);

/* The next packet in *data, valid until the next call; NULL: none yet. NO_MEMORY. */
int kk_aac_library_receive(kk_aac_library *library, const unsigned char **data, size_t *len,
                           kokoro_error *err);

void kk_aac_library_close(kk_aac_library **library);

#endif
