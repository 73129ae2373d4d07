/*
 * normalise.c - runs and marks in the order of the text: each goes to the file that reads its kind;
 * signs, Roman numerals and quotation marks are here.
 */
#include "text/normalise.h"

#include "base/utf8.h"

#include <string.h>

static kk_draft *add_draft(kk_drafts *drafts, const kk_piece *piece)
{
    kk_draft *items = kk_arena_grow(drafts->arena, drafts->items, drafts->n, drafts->n + 1,
                                    sizeof(*items), &drafts->capacity);
    if (items == NULL) {
        drafts->failed = true;
        return NULL;
    }
    drafts->items = items;
    items[drafts->n] = (kk_draft){.token = {.offset = piece->offset, .len = piece->len}};
    return &items[drafts->n++];
}

/* The white space behind the last draft is that behind the piece it comes from. */
static void finish_piece(kk_drafts *drafts, const kk_piece *piece)
{
    if (drafts->n == 0)
        return;
    kk_draft *last = &drafts->items[drafts->n - 1];
    last->token.space_after = last->token.space_after || piece->space_after;
    last->breaks = last->breaks || piece->breaks;
}

void kk_drafts_add_words(kk_drafts *drafts, const kk_piece *piece, kk_slice words, unsigned flags)
{
    words = kk_slice_trim(words);
    while (words.len > 0) {
        const char *space = memchr(words.data, ' ', words.len);
        size_t len = space != NULL ? (size_t)(space - words.data) : words.len;
        if (len > 0) {
            const char *copy = kk_arena_strndup(drafts->arena, words.data, len);
            kk_draft *draft = copy != NULL ? add_draft(drafts, piece) : NULL;
            if (draft == NULL) {
                drafts->failed = true;
                return;
            }
            draft->token.kind = KK_TOKEN_WORD;
            draft->token.text = (kk_slice){copy, len};
            draft->token.flags = flags;
            draft->token.space_after = space != NULL;
        }
        size_t step = space != NULL ? len + 1 : len;
        words = (kk_slice){words.data + step, words.len - step};
    }
    finish_piece(drafts, piece);
}

void kk_drafts_add_mark(kk_drafts *drafts, const kk_piece *piece, uint32_t mark)
{
    char bytes[4];
    size_t len = kk_utf8_encode(bytes, mark);
    const char *text = kk_arena_strndup(drafts->arena, bytes, len);
    kk_draft *draft = text != NULL ? add_draft(drafts, piece) : NULL;
    if (draft == NULL) {
        drafts->failed = true;
        return;
    }
    draft->token.kind = KK_TOKEN_PUNCT;
    draft->token.text = (kk_slice){text, len};
    finish_piece(drafts, piece);
}

static bool is_mark(const kk_pieces *pieces, size_t i, uint32_t mark)
{
    return i < pieces->n && pieces->items[i].kind == KK_PIECE_MARK && pieces->items[i].mark == mark;
}

/* A sign on its own that has a name. */
static const char *sign_name(uint32_t c)
{
    switch (c) {
    case '&':
        return "and";
    case '+':
        return "plus";
    case '=':
        return "equals";
    case '%':
        return "percent";
    case '@':
        return "at";
    case 0xD7:
        return "times";
    case 0xF7:
        return "divided by";
    case '#':
        return "hash";
    case 0xA7:
        return "section";
    case 0xB0:
        return "degrees";
    case '$':
        return "dollars";
    case 0xA3:
        return "pounds";
    case 0x20AC:
        return "euros";
    case 0xB1:
        return "plus or minus";
    case 0x2248:
        return "approximately";
    default:
        return NULL;
    }
}

/* Signs that are words only in front of a number: <5, > 3, ~20. */
static const char *number_sign_name(const kk_pieces *pieces, size_t i)
{
    bool number_follows = i + 1 < pieces->n && pieces->items[i + 1].kind == KK_PIECE_RUN &&
                          !pieces->items[i].breaks &&
                          kk_is_digit((unsigned char)pieces->items[i + 1].text.data[0]);
    if (!number_follows)
        return NULL;
    switch (pieces->items[i].mark) {
    case '<':
        return "less than";
    case '>':
        return "more than";
    case 0x2264:
        return "at most";
    case 0x2265:
        return "at least";
    case '~':
        return "about";
    default:
        return NULL;
    }
}

