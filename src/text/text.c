/*
 * text.c - the stage as a whole: fold, scan, normalise, and cut into sentences.
 *
 * A sentence ends behind . ! ? or an ellipsis, with the quotes and brackets that close there, where
 * white space follows and what comes next does not begin in lower case; and at a blank line.
 */
#include "text/text.h"

#include "base/status.h"
#include "text/normalise.h"

#include <string.h>

static bool is_token(const kk_draft *draft, const char *text)
{
    return draft->token.kind == KK_TOKEN_PUNCT &&
           kk_slice_equal(draft->token.text, kk_slice_of(text));
}

static bool is_final(const kk_draft *draft)
{
    return is_token(draft, ".") || is_token(draft, "!") || is_token(draft, "?") ||
           is_token(draft, "\xE2\x80\xA6");
}

static bool is_closing(const kk_draft *draft)
{
    return is_token(draft, ")") || is_token(draft, "\xE2\x80\x9D");
}

static bool starts_lower(const kk_draft *draft)
{
    char c = draft->token.text.len > 0 ? draft->token.text.data[0] : '\0';
    return draft->token.kind == KK_TOKEN_WORD && c >= 'a' && c <= 'z' &&
           (draft->token.flags & KK_TOKEN_NUMBER) == 0;
}

/* Whether what begins here is a sentence's start for certain; behind an abbreviation a capital may
 * as well be a name's (in the U.S. Congress). */
static bool starts_for_certain(const kk_drafts *drafts, size_t i)
{
    while (i < drafts->n && drafts->items[i].token.kind == KK_TOKEN_PUNCT &&
           (is_token(&drafts->items[i], "(") || is_token(&drafts->items[i], "\xE2\x80\x9C")))
        i++;
    return i < drafts->n && drafts->items[i].token.kind == KK_TOKEN_WORD &&
           kk_starts_sentence(drafts->items[i].token.text);
}

/* Index of the first draft after the sentence that starts at `start`. With `is_last_whole` false
 * the last draft may be the beginning of a word, of which only its first letter is sure. */
static size_t sentence_end(const kk_drafts *drafts, size_t start, bool is_last_whole)
{
    for (size_t i = start; i < drafts->n; i++) {
        const kk_draft *draft = &drafts->items[i];
        if (draft->breaks)
            return i + 1;
        bool is_end = is_final(draft) || (draft->abbreviation_end && !draft->title);
        if (!is_end)
            continue;
        size_t next = i + 1;
        while (next < drafts->n &&
               (is_final(&drafts->items[next]) || is_closing(&drafts->items[next])) &&
               !drafts->items[next - 1].token.space_after && !drafts->items[next - 1].breaks)
            next++;
        if (drafts->items[next - 1].breaks)
            return next;
        if (next < drafts->n && drafts->items[next - 1].token.space_after &&
            !starts_lower(&drafts->items[next]) &&
            (!draft->abbreviation_end ||
             ((is_last_whole || next + 1 < drafts->n) && starts_for_certain(drafts, next))))
            return next;
        i = next - 1;
    }
    return drafts->n;
}

static bool has_word(const kk_draft *drafts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (drafts[i].token.kind == KK_TOKEN_WORD)
            return true;
    }
    return false;
}

/* Whether a full stop is owed: the sentence ended in the dot of an abbreviation. */
static bool owes_stop(const kk_draft *drafts, size_t n)
{
    return n > 0 && drafts[n - 1].abbreviation_end;
}

static int add_sentence(kk_arena *arena, const kk_draft *drafts, size_t n, kk_text *out,
                        size_t *capacity, kokoro_error *err)
{
    kk_sentence *items = kk_arena_grow(arena, out->sentences, out->n_sentences,
                                       out->n_sentences + 1, sizeof(*items), capacity);
    kk_text_token *tokens = kk_arena_calloc(arena, n + 1, sizeof(*tokens));
    if (items == NULL || tokens == NULL)
        return kk_fail_memory(err);
    out->sentences = items;
    for (size_t i = 0; i < n; i++)
        tokens[i] = drafts[i].token;
    size_t n_tokens = n;
    if (owes_stop(drafts, n)) {
        tokens[n - 1].space_after = false;
        tokens[n] = (kk_text_token){.kind = KK_TOKEN_PUNCT,
                                    .text = KK_SLICE("."),
                                    .offset = tokens[n - 1].offset + tokens[n - 1].len,
                                    .space_after = true};
        n_tokens++;
    }
    const kk_text_token *last = &drafts[n - 1].token;
    items[out->n_sentences++] = (kk_sentence){.tokens = tokens,
                                              .n_tokens = n_tokens,
                                              .offset = tokens[0].offset,
                                              .len = last->offset + last->len - tokens[0].offset,
                                              .ends_paragraph = drafts[n - 1].breaks};
    return KOKORO_OK;
}

/* Fold, scan and normalise. */
static int make_drafts(kk_arena *arena, kk_slice text, enum kk_language language, kk_drafts *out,
                       kokoro_error *err)
{
    kk_folded folded;
    kk_pieces pieces;
    *out = (kk_drafts){.arena = arena};
    int status = kk_fold(arena, text, &folded, err);
    if (status == KOKORO_OK)
        status = kk_scan(arena, &folded, &pieces, err);
    if (status != KOKORO_OK)
        return status;
    kk_normalise(out, &pieces, language);
    return out->failed ? kk_fail_memory(err) : KOKORO_OK;
}

int kk_text_read(kk_arena *arena, kk_slice text, enum kk_language language, kk_text *out,
                 kokoro_error *err)
{
    *out = (kk_text){NULL, 0};
    kk_drafts drafts;
    int status = make_drafts(arena, text, language, &drafts, err);
    if (status != KOKORO_OK)
        return status;
    size_t capacity = 0;
    for (size_t start = 0; start < drafts.n && status == KOKORO_OK;) {
        size_t end = sentence_end(&drafts, start, true);
        if (has_word(drafts.items + start, end - start))
            status = add_sentence(arena, drafts.items + start, end - start, out, &capacity, err);
        start = end;
    }
    return status;
}

/* Bytes of the original from the first draft's to the last one's. */
static size_t span_len(const kk_draft *drafts, size_t n)
{
    const kk_text_token *last = &drafts[n - 1].token;
    return last->offset + last->len - drafts[0].token.offset;
}

int kk_text_first_end(kk_arena *arena, kk_slice text, bool is_last_whole, size_t min_len,
                      size_t *out, kokoro_error *err)
{
    kk_drafts drafts;
    *out = 0;
    int status = make_drafts(arena, text, KK_LANG_EN_US, &drafts, err);
    if (status != KOKORO_OK)
        return status;
    for (size_t start = 0; start < drafts.n && *out == 0;) {
        size_t end = sentence_end(&drafts, start, is_last_whole);
        if (end < drafts.n && has_word(drafts.items, end) && span_len(drafts.items, end) >= min_len)
            *out = drafts.items[end].token.offset;
        start = end;
    }
    return KOKORO_OK;
}

int kk_text_may_end(kk_arena *arena, kk_slice text, bool *out, kokoro_error *err)
{
    kk_drafts drafts;
    *out = false;
    int status = make_drafts(arena, text, KK_LANG_EN_US, &drafts, err);
    if (status != KOKORO_OK)
        return status;
    size_t last = drafts.n;
    while (last > 0 && is_closing(&drafts.items[last - 1]))
        last--;
    if (last > 0) {
        const kk_draft *draft = &drafts.items[last - 1];
        *out = is_final(draft) || (draft->abbreviation_end && !draft->title);
    }
    return KOKORO_OK;
}
