/* wyoming_event.h - what the events of the Wyoming protocol say: requests to values, answers to
 * JSON. */
#ifndef KK_SERVER_WYOMING_EVENT_H
#define KK_SERVER_WYOMING_EVENT_H

#include "server/errors.h"

#include <jansson.h>

/* What a request wants; its strings belong to the event. */
typedef struct kk_wyoming_wish {
    const char *name, *speaker, *language; /* of the voice; NULL: not said */
} kk_wyoming_wish;

/* "voice" and "text_format" of synthesize and synthesize-start. 0, or a status in *error. */
int kk_wyoming_take_wish(const json_t *data, kk_wyoming_wish *out, kk_api_error *error);
/* "text" of synthesize and synthesize-chunk. */
int kk_wyoming_take_text(const json_t *data, kk_slice *out, kk_api_error *error);

/*
 * The voice that a wish means, its name copied: the speaker or the name, where OpenAI's names and
 * blends are names too; else the default voice, or, where that has another language than the one
 * wished for, the first that has it. 0, or a status in *error.
 */
int kk_wyoming_choose_voice(const kokoro_engine *engine, const kk_wyoming_wish *wish,
                            const char *default_voice, char *voice, size_t size,
                            kk_api_error *error);

/* A voice as an element of the answer to describe; NULL when memory is out. */
json_t *kk_wyoming_voice(const kokoro_voice *voice);
/* The answer to describe with these voices, whose reference is taken. */
json_t *kk_wyoming_info(json_t *voices);

#endif
