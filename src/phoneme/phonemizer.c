/*
 * phonemizer.c - the stage as a whole: tags, then words from right to left, then the string the
 * model reads.
 */
#include "phoneme/phoneme.h"

#include "base/alloc.h"
#include "base/status.h"
#include "phoneme/compound.h"
#include "phoneme/english.h"
#include "phoneme/espeak.h"
#include "phoneme/lexicon.h"
#include "phoneme/tagger.h"

#include <string.h>

struct kk_phonemizer {
    kk_lexicon *lexicon; /* NULL: none */
    kk_espeak *espeak;
};

int kk_phonemizer_open(kk_phonemizer **out, const kk_phonemizer_options *options, kokoro_error *err)
{
    *out = NULL;
    kk_phonemizer *phonemizer = kk_calloc(1, sizeof(*phonemizer));
    if (phonemizer == NULL)
        return kk_fail_memory(err);
    int status = kk_espeak_open(&phonemizer->espeak, options->espeak_helper, options->log, err);
    if (status == KOKORO_OK && options->lexicon_path != NULL && options->lexicon_path[0] != '\0')
        status =
            kk_lexicon_open(&phonemizer->lexicon, options->lexicon_path, options->known_files, err);
    if (status != KOKORO_OK)
        kk_phonemizer_close(&phonemizer);
    *out = phonemizer;
    return status;
}

void kk_phonemizer_close(kk_phonemizer **phonemizer_ptr)
{
    kk_phonemizer *phonemizer = *phonemizer_ptr;
    if (phonemizer == NULL)
        return;
    kk_lexicon_close(&phonemizer->lexicon);
    kk_espeak_close(&phonemizer->espeak);
    kk_free(phonemizer);
    *phonemizer_ptr = NULL;
}

void kk_phonemizer_list_measures(const kk_phonemizer *phonemizer, kokoro_measure_fn *fn, void *user)
{
    const bool has_lexicon = phonemizer->lexicon != NULL;
    const bool has_helper = kk_espeak_has_program(phonemizer->espeak);
    static const char no_lexicon[] = "there is no lexicon", no_helper[] = "there is no helper";
    const kokoro_measure measures[] = {
        {"lexicon_case", "misaki lexicon", has_lexicon,
         has_lexicon ? "a word that stands in it in lower case is also found capitalised, and the "
                       "other way round"
                     : no_lexicon,
         ""},
        {"lexicon_gold_first", "misaki lexicon", has_lexicon,
         has_lexicon ? "where both halves of it have a word, the one checked by hand is read"
                     : no_lexicon,
         ""},
        {"espeak_process", "espeak-ng", has_helper,
         has_helper ? "it may crash and keeps its state in globals: it runs in a process of its "
                      "own, which is started again when it dies"
                    : no_helper,
         ""},
        {"espeak_symbols", "espeak-ng", has_helper,
         has_helper ? "its symbols become the model's, also the open o that releases before 1.52 "
                      "write as o"
                    : no_helper,
         ""},
    };
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
        fn(user, &measures[i]);
}

void kk_phonemizer_get_counts(const kk_phonemizer *phonemizer, kk_phonemizer_counts *out)
{
    kk_espeak_get_counts(phonemizer->espeak, out);
}

/* A word by the lexicon and its rules, else by the helper, else by the letters of what is unknown
 * in it. NULL only when memory is out. */
static const char *pronounce(kk_phonemizer *phonemizer, kk_english *e, const kk_text_token *token,
                             enum kk_tag tag, int *source)
{
    if ((token->flags & KK_TOKEN_SPELL) != 0 && token->text.len == 1) {
        const char *name = kk_english_letters(e, token->text);
        *source = KOKORO_SOURCE_RULE;
        if (name != NULL)
            kk_english_said(e, token->text, tag, name);
        return name;
    }
    const char *phonemes = kk_compound_word(e, token->text, tag, false, source);
    kk_slice plain;
    if (phonemes == NULL && !e->failed && kk_english_plain(e, token->text, &plain))
        phonemes = kk_compound_word(e, plain, tag, false, source);
    if (phonemes != NULL || e->failed)
        return phonemes;
    *source = KOKORO_SOURCE_ESPEAK;
    if (kk_espeak_word(phonemizer->espeak, e->arena, token->text, e->language, &phonemes) !=
        KOKORO_OK)
        return NULL;
    if (phonemes == NULL)
        return kk_compound_word(e, token->text, tag, true, source);
    kk_english_said(e, token->text, tag, phonemes);
    return phonemes;
}

