/*
 * ov_api.h - the part of OpenVINO's C API that is used, without its headers, which Debian 12 does
 * not have.
 *
 * Each function is looked up by its name. Names, arguments and numbers are those of OpenVINO's
 * openvino/c/ headers (Apache-2.0, 2026.4); they have been the same since 2024.0. Strings stand for
 * the properties, as OpenVINO's documentation writes them.
 */
#ifndef KK_MODEL_OPENVINO_OV_API_H
#define KK_MODEL_OPENVINO_OV_API_H

#include "kokoro/kokoro.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ov_core ov_core;
typedef struct ov_model ov_model;
typedef struct ov_compiled_model ov_compiled_model;
typedef struct ov_infer_request ov_infer_request;
typedef struct ov_tensor ov_tensor;
typedef struct ov_port ov_port; /* ov_output_const_port */

typedef struct ov_shape {
    int64_t rank;
    int64_t *dims;
} ov_shape;

typedef struct ov_version {
    const char *build_number, *description;
} ov_version;

/* ov_status_e, ov_element_type_e */
enum {
    OV_OK = 0,
    OV_RESULT_NOT_READY = -9,
    OV_INFER_CANCELLED = -13,
    OV_F32 = 4,
    OV_I32 = 9,
    OV_I64 = 10
};

/* X(return type, name, arguments) */
#define KK_OV_API_MAP(X)                                                                           \
    X(const char *, ov_get_last_err_msg, (void))                                                   \
    X(const char *, ov_get_error_info, (int))                                                      \
    X(void, ov_free, (const char *))                                                               \
    X(int, ov_get_openvino_version, (ov_version *))                                                \
    X(void, ov_version_free, (ov_version *))                                                       \
    X(int, ov_core_create, (ov_core **))                                                           \
    X(void, ov_core_free, (ov_core *))                                                             \
    X(int, ov_core_set_property, (const ov_core *, const char *, ...))                             \
    X(int, ov_core_get_property, (const ov_core *, const char *, const char *, char **))           \
    X(int, ov_core_read_model_from_memory_buffer,                                                  \
      (const ov_core *, const char *, size_t, const ov_tensor *, ov_model **))                     \
    X(void, ov_model_free, (ov_model *))                                                           \
    X(int, ov_core_compile_model,                                                                  \
      (const ov_core *, const ov_model *, const char *, size_t, ov_compiled_model **, ...))        \
    X(int, ov_core_import_model,                                                                   \
      (const ov_core *, const char *, size_t, const char *, ov_compiled_model **))                 \
    X(int, ov_compiled_model_export_model, (const ov_compiled_model *, const char *))              \
    X(int, ov_compiled_model_inputs_size, (const ov_compiled_model *, size_t *))                   \
    X(int, ov_compiled_model_outputs_size, (const ov_compiled_model *, size_t *))                  \
    X(int, ov_compiled_model_input_by_index, (const ov_compiled_model *, size_t, ov_port **))      \
    X(int, ov_compiled_model_output_by_index, (const ov_compiled_model *, size_t, ov_port **))     \
    X(int, ov_compiled_model_create_infer_request,                                                 \
      (const ov_compiled_model *, ov_infer_request **))                                            \
    X(void, ov_compiled_model_free, (ov_compiled_model *))                                         \
    X(int, ov_port_get_any_name, (const ov_port *, char **))                                       \
    X(int, ov_port_get_element_type, (const ov_port *, int *))                                     \
    X(void, ov_output_const_port_free, (ov_port *))                                                \
    X(int, ov_tensor_create_from_host_ptr, (int, ov_shape, void *, ov_tensor **))                  \
    X(int, ov_tensor_get_element_type, (const ov_tensor *, int *))                                 \
    X(int, ov_tensor_get_size, (const ov_tensor *, size_t *))                                      \
    X(int, ov_tensor_data, (const ov_tensor *, void **))                                           \
    X(void, ov_tensor_free, (ov_tensor *))                                                         \
    X(int, ov_infer_request_set_input_tensor_by_index,                                             \
      (ov_infer_request *, size_t, const ov_tensor *))                                             \
    X(int, ov_infer_request_get_output_tensor_by_index,                                            \
      (const ov_infer_request *, size_t, ov_tensor **))                                            \
    X(int, ov_infer_request_start_async, (ov_infer_request *))                                     \
    X(int, ov_infer_request_wait, (ov_infer_request *))                                            \
    X(int, ov_infer_request_wait_for, (ov_infer_request *, int64_t))                               \
    X(int, ov_infer_request_cancel, (ov_infer_request *))                                          \
    X(void, ov_infer_request_free, (ov_infer_request *))

typedef struct kk_ov_api {
#define KK_X(type, name, arguments) type(*name) arguments;
    KK_OV_API_MAP(KK_X)
#undef KK_X
    void *library;    /* from dlopen */
    char build[64];   /* "2026.4.1-22982-d5e01b29b9f" */
    char version[32]; /* "2026.4.1" */
} kk_ov_api;

/*
 * Load the library and fill the table. PROVIDER: absent, not OpenVINO's C library, or older than
 * what is used; the message names the path and what would be right.
 */
int kk_ov_api_open(kk_ov_api *api, const char *library, kokoro_error *err);
void kk_ov_api_close(kk_ov_api *api);

/* KOKORO_OK for OV_OK; else fails with PROVIDER and "what: message of the runtime". */
int kk_ov_check(const kk_ov_api *api, int ov_status, const char *what, kokoro_error *err);

#endif
