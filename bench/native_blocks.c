/*
 * native_blocks.c - the native network block by block on reference tensors (tests/golden), for
 * quality_native.py.
 *
 *     native_blocks MODEL        lines of jobs on standard input:
 *     IN OUT infer PRECISION                   the whole provider: audio, durations
 *     IN OUT blocks DECODER GENERATOR NAMES    a block after the other, in bf16 or f32; what NAMES
 *                                              lists (a,b,c or -) is read from IN instead
 *
 * IN has tokens.f32, style.f32 and speed.f32; results go to OUT, each as NAME.f32. A line "ok" or
 * "error: ..." answers each job.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "model/native/native_provider.h"
#include "model/native/network.h"
#include "model/native/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 1024, SAMPLES_A_FRAME = 600, SPECTRA_A_FRAME = 120 };

static const size_t WORKSPACE = (size_t)2 << 30;

typedef struct bench {
    kk_model_options options;
    kk_packed packed;
    kk_workspace ws;
    kk_ops ops;
    kk_model *models[2]; /* f32, bf16; opened when they are first asked for */
} bench;

typedef struct job {
    char in[PATH_SIZE], out[PATH_SIZE];
    const char *given; /* names of tensors to read */
    float *tokens, *style, *speed;
    size_t N;
    int64_t *ids;
    kk_arena arena;
} job;

/* Tensor NAME of the job's input; memory of its arena, NULL when it cannot be read. */
static float *read_tensor(job *j, const char *name, size_t *n)
{
    char path[2 * PATH_SIZE];
    kk_map map;
    kokoro_error err;
    (void)snprintf(path, sizeof(path), "%s/%s.f32", j->in, name);
    if (kk_map_open(&map, path, "tensor", &err) != KOKORO_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return NULL;
    }
    *n = map.len / sizeof(float);
    float *values = kk_arena_alloc(&j->arena, map.len + 64);
    if (values != NULL)
        memcpy(values, map.data, map.len);
    kk_map_close(&map);
    return values;
}

static int write_tensor(const job *j, const char *name, const float *values, size_t n)
{
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s.f32", j->out, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return KOKORO_IO;
    const size_t n_written = fwrite(values, sizeof(*values), n, file);
    return fclose(file) == 0 && n_written == n ? KOKORO_OK : KOKORO_IO;
}

static int is_given(const job *j, const char *name)
{
    const size_t len = strlen(name);
    for (const char *at = j->given; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, len) == 0 && (at[len] == '\0' || at[len] == ','))
            return 1;
    }
    return 0;
}

/* Replace n values by those of the reference where the job says so; then write them. */
static int settle(job *j, const char *name, float *values, size_t n)
{
    if (is_given(j, name)) {
        size_t n_read = 0;
        const float *wanted = read_tensor(j, name, &n_read);
        if (wanted == NULL || n_read != n)
            return KOKORO_INVALID;
        memcpy(values, wanted, n * sizeof(*values));
    }
    return write_tensor(j, name, values, n);
}

static float *floats(job *j, size_t n)
{
    return kk_arena_alloc(&j->arena, n * sizeof(float) + 64);
}

