/*
 * onnx_outputs.h - an ONNX file in memory with one more graph output, without parsing it.
 *
 * An ONNX file is one protobuf message (ModelProto). Two serialised messages one after the other
 * parse as their merger, in which repeated fields are joined; so a few bytes behind the file that
 * hold only graph.output add an output. Source: protobuf encoding, "Last One Wins" and merging;
 * onnx.proto: ModelProto.graph = 7, GraphProto.output = 12, ValueInfoProto.name = 1.
 */
#ifndef KK_MODEL_ONNX_ONNX_OUTPUTS_H
#define KK_MODEL_ONNX_ONNX_OUTPUTS_H

#include "kokoro/kokoro.h"

#include <stdbool.h>
#include <stddef.h>

/* The graph's tensor of frames per token in the published export. */
#define KK_ONNX_DURATIONS "/encoder/Clip_output_0"

typedef struct kk_onnx_bytes {
    unsigned char *data; /* private pages: the file is not copied until it is written to */
    size_t len;
    size_t mapped_len;
    bool has_durations; /* the output was added */
} kk_onnx_bytes;

/* Map `path` with KK_ONNX_DURATIONS added to its outputs where the graph has it. NOT_FOUND, IO,
 * BAD_MODEL, NO_MEMORY. */
int kk_onnx_bytes_open(kk_onnx_bytes *bytes, const char *path, kokoro_error *err);
void kk_onnx_bytes_close(kk_onnx_bytes *bytes);

/* The measures that every runtime takes with an export: this one, and those of its inputs.
 * `takes_whole_speed`: the export's speed is a whole number. */
void kk_onnx_list_measures(bool has_durations, bool takes_whole_speed, kokoro_measure_fn *fn,
                           void *user);

#endif
