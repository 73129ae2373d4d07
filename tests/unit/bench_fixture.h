/* bench_fixture.h - a result as a benchmark of four ways on three texts would leave it: native
 * twice (f32 is the reference), ONNX Runtime, and OpenVINO, which failed. */
#ifndef KK_TESTS_BENCH_FIXTURE_H
#define KK_TESTS_BENCH_FIXTURE_H

#include "bench/result.h"

#include <stdio.h>
#include <string.h>

enum { FIXTURE_BF16, FIXTURE_F32, FIXTURE_ORT, FIXTURE_FAILED, FIXTURE_N_WAYS };

/* n values that lie a few percent around `middle`, none like another. */
static inline kk_samples fixture_samples(kk_bench_result *result, double middle, size_t n)
{
    kk_samples samples = {kk_arena_calloc(&result->arena, n, sizeof(double)), n};
    for (size_t i = 0; i < n; i++)
        samples.values[i] = middle * (1.0 + 0.004 * (double)((i * 7) % 10) + 0.0001 * (double)i);
    return samples;
}

static inline void fixture_way(kk_bench_result *result, int place, const char *provider,
                               const char *precision, double seconds, double db)
{
    static const double lengths[] = {0.45, 1.0, 4.1};
    kk_bench_way *way = &result->ways[place];
    (void)snprintf(way->way.provider, sizeof(way->way.provider), "%s", provider);
    (void)snprintf(way->way.precision, sizeof(way->way.precision), "%s", precision);
    way->way.n_threads = 2;
    way->execution_provider = strcmp(provider, "native") == 0 ? "native" : "CPUExecutionProvider";
    way->version = strcmp(provider, "native") == 0 ? "avx512bf16" : "1.22.0";
    way->placement = strcmp(provider, "native") == 0 ? "" : "2463 nodes on CPUExecutionProvider";
    way->load_ms = 41.25;
    way->pack_ms = 0.0;
    way->first_inference_s = seconds * 1.4;
    way->resident_mb = 210.5 + 100.0 * place;
    way->peak_mb = 260.25 + 150.0 * place;
    for (size_t i = 0; i < result->n_texts; i++) {
        const double middle = seconds * lengths[i];
        way->timings[i] =
            (kk_bench_timing){.audio_s = 5.0 * lengths[i],
                              .n_chunks = 1,
                              .first_s = middle * 1.1,
                              .inference_s = fixture_samples(result, middle, 10),
                              .first_audio_s = fixture_samples(result, 0.2 * middle, 10)};
    }
    way->quality = (kk_bench_quality){.is_known = true,
                                      .is_reference = db <= 0.0,
                                      .n_tokens = 321,
                                      .log_mel_db = db,
                                      .worst_log_mel_db = db * 1.25};
}

static inline void fixture_make(kk_bench_result *result)
{
    kk_bench_result_init(result);
    result->mode = "full";
    result->version = "0.1.0";
    result->voice = "af_heart";
    result->started_at_s = 1790000000.125;
    result->duration_s = 187.5;
    result->load_before = 0.31;
    result->load_after = 2.02;
    result->n_warm_ups = 1;
    result->n_runs = 10;
    result->n_discarded = 2;
    result->hardware = (kk_hardware){.platform = "Linux x86_64",
                                     .release = "6.1.0-18-amd64",
                                     .cpu_model = "AMD EPYC 9R14",
                                     .n_logical = 2,
                                     .n_physical = 2,
                                     .cpu_quota = 1.5,
                                     .memory_bytes = UINT64_C(8241176576),
                                     .instruction_set = "avx512bf16"};
#define KK_X(field, name) (void)snprintf(result->fingerprint.field, KK_FINGERPRINT_SIZE, name);
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
    result->texts[0] = (kk_bench_text){"short", "Good morning.", 13};
    result->texts[1] = (kk_bench_text){"medium", "The kettle sings before the guests arrive.", 42};
    result->texts[2] = (kk_bench_text){"long", "Rain fell all night, and nobody minded.", 39};
    result->n_texts = 3;
    result->deciding_text = 1;
    result->n_ways = FIXTURE_N_WAYS;
    fixture_way(result, FIXTURE_BF16, "native", "bf16", 0.41, 0.3);
    fixture_way(result, FIXTURE_F32, "native", "f32", 0.62, 0.0);
    fixture_way(result, FIXTURE_ORT, "onnxruntime", "file", 1.35, 0.2);
    result->ways[FIXTURE_ORT].quality.n_durations_differ = 3;
    kk_bench_way *failed = &result->ways[FIXTURE_FAILED];
    failed->way = (kk_way){"openvino", "f32", 2};
    failed->execution_provider = failed->version = failed->placement = "";
    failed->failure = "the process was ended by signal 11";
    result->absent[0] = (kk_bench_absent){
        "coreml", "only on Apple's systems; nothing can be installed on this one"};
    result->n_absent = 1;
    result->left_out[0] = (kk_bench_left_out){{"openvino", "bf16", 2}, "no time was left | at all"};
    result->n_left_out = 1;
    result->n_groups = 2;
}

#endif
