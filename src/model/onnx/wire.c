#include "model/onnx/wire.h"

#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { VARINT_MAX_LEN = 10, TAG_TYPE_BITS = 3 };
static const uint64_t field_number_max = (1u << 29) - 1;

kk_wire kk_wire_of(const char *path, const unsigned char *data, size_t len)
{
    return (kk_wire){.at = data, .end = data + len, .file = data, .path = path};
}

kk_wire kk_wire_enter(const kk_wire *wire, const kk_wire_field *field)
{
    return (kk_wire){
        .at = field->data, .end = field->data + field->len, .file = wire->file, .path = wire->path};
}

static bool set_fault(kk_wire *wire, const unsigned char *place, const char *fault)
{
    wire->at = place;
    wire->fault = fault;
    return false;
}

static bool read_varint(kk_wire *wire, uint64_t *value)
{
    const unsigned char *start = wire->at;
    *value = 0;
    for (unsigned i = 0; i < VARINT_MAX_LEN; i++) {
        if (wire->at == wire->end)
            return set_fault(wire, start, "a number runs past the end of what holds it");
        unsigned char byte = *wire->at++;
        if (i == VARINT_MAX_LEN - 1 && byte > 1)
            break; /* only the lowest bit of the tenth byte still fits into 64 */
        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return set_fault(wire, start, "a number has more than 64 bits");
}

static bool read_fixed(kk_wire *wire, size_t len, uint64_t *value)
{
    if ((size_t)(wire->end - wire->at) < len)
        return set_fault(wire, wire->at, "a number runs past the end of what holds it");
    *value = 0;
    for (size_t i = 0; i < len; i++)
        *value |= (uint64_t)wire->at[i] << (8 * i);
    wire->at += len;
    return true;
}

static bool read_number(kk_wire *wire, int type, uint64_t *value)
{
    switch (type) {
    case KK_WIRE_VARINT:
        return read_varint(wire, value);
    case KK_WIRE_FIXED64:
        return read_fixed(wire, 8, value);
    case KK_WIRE_FIXED32:
        return read_fixed(wire, 4, value);
    default:
        return set_fault(wire, wire->at, "a field has a wire type that no ONNX file has");
    }
}

static bool read_bytes(kk_wire *wire, kk_wire_field *field)
{
    uint64_t len = 0;
    if (!read_varint(wire, &len))
        return false;
    if (len > (size_t)(wire->end - wire->at))
        return set_fault(wire, field->at, "a field runs past the end of what holds it");
    field->data = wire->at;
    field->len = (size_t)len;
    wire->at += len;
    return true;
}

bool kk_wire_next(kk_wire *wire, kk_wire_field *field)
{
    if (wire->fault != NULL || wire->at == wire->end)
        return false;
    *field = (kk_wire_field){.at = wire->at};
    uint64_t tag = 0;
    if (!read_varint(wire, &tag))
        return false;
    uint64_t number = tag >> TAG_TYPE_BITS;
    if (number == 0 || number > field_number_max)
        return set_fault(wire, field->at, "a field has an impossible number");
    field->number = (uint32_t)number;
    field->type = (int)(tag & ((1u << TAG_TYPE_BITS) - 1));
    if (field->type == KK_WIRE_BYTES)
        return read_bytes(wire, field);
    field->data = wire->at;
    if (!read_number(wire, field->type, &field->value))
        return set_fault(wire, field->at, wire->fault);
    field->len = (size_t)(wire->at - field->data);
    return true;
}

bool kk_wire_expect(kk_wire *wire, const kk_wire_field *field, int type)
{
    if (field->type == type)
        return true;
    return set_fault(wire, field->at, "a field has another wire type than ONNX gives it");
}

int kk_wire_end(const kk_wire *wire, kokoro_error *err)
{
    if (wire->fault == NULL)
        return KOKORO_OK;
    return kk_wire_fail(wire, wire->at, err, "%s; the file is damaged or not an ONNX model",
                        wire->fault);
}

kk_wire_numbers kk_wire_numbers_of(const kk_wire *message, uint32_t number, int type)
{
    kk_wire_numbers numbers = {.message = *message, .number = number, .type = type};
    numbers.values = *message;
    numbers.values.end = numbers.values.at;
    return numbers;
}

bool kk_wire_number(kk_wire_numbers *numbers, uint64_t *value)
{
    kk_wire *message = &numbers->message;
    kk_wire *values = &numbers->values;
    kk_wire_field field;
    while (values->at == values->end) {
        if (!kk_wire_next(message, &field))
            return false;
        if (field.number != numbers->number)
            continue;
        if (field.type != KK_WIRE_BYTES && !kk_wire_expect(message, &field, numbers->type))
            return false;
        /* Unpacked, the field's bytes are its one value. */
        *values = kk_wire_enter(message, &field);
    }
    if (!read_number(values, numbers->type, value))
        return set_fault(message, values->at, values->fault);
    return true;
}

int kk_wire_count(const kk_wire *message, uint32_t number, int type, size_t *n, kokoro_error *err)
{
    kk_wire_numbers numbers = kk_wire_numbers_of(message, number, type);
    uint64_t value = 0;
    *n = 0;
    while (kk_wire_number(&numbers, &value))
        (*n)++;
    return kk_wire_end(&numbers.message, err);
}

int kk_wire_text(const kk_wire *wire, const kk_wire_field *field, kk_arena *arena,
                 const char **text, kokoro_error *err)
{
    if (memchr(field->data, '\0', field->len) != NULL)
        return kk_wire_fail(wire, field->at, err, "a name has a NUL inside");
    *text = kk_arena_strndup(arena, (const char *)field->data, field->len);
    return *text != NULL ? KOKORO_OK : kk_fail_memory(err);
}

int kk_wire_fail(const kk_wire *wire, const unsigned char *place, kokoro_error *err,
                 const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return kk_fail(err, KOKORO_BAD_MODEL, "cannot use model %s: byte %zu: %s", wire->path,
                   (size_t)(place - wire->file), what);
}