/* Marks that the model speaks, as it knows them; 0 for those it does not. */
static uint32_t spoken_mark(const kk_pieces *pieces, size_t i, bool *is_open)
{
    const kk_piece *piece = &pieces->items[i];
    uint32_t c = piece->mark;
    switch (c) {
    case '"': {
        bool opens = piece->space_before ? !piece->space_after || !*is_open
                                         : !*is_open && !piece->space_after;
        *is_open = opens;
        return opens ? 0x201C : 0x201D;
    }
    case 0x201C:
        *is_open = true;
        return c;
    case 0x201D:
        *is_open = false;
        return c;
    case 0x2013:
    case '-':
        return piece->space_before && piece->space_after && i > 0 ? 0x2014 : 0;
    case ';':
    case ':':
    case ',':
    case '.':
    case '!':
    case '?':
    case 0x2014:
    case 0x2026:
    case '(':
    case ')':
        return c;
    default:
        return 0;
    }
}

static bool is_final(uint32_t mark)
{
    return mark == '.' || mark == '!' || mark == '?' || mark == 0x2026;
}

static size_t read_mark(kk_drafts *drafts, const kk_pieces *pieces, size_t i, bool *quote_open)
{
    const kk_piece *piece = &pieces->items[i];
    if (piece->mark == '-' && !piece->space_after && is_mark(pieces, i + 1, '-')) {
        size_t n = 2;
        while (is_mark(pieces, i + n, '-'))
            n++;
        kk_drafts_add_mark(drafts, piece, 0x2014);
        finish_piece(drafts, &pieces->items[i + n - 1]);
        return n;
    }
    if (piece->mark == '.' && is_mark(pieces, i + 1, '.') && !piece->space_after) {
        size_t n = 2;
        while (is_mark(pieces, i + n, '.') && !pieces->items[i + n - 1].space_after)
            n++;
        /* Three single dots, not the one sign for them: that is how the voices met an ellipsis
         * written so. */
        for (size_t k = 0; k < 3 && k < n; k++)
            kk_drafts_add_mark(drafts, &pieces->items[i + k], '.');
        finish_piece(drafts, &pieces->items[i + n - 1]);
        return n;
    }
    uint32_t mark = spoken_mark(pieces, i, quote_open);
    const char *name = mark == 0 ? sign_name(piece->mark) : NULL;
    if (mark == 0 && name == NULL)
        name = number_sign_name(pieces, i);
    if (mark != 0) {
        kk_drafts_add_mark(drafts, piece, mark);
        /* "He left.She stayed.": the space is owed. */
        if (is_final(mark) && i + 1 < pieces->n && pieces->items[i + 1].kind == KK_PIECE_RUN &&
            kk_slice_is_capital(pieces->items[i + 1].text) && !drafts->failed)
            drafts->items[drafts->n - 1].token.space_after = true;
    } else if (name != NULL) {
        /* A sign between words stands alone: a+b is three words. */
        if (drafts->n > 0)
            drafts->items[drafts->n - 1].token.space_after = true;
        kk_drafts_add_words(drafts, piece, kk_slice_of(name), 0);
        if (drafts->n > 0)
            drafts->items[drafts->n - 1].token.space_after = true;
    } else if (drafts->n > 0) {
        /* A mark that is not spoken parts words all the same: and/or, [sic]. */
        drafts->items[drafts->n - 1].token.space_after = true;
        finish_piece(drafts, piece);
    }
    return 1;
}

static bool has_digit(kk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (kk_is_digit((unsigned char)text.data[i]))
            return true;
    }
    return false;
}

