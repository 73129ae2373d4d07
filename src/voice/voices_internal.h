/* voices_internal.h - what the files of this room share. */
#ifndef KK_VOICE_VOICES_INTERNAL_H
#define KK_VOICE_VOICES_INTERNAL_H

#include "base/file.h"
#include "voice/voice.h"

struct kk_voices {
    kk_map map;
    size_t n;
    const char *names;           /* [n][KK_VOICE_NAME_SIZE] */
    const unsigned char *styles; /* float32 [n][510][256] */
};

const char *kk_voices_name(const kk_voices *voices, size_t index);

#endif
