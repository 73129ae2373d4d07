/*
 * speech_key.h - all that the bytes of a speech answer hang on, as one text: two requests with the
 * same key get the same answer.
 *
 * What is not understood here is part of the key as it stands: fields of the body that
 * speech_request.h does not name (kk_speech_request.others) and every setting but those listed as
 * without bearing. So a new field or setting costs hits at worst, until it is told here, and never
 * gives one request another's sound.
 */
#ifndef KK_SERVER_SPEECH_KEY_H
#define KK_SERVER_SPEECH_KEY_H

#include "config/config.h"
#include "server/speech/speech_request.h"

/*
 * One number of what speaks: this program, the provider, its precision and runtime, and the files
 * of model, voices, lexicon and helper. Never 0. Costs a millisecond or two.
 */
uint64_t kk_speech_identity(const kokoro_engine_info *info, const kk_config *config);

/* Of the settings that may have a bearing on sound. */
uint64_t kk_speech_settings(const kk_config *config);

/* Append the key. */
void kk_speech_key(kk_buf *dst, const kk_speech_request *request, uint64_t identity,
                   uint64_t settings);

/* Append a voice expression as it is heard: without the spaces that it may hold, weights that sum
 * to 1. One that is not understood stays as it is. */
void kk_speech_voice(kk_buf *dst, const char *voice);

#endif
