/* ov_load.h - the state of an opened model, and its making: ov_load.c compiles it, ov_model.c runs
 * it. */
#ifndef KK_MODEL_OPENVINO_OV_LOAD_H
#define KK_MODEL_OPENVINO_OV_LOAD_H

#include "base/file.h"
#include "model/model.h"
#include "model/openvino/ov_api.h"

#include <stdbool.h>

enum { KK_OV_N_INPUTS = 3 };

/* The order in which inputs are handed over. */
enum kk_ov_input { KK_OV_TOKENS, KK_OV_STYLE, KK_OV_SPEED };

#define KK_OV_DEVICE "CPU"

typedef struct kk_ov_model {
    kk_model base;
    kk_ov_api api;
    ov_core *core;
    ov_compiled_model *compiled;
    ov_infer_request *request;
    kk_map map; /* the cached form: the runtime uses its weights in place */
    size_t input_index[KK_OV_N_INPUTS];
    int speed_type; /* OV_F32, OV_I32 or OV_I64 */
    size_t audio_index, durations_index;
    bool has_durations; /* the export gives them */
    bool mends_phase;   /* the export had the place; not known of a cached form */
} kk_ov_model;

/* Fill compiled (and base.info.precision, pack_ms) from core. INVALID, NOT_FOUND, IO, BAD_MODEL,
 * PROVIDER, NO_MEMORY. */
int kk_ov_load(kk_ov_model *model, const kk_model_options *options, kokoro_error *err);

/* Fill the indices, speed_type and has_durations. BAD_MODEL names the input that a Kokoro export
 * does not have. */
int kk_ov_bind(kk_ov_model *model, kokoro_error *err);

#endif
