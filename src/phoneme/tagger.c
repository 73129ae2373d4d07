/*
 * tagger.c - closed classes by list, the rest by ending and by the words before and behind, left to
 * right.
 *
 * Only the distinctions that change a pronunciation are worked out with care: verb or noun or
 * adjective for the some 750 words that the lexicon files by part of speech, past or present for
 * "read", determiner or conjunction for "that", and names in capitals.
 */
#include "phoneme/tagger.h"

#include <string.h>

const char *kk_tag_name(enum kk_tag tag)
{
    static const char *const names[KK_N_TAGS] = {
#define KK_X(tag, name, parent) name,
        KK_TAG_MAP(KK_X)
#undef KK_X
    };
    return names[tag];
}

const char *kk_tag_parent(enum kk_tag tag)
{
    static const char *const parents[KK_N_TAGS] = {
#define KK_X(tag, name, parent) parent,
        KK_TAG_MAP(KK_X)
#undef KK_X
    };
    return parents[tag];
}

enum {
    WORD_MAX = 32,
    ADVERBS_MAX = 4 /* looked over on the way to the word they belong to */
};

typedef struct closed_class {
    enum kk_tag tag;
    const char *words; /* separated and enclosed by spaces */
} closed_class;

static const closed_class closed_classes[] = {
    {KK_TAG_DT,
     " the a an this these those every each some any no all both either neither another such "},
    {KK_TAG_PRP,
     " i you he she it we they me him us them myself yourself himself herself itself ourselves "
     "themselves someone anyone everyone somebody anybody everybody nobody one "},
    {KK_TAG_POS, " my your his her its our their whose "},
    {KK_TAG_MD, " can could may might must shall should will would ought can't cannot couldn't "
                "mightn't mustn't "
                "shan't shouldn't won't wouldn't i'll you'll he'll she'll it'll we'll they'll i'd "
                "you'd he'd she'd "
                "we'd they'd let's "},
    {KK_TAG_TO, " to "},
    {KK_TAG_CC, " and or but nor yet "},
    {KK_TAG_WH,
     " who whom which what when where why how whoever whatever whichever whenever wherever "},
    {KK_TAG_IN, " of in on at by for with from into onto upon about above across after against "
                "along among around as "
                "because before behind below beneath beside between beyond despite down during "
                "except if inside like "
                "near off over past per since than though although through throughout till toward "
                "towards under "
                "underneath unless until up via whether while within without "},
    {KK_TAG_VBZ,
     " is has does isn't hasn't doesn't he's she's it's that's there's what's who's where's "},
    {KK_TAG_VBP,
     " am are have do aren't haven't don't i'm you're we're they're i've you've we've they've "},
    {KK_TAG_VBD, " was were had did wasn't weren't hadn't didn't "},
    {KK_TAG_VB, " be "},
    {KK_TAG_VBN, " been "},
    {KK_TAG_VBG, " being "},
    {KK_TAG_RB, " not never always often sometimes also just even still already only very too so "
                "quite rather almost "
                "ever again here there now then soon perhaps maybe really well n't seldom rarely "
                "usually hardly "},
    {KK_TAG_CD, " two three four five six seven eight nine ten hundred thousand million "},
};

static void lower_word(kk_slice text, char dst[WORD_MAX])
{
    size_t len = text.len < WORD_MAX - 1 ? text.len : WORD_MAX - 1;
    for (size_t i = 0; i < len; i++)
        dst[i] = kk_ascii_lower(text.data[i]);
    dst[len] = '\0';
}

static bool is_in(const char *word, const char *list)
{
    char key[WORD_MAX + 3];
    size_t len = strlen(word);
    key[0] = ' ';
    memcpy(key + 1, word, len);
    key[len + 1] = ' ';
    key[len + 2] = '\0';
    return strstr(list, key) != NULL;
}

static bool ends_in(const char *word, const char *ending)
{
    size_t len = strlen(word), n = strlen(ending);
    return len > n + 1 && strcmp(word + len - n, ending) == 0;
}

