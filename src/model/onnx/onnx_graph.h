/*
 * onnx_graph.h - inside the ONNX reader: the messages of a file as lists in an arena.
 */
#ifndef KK_MODEL_ONNX_ONNX_GRAPH_H
#define KK_MODEL_ONNX_ONNX_GRAPH_H

#include "base/arena.h"
#include "model/onnx/onnx.h"
#include "model/onnx/wire.h"

struct kk_onnx_attribute {
    const char *name;
    const int64_t *ints;
    size_t n_ints;
    kk_wire_field tensor; /* AttributeProto.t; its data is NULL when there is none */
};

typedef struct kk_onnx_placed_tensor {
    kk_onnx_tensor tensor;
    const unsigned char *place; /* in the file, for messages */
} kk_onnx_placed_tensor;

typedef struct kk_onnx_placed_node {
    kk_onnx_node node;
    const unsigned char *place;
} kk_onnx_placed_node;

/* In the order of the file; `tensors` are the initializers and the values of Constant nodes. */
typedef struct kk_onnx_graph {
    kk_arena *arena;
    kk_onnx_placed_tensor *tensors;
    size_t n_tensors, tensor_capacity;
    kk_onnx_placed_node *nodes;
    size_t n_nodes, node_capacity;
} kk_onnx_graph;

/* A ModelProto; `graph` is empty but for its arena. BAD_MODEL, NO_MEMORY. */
int kk_onnx_read_model(kk_onnx_graph *graph, kk_wire model, kokoro_error *err);

/*
 * A TensorProto that begins at `place`. `name`, owned by the caller's arena, is that of a Constant
 * node's output; NULL takes the tensor's own. BAD_MODEL, NO_MEMORY.
 */
int kk_onnx_read_tensor(kk_onnx_tensor *tensor, kk_wire message, const unsigned char *place,
                        const char *name, kk_arena *arena, kokoro_error *err);

#endif
