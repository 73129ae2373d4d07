#include "phoneme/english.h"

#include "base/utf8.h"

#include <string.h>

#include <utf8proc.h>

#define SCHWI "\xE1\xB5\xBB" /* small capital i with stroke: the vowel of -es and -ed */
#define SMALL_I "\xC9\xAA"   /* near-close near-front vowel */
#define ENG "\xC5\x8B"       /* ng */
#define FLAP "\xC9\xBE"      /* American t between vowels */
#define TURNED_A "\xC9\x90"  /* the unstressed article a */
#define SCHWA "\xC9\x99"
#define ETH "\xC3\xB0" /* th of the */
#define UPSILON "\xCA\x8A"

/* A copy to be changed; NULL, and e->failed, when memory is out. */
static char *copy_of(kk_english *e, const char *text, size_t len)
{
    char *copy = kk_arena_strndup(e->arena, text, len);
    e->failed = e->failed || copy == NULL;
    return copy;
}

static const char *join(kk_english *e, const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    char *dst = kk_arena_alloc(e->arena, a_len + b_len + 1);
    if (dst == NULL) {
        e->failed = true;
        return NULL;
    }
    memcpy(dst, a, a_len);
    memcpy(dst + a_len, b, b_len + 1);
    return dst;
}

static const char *stressed(kk_english *e, const char *phonemes, enum kk_stress stress)
{
    const char *result = kk_stress_apply(e->arena, phonemes, stress);
    e->failed = e->failed || (phonemes != NULL && result == NULL);
    return result;
}

/* ---- letters and case ---- */

static bool is_alpha(kk_slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!kk_ascii_is_lower(word.data[i]) && !kk_ascii_is_upper(word.data[i]))
            return false;
    }
    return word.len > 0;
}

static bool has_lower(kk_slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (kk_ascii_is_lower(word.data[i]))
            return true;
    }
    return false;
}

static bool has_upper(kk_slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (kk_ascii_is_upper(word.data[i]))
            return true;
    }
    return false;
}

static kk_slice lowered(kk_english *e, kk_slice word)
{
    char *copy = copy_of(e, word.data, word.len);
    if (copy == NULL)
        return word;
    for (size_t i = 0; i < word.len; i++)
        copy[i] = kk_ascii_lower(copy[i]);
    return (kk_slice){copy, word.len};
}

static kk_slice cut(kk_slice word, size_t n)
{
    return (kk_slice){word.data, word.len - n};
}

static bool equals(kk_slice word, const char *text)
{
    return kk_slice_equal(word, kk_slice_of(text));
}

/* The word in lower case or with a capital: by, By. */
static bool is_word(kk_slice word, const char *lower)
{
    kk_slice want = kk_slice_of(lower);
    return kk_slice_equal_nocase(word, want) && word.len > 0 &&
           kk_slice_equal((kk_slice){word.data + 1, word.len - 1},
                          (kk_slice){lower + 1, want.len - 1});
}

static bool is_gold(const kk_english *e, kk_slice word)
{
    kk_reading reading;
    return kk_lexicon_gold(e->lexicon, e->language, word, &reading);
}

static bool is_silver(const kk_english *e, kk_slice word)
{
    kk_reading reading;
    return kk_lexicon_silver(e->lexicon, e->language, word, &reading);
}

static const char *gold_under(const kk_english *e, const char *word, const char *tag)
{
    kk_reading reading;
    if (!kk_lexicon_gold(e->lexicon, e->language, kk_slice_of(word), &reading))
        return NULL;
    const char *phonemes = kk_reading_find(&reading, tag);
    return phonemes != NULL ? phonemes : kk_reading_find(&reading, "");
}

/* ---- spelling ---- */

/* The names of the letters A to Z for a machine without a lexicon, and for accented letters
 * stripped to these. */
