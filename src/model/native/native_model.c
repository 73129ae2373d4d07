/*
 * native_model.c - the provider `native`: open, infer, close, describe; and the plan of memory.
 */
#include "model/native/native_provider.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "kernels/self_check.h"
#include "model/native/network.h"
#include "model/native/pack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    MAX_FRAMES = 6000,      /* of 25 ms: 150 s, 2 GB of intermediate values */
    KEPT = 8 * 1024 * 1024, /* of the workspace between inferences */
    LONG_FRAMES = 680,      /* 17 s: resident memory counts more than 10 ms */
    SAMPLES_A_FRAME = 600,
    SPECTRA_A_FRAME = 120
};

/* What an inference needs besides the weights. */
typedef struct context {
    struct context *next; /* of the idle ones */
    kk_workspace ws;
    kk_ops ops;
} context;

typedef struct native_model {
    kk_model base;
    kk_packed packed;
    const kk_kernels *kernels;
    int n_threads, in_bf16;
    pthread_mutex_t mutex;
    atomic_int n_busy; /* contexts that are taken */
    context *idle;     /* that which was used last is first */
} native_model;

static void close_context(context *c)
{
    kk_pool_destroy(&c->ops.pool);
    kk_workspace_fini(&c->ws);
    kk_free(c);
}

static int open_context(context **out, const native_model *model, kokoro_error *err)
{
    context *c = kk_calloc(1, sizeof(*c));
    if (c == NULL)
        return kk_fail_memory(err);
    c->ops = (kk_ops){.kernels = model->kernels,
                      .ws = &c->ws,
                      .mapped_weights = model->packed.map.data,
                      .mapped_len = model->packed.map.len};
    const int status = kk_pool_create(&c->ops.pool, model->n_threads, err);
    if (status != KOKORO_OK)
        kk_free(c);
    else
        *out = c;
    return status;
}

/* An idle context, that which was used last, or a new one. */
static int take_context(context **out, native_model *model, kokoro_error *err)
{
    (void)pthread_mutex_lock(&model->mutex);
    context *c = model->idle;
    if (c != NULL)
        model->idle = c->next;
    (void)pthread_mutex_unlock(&model->mutex);
    *out = c;
    int status = c != NULL ? KOKORO_OK : open_context(out, model, err);
    if (status == KOKORO_OK)
        (void)atomic_fetch_add(&model->n_busy, 1);
    return status;
}

/* Weights of which a short sound needs others than a longer one: those that seldom are. */
static void drop_spare(const native_model *model)
{
    if (model->in_bf16 || model->packed.weights.generator.block[0].toom1[0].is_float)
        kk_packed_drop_spare(&model->packed);
}

/* The first of the idle ones keeps some memory for the next inference, the others none: huge pages
 * come anew as quickly as they can be told from noise in the time of an inference. */
static void return_context(native_model *model, context *c)
{
    (void)atomic_fetch_sub(&model->n_busy, 1);
    drop_spare(model);
    kk_workspace_trim(&c->ws, KEPT);
    (void)pthread_mutex_lock(&model->mutex);
    if (model->idle != NULL)
        kk_workspace_trim(&model->idle->ws, 0);
    c->next = model->idle;
    model->idle = c;
    (void)pthread_mutex_unlock(&model->mutex);
}

static void close_idle(native_model *model)
{
    (void)pthread_mutex_lock(&model->mutex);
    context *c = model->idle;
    model->idle = NULL;
    (void)pthread_mutex_unlock(&model->mutex);
    while (c != NULL) {
        context *next = c->next;
        close_context(c);
        c = next;
    }
}

static void native_close(kk_model *base)
{
    native_model *model = (native_model *)base;
    close_idle(model);
    kk_packed_close(&model->packed);
    (void)pthread_mutex_destroy(&model->mutex);
    kk_free(model);
}

