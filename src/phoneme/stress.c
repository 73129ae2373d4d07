#include "phoneme/stress.h"

#include "base/str.h"
#include "base/utf8.h"

#include <string.h>

enum { PRIMARY = 0x02C8, SECONDARY = 0x02CC };

static bool is_one_of(uint32_t c, const uint32_t *set, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (set[i] == c)
            return true;
    }
    return false;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool kk_is_vowel(uint32_t c)
{
    /* A I O Q W Y and a i u, then the IPA vowels of both varieties */
    static const uint32_t vowels[] = {'A',    'I',    'O',    'Q',    'W',    'Y',    'a',
                                      'i',    'u',    0x00E6, 0x0251, 0x0252, 0x0254, 0x0259,
                                      0x025B, 0x025C, 0x026A, 0x028A, 0x028C, 0x1D7B};
    return is_one_of(c, vowels, COUNT(vowels));
}

bool kk_is_consonant(uint32_t c)
{
    static const uint32_t consonants[] = {'b',    'd',    'f',    'h',    'j',    'k',    'l',
                                          'm',    'n',    'p',    's',    't',    'v',    'w',
                                          'z',    0x00F0, 0x014B, 0x0261, 0x0279, 0x027E, 0x0283,
                                          0x0292, 0x02A4, 0x02A7, 0x03B8};
    return is_one_of(c, consonants, COUNT(consonants));
}

unsigned kk_stress_weight(const char *phonemes)
{
    static const uint32_t heavy[] = {'A', 'I', 'O', 'Q', 'W', 'Y', 0x02A4, 0x02A7};
    unsigned weight = 0;
    for (kk_slice rest = kk_slice_of(phonemes); rest.len > 0;) {
        uint32_t c;
        size_t len = kk_utf8_decode(rest, &c);
        if (len == 0)
            break;
        weight += is_one_of(c, heavy, COUNT(heavy)) ? 2 : 1;
        rest = (kk_slice){rest.data + len, rest.len - len};
    }
    return weight;
}

/* Every mark `from` replaced by `to`, marks `drop` left out; 0 for none. */
static const char *rewrite(kk_arena *arena, const char *phonemes, const char *from, const char *to,
                           const char *drop)
{
    size_t len = strlen(phonemes);
    char *dst = kk_arena_alloc(arena, len + 1), *at = dst;
    while (dst != NULL && *phonemes != '\0') {
        if (drop != NULL && strncmp(phonemes, drop, 2) == 0) {
            phonemes += 2;
        } else if (from != NULL && strncmp(phonemes, from, 2) == 0) {
            if (to != NULL) {
                memcpy(at, to, 2);
                at += 2;
            }
            phonemes += 2;
        } else {
            *at++ = *phonemes++;
        }
    }
    if (dst != NULL)
        *at = '\0';
    return dst;
}

/* `mark` put in front of the first vowel. */
static const char *mark_first_vowel(kk_arena *arena, const char *phonemes, const char *mark)
{
    size_t len = strlen(phonemes), at = 0;
    for (kk_slice rest = {phonemes, len}; rest.len > 0;) {
        uint32_t c;
        size_t n = kk_utf8_decode(rest, &c);
        if (n == 0 || kk_is_vowel(c))
            break;
        at += n;
        rest = (kk_slice){rest.data + n, rest.len - n};
    }
    if (at == len)
        return phonemes;
    char *dst = kk_arena_alloc(arena, len + 3);
    if (dst == NULL)
        return NULL;
    memcpy(dst, phonemes, at);
    memcpy(dst + at, mark, 2);
    memcpy(dst + at + 2, phonemes + at, len - at + 1);
    return dst;
}

const char *kk_stress_apply(kk_arena *arena, const char *phonemes, enum kk_stress stress)
{
    if (phonemes == NULL || stress == KK_STRESS_KEEP)
        return phonemes;
    bool has_primary = strstr(phonemes, KK_PRIMARY) != NULL;
    bool has_secondary = strstr(phonemes, KK_SECONDARY) != NULL;
    bool is_bare = !has_primary && !has_secondary;
    switch (stress) {
    case KK_STRESS_NONE:
        return rewrite(arena, phonemes, KK_PRIMARY, NULL, KK_SECONDARY);
    case KK_STRESS_LESS:
        return has_primary ? rewrite(arena, phonemes, KK_PRIMARY, KK_SECONDARY, KK_SECONDARY)
                           : phonemes;
    case KK_STRESS_LETTERS:
        if (has_primary)
            return rewrite(arena, phonemes, KK_PRIMARY, KK_SECONDARY, KK_SECONDARY);
        return is_bare ? mark_first_vowel(arena, phonemes, KK_SECONDARY) : phonemes;
    case KK_STRESS_SOME:
        return is_bare ? mark_first_vowel(arena, phonemes, KK_SECONDARY) : phonemes;
    case KK_STRESS_MORE:
        if (is_bare)
            return mark_first_vowel(arena, phonemes, KK_PRIMARY);
        return !has_primary ? rewrite(arena, phonemes, KK_SECONDARY, KK_PRIMARY, NULL) : phonemes;
    case KK_STRESS_KEEP:
    default:
        return phonemes;
    }
}