static const char *const letter_names[26] = {"\xCB\x88"
                                             "A",
                                             "b\xCB\x88"
                                             "i",
                                             "s\xCB\x88"
                                             "i",
                                             "d\xCB\x88"
                                             "i",
                                             "\xCB\x88"
                                             "i",
                                             "\xCB\x88\xC9\x9B"
                                             "f",
                                             "\xCA\xA4\xCB\x88"
                                             "i",
                                             "\xCB\x88"
                                             "A\xCA\xA7",
                                             "\xCB\x88"
                                             "I",
                                             "\xCA\xA4\xCB\x88"
                                             "A",
                                             "k\xCB\x88"
                                             "A",
                                             "\xCB\x88\xC9\x9B"
                                             "l",
                                             "\xCB\x88\xC9\x9B"
                                             "m",
                                             "\xCB\x88\xC9\x9B"
                                             "n",
                                             "\xCB\x88"
                                             "O",
                                             "p\xCB\x88"
                                             "i",
                                             "kj\xCB\x88"
                                             "u",
                                             "\xCB\x88\xC9\x91\xC9\xB9",
                                             "\xCB\x88\xC9\x9B"
                                             "s",
                                             "t\xCB\x88"
                                             "i",
                                             "j\xCB\x88"
                                             "u",
                                             "v\xCB\x88"
                                             "i",
                                             "d\xCB\x88\xCA\x8C"
                                             "b\xE1\xB5\x8A"
                                             "lj\xCB\x8C"
                                             "u",
                                             "\xCB\x88\xC9\x9B"
                                             "ks",
                                             "w\xCB\x88"
                                             "I",
                                             "z\xCB\x88"
                                             "i"};

static const char *letter_name(const kk_english *e, char letter)
{
    char upper[2] = {kk_ascii_is_lower(letter) ? (char)(letter - 32) : letter, '\0'};
    const char *name = gold_under(e, upper, "");
    return name != NULL ? name : letter_names[upper[0] - 'A'];
}

/* An acronym: its letters with little stress, the last with the word's. NULL for a word with no
 * letter of A to Z. */
static const char *spell(kk_english *e, kk_slice word)
{
    kk_buf all = KK_BUF_INIT;
    for (size_t i = 0; i < word.len; i++) {
        if (kk_ascii_is_lower(word.data[i]) || kk_ascii_is_upper(word.data[i]))
            kk_buf_append_str(&all, letter_name(e, word.data[i]));
    }
    const char *result = NULL;
    if (all.len > 0 && !all.failed) {
        const char *quiet = stressed(e, kk_buf_str(&all), KK_STRESS_LETTERS);
        char *copy = quiet != NULL ? copy_of(e, quiet, strlen(quiet)) : NULL;
        /* The last secondary mark becomes the primary one. */
        for (size_t i = copy != NULL ? strlen(copy) : 0; i >= 2; i--) {
            if (memcmp(copy + i - 2, KK_SECONDARY, 2) == 0) {
                memcpy(copy + i - 2, KK_PRIMARY, 2);
                break;
            }
        }
        result = copy;
    }
    e->failed = e->failed || all.failed;
    kk_buf_fini(&all);
    return result;
}

/* The letter under its accents: e of e-acute; a space for one of another script. */
static char base_letter(uint32_t c)
{
    utf8proc_int32_t parts[8];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 8,
                                                 UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    return n > 0 && n <= 8 && parts[0] < 0x80 ? (char)parts[0] : ' ';
}

const char *kk_english_letters(kk_english *e, kk_slice word)
{
    /* A sign that no letter can be found in still gets a word, so that a listener knows something
     * stood there. */
    static const char something[] = "l\xCB\x88\xC9\x9BT\xC9\x99\xC9\xB9"; /* "letter" */
    kk_buf plain = KK_BUF_INIT;
    for (kk_slice rest = word; rest.len > 0;) {
        uint32_t c;
        size_t n = kk_utf8_decode(rest, &c);
        if (n == 1)
            kk_buf_append(&plain, rest.data, 1);
        else if (n > 1)
            kk_buf_append_char(&plain, base_letter(c));
        n = n > 0 ? n : 1;
        rest = (kk_slice){rest.data + n, rest.len - n};
    }
    const char *result = spell(e, (kk_slice){kk_buf_str(&plain), plain.failed ? 0 : plain.len});
    e->failed = e->failed || plain.failed;
    kk_buf_fini(&plain);
    return result != NULL || e->failed ? result : something;
}

