/*
 * onnx_graph.c - ModelProto, GraphProto, NodeProto and AttributeProto as lists. A node is walked
 * twice: once to count, once to fill arrays of that size. A message that is there twice (the graph)
 * is joined with the first, as protocol buffers have it. Source: onnx.proto.
 */
#include "model/onnx/onnx_graph.h"

#include "base/status.h"

#include <string.h>

enum { /* fields, by message */
       MODEL_GRAPH = 7,

       GRAPH_NODE = 1,
       GRAPH_INITIALIZER = 5,

       NODE_INPUT = 1,
       NODE_OUTPUT = 2,
       NODE_NAME = 3,
       NODE_OP_TYPE = 4,
       NODE_ATTRIBUTE = 5,

       ATTRIBUTE_NAME = 1,
       ATTRIBUTE_I = 3,
       ATTRIBUTE_T = 5,
       ATTRIBUTE_INTS = 8,
       ATTRIBUTE_TYPE = 20
};

enum { ATTRIBUTE_TYPE_UNKNOWN = 0, ATTRIBUTE_TYPE_INT = 2, ATTRIBUTE_TYPE_INTS = 7 };

/* All values of AttributeProto.ints, or the one of AttributeProto.i. */
static int read_ints(struct kk_onnx_attribute *dst, const kk_wire *message, uint32_t number,
                     kk_arena *arena, kokoro_error *err)
{
    size_t n = 0;
    int status = kk_wire_count(message, number, KK_WIRE_VARINT, &n, err);
    if (status != KOKORO_OK || n == 0)
        return status;
    if (number == ATTRIBUTE_I)
        n = 1; /* not repeated: the last counts */
    int64_t *ints = kk_arena_calloc(arena, n, sizeof(*ints));
    if (ints == NULL)
        return kk_fail_memory(err);
    kk_wire_numbers numbers = kk_wire_numbers_of(message, number, KK_WIRE_VARINT);
    uint64_t value = 0;
    for (size_t i = 0; kk_wire_number(&numbers, &value); i++)
        ints[number == ATTRIBUTE_I ? 0 : i] = (int64_t)value;
    dst->ints = ints;
    dst->n_ints = n;
    return KOKORO_OK;
}

static int read_attribute(struct kk_onnx_attribute *dst, kk_wire message, kk_arena *arena,
                          kokoro_error *err)
{
    static const int64_t zero = 0;
    const kk_wire whole = message;
    kk_wire_field field;
    uint64_t type = ATTRIBUTE_TYPE_UNKNOWN;
    int status = KOKORO_OK;
    *dst = (struct kk_onnx_attribute){.name = ""};
    while (status == KOKORO_OK && kk_wire_next(&message, &field)) {
        if (field.number == ATTRIBUTE_NAME && kk_wire_expect(&message, &field, KK_WIRE_BYTES))
            status = kk_wire_text(&whole, &field, arena, &dst->name, err);
        else if (field.number == ATTRIBUTE_T && kk_wire_expect(&message, &field, KK_WIRE_BYTES))
            dst->tensor = field;
        else if (field.number == ATTRIBUTE_TYPE && kk_wire_expect(&message, &field, KK_WIRE_VARINT))
            type = field.value;
    }
    if (status == KOKORO_OK)
        status = kk_wire_end(&message, err);
    if (status == KOKORO_OK && (type == ATTRIBUTE_TYPE_INTS || type == ATTRIBUTE_TYPE_UNKNOWN))
        status = read_ints(dst, &whole, ATTRIBUTE_INTS, arena, err);
    if (status == KOKORO_OK && dst->n_ints == 0 &&
        (type == ATTRIBUTE_TYPE_INT || type == ATTRIBUTE_TYPE_UNKNOWN))
        status = read_ints(dst, &whole, ATTRIBUTE_I, arena, err);
    if (status == KOKORO_OK && dst->n_ints == 0 && type == ATTRIBUTE_TYPE_INT) {
        dst->ints = &zero; /* a writer of the proto3 schema leaves out a 0 */
        dst->n_ints = 1;
    }
    return status;
}

/* A node's arrays while they are filled. */
typedef struct node_arrays {
    const char **inputs, **outputs;
    struct kk_onnx_attribute *attributes;
} node_arrays;

static int count_node(kk_onnx_node *node, node_arrays *arrays, kk_wire message, kk_arena *arena,
                      kokoro_error *err)
{
    kk_wire_field field;
    while (kk_wire_next(&message, &field)) {
        if (field.number < NODE_INPUT || field.number > NODE_ATTRIBUTE ||
            !kk_wire_expect(&message, &field, KK_WIRE_BYTES))
            continue;
        node->n_inputs += field.number == NODE_INPUT;
        node->n_outputs += field.number == NODE_OUTPUT;
        node->n_attributes += field.number == NODE_ATTRIBUTE;
    }
    int status = kk_wire_end(&message, err);
    if (status != KOKORO_OK)
        return status;
    arrays->inputs = kk_arena_calloc(arena, node->n_inputs, sizeof(*arrays->inputs));
    arrays->outputs = kk_arena_calloc(arena, node->n_outputs, sizeof(*arrays->outputs));
    arrays->attributes = kk_arena_calloc(arena, node->n_attributes, sizeof(*arrays->attributes));
    if (arrays->inputs == NULL || arrays->outputs == NULL || arrays->attributes == NULL)
        return kk_fail_memory(err);
    node->inputs = arrays->inputs;
    node->outputs = arrays->outputs;
    node->attributes = arrays->attributes;
    return KOKORO_OK;
}

