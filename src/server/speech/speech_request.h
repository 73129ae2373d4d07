/*
 * speech_request.h - the body of POST /v1/audio/speech, in OpenAI's form ("input") or in that of
 * the Kokoro-ONNX TTS API ("text"), to one value.
 */
#ifndef KK_SERVER_SPEECH_REQUEST_H
#define KK_SERVER_SPEECH_REQUEST_H

#include "base/arena.h"
#include "codec/codec.h"
#include "server/errors.h"

#include <stdbool.h>

/* What stands around the encoded bytes (speech_frame.h). */
enum kk_speech_frame { KK_FRAME_NONE, KK_FRAME_EVENTS, KK_FRAME_OBJECT };

typedef struct kk_speech_request {
    kokoro_request speak;     /* its strings lie in the arena */
    const kk_codec *codec;    /* mp3 unless asked for ("input"); pcm ("text") */
    kk_encoding encoding;     /* sample rate, bitrate, volume; its gain once the voice is looked at
                                 (speech_loudness.h) */
    const char *content_type; /* of the answer */
    enum kk_speech_frame frame;
    bool is_streamed;        /* true unless asked for ("input"); false ("text", one object) */
    bool has_instructions;   /* which the model cannot follow */
    size_t n_chars_in_front; /* white space that the client's text had before speak.text */
    double loudness_lufs;    /* to bring the voice to; 0: as it is. The default unless asked for */
    bool asks_loudness;      /* it was asked for, so that the voice must have one */
    bool no_cache;           /* the sound must be made anew */
    bool skips_silence;      /* before the first sound; the default unless asked for */
    const char *others;      /* the fields that nothing above tells, as JSON; "" for none */
    const char *text_param;  /* "input" or "text" */
    kk_arena arena;
} kk_speech_request;

typedef struct kk_speech_limits {
    size_t max_chars;          /* code points of the text */
    const char *default_voice; /* where the body names none */
    bool skips_silence;        /* of streamed answers, where the body does not say */
    double loudness_lufs;      /* where the body does not say; 0: as the voice is */
    bool text_follows;         /* in OpenAI's form, without its text; the answer is a stream */
} kk_speech_limits;

/*
 * Read a body. 0, or the HTTP status in *error, whose param names the field. What only the engine
 * knows (voices, languages) is not looked at. The request is to be freed in both cases.
 */
int kk_speech_request_parse(kk_speech_request *out, kk_slice body, const kk_speech_limits *limits,
                            kk_api_error *error);
void kk_speech_request_fini(kk_speech_request *request);

/* Appends a voice or a blend, with the voice that stands for it in place of each of OpenAI's names
 * ("alloy", "alloy(2)+af_sky"); all else as it is. */
void kk_voice_of_name(kk_buf *dst, const char *name);

/* The models that this server answers for; ended by NULL. The first is the default. */
extern const char *const kk_model_names[];
bool kk_model_is_known(const char *name);

#endif
