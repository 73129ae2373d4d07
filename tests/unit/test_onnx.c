/*
 * The reader of ONNX files: hand-built files for each way to store a value and each way to be
 * wrong, every prefix and every changed bit of one, and the published model where it is there.
 */
#include "check.h"
#include "data.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "model/onnx/onnx.h"
#include "model/onnx/onnx_graph.h"
#include "model/onnx/onnx_phase.h"

#include <stdint.h>
#include <string.h>

static char dir[] = "/tmp/kokoro-onnx-XXXXXX", path[64];

/* ---- builder ------------------------------------------------------------------------------ */

static void put_varint(kk_buf *dst, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        kk_buf_append_char(dst, (char)(0x80 | (value & 0x7f)));
    kk_buf_append_char(dst, (char)value);
}

static void put_int(kk_buf *dst, unsigned field, int64_t value)
{
    put_varint(dst, field << 3);
    put_varint(dst, (uint64_t)value);
}

static void put_bytes(kk_buf *dst, unsigned field, const void *data, size_t len)
{
    put_varint(dst, field << 3 | KK_WIRE_BYTES);
    put_varint(dst, len);
    kk_buf_append(dst, data, len);
}

static void put_text(kk_buf *dst, unsigned field, const char *text)
{
    put_bytes(dst, field, text, strlen(text));
}

static void put_float(kk_buf *dst, unsigned field, float value)
{
    put_varint(dst, field << 3 | KK_WIRE_FIXED32);
    kk_buf_append(dst, &value, sizeof(value));
}

/* A message that is done: into the field of the one around it. */
static void put_message(kk_buf *dst, unsigned field, kk_buf *message)
{
    CHECK(!message->failed);
    put_bytes(dst, field, message->data, message->len);
    kk_buf_fini(message);
}

/* The start of a TensorProto; the dimensions end with -1. */
static kk_buf tensor_of(const char *name, int type, const int64_t *dims)
{
    kk_buf tensor = KK_BUF_INIT;
    for (; *dims >= 0; dims++)
        put_int(&tensor, 1, *dims);
    put_int(&tensor, 2, type);
    if (name != NULL)
        put_text(&tensor, 8, name);
    return tensor;
}

#define TENSOR_OF(name, type, ...) tensor_of(name, type, (const int64_t[]){__VA_ARGS__})

static const float w_values[6] = {1.0f, -2.0f, 0.5f, 1e-30f, 3.0f, -0.0f};