static int choose_precision(native_model *model, const char *precision, kokoro_error *err)
{
    const int gains = model->packed.has_pairs && model->kernels->has_bf16;
    if (precision == NULL || strcmp(precision, "auto") == 0)
        model->in_bf16 = gains;
    else if (strcmp(precision, "f32") == 0)
        model->in_bf16 = 0;
    else if (strcmp(precision, "bf16") != 0)
        return kk_fail(err, KOKORO_INVALID, "unknown precision '%.20s'; known are auto, f32, bf16",
                       precision);
    else if (!gains)
        return kk_fail(err, KOKORO_PROVIDER, "precision bf16 needs %s; use auto or f32",
                       model->packed.has_pairs ? "a CPU with AVX512_BF16" : "the int8 export");
    else
        model->in_bf16 = 1;
    model->base.info.precision = model->in_bf16 ? "bf16" : "f32";
    drop_spare(model);
    return KOKORO_OK;
}

static int native_open(kk_model **out, const kk_model_options *options, kokoro_error *err)
{
    *out = NULL;
    const double start_s = kk_now_s();
    native_model *model = kk_calloc(1, sizeof(*model));
    if (model == NULL)
        return kk_fail_memory(err);
    if (pthread_mutex_init(&model->mutex, NULL) != 0) {
        kk_free(model);
        return kk_fail_memory(err);
    }
    model->base.provider = &kk_provider_native;
    model->n_threads = options->n_threads;
    model->kernels = kk_kernels_choose(options->cpu_mask);
    int status = KOKORO_OK;
    if (model->kernels == NULL)
        status = kk_fail(err, KOKORO_INVALID, "unknown instruction set '%.20s'", options->cpu_mask);
    const char *wrong =
        status == KOKORO_OK && options->self_check ? kk_kernels_self_check(model->kernels) : NULL;
    if (wrong != NULL)
        status =
            kk_fail(err, KOKORO_PROVIDER,
                    "the kernel %s of the instruction set %s is wrong on this machine; a lower "
                    "one can be set by KOKORO_CPU_MASK",
                    wrong, model->kernels->name);
    if (status == KOKORO_OK)
        status = kk_packed_open(&model->packed, options, model->kernels, err);
    if (status == KOKORO_OK)
        status = choose_precision(model, options->precision, err);
    if (status != KOKORO_OK) {
        native_close(&model->base);
        return status;
    }
    model->base.info.execution_provider = "native";
    model->base.info.version = model->kernels->name;
    model->base.info.is_concurrent = true;
    model->base.info.pack_ms = model->packed.pack_ms;
    model->base.info.load_ms = 1e3 * (kk_now_s() - start_s);
    *out = &model->base;
    return KOKORO_OK;
}

/* Bytes that the blocks up to the durations need for N tokens: 13,000 floats a token (ALBERT's
 * layer, or an LSTM's gates beside its rows) and a head's attention a thread. */
static size_t text_plan(size_t N, size_t n_threads)
{
    const size_t padded = N + 64;
    return (N * 16 * 1024 + n_threads * padded * (padded + 192)) * sizeof(float) + (1u << 20);
}

/* Bytes that F frames need: the second stage of the generator holds 4 buffers of 120 rows of 128
 * channels beside the first stage's result, the spectrum and the features. */
static size_t frames_plan(size_t F)
{
    return F * 80 * 1024 * sizeof(float) + (8u << 20);
}

typedef struct utterance {
    kk_ops *ops; /* of the context that it runs in */
    const kk_weights *w;
    const atomic_int *n_busy; /* of the model */
    int in_bf16;
    const int64_t *ids;
    size_t N, F;
    const float *style; /* [256]: decoder, prosody */
    float speed;
    int32_t *durations;
    float *prosody, *text; /* [N][640], [N][512] */
} utterance;