bool kk_english_plain(kk_english *e, kk_slice word, kk_slice *plain)
{
    char *dst = kk_arena_alloc(e->arena, word.len + 1);
    size_t len = 0;
    bool is_accented = false;
    e->failed = e->failed || dst == NULL;
    if (dst == NULL || kk_slice_ends(word, KK_SLICE("\xC3\xA9")))
        return false;
    for (kk_slice rest = word; rest.len > 0;) {
        uint32_t c;
        size_t n = kk_utf8_decode(rest, &c);
        dst[len] = n > 1 ? base_letter(c) : rest.data[0];
        if (dst[len] == ' ')
            return false;
        is_accented = is_accented || n > 1;
        len++;
        n = n > 0 ? n : 1;
        rest = (kk_slice){rest.data + n, rest.len - n};
    }
    *plain = (kk_slice){dst, len};
    return is_accented;
}

/* ---- the lexicon ---- */

static const char *sign_word(kk_slice word)
{
    static const char *const rows[][2] = {
        {"%", "percent"}, {"&", "and"}, {"+", "plus"}, {"@", "at"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (equals(word, rows[i][0]))
            return rows[i][1];
    }
    return NULL;
}

static bool is_known(const kk_english *e, kk_slice word)
{
    if (is_gold(e, word) || sign_word(word) != NULL || is_silver(e, word))
        return true;
    if (!is_alpha(word))
        return false;
    if (word.len == 1)
        return true;
    return !has_lower((kk_slice){word.data + 1, word.len - 1});
}

/* Whether the reading hangs on what follows is for words with a reading "None": can, have, there
 * ... before a pause. */
static const char *choose(const kk_english *e, const kk_reading *reading, enum kk_tag tag)
{
    const char *phonemes = NULL;
    if (e->next == KK_NEXT_PAUSE)
        phonemes = kk_reading_find(reading, "None");
    if (phonemes == NULL && kk_tag_name(tag) != NULL)
        phonemes = kk_reading_find(reading, kk_tag_name(tag));
    if (phonemes == NULL && kk_tag_parent(tag) != NULL)
        phonemes = kk_reading_find(reading, kk_tag_parent(tag));
    return phonemes != NULL ? phonemes : kk_reading_find(reading, "");
}

static const char *look_up(kk_english *e, kk_slice word, enum kk_tag tag, enum kk_stress stress,
                           int *source)
{
    bool is_name = false;
    if (has_upper(word) && !has_lower(word) && !is_gold(e, word)) {
        word = lowered(e, word);
        is_name = tag == KK_TAG_NNP;
    }
    kk_reading reading;
    const char *phonemes = NULL;
    if (kk_lexicon_gold(e->lexicon, e->language, word, &reading)) {
        phonemes = choose(e, &reading, tag);
        *source = KOKORO_SOURCE_GOLD;
    } else if (!is_name && kk_lexicon_silver(e->lexicon, e->language, word, &reading)) {
        phonemes = choose(e, &reading, tag);
        *source = KOKORO_SOURCE_SILVER;
    }
    if (phonemes == NULL || (is_name && strstr(phonemes, KK_PRIMARY) == NULL)) {
        const char *spelt = spell(e, word);
        if (spelt != NULL) {
            *source = KOKORO_SOURCE_RULE;
            return spelt;
        }
    }
    return stressed(e, phonemes, stress);
}

/* ---- endings ---- */

static bool last_is(const char *phonemes, const char *set)
{
    size_t len = strlen(phonemes);
    size_t start = len;
    while (start > 0 && ((unsigned char)phonemes[start - 1] & 0xC0) == 0x80)
        start--;
    start = start > 0 ? start - 1 : 0;
    char symbol[5] = {0};
    memcpy(symbol, phonemes + start, len - start < 4 ? len - start : 4);
    return len > 0 && strstr(set, symbol) != NULL;
}

/* t behind one of these is flapped in American speech: A I O W Y i u ae ... */
static bool is_flapped(const char *phonemes)
{
    static const char vowels[] =
        "AIOWYiu\xC3\xA6\xC9\x91\xC9\x99\xC9\x9B\xC9\xAA\xC9\xB9\xCA\x8A\xCA\x8C";
    size_t len = strlen(phonemes);
    if (len < 2 || phonemes[len - 1] != 't')
        return false;
    char before[64];
    size_t n = len - 1 < sizeof(before) - 1 ? len - 1 : sizeof(before) - 1;
    memcpy(before, phonemes + (len - 1 - n), n);
    before[n] = '\0';
    return last_is(before, vowels);
}

static const char *without_last(kk_english *e, const char *phonemes, const char *ending)
{
    const char *copy = copy_of(e, phonemes, strlen(phonemes) - 1);
    return copy != NULL ? join(e, copy, ending) : NULL;
}

static const char *add_s(kk_english *e, const char *stem)
{
    bool is_british = e->language == KK_LANG_EN_GB;
    if (last_is(stem, "ptkf\xCE\xB8"))
        return join(e, stem, "s");
    if (last_is(stem, "sz\xCA\x83\xCA\x92\xCA\xA7\xCA\xA4"))
        return join(e, stem, is_british ? SMALL_I "z" : SCHWI "z");
    return join(e, stem, "z");
}

static const char *add_ed(kk_english *e, const char *stem)
{
    bool is_british = e->language == KK_LANG_EN_GB;
    if (last_is(stem, "pkf\xCE\xB8\xCA\x83s\xCA\xA7"))
        return join(e, stem, "t");
    if (last_is(stem, "d"))
        return join(e, stem, is_british ? SMALL_I "d" : SCHWI "d");
    if (!last_is(stem, "t"))
        return join(e, stem, "d");
    if (is_british || strlen(stem) < 2)
        return join(e, stem, SMALL_I "d");
    return is_flapped(stem) ? without_last(e, stem, FLAP SCHWI "d") : join(e, stem, SCHWI "d");
}

static const char *add_ing(kk_english *e, const char *stem)
{
    if (e->language == KK_LANG_EN_GB) {
        if (last_is(stem, SCHWA "\xCB\x90"))
            return NULL; /* a linking r would be needed, whose rule is not known */
    } else if (is_flapped(stem)) {
        return without_last(e, stem, FLAP SMALL_I ENG);
    }
    return join(e, stem, SMALL_I ENG);
}

/* The stem of a word with an ending, where the lexicon has it. */
static bool find_stem_s(kk_english *e, kk_slice word, kk_slice *stem)
{
    if (word.len < 3 || !kk_slice_ends(word, KK_SLICE("s")))
        return false;
    *stem = cut(word, 1);
    if (!kk_slice_ends(word, KK_SLICE("ss")) && is_known(e, *stem))
        return true;
    bool is_es = word.len > 4 && kk_slice_ends(word, KK_SLICE("es")) &&
                 !kk_slice_ends(word, KK_SLICE("ies"));
    *stem = cut(word, 2);
    if ((kk_slice_ends(word, KK_SLICE("'s")) || is_es) && is_known(e, *stem))
        return true;
    if (word.len <= 4 || !kk_slice_ends(word, KK_SLICE("ies")))
        return false;
    char *singular = copy_of(e, word.data, word.len - 2);
    if (singular == NULL)
        return false;
    singular[word.len - 3] = 'y';
    *stem = (kk_slice){singular, word.len - 2};
    return is_known(e, *stem);
}

static bool find_stem_ed(const kk_english *e, kk_slice word, kk_slice *stem)
{
    if (word.len < 4 || !kk_slice_ends(word, KK_SLICE("d")))
        return false;
    *stem = cut(word, 1);
    if (!kk_slice_ends(word, KK_SLICE("dd")) && is_known(e, *stem))
        return true;
    *stem = cut(word, 2);
    return word.len > 4 && kk_slice_ends(word, KK_SLICE("ed")) &&
           !kk_slice_ends(word, KK_SLICE("eed")) && is_known(e, *stem);
}

static bool find_stem_ing(kk_english *e, kk_slice word, kk_slice *stem)
{
    if (word.len < 5 || !kk_slice_ends(word, KK_SLICE("ing")))
        return false;
    *stem = cut(word, 3);
    if (word.len > 5 && is_known(e, *stem))
        return true;
    char *with_e = copy_of(e, word.data, word.len - 2);
    if (with_e == NULL)
        return false;
    with_e[word.len - 3] = 'e';
    *stem = (kk_slice){with_e, word.len - 2};
    if (is_known(e, *stem))
        return true;
    char last = word.data[word.len - 4], before = word.len > 5 ? word.data[word.len - 5] : '\0';
    bool is_doubled = last == before && strchr("bcdgklmnprstvxz", last) != NULL;
    *stem = cut(word, 4);
    return word.len > 5 && (is_doubled || kk_slice_ends(word, KK_SLICE("cking"))) &&
           is_known(e, *stem);
}

/* A word whose stem the lexicon has. */
static const char *by_stem(kk_english *e, kk_slice word, enum kk_tag tag, enum kk_stress stress)
{
    kk_slice stem;
    int ignored;
    const char *phonemes = NULL;
    if (find_stem_s(e, word, &stem) && (phonemes = look_up(e, stem, tag, stress, &ignored)) != NULL)
        return add_s(e, phonemes);
    if (find_stem_ed(e, word, &stem) &&
        (phonemes = look_up(e, stem, tag, stress, &ignored)) != NULL)
        return add_ed(e, phonemes);
    enum kk_stress least = stress == KK_STRESS_KEEP ? KK_STRESS_SOME : stress;
    if (find_stem_ing(e, word, &stem) &&
        (phonemes = look_up(e, stem, tag, least, &ignored)) != NULL)
        return add_ing(e, phonemes);
    return NULL;
}

/* ---- special cases ---- */

/* Letters with dots, no part longer than two: U.S, e.g, Ph.D */
static bool is_dotted_acronym(kk_slice word)
{
    size_t part = 0;
    bool has_dot = false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] == '.') {
            has_dot = has_dot || (i > 0 && i + 1 < word.len);
            part = 0;
        } else if (kk_ascii_is_lower(word.data[i]) || kk_ascii_is_upper(word.data[i])) {
            if (++part > 2)
                return false;
        } else {
            return false;
        }
    }
    return has_dot;
}

