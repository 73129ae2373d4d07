/*
 * ort_api.h - the part of ONNX Runtime's C API that is used, without its header, which Debian 12
 * does not have.
 *
 * The API is a table of function pointers that only ever grows at its end:
 * OrtGetApiBase()->GetApi(version) gives it, and a function keeps its slot for ever. The slots
 * below were read off the official onnxruntime_c_api.h (MIT, API 26) with offsetof;
 * tests/unit/test_ort_slots.c does it again where that header is at hand.
 *
 * The types carry ONNX Runtime's own names so that its documentation can be read beside this file.
 */
#ifndef KK_MODEL_ORT_ORT_API_H
#define KK_MODEL_ORT_ORT_API_H

#include "kokoro/kokoro.h"

#include <stddef.h>
#include <stdint.h>

typedef struct OrtEnv OrtEnv;
typedef struct OrtStatus OrtStatus;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtEpAssignedSubgraph OrtEpAssignedSubgraph;
typedef struct OrtEpAssignedNode OrtEpAssignedNode;

typedef void kk_ort_log_fn(void *param, int severity, const char *category, const char *logid,
                           const char *code_location, const char *message);

/* ONNXTensorElementDataType, OrtAllocatorType, OrtMemType, OrtLoggingLevel, GraphOptimizationLevel
 */
enum {
    ORT_FLOAT = 1,
    ORT_INT32 = 6,
    ORT_INT64 = 7,
    ORT_ARENA_ALLOCATOR = 1,
    ORT_MEM_TYPE_DEFAULT = 0,
    ORT_LOG_FATAL = 4,
    ORT_OPTIMIZE_BASIC = 1
};

/* The oldest API whose slots are used; ONNX Runtime 1.17 has it. */
enum { KK_ORT_API_VERSION = 17 };

