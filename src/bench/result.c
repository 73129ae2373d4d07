#include "bench/result.h"

#include <string.h>

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

const kk_samples *kk_bench_find_samples(const kk_bench_result *result, const kk_way *way,
                                        const char *words)
{
    for (size_t i = 0; i < result->n_ways; i++) {
        if (!kk_way_equal(&result->ways[i].way, way))
            continue;
        for (size_t k = 0; k < result->n_texts; k++)
            if (result->ways[i].timings[k].inference_s.n > 0 &&
                strcmp(result->texts[k].text, words) == 0)
                return &result->ways[i].timings[k].inference_s;
    }
    return NULL;
}
