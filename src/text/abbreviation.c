/*
 * abbreviation.c - Dr., e.g., Vol. 3, Jan. 5, U.S., J. R. R.: words in full, or letters, with the
 * full stop that belongs to them.
 */
#include "text/normalise.h"

#include <string.h>

/* What must stand by an abbreviation for it to be one. */
enum need {
    NEEDS_NOTHING,
    NEEDS_DOT,     /* without a full stop it is another word */
    NEEDS_CAPITAL, /* a full stop, and a capital of its own: Sun., Dec. */
    NEEDS_NAME,    /* a full stop, and a word with a capital behind it: Gen. Grant */
    NEEDS_NUMBER,  /* a full stop, and a number behind it: Vol. 3 */
};

typedef struct abbreviation {
    const char *written; /* lower case, without its last full stop */
    const char *spoken;
    enum need need;
    bool title; /* no sentence ends here: a name or its object follows */
} abbreviation;

static const abbreviation abbreviations[] = {
    {"mr", "mister", NEEDS_NOTHING, true},
    {"mrs", "Mrs", NEEDS_NOTHING, true}, /* the lexicon has it as it stands */
    {"ms", "miz", NEEDS_NOTHING, true},
    {"dr", "doctor", NEEDS_NOTHING, true},
    {"messrs", "Messrs", NEEDS_DOT, true},
    {"prof", "professor", NEEDS_NAME, true},
    {"rev", "reverend", NEEDS_NAME, true},
    {"gen", "general", NEEDS_NAME, true},
    {"maj", "major", NEEDS_NAME, true},
    {"col", "colonel", NEEDS_NAME, true},
    {"sgt", "sergeant", NEEDS_NAME, true},
    {"lt", "lieutenant", NEEDS_NAME, true},
    {"capt", "captain", NEEDS_NAME, true},
    {"cmdr", "commander", NEEDS_NAME, true},
    {"adm", "admiral", NEEDS_NAME, true},
    {"hon", "honorable", NEEDS_NAME, true},
    {"gov", "governor", NEEDS_NAME, true},
    {"sen", "senator", NEEDS_NAME, true},
    {"rep", "representative", NEEDS_NAME, true},
    {"pres", "president", NEEDS_NAME, true},
    {"mt", "mount", NEEDS_NAME, true},
    {"ft", "fort", NEEDS_NAME, true},
    {"jr", "junior", NEEDS_NOTHING, false},
    {"sr", "senior", NEEDS_DOT, false},
    {"vs", "versus", NEEDS_NOTHING, true},
    {"etc", "etc", NEEDS_NOTHING, false}, /* likewise */
    {"approx", "approximately", NEEDS_DOT, true},
    {"dept", "department", NEEDS_DOT, false},
    {"misc", "miscellaneous", NEEDS_DOT, false},
    {"inc", "incorporated", NEEDS_DOT, false},
    {"ltd", "limited", NEEDS_DOT, false},
    {"co", "company", NEEDS_DOT, false},
    {"corp", "corporation", NEEDS_DOT, false},
    {"ave", "avenue", NEEDS_DOT, false},
    {"blvd", "boulevard", NEEDS_DOT, false},
    {"rd", "road", NEEDS_DOT, false},
    {"e.g", "for example", NEEDS_DOT, true},
    {"i.e", "that is", NEEDS_DOT, true},
    {"est", "established", NEEDS_NUMBER, true},
    {"no", "number", NEEDS_NUMBER, true},
    {"nos", "numbers", NEEDS_NUMBER, true},
    {"vol", "volume", NEEDS_NUMBER, true},
    {"ch", "chapter", NEEDS_NUMBER, true},
    {"sec", "section", NEEDS_NUMBER, true},
    {"fig", "figure", NEEDS_NUMBER, true},
    {"eq", "equation", NEEDS_NUMBER, true},
    {"p", "page", NEEDS_NUMBER, true},
    {"pp", "pages", NEEDS_NUMBER, true},
    {"mar", "march", NEEDS_NUMBER, true},
    {"jun", "june", NEEDS_NUMBER, true},
    {"jul", "july", NEEDS_NUMBER, true},
    {"jan", "january", NEEDS_CAPITAL, true},
    {"feb", "february", NEEDS_CAPITAL, true},
    {"apr", "april", NEEDS_CAPITAL, true},
    {"aug", "august", NEEDS_CAPITAL, true},
    {"sep", "september", NEEDS_CAPITAL, true},
    {"sept", "september", NEEDS_CAPITAL, true},
    {"oct", "october", NEEDS_CAPITAL, true},
    {"nov", "november", NEEDS_CAPITAL, true},
    {"dec", "december", NEEDS_CAPITAL, true},
    {"mon", "monday", NEEDS_CAPITAL, false},
    {"tue", "tuesday", NEEDS_CAPITAL, false},
    {"tues", "tuesday", NEEDS_CAPITAL, false},
    {"wed", "wednesday", NEEDS_CAPITAL, false},
    {"thu", "thursday", NEEDS_CAPITAL, false},
    {"thur", "thursday", NEEDS_CAPITAL, false},
    {"thurs", "thursday", NEEDS_CAPITAL, false},
    {"fri", "friday", NEEDS_CAPITAL, false},
};

