/*
 * test_native.c - each block of the network against the reference's tensors (tests/golden), fed the
 * reference's own input of that block.
 */
#include "base/alloc.h"
#include "check.h"
#include "data.h"
#include "model/native/network.h"
#include "model/native/pack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Root mean square of the difference over that of the reference, for float blocks. */
static const double BLOCK_LIMIT = 1e-4;

static kk_packed packed;
static kk_ops ops;
static kk_workspace ws;

/* Tensor NAME of a case; *n values. */
static float *load(const char *dir, const char *name, size_t *n)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s.f32", dir, name);
    kk_map map;
    kokoro_error err;
    if (kk_map_open(&map, path, "tensor", &err) != KOKORO_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    *n = map.len / sizeof(float);
    float *values = malloc(map.len + 64);
    memcpy(values, map.data, map.len);
    kk_map_close(&map);
    return values;
}

static double relative_error(const float *got, const float *want, size_t n)
{
    double square = 0.0, reference = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)got[i] - (double)want[i];
        square += d * d;
        reference += (double)want[i] * (double)want[i];
    }
    return reference > 0.0 ? sqrt(square / reference) : sqrt(square);
}

static void compare(const char *what, const float *got, const float *want, size_t n, double limit)
{
    const double error = relative_error(got, want, n);
    printf("  %-18s %.2e (%.1f dB)\n", what, error, -20.0 * log10(error + 1e-20));
    CHECK(error <= limit);
}

static void test_case(const char *dir)
{
    size_t N, F2, n, n_style, n_frames;
    printf("%s\n", dir);
    float *tokens = load(dir, "tokens", &N), *style = load(dir, "style", &n_style);
    const kk_weights *w = &packed.weights;
    int64_t *ids = malloc(N * sizeof(*ids));
    for (size_t i = 0; i < N; i++)
        ids[i] = (int64_t)tokens[i];
    const float *prosody_style = style + 128;
    float *f0 = load(dir, "f0", &F2), *energy = load(dir, "energy", &n);
    const size_t F = F2 / 2;
    float *dst = malloc((120 * F + 1) * 128 * sizeof(float));

    float *albert = load(dir, "albert", &n);
    CHECK(kk_albert(&ops, &w->albert, dst, ids, N) == KOKORO_OK);
    compare("albert", dst, albert, N * 768, BLOCK_LIMIT);
    float *want = load(dir, "text_encoder", &n);
    CHECK(kk_text_encoder(&ops, &w->text_encoder, dst, ids, N) == KOKORO_OK);
    compare("text_encoder", dst, want, N * 512, BLOCK_LIMIT);
    free(want);
    float *prosody = load(dir, "duration_encoder", &n);
    CHECK(kk_prosody_encoder(&ops, &w->prosody, dst, albert, prosody_style, N) == KOKORO_OK);
    compare("prosody_encoder", dst, prosody, N * 640, BLOCK_LIMIT);
    float *raw = load(dir, "duration_raw", &n), *durations = load(dir, "durations", &n);
    float *speed = load(dir, "speed", &n);
    CHECK(kk_durations(&ops, &w->prosody, dst, prosody, speed[0], N) == KOKORO_OK);
    compare("duration_raw", dst, raw, N, BLOCK_LIMIT);
    int32_t *rounded = malloc(N * sizeof(*rounded));
    CHECK(kk_round_durations(rounded, dst, N) == F);
    for (size_t i = 0; i < N; i++)
        CHECK(rounded[i] == (int32_t)durations[i]);
    float *aligned = load(dir, "prosody_aligned", &n);
    kk_align(dst, prosody, rounded, N, 640);
    CHECK(memcmp(dst, aligned, F * 640 * sizeof(float)) == 0);
    float *curves = malloc(4 * F * sizeof(float));
    CHECK(kk_pitch(&ops, &w->prosody, curves, curves + 2 * F, aligned, prosody_style, F, 0) ==
          KOKORO_OK);
    compare("f0", curves, f0, 2 * F, BLOCK_LIMIT);
    compare("energy", curves + 2 * F, energy, 2 * F, BLOCK_LIMIT);
    float *text = load(dir, "text_aligned", &n), *features = load(dir, "decoder_3", &n);
    CHECK(kk_decoder(&ops, &w->decoder, dst, text, f0, energy, style, F, 0) == KOKORO_OK);
    compare("decoder", dst, features, 2 * F * 512, BLOCK_LIMIT);
    const bool has_bf16 = ops.kernels->has_bf16 && packed.has_pairs;
    if (has_bf16) { /* else it is the same again */
        CHECK(kk_decoder(&ops, &w->decoder, dst, text, f0, energy, style, F, 1) == KOKORO_OK);
        compare("decoder bf16", dst, features, 2 * F * 512, 1e-2);
    }
    float *source = load(dir, "source", &n);
    CHECK(kk_source(&ops, &w->generator, dst, f0, 2 * F) == KOKORO_OK);
    compare("source", dst, source, n, BLOCK_LIMIT);
    /* Every operation is the reference's, so that all samples are equal. */
    size_t n_unequal = 0;
    for (size_t i = 0; i < n; i++)
        n_unequal += dst[i] != source[i];
    CHECK_INT(n_unequal, 0);
    float *spectrum = load(dir, "source_stft", &n_frames);
    n_frames /= 22;
    CHECK(n_frames == 120 * F + 1);
    CHECK(kk_spectrum(&ops, &w->generator, dst, source, n, 0, n_frames) == KOKORO_OK);
    compare("spectrum", dst, spectrum, n_frames * 22, BLOCK_LIMIT);
    n_unequal = 0;
    for (size_t i = 0; i < n_frames * 22; i++)
        n_unequal += i % 22 < 11 && dst[i] != spectrum[i];
    CHECK_INT(n_unequal, 0); /* of the magnitudes */
    /* A part of it is what the whole has there, at both ends too. */
    const size_t starts[] = {0, 1, n_frames / 2, n_frames - 7};
    float *part = malloc(7 * 22 * sizeof(*part));
    for (size_t i = 0; i < 4; i++) {
        CHECK(kk_spectrum(&ops, &w->generator, part, source, n, starts[i], 7) == KOKORO_OK);
        CHECK(memcmp(part, dst + starts[i] * 22, 7 * 22 * sizeof(*part)) == 0);
    }
    free(part);
    float *post = load(dir, "post", &n), *audio = load(dir, "audio", &n);
    CHECK(kk_generator(&ops, &w->generator, dst, features, spectrum, style, 2 * F, 0, NULL) ==
          KOKORO_OK);
    compare("generator", dst, post, n_frames * 22, BLOCK_LIMIT);
    float *sound = malloc((n + 64) * sizeof(float));
    CHECK(kk_inverse_stft(&ops, &w->generator, sound, dst, n_frames) == KOKORO_OK);
    /* 80 dB; plain C, which adds in one chain, keeps 78 of the shortest case. */
    compare("its audio", sound, audio, n, strcmp(ops.kernels->name, "ref") == 0 ? 2e-4 : 1e-4);
    CHECK(kk_inverse_stft(&ops, &w->generator, sound, post, n_frames) == KOKORO_OK);
    compare("inverse_stft", sound, audio, n, BLOCK_LIMIT);
    if (has_bf16) {
        CHECK(kk_generator(&ops, &w->generator, dst, features, spectrum, style, 2 * F, 1, NULL) ==
              KOKORO_OK);
        CHECK(kk_inverse_stft(&ops, &w->generator, sound, dst, n_frames) == KOKORO_OK);
        compare("audio bf16", sound, audio, n, 1.78e-2); /* 35 dB */
        /* Direct products, which run where there are no transformed weights. */
        kk_generator_weights direct = w->generator;
        direct.block[0].toom1[0].weights = NULL;
        CHECK(kk_generator(&ops, &direct, dst, features, spectrum, style, 2 * F, 1, NULL) ==
              KOKORO_OK);
        CHECK(kk_inverse_stft(&ops, &direct, sound, dst, n_frames) == KOKORO_OK);
        compare("audio bf16, direct", sound, audio, n, 1e-2); /* 40 dB */
    }
    free(tokens), free(style), free(ids), free(f0), free(energy), free(dst), free(albert);
    free(prosody), free(raw), free(durations), free(speed), free(rounded), free(aligned);
    free(curves), free(text), free(features), free(source), free(spectrum), free(post);
    free(audio), free(sound);
}

