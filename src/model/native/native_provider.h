/* native_provider.h - the provider `native`: our own engine, always part of the build. */
#ifndef KK_MODEL_NATIVE_NATIVE_PROVIDER_H
#define KK_MODEL_NATIVE_NATIVE_PROVIDER_H

#include "model/model.h"

extern const kk_provider kk_provider_native;

#endif