static enum kk_tag closed_tag(const char *word)
{
    for (size_t i = 0; i < sizeof(closed_classes) / sizeof(closed_classes[0]); i++) {
        if (is_in(word, closed_classes[i].words))
            return closed_classes[i].tag;
    }
    return KK_TAG_NONE;
}

/* All in capitals, two letters or more. */
static bool is_capitals(kk_slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (kk_ascii_is_lower(text.data[i]))
            return false;
        n += kk_ascii_is_upper(text.data[i]);
    }
    return n >= 2;
}

static bool is_have(const char *word)
{
    return is_in(word, " have has had having haven't hasn't hadn't i've you've we've they've ");
}

static bool is_be(const char *word)
{
    return is_in(word, " is are was were be been being am isn't aren't wasn't weren't i'm you're "
                       "he's she's it's we're "
                       "they're get gets got ");
}

static bool is_do(const char *word)
{
    return is_in(word, " do does did don't doesn't didn't ");
}

static bool is_verb(enum kk_tag tag)
{
    return tag == KK_TAG_VB || tag == KK_TAG_VBD || tag == KK_TAG_VBG || tag == KK_TAG_VBN ||
           tag == KK_TAG_VBP || tag == KK_TAG_VBZ;
}

/* What stands around a word: the last word before it that is no adverb, and the next word. */
typedef struct surroundings {
    enum kk_tag before, just_before;
    char before_word[WORD_MAX];
    enum kk_tag after;
    char after_word[WORD_MAX];
    bool after_ends; /* the clause ends behind the next word */
    bool is_first;
} surroundings;

/* The tag of an open-class word by its ending, before the context is looked at. */
static enum kk_tag ending_tag(const char *word)
{
    static const struct {
        const char *ending;
        enum kk_tag tag;
    } rows[] = {{"ly", KK_TAG_RB},   {"ness", KK_TAG_NN}, {"ment", KK_TAG_NN}, {"tion", KK_TAG_NN},
                {"sion", KK_TAG_NN}, {"ity", KK_TAG_NN},  {"ship", KK_TAG_NN}, {"ance", KK_TAG_NN},
                {"ence", KK_TAG_NN}, {"ous", KK_TAG_JJ},  {"ful", KK_TAG_JJ},  {"ive", KK_TAG_JJ},
                {"less", KK_TAG_JJ}, {"able", KK_TAG_JJ}, {"ible", KK_TAG_JJ}, {"ing", KK_TAG_VBG},
                {"ed", KK_TAG_VBD}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (ends_in(word, rows[i].ending))
            return rows[i].tag;
    }
    return KK_TAG_NONE;
}

/* Words that can begin a noun phrase or follow one's noun tell whether a word after "the" is its
 * noun. */
static bool ends_phrase(const surroundings *s)
{
    return s->after == KK_TAG_PUNCT || s->after == KK_TAG_NONE || s->after == KK_TAG_IN ||
           s->after == KK_TAG_CC || s->after == KK_TAG_TO || s->after == KK_TAG_WH ||
           s->after == KK_TAG_MD || s->after == KK_TAG_RB || is_verb(s->after) ||
           s->after == KK_TAG_DT || s->after == KK_TAG_PRP || s->after == KK_TAG_POS;
}

static bool is_plural_subject(const surroundings *s)
{
    return (s->before == KK_TAG_PRP && is_in(s->before_word, " i you we they ")) ||
           (s->before == KK_TAG_WH && is_in(s->before_word, " who which "));
}

/* English adjectives take no -s. */
static bool is_plural(const char *word)
{
    return ends_in(word, "s") && !ends_in(word, "ss") && !ends_in(word, "us") &&
           !ends_in(word, "is");
}

