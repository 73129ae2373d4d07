/*
 * speak.c - how text becomes sound. Read this file first: the stages in their order.
 *
 *     text -> sentences -> phonemes -> chunks of ids -> style + model -> pcm -> the caller
 */
#include "base/clock.h"
#include "base/status.h"
#include "base/utf8.h"
#include "engine/engine.h"

#include "audio/audio.h"
#include "text/text.h"
#include "token/token.h"

#include <string.h>

/* One request on its way through the stages. */
typedef struct speech {
    kokoro_engine *engine;
    const kokoro_request *request;
    kokoro_stats *stats;
    kk_arena arena; /* of the whole request */
    kk_blend voice;
    enum kk_language language;
    kk_utterance *utterances;
    size_t n_utterances;
    kk_chunks chunks;
    double start_s;
} speech;

static int check_request(speech *s, kokoro_error *err);
static int read_phonemes(speech *s, kokoro_error *err);
static int read_text(speech *s, kokoro_error *err);
static int speak_chunk(speech *s, size_t index, kokoro_chunk_fn *fn, void *user, kokoro_error *err);

int kokoro_speak(kokoro_engine *engine, const kokoro_request *request, kokoro_chunk_fn *fn,
                 void *user, kokoro_stats *stats, kokoro_error *err)
{
    kokoro_stats unused;
    speech s = {.engine = engine,
                .request = request,
                .stats = stats != NULL ? stats : &unused,
                .arena = KK_ARENA_INIT,
                .start_s = kk_now_s()};
    memset(s.stats, 0, sizeof(*s.stats));

    int status = check_request(&s, err);
    if (status == KOKORO_OK)
        status = request->is_phonemes ? read_phonemes(&s, err) : read_text(&s, err);
    if (status == KOKORO_OK)
        status = kk_chunks_make(&s.arena, s.utterances, s.n_utterances, &s.chunks, err);
    s.stats->g2p_ms = 1e3 * (kk_now_s() - s.start_s);
    s.stats->unknown_symbols = s.chunks.unknown_symbols;
    if (status == KOKORO_OK && s.chunks.n == 0)
        status = kk_fail(err, KOKORO_NO_SPEECH, "the text holds no word that can be spoken");
    for (size_t i = 0; i < s.chunks.n && status == KOKORO_OK; i++)
        status = speak_chunk(&s, i, fn, user, err);

    if (status == KOKORO_OK)
        kk_choice_used(&engine->choice, &engine->log);
    kk_arena_fini(&s.arena);
    return status;
}

void kokoro_request_init(kokoro_request *request)
{
    *request = (kokoro_request){.struct_size = sizeof(*request), .speed = 1.0};
}

static int check_request(speech *s, kokoro_error *err)
{
    const kokoro_request *request = s->request;
    if (request->struct_size != sizeof(*request))
        return kk_fail(err, KOKORO_INVALID,
                       "the request must be filled by kokoro_request_init first");
    if (s->engine->model == NULL)
        return kk_fail(err, KOKORO_INVALID, "this engine was opened for phonemes only");
    /* Written so that NaN fails. */
    if (!(request->speed >= KOKORO_SPEED_MIN && request->speed <= KOKORO_SPEED_MAX))
        return kk_fail(err, KOKORO_SPEED, "speed must be %g to %g, not %g", KOKORO_SPEED_MIN,
                       KOKORO_SPEED_MAX, request->speed);
    const char *voice =
        request->voice != NULL && request->voice[0] != '\0' ? request->voice : "af_heart";
    int status = kk_blend_parse(s->engine->voices, voice, &s->voice, err);
    if (status != KOKORO_OK || request->is_phonemes)
        return status;
    if (request->language != NULL && request->language[0] != '\0')
        return kk_language_parse(request->language, &s->language, err);
    return kk_blend_language(s->engine->voices, &s->voice, &s->language, err);
}

int kokoro_check_request(kokoro_engine *engine, const kokoro_request *request, kokoro_error *err)
{
    speech s = {.engine = engine, .request = request};
    return check_request(&s, err);
}

/* The request's text is phonemes already: one utterance, checked and copied to end in NUL. */
static int read_phonemes(speech *s, kokoro_error *err)
{
    kk_slice text = {s->request->text, s->request->text_len};
    size_t valid = kk_utf8_valid_len(text);
    if (valid < text.len)
        return kk_fail(err, KOKORO_BAD_TEXT, "the phonemes are not valid UTF-8 at byte %zu", valid);
    char *phonemes = kk_arena_strndup(&s->arena, text.data, text.len);
    s->utterances = kk_arena_calloc(&s->arena, 1, sizeof(*s->utterances));
    if (phonemes == NULL || s->utterances == NULL)
        return kk_fail_memory(err);
    /* A NUL or a line break inside is a space: the rest must not be lost. */
    for (size_t i = 0; i < text.len; i++) {
        if (phonemes[i] == '\0' || phonemes[i] == '\n' || phonemes[i] == '\r' ||
            phonemes[i] == '\t')
            phonemes[i] = ' ';
    }
    s->utterances[0] = (kk_utterance){phonemes, true};
    s->n_utterances = 1;
    return KOKORO_OK;
}

