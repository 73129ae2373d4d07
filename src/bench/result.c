#include "bench/result.h"

void kk_bench_result_init(kk_bench_result *result)
{
    *result = (kk_bench_result){
        .mode = "",
        .version = "",
        .voice = "",
        .busy = "",
        .load_before = -1.0,
        .load_after = -1.0,
        .choice = {.recommended = -1, .fastest = -1, .best_quality = -1, .reason = ""}};
    result->hardware.instruction_set = "";
}

void kk_bench_result_fini(kk_bench_result *result)
{
    kk_arena_fini(&result->arena);
    kk_bench_result_init(result);
}