static int fill_node(kk_onnx_node *node, const node_arrays *arrays, kk_wire message,
                     kk_arena *arena, kokoro_error *err)
{
    kk_wire_field field;
    size_t n_inputs = 0, n_outputs = 0, n_attributes = 0;
    int status = KOKORO_OK;
    while (status == KOKORO_OK && kk_wire_next(&message, &field)) {
        switch (field.number) {
        case NODE_INPUT:
            status = kk_wire_text(&message, &field, arena, &arrays->inputs[n_inputs++], err);
            break;
        case NODE_OUTPUT:
            status = kk_wire_text(&message, &field, arena, &arrays->outputs[n_outputs++], err);
            break;
        case NODE_NAME:
            status = kk_wire_text(&message, &field, arena, &node->name, err);
            break;
        case NODE_OP_TYPE:
            status = kk_wire_text(&message, &field, arena, &node->op, err);
            break;
        case NODE_ATTRIBUTE:
            status = read_attribute(&arrays->attributes[n_attributes++],
                                    kk_wire_enter(&message, &field), arena, err);
            break;
        default:
            break;
        }
    }
    return status;
}

static int add_tensor(kk_onnx_graph *graph, kk_wire message, const unsigned char *place,
                      const char *name, kokoro_error *err)
{
    kk_onnx_placed_tensor *tensors =
        kk_arena_grow(graph->arena, graph->tensors, graph->n_tensors, graph->n_tensors + 1,
                      sizeof(*tensors), &graph->tensor_capacity);
    if (tensors == NULL)
        return kk_fail_memory(err);
    graph->tensors = tensors;
    kk_onnx_placed_tensor *dst = &tensors[graph->n_tensors++];
    dst->place = place;
    return kk_onnx_read_tensor(&dst->tensor, message, place, name, graph->arena, err);
}

/* The `value` of a Constant node is a tensor under the name of the node's output. */
static int add_constant(kk_onnx_graph *graph, const kk_onnx_node *node, const kk_wire *message,
                        const unsigned char *place, kokoro_error *err)
{
    for (size_t i = 0; i < node->n_attributes; i++) {
        const struct kk_onnx_attribute *attribute = &node->attributes[i];
        if (attribute->tensor.data == NULL || strcmp(attribute->name, "value") != 0)
            continue;
        if (node->n_outputs != 1)
            return kk_wire_fail(message, place, err,
                                "Constant node %.100s has %zu outputs; it should have one",
                                node->name, node->n_outputs);
        return add_tensor(graph, kk_wire_enter(message, &attribute->tensor), attribute->tensor.at,
                          node->outputs[0], err);
    }
    return KOKORO_OK;
}

static int add_node(kk_onnx_graph *graph, kk_wire message, const unsigned char *place,
                    kokoro_error *err)
{
    kk_onnx_placed_node *nodes =
        kk_arena_grow(graph->arena, graph->nodes, graph->n_nodes, graph->n_nodes + 1,
                      sizeof(*nodes), &graph->node_capacity);
    if (nodes == NULL)
        return kk_fail_memory(err);
    graph->nodes = nodes;
    kk_onnx_placed_node *dst = &nodes[graph->n_nodes++];
    *dst = (kk_onnx_placed_node){.node = {.name = "", .op = ""}, .place = place};
    node_arrays arrays = {NULL, NULL, NULL};
    int status = count_node(&dst->node, &arrays, message, graph->arena, err);
    if (status == KOKORO_OK)
        status = fill_node(&dst->node, &arrays, message, graph->arena, err);
    if (status != KOKORO_OK)
        return status;
    if (dst->node.op[0] == '\0')
        return kk_wire_fail(&message, place, err, "node %.100s has no operator", dst->node.name);
    if (strcmp(dst->node.op, "Constant") == 0)
        status = add_constant(graph, &dst->node, &message, place, err);
    return status;
}

static int read_graph(kk_onnx_graph *graph, kk_wire message, kokoro_error *err)
{
    kk_wire_field field;
    int status = KOKORO_OK;
    while (status == KOKORO_OK && kk_wire_next(&message, &field)) {
        if (field.number != GRAPH_NODE && field.number != GRAPH_INITIALIZER)
            continue;
        if (!kk_wire_expect(&message, &field, KK_WIRE_BYTES))
            break;
        kk_wire inner = kk_wire_enter(&message, &field);
        status = field.number == GRAPH_NODE ? add_node(graph, inner, field.at, err)
                                            : add_tensor(graph, inner, field.at, NULL, err);
    }
    return status != KOKORO_OK ? status : kk_wire_end(&message, err);
}

int kk_onnx_read_model(kk_onnx_graph *graph, kk_wire model, kokoro_error *err)
{
    const unsigned char *start = model.at;
    kk_wire_field field;
    bool has_graph = false;
    int status = KOKORO_OK;
    while (status == KOKORO_OK && kk_wire_next(&model, &field)) {
        if (field.number == MODEL_GRAPH && kk_wire_expect(&model, &field, KK_WIRE_BYTES)) {
            has_graph = true;
            status = read_graph(graph, kk_wire_enter(&model, &field), err);
        }
    }
    if (status == KOKORO_OK)
        status = kk_wire_end(&model, err);
    if (status == KOKORO_OK && !has_graph)
        status = kk_wire_fail(&model, start, err, "there is no graph; it is not an ONNX model");
    return status;
}
