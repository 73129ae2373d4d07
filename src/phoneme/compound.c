#include "phoneme/compound.h"

#include "base/utf8.h"
#include "text/scan.h"

#include <string.h>

#include <utf8proc.h>

enum { SPAN_MAX = 8 }; /* parts that are looked up together; bounds the work on a-b-c-d-... */

enum char_class { LETTER, DIGIT, JOINER, QUOTE, OTHER };

typedef struct character {
    uint32_t c;
    size_t offset;
    enum char_class class;
    bool upper, lower;
} character;

static bool is_upper(uint32_t c)
{
    return c < 0x80 ? c >= 'A' && c <= 'Z'
                    : utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_LU;
}

static enum char_class class_of(uint32_t c)
{
    if (kk_is_letter(c))
        return LETTER;
    if (kk_is_digit(c))
        return DIGIT;
    if (c == '-' || c == '_')
        return JOINER;
    return c == '\'' ? QUOTE : OTHER;
}

/* Where the part that starts at i ends. Parts: signs; figures; letters, cut where a capital follows
   a small letter (iPhone) and before the last of several capitals that begins a word (JSONFile). */
static size_t part_end(const character *chars, size_t n, size_t i)
{
    size_t end = i + 1;
    switch (chars[i].class) {
    case DIGIT:
    case JOINER:
        while (end < n && chars[end].class == chars[i].class)
            end++;
        return end;
    case QUOTE:
        while (end < n && chars[end].class == QUOTE)
            end++;
        return end;
    case LETTER:
        for (; end < n; end++) {
            if (chars[end].class == QUOTE) {
                bool binds = end + 1 < n && chars[end + 1].class == LETTER;
                if (!binds && end + 1 < n)
                    return end;
                continue;
            }
            if (chars[end].class != LETTER)
                return end;
            if (chars[end - 1].lower && chars[end].upper)
                return end;
            if (end > i && chars[end].upper && end + 1 < n && chars[end + 1].lower &&
                chars[end - 1].upper && chars[end + 1].class == LETTER)
                return end;
        }
        return end;
    case OTHER:
    default:
        return end;
    }
}

kk_part *kk_compound_split(kk_arena *arena, kk_slice word, size_t *n_out)
{
    character *chars = kk_arena_calloc(arena, word.len + 1, sizeof(*chars));
    kk_part *parts = kk_arena_calloc(arena, word.len + 1, sizeof(*parts));
    if (chars == NULL || parts == NULL)
        return NULL;
    size_t n = 0, n_parts = 0;
    for (size_t at = 0; at < word.len;) {
        uint32_t c;
        size_t len = kk_utf8_decode((kk_slice){word.data + at, word.len - at}, &c);
        bool upper = is_upper(c);
        chars[n++] = (character){c, at, class_of(c), upper, class_of(c) == LETTER && !upper};
        at += len > 0 ? len : 1;
    }
    chars[n].offset = word.len;
    for (size_t i = 0; i < n;) {
        size_t end = part_end(chars, n, i);
        parts[n_parts++] = (kk_part){
            (kk_slice){word.data + chars[i].offset, chars[end].offset - chars[i].offset}, NULL, -1};
        i = end;
    }
    *n_out = n_parts;
    return parts;
}

/* Signs inside words that are not spoken. */
static bool is_junk(kk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("',-._/", text.data[i], 6) == NULL)
            return false;
    }
    return true;
}

static int weaker(int a, int b)
{
    return a > b ? a : b; /* the sources are listed from the best to the last resort */
}

/*
 * Look up parts from the right: the longest run that ends at `right` and is known. A part that
 * stands in no run leaves the whole unknown, or is spelt.
 */
static bool look_up_parts(kk_english *e, kk_part *parts, size_t n, enum kk_tag tag, bool spell)
{
    size_t right = n;
    while (right > 0 && !e->failed) {
        size_t left = right > SPAN_MAX ? right - SPAN_MAX : 0;
        const char *phonemes = NULL;
        int source = -1;
        for (; left < right && phonemes == NULL && !e->failed; left++) {
            const kk_part *last = &parts[right - 1];
            kk_slice span = {parts[left].text.data,
                             (size_t)(last->text.data + last->text.len - parts[left].text.data)};
            bool is_last = right == n;
            enum kk_tag span_tag = is_last || tag == KK_TAG_NNP ? tag : KK_TAG_NN;
            phonemes = kk_english_word(e, span, span_tag, &source);
            if (phonemes != NULL) {
                parts[left].phonemes = phonemes;
                parts[left].source = source;
                for (size_t i = left + 1; i < right; i++)
                    parts[i].phonemes = "";
                kk_english_said(e, span, span_tag, phonemes);
                right = left;
                break;
            }
        }
        if (phonemes != NULL)
            continue;
        right--;
        if (is_junk(parts[right].text)) {
            parts[right].phonemes = "";
        } else if (spell) {
            parts[right].phonemes = kk_english_letters(e, parts[right].text);
            parts[right].source = KOKORO_SOURCE_LETTERS;
        } else {
            return false;
        }
    }
    return !e->failed;
}