static void put_tensors(kk_buf *graph)
{
    kk_buf t = TENSOR_OF("w", KK_ONNX_FLOAT, 2, 3, -1);
    put_bytes(&t, 9, w_values, sizeof(w_values));
    put_message(graph, 5, &t);
    t = TENSOR_OF("packed", KK_ONNX_FLOAT, 3, -1);
    put_bytes(&t, 4, w_values, 2 * sizeof(float));
    put_float(&t, 4, 0.5f); /* packed and one by one may be mixed */
    put_message(graph, 5, &t);
    t = TENSOR_OF("scalar", KK_ONNX_UINT8, -1);
    put_int(&t, 5, 255);
    put_message(graph, 5, &t);
    t = TENSOR_OF("signed", KK_ONNX_INT8, 3, -1);
    put_bytes(&t, 5, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x7f", 11); /* -1, 127 */
    put_int(&t, 5, -128);
    put_message(graph, 5, &t);
    t = TENSOR_OF("int32", KK_ONNX_INT32, 1, 2, -1);
    put_int(&t, 5, INT32_MIN);
    put_int(&t, 5, INT32_MAX);
    put_message(graph, 5, &t);
    t = TENSOR_OF("int64", KK_ONNX_INT64, 2, -1);
    put_int(&t, 7, INT64_MIN);
    put_bytes(&t, 7, "\x07", 1);
    put_message(graph, 5, &t);
    t = TENSOR_OF("none", KK_ONNX_FLOAT, 0, 5, -1);
    put_message(graph, 5, &t);
    t = TENSOR_OF("half", 10, 2, -1);
    put_bytes(&t, 9, "\0\x3c\0\x3c", 4);
    put_message(graph, 5, &t);
    kk_buf packed_dims = KK_BUF_INIT;
    put_bytes(&packed_dims, 1, "\x02\x01\x01", 3);
    put_int(&packed_dims, 2, KK_ONNX_INT8);
    put_text(&packed_dims, 8, "packed dims");
    put_bytes(&packed_dims, 9, "ab", 2);
    put_message(graph, 5, &packed_dims);
}

static void put_attribute(kk_buf *node, const char *name, kk_buf *values, int type)
{
    put_text(values, 1, name);
    if (type != 0)
        put_int(values, 20, type);
    put_message(node, 5, values);
}

static void put_conv(kk_buf *graph)
{
    kk_buf node = KK_BUF_INIT, a = KK_BUF_INIT;
    put_text(&node, 1, "x");
    put_text(&node, 1, "w");
    put_text(&node, 1, ""); /* an optional input that is absent */
    put_text(&node, 2, "y");
    put_text(&node, 3, "conv");
    put_text(&node, 4, "Conv");
    put_bytes(&a, 8, "\x02\x03", 2);
    put_attribute(&node, "pads", &a, 7);
    put_int(&a, 8, 1);
    put_int(&a, 8, -1);
    put_attribute(&node, "strides", &a, 0);
    put_int(&a, 3, -7);
    put_attribute(&node, "group", &a, 2);
    put_attribute(&node, "zero", &a, 2); /* a 0 that the writer left out */
    put_int(&a, 3, 5);                   /* not repeated: the last counts */
    put_int(&a, 3, 4);
    put_attribute(&node, "untyped", &a, 0);
    put_float(&a, 2, 0.1f);
    put_attribute(&node, "alpha", &a, 1);
    put_text(&a, 4, "NOTSET");
    put_attribute(&node, "auto_pad", &a, 3);
    put_message(graph, 1, &node);
}

/* A model with one of everything; the graph is its last field. */
static kk_buf whole_model(void)
{
    kk_buf model = KK_BUF_INIT, graph = KK_BUF_INIT, node = KK_BUF_INIT, a = KK_BUF_INIT;
    put_int(&model, 1, 10);              /* ir_version */
    put_text(&model, 2, "test");         /* producer_name */
    put_bytes(&model, 8, "\x10\x0d", 2); /* opset_import */
    put_conv(&graph);
    kk_buf value = TENSOR_OF(NULL, KK_ONNX_INT64, 1, -1);
    put_int(&value, 7, -42);
    put_message(&a, 5, &value);
    put_attribute(&node, "value", &a, 4); /* before the operator's name */
    put_text(&node, 4, "Constant");
    put_text(&node, 2, "c");
    put_message(&graph, 1, &node);
    put_text(&node, 1, "y");
    put_text(&node, 1, "c");
    put_text(&node, 1, "w");
    put_text(&node, 2, "z");
    put_text(&node, 4, "Add"); /* no name of its own, as the one before */
    put_message(&graph, 1, &node);
    put_text(&graph, 2, "graph");
    put_tensors(&graph);
    put_varint(&graph, 999 << 3 | KK_WIRE_FIXED64); /* fields that nobody knows */
    kk_buf_append(&graph, "12345678", 8);
    put_float(&graph, 1000, 1.0f);
    put_int(&graph, 1001, -1);
    put_text(&graph, 1002, "unknown");
    put_message(&model, 7, &graph);
    return model;
}

static void write_file(const void *data, size_t len)
{
    kk_writer writer;
    CHECK_INT(kk_writer_open(&writer, path, NULL), KOKORO_OK);
    kk_writer_write(&writer, data, len);
    CHECK_INT(kk_writer_commit(&writer, NULL), KOKORO_OK);
}

static int open_bytes(kk_onnx **onnx, const void *data, size_t len, kokoro_error *err)
{
    write_file(data, len);
    return kk_onnx_open(onnx, path, err);
}

/* The messages alone, from memory that ends where the file would: a read past it is found. */
static int read_bytes(const void *data, size_t len, kokoro_error *err)
{
    unsigned char *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        return KOKORO_NO_MEMORY;
    memcpy(copy, data, len);
    kk_arena arena = KK_ARENA_INIT;
    kk_onnx_graph graph = {.arena = &arena};
    int status = kk_onnx_read_model(&graph, kk_wire_of("memory", copy, len), err);
    kk_arena_fini(&arena);
    free(copy);
    return status;
}

/* ---- what is right ------------------------------------------------------------------------ */

TEST(set_up)
{
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/m.onnx", dir);
}

static void check_tensor(const kk_onnx *onnx, const char *name, int type, const void *data,
                         size_t len, size_t n_elements)
{
    const kk_onnx_tensor *tensor = kk_onnx_tensor_find(onnx, name);
    CHECK(tensor != NULL);
    if (tensor == NULL)
        return;
    CHECK_STR(tensor->name, name);
    CHECK_INT(tensor->type, type);
    CHECK_INT(tensor->n_elements, n_elements);
    CHECK_INT(tensor->len, len);
    CHECK(tensor->len == len && (len == 0 || memcmp(tensor->data, data, len) == 0));
}

TEST(each_way_to_store_values)
{
    kk_buf model = whole_model();
    kk_onnx *onnx = NULL;
    kokoro_error err = {0, ""};
    CHECK_INT(open_bytes(&onnx, model.data, model.len, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    CHECK_INT(kk_onnx_n_tensors(onnx), 10);
    CHECK_INT(kk_onnx_n_nodes(onnx), 3);
    const float packed[] = {1.0f, -2.0f, 0.5f};
    const int32_t int32[] = {INT32_MIN, INT32_MAX};
    const int64_t int64[] = {INT64_MIN, 7}, c = -42;
    check_tensor(onnx, "w", KK_ONNX_FLOAT, w_values, sizeof(w_values), 6);
    check_tensor(onnx, "packed", KK_ONNX_FLOAT, packed, sizeof(packed), 3);
    check_tensor(onnx, "scalar", KK_ONNX_UINT8, "\xff", 1, 1);
    check_tensor(onnx, "signed", KK_ONNX_INT8, "\xff\x7f\x80", 3, 3);
    check_tensor(onnx, "int32", KK_ONNX_INT32, int32, sizeof(int32), 2);
    check_tensor(onnx, "int64", KK_ONNX_INT64, int64, sizeof(int64), 2);
    check_tensor(onnx, "none", KK_ONNX_FLOAT, "", 0, 0);
    check_tensor(onnx, "packed dims", KK_ONNX_INT8, "ab", 2, 2);
    check_tensor(onnx, "c", KK_ONNX_INT64, &c, sizeof(c), 1);
    check_tensor(onnx, "half", 10, NULL, 0, 2);
    CHECK(kk_onnx_tensor_find(onnx, "half")->data == NULL);
    CHECK_INT(kk_onnx_tensor_find(onnx, "scalar")->n_dims, 0);
    CHECK_INT(kk_onnx_tensor_find(onnx, "w")->n_dims, 2);
    CHECK_INT(kk_onnx_tensor_find(onnx, "w")->dims[1], 3);
    CHECK_INT(kk_onnx_tensor_find(onnx, "packed dims")->n_dims, 3);
    CHECK_INT(kk_onnx_tensor_find(onnx, "packed dims")->dims[0], 2);
    CHECK(kk_onnx_tensor_find(onnx, "y") == NULL);
    CHECK(kk_onnx_tensor_find(onnx, "") == NULL);
    CHECK(kk_onnx_hash(onnx) == kk_hash(model.data, model.len));
    kk_onnx_close(&onnx);
    CHECK(onnx == NULL);
    kk_onnx_close(&onnx);
    kk_buf_fini(&model);
}

TEST(nodes_by_name_and_by_tensor)
{
    kk_buf model = whole_model();
    kk_onnx *onnx = NULL;
    CHECK_INT(open_bytes(&onnx, model.data, model.len, NULL), KOKORO_OK);
    const kk_onnx_node *conv = kk_onnx_node_find(onnx, "conv");
    CHECK_STR(conv->op, "Conv");
    CHECK_INT(conv->n_inputs, 3);
    CHECK_STR(conv->inputs[1], "w");
    CHECK_STR(conv->inputs[2], "");
    CHECK_INT(conv->n_outputs, 1);
    CHECK_INT(conv->n_attributes, 7);
    CHECK(kk_onnx_producer(onnx, "y") == conv);
    CHECK(kk_onnx_consumer(onnx, "w") == conv); /* the first of two */
    CHECK(kk_onnx_consumer(onnx, "x") == conv);
    const kk_onnx_node *add = kk_onnx_consumer(onnx, "y");
    CHECK_STR(add->op, "Add");
    CHECK_STR(add->name, "");
    CHECK(kk_onnx_consumer(onnx, "c") == add && kk_onnx_producer(onnx, "z") == add);
    CHECK_STR(kk_onnx_producer(onnx, "c")->op, "Constant");
    CHECK(kk_onnx_node_find(onnx, "") == NULL);
    CHECK(kk_onnx_node_find(onnx, "y") == NULL);
    CHECK(kk_onnx_producer(onnx, "x") == NULL && kk_onnx_producer(onnx, "") == NULL);
    CHECK(kk_onnx_consumer(onnx, "z") == NULL && kk_onnx_consumer(onnx, "") == NULL);
    kk_onnx_close(&onnx);
    kk_buf_fini(&model);
}

TEST(attributes_of_integers)
{
    kk_buf model = whole_model();
    kk_onnx *onnx = NULL;
    CHECK_INT(open_bytes(&onnx, model.data, model.len, NULL), KOKORO_OK);
    const kk_onnx_node *conv = kk_onnx_node_find(onnx, "conv");
    int64_t values[3] = {99, 99, 99};
    CHECK_INT(kk_onnx_attribute_ints(conv, "pads", values, 3), 2);
    CHECK(values[0] == 2 && values[1] == 3 && values[2] == 99);
    CHECK_INT(kk_onnx_attribute_ints(conv, "strides", values, 1), 2); /* only one is stored */
    CHECK(values[0] == 1 && values[1] == 3);
    CHECK_INT(kk_onnx_attribute_ints(conv, "strides", values, 3), 2);
    CHECK(values[1] == -1);
    CHECK_INT(kk_onnx_attribute_ints(conv, "group", values, 3), 1);
    CHECK_INT(values[0], -7);
    CHECK_INT(kk_onnx_attribute_ints(conv, "zero", values, 3), 1);
    CHECK_INT(values[0], 0);
    CHECK_INT(kk_onnx_attribute_ints(conv, "untyped", values, 3), 1);
    CHECK_INT(values[0], 4);
    CHECK_INT(kk_onnx_attribute_ints(conv, "alpha", values, 3), 0);
    CHECK_INT(kk_onnx_attribute_ints(conv, "auto_pad", values, 3), 0);
    CHECK_INT(kk_onnx_attribute_ints(conv, "dilations", NULL, 0), 0);
    kk_onnx_close(&onnx);
    kk_buf_fini(&model);
}

/* ---- what is wrong ------------------------------------------------------------------------ */

/* The message that the bytes of a row are; an ATTRIBUTE is in a Constant node. */
enum level { MODEL, GRAPH, TENSOR, NODE, ATTRIBUTE };

typedef struct bad_row {
    enum level level;
    const char *bytes;
    size_t len;
    const char *want; /* in the message */
} bad_row;

#define BYTES(literal) literal, sizeof(literal) - 1
#define T_FLOAT "\x10\x01"
#define T_UINT8 "\x10\x02"
#define T_INT8 "\x10\x03"
#define T_INT32 "\x10\x06"
#define T_NAME "\x42\x01t"
#define MINUS_ONE "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
#define TWO_TO_62 "\x80\x80\x80\x80\x80\x80\x80\x80\x40"

static const bad_row bad_rows[] = {
    /* the wire format; the byte is where the fault lies in the whole file */
    {MODEL, BYTES("RIFF....WAVEfmt "), "byte 0: a field runs past"},
    {MODEL, BYTES("\x08\x07"), "byte 0: there is no graph"},
    {MODEL, BYTES("\x08"), "byte 0: a number runs past"},
    {MODEL, BYTES("\x08\x80"), "byte 0: a number runs past"},
    {MODEL, BYTES("\x80"), "byte 0: a number runs past"},
    {MODEL, BYTES("\x08\x07\x3a\x05\x0a"), "byte 2: a field runs past"},
    {MODEL, BYTES("\x3a" MINUS_ONE), "byte 0: a field runs past"},
    {MODEL, BYTES("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "byte 1: a number has more"},
    {MODEL, BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "a number has more than 64"},
    {MODEL, BYTES("\x02\x00"), "byte 0: a field has an impossible number"},
    {MODEL, BYTES("\x80\x80\x80\x80\x10\x00"), "impossible number"},
    {MODEL,
     BYTES("\x09"
           "1234567"),
     "byte 0: a number runs past"},
    {MODEL,
     BYTES("\x0d"
           "123"),
     "byte 0: a number runs past"},
    {MODEL, BYTES("\x38\x01"), "byte 0: a field has another wire type"},
    {GRAPH, BYTES("\x0b\x0c"), "byte 2: a field has a wire type that no"}, /* a group */
    {GRAPH, BYTES("\x12\x01g\x0c"), "byte 5: a field has a wire type that no"},
    {GRAPH, BYTES("\x0e"), "a wire type that no"},
    {GRAPH, BYTES("\x0f"), "a wire type that no"},
    {GRAPH, BYTES("\x08\x01"), "byte 2: a field has another wire type"},
    {GRAPH, BYTES("\x28\x01"), "byte 2: a field has another wire type"},
    {TENSOR, BYTES("\x12\x00"), "byte 4: a field has another wire type"},
    {TENSOR, BYTES("\x40\x00"), "byte 4: a field has another wire type"},
    {TENSOR, BYTES("\x48\x00"), "byte 4: a field has another wire type"},
    {TENSOR,
     BYTES("\x0d"
           "1234" T_FLOAT T_NAME),
     "byte 4: a field has another wire type"},
    {TENSOR, BYTES("\x0a\x02\x01\x80" T_FLOAT T_NAME), "byte 7: a number runs past"},
    {TENSOR,
     BYTES(T_FLOAT T_NAME "\x22\x03"
                          "123"),
     "byte 11: a number runs past"},
    {TENSOR, BYTES(T_FLOAT T_NAME "\x20\x01"), "byte 9: a field has another wire type"},
    {TENSOR,
     BYTES(T_INT8 T_NAME "\x2d"
                         "1234"),
     "byte 9: a field has another wire type"},
    {NODE, BYTES("\x08\x01"), "byte 4: a field has another wire type"},
    {NODE,
     BYTES("\x22\x01"
           "A\x2a\x02\x08\x01"),
     "byte 9: a field has another wire type"},
    {NODE,
     BYTES("\x22\x01"
           "A\x2a\x02\x28\x01"),
     "byte 9: a field has another wire type"},
    {NODE,
     BYTES("\x22\x01"
           "A\x2a\x02\x18\x80"),
     "a number runs past"},
    {NODE,
     BYTES("\x22\x01"
           "A\x2a\x03\x42\x01\x80"),
     "byte 11: a number runs past"},
    {NODE,
     BYTES("\x22\x01"
           "A\x2a\x05\x1d"
           "1234"),
     "byte 9: a field has another wire type"},
    {NODE,
     BYTES("\x22\x01"
           "A\x2a\x04\xa2\x01\x01"
           "1"),
     "byte 9: a field has another wire type"},
    /* tensors; the byte is the tensor's first */
    {TENSOR,
     BYTES(T_FLOAT "\x4a\x04"
                   "1234"),
     "byte 2: a tensor has no name"},
    {TENSOR,
     BYTES(T_FLOAT "\x42\x00\x4a\x04"
                   "1234"),
     "a tensor has no name"},
    {TENSOR,
     BYTES(T_FLOAT "\x42\x03"
                   "a\0b"),
     "byte 6: a name has a NUL"},
    {TENSOR,
     BYTES(T_NAME "\x4a\x04"
                  "1234"),
     "byte 2: tensor t has no data type"},
    {TENSOR, BYTES(T_NAME "\x10\x00"), "tensor t has no data type"},
    {TENSOR, BYTES(T_NAME "\x10" MINUS_ONE), "tensor t has no data type"},
    {TENSOR, BYTES(T_NAME T_FLOAT "\x70\x01"), "byte 2: tensor t has its data in another file"},
    {TENSOR, BYTES(T_NAME T_FLOAT "\x6a\x00"), "tensor t has its data in another file"},
    {TENSOR, BYTES(T_NAME T_FLOAT "\x1a\x00"), "tensor t is one segment"},
    {TENSOR, BYTES(T_NAME T_FLOAT "\x08" MINUS_ONE), "byte 2: tensor t has a negative dimension"},
    {TENSOR, BYTES(T_NAME T_FLOAT "\x0a\x0a" MINUS_ONE), "tensor t has a negative dimension"},
    {TENSOR,
     BYTES(T_NAME T_FLOAT "\x0a\x09\1\1\1\1\1\1\1\1\1\x4a\x04"
                          "1234"),
     "byte 2: tensor t has more than 8 dimensions"},
    {TENSOR, BYTES(T_NAME T_FLOAT "\x08" TWO_TO_62), "byte 2: tensor t has too many elements"},
    {TENSOR, BYTES(T_NAME T_UINT8 "\x08" TWO_TO_62 "\x08\x04"), "tensor t has too many elements"},
    {TENSOR, BYTES(T_NAME T_UINT8 "\x08\x80\x80\x80\x80\x10\x08\x80\x80\x80\x80\x10"),
     "tensor t has too many elements"}, /* 2^32 * 2^32 */
    {TENSOR,
     BYTES(T_NAME T_FLOAT "\x4a\x03"
                          "123"),
     "byte 2: tensor t has 3 bytes of data; its"},
    {TENSOR,
     BYTES(T_NAME T_FLOAT "\x4a\x05"
                          "12345"),
     "its shape wants 4"},
    {TENSOR, BYTES(T_NAME T_FLOAT "\x4a\x00"), "its shape wants 4"},
    {TENSOR,
     BYTES(T_NAME T_FLOAT "\x08\x02\x4a\x04"
                          "1234"),
     "its shape wants 8"},
    {TENSOR,
     BYTES(T_NAME T_FLOAT "\x08\x00\x4a\x04"
                          "1234"),
     "its shape wants 0"},
    {TENSOR, BYTES(T_NAME T_FLOAT), "byte 2: tensor t has 0 values; its shape wants 1"},
    {TENSOR, BYTES(T_NAME T_FLOAT "\x28\x01"), "tensor t has 0 values"}, /* in int32_data */
    {TENSOR, BYTES(T_NAME T_INT8 "\x2a\x02\x01\x02"), "tensor t has 2 values; its shape wants 1"},
    {TENSOR,
     BYTES(T_NAME T_INT8 "\x28\x01\x4a\x01"
                         "1"),
     "tensor t has raw data and typed data"},
    {TENSOR, BYTES(T_NAME T_INT8 "\x28\x80\x01"), "tensor t has the value 128, outside its type"},
    {TENSOR, BYTES(T_NAME T_UINT8 "\x28\x80\x02"), "the value 256, outside"},
    {TENSOR, BYTES(T_NAME T_UINT8 "\x28" MINUS_ONE), "the value -1, outside"},
    {TENSOR, BYTES(T_NAME T_INT32 "\x28\x80\x80\x80\x80\x08"), "the value 2147483648, outside"},
    /* nodes and the graph */
    {NODE, BYTES("\x1a\x01n"), "byte 2: node n has no operator"},
    {NODE,
     BYTES("\x22\x03"
           "A\0B"),
     "byte 4: a name has a NUL"},
    {NODE,
     BYTES("\x22\x01"
           "A\x0a\x01\0"),
     "a name has a NUL"},
    {NODE,
     BYTES("\x22\x01"
           "A\x12\x01\0"),
     "a name has a NUL"},
    {NODE,
     BYTES("\x22\x01"
           "A\x1a\x01\0"),
     "a name has a NUL"},
    {NODE,
     BYTES("\x22\x01"
           "A\x2a\x03\x0a\x01\0"),
     "a name has a NUL"},
    {NODE,
     BYTES("\x22\x01"
           "A\x12\x01o\x12\x01o"),
     "byte 2: node  makes tensor o, which is there"},
    {GRAPH,
     BYTES("\x0a\x06\x1a\x01n\x22\x01"
           "A\x0a\x06\x1a\x01n\x22\x01"
           "B"),
     "byte 10: there are two nodes of the name n"},
    {GRAPH,
     BYTES("\x0a\x06\x12\x01o\x22\x01"
           "A\x0a\x06\x12\x01o\x22\x01"
           "B"),
     "byte 10: node  makes tensor o, which is there"},
    {GRAPH,
     BYTES("\x2a\x08" T_NAME T_INT8 "\x4a\x01"
           "1\x2a\x08" T_NAME T_INT8 "\x4a\x01"
           "2"),
     "byte 12: there are two tensors of the name t"},
    {GRAPH,
     BYTES("\x2a\x08" T_NAME T_INT8 "\x4a\x01"
           "1\x0a\x06\x12\x01t\x22\x01"
           "A"),
     "byte 12: node  makes tensor t, which is there"},
    /* a Constant node's tensor; its output is "c" */
    {ATTRIBUTE, BYTES("\x0a\x05value\x2a\x02" T_FLOAT), "tensor c has 0 values"},
    {ATTRIBUTE, BYTES("\x0a\x05value\x2a\x04" T_INT8 "\x70\x01"),
     "tensor c has its data in another"},
    {ATTRIBUTE, BYTES("\x0a\x05value\x2a\x00"), "tensor c has no data type"},
    {NODE,
     BYTES("\x22\x08"
           "Constant\x2a\x0d\x0a\x05value\x2a\x04" T_INT8 "\x28\x01"),
     "has 0 outputs"},
    {NODE,
     BYTES("\x22\x08"
           "Constant\x12\x00\x2a\x0d\x0a\x05value\x2a\x04" T_INT8 "\x28\x01"),
     "a tensor has no name"},
    {GRAPH,
     BYTES("\x2a\x08"
           "\x42\x01"
           "c" T_INT8 "\x4a\x01"
           "1\x0a\x1c\x22\x08"
           "Constant\x12\x01"
           "c\x2a\x0d\x0a\x05value\x2a\x04" T_INT8 "\x28\x01"),
     "two tensors of the name c"},
};

static void wrap(kk_buf *model, const bad_row *row)
{
    static const unsigned field[] = {[GRAPH] = 7, [TENSOR] = 5, [NODE] = 1, [ATTRIBUTE] = 5};
    kk_buf inner = KK_BUF_INIT, outer = KK_BUF_INIT;
    kk_buf_append(&inner, row->bytes, row->len);
    if (row->level == ATTRIBUTE) {
        put_text(&outer, 4, "Constant");
        put_text(&outer, 2, "c");
        put_message(&outer, field[ATTRIBUTE], &inner);
        inner = outer;
        outer = (kk_buf)KK_BUF_INIT;
    }
    if (row->level > GRAPH) {
        put_message(&outer, field[row->level == TENSOR ? TENSOR : NODE], &inner);
        inner = outer;
    }
    if (row->level > MODEL)
        put_message(model, field[GRAPH], &inner);
    else
        kk_buf_append(model, inner.data, inner.len);
    kk_buf_fini(&inner);
}

TEST(each_fault_is_named_with_its_place)
{
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        kk_buf model = KK_BUF_INIT;
        wrap(&model, &bad_rows[i]);
        kk_onnx *onnx = NULL;
        kokoro_error err = {0, ""};
        int before = check_failures;
        CHECK_INT(open_bytes(&onnx, model.data, model.len, &err), KOKORO_BAD_MODEL);
        CHECK(onnx == NULL);
        CHECK_INT(err.status, KOKORO_BAD_MODEL);
        CHECK_HAS(err.message, bad_rows[i].want);
        CHECK_HAS(err.message, path);
        CHECK_HAS(err.message, ": byte ");
        (void)read_bytes(model.data, model.len, NULL);
        if (check_failures != before)
            printf("in row %zu: %s\n", i, bad_rows[i].want);
        kk_onnx_close(&onnx);
        kk_buf_fini(&model);
    }
}

TEST(files_that_are_none)
{
    kk_onnx *onnx = NULL;
    kokoro_error err;
    CHECK_INT(kk_onnx_open(&onnx, "/no/such/model.onnx", &err), KOKORO_NOT_FOUND);
    CHECK_HAS(err.message, "/no/such/model.onnx");
    CHECK_INT(kk_onnx_open(&onnx, dir, &err), KOKORO_IO);
    CHECK_HAS(err.message, "not a regular file");
    CHECK_INT(open_bytes(&onnx, "", 0, &err), KOKORO_BAD_MODEL);
    CHECK_HAS(err.message, "empty");
    CHECK(onnx == NULL);
}

TEST(two_graphs_are_joined)
{
    /* As protocol buffers join two messages: what is behind a file adds to it. */
    kk_buf model = whole_model();
    kk_onnx *onnx = NULL;
    kk_buf_append(&model, "\x3a\x07\x2a\x05\x42\x01t\x10\x0a", 9);
    CHECK_INT(open_bytes(&onnx, model.data, model.len, NULL), KOKORO_OK);
    CHECK_INT(kk_onnx_n_tensors(onnx), 11);
    CHECK(kk_onnx_tensor_find(onnx, "t") != NULL && kk_onnx_tensor_find(onnx, "w") != NULL);
    kk_onnx_close(&onnx);
    kk_buf_fini(&model);
}

TEST(every_prefix_is_refused)
{
    kk_buf model = whole_model();
    CHECK_INT(read_bytes(model.data, model.len, NULL), KOKORO_OK);
    for (size_t len = 0; len < model.len; len++) {
        kokoro_error err = {0, ""};
        CHECK_INT(read_bytes(model.data, len, &err), KOKORO_BAD_MODEL);
        CHECK_HAS(err.message, "cannot use model memory: byte ");
    }
    kk_buf_fini(&model);
}

TEST(every_changed_bit_is_read_or_refused)
{
    kk_buf model = whole_model();
    size_t n_refused = 0;
    for (size_t i = 0; i < model.len * 8; i++) {
        model.data[i / 8] = (char)(model.data[i / 8] ^ (1 << (i % 8)));
        int status = read_bytes(model.data, model.len, NULL);
        CHECK(status == KOKORO_OK || status == KOKORO_BAD_MODEL);
        n_refused += status == KOKORO_BAD_MODEL;
        model.data[i / 8] = (char)(model.data[i / 8] ^ (1 << (i % 8)));
    }
    CHECK(n_refused > model.len); /* not all is in names and values */
    kk_buf_fini(&model);
}

/* ---- memory, and the real file ------------------------------------------------------------ */

/* Fail the k-th allocation for every k until opening succeeds; returns how many failed. */
static size_t fail_each_allocation(const char *file)
{
    for (size_t k = 1;; k++) {
        kk_onnx *onnx = NULL;
        kokoro_error err = {0, ""};
        kk_alloc_fail_at(k, k % 2 == 0);
        int status = kk_onnx_open(&onnx, file, &err);
        kk_alloc_fail_at(0, 0);
        if (status == KOKORO_OK) {
            kk_onnx_close(&onnx);
            return k - 1;
        }
        CHECK_INT(status, KOKORO_NO_MEMORY);
        CHECK_INT(err.status, KOKORO_NO_MEMORY);
        CHECK(onnx == NULL);
        if (status != KOKORO_NO_MEMORY)
            return k;
    }
}

TEST(every_allocation_may_fail)
{
    kk_buf model = whole_model();
    write_file(model.data, model.len);
    CHECK(fail_each_allocation(path) >= 2);
    kk_buf_fini(&model);
    kk_buf graph = KK_BUF_INIT;
    for (int i = 0; i < 2000; i++) {
        char name[200]; /* so long that each kind of name meets a new block somewhere */
        kk_buf node = KK_BUF_INIT, a = KK_BUF_INIT;
        for (unsigned field = 1; field <= 4; field++) {
            (void)snprintf(name, sizeof(name), "%0150d_%u", i, field);
            put_text(&node, field, name);
        }
        for (int k = 0; k < 16; k++)
            put_int(&a, 8, k);
        (void)snprintf(name, sizeof(name), "%0*d", 20 + i % 100, i);
        put_attribute(&node, name, &a, 7);
        put_message(&graph, 1, &node);
        kk_buf tensor = TENSOR_OF(name, KK_ONNX_INT64, 4, -1);
        put_bytes(&tensor, 7, "\x01\x02\x03\x04", 4);
        put_message(&graph, 5, &tensor);
    }
    put_message(&model, 7, &graph);
    write_file(model.data, model.len);
    CHECK(fail_each_allocation(path) > 30);
    kk_buf_fini(&model);
}

static void check_shape(const kk_onnx *onnx, const char *name, int type, int n_dims,
                        const int64_t *dims)
{
    const kk_onnx_tensor *tensor = kk_onnx_tensor_find(onnx, name);
    CHECK(tensor != NULL);
    if (tensor == NULL)
        return;
    CHECK_INT(tensor->type, type);
    CHECK_INT(tensor->n_dims, n_dims);
    for (int i = 0; i < n_dims && i < tensor->n_dims; i++)
        CHECK_INT(tensor->dims[i], dims[i]);
}

TEST(the_published_model)
{
    char model_path[512];
    NEED(model_path, "model/kokoro-v1.0.int8.onnx");
    kk_onnx *onnx = NULL;
    kokoro_error err = {0, ""};
    CHECK_INT(kk_onnx_open(&onnx, model_path, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    if (onnx == NULL)
        return;
    CHECK_INT(kk_onnx_n_tensors(onnx), 775);
    CHECK_INT(kk_onnx_n_nodes(onnx), 3614);
    check_shape(onnx, "/encoder/text_encoder/cnn.0/Mul_output_0_quantized", KK_ONNX_UINT8, 3,
                (const int64_t[]){512, 512, 5});
    check_shape(onnx, "encoder.bert.encoder.embedding_hidden_mapping_in.bias", KK_ONNX_FLOAT, 1,
                (const int64_t[]){768});
    check_shape(onnx, "onnx::MatMul_6547_quantized", KK_ONNX_INT8, 2, (const int64_t[]){128, 768});
    const kk_onnx_node *node = kk_onnx_consumer(onnx, "onnx::MatMul_6547_quantized");
    CHECK(node != NULL && node == kk_onnx_node_find(onnx, "/encoder/bert/encoder/"
                                                          "embedding_hidden_mapping_in/"
                                                          "MatMul_quant"));
    if (node != NULL)
        CHECK_STR(node->op, "MatMulInteger");
    node = kk_onnx_node_find(onnx, "/encoder/text_encoder/cnn.0/cnn.0.0/Conv_quant");
    CHECK(node != NULL);
    if (node != NULL) {
        int64_t pads[2] = {0, 0};
        CHECK_INT(kk_onnx_attribute_ints(node, "pads", pads, 2), 2);
        CHECK(pads[0] == 2 && pads[1] == 2);
        CHECK(kk_onnx_producer(onnx, node->outputs[0]) == node);
    }
    kk_onnx_close(&onnx);
    CHECK(fail_each_allocation(model_path) > 10);
}

/* A node's fields as the published export has them, with other bytes around. */
#define NODE "/decoder/decoder/generator/"
#define QUESTION "\x1a\x22" NODE "Greater"
#define BRANCHES "\x0a\x2b" NODE "Greater_output_0"
#define ADD "\x0a\x29" NODE "Add_1_output_0"
#define SUB "\x0a\x27" NODE "Sub_output_0"

static bool mend(const char *text, char *out, size_t size)
{
    const size_t len = strlen(text);
    CHECK(len < size);
    memcpy(out, text, len + 1);
    return kk_onnx_mend_phase((unsigned char *)out, len);
}

TEST(the_angle_of_a_negative_number_becomes_pi)
{
    char out[512];
    CHECK(mend("ab" QUESTION "\x22\x07Greater"
               "cd" BRANCHES ADD SUB "ef",
               out, sizeof(out)));
    CHECK_STR(out, "ab" QUESTION "\x22\x04Less\x32\x01-"
                   "cd" BRANCHES SUB ADD "ef");
    /* Neither where a part is missing nor where it is not clear which one is meant. */
    static const char *const others[] = {
        "",
        "ab" QUESTION "\x22\x07Greater"
        "cd" BRANCHES SUB ADD "ef",
        "ab" QUESTION "\x22\x04Less"
        "cd" BRANCHES ADD SUB "ef",
        QUESTION "\x22\x07Greater" QUESTION "\x22\x07Greater" BRANCHES ADD SUB,
        QUESTION "\x22\x07Greater" BRANCHES ADD SUB BRANCHES ADD SUB};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        CHECK(!mend(others[i], out, sizeof(out)));
        CHECK_STR(out, others[i]);
    }
}

TEST(tear_down)
{
    CHECK_INT(unlink(path), 0);
    CHECK_INT(rmdir(dir), 0);
}

TEST_MAIN(T(set_up), T(each_way_to_store_values), T(nodes_by_name_and_by_tensor),
          T(attributes_of_integers), T(each_fault_is_named_with_its_place), T(files_that_are_none),
          T(two_graphs_are_joined), T(every_prefix_is_refused),
          T(every_changed_bit_is_read_or_refused), T(every_allocation_may_fail),
          T(the_published_model), T(the_angle_of_a_negative_number_becomes_pi), T(tear_down))