static enum kk_tag open_tag(const char *word, const surroundings *s)
{
    if (s->before == KK_TAG_TO || s->before == KK_TAG_MD || is_do(s->before_word))
        return s->just_before == KK_TAG_DT || s->just_before == KK_TAG_POS ? KK_TAG_NN : KK_TAG_VB;
    if (is_have(s->before_word) && s->before != KK_TAG_NN)
        return KK_TAG_VBN;
    enum kk_tag ending = ending_tag(word);
    if (is_be(s->before_word)) {
        if (ending == KK_TAG_VBD || is_in(word, " wound ")) /* was wound around it */
            return KK_TAG_VBN;
        return ending != KK_TAG_NONE ? ending : KK_TAG_JJ;
    }
    if (is_plural_subject(s))
        return ending == KK_TAG_VBD ? KK_TAG_VBD : KK_TAG_VBP;
    if (s->before == KK_TAG_PRP)
        return ending == KK_TAG_NONE && ends_in(word, "s") ? KK_TAG_VBZ
               : ending != KK_TAG_NONE                     ? ending
                                                           : KK_TAG_VBD;
    if (s->before == KK_TAG_DT || s->before == KK_TAG_POS || s->before == KK_TAG_CD ||
        s->before == KK_TAG_JJ) {
        if (ending != KK_TAG_NONE && ending != KK_TAG_VBD && ending != KK_TAG_VBG)
            return ending;
        return ends_phrase(s) || is_plural(word) ? KK_TAG_NN : KK_TAG_JJ;
    }
    if (ending != KK_TAG_NONE)
        return ending;
    if (s->before == KK_TAG_IN)
        return ends_phrase(s) ? KK_TAG_NN : KK_TAG_JJ;
    /* A clause that opens with a bare verb is a request: "Read it again." */
    bool opens = s->is_first || s->before == KK_TAG_PUNCT;
    if (opens && (s->after == KK_TAG_DT || s->after == KK_TAG_POS || s->after == KK_TAG_PRP ||
                  s->after == KK_TAG_WH))
        return KK_TAG_VB;
    if (is_verb(s->before))
        return ends_phrase(s) ? KK_TAG_NN : KK_TAG_JJ;
    if (s->before == KK_TAG_NN &&
        (s->after == KK_TAG_DT || s->after == KK_TAG_POS || s->after == KK_TAG_PRP))
        return ends_in(word, "s") ? KK_TAG_VBZ : KK_TAG_VBP;
    return KK_TAG_NN;
}

/* "that": a determiner before its noun and as a pronoun, a conjunction or relative elsewhere. */
static enum kk_tag that_tag(const surroundings *s)
{
    bool opens = s->is_first || s->before == KK_TAG_PUNCT || s->before == KK_TAG_CC;
    bool verb_follows = is_verb(s->after) || s->after == KK_TAG_MD;
    bool is_pointed = is_be(s->before_word) && s->after == KK_TAG_NN; /* It is that small thing. */
    bool clause_follows = s->after == KK_TAG_PRP || s->after == KK_TAG_DT ||
                          s->after == KK_TAG_POS || is_in(s->after_word, " there ");
    if (is_in(s->after_word, " of which ") || s->before == KK_TAG_TO)
        return KK_TAG_DT; /* that of a man, that which we use, return to that country */
    if (s->is_first)
        return clause_follows ? KK_TAG_IN : KK_TAG_DT; /* That he came is known. That way. */
    if ((opens && verb_follows) || is_pointed)
        return KK_TAG_DT; /* That is true. */
    if (is_in(s->after_word, " , \xE2\x80\x9C "))
        return KK_TAG_IN; /* He said that, in his view, ... */
    if (s->before == KK_TAG_IN || s->after == KK_TAG_PUNCT || s->after == KK_TAG_NONE)
        return s->before == KK_TAG_IN && is_in(s->before_word, " so such except ") ? KK_TAG_IN
                                                                                   : KK_TAG_DT;
    /* A noun that ends the clause has no verb of its own: to reach that goal. */
    bool is_object =
        is_verb(s->before) || s->before == KK_TAG_PRP || is_in(s->before_word, " all ");
    return s->after == KK_TAG_NN && s->after_ends && is_object ? KK_TAG_DT : KK_TAG_IN;
}

/*
 * Words of two readings whose rarer one needs its own sign: "close" is a noun only as "the close",
 * "live" a verb unless something makes it an adjective, "consist" never a noun outside of geology.
 */
