/*
 * speech_loudness.h - the gain that brings a voice to a loudness. It is one for the whole of an
 * answer and follows from the voice alone, so that it is known before the first sample and the same
 * in whole and in streamed answers.
 */
#ifndef KK_SERVER_SPEECH_LOUDNESS_H
#define KK_SERVER_SPEECH_LOUDNESS_H

#include "server/speech/speech_request.h"

struct kk_server;

/*
 * Decibels from how `voice` speaks to `lufs` (0: none are wanted) in *gain_db. A voice that was
 * never measured is LOUDNESS where that `is_asked`, and else left as it is, which the log tells
 * once; VOICE.
 */
int kk_speech_gain(struct kk_server *server, const kokoro_engine *engine, const char *voice,
                   double lufs, bool is_asked, double *gain_db, kokoro_error *err);

/* The same of a request, into its encoding. */
int kk_speech_set_gain(struct kk_server *server, const kokoro_engine *engine,
                       kk_speech_request *request, kokoro_error *err);

#endif
