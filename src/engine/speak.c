/*
 * speak.c - how text becomes sound. Read this file first: the stages in their order.
 *
 *     text -> sentences -> phonemes -> chunks of ids -> style + model -> pcm -> the caller
 */
#include "base/clock.h"
#include "base/status.h"
#include "base/utf8.h"
#include "engine/speech.h"

#include <string.h>

static int check_request(kk_speech *s, kokoro_error *err);
static int read_phonemes(kk_speech *s, kokoro_error *err);
static int read_text(kk_speech *s, kokoro_error *err);
static int check_pauses(const kk_speech *s, kokoro_error *err);

int kokoro_speak(kokoro_engine *engine, const kokoro_request *request, kokoro_chunk_fn *fn,
                 void *user, kokoro_stats *stats, kokoro_error *err)
{
    kokoro_stats unused;
    kk_speech s = {.engine = engine,
                   .request = request,
                   .fn = fn,
                   .user = user,
                   .stats = stats != NULL ? stats : &unused,
                   .arena = KK_ARENA_INIT,
                   .start_s = kk_now_s()};
    memset(s.stats, 0, sizeof(*s.stats));

    int status = check_request(&s, err);
    if (status == KOKORO_OK)
        status = request->is_phonemes ? read_phonemes(&s, err) : read_text(&s, err);
    if (status == KOKORO_OK)
        status = kk_chunks_make(&s.arena, s.utterances, s.n_utterances,
                                kk_chunk_limit(request->speed), &s.chunks, err);
    s.stats->g2p_ms = 1e3 * (kk_now_s() - s.start_s);
    s.stats->unknown_symbols = s.chunks.unknown_symbols;
    if (status == KOKORO_OK && s.chunks.n == 0)
        status = kk_fail(err, KOKORO_NO_SPEECH, "the text holds no word that can be spoken");
    if (status == KOKORO_OK)
        status = check_pauses(&s, err);
    if (status == KOKORO_OK && request->accepted != NULL)
        request->accepted(request->accepted_user);
    for (size_t i = 0; i < s.chunks.n && status == KOKORO_OK; i++) {
        status = kk_speak_chunk(&s, i, err);
        if (status == KOKORO_OK)
            status = kk_speak_pause(&s, i, err);
    }

    if (status == KOKORO_OK)
        kk_choice_used(&engine->choice, &engine->log);
    kk_arena_fini(&s.arena);
    return status;
}

void kokoro_request_init(kokoro_request *request)
{
    *request = (kokoro_request){.struct_size = sizeof(*request), .speed = 1.0};
}

static int check_request(kk_speech *s, kokoro_error *err)
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
    if (!(request->sentence_pause_s >= 0.0 && request->sentence_pause_s <= KOKORO_PAUSE_MAX_S &&
          request->paragraph_pause_s >= 0.0 && request->paragraph_pause_s <= KOKORO_PAUSE_MAX_S))
        return kk_fail(err, KOKORO_INVALID, "pauses must be 0 to %g seconds", KOKORO_PAUSE_MAX_S);
    if (!(request->first_sound_within_s >= 0.0 && request->buffered_s >= 0.0))
        return kk_fail(err, KOKORO_INVALID,
                       "first_sound_within_s and buffered_s must be seconds, 0 or more");
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
    kk_speech s = {.engine = engine, .request = request};
    return check_request(&s, err);
}

/* The request's text is phonemes already: one utterance, checked and copied to end in NUL. */
static int read_phonemes(kk_speech *s, kokoro_error *err)
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
    s->utterances[0] = (kk_utterance){.phonemes = phonemes, .ends_paragraph = true};
    s->n_utterances = 1;
    return KOKORO_OK;
}

static int read_text(kk_speech *s, kokoro_error *err)
{
    kk_text text;
    int status = kk_text_read(&s->arena, (kk_slice){s->request->text, s->request->text_len},
                              s->language, &text, err);
    if (status != KOKORO_OK)
        return status;
    const kk_phonemize_watch watch = {s->request->cancelled, s->request->cancelled_user};
    s->utterances = kk_arena_calloc(&s->arena, text.n_sentences, sizeof(*s->utterances));
    if (s->utterances == NULL)
        return kk_fail_memory(err);
    for (size_t i = 0; i < text.n_sentences; i++) {
        kk_spoken spoken;
        status = kk_phonemize(s->engine->phonemizer, &s->arena, &text.sentences[i], s->language,
                              &watch, &spoken, err);
        if (status != KOKORO_OK)
            return status;
        for (size_t k = 0; k < spoken.n_words; k++) {
            if (spoken.words[k].source >= 0 && spoken.words[k].source < KOKORO_N_SOURCES)
                s->stats->g2p_sources[spoken.words[k].source]++;
        }
        if (s->request->wants_words &&
            kk_words_add(&s->words, &s->arena, &spoken, err) != KOKORO_OK)
            return KOKORO_NO_MEMORY;
        s->utterances[i] = (kk_utterance){.phonemes = spoken.phonemes,
                                          .ends_paragraph = text.sentences[i].ends_paragraph,
                                          .is_apart = s->request->sentence_pause_s > 0.0};
    }
    s->n_utterances = text.n_sentences;
    return KOKORO_OK;
}

/* How many there are is known when the text is read. */
static int check_pauses(const kk_speech *s, kokoro_error *err)
{
    const double max_s = s->request->pauses_max_s;
    double sum_s = 0.0;
    for (size_t i = 0; i < s->chunks.n; i++)
        sum_s += kk_pause_s(s, i);
    s->stats->pauses_s = sum_s;
    if (max_s <= 0.0 || sum_s <= max_s)
        return KOKORO_OK;
    return kk_fail(err, KOKORO_PAUSES,
                   "the pauses between sentences and paragraphs of this text are %.0f seconds in "
                   "all, over the limit of %g; make them shorter, or send the text in parts",
                   sum_s, max_s);
}