/* The handful of words that are most of running text. NULL: none of them. */
static const char *special_case(kk_english *e, kk_slice word, enum kk_tag tag,
                                enum kk_stress stress)
{
    bool is_noun = tag == KK_TAG_NN || tag == KK_TAG_NNP;
    if (is_dotted_acronym(word))
        return spell(e, word);
    if (equals(word, "a") || equals(word, "A"))
        return tag == KK_TAG_DT ? TURNED_A : KK_PRIMARY "A";
    if (is_word(word, "am") || equals(word, "AM")) {
        if (is_noun)
            return spell(e, word);
        if (e->next == KK_NEXT_PAUSE || !equals(word, "am") || stress == KK_STRESS_MORE ||
            stress == KK_STRESS_SOME)
            return gold_under(e, "am", "");
        return TURNED_A "m";
    }
    if (is_word(word, "an") || equals(word, "AN"))
        return equals(word, "AN") && is_noun ? spell(e, word) : TURNED_A "n";
    if (equals(word, "I") && tag == KK_TAG_PRP)
        return KK_SECONDARY "I";
    if (is_word(word, "to") || (equals(word, "TO") && !is_noun)) {
        if (e->next == KK_NEXT_PAUSE)
            return gold_under(e, "to", "");
        return e->next == KK_NEXT_VOWEL ? "t" UPSILON : "t" SCHWA;
    }
    if (is_word(word, "in") || (equals(word, "IN") && tag != KK_TAG_NNP))
        return e->next == KK_NEXT_PAUSE || tag != KK_TAG_IN ? KK_PRIMARY SMALL_I "n" : SMALL_I "n";
    if (is_word(word, "the") || (equals(word, "THE") && tag == KK_TAG_DT))
        return e->next == KK_NEXT_VOWEL ? ETH "i" : ETH SCHWA;
    if (is_word(word, "used") || equals(word, "USED"))
        return gold_under(e, "used",
                          e->next_is_to && (tag == KK_TAG_VBD || tag == KK_TAG_JJ) ? "VBD" : "");
    return NULL;
}