static bool is_letter(char c)
{
    return kk_ascii_is_lower(kk_ascii_lower(c));
}

bool kk_starts_sentence(kk_slice word)
{
    static const char starters[] =
        " the a an this that these those he she it we they you i my your his her its our their "
        "there here then when while if but and so or as at in on for from with what who where why "
        "how no yes not now after before however although because since one some many most all "
        "every each both another such it's he's she's that's there's i'm we're they're ";
    char key[16] = " ";
    if (!kk_slice_is_capital(word) || word.len + 2 >= sizeof(key))
        return false;
    for (size_t i = 0; i < word.len; i++)
        key[i + 1] = kk_ascii_lower(word.data[i]);
    key[word.len + 1] = ' ';
    key[word.len + 2] = '\0';
    return strstr(starters, key) != NULL;
}

/* A piece with what stands around it. */
typedef struct scene {
    kk_slice text;
    bool has_dot; /* a full stop right behind it */
    bool name_before, name_after, number_after;
} scene;

static scene look_around(const kk_drafts *drafts, const kk_pieces *pieces, size_t i)
{
    const kk_piece *piece = &pieces->items[i];
    scene s = {.text = piece->text,
               .has_dot = !piece->space_after && i + 1 < pieces->n &&
                          pieces->items[i + 1].kind == KK_PIECE_MARK &&
                          pieces->items[i + 1].mark == '.'};
    if (drafts->n > 0) {
        const kk_draft *before = &drafts->items[drafts->n - 1];
        s.name_before = before->token.kind == KK_TOKEN_WORD &&
                        kk_slice_is_capital(before->token.text) && !before->breaks;
    }
    size_t next = i + (s.has_dot ? 2 : 1);
    if (next < pieces->n && !pieces->items[next - 1].breaks &&
        pieces->items[next].kind == KK_PIECE_RUN) {
        s.name_after = kk_slice_is_capital(pieces->items[next].text);
        s.number_after = pieces->items[next].space_before &&
                         kk_is_digit((uint32_t)(unsigned char)pieces->items[next].text.data[0]);
        if (s.name_after && kk_starts_sentence(pieces->items[next].text) &&
            pieces->items[next].text.len > 1)
            s.name_after = false;
    }
    return s;
}

static bool is_met(enum need need, const scene *s)
{
    switch (need) {
    case NEEDS_NOTHING:
        return true;
    case NEEDS_DOT:
        return s->has_dot;
    case NEEDS_CAPITAL:
        return s->has_dot && kk_slice_is_capital(s->text);
    case NEEDS_NAME:
        return s->has_dot && s->name_after;
    case NEEDS_NUMBER:
        return s->has_dot && s->number_after;
    default:
        return false;
    }
}