/* II to XX behind a capitalised word: "World War II", "Henry VIII". */
static bool read_roman(kk_drafts *drafts, const kk_piece *piece)
{
    static const struct {
        const char *written, *cardinal, *ordinal;
    } rows[] = {{"II", "two", "second"},
                {"III", "three", "third"},
                {"IV", "four", "fourth"},
                {"VI", "six", "sixth"},
                {"VII", "seven", "seventh"},
                {"VIII", "eight", "eighth"},
                {"IX", "nine", "ninth"},
                {"XI", "eleven", "eleventh"},
                {"XII", "twelve", "twelfth"},
                {"XIII", "thirteen", "thirteenth"},
                {"XIV", "fourteen", "fourteenth"},
                {"XV", "fifteen", "fifteenth"},
                {"XVI", "sixteen", "sixteenth"},
                {"XVII", "seventeen", "seventeenth"},
                {"XVIII", "eighteen", "eighteenth"},
                {"XIX", "nineteen", "nineteenth"},
                {"XX", "twenty", "twentieth"}};
    static const char *const counted[] = {
        "war",     "chapter", "part",    "volume", "book",    "act",   "scene",
        "type",    "phase",   "section", "class",  "article", "level", "grade",
        "episode", "season",  "title",   "figure", "table",   "stage", "mark"};
    if (drafts->n == 0 || drafts->items[drafts->n - 1].breaks)
        return false;
    const kk_text_token *before = &drafts->items[drafts->n - 1].token;
    if (before->kind != KK_TOKEN_WORD || !kk_slice_is_capital(before->text) ||
        before->text.len < 2 || kk_slice_is_capital((kk_slice){before->text.data + 1, 1}))
        return false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!kk_slice_equal(piece->text, kk_slice_of(rows[i].written)))
            continue;
        bool is_counted = false;
        for (size_t k = 0; k < sizeof(counted) / sizeof(counted[0]) && !is_counted; k++)
            is_counted = kk_slice_equal_nocase(before->text, kk_slice_of(counted[k]));
        kk_buf words = KK_BUF_INIT;
        kk_buf_appendf(&words, "%s%s", is_counted ? "" : "the ",
                       is_counted ? rows[i].cardinal : rows[i].ordinal);
        drafts->failed = drafts->failed || words.failed;
        kk_drafts_add_words(drafts, piece, kk_slice_of(kk_buf_str(&words)), 0);
        kk_buf_fini(&words);
        return true;
    }
    return false;
}

/* A quoting apostrophe in front of a word is dropped; 'tis and the like keep theirs. */
static kk_slice unquote(kk_slice text)
{
    static const char *const kept[] = {"'tis", "'twas", "'em",    "'til",  "'cause",
                                       "'n",   "'bout", "'round", "'twill"};
    if (text.len < 2 || text.data[0] != '\'')
        return text;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (kk_slice_equal_nocase(text, kk_slice_of(kept[i])))
            return text;
    }
    return (kk_slice){text.data + 1, text.len - 1};
}

/* Words whose sign is part of their name. */
static const char *signed_name(kk_slice text)
{
    static const char *const rows[][2] = {
        {"C++", "C plus plus"}, {"C#", "C sharp"}, {"F#", "F sharp"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (kk_slice_equal(text, kk_slice_of(rows[i][0])))
            return rows[i][1];
    }
    return NULL;
}

void kk_normalise(kk_drafts *drafts, const kk_pieces *pieces, enum kk_language language)
{
    bool quote_open = false;
    for (size_t i = 0; i < pieces->n && !drafts->failed;) {
        const kk_piece *piece = &pieces->items[i];
        if (piece->kind == KK_PIECE_MARK) {
            i += read_mark(drafts, pieces, i, &quote_open);
            continue;
        }
        size_t n = kk_normalise_abbreviation(drafts, pieces, i);
        if (n == 0 && kk_normalise_address(drafts, piece))
            n = 1;
        if (n == 0 && has_digit(piece->text))
            n = kk_normalise_number(drafts, pieces, i, language);
        if (n == 0 && read_roman(drafts, piece))
            n = 1;
        if (n == 0) {
            const char *name = signed_name(piece->text);
            kk_drafts_add_words(drafts, piece,
                                name != NULL ? kk_slice_of(name) : unquote(piece->text), 0);
            n = 1;
        }
        i += n;
    }
}