static enum kk_tag settle(const char *word, enum kk_tag tag, const surroundings *s)
{
    bool after_article = s->just_before == KK_TAG_DT || s->just_before == KK_TAG_POS;
    if (is_in(word, " close "))
        return tag == KK_TAG_NN && !after_article ? KK_TAG_JJ : tag;
    if (is_in(word, " live lives "))
        return tag == KK_TAG_NN && !after_article && s->before != KK_TAG_IN &&
                       s->before != KK_TAG_CD && s->before != KK_TAG_JJ && strcmp(word, "live") == 0
                   ? KK_TAG_VB
                   : tag;
    if (is_in(word, " consist consists "))
        return KK_TAG_VBP;
    return tag;
}

static void look_around(surroundings *s, const kk_text_token *tokens, size_t n, size_t i,
                        const enum kk_tag *tags)
{
    *s = (surroundings){.before = KK_TAG_NONE, .after = KK_TAG_NONE, .is_first = i == 0};
    size_t k = i;
    s->just_before = i > 0 ? tags[i - 1] : KK_TAG_NONE;
    while (k > 0 && i - k < ADVERBS_MAX && tags[k - 1] == KK_TAG_RB)
        k--;
    if (k > 0) {
        s->before = tags[k - 1];
        lower_word(tokens[k - 1].text, s->before_word);
    }
    s->after_ends = i + 2 >= n || tokens[i + 2].kind == KK_TOKEN_PUNCT;
    if (i + 1 < n) {
        lower_word(tokens[i + 1].text, s->after_word);
        s->after = tokens[i + 1].kind == KK_TOKEN_PUNCT ? KK_TAG_PUNCT : closed_tag(s->after_word);
        /* An open word behind is part of the same phrase, unless it looks like a verb's third
         * person or past. */
        if (s->after == KK_TAG_NONE)
            s->after = ends_in(s->after_word, "ed") ? KK_TAG_VBD : KK_TAG_NN;
    }
}

void kk_tag_sentence(const kk_text_token *tokens, size_t n, enum kk_tag *tags)
{
    size_t n_capitals = 0, n_words = 0;
    for (size_t i = 0; i < n; i++) {
        n_words += tokens[i].kind == KK_TOKEN_WORD;
        n_capitals += tokens[i].kind == KK_TOKEN_WORD && is_capitals(tokens[i].text);
    }
    bool shouts = n_capitals > 1 && 2 * n_capitals > n_words;
    for (size_t i = 0; i < n; i++) {
        char word[WORD_MAX];
        surroundings s;
        lower_word(tokens[i].text, word);
        if (tokens[i].kind == KK_TOKEN_PUNCT) {
            tags[i] = KK_TAG_PUNCT;
            continue;
        }
        if ((tokens[i].flags & KK_TOKEN_NUMBER) != 0) {
            tags[i] = KK_TAG_CD;
            continue;
        }
        look_around(&s, tokens, n, i, tags);
        bool is_capital = kk_slice_is_capital(tokens[i].text);
        enum kk_tag closed = closed_tag(word);
        if (strcmp(word, "that") == 0)
            tags[i] = that_tag(&s);
        else if (is_capitals(tokens[i].text) && !shouts)
            tags[i] = KK_TAG_NNP;
        else if (closed != KK_TAG_NONE)
            tags[i] = closed;
        else if (is_capital && i > 0 && s.just_before != KK_TAG_PUNCT)
            tags[i] = KK_TAG_NNP;
        else
            tags[i] = settle(word, open_tag(word, &s), &s);
        /* A particle: move in and greet him, cash in on it. */
        if (strcmp(word, "in") == 0 && (s.after == KK_TAG_CC || strcmp(s.after_word, "on") == 0))
            tags[i] = KK_TAG_RP;
        if (strcmp(word, "that's") == 0)
            tags[i] = KK_TAG_DT;
        /* An A that no noun follows is the letter: from A to B. A comma or quote may part the
         * article from its noun. */
        bool is_last = i + 1 == n || kk_slice_equal(tokens[i + 1].text, KK_SLICE("."));
        if (strcmp(word, "a") == 0 &&
            (is_last || s.after == KK_TAG_CC ||
             (is_capital && i > 0 && (s.after == KK_TAG_PUNCT || s.after == KK_TAG_TO))))
            tags[i] = KK_TAG_NN;
    }
}
