/*
 * onnx_tensor.c - a TensorProto as a tensor: raw data is viewed in the file, data in typed fields
 * is decoded into the arena. Source: onnx.proto, TensorProto; int8 and uint8 lie in int32_data.
 */
#include "base/status.h"
#include "model/onnx/onnx_graph.h"

#include <limits.h>
#include <string.h>

enum { /* fields of TensorProto */
       TENSOR_DIMS = 1,
       TENSOR_DATA_TYPE = 2,
       TENSOR_SEGMENT = 3,
       TENSOR_FLOAT_DATA = 4,
       TENSOR_INT32_DATA = 5,
       TENSOR_INT64_DATA = 7,
       TENSOR_NAME = 8,
       TENSOR_RAW_DATA = 9,
       TENSOR_EXTERNAL_DATA = 13,
       TENSOR_DATA_LOCATION = 14
};

/* Where the values of a type lie when they are not raw, and what they may be. */
typedef struct type_row {
    int type;
    size_t size;
    uint32_t field;
    int wire_type;
    int64_t min, max;
} type_row;

static const type_row types[] = {
    {KK_ONNX_FLOAT, 4, TENSOR_FLOAT_DATA, KK_WIRE_FIXED32, 0, UINT32_MAX},
    {KK_ONNX_UINT8, 1, TENSOR_INT32_DATA, KK_WIRE_VARINT, 0, UINT8_MAX},
    {KK_ONNX_INT8, 1, TENSOR_INT32_DATA, KK_WIRE_VARINT, INT8_MIN, INT8_MAX},
    {KK_ONNX_INT32, 4, TENSOR_INT32_DATA, KK_WIRE_VARINT, INT32_MIN, INT32_MAX},
    {KK_ONNX_INT64, 8, TENSOR_INT64_DATA, KK_WIRE_VARINT, INT64_MIN, INT64_MAX},
};

static const type_row *type_find(int type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].type == type)
            return &types[i];
    }
    return NULL;
}

/* The fields of a tensor that come once. */
typedef struct tensor_fields {
    kk_wire_field name, raw; /* data is NULL when the field is not there */
    uint64_t type;
    bool external, segment;
} tensor_fields;

static int walk(tensor_fields *dst, kk_wire message, kokoro_error *err)
{
    kk_wire_field field;
    while (kk_wire_next(&message, &field)) {
        switch (field.number) {
        case TENSOR_NAME:
            if (kk_wire_expect(&message, &field, KK_WIRE_BYTES))
                dst->name = field;
            break;
        case TENSOR_RAW_DATA:
            if (kk_wire_expect(&message, &field, KK_WIRE_BYTES))
                dst->raw = field;
            break;
        case TENSOR_DATA_TYPE:
            if (kk_wire_expect(&message, &field, KK_WIRE_VARINT))
                dst->type = field.value;
            break;
        case TENSOR_DATA_LOCATION:
            dst->external = dst->external || field.value != 0;
            break;
        case TENSOR_EXTERNAL_DATA:
            dst->external = true;
            break;
        case TENSOR_SEGMENT:
            dst->segment = true;
            break;
        default:
            break;
        }
    }
    return kk_wire_end(&message, err);
}

static int read_dims(kk_onnx_tensor *tensor, const kk_wire *message, const unsigned char *place,
                     kokoro_error *err)
{
    kk_wire_numbers numbers = kk_wire_numbers_of(message, TENSOR_DIMS, KK_WIRE_VARINT);
    uint64_t dim = 0;
    tensor->n_elements = 1;
    while (kk_wire_number(&numbers, &dim)) {
        if (tensor->n_dims == KK_ONNX_MAX_DIMS)
            return kk_wire_fail(message, place, err, "tensor %.100s has more than %d dimensions",
                                tensor->name, KK_ONNX_MAX_DIMS);
        if (dim > INT64_MAX)
            return kk_wire_fail(message, place, err, "tensor %.100s has a negative dimension",
                                tensor->name);
        /* The bytes are counted in a size_t too, at most 8 for an element. */
        if (dim != 0 && tensor->n_elements > SIZE_MAX / 8 / dim)
            return kk_wire_fail(message, place, err, "tensor %.100s has too many elements",
                                tensor->name);
        tensor->n_elements *= (size_t)dim;
        tensor->dims[tensor->n_dims++] = (int64_t)dim;
    }
    return kk_wire_end(&numbers.message, err);
}

