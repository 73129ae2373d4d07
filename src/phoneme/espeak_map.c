#include "phoneme/espeak_map.h"

#include "base/utf8.h"

#include <string.h>

typedef struct rule {
    const char *from, *to;
} rule;

/* Longest first within a list: the first that matches at a place wins. */
static const rule common[] = {
    {"\xCA\x94\xCB\x8Cn\xCC\xA9", "tn"},
    {"\xCA\x94n\xCC\xA9", "tn"}, /* glottal stop and syllabic n: button */
    {"a^\xC9\xAA", "I"},
    {"a^\xCA\x8A", "W"},
    {"d^\xCA\x92", "\xCA\xA4"},
    {"e^\xC9\xAA", "A"},
    {"t^\xCA\x83", "\xCA\xA7"},
    {"\xC9\x94^\xC9\xAA", "Y"},
    {"\xC9\x99^l", "\xE1\xB5\x8A"
                   "l"},
    {"\xCA\xB2"
     "o",
     "jo"},
    {"\xCA\xB2\xC9\x99", "j\xC9\x99"},
    {"\xCA\xB2", ""},
    {"\xC9\x9A", "\xC9\x99\xC9\xB9"},
    {"r", "\xC9\xB9"},
    {"x", "k"},
    {"\xC3\xA7", "k"},
    {"\xC9\x90", "\xC9\x99"},
    {"\xC9\xAC", "l"},
    {"\xCC\x83", ""},
    {"\xC9\xBE", "T"},
    {"\xCA\x94", "t"},
};
static const rule american[] = {
    {"o^\xCA\x8A", "O"},
    {"\xC9\x9C\xCB\x90\xC9\xB9", "\xC9\x9C\xC9\xB9"},
    {"\xC9\x9C\xCB\x90", "\xC9\x9C\xC9\xB9"},
    {"\xC9\xAA\xC9\x99", "i\xC9\x99"},
    {"\xCB\x90", ""},
};
static const rule british[] = {
    {"e^\xC9\x99", "\xC9\x9B\xCB\x90"},
    {"i\xC9\x99", "\xC9\xAA\xC9\x99"},
    {"\xC9\x99^\xCA\x8A", "Q"},
};
/* What the lists above left: a lone e is the diphthong, and espeak-ng before 1.52 writes o for open
 * o. */
static const rule last[] = {
    {"e", "A"}, {"o", "\xC9\x94"}, {"^", ""}, {"-", ""}, {"\xE2\x80\x8D", ""}};

enum { SYLLABIC = 0x0329 };

static const rule *match(const rule *rules, size_t n, kk_slice text)
{
    for (size_t i = 0; i < n; i++) {
        if (kk_slice_starts(text, kk_slice_of(rules[i].from)))
            return &rules[i];
    }
    return NULL;
}

/* A syllabic mark puts a reduced vowel in front of the consonant it stands under. */
static void put_syllabic(kk_buf *dst)
{
    size_t start = dst->len;
    while (start > 0 && ((unsigned char)dst->data[start - 1] & 0xC0) == 0x80)
        start--;
    start = start > 0 ? start - 1 : 0;
    char consonant[5] = {0};
    size_t len = dst->len - start;
    if (dst->failed || len == 0 || len > 4)
        return;
    memcpy(consonant, dst->data + start, len);
    dst->len = start;
    kk_buf_append_str(dst, "\xE1\xB5\x8A");
    kk_buf_append(dst, consonant, len);
}

const char *kk_espeak_map(kk_arena *arena, kk_slice ipa, enum kk_language language)
{
    const rule *regional = language == KK_LANG_EN_GB ? british : american;
    size_t n_regional = language == KK_LANG_EN_GB ? sizeof(british) / sizeof(rule)
                                                  : sizeof(american) / sizeof(rule);
    kk_buf dst = KK_BUF_INIT;
    for (kk_slice rest = ipa; rest.len > 0;) {
        const char *close = rest.data[0] == '(' ? memchr(rest.data, ')', rest.len) : NULL;
        if (close != NULL) { /* a language switch */
            size_t n = (size_t)(close - rest.data) + 1;
            rest = (kk_slice){rest.data + n, rest.len - n};
            continue;
        }
        const rule *r = match(common, sizeof(common) / sizeof(rule), rest);
        if (r == NULL)
            r = match(regional, n_regional, rest);
        if (r == NULL)
            r = match(last, sizeof(last) / sizeof(rule), rest);
        if (r != NULL) {
            kk_buf_append_str(&dst, r->to);
            size_t n = strlen(r->from);
            rest = (kk_slice){rest.data + n, rest.len - n};
            continue;
        }
        uint32_t c;
        size_t n = kk_utf8_decode(rest, &c);
        if (c == SYLLABIC)
            put_syllabic(&dst);
        else if (n > 0 && c != '_' && c != '\n')
            kk_buf_append(&dst, rest.data, n);
        n = n > 0 ? n : 1;
        rest = (kk_slice){rest.data + n, rest.len - n};
    }
    kk_slice trimmed = kk_slice_trim((kk_slice){kk_buf_str(&dst), dst.failed ? 0 : dst.len});
    const char *result = dst.failed ? NULL : kk_arena_strndup(arena, trimmed.data, trimmed.len);
    kk_buf_fini(&dst);
    return result;
}
