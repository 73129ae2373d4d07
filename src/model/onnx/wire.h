/*
 * wire.h - the protocol-buffer wire format: a bounded cursor over one message of a mapped file.
 *
 *     kk_wire_field field;
 *     while (kk_wire_next(&wire, &field)) {
 *         if (field.number == 7 && kk_wire_expect(&wire, &field, KK_WIRE_BYTES))
 *             ... kk_wire_enter(&wire, &field) ...
 *     }
 *     return kk_wire_end(&wire, err);
 *
 * A fault in the bytes ends the walk and is kept in the cursor; kk_wire_end tells it with its
 * place. Unknown fields are passed over by their wire type. Groups, which no ONNX message has, are
 * a fault.
 *
 * Source: "Encoding" in the protocol-buffer documentation.
 */
#ifndef KK_MODEL_ONNX_WIRE_H
#define KK_MODEL_ONNX_WIRE_H

#include "base/arena.h"
#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KK_WIRE_VARINT = 0, KK_WIRE_FIXED64 = 1, KK_WIRE_BYTES = 2, KK_WIRE_FIXED32 = 5 };

typedef struct kk_wire {
    const unsigned char *at; /* the next byte; after a fault the byte where it lies */
    const unsigned char *end;
    const unsigned char *file; /* byte 0 of the file: places in messages count from here */
    const char *path;
    const char *fault; /* NULL while all is well */
} kk_wire;

typedef struct kk_wire_field {
    const unsigned char *at; /* its tag */
    uint32_t number;
    int type;
    uint64_t value;            /* of a number */
    const unsigned char *data; /* [len] what follows the tag, without the length of BYTES */
    size_t len;
} kk_wire_field;

/* A whole file as one message. `path` is only named in errors; all is borrowed. */
kk_wire kk_wire_of(const char *path, const unsigned char *data, size_t len);
/* A field of type BYTES as a message. */
kk_wire kk_wire_enter(const kk_wire *wire, const kk_wire_field *field);

/* The next field; false at the end of the message and at a fault. */
bool kk_wire_next(kk_wire *wire, kk_wire_field *field);
/* Whether a field has the type that its number should have; it is a fault when not. */
bool kk_wire_expect(kk_wire *wire, const kk_wire_field *field, int type);
/* OK when no fault was met, else BAD_MODEL. */
int kk_wire_end(const kk_wire *wire, kokoro_error *err);

/* The values of a repeated number in a message, packed or one by one or both. */
typedef struct kk_wire_numbers {
    kk_wire message;
    kk_wire values; /* what is left of the current field */
    uint32_t number;
    int type;
} kk_wire_numbers;

kk_wire_numbers kk_wire_numbers_of(const kk_wire *message, uint32_t number, int type);
/* The next value; false at the end and at a fault, which kk_wire_end(&numbers->message) tells. */
bool kk_wire_number(kk_wire_numbers *numbers, uint64_t *value);
/* How many values the field has. BAD_MODEL; after an OK, kk_wire_number meets no fault in them. */
int kk_wire_count(const kk_wire *message, uint32_t number, int type, size_t *n, kokoro_error *err);

/* A name as a string in the arena, "" for no bytes; one with a NUL inside is refused. BAD_MODEL,
 * NO_MEMORY. */
int kk_wire_text(const kk_wire *wire, const kk_wire_field *field, kk_arena *arena,
                 const char **text, kokoro_error *err);

/* BAD_MODEL, with the path, the place and what is wrong there. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
int kk_wire_fail(const kk_wire *wire, const unsigned char *place, kokoro_error *err,
                 const char *format, ...);

#endif
