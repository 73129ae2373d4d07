/*
 * clauses.c - the front of the pipeline for text that arrives in pieces: bytes in, clauses out.
 *
 * The text is walked character by character. What a sentence's end is, the splitter of whole texts
 * knows (text.h); it is asked only where its answer can change, behind a mark and white space:
 *
 *     Hello there.␣H     the first letter: a capital, so a sentence has ended
 *     in the U.S.␣Co…␣   the whole word, because a capital may as well be a name's
 *
 * Every decision is taken at one character with only the text before it in view, whether or not
 * more is there: so it does not depend on how the text was cut.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"
#include "text/scan.h"
#include "text/text.h"

#include <string.h>

enum {
    /* A shorter sentence ("Yes.") goes with the next: the model speaks single words unnaturally. */
    MIN_SENTENCE = 10,
    /* The first clause may end inside its sentence from here on: some six words, 1.5 s. */
    MIN_FIRST = 24,
    /* The longest in characters: from the first on at a comma, from the second at a space, from the
     * third anywhere. The model takes some 400 at once. */
    MAX_TO_MARK = 240,
    MAX_TO_SPACE = 360,
    MAX_CHARS = 480
};

struct kokoro_clauses {
    kk_buf text;
    size_t begin;    /* of the clause that is coming in; what lies before it has gone out */
    size_t at;       /* the next character to look at */
    size_t n_chars;  /* of the clause, from its first that is no white space */
    uint32_t before; /* the character before `at`; 0 at the start of a clause */
    bool is_first;   /* no clause went out yet */
    bool has_mark;   /* the word before `at` ends in a mark that may end a sentence */
    bool has_stop;   /* such a mark with white space behind it is in the clause */
};

/* One walk over what has come. */
typedef struct walk {
    kokoro_clauses *clauses;
    kokoro_clause_fn *fn;
    void *user;
    kokoro_error *err;
} walk;

/* A CR alone is too rare to look for the LF behind it, which is the end of the line. */
static bool is_break(uint32_t c)
{
    return kk_is_line_break(c) && c != '\r';
}

/* . ! ? and the ellipsis, also in full width. */
static bool is_stop(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x22EF || c == 0x3002 ||
           c == 0xFF01 || c == 0xFF0E || c == 0xFF1F || c == 0xFF61;
}

/* Behind which a long sentence may be cut, where white space follows. */
static bool is_comma(uint32_t c)
{
    return c == ',' || c == ';' || c == ':' || c == '-' || c == 0x2013 || c == 0x2014 ||
           c == 0x3001 || c == 0xFF0C || c == 0xFF1A || c == 0xFF1B;
}

int kokoro_clauses_open(kokoro_clauses **out, kokoro_error *err)
{
    *out = kk_calloc(1, sizeof(**out));
    if (*out == NULL)
        return kk_fail_memory(err);
    (*out)->is_first = true;
    return KOKORO_OK;
}

void kokoro_clauses_close(kokoro_clauses **clauses)
{
    if (clauses == NULL || *clauses == NULL)
        return;
    kk_buf_fini(&(*clauses)->text);
    kk_free(*clauses);
    *clauses = NULL;
}

/* Give the clause's first `len` bytes out and begin the next with what is left. */
static int give(const walk *w, size_t len, bool is_cut)
{
    kokoro_clauses *c = w->clauses;
    const char *text = c->text.data + c->begin;
    c->begin += len;
    c->at = c->begin;
    c->n_chars = 0;
    c->before = 0;
    c->is_first = c->has_mark = c->has_stop = false;
    if (w->fn(w->user, text, len, is_cut) != 0)
        return kk_fail(w->err, KOKORO_CANCELLED, "cancelled by the caller");
    return KOKORO_OK;
}

/* Whether the sentence at the front has ended, of which is known what lies before `at`. */
static int try_sentence(const walk *w, bool is_last_whole)
{
    kokoro_clauses *c = w->clauses;
    kk_arena arena = KK_ARENA_INIT;
    const kk_slice text = {c->text.data + c->begin, c->at - c->begin};
    size_t end = 0;
    int status = kk_text_first_end(&arena, text, is_last_whole, MIN_SENTENCE, &end, w->err);
    kk_arena_fini(&arena);
    if (status == KOKORO_BAD_TEXT) /* who speaks it says so */
        return KOKORO_OK;
    return status == KOKORO_OK && end > 0 ? give(w, end, false) : status;
}

/* White space at the end of a word. */
static int end_word(const walk *w, uint32_t before)
{
    kokoro_clauses *c = w->clauses;
    const size_t limit = c->is_first ? MIN_FIRST : MAX_TO_MARK;
    size_t begin = c->begin;
    int status = c->has_stop ? try_sentence(w, true) : KOKORO_OK;
    if (status != KOKORO_OK || c->begin != begin)
        return status;
    c->has_stop |= c->has_mark;
    c->has_mark = false;
    if ((is_comma(before) && c->n_chars >= limit) || c->n_chars >= MAX_TO_SPACE)
        return give(w, c->at - c->begin, true);
    return KOKORO_OK;
}

