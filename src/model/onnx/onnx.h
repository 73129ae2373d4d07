/*
 * onnx.h - reader of ONNX files: the tensors that a graph holds, and the nodes that use them.
 *
 * The file is mapped; tensor data is a view into the map wherever the file stores it raw (all large
 * tensors), else a decoded copy. Every length is checked against the file. Names and nodes are
 * copied once into an arena. What the file says beyond that (subgraphs, functions, external data,
 * training) is not read; a tensor with external data is refused by name. An open file is not
 * changed by looking something up: several threads may do so at once.
 *
 * Format: the protocol-buffer wire format, and the messages ModelProto, GraphProto, NodeProto,
 * AttributeProto and TensorProto of the ONNX specification (onnx.proto, IR version 10).
 */
#ifndef KK_MODEL_ONNX_ONNX_H
#define KK_MODEL_ONNX_ONNX_H

#include "kokoro/kokoro.h"

#include <stddef.h>
#include <stdint.h>

enum { KK_ONNX_MAX_DIMS = 8 };

/* TensorProto.DataType: the types that a weight can have. Others keep their number. */
enum {
    KK_ONNX_FLOAT = 1,
    KK_ONNX_UINT8 = 2,
    KK_ONNX_INT8 = 3,
    KK_ONNX_INT32 = 6,
    KK_ONNX_INT64 = 7
};

typedef struct kk_onnx_tensor {
    const char *name;
    int type;
    int n_dims; /* 0 for a scalar */
    int64_t dims[KK_ONNX_MAX_DIMS];
    size_t n_elements;
    const void *data; /* [n_elements] little-endian, perhaps unaligned; NULL for a type not named
                       * above */
    size_t len;       /* bytes of data */
} kk_onnx_tensor;

typedef struct kk_onnx_node {
    const char *name;
    const char *op; /* "Conv", "MatMulInteger", ... */
    const char *const *inputs;
    size_t n_inputs; /* an absent optional input is "" */
    const char *const *outputs;
    size_t n_outputs;
    const struct kk_onnx_attribute *attributes; /* read through kk_onnx_attribute_ints */
    size_t n_attributes;
} kk_onnx_node;

typedef struct kk_onnx kk_onnx;

/*
 * Open and check a file. *out is NULL on failure.
 * NOT_FOUND, IO, NO_MEMORY; BAD_MODEL with what is wrong and the byte where it was found: of a
 * fault in the coding its own byte, else the first byte of the tensor or node.
 */
int kk_onnx_open(kk_onnx **out, const char *path, kokoro_error *err);
void kk_onnx_close(kk_onnx **onnx);

/* The initializer with that name, or the `value` of the Constant node whose output has it; NULL if
 * there is none. */
const kk_onnx_tensor *kk_onnx_tensor_find(const kk_onnx *onnx, const char *name);

/* Nodes by their own name, by a tensor that they produce, by a tensor that they read (the first
 * such node in the order of the file). NULL if there is none. */
const kk_onnx_node *kk_onnx_node_find(const kk_onnx *onnx, const char *name);
const kk_onnx_node *kk_onnx_producer(const kk_onnx *onnx, const char *tensor_name);
const kk_onnx_node *kk_onnx_consumer(const kk_onnx *onnx, const char *tensor_name);

/* The values of an attribute of integers (one for a single integer); returns how many there are and
 * stores at most n_max of them; 0 when the node has no such attribute. */
size_t kk_onnx_attribute_ints(const kk_onnx_node *node, const char *name, int64_t *values,
                              size_t n_max);

size_t kk_onnx_n_tensors(const kk_onnx *onnx);
size_t kk_onnx_n_nodes(const kk_onnx *onnx);

/* XXH3-64 of the whole file: the key of what is derived from it. Reads the file once. */
uint64_t kk_onnx_hash(const kk_onnx *onnx);

#endif