/* The values from the typed field, as many as there are elements, little-endian. */
static int decode(kk_onnx_tensor *tensor, const type_row *row, const kk_wire *message,
                  const unsigned char *place, kk_arena *arena, kokoro_error *err)
{
    unsigned char *dst = kk_arena_alloc(arena, tensor->len);
    if (dst == NULL)
        return kk_fail_memory(err);
    tensor->data = dst;
    kk_wire_numbers numbers = kk_wire_numbers_of(message, row->field, row->wire_type);
    uint64_t value = 0;
    while (kk_wire_number(&numbers, &value)) {
        if ((int64_t)value < row->min || (int64_t)value > row->max)
            return kk_wire_fail(message, place, err,
                                "tensor %.100s has the value %lld, outside its type", tensor->name,
                                (long long)value);
        for (size_t i = 0; i < row->size; i++)
            *dst++ = (unsigned char)(value >> (8 * i));
    }
    return KOKORO_OK;
}

static int read_data(kk_onnx_tensor *tensor, const kk_wire *message, const tensor_fields *fields,
                     const unsigned char *place, kk_arena *arena, kokoro_error *err)
{
    const type_row *row = type_find(tensor->type);
    if (row == NULL)
        return KOKORO_OK;
    tensor->len = tensor->n_elements * row->size;
    size_t n = 0;
    int status = kk_wire_count(message, row->field, row->wire_type, &n, err);
    if (status != KOKORO_OK)
        return status;
    if (fields->raw.data != NULL && n > 0)
        return kk_wire_fail(message, place, err, "tensor %.100s has raw data and typed data",
                            tensor->name);
    if (fields->raw.data != NULL) {
        if (fields->raw.len != tensor->len)
            return kk_wire_fail(message, place, err,
                                "tensor %.100s has %zu bytes of data; its shape wants %zu",
                                tensor->name, fields->raw.len, tensor->len);
        tensor->data = fields->raw.data;
        return KOKORO_OK;
    }
    if (n != tensor->n_elements)
        return kk_wire_fail(message, place, err,
                            "tensor %.100s has %zu values; its shape wants %zu", tensor->name, n,
                            tensor->n_elements);
    return decode(tensor, row, message, place, arena, err);
}

int kk_onnx_read_tensor(kk_onnx_tensor *tensor, kk_wire message, const unsigned char *place,
                        const char *name, kk_arena *arena, kokoro_error *err)
{
    tensor_fields fields = {0};
    *tensor = (kk_onnx_tensor){.name = name};
    int status = walk(&fields, message, err);
    if (status == KOKORO_OK && name == NULL && fields.name.data != NULL)
        status = kk_wire_text(&message, &fields.name, arena, &tensor->name, err);
    if (status != KOKORO_OK)
        return status;
    if (tensor->name == NULL || tensor->name[0] == '\0')
        return kk_wire_fail(&message, place, err, "a tensor has no name");
    if (fields.type == 0 || fields.type > INT_MAX)
        return kk_wire_fail(&message, place, err, "tensor %.100s has no data type", tensor->name);
    tensor->type = (int)fields.type;
    if (fields.external)
        return kk_wire_fail(&message, place, err,
                            "tensor %.100s has its data in another file; it should be in this one",
                            tensor->name);
    if (fields.segment)
        return kk_wire_fail(&message, place, err,
                            "tensor %.100s is one segment of a larger one; it should be whole",
                            tensor->name);
    status = read_dims(tensor, &message, place, err);
    if (status != KOKORO_OK)
        return status;
    return read_data(tensor, &message, &fields, place, arena, err);
}
