/* Every slot of ONNX Runtime's function table that ort_api.h names, against the official header. */
#include "check.h"

#include <stddef.h>

#include <onnxruntime_c_api.h>

#include "model/ort/ort_api.h"

TEST(slots_are_those_of_the_official_header)
{
#define KK_X(type, name, slot, arguments) CHECK_INT(offsetof(OrtApi, name) / sizeof(void *), slot);
    KK_ORT_API_MAP(KK_X)
    KK_ORT_PLACEMENT_MAP(KK_X)
#undef KK_X
}

TEST(constants_are_those_of_the_official_header)
{
    CHECK_INT(ORT_FLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
    CHECK_INT(ORT_INT32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32);
    CHECK_INT(ORT_INT64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64);
    CHECK_INT(ORT_ARENA_ALLOCATOR, OrtArenaAllocator);
    CHECK_INT(ORT_MEM_TYPE_DEFAULT, OrtMemTypeDefault);
    CHECK_INT(ORT_LOG_FATAL, ORT_LOGGING_LEVEL_FATAL);
    CHECK_INT(ORT_OPTIMIZE_BASIC, ORT_ENABLE_BASIC);
    CHECK(KK_ORT_API_VERSION <= ORT_API_VERSION);
    CHECK(KK_ORT_PLACEMENT_VERSION <= ORT_API_VERSION);
}

TEST_MAIN(T(slots_are_those_of_the_official_header), T(constants_are_those_of_the_official_header))
