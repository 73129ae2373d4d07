/*
 * speech.h - one request on its way through the stages, between speak.c, which runs them in their
 * order, and stream.c, which runs the model and gives the sound out.
 */
#ifndef KK_ENGINE_SPEECH_H
#define KK_ENGINE_SPEECH_H

#include "engine/engine.h"
#include "engine/words.h"

#include "text/text.h"
#include "token/token.h"

typedef struct kk_speech {
    kokoro_engine *engine;
    const kokoro_request *request;
    kokoro_chunk_fn *fn;
    void *user;
    kokoro_stats *stats;
    kk_arena arena; /* of the whole request */
    kk_blend voice;
    enum kk_language language;
    kk_utterance *utterances;
    size_t n_utterances;
    kk_chunks chunks;
    kk_words words; /* of the text; none where nobody wants them */
    double start_s;
    /* Of stream.c. */
    kk_turn turn;
    bool has_sounded; /* its first sound is out */
    double dry_s;     /* when the listener has heard all (kk_now_s) */
} kk_speech;

/* The model on chunk `index`, its sound to the caller's function. PROVIDER, CANCELLED, NO_MEMORY,
 * TOO_LONG. */
int kk_speak_chunk(kk_speech *s, size_t index, kokoro_error *err);

/* The silence that the request wants behind it, in seconds; 0: none. */
double kk_pause_s(const kk_speech *s, size_t index);
/* Its sound. CANCELLED. */
int kk_speak_pause(kk_speech *s, size_t index, kokoro_error *err);

#endif
