/*
 * ort_session.h - the state of an opened model, and its making: session.c loads it, bind.c finds
 * its inputs and outputs.
 */
#ifndef KK_MODEL_ORT_ORT_SESSION_H
#define KK_MODEL_ORT_ORT_SESSION_H

#include "base/file.h"
#include "model/model.h"
#include "model/ort/ort_api.h"

#include <stdbool.h>

enum { KK_ORT_N_INPUTS = 3 };

/* The option of a session without which nothing is known of its nodes. */
#define KK_ORT_RECORD_PLACEMENT "session.record_ep_graph_assignment_info"

/* The order in which inputs are handed over. */
enum kk_ort_input { KK_ORT_TOKENS, KK_ORT_STYLE, KK_ORT_SPEED };

typedef struct kk_ort_model {
    kk_model base;
    kk_ort_api api;
    OrtEnv *env;
    OrtSession *session;
    OrtMemoryInfo *memory;
    OrtRunOptions *shrinking_run; /* gives memory back to the system after the run */
    bool holds_long; /* the arena still has the memory of a long chunk; the next short one, which
                        does not need it, gives it back, so that no long chunk pays for that */
    kk_map map;      /* the cached form, in use while the session lives */
    char *input_names[KK_ORT_N_INPUTS];
    char placement[160];               /* info.placement points here */
    int speed_type;                    /* ORT_FLOAT, ORT_INT32 or ORT_INT64 */
    char *audio_name, *durations_name; /* the latter NULL where the export has none */
} kk_ort_model;

/* How the cached form of a runtime is named. */
kk_cache_kind kk_ort_cache_kind(const kk_ort_api *api);

/* Fill model->session (and map, base.info.pack_ms) from env and api. NOT_FOUND, IO, BAD_MODEL,
 * PROVIDER, NO_MEMORY. */
int kk_ort_session_open(kk_ort_model *model, const kk_model_options *options, kokoro_error *err);

/* Fill model->placement: "" where the runtime cannot tell. Of the cached form none can, so the
 * export is loaded once more, and thrown away. */
void kk_ort_find_placement(kk_ort_model *model, const kk_model_options *options);

/* Of a session that was made with KK_ORT_RECORD_PLACEMENT. */
void kk_ort_count_nodes(kk_ort_model *model, const OrtSession *session);

/* Fill the names and speed_type. BAD_MODEL names the input that a Kokoro export does not have. */
int kk_ort_bind(kk_ort_model *model, kokoro_error *err);

#endif
