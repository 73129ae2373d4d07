/*
 * normalise.c - abbreviations, signs, addresses; numbers are in figures.c.
 */
#include "text/normalise.h"

#include "base/utf8.h"

#include <string.h>

typedef struct abbreviation {
    const char *written; /* lower case, without its last full stop */
    const char *spoken;
    bool title;     /* a name follows */
    bool needs_dot; /* without a full stop it is another word */
} abbreviation;

static const abbreviation abbreviations[] = {
    {"mr", "mister", true, false},        {"mrs", "missus", true, false},
    {"ms", "miz", true, false},           {"dr", "doctor", true, false},
    {"prof", "professor", true, true},    {"rev", "reverend", true, true},
    {"gen", "general", true, true},       {"col", "colonel", true, true},
    {"sgt", "sergeant", true, true},      {"lt", "lieutenant", true, true},
    {"capt", "captain", true, true},      {"cmdr", "commander", true, true},
    {"hon", "honorable", true, true},     {"gov", "governor", true, true},
    {"sen", "senator", true, true},       {"rep", "representative", true, true},
    {"pres", "president", true, true},    {"jr", "junior", false, false},
    {"sr", "senior", false, true},        {"vs", "versus", true, false},
    {"etc", "et cetera", false, false},   {"approx", "approximately", true, true},
    {"dept", "department", false, true},  {"est", "established", true, true},
    {"fig", "figure", true, true},        {"inc", "incorporated", false, true},
    {"ltd", "limited", false, true},      {"co", "company", false, true},
    {"corp", "corporation", false, true}, {"vol", "volume", true, true},
    {"pp", "pages", true, true},          {"e.g", "for example", true, true},
    {"i.e", "that is", true, true},       {"ave", "avenue", false, true},
    {"blvd", "boulevard", false, true},   {"rd", "road", false, true},
    {"jan", "january", true, true},       {"feb", "february", true, true},
    {"apr", "april", true, true},         {"aug", "august", true, true},
    {"sept", "september", true, true},    {"oct", "october", true, true},
    {"nov", "november", true, true},      {"dec", "december", true, true},
    {"a.m", "A M", false, true},          {"p.m", "P M", false, true},
    {"ph.d", "P H D", false, true},       {"misc", "miscellaneous", false, true},
};

static kk_slice lower_ascii(kk_arena *arena, kk_slice text)
{
    char *copy = kk_arena_strndup(arena, text.data, text.len);
    for (size_t i = 0; copy != NULL && i < text.len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] + 32);
    }
    return copy != NULL ? (kk_slice){copy, text.len} : (kk_slice){"", 0};
}

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

static bool is_upper(kk_slice text)
{
    return text.len > 0 && text.data[0] >= 'A' && text.data[0] <= 'Z';
}

/* St. before a name is Saint, behind one Street. */
static const char *saint_or_street(const kk_drafts *drafts, const kk_pieces *pieces, size_t next)
{
    bool name_before = drafts->n > 0 && drafts->items[drafts->n - 1].token.kind == KK_TOKEN_WORD &&
                       is_upper(drafts->items[drafts->n - 1].token.text) &&
                       !drafts->items[drafts->n - 1].breaks;
    bool name_after = next < pieces->n && pieces->items[next].kind == KK_PIECE_RUN &&
                      is_upper(pieces->items[next].text);
    return name_after && !name_before ? "saint" : "street";
}

/* Letters with single dots between: U.S, a.m, J.R.R */
static bool is_dotted(kk_slice text)
{
    if (text.len < 3 || text.len % 2 == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_letter = (text.data[i] | 32) >= 'a' && (text.data[i] | 32) <= 'z';
        if (i % 2 == 0 ? !is_letter : text.data[i] != '.')
            return false;
    }
    return true;
}

/* Read an abbreviation, with the full stop that belongs to it. Returns the pieces read; 0 when it
 * is none. */
static size_t read_abbreviation(kk_drafts *drafts, const kk_pieces *pieces, size_t i)
{
    const kk_piece *piece = &pieces->items[i];
    kk_slice text = piece->text;
    bool has_dot = !piece->space_after && is_mark(pieces, i + 1, '.');
    kk_slice lower = lower_ascii(drafts->arena, text);
    const char *spoken = NULL;
    bool title = false;
    for (size_t k = 0; k < sizeof(abbreviations) / sizeof(abbreviations[0]) && spoken == NULL;
         k++) {
        const abbreviation *row = &abbreviations[k];
        if ((has_dot || !row->needs_dot) && kk_slice_equal(lower, kk_slice_of(row->written))) {
            spoken = row->spoken;
            title = row->title;
        }
    }
    bool number_follows = i + 2 < pieces->n && pieces->items[i + 1].space_after &&
                          pieces->items[i + 2].kind == KK_PIECE_RUN &&
                          kk_is_digit((uint32_t)(unsigned char)pieces->items[i + 2].text.data[0]);
    if (spoken == NULL && has_dot && kk_slice_equal(lower, KK_SLICE("st"))) {
        spoken = saint_or_street(drafts, pieces, i + 2);
        title = strcmp(spoken, "saint") == 0;
    }
    if (spoken == NULL && has_dot && number_follows && kk_slice_equal(lower, KK_SLICE("no"))) {
        spoken = "number";
        title = true;
    }
    bool is_initial = has_dot && text.len == 1 && is_upper(text) && i + 2 < pieces->n &&
                      !pieces->items[i + 1].breaks && pieces->items[i + 2].kind == KK_PIECE_RUN &&
                      is_upper(pieces->items[i + 2].text) && (text.data[0] != 'I');
    bool is_letters = spoken == NULL && (is_initial || is_dotted(text));
    if (spoken == NULL && !is_letters)
        return 0;
    kk_piece whole = *piece;
    if (has_dot) {
        whole.len = pieces->items[i + 1].offset + pieces->items[i + 1].len - piece->offset;
        whole.space_after = pieces->items[i + 1].space_after;
        whole.breaks = pieces->items[i + 1].breaks;
    }
    if (is_letters && is_initial) {
        kk_drafts_add_words(drafts, &whole, text, KK_TOKEN_SPELL);
        title = true;
    } else if (is_letters) {
        kk_drafts_add_words(drafts, &whole, text, KK_TOKEN_SPELL);
    } else {
        bool is_spelt = spoken[1] == ' ';
        kk_drafts_add_words(drafts, &whole, kk_slice_of(spoken), is_spelt ? KK_TOKEN_SPELL : 0u);
    }
    if (has_dot && !drafts->failed) {
        drafts->items[drafts->n - 1].abbreviation_end = true;
        drafts->items[drafts->n - 1].title = title;
    }
    return has_dot ? 2 : 1;
}

