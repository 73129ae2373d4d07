/*
 * onnx.c - an open file: its map, its lists and a hash table for each way to look something up. The
 * tables are built once and are then only read, so that several threads may ask at once.
 */
#include "model/onnx/onnx.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "model/onnx/onnx_graph.h"

#include <string.h>

/* Names in an open-addressed table at most half full; linear probing. */
typedef struct table_slot {
    const char *name; /* NULL: free */
    const void *value;
} table_slot;

typedef struct name_table {
    table_slot *slots;
    size_t mask; /* their number, a power of two, less one */
} name_table;

struct kk_onnx {
    kk_map map;
    kk_arena arena;
    kk_onnx_graph graph;
    name_table tensors, nodes, producers, consumers;
};

static bool table_init(name_table *table, size_t n_max, kk_arena *arena)
{
    size_t n = 2;
    while (n / 2 < n_max)
        n *= 2;
    table->slots = kk_arena_calloc(arena, n, sizeof(*table->slots));
    table->mask = n - 1;
    return table->slots != NULL;
}

/* The slot that holds `name`, or else the free one where it belongs. */
static table_slot *table_slot_of(const name_table *table, const char *name)
{
    size_t at = (size_t)kk_hash(name, strlen(name)) & table->mask;
    while (table->slots[at].name != NULL && strcmp(table->slots[at].name, name) != 0)
        at = (at + 1) & table->mask;
    return &table->slots[at];
}

static const void *table_find(const name_table *table, const char *name)
{
    return table_slot_of(table, name)->value;
}

/* False when the name is there already: then the first value stays. An empty name is no name. */
static bool table_add(name_table *table, const char *name, const void *value)
{
    if (name[0] == '\0')
        return true;
    table_slot *slot = table_slot_of(table, name);
    if (slot->name != NULL)
        return false;
    *slot = (table_slot){name, value};
    return true;
}

static int index_tensors(kk_onnx *onnx, const kk_wire *file, kokoro_error *err)
{
    const kk_onnx_graph *graph = &onnx->graph;
    if (!table_init(&onnx->tensors, graph->n_tensors, &onnx->arena))
        return kk_fail_memory(err);
    for (size_t i = 0; i < graph->n_tensors; i++) {
        const kk_onnx_tensor *tensor = &graph->tensors[i].tensor;
        if (!table_add(&onnx->tensors, tensor->name, tensor))
            return kk_wire_fail(file, graph->tensors[i].place, err,
                                "there are two tensors of the name %.100s", tensor->name);
    }
    return KOKORO_OK;
}

static int index_node(kk_onnx *onnx, const kk_onnx_placed_node *placed, const kk_wire *file,
                      kokoro_error *err)
{
    const kk_onnx_node *node = &placed->node;
    if (!table_add(&onnx->nodes, node->name, node))
        return kk_wire_fail(file, placed->place, err, "there are two nodes of the name %.100s",
                            node->name);
    for (size_t i = 0; i < node->n_outputs; i++) {
        const char *name = node->outputs[i];
        const kk_onnx_tensor *tensor = table_find(&onnx->tensors, name);
        /* A Constant node's tensor has its name from here: the same pointer. */
        if ((tensor != NULL && tensor->name != name) || !table_add(&onnx->producers, name, node))
            return kk_wire_fail(file, placed->place, err,
                                "node %.60s makes tensor %.100s, which is there already",
                                node->name, name);
    }
    for (size_t i = 0; i < node->n_inputs; i++)
        (void)table_add(&onnx->consumers, node->inputs[i], node);
    return KOKORO_OK;
}

static int index_nodes(kk_onnx *onnx, const kk_wire *file, kokoro_error *err)
{
    const kk_onnx_graph *graph = &onnx->graph;
    size_t n_inputs = 0, n_outputs = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        n_inputs += graph->nodes[i].node.n_inputs;
        n_outputs += graph->nodes[i].node.n_outputs;
    }
    if (!table_init(&onnx->nodes, graph->n_nodes, &onnx->arena) ||
        !table_init(&onnx->producers, n_outputs, &onnx->arena) ||
        !table_init(&onnx->consumers, n_inputs, &onnx->arena))
        return kk_fail_memory(err);
    int status = KOKORO_OK;
    for (size_t i = 0; i < graph->n_nodes && status == KOKORO_OK; i++)
        status = index_node(onnx, &graph->nodes[i], file, err);
    return status;
}

int kk_onnx_open(kk_onnx **out, const char *path, kokoro_error *err)
{
    *out = NULL;
    kk_onnx *onnx = kk_calloc(1, sizeof(*onnx));
    if (onnx == NULL)
        return kk_fail_memory(err);
    onnx->graph.arena = &onnx->arena;
    kk_wire file = {0};
    int status = kk_map_open(&onnx->map, path, "model", err);
    if (status == KOKORO_BAD_DATA)
        status = kk_fail(err, KOKORO_BAD_MODEL, "cannot use model %s: byte 0: it is empty", path);
    if (status != KOKORO_OK)
        goto done;
    file = kk_wire_of(path, onnx->map.data, onnx->map.len);
    status = kk_onnx_read_model(&onnx->graph, file, err);
    if (status == KOKORO_OK)
        status = index_tensors(onnx, &file, err);
    if (status == KOKORO_OK)
        status = index_nodes(onnx, &file, err);
done:
    if (status != KOKORO_OK)
        kk_onnx_close(&onnx);
    *out = onnx;
    return status;
}

void kk_onnx_close(kk_onnx **onnx)
{
    if (*onnx == NULL)
        return;
    kk_arena_fini(&(*onnx)->arena);
    kk_map_close(&(*onnx)->map);
    kk_free(*onnx);
    *onnx = NULL;
}

const kk_onnx_tensor *kk_onnx_tensor_find(const kk_onnx *onnx, const char *name)
{
    return table_find(&onnx->tensors, name);
}

const kk_onnx_node *kk_onnx_node_find(const kk_onnx *onnx, const char *name)
{
    return table_find(&onnx->nodes, name);
}

const kk_onnx_node *kk_onnx_producer(const kk_onnx *onnx, const char *tensor_name)
{
    return table_find(&onnx->producers, tensor_name);
}

const kk_onnx_node *kk_onnx_consumer(const kk_onnx *onnx, const char *tensor_name)
{
    return table_find(&onnx->consumers, tensor_name);
}

size_t kk_onnx_attribute_ints(const kk_onnx_node *node, const char *name, int64_t *values,
                              size_t n_max)
{
    for (size_t i = 0; i < node->n_attributes; i++) {
        const struct kk_onnx_attribute *attribute = &node->attributes[i];
        if (strcmp(attribute->name, name) != 0)
            continue;
        for (size_t k = 0; k < attribute->n_ints && k < n_max; k++)
            values[k] = attribute->ints[k];
        return attribute->n_ints;
    }
    return 0;
}

size_t kk_onnx_n_tensors(const kk_onnx *onnx)
{
    return onnx->graph.n_tensors;
}

size_t kk_onnx_n_nodes(const kk_onnx *onnx)
{
    return onnx->graph.n_nodes;
}

uint64_t kk_onnx_hash(const kk_onnx *onnx)
{
    return kk_hash(onnx->map.data, onnx->map.len);
}
