/*
 * phonemes.c - the first half of the pipeline alone: text to phonemes, with the source of every
 * word.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "engine/engine.h"

#include "text/text.h"

#include <string.h>

/* What a kokoro_phonemes hands out; the arena owns every string and the words. */
typedef struct owner {
    kokoro_phonemes public;
    kk_arena arena;
} owner;

static int add_words(owner *o, const kk_spoken *spoken, size_t *capacity, kokoro_error *err)
{
    for (size_t i = 0; i < spoken->n_words; i++) {
        const kk_spoken_word *word = &spoken->words[i];
        if (word->source < 0)
            continue;
        kokoro_word *words = kk_arena_grow(&o->arena, o->public.words, o->public.n_words,
                                           o->public.n_words + 1, sizeof(*words), capacity);
        char *text = kk_arena_strndup(&o->arena, word->token->text.data, word->token->text.len);
        if (words == NULL || text == NULL)
            return kk_fail_memory(err);
        o->public.words = words;
        words[o->public.n_words++] = (kokoro_word){.offset = word->token->offset,
                                                   .len = word->token->len,
                                                   .text = text,
                                                   .phonemes = word->phonemes,
                                                   .source = word->source};
    }
    return KOKORO_OK;
}

static int fill(kokoro_engine *engine, owner *o, kk_slice source, enum kk_language language,
                kokoro_error *err)
{
    kk_text text;
    kk_buf all = KK_BUF_INIT;
    size_t capacity = 0;
    int status = kk_text_read(&o->arena, source, language, &text, err);
    for (size_t i = 0; status == KOKORO_OK && i < text.n_sentences; i++) {
        kk_spoken spoken;
        status = kk_phonemize(engine->phonemizer, &o->arena, &text.sentences[i], language, NULL,
                              &spoken, err);
        if (status != KOKORO_OK)
            break;
        kk_buf_appendf(&all, "%s%s", i > 0 ? " " : "", spoken.phonemes);
        status = add_words(o, &spoken, &capacity, err);
    }
    if (status == KOKORO_OK) {
        o->public.text = all.failed ? NULL : kk_arena_strdup(&o->arena, kk_buf_str(&all));
        if (o->public.text == NULL)
            status = kk_fail_memory(err);
    }
    kk_buf_fini(&all);
    return status;
}

int kokoro_phonemize(kokoro_engine *engine, const char *text, size_t text_len, const char *language,
                     kokoro_phonemes **out, kokoro_error *err)
{
    *out = NULL;
    enum kk_language parsed = KK_LANG_EN_US;
    if (language != NULL && language[0] != '\0') {
        int status = kk_language_parse(language, &parsed, err);
        if (status != KOKORO_OK)
            return status;
    }
    owner *o = kk_calloc(1, sizeof(*o));
    if (o == NULL)
        return kk_fail_memory(err);
    o->public.owner = o;
    *out = &o->public;
    int status = fill(engine, o, (kk_slice){text, text_len}, parsed, err);
    if (status != KOKORO_OK)
        kokoro_phonemes_free(out);
    return status;
}

void kokoro_phonemes_free(kokoro_phonemes **phonemes)
{
    if (phonemes == NULL || *phonemes == NULL)
        return;
    owner *o = (*phonemes)->owner;
    kk_arena_fini(&o->arena);
    kk_free(o);
    *phonemes = NULL;
}