/* www.example.com/a-b and jane@example.com: words, and the signs between them by name. */
static bool read_address(kk_drafts *drafts, const kk_piece *piece)
{
    kk_slice text = piece->text;
    bool is_address =
        memchr(text.data, '@', text.len) != NULL || kk_slice_starts(text, KK_SLICE("www."));
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        kk_slice scheme = kk_slice_of(schemes[i]);
        if (text.len > scheme.len &&
            kk_slice_equal_nocase((kk_slice){text.data, scheme.len}, scheme)) {
            text = (kk_slice){text.data + scheme.len, text.len - scheme.len};
            is_address = true;
        }
    }
    /* A dot between letters with two or more before it: example.com, not U.S or e.g */
    for (size_t i = 2; i + 2 < text.len && !is_address; i++)
        is_address = text.data[i] == '.' && kk_is_letter((unsigned char)text.data[i - 1]) &&
                     kk_is_letter((unsigned char)text.data[i - 2]) &&
                     kk_is_letter((unsigned char)text.data[i + 1]) &&
                     kk_is_letter((unsigned char)text.data[i + 2]);
    if (!is_address)
        return false;
    static const struct {
        char sign;
        const char *name;
    } signs[] = {{'.', " dot "},           {'/', " slash "},      {'@', " at "},
                 {'-', " dash "},          {'_', " underscore "}, {':', " colon "},
                 {'?', " question mark "}, {'=', " equals "},     {'&', " and "},
                 {'#', " hash "},          {'%', " percent "},    {'+', " plus "},
                 {'~', " tilde "}};
    kk_buf words = KK_BUF_INIT;
    for (size_t i = 0; i < text.len; i++) {
        const char *name = NULL;
        for (size_t k = 0; k < sizeof(signs) / sizeof(signs[0]) && name == NULL; k++)
            name = signs[k].sign == text.data[i] ? signs[k].name : NULL;
        bool is_digit = kk_is_digit((unsigned char)text.data[i]);
        if (name != NULL && (i + 1 < text.len))
            kk_buf_append_str(&words, name);
        else if (is_digit)
            kk_buf_appendf(&words, " %c ", text.data[i]);
        else if (name == NULL)
            kk_buf_append_char(&words, text.data[i]);
    }
    drafts->failed = drafts->failed || words.failed;
    size_t first = drafts->n;
    kk_drafts_add_words(drafts, piece, kk_slice_of(kk_buf_str(&words)), 0);
    static const char *const digits[] = {"zero", "one", "two",   "three", "four",
                                         "five", "six", "seven", "eight", "nine"};
    for (size_t i = first; i < drafts->n; i++) {
        kk_slice *word = &drafts->items[i].token.text;
        if (word->len == 1 && kk_is_digit((unsigned char)word->data[0]))
            *word = kk_slice_of(digits[word->data[0] - '0']);
    }
    kk_buf_fini(&words);
    return true;
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
    if (mark != 0) {
        kk_drafts_add_mark(drafts, piece, mark);
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
    if (before->kind != KK_TOKEN_WORD || !is_upper(before->text) || before->text.len < 2)
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

void kk_normalise(kk_drafts *drafts, const kk_pieces *pieces, enum kk_language language)
{
    bool quote_open = false;
    for (size_t i = 0; i < pieces->n && !drafts->failed;) {
        const kk_piece *piece = &pieces->items[i];
        if (piece->kind == KK_PIECE_MARK) {
            i += read_mark(drafts, pieces, i, &quote_open);
            continue;
        }
        size_t n = read_abbreviation(drafts, pieces, i);
        if (n == 0 && read_address(drafts, piece))
            n = 1;
        if (n == 0 && has_digit(piece->text))
            n = kk_normalise_number(drafts, pieces, i, language);
        if (n == 0 && read_roman(drafts, piece))
            n = 1;
        if (n == 0) {
            kk_drafts_add_words(drafts, piece, unquote(piece->text), 0);
            n = 1;
        }
        i += n;
    }
}