static int run_text(bench *b, job *j, float *prosody, float *text, float *durations)
{
    const kk_weights *w = &b->packed.weights;
    const float *style = j->style + KK_STYLE_HALF;
    float *albert = floats(j, j->N * KK_ALBERT_SIZE);
    if (albert == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_albert(&b->ops, &w->albert, albert, j->ids, j->N);
    if (status == KOKORO_OK)
        status = kk_text_encoder(&b->ops, &w->text_encoder, text, j->ids, j->N);
    if (status == KOKORO_OK)
        status = kk_prosody_encoder(&b->ops, &w->prosody, prosody, albert, style, j->N);
    if (status == KOKORO_OK)
        status = kk_durations(&b->ops, &w->prosody, durations, prosody, j->speed[0], j->N);
    if (status == KOKORO_OK)
        status = write_tensor(j, "duration_raw", durations, j->N);
    return status;
}

static int run_sound(bench *b, job *j, const float *prosody, const float *text, size_t F,
                     int decoder_bf16, int generator_bf16)
{
    const kk_weights *w = &b->packed.weights;
    const size_t n = F * SAMPLES_A_FRAME, n_spectra = F * SPECTRA_A_FRAME + 1;
    float *f0 = floats(j, 2 * F), *energy = floats(j, 2 * F), *features = floats(j, 2 * F * 512);
    float *audio = floats(j, n), *spectrum = floats(j, n_spectra * KK_SPECTRUM);
    float *post = floats(j, n_spectra * KK_SPECTRUM);
    if (f0 == NULL || energy == NULL || features == NULL || audio == NULL || spectrum == NULL ||
        post == NULL)
        return KOKORO_NO_MEMORY;
    int status =
        kk_pitch(&b->ops, &w->prosody, f0, energy, prosody, j->style + KK_STYLE_HALF, F, 0);
    if (status == KOKORO_OK)
        status = settle(j, "f0", f0, 2 * F);
    if (status == KOKORO_OK)
        status = settle(j, "energy", energy, 2 * F);
    if (status == KOKORO_OK)
        status =
            kk_decoder(&b->ops, &w->decoder, features, text, f0, energy, j->style, F, decoder_bf16);
    if (status == KOKORO_OK)
        status = settle(j, "decoder_3", features, 2 * F * 512);
    if (status == KOKORO_OK)
        status = kk_source(&b->ops, &w->generator, audio, f0, 2 * F);
    if (status == KOKORO_OK)
        status = settle(j, "source", audio, n);
    if (status == KOKORO_OK)
        status = kk_spectrum(&b->ops, &w->generator, spectrum, audio, n, 0, n / 5 + 1);
    if (status == KOKORO_OK)
        status = settle(j, "source_stft", spectrum, n_spectra * KK_SPECTRUM);
    if (status == KOKORO_OK)
        status = kk_generator(&b->ops, &w->generator, post, features, spectrum, j->style, 2 * F,
                              generator_bf16, NULL);
    if (status == KOKORO_OK)
        status = kk_inverse_stft(&b->ops, &w->generator, audio, post, n_spectra);
    return status == KOKORO_OK ? write_tensor(j, "audio", audio, n) : status;
}

static int run_blocks(bench *b, job *j, int decoder_bf16, int generator_bf16)
{
    float *prosody = floats(j, j->N * KK_PROSODY_SIZE), *text = floats(j, j->N * KK_TEXT_SIZE);
    float *durations = floats(j, j->N);
    int32_t *rounded = kk_arena_alloc(&j->arena, j->N * sizeof(*rounded));
    if (prosody == NULL || text == NULL || durations == NULL || rounded == NULL)
        return KOKORO_NO_MEMORY;
    int status = run_text(b, j, prosody, text, durations);
    if (status != KOKORO_OK)
        return status;
    (void)kk_round_durations(rounded, durations, j->N);
    for (size_t i = 0; i < j->N; i++)
        durations[i] = (float)rounded[i];
    status = settle(j, "durations", durations, j->N);
    if (status != KOKORO_OK)
        return status;
    size_t F = 0;
    for (size_t i = 0; i < j->N; i++) {
        rounded[i] = (int32_t)durations[i];
        F += (size_t)rounded[i];
    }
    float *prosody_aligned = floats(j, F * KK_PROSODY_SIZE);
    float *text_aligned = floats(j, F * KK_TEXT_SIZE);
    if (prosody_aligned == NULL || text_aligned == NULL)
        return KOKORO_NO_MEMORY;
    kk_align(prosody_aligned, prosody, rounded, j->N, KK_PROSODY_SIZE);
    kk_align(text_aligned, text, rounded, j->N, KK_TEXT_SIZE);
    status = settle(j, "text_aligned", text_aligned, F * KK_TEXT_SIZE);
    if (status == KOKORO_OK)
        status = run_sound(b, j, prosody_aligned, text_aligned, F, decoder_bf16, generator_bf16);
    return status;
}

static int run_whole(bench *b, job *j, int is_bf16)
{
    kokoro_error err;
    kk_model **model = &b->models[is_bf16];
    kk_model_options options = b->options;
    options.precision = is_bf16 ? "bf16" : "f32";
    int status = KOKORO_OK;
    if (*model == NULL)
        status = kk_provider_native.open(model, &options, &err);
    kk_pcm pcm = {NULL, 0, NULL, 0};
    if (status == KOKORO_OK)
        status = kk_provider_native.infer(*model, &j->arena, j->ids, j->N, j->style, j->speed[0],
                                          NULL, &pcm, &err);
    float *durations = floats(j, j->N);
    if (status != KOKORO_OK || durations == NULL) {
        (void)fprintf(stderr, "%s\n", status != KOKORO_OK ? err.message : "out of memory");
        return status != KOKORO_OK ? status : KOKORO_NO_MEMORY;
    }
    for (size_t i = 0; i < j->N; i++)
        durations[i] = (float)pcm.durations[i];
    status = write_tensor(j, "durations", durations, j->N);
    return status == KOKORO_OK ? write_tensor(j, "audio", pcm.samples, pcm.n_samples) : status;
}

static int read_inputs(job *j)
{
    size_t n_style = 0, n_speed = 0;
    j->tokens = read_tensor(j, "tokens", &j->N);
    j->style = read_tensor(j, "style", &n_style);
    j->speed = read_tensor(j, "speed", &n_speed);
    if (j->tokens == NULL || j->style == NULL || j->speed == NULL ||
        n_style != (size_t)2 * KK_STYLE_HALF || n_speed != 1 || j->N > KK_MAX_TOKENS)
        return KOKORO_INVALID;
    j->ids = kk_arena_alloc(&j->arena, j->N * sizeof(*j->ids));
    if (j->ids == NULL)
        return KOKORO_NO_MEMORY;
    for (size_t i = 0; i < j->N; i++)
        j->ids[i] = (int64_t)j->tokens[i];
    return KOKORO_OK;
}

static int run_line(bench *b, const char *line)
{
    job j = {.arena = KK_ARENA_INIT};
    char kind[16], first[8], second[8], names[256];
    const int n =
        sscanf(line, "%1023s %1023s %15s %7s %7s %255s", j.in, j.out, kind, first, second, names);
    if (n != 4 && n != 6)
        return KOKORO_INVALID;
    int status = read_inputs(&j);
    if (status == KOKORO_OK && n == 4) {
        status = run_whole(b, &j, strcmp(first, "bf16") == 0);
    } else if (status == KOKORO_OK) {
        j.given = names;
        status = run_blocks(b, &j, strcmp(first, "bf16") == 0, strcmp(second, "bf16") == 0);
    }
    kk_arena_fini(&j.arena);
    return status;
}

static int open_bench(bench *b, const char *model_path, kokoro_error *err)
{
    b->ops.kernels = kk_kernels_choose(getenv("KOKORO_CPU_MASK"));
    if (b->ops.kernels == NULL)
        return kk_fail(err, KOKORO_INVALID, "unknown instruction set in KOKORO_CPU_MASK");
    b->options = (kk_model_options){
        .model_path = model_path, .cpu_mask = getenv("KOKORO_CPU_MASK"), .n_threads = 2};
    b->ops.ws = &b->ws;
    int status = kk_packed_open(&b->packed, &b->options, b->ops.kernels, err);
    if (status == KOKORO_OK)
        status = kk_workspace_reserve(&b->ws, WORKSPACE, err);
    if (status == KOKORO_OK)
        status = kk_pool_create(&b->ops.pool, b->options.n_threads, err);
    if (status == KOKORO_OK) {
        b->ops.scratch = kk_workspace_alloc(&b->ws, (size_t)b->options.n_threads * KK_SCRATCH_SIZE);
        if (b->ops.scratch == NULL)
            status = kk_fail_memory(err);
    }
    return status;
}

int main(int argc, char **argv)
{
    bench b = {0};
    kokoro_error err;
    if (argc != 2) {
        (void)fprintf(stderr, "Usage: native_blocks MODEL <JOBS\n");
        return 2;
    }
    if (open_bench(&b, argv[1], &err) != KOKORO_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    char line[3 * PATH_SIZE];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        const int status = run_line(&b, line);
        if (status == KOKORO_OK)
            (void)printf("ok\n");
        else
            (void)printf("error: %s\n", kokoro_status_text(status));
        (void)fflush(stdout);
    }
    for (int i = 0; i < 2; i++) {
        if (b.models[i] != NULL)
            kk_provider_native.close(b.models[i]);
    }
    kk_pool_destroy(&b.ops.pool);
    kk_workspace_fini(&b.ws);
    kk_packed_close(&b.packed);
    return 0;
}