static int read_text(speech *s, kokoro_error *err)
{
    kk_text text;
    int status = kk_text_read(&s->arena, (kk_slice){s->request->text, s->request->text_len},
                              s->language, &text, err);
    if (status != KOKORO_OK)
        return status;
    s->utterances = kk_arena_calloc(&s->arena, text.n_sentences, sizeof(*s->utterances));
    if (s->utterances == NULL)
        return kk_fail_memory(err);
    for (size_t i = 0; i < text.n_sentences; i++) {
        kk_spoken spoken;
        status = kk_phonemize(s->engine->phonemizer, &s->arena, &text.sentences[i], s->language,
                              &spoken, err);
        if (status != KOKORO_OK)
            return status;
        for (size_t k = 0; k < spoken.n_words; k++) {
            if (spoken.words[k].source >= 0 && spoken.words[k].source < KOKORO_N_SOURCES)
                s->stats->g2p_sources[spoken.words[k].source]++;
        }
        s->utterances[i] = (kk_utterance){spoken.phonemes, text.sentences[i].ends_paragraph};
    }
    s->n_utterances = text.n_sentences;
    return KOKORO_OK;
}

/* One chunk on its way from the model to the caller. */
typedef struct delivery {
    speech *s;
    size_t index;
    kokoro_chunk_fn *fn;
    void *user;
    double away_s;   /* spent in the caller's function */
    bool holds_turn; /* at the model */
} delivery;

static void take_turn(delivery *d)
{
    const double asked_s = kk_now_s();
    kk_turn_take(&d->s->engine->turn);
    d->holds_turn = true;
    d->s->stats->wait_ms += 1e3 * (kk_now_s() - asked_s);
}

static void pass_turn(delivery *d)
{
    d->holds_turn = false;
    kk_turn_pass(&d->s->engine->turn);
}

/* A slow listener to pieces holds up nobody: meanwhile the others have the model. */
static int give(delivery *d, const kokoro_chunk *chunk)
{
    const bool lends = d->holds_turn && d->s->engine->model->info.is_concurrent;
    if (lends)
        pass_turn(d);
    const int stop = d->fn(d->user, chunk);
    if (lends && stop == 0 && !chunk->ends_chunk)
        take_turn(d);
    return stop;
}

/* A piece of a chunk, or all of it, joined to its neighbours and given to the caller. */
static int deliver(void *context, const float *samples, size_t n_samples, bool is_first,
                   bool is_last, const kk_pcm *whole)
{
    delivery *d = context;
    speech *s = d->s;
    const kk_chunk *chunks = s->chunks.items;
    const bool before = is_first && d->index > 0, after = is_last && d->index + 1 < s->chunks.n;
    const kk_seam seam = {.before = before,
                          .after = after,
                          .cut_before = before && !chunks[d->index - 1].ends_sentence,
                          .cut_after = after && !chunks[d->index].ends_sentence};
    size_t start = 0, n = 0;
    kk_audio_join(whole->samples + (samples - whole->samples), n_samples, seam, &start, &n);
    const double begin_s = kk_now_s();
    if (d->index == 0 && is_first)
        s->stats->first_audio_ms = 1e3 * (begin_s - s->start_s);
    s->stats->audio_s += (double)n / KOKORO_SAMPLE_RATE_HZ;
    if (is_last) {
        s->stats->n_phonemes += chunks[d->index].n_phonemes;
        s->stats->n_chunks++;
    }
    const kokoro_chunk out = {.samples = samples + start,
                              .n_samples = n,
                              .durations = whole->durations,
                              .n_durations = whole->n_durations,
                              .index = d->index,
                              .n_chunks = s->chunks.n,
                              .n_total = s->chunks.n == 1 ? whole->n_samples : 0,
                              .begins_chunk = is_first,
                              .ends_chunk = is_last};
    int stop = give(d, &out);
    d->away_s += kk_now_s() - begin_s;
    return stop;
}

/* Run the model on a chunk when it is this request's turn; with pieces they go out meanwhile. */
static int infer(delivery *d, kk_arena *arena, const kk_chunk *chunk, kk_pcm *pcm,
                 kokoro_error *err)
{
    float style[KK_STYLE_SIZE];
    speech *s = d->s;
    kk_model *model = s->engine->model;
    const kk_infer_control control = {.cancelled = s->request->cancelled,
                                      .cancelled_user = s->request->cancelled_user,
                                      .piece = s->request->pieces ? deliver : NULL,
                                      .piece_user = d,
                                      .n_threads = &s->engine->turn.n_each};
    kk_blend_style(s->engine->voices, &s->voice, chunk->n_phonemes, style);
    take_turn(d);
    const double start_s = kk_now_s();
    int status = model->provider->infer(model, arena, chunk->ids, chunk->n_phonemes + 2, style,
                                        (float)s->request->speed, &control, pcm, err);
    s->stats->model_ms += 1e3 * (kk_now_s() - start_s - d->away_s);
    if (d->holds_turn)
        pass_turn(d);
    return status;
}

static int speak_chunk(speech *s, size_t index, kokoro_chunk_fn *fn, void *user, kokoro_error *err)
{
    kk_arena arena = KK_ARENA_INIT; /* of this chunk, so that a long text needs no more memory than
                                       a short one */
    delivery d = {.s = s, .index = index, .fn = fn, .user = user};
    kk_pcm pcm;
    int status = infer(&d, &arena, &s->chunks.items[index], &pcm, err);
    if (status == KOKORO_OK && !s->request->pieces &&
        deliver(&d, pcm.samples, pcm.n_samples, true, true, &pcm) != 0)
        status = kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
    kk_arena_fini(&arena);
    return status;
}
