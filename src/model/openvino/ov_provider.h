/* ov_provider.h - the provider `openvino`: OpenVINO on the CPU, through its C API, loaded at run
 * time. */
#ifndef KK_MODEL_OPENVINO_OV_PROVIDER_H
#define KK_MODEL_OPENVINO_OV_PROVIDER_H

#include "model/model.h"

extern const kk_provider kk_provider_openvino;

#endif
