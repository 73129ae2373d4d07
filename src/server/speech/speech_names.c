/*
 * speech_names.c - OpenAI's names for voices and models, so that its clients need no change. The
 * pairs of voices are by sex and, as far as that can be said, by character.
 */
#include "server/speech/speech_request.h"

#include <string.h>

static const struct {
    const char *name, *voice;
} voices[] = {
    {"alloy", "af_alloy"},  {"ash", "am_adam"},    {"ballad", "bm_george"}, {"coral", "af_bella"},
    {"echo", "am_echo"},    {"fable", "bm_fable"}, {"onyx", "am_onyx"},     {"nova", "af_nova"},
    {"sage", "af_sarah"},   {"shimmer", "af_sky"}, {"verse", "am_michael"}, {"marin", "af_heart"},
    {"cedar", "am_fenrir"},
};

static kk_slice voice_of_name(kk_slice name)
{
    for (size_t i = 0; i < sizeof(voices) / sizeof(voices[0]); i++) {
        if (kk_slice_equal(name, kk_slice_of(voices[i].name)))
            return kk_slice_of(voices[i].voice);
    }
    return name;
}

void kk_voice_of_name(kk_buf *dst, const char *name)
{
    for (;;) {
        const kk_slice blank = {name, strspn(name, " +")};
        const kk_slice part = {name + blank.len, strcspn(name + blank.len, " +(")};
        const char *rest = part.data + part.len;
        const kk_slice weight = {rest, strcspn(rest, "+")};
        kk_buf_append_slice(dst, blank);
        kk_buf_append_slice(dst, voice_of_name(part));
        kk_buf_append_slice(dst, weight);
        name = rest + weight.len;
        if (*name == '\0')
            break;
    }
}

const char *const kk_model_names[] = {
    "kokoro", "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15", NULL,
};

bool kk_model_is_known(const char *name)
{
    for (const char *const *known = kk_model_names; *known != NULL; known++) {
        if (strcmp(*known, name) == 0)
            return true;
    }
    return false;
}