/* X(return type, name, slot, arguments) */
#define KK_ORT_API_MAP(X)                                                                          \
    X(const char *, GetErrorMessage, 2, (const OrtStatus *))                                       \
    X(OrtStatus *, CreateEnvWithCustomLogger, 4,                                                   \
      (kk_ort_log_fn *, void *, int, const char *, OrtEnv **))                                     \
    X(OrtStatus *, CreateSessionFromArray, 8,                                                      \
      (const OrtEnv *, const void *, size_t, const OrtSessionOptions *, OrtSession **))            \
    X(OrtStatus *, Run, 9,                                                                         \
      (OrtSession *, const OrtRunOptions *, const char *const *, const OrtValue *const *, size_t,  \
       const char *const *, size_t, OrtValue **))                                                  \
    X(OrtStatus *, CreateSessionOptions, 10, (OrtSessionOptions **))                               \
    X(OrtStatus *, SetOptimizedModelFilePath, 11, (OrtSessionOptions *, const char *))             \
    X(OrtStatus *, DisableMemPattern, 17, (OrtSessionOptions *))                                   \
    X(OrtStatus *, SetSessionGraphOptimizationLevel, 23, (OrtSessionOptions *, int))               \
    X(OrtStatus *, SetIntraOpNumThreads, 24, (OrtSessionOptions *, int))                           \
    X(OrtStatus *, SessionGetInputCount, 30, (const OrtSession *, size_t *))                       \
    X(OrtStatus *, SessionGetOutputCount, 31, (const OrtSession *, size_t *))                      \
    X(OrtStatus *, SessionGetInputTypeInfo, 33, (const OrtSession *, size_t, OrtTypeInfo **))      \
    X(OrtStatus *, SessionGetOutputTypeInfo, 34, (const OrtSession *, size_t, OrtTypeInfo **))     \
    X(OrtStatus *, SessionGetInputName, 36, (const OrtSession *, size_t, OrtAllocator *, char **)) \
    X(OrtStatus *, SessionGetOutputName, 37,                                                       \
      (const OrtSession *, size_t, OrtAllocator *, char **))                                       \
    X(OrtStatus *, CreateRunOptions, 39, (OrtRunOptions **))                                       \
    X(OrtStatus *, CreateTensorWithDataAsOrtValue, 49,                                             \
      (const OrtMemoryInfo *, void *, size_t, const int64_t *, size_t, int, OrtValue **))          \
    X(OrtStatus *, GetTensorMutableData, 51, (OrtValue *, void **))                                \
    X(OrtStatus *, CastTypeInfoToTensorInfo, 55,                                                   \
      (const OrtTypeInfo *, const OrtTensorTypeAndShapeInfo **))                                   \
    X(OrtStatus *, GetTensorElementType, 60, (const OrtTensorTypeAndShapeInfo *, int *))           \
    X(OrtStatus *, GetTensorShapeElementCount, 64, (const OrtTensorTypeAndShapeInfo *, size_t *))  \
    X(OrtStatus *, GetTensorTypeAndShape, 65, (const OrtValue *, OrtTensorTypeAndShapeInfo **))    \
    X(OrtStatus *, CreateCpuMemoryInfo, 69, (int, int, OrtMemoryInfo **))                          \
    X(OrtStatus *, AllocatorFree, 76, (OrtAllocator *, void *))                                    \
    X(OrtStatus *, GetAllocatorWithDefaultOptions, 78, (OrtAllocator **))                          \
    X(void, ReleaseEnv, 92, (OrtEnv *))                                                            \
    X(void, ReleaseStatus, 93, (OrtStatus *))                                                      \
    X(void, ReleaseMemoryInfo, 94, (OrtMemoryInfo *))                                              \
    X(void, ReleaseSession, 95, (OrtSession *))                                                    \
    X(void, ReleaseValue, 96, (OrtValue *))                                                        \
    X(void, ReleaseRunOptions, 97, (OrtRunOptions *))                                              \
    X(void, ReleaseTypeInfo, 98, (OrtTypeInfo *))                                                  \
    X(void, ReleaseTensorTypeAndShapeInfo, 99, (OrtTensorTypeAndShapeInfo *))                      \
    X(void, ReleaseSessionOptions, 100, (OrtSessionOptions *))                                     \
    X(OrtStatus *, GetAvailableProviders, 125, (char ***, int *))                                  \
    X(OrtStatus *, ReleaseAvailableProviders, 126, (char **, int))                                 \
    X(OrtStatus *, AddSessionConfigEntry, 130, (OrtSessionOptions *, const char *, const char *))  \
    X(OrtStatus *, AddRunConfigEntry, 165, (OrtRunOptions *, const char *, const char *))

/* What newer runtimes have besides, from 1.24 on; NULL in older ones. */
enum { KK_ORT_PLACEMENT_VERSION = 24 };

#define KK_ORT_PLACEMENT_MAP(X)                                                                    \
    X(OrtStatus *, Session_GetEpGraphAssignmentInfo, 407,                                          \
      (const OrtSession *, const OrtEpAssignedSubgraph *const **, size_t *))                       \
    X(OrtStatus *, EpAssignedSubgraph_GetEpName, 408,                                              \
      (const OrtEpAssignedSubgraph *, const char **))                                              \
    X(OrtStatus *, EpAssignedSubgraph_GetNodes, 409,                                               \
      (const OrtEpAssignedSubgraph *, const OrtEpAssignedNode *const **, size_t *))

typedef struct kk_ort_api {
#define KK_X(type, name, slot, arguments) type(*name) arguments;
    KK_ORT_API_MAP(KK_X)
    KK_ORT_PLACEMENT_MAP(KK_X)
#undef KK_X
    void *library; /* from dlopen */
    char version[32];
} kk_ort_api;

/*
 * Load the library and fill the table. PROVIDER: absent, not an ONNX Runtime, or older than 1.17;
 * the message names the path and what would be right.
 */
int kk_ort_api_open(kk_ort_api *api, const char *library, kokoro_error *err);
void kk_ort_api_close(kk_ort_api *api);

/* KOKORO_OK for no status; else releases it and fails with PROVIDER and "what: message". */
int kk_ort_check(const kk_ort_api *api, OrtStatus *ort_status, const char *what, kokoro_error *err);

#endif