/* Letters and signs mixed are said one after the other, with a space between: AT&T. */
static bool is_mixed(const kk_part *parts, size_t n)
{
    bool seen[3] = {false, false, false};
    for (size_t i = 0; i < n; i++) {
        if (is_junk(parts[i].text))
            continue;
        uint32_t c;
        (void)kk_utf8_decode(parts[i].text, &c);
        seen[kk_is_letter(c) ? 0 : kk_is_digit(c) ? 1 : 2] = true;
    }
    return seen[0] + seen[1] + seen[2] > 1;
}

typedef struct weight {
    bool is_primary;
    unsigned weight;
    size_t index;
} weight;

static bool is_lighter(weight a, weight b)
{
    if (a.is_primary != b.is_primary)
        return !a.is_primary;
    if (a.weight != b.weight)
        return a.weight < b.weight;
    return a.index < b.index;
}

/*
 * Of several stressed parts about half lose their primary stress, the lightest first: a compound
 * has one main stress. In a pair whose first part is one letter, the second gives way: X-ray.
 */
static void even_out(kk_english *e, kk_part *parts, size_t n)
{
    weight weights[SPAN_MAX * 4];
    size_t count = 0, n_primary = 0;
    for (size_t i = 0; i < n && count < sizeof(weights) / sizeof(weights[0]); i++) {
        if (parts[i].phonemes == NULL || parts[i].phonemes[0] == '\0')
            continue;
        bool is_primary = strstr(parts[i].phonemes, KK_PRIMARY) != NULL;
        n_primary += is_primary;
        weights[count++] = (weight){is_primary, kk_stress_weight(parts[i].phonemes), i};
    }
    if (count == 2 && parts[weights[0].index].text.len == 1) {
        kk_part *second = &parts[weights[1].index];
        second->phonemes = kk_stress_apply(e->arena, second->phonemes, KK_STRESS_LESS);
        e->failed = e->failed || second->phonemes == NULL;
        return;
    }
    if (count < 2 || n_primary <= (count + 1) / 2)
        return;
    for (size_t i = 1; i < count; i++) { /* insertion sort: a handful of parts */
        weight item = weights[i];
        size_t k = i;
        for (; k > 0 && is_lighter(item, weights[k - 1]); k--)
            weights[k] = weights[k - 1];
        weights[k] = item;
    }
    for (size_t i = 0; i < count / 2; i++) {
        kk_part *part = &parts[weights[i].index];
        part->phonemes = kk_stress_apply(e->arena, part->phonemes, KK_STRESS_LESS);
        e->failed = e->failed || part->phonemes == NULL;
    }
}

const char *kk_compound_word(kk_english *e, kk_slice word, enum kk_tag tag, bool spell, int *source)
{
    size_t n = 0;
    kk_part *parts = kk_compound_split(e->arena, word, &n);
    if (parts == NULL) {
        e->failed = true;
        return NULL;
    }
    enum kk_next next = e->next;
    if (!look_up_parts(e, parts, n, tag, spell)) {
        e->next = next;
        return NULL;
    }
    bool mixed = is_mixed(parts, n);
    if (!mixed)
        even_out(e, parts, n);
    kk_buf all = KK_BUF_INIT;
    *source = KOKORO_SOURCE_GOLD;
    for (size_t i = 0; i < n && !e->failed; i++) {
        if (parts[i].phonemes == NULL || parts[i].phonemes[0] == '\0')
            continue;
        if (mixed && all.len > 0)
            kk_buf_append_char(&all, ' ');
        kk_buf_append_str(&all, parts[i].phonemes);
        *source = weaker(*source, parts[i].source);
    }
    const char *result =
        all.failed || e->failed ? NULL : kk_arena_strdup(e->arena, kk_buf_str(&all));
    e->failed = e->failed || result == NULL;
    kk_buf_fini(&all);
    return result;
}
