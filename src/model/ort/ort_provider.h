/* ort_provider.h - the provider `onnxruntime`: ONNX Runtime on the CPU, through its C API, loaded
 * at run time. */
#ifndef KK_MODEL_ORT_ORT_PROVIDER_H
#define KK_MODEL_ORT_ORT_PROVIDER_H

#include "model/model.h"

extern const kk_provider kk_provider_onnxruntime;

#endif
