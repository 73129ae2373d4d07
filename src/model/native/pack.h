/*
 * pack.h - weights from the export into the order of the kernels: one block, in memory or in the
 * cache of packed models, that kk_weights points into.
 *
 *     header | offsets and kinds, a row of kk_weight_table each | data, each part at 64 bytes |
 * spare
 *
 * Spare are the weights of convolutions that are there transformed too. They begin at a huge page
 * of their own, so that they are not in resident memory for the sake of their neighbours.
 */
#ifndef KK_MODEL_NATIVE_PACK_H
#define KK_MODEL_NATIVE_PACK_H

#include "base/file.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "model/native/weights.h"

typedef struct kk_packed {
    kk_weights weights;
    kk_map map;            /* of the cached file, or nothing */
    unsigned char *memory; /* else the block itself */
    int has_pairs;         /* the export is quantised: bf16 products are exact in the weights */
    size_t spare_at;       /* where the spare parts begin in the file; 0: there are none */
    double pack_ms;        /* of making the block; 0 when it came from the cache */
} kk_packed;

/*
 * The weights of the export at options->model_path for these kernels: from the cache when it holds
 * them whole and of the same export, layout and panel, else packed anew and kept there (a cache
 * that cannot be written is only logged).
 *
 * NOT_FOUND, IO, NO_MEMORY; BAD_MODEL with the name of the tensor and both shapes.
 */
int kk_packed_open(kk_packed *packed, const kk_model_options *options, const kk_kernels *kernels,
                   kokoro_error *err);
void kk_packed_close(kk_packed *packed);
/* Where they would be kept: the `cached` of model.h. */
void kk_packed_place(kk_arena *arena, const kk_model_options *options, const kk_kernels *kernels,
                     kokoro_cached *out);

/* Take the spare weights out of resident memory. */
void kk_packed_drop_spare(const kk_packed *packed);

/* Take all mapped weights out of resident memory; they come back from the page cache when used. */
void kk_packed_forget(const kk_packed *packed);

/* Of pack.c and packed_file.c. */
typedef struct kk_pack_part {
    uint32_t is_pairs; /* 0: floats, or of KK_W_TOOM nothing; 1: bf16; 2: KK_W_TOOM in floats */
    uint32_t reserved;
    uint64_t offset; /* from the start of the block */
} kk_pack_part;

/* Rounded up to whole lines of 64 bytes: every part of the block begins at one. */
static inline size_t kk_pack_aligned(size_t size)
{
    return (size + 63) / 64 * 64;
}

/* Bytes of a row's data. */
size_t kk_pack_size(const kk_weight_row *row, size_t panel, int is_pairs); /* 0: left out */
/* Let the row's field point into its data. */
void kk_pack_bind(kk_weights *weights, const kk_weight_row *row, const unsigned char *data,
                  size_t panel, int is_pairs);

struct kk_onnx;
/* Whether the row's weights are quantised in the export; checks names and shapes. BAD_MODEL. */
int kk_pack_inspect(const struct kk_onnx *onnx, const kk_weight_row *row, int *is_pairs,
                    kokoro_error *err);
/* Fill the row's data (zeroed before); only after kk_pack_inspect. */
void kk_pack_row(const struct kk_onnx *onnx, const kk_weight_row *row, unsigned char *data,
                 size_t panel, int is_pairs);

#endif
