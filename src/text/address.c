/*
 * address.c - https://example.com/a-b and jane@example.com: words, and the signs between them by
 * name.
 */
#include "text/normalise.h"

#include <string.h>

/* A letter, of any script. */
static bool is_wordy(char c)
{
    return (unsigned char)c >= 0x80 || kk_is_letter((unsigned char)c);
}

/* www.example.com/a-b and jane@example.com: words, and the signs between them by name. */
bool kk_normalise_address(kk_drafts *drafts, const kk_piece *piece)
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
        else if (name == NULL && is_wordy(text.data[i]))
            kk_buf_append_char(&words, text.data[i]);
        else if (name == NULL) /* a sign without a name parts words */
            kk_buf_append_char(&words, ' ');
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