static const abbreviation *find(const scene *s)
{
    /* St. and Dr. in front of a name are Saint and Doctor, behind one they are roads. */
    static const abbreviation saint = {"st", "saint", NEEDS_DOT, true},
                              street = {"st", "street", NEEDS_DOT, false},
                              drive = {"dr", "drive", NEEDS_DOT, false};
    if (s->has_dot && kk_slice_equal_nocase(s->text, KK_SLICE("st")))
        return s->name_after && !s->name_before ? &saint : &street;
    if (s->has_dot && s->name_before && !s->name_after && kk_slice_equal(s->text, KK_SLICE("Dr")))
        return &drive;
    for (size_t i = 0; i < sizeof(abbreviations) / sizeof(abbreviations[0]); i++) {
        const abbreviation *row = &abbreviations[i];
        if (kk_slice_equal_nocase(s->text, kk_slice_of(row->written)) && is_met(row->need, s))
            return row;
    }
    return NULL;
}

/* Letters with single dots between, or a capital with one small letter: U.S, a.m, J.R.R, Ph.D */
static bool is_dotted(kk_slice text)
{
    size_t part = 0, n_dots = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool is_small = is_letter(c) && c >= 'a';
        if (c == '.' && part > 0 && i + 1 < text.len) {
            part = 0;
            n_dots++;
        } else if (is_letter(c) &&
                   (part == 0 || (part == 1 && is_small && kk_slice_is_capital(text) &&
                                  text.data[i - 1] <= 'Z'))) {
            part++;
        } else {
            return false;
        }
    }
    return n_dots > 0;
}

static void add_spoken(kk_drafts *drafts, const kk_piece *piece, const char *spoken)
{
    size_t first = drafts->n;
    kk_drafts_add_words(drafts, piece, kk_slice_of(spoken), 0);
    if (drafts->failed || !kk_slice_is_capital(piece->text) || spoken[0] < 'a')
        return;
    /* The capital stays: it may begin a sentence. */
    kk_slice *word = &drafts->items[first].token.text;
    char *copy = kk_arena_strndup(drafts->arena, word->data, word->len);
    if (copy == NULL) {
        drafts->failed = true;
        return;
    }
    copy[0] = (char)(copy[0] - 32);
    *word = (kk_slice){copy, word->len};
}

size_t kk_normalise_abbreviation(kk_drafts *drafts, const kk_pieces *pieces, size_t i)
{
    const kk_piece *piece = &pieces->items[i];
    scene s = look_around(drafts, pieces, i);
    const abbreviation *row = find(&s);
    bool is_initial = row == NULL && s.has_dot && s.name_after && s.text.len == 1 &&
                      kk_slice_is_capital(s.text) && s.text.data[0] != 'I';
    kk_slice part = s.text; /* behind the last hyphen: pro-U.S. */
    for (size_t k = 0; k < s.text.len; k++) {
        if (s.text.data[k] == '-')
            part = (kk_slice){s.text.data + k + 1, s.text.len - k - 1};
    }
    bool is_letters = row == NULL && (is_initial || is_dotted(part));
    if (row == NULL && !is_letters)
        return 0;
    kk_piece whole = *piece;
    if (s.has_dot) {
        const kk_piece *dot = &pieces->items[i + 1];
        whole.len = dot->offset + dot->len - piece->offset;
        whole.space_after = dot->space_after;
        whole.breaks = dot->breaks;
    }
    if (is_letters)
        kk_drafts_add_words(drafts, &whole, s.text, KK_TOKEN_SPELL);
    else
        add_spoken(drafts, &whole, row->spoken);
    if (s.has_dot && !drafts->failed) {
        drafts->items[drafts->n - 1].abbreviation_end = true;
        drafts->items[drafts->n - 1].title = is_initial || (row != NULL && row->title);
    }
    return s.has_dot ? 2 : 1;
}
