/* Any bytes as text: read, or refused as no UTF-8; what was read is spoken without a lexicon, and
 * spans stay inside. */
#include "fuzz.h"

#include "phoneme/phoneme.h"
#include "token/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static kk_phonemizer *phonemizer;
    const kk_phonemizer_options options = {.lexicon_path = NULL};
    if (phonemizer == NULL && kk_phonemizer_open(&phonemizer, &options, NULL) != KOKORO_OK)
        abort();
    kk_arena arena = KK_ARENA_INIT;
    kk_text text;
    enum kk_language language = size % 2 == 0 ? KK_LANG_EN_US : KK_LANG_EN_GB;
    int status = kk_text_read(&arena, (kk_slice){(const char *)data, size}, language, &text, NULL);
    if (status != KOKORO_OK && status != KOKORO_BAD_TEXT)
        abort();
    for (size_t i = 0; status == KOKORO_OK && i < text.n_sentences; i++) {
        const kk_sentence *sentence = &text.sentences[i];
        kk_spoken spoken;
        if (kk_phonemize(phonemizer, &arena, sentence, language, NULL, &spoken, NULL) != KOKORO_OK)
            abort();
        for (size_t k = 0; k < sentence->n_tokens; k++) {
            if (sentence->tokens[k].offset + sentence->tokens[k].len > size)
                abort();
        }
        const kk_utterance utterance = {spoken.phonemes, sentence->ends_paragraph, false};
        kk_chunks chunks;
        if (kk_chunks_make(&arena, &utterance, 1, KOKORO_MAX_PHONEMES, &chunks, NULL) != KOKORO_OK)
            abort();
    }
    kk_arena_fini(&arena);
    return 0;
}