/*
 * The sentence's words joined as they stood. The voices up to v1.0 know the flap as T and the
 * glottal stop as t, so those two are written that way here, at the very end.
 */
static const char *assemble(kk_arena *arena, kk_spoken *spoken)
{
    kk_buf all = KK_BUF_INIT;
    bool owes_space = false;
    for (size_t i = 0; i < spoken->n_words; i++) {
        const kk_spoken_word *word = &spoken->words[i];
        if (word->phonemes[0] != '\0') {
            if (owes_space && all.len > 0)
                kk_buf_append_char(&all, ' ');
            kk_buf_append_str(&all, word->phonemes);
            owes_space = false;
        }
        owes_space = owes_space || word->token->space_after;
    }
    const char *result = all.failed ? NULL : kk_arena_strdup(arena, kk_buf_str(&all));
    kk_buf_fini(&all);
    return result;
}

static const char *for_model(kk_arena *arena, const char *phonemes)
{
    if (strstr(phonemes, "\xC9\xBE") == NULL && strstr(phonemes, "\xCA\x94") == NULL)
        return phonemes;
    char *copy = kk_arena_strdup(arena, phonemes);
    if (copy == NULL)
        return NULL;
    char *dst = copy;
    for (const char *at = phonemes; *at != '\0';) {
        bool is_flap = strncmp(at, "\xC9\xBE", 2) == 0,
             is_glottal = strncmp(at, "\xCA\x94", 2) == 0;
        if (is_flap || is_glottal) {
            *dst++ = is_flap ? 'T' : 't';
            at += 2;
        } else {
            *dst++ = *at++;
        }
    }
    *dst = '\0';
    return copy;
}

int kk_phonemize(kk_phonemizer *phonemizer, kk_arena *arena, const kk_sentence *sentence,
                 enum kk_language language, const kk_phonemize_watch *watch, kk_spoken *out,
                 kokoro_error *err)
{
    size_t n = sentence->n_tokens;
    *out = (kk_spoken){NULL, NULL, 0};
    enum kk_tag *tags = kk_arena_calloc(arena, n, sizeof(*tags));
    out->words = kk_arena_calloc(arena, n, sizeof(*out->words));
    if (tags == NULL || out->words == NULL)
        return kk_fail_memory(err);
    kk_tag_sentence(sentence->tokens, n, tags);
    kk_english e = {.arena = arena,
                    .lexicon = phonemizer->lexicon,
                    .language = language,
                    .next = KK_NEXT_PAUSE};
    for (size_t i = n; i-- > 0;) {
        const kk_text_token *token = &sentence->tokens[i];
        kk_spoken_word *word = &out->words[i];
        if (watch != NULL && watch->cancelled != NULL && watch->cancelled(watch->user))
            return kk_fail(err, KOKORO_CANCELLED, "cancelled by the caller");
        *word = (kk_spoken_word){token, NULL, -1};
        if (token->kind == KK_TOKEN_PUNCT) {
            word->phonemes = kk_arena_strndup(arena, token->text.data, token->text.len);
            if (word->phonemes != NULL)
                kk_english_said(&e, token->text, tags[i], word->phonemes);
        } else {
            word->phonemes = pronounce(phonemizer, &e, token, tags[i], &word->source);
            if (word->phonemes != NULL)
                word->phonemes = for_model(arena, word->phonemes);
        }
        if (word->phonemes == NULL || e.failed)
            return kk_fail_memory(err);
    }
    out->n_words = n;
    out->phonemes = assemble(arena, out);
    return out->phonemes != NULL ? KOKORO_OK : kk_fail_memory(err);
}