/* The character `c`, which ends at clauses->at. */
static int look_at(const walk *w, uint32_t c)
{
    kokoro_clauses *clauses = w->clauses;
    const uint32_t before = clauses->before;
    clauses->before = c;
    clauses->n_chars += clauses->n_chars > 0 || !kk_is_white_space(c);
    if (is_break(c) && clauses->n_chars > MIN_SENTENCE)
        return give(w, clauses->at - clauses->begin, false);
    if (kk_is_white_space(c))
        return before != 0 && !kk_is_white_space(before) ? end_word(w, before) : KOKORO_OK;
    /* Quotes and brackets that close behind the mark belong to it. */
    clauses->has_mark = is_stop(c) || (clauses->has_mark && !kk_is_letter(c) && !kk_is_digit(c));
    if (clauses->has_stop && (kk_is_white_space(before) || !kk_is_letter(before)))
        return try_sentence(w, false);
    if (c == 0x2014 && clauses->n_chars >= (clauses->is_first ? MIN_FIRST : MAX_TO_MARK))
        return give(w, clauses->at - clauses->begin, true);
    return clauses->n_chars >= MAX_CHARS ? give(w, clauses->at - clauses->begin, true) : KOKORO_OK;
}

/* The length of the character that begins with this byte, by it alone. */
static size_t length_of(unsigned char first)
{
    if (first < 0xC2 || first > 0xF4)
        return 1;
    return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* The next character whole; false when it has not come whole yet. */
static bool take_char(kokoro_clauses *c, uint32_t *out)
{
    const kk_slice rest = {c->text.data + c->at, c->text.len - c->at};
    if (rest.len == 0)
        return false;
    size_t want = length_of((unsigned char)rest.data[0]), len = 1;
    while (len < want && len < rest.len && ((unsigned char)rest.data[len] & 0xC0) == 0x80)
        len++;
    if (len < want && len == rest.len)
        return false;
    (void)kk_utf8_decode((kk_slice){rest.data, len}, out);
    c->at += len;
    return true;
}

/* Drop what has gone out. */
static void forget(kokoro_clauses *c)
{
    if (c->begin == 0)
        return;
    c->text.len -= c->begin;
    c->at -= c->begin;
    memmove(c->text.data, c->text.data + c->begin, c->text.len);
    c->text.data[c->text.len] = '\0';
    c->begin = 0;
}

int kokoro_clauses_add(kokoro_clauses *clauses, const char *text, size_t text_len,
                       kokoro_clause_fn *fn, void *user, kokoro_error *err)
{
    const walk w = {clauses, fn, user, err};
    uint32_t c;
    int status = KOKORO_OK;
    kk_buf_append(&clauses->text, text, text_len);
    if (clauses->text.failed)
        return kk_fail_memory(err);
    while (status == KOKORO_OK && take_char(clauses, &c))
        status = look_at(&w, c);
    forget(clauses);
    return status;
}

static bool is_blank(kk_slice text)
{
    return kk_slice_trim(text).len == 0;
}

/* How many bytes of the clause may go out now. */
static int flush_len(kokoro_clauses *c, int kind, size_t *len, kokoro_error *err)
{
    const kk_slice text = {c->text.data + c->begin, c->text.len - c->begin};
    kk_arena arena = KK_ARENA_INIT;
    bool may_end = false;
    int status = KOKORO_OK;
    *len = text.len;
    if (kind == KOKORO_FLUSH_ALL || is_blank(text))
        return KOKORO_OK;
    if (kind == KOKORO_FLUSH_WORDS) {
        while (*len > 0 && strchr(" \t\r\n", text.data[*len - 1]) == NULL)
            --*len;
        if (is_blank((kk_slice){text.data, *len}))
            *len = 0;
        return KOKORO_OK;
    }
    status = kk_text_may_end(&arena, text, &may_end, err);
    kk_arena_fini(&arena);
    /* "3." may be on its way to 3.14. */
    if (text.len > 1 && text.data[text.len - 1] == '.' &&
        kk_is_digit((unsigned char)text.data[text.len - 2]))
        may_end = false;
    if (!may_end && text.data[text.len - 1] != '\n')
        *len = 0;
    return status == KOKORO_BAD_TEXT ? KOKORO_OK : status;
}

int kokoro_clauses_flush(kokoro_clauses *clauses, int kind, kokoro_clause_fn *fn, void *user,
                         kokoro_error *err)
{
    const walk w = {clauses, fn, user, err};
    size_t len = 0;
    if (clauses->text.len == clauses->begin)
        return KOKORO_OK;
    int status = flush_len(clauses, kind, &len, err);
    if (status == KOKORO_OK && len > 0 &&
        (kind == KOKORO_FLUSH_ALL || !is_blank((kk_slice){clauses->text.data, len})))
        status = give(&w, len, kind == KOKORO_FLUSH_WORDS);
    forget(clauses);
    return status;
}
