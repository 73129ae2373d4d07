/* Any bytes as an ONNX file: opened, or refused; what was opened is read through by each name. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/file.h"
#include "model/onnx/onnx.h"
#include "model/onnx/onnx_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What every tensor and node that is read must hold; abort() is how a fuzz target complains. */
static void need(int condition)
{
    if (!condition)
        abort();
}

static volatile unsigned sum; /* so that no read is left out */

static void read_tensor(const kk_onnx_tensor *tensor)
{
    size_t n = 1;
    for (int i = 0; i < tensor->n_dims; i++)
        n *= (size_t)tensor->dims[i];
    need(n == tensor->n_elements && tensor->name[0] != '\0');
    const unsigned char *data = tensor->data;
    for (size_t i = 0; i < tensor->len; i++)
        sum += data[i];
}

static void read_node(const kk_onnx *onnx, const kk_onnx_node *node)
{
    int64_t values[4];
    need(node->name[0] == '\0' || kk_onnx_node_find(onnx, node->name) != NULL);
    for (size_t i = 0; i < node->n_inputs; i++)
        need(node->inputs[i][0] == '\0' || kk_onnx_consumer(onnx, node->inputs[i]) != NULL);
    for (size_t i = 0; i < node->n_outputs; i++)
        need(node->outputs[i][0] == '\0' || kk_onnx_producer(onnx, node->outputs[i]) != NULL);
    for (size_t i = 0; i < node->n_attributes; i++)
        (void)kk_onnx_attribute_ints(node, node->attributes[i].name, values, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The messages from memory that ends with them, so that a read past the end is found. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    char path[] = "/tmp/kokoro-fuzz-XXXXXX";
    int fd = mkstemp(path);
    if (copy == NULL || fd < 0 || kk_write_all(fd, data, size) != 0)
        abort();
    (void)close(fd);
    if (size > 0)
        memcpy(copy, data, size);
    kk_arena arena = KK_ARENA_INIT;
    kk_onnx_graph graph = {.arena = &arena};
    int status = kk_onnx_read_model(&graph, kk_wire_of(path, copy, size), NULL);
    kk_onnx *onnx = NULL;
    if (kk_onnx_open(&onnx, path, NULL) == KOKORO_OK) {
        need(status == KOKORO_OK && kk_onnx_n_tensors(onnx) == graph.n_tensors &&
             kk_onnx_n_nodes(onnx) == graph.n_nodes);
        for (size_t i = 0; i < graph.n_tensors; i++) {
            read_tensor(&graph.tensors[i].tensor);
            const kk_onnx_tensor *tensor = kk_onnx_tensor_find(onnx, graph.tensors[i].tensor.name);
            need(tensor != NULL);
            read_tensor(tensor);
        }
        for (size_t i = 0; i < graph.n_nodes; i++)
            read_node(onnx, &graph.nodes[i].node);
        kk_onnx_close(&onnx);
    }
    kk_arena_fini(&arena);
    (void)unlink(path);
    free(copy);
    return 0;
}
