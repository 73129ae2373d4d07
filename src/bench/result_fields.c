#include "bench/result_fields.h"

/* Ranges are what a benchmark can mean, wide enough for any machine: they find files that are
 * damaged or no benchmark's. */
#define FIELD(type, field, key, kind, min, max)                                                    \
    {                                                                                              \
        key, KK_FIELD_##kind, offsetof(type, field), sizeof(((type *)NULL)->field), min, max       \
    }
#define TEXT(type, field) FIELD(type, field, #field, TEXT, 0, 0)
#define NAME(type, field) FIELD(type, field, #field, NAME, 0, 0)
#define CHARS(type, field) FIELD(type, field, #field, CHARS, 0, 0)
#define REAL(type, field, max) FIELD(type, field, #field, REAL, 0, max)
#define COUNT(type, field, key) FIELD(type, field, key, COUNT, 0, 1e9)
#define SECONDS(type, field) REAL(type, field, 1e6)
#define SAMPLES(type, field) FIELD(type, field, #field, SAMPLES, 0, 1e6)

#define TABLE(name)                                                                                \
    const kk_field_table kk_fields_of_##name = {name, sizeof(name) / sizeof((name)[0])}

static const kk_field result[] = {
    TEXT(kk_bench_result, mode),
    TEXT(kk_bench_result, version),
    TEXT(kk_bench_result, voice),
    REAL(kk_bench_result, started_at_s, 1e12),
    SECONDS(kk_bench_result, duration_s),
    FIELD(kk_bench_result, is_interrupted, "interrupted", BOOL, 0, 0),
    FIELD(kk_bench_result, load_before, "load_before", OPTIONAL_REAL, 0, 1e6),
    FIELD(kk_bench_result, load_after, "load_after", OPTIONAL_REAL, 0, 1e6),
    TEXT(kk_bench_result, busy),
    FIELD(kk_bench_result, n_warm_ups, "warm_ups", INT, 0, 1e6),
    FIELD(kk_bench_result, n_runs, "runs", INT, 0, 1e6),
    COUNT(kk_bench_result, n_discarded, "discarded_samples"),
};
TABLE(result);

static const kk_field hardware[] = {
    CHARS(kk_hardware, platform),
    CHARS(kk_hardware, release),
    CHARS(kk_hardware, cpu_model),
    FIELD(kk_hardware, n_logical, "logical_cpus", INT, 0, 1e6),
    FIELD(kk_hardware, n_physical, "physical_cores", INT, 0, 1e6),
    REAL(kk_hardware, cpu_quota, 1e6),
    FIELD(kk_hardware, memory_bytes, "memory_bytes", BYTES, 0, 9e18),
    FIELD(kk_hardware, memory_limit_bytes, "memory_limit_bytes", BYTES, 0, 9e18),
    TEXT(kk_hardware, instruction_set),
};
TABLE(hardware);

static const kk_field fingerprint[] = {
#define KK_X(field, name) CHARS(kk_fingerprint, field),
    KK_FINGERPRINT_MAP(KK_X)
#undef KK_X
};
TABLE(fingerprint);

static const kk_field text[] = {
    TEXT(kk_bench_text, name),
    TEXT(kk_bench_text, text),
    COUNT(kk_bench_text, n_chars, "characters"),
};
TABLE(text);

static const kk_field way[] = {
    NAME(kk_way, provider),
    NAME(kk_way, precision),
    FIELD(kk_way, n_threads, "threads", INT, 1, 1e6),
};
TABLE(way);

static const kk_field bench_way[] = {
    TEXT(kk_bench_way, execution_provider),
    TEXT(kk_bench_way, version),
    TEXT(kk_bench_way, placement),
    FIELD(kk_bench_way, failure, "failure", OPTIONAL_TEXT, 0, 0),
    REAL(kk_bench_way, load_ms, 1e9),
    REAL(kk_bench_way, pack_ms, 1e9),
    SECONDS(kk_bench_way, first_inference_s),
    REAL(kk_bench_way, resident_mb, 1e9),
    REAL(kk_bench_way, peak_mb, 1e9),
};
TABLE(bench_way);

static const kk_field timing[] = {
    SECONDS(kk_bench_timing, audio_s),       COUNT(kk_bench_timing, n_chunks, "chunks"),
    SECONDS(kk_bench_timing, first_s),       SAMPLES(kk_bench_timing, inference_s),
    SAMPLES(kk_bench_timing, first_audio_s),
};
TABLE(timing);

static const kk_field quality[] = {
    FIELD(kk_bench_quality, is_reference, "reference", BOOL, 0, 0),
    COUNT(kk_bench_quality, n_tokens, "tokens"),
    COUNT(kk_bench_quality, n_durations_differ, "durations_differ"),
    REAL(kk_bench_quality, log_mel_db, 1e4),
    REAL(kk_bench_quality, worst_log_mel_db, 1e4),
};
TABLE(quality);

static const kk_field absent[] = {
    TEXT(kk_bench_absent, provider),
    TEXT(kk_bench_absent, reason),
};
TABLE(absent);

static const kk_field left_out[] = {
    FIELD(kk_bench_left_out, way.provider, "provider", NAME, 0, 0),
    FIELD(kk_bench_left_out, way.precision, "precision", NAME, 0, 0),
    FIELD(kk_bench_left_out, way.n_threads, "threads", INT, 1, 1e6),
    TEXT(kk_bench_left_out, reason),
};
TABLE(left_out);

static const kk_field streams[] = {
    FIELD(kk_bench_streams, n_streams, "streams", INT, 1, 1e6),
    SAMPLES(kk_bench_streams, first_sound_s),
    SECONDS(kk_bench_streams, audio_s),
    SECONDS(kk_bench_streams, wall_s),
    COUNT(kk_bench_streams, n_failed, "failed"),
    COUNT(kk_bench_streams, n_ran_dry, "ran_dry"),
};
TABLE(streams);

static const kk_field choice[] = {
    FIELD(kk_bench_choice, is_change, "change", BOOL, 0, 0),
    FIELD(kk_bench_choice, is_over_quality, "over_quality", BOOL, 0, 0),
    FIELD(kk_bench_choice, improvement_percent, "improvement_percent", REAL, -1e9, 100),
    REAL(kk_bench_choice, min_improvement_percent, 1e6),
    REAL(kk_bench_choice, max_quality_db, 1e6),
    TEXT(kk_bench_choice, reason),
};
TABLE(choice);
