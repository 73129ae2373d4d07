/*
 * wyoming_frame.h - events of the Wyoming protocol (github.com/OHF-Voice/wyoming) as bytes:
 *
 *     {"type": "synthesize", "version": "1.10.2", "data_length": 17, "payload_length": 0}\n
 *     {"text": "Hello"}            data_length bytes, which join "data" of the line
 *     ...                          payload_length bytes: sound, thrown away here
 *
 * Knows nothing of sockets and of what the events mean.
 */
#ifndef KK_SERVER_WYOMING_FRAME_H
#define KK_SERVER_WYOMING_FRAME_H

#include "base/str.h"
#include "kokoro/kokoro.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Of the protocol as it is spoken here. */
#define KK_WYOMING_VERSION "1.10.2"

enum {
    KK_WYOMING_MAX_LINE = 64 << 10,
    KK_WYOMING_MAX_DATA = 1 << 20,
    KK_WYOMING_MAX_PAYLOAD = 16 << 20
};

typedef struct kk_wyoming_reader {
    kk_buf in;       /* bytes that came */
    size_t at;       /* of which so many were taken */
    size_t n_looked; /* bytes of the line without its end */
    json_t *line;    /* of the event whose data or payload comes in; NULL: its line comes in */
    size_t data_len, payload_len; /* still to come */
    bool has_bad_data;
    bool is_broken;
} kk_wyoming_reader;

typedef struct kk_wyoming_event {
    const char *type;
    const json_t *data; /* an object */
    json_t *owner;
} kk_wyoming_event;

enum kk_wyoming_verdict {
    KK_WYOMING_MORE,     /* bytes are missing */
    KK_WYOMING_EVENT,    /* to be freed by kk_wyoming_event_fini */
    KK_WYOMING_BAD,      /* an event that cannot be read; the next one can */
    KK_WYOMING_BROKEN,   /* nobody knows where the next one begins */
    KK_WYOMING_NO_MEMORY /* the same */
};

void kk_wyoming_reader_fini(kk_wyoming_reader *reader);
/* How many bytes it takes now. */
size_t kk_wyoming_reader_room(const kk_wyoming_reader *reader);
/* Whether an event has begun and is not whole. */
bool kk_wyoming_reader_is_inside(const kk_wyoming_reader *reader);
/* False when memory is out. */
bool kk_wyoming_reader_add(kk_wyoming_reader *reader, const void *data, size_t len);
/* The next event; what is wrong with it in *err (its message). */
enum kk_wyoming_verdict kk_wyoming_reader_next(kk_wyoming_reader *reader, kk_wyoming_event *event,
                                               kokoro_error *err);
void kk_wyoming_event_fini(kk_wyoming_event *event);

/* Append an event but for its payload. `data` is the text of an object or "". */
void kk_wyoming_write(kk_buf *dst, const char *type, kk_slice data, size_t payload_len);

#endif