static int read_text(utterance *u)
{
    const kk_ops *ops = u->ops;
    const kk_weights *w = u->w;
    const float *style = u->style + KK_STYLE_HALF;
    u->prosody = kk_workspace_floats(u->ops->ws, u->N * KK_PROSODY_SIZE);
    u->text = kk_workspace_floats(u->ops->ws, u->N * KK_TEXT_SIZE);
    float *albert = kk_workspace_floats(u->ops->ws, u->N * KK_ALBERT_SIZE);
    float *raw = kk_workspace_floats(u->ops->ws, u->N);
    if (u->prosody == NULL || u->text == NULL || albert == NULL || raw == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_albert(ops, &w->albert, albert, u->ids, u->N);
    if (status == KOKORO_OK)
        status = kk_text_encoder(ops, &w->text_encoder, u->text, u->ids, u->N);
    if (status == KOKORO_OK)
        status = kk_prosody_encoder(ops, &w->prosody, u->prosody, albert, style, u->N);
    if (status == KOKORO_OK)
        status = kk_durations(ops, &w->prosody, raw, u->prosody, u->speed, u->N);
    if (status == KOKORO_OK && !kk_pool_cancelled(ops->pool))
        u->F = kk_round_durations(u->durations, raw, u->N);
    return status;
}

/* Passes pieces on with what the engine wants to know of the chunk. */
typedef struct piece_relay {
    const kk_infer_control *control;
    const kk_pcm *whole;
    kk_workspace *ws;
    const atomic_int *n_busy;
    size_t n_given;
} piece_relay;

static int relay_piece(void *user, const float *samples, size_t n, int is_last)
{
    piece_relay *relay = user;
    const bool is_first = relay->n_given++ == 0;
    /* The listener may hold its context for long, while others need memory for theirs. */
    if (atomic_load(relay->n_busy) > 1)
        kk_workspace_trim(relay->ws, relay->ws->used);
    return relay->control->piece(relay->control->piece_user, samples, n, is_first, is_last != 0,
                                 relay->whole);
}

static kk_piece_wish relay_wish(void *user, size_t n_made, size_t n_total)
{
    const piece_relay *relay = user;
    return relay->control->next_piece(relay->control->piece_user, n_made, n_total);
}

/* The generator over the whole. */
static int generate(const kk_ops *ops, const kk_generator_weights *w, const kk_utterance *u,
                    const kk_pcm *whole)
{
    const size_t n_spectra = u->T * (SPECTRA_A_FRAME / 2) + 1;
    float *spectrum = kk_workspace_floats(ops->ws, n_spectra * KK_SPECTRUM);
    float *post = kk_workspace_floats(ops->ws, n_spectra * KK_SPECTRUM);
    if (spectrum == NULL || post == NULL)
        return KOKORO_NO_MEMORY;
    int status = kk_spectrum(ops, w, spectrum, u->source, whole->n_samples, 0, n_spectra);
    if (status == KOKORO_OK && !kk_pool_cancelled(ops->pool))
        status =
            kk_generator(ops, w, post, u->features, spectrum, u->style, u->T, u->in_bf16, NULL);
    return status == KOKORO_OK ? kk_inverse_stft(ops, w, whole->samples, post, n_spectra) : status;
}

static int make_sound(const utterance *u, const float *prosody, const float *text,
                      const kk_infer_control *control, const kk_pcm *whole)
{
    const kk_ops *ops = u->ops;
    const kk_weights *w = u->w;
    kk_workspace *ws = ops->ws;
    const bool in_pieces = control != NULL && control->piece != NULL;
    const size_t F = u->F;
    float *f0 = kk_workspace_floats(ws, 2 * F), *energy = kk_workspace_floats(ws, 2 * F);
    float *features = kk_workspace_floats(ws, 2 * F * 512);
    /* The samples' place can hold the source unless pieces need it to the end. */
    float *source = in_pieces ? kk_workspace_floats(ws, whole->n_samples) : whole->samples;
    if (f0 == NULL || energy == NULL || features == NULL || source == NULL)
        return KOKORO_NO_MEMORY;
    int status =
        kk_pitch(ops, &w->prosody, f0, energy, prosody, u->style + KK_STYLE_HALF, F, u->in_bf16);
    if (status == KOKORO_OK)
        status = kk_decoder(ops, &w->decoder, features, text, f0, energy, u->style, F, u->in_bf16);
    if (status == KOKORO_OK)
        status = kk_source(ops, &w->generator, source, f0, 2 * F);
    if (status != KOKORO_OK || kk_pool_cancelled(ops->pool))
        return status;
    if (F > LONG_FRAMES)
        kk_ops_forget_weights(ops);
    const kk_utterance generated = {.features = features,
                                    .source = source,
                                    .style = u->style,
                                    .T = 2 * F,
                                    .n_pad = 2 * (size_t)u->durations[0],
                                    .in_bf16 = u->in_bf16};
    if (!in_pieces)
        return generate(ops, &w->generator, &generated, whole);
    piece_relay relay = {control, whole, ws, u->n_busy, 0};
    const kk_piece_plan plan = {relay_piece, control->next_piece != NULL ? relay_wish : NULL,
                                &relay};
    return kk_speak_pieces(ops, &w->generator, &generated, whole->samples, &plan);
}

/* The rows a frame, copied out of the workspace that is about to grow. */
static int align(const utterance *u, float **prosody, float **text, kokoro_error *err)
{
    const size_t F = u->F, N = u->N;
    const size_t scratch = kk_pool_size(u->ops->pool) * KK_SCRATCH_SIZE;
    float *rows = kk_alloc(N * (KK_PROSODY_SIZE + KK_TEXT_SIZE) * sizeof(float));
    if (rows == NULL)
        return kk_fail_memory(err);
    memcpy(rows, u->prosody, N * KK_PROSODY_SIZE * sizeof(float));
    memcpy(rows + N * KK_PROSODY_SIZE, u->text, N * KK_TEXT_SIZE * sizeof(float));
    int status = kk_workspace_reserve(u->ops->ws, frames_plan(F) + scratch, err);
    if (status == KOKORO_OK) {
        u->ops->scratch = kk_workspace_alloc(u->ops->ws, scratch);
        *prosody = kk_workspace_floats(u->ops->ws, F * KK_PROSODY_SIZE);
        *text = kk_workspace_floats(u->ops->ws, F * KK_TEXT_SIZE);
        if (u->ops->scratch == NULL || *prosody == NULL || *text == NULL)
            status = kk_fail_memory(err);
    }
    if (status == KOKORO_OK) {
        kk_align(*prosody, rows, u->durations, N, KK_PROSODY_SIZE);
        kk_align(*text, rows + N * KK_PROSODY_SIZE, u->durations, N, KK_TEXT_SIZE);
    }
    kk_free(rows);
    return status;
}

static int check_input(const int64_t *ids, size_t n_ids, kokoro_error *err)
{
    if (n_ids < 1 || n_ids > KK_MAX_TOKENS)
        return kk_fail(err, KOKORO_INVALID, "a chunk has 1 to %d ids, not %zu", KK_MAX_TOKENS,
                       n_ids);
    for (size_t i = 0; i < n_ids; i++) {
        if (ids[i] < 0 || ids[i] >= KK_N_SYMBOLS)
            return kk_fail(err, KOKORO_INVALID, "id %lld of a chunk is not below %d",
                           (long long)ids[i], KK_N_SYMBOLS);
    }
    return KOKORO_OK;
}

/* The stages up to the durations, in memory planned from the tokens. */
static int plan_and_read(utterance *u, kk_arena *arena, kokoro_error *err)
{
    const size_t n_threads = kk_pool_size(u->ops->pool);
    int status = kk_workspace_reserve(
        u->ops->ws, text_plan(u->N, n_threads) + n_threads * KK_SCRATCH_SIZE, err);
    if (status != KOKORO_OK)
        return status;
    u->ops->scratch = kk_workspace_alloc(u->ops->ws, n_threads * KK_SCRATCH_SIZE);
    u->durations = kk_arena_alloc(arena, u->N * sizeof(*u->durations));
    if (u->ops->scratch == NULL || u->durations == NULL || read_text(u) != KOKORO_OK)
        return kk_fail_memory(err);
    if (!kk_pool_cancelled(u->ops->pool) && u->F > MAX_FRAMES)
        return kk_fail(err, KOKORO_TOO_LONG,
                       "a chunk would last %.0f s and may last %.0f s: raise the speed or split it",
                       (double)u->F / 40.0, MAX_FRAMES / 40.0);
    return KOKORO_OK;
}

static int speak(utterance *u, kk_arena *arena, const kk_infer_control *control, kk_pcm *out,
                 kokoro_error *err)
{
    float *prosody = NULL, *text = NULL;
    int status = align(u, &prosody, &text, err);
    if (status != KOKORO_OK)
        return status;
    out->n_samples = u->F * SAMPLES_A_FRAME;
    out->samples = kk_arena_alloc(arena, out->n_samples * sizeof(float));
    out->durations = u->durations;
    out->n_durations = u->N;
    if (out->samples == NULL || make_sound(u, prosody, text, control, out) != KOKORO_OK)
        return kk_fail_memory(err);
    return KOKORO_OK;
}

static int native_infer(kk_model *base, kk_arena *arena, const int64_t *ids, size_t n_ids,
                        const float *style, float speed, const kk_infer_control *control,
                        kk_pcm *out, kokoro_error *err)
{
    native_model *model = (native_model *)base;
    *out = (kk_pcm){NULL, 0, NULL, 0};
    int status = check_input(ids, n_ids, err);
    if (status != KOKORO_OK)
        return status;
    context *c = NULL;
    status = take_context(&c, model, err);
    if (status != KOKORO_OK)
        return status;
    kk_pool *pool = c->ops.pool;
    kk_pool_reset(pool);
    if (control != NULL) {
        kk_pool_watch(pool, control->cancelled, control->cancelled_user);
        kk_pool_limit(pool, control->n_threads);
    }
    utterance u = {.ops = &c->ops,
                   .w = &model->packed.weights,
                   .n_busy = &model->n_busy,
                   .in_bf16 = model->in_bf16,
                   .ids = ids,
                   .N = n_ids,
                   .style = style,
                   .speed = speed};
    status = plan_and_read(&u, arena, err);
    if (status == KOKORO_OK && !kk_pool_cancelled(pool))
        status = speak(&u, arena, control, out, err);
    if (status == KOKORO_OK && kk_pool_cancelled(pool))
        status = kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
    kk_pool_watch(pool, NULL, NULL);
    kk_pool_limit(pool, NULL);
    return_context(model, c);
    return status;
}

static void native_trim(kk_model *base)
{
    native_model *model = (native_model *)base;
    close_idle(model);
    kk_packed_forget(&model->packed);
}

static void native_list_measures(const kk_model *base, kokoro_measure_fn *fn, void *user)
{
    const native_model *model = (const native_model *)base;
    const bool is_int8 = model->packed.has_pairs != 0;
    const kokoro_measure measures[] = {
        {"unnamed_weights", "ONNX export", true,
         "weights of matrix products have no names of their own in the export: each is found by "
         "the node that reads it, and its shape is checked",
         ""},
        {"quantised_weights", "ONNX export", is_int8,
         is_int8 ? "weights that the export holds in 8 bits are unpacked, exactly"
                 : "the export holds floats: there is nothing to unpack",
         ""},
    };
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
        fn(user, &measures[i]);
}

static const char *native_why_slow(const kk_model_options *options)
{
    const kk_kernels *kernels = kk_kernels_choose(options->cpu_mask);
    return kernels == kk_kernels_all[0]
               ? "for this CPU it has plain C alone, a minute's work for a second of sound"
               : NULL;
}

static void native_describe(kk_arena *arena, const kk_model_options *options, kokoro_provider *out)
{
    (void)arena;
    const kk_kernels *kernels = kk_kernels_choose(options->cpu_mask);
    *out = (kokoro_provider){.name = "native",
                             .available = kernels != NULL,
                             .version = kernels != NULL ? kernels->name : "",
                             .execution_providers = kernels != NULL ? "native" : "",
                             .reason = kernels != NULL ? "" : "unknown instruction set"};
}

static void native_cached(kk_arena *arena, const kk_model_options *options, kokoro_cached *out)
{
    const kk_kernels *kernels = kk_kernels_choose(options->cpu_mask);
    out->folder = "native";
    if (kernels != NULL)
        kk_packed_place(arena, options, kernels, out);
    else
        out->reason = "unknown instruction set";
}

const kk_provider kk_provider_native = {
    .name = "native",
    .is_automatic = true,
    .why_slow = native_why_slow,
    .open = native_open,
    .close = native_close,
    .infer = native_infer,
    .trim = native_trim,
    .list_measures = native_list_measures,
    .describe = native_describe,
    .cached = native_cached,
};