/* A capitalised word that is only known in lower case, or by its stem, is taken in lower case. */
static bool is_better_lower(kk_english *e, kk_slice word, kk_slice lower, enum kk_tag tag)
{
    if (word.len < 2 || !has_upper(word) || (tag == KK_TAG_NNP && word.len <= 7) ||
        is_gold(e, word) || is_silver(e, word))
        return false;
    bool is_letters = true;
    for (size_t i = 0; i < word.len; i++)
        is_letters = is_letters && (kk_ascii_is_lower(word.data[i]) ||
                                    kk_ascii_is_upper(word.data[i]) || word.data[i] == '\'');
    bool is_shaped = !has_lower(word) || !has_upper((kk_slice){word.data + 1, word.len - 1});
    if (!is_letters || !is_shaped)
        return false;
    kk_slice stem;
    return is_gold(e, lower) || is_silver(e, lower) || find_stem_s(e, lower, &stem) ||
           find_stem_ed(e, lower, &stem) || find_stem_ing(e, lower, &stem);
}

const char *kk_english_word(kk_english *e, kk_slice word, enum kk_tag tag, int *source)
{
    bool is_cased = has_upper(word);
    enum kk_stress stress = !is_cased         ? KK_STRESS_KEEP
                            : has_lower(word) ? KK_STRESS_SOME
                                              : KK_STRESS_MORE;
    *source = KOKORO_SOURCE_RULE;
    const char *phonemes = special_case(e, word, tag, stress);
    if (phonemes != NULL)
        return phonemes;
    const char *sign = sign_word(word);
    if (sign != NULL)
        return look_up(e, kk_slice_of(sign), KK_TAG_NONE, KK_STRESS_KEEP, source);
    kk_slice lower = is_cased ? lowered(e, word) : word;
    if (is_better_lower(e, word, lower, tag))
        word = lower;
    if (is_known(e, word))
        return look_up(e, word, tag, stress, source);
    /* Plural possessives and dropped letters: dogs', goin' */
    if (word.len > 1 && word.data[word.len - 1] == '\'') {
        char *possessive = copy_of(e, word.data, word.len);
        if (possessive == NULL)
            return NULL;
        if (word.len > 2 && word.data[word.len - 2] == 's') {
            memcpy(possessive + word.len - 2, "'s", 2);
            if (is_known(e, (kk_slice){possessive, word.len}))
                return look_up(e, (kk_slice){possessive, word.len}, tag, stress, source);
        }
        if (is_known(e, cut(word, 1)))
            return look_up(e, cut(word, 1), tag, stress, source);
        word = cut(word, 1);
    }
    return by_stem(e, word, tag, stress);
}

void kk_english_said(kk_english *e, kk_slice word, enum kk_tag tag, const char *phonemes)
{
    e->next_is_to =
        is_word(word, "to") || (equals(word, "TO") && tag != KK_TAG_NN && tag != KK_TAG_NNP);
    for (kk_slice rest = kk_slice_of(phonemes); rest.len > 0;) {
        uint32_t c;
        size_t n = kk_utf8_decode(rest, &c);
        if (n == 0)
            return;
        bool is_pause = (n == 1 && strchr(";:,.!?", (int)c) != NULL) || c == 0x2014 || c == 0x2026;
        if (is_pause || kk_is_vowel(c) || kk_is_consonant(c)) {
            e->next = is_pause ? KK_NEXT_PAUSE : kk_is_vowel(c) ? KK_NEXT_VOWEL : KK_NEXT_CONSONANT;
            return;
        }
        rest = (kk_slice){rest.data + n, rest.len - n};
    }
}