/*
 * The reference is made by tests/golden/make_reference.py; KOKORO_GOLDEN is its folder, and
 * KOKORO_GOLDEN_CASE one of its cases, because all of them take minutes in plain C.
 */
static void test_model(const char *golden, const char *model, const char *only)
{
    kokoro_error err;
    const kk_kernels *kernels = kk_kernels_choose(getenv("KOKORO_CPU_MASK"));
    const kk_model_options options = {.model_path = model, .n_threads = 2};
    const int status = kk_packed_open(&packed, &options, kernels, &err);
    CHECK_STR(status == KOKORO_OK ? "" : err.message, "");
    if (status != KOKORO_OK)
        return;
    printf("%s, packed in %.0f ms\n", kernels->name, packed.pack_ms);
    CHECK(kk_workspace_reserve(&ws, (size_t)2 << 30, &err) == KOKORO_OK);
    ops.kernels = kernels;
    ops.ws = &ws;
    CHECK(kk_pool_create(&ops.pool, 2, &err) == KOKORO_OK);
    ops.scratch = kk_workspace_alloc(&ws, 2 * KK_SCRATCH_SIZE);
    static const char *const cases[] = {"short", "hello", "rain", "question",
                                        "hiss",  "slow",  "fast", "long"};
    size_t n_cases = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (only != NULL && strcmp(only, cases[i]) != 0)
            continue;
        char dir[1024];
        (void)snprintf(dir, sizeof(dir), "%s/%s", golden, cases[i]);
        test_case(dir);
        n_cases++;
    }
    CHECK(n_cases > 0);
    kk_pool_destroy(&ops.pool);
    kk_workspace_fini(&ws);
}

TEST(blocks)
{
    const char *golden = getenv("KOKORO_GOLDEN");
    char model[1024];
    if (golden == NULL) {
        CHECK(getenv("KOKORO_REQUIRE_DATA") == NULL);
        SKIP("KOKORO_GOLDEN is not set");
    }
    NEED(model, "model/kokoro-v1.0.int8.onnx");
    test_model(golden, model, getenv("KOKORO_GOLDEN_CASE"));
    CHECK(packed.has_pairs);
    kk_packed_close(&packed);
}

/* The expanded export, of which the reference is made, is read too: the same in float. */
TEST(blocks_of_the_float_export)
{
    const char *golden = getenv("KOKORO_GOLDEN");
    char model[1024];
    if (golden == NULL)
        SKIP("KOKORO_GOLDEN is not set");
    (void)snprintf(model, sizeof(model), "%s/float.onnx", golden);
    test_model(golden, model, "short");
    CHECK(!packed.has_pairs);
    kk_packed_close(&packed);
}

TEST_MAIN(T(blocks), T(blocks_of_the_float_export))
