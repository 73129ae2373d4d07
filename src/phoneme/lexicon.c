#include "phoneme/lexicon.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/known_files.h"
#include "base/status.h"
#include "phoneme/lexicon_file.h"

#include <string.h>

struct kk_lexicon {
    kk_map map;
    const kk_lexicon_entry *entries[2]; /* by language */
    size_t n[2];
    const char *strings;
};

static int check_file(const kk_map *map, const char *path, kokoro_known_files *known,
                      kk_lexicon_head *head, kokoro_error *err)
{
    if (map->len < sizeof(*head))
        return kk_fail(err, KOKORO_BAD_DATA, "lexicon %s is cut short (%zu bytes)", path, map->len);
    memcpy(head, map->data, sizeof(*head));
    if (memcmp(head->magic, KK_LEXICON_MAGIC, sizeof(head->magic)) != 0)
        return kk_fail(err, KOKORO_BAD_DATA,
                       "%s is not a packed lexicon; make one with: kokoro pack lexicon", path);
    if (head->layout != KK_LEXICON_LAYOUT)
        return kk_fail(err, KOKORO_BAD_DATA,
                       "lexicon %s has layout %u, this program reads %d; make it anew with: kokoro "
                       "pack lexicon",
                       path, head->layout, KK_LEXICON_LAYOUT);
    uint64_t want = sizeof(*head) + head->strings_len +
                    ((uint64_t)head->n_entries[0] + head->n_entries[1]) * sizeof(kk_lexicon_entry);
    if (want != map->len || head->strings_len == 0 || map->data[map->len - 1] != '\0')
        return kk_fail(err, KOKORO_BAD_DATA, "lexicon %s is damaged: its sizes do not add up",
                       path);
    if (!kk_known_files_has(known, map, head->hash) &&
        kk_hash(map->data + sizeof(*head), map->len - sizeof(*head)) != head->hash)
        return kk_fail(err, KOKORO_BAD_DATA, "lexicon %s is damaged: its checksum does not match",
                       path);
    return KOKORO_OK;
}

/*
 * The checksum makes damage all but impossible; these bounds make a file that somebody forged
 * harmless too: a value's strings end within the file, because its last byte is NUL and no more
 * than n_values pairs are walked.
 */
static bool entries_are_bounded(const kk_lexicon *lexicon, uint32_t strings_len)
{
    for (size_t language = 0; language < 2; language++) {
        for (size_t i = 0; i < lexicon->n[language]; i++) {
            const kk_lexicon_entry *e = &lexicon->entries[language][i];
            if (e->key > strings_len || strings_len - e->key < e->key_len ||
                e->value >= strings_len || e->n_values == 0)
                return false;
            const char *at = lexicon->strings + e->value, *end = lexicon->strings + strings_len;
            for (unsigned k = 0; k < 2u * e->n_values; k++) {
                if (at >= end)
                    return false;
                at += strlen(at) + 1;
            }
        }
    }
    return true;
}

int kk_lexicon_open(kk_lexicon **out, const char *path, kokoro_known_files *known,
                    kokoro_error *err)
{
    *out = NULL;
    kk_lexicon *lexicon = kk_calloc(1, sizeof(*lexicon));
    if (lexicon == NULL)
        return kk_fail_memory(err);
    kk_lexicon_head head;
    int status = kk_map_open(&lexicon->map, path, "lexicon", err);
    if (status == KOKORO_OK)
        status = check_file(&lexicon->map, path, known, &head, err);
    if (status == KOKORO_OK) {
        const void *entries = lexicon->map.data + sizeof(head);
        lexicon->entries[0] = entries;
        lexicon->n[0] = head.n_entries[0];
        lexicon->entries[1] = lexicon->entries[0] + head.n_entries[0];
        lexicon->n[1] = head.n_entries[1];
        lexicon->strings = (const char *)(lexicon->entries[1] + head.n_entries[1]);
        if (!kk_known_files_has(known, &lexicon->map, head.hash)) {
            if (!entries_are_bounded(lexicon, head.strings_len))
                status = kk_fail(err, KOKORO_BAD_DATA,
                                 "lexicon %s is damaged: an entry points outside", path);
            else
                kk_known_files_add(known, &lexicon->map, head.hash);
            /* A text needs few of the pages that the checks have read. */
            kk_map_forget(&lexicon->map, 0, lexicon->map.len);
        }
    }
    if (status != KOKORO_OK)
        kk_lexicon_close(&lexicon);
    *out = lexicon;
    return status;
}

void kk_lexicon_close(kk_lexicon **lexicon)
{
    if (*lexicon == NULL)
        return;
    kk_map_close(&(*lexicon)->map);
    kk_free(*lexicon);
    *lexicon = NULL;
}

static int compare(kk_slice a, kk_slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static const kk_lexicon_entry *find(const kk_lexicon *lexicon, enum kk_language language,
                                    kk_slice word)
{
    size_t which = language == KK_LANG_EN_GB ? 1 : 0, low = 0, high = lexicon->n[which];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const kk_lexicon_entry *e = &lexicon->entries[which][middle];
        int order = compare((kk_slice){lexicon->strings + e->key, e->key_len}, word);
        if (order == 0)
            return e;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_ascii_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_ascii_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The other way to write the first letter of a word that is otherwise in lower case; false where
 * there is none. */
static bool swap_case(kk_slice word, char *dst)
{
    if (word.len < 2 || word.len > KK_LEXICON_KEY_MAX)
        return false;
    for (size_t i = 1; i < word.len; i++) {
        if (is_ascii_upper(word.data[i]))
            return false;
    }
    if (!is_ascii_lower(word.data[0]) && !is_ascii_upper(word.data[0]))
        return false;
    memcpy(dst, word.data, word.len);
    dst[0] = (char)(dst[0] ^ 0x20);
    return true;
}

static bool look_up(const kk_lexicon *lexicon, enum kk_language language, kk_slice word,
                    bool want_gold, kk_reading *out)
{
    char swapped[KK_LEXICON_KEY_MAX];
    *out = (kk_reading){NULL, 0};
    if (lexicon == NULL || word.len == 0)
        return false;
    const kk_lexicon_entry *e = find(lexicon, language, word);
    if ((e == NULL || (e->is_gold != 0) != want_gold) && swap_case(word, swapped))
        e = find(lexicon, language, (kk_slice){swapped, word.len});
    if (e == NULL || (e->is_gold != 0) != want_gold)
        return false;
    *out = (kk_reading){lexicon->strings + e->value, e->n_values};
    return true;
}

bool kk_lexicon_gold(const kk_lexicon *lexicon, enum kk_language language, kk_slice word,
                     kk_reading *out)
{
    return look_up(lexicon, language, word, true, out);
}

bool kk_lexicon_silver(const kk_lexicon *lexicon, enum kk_language language, kk_slice word,
                       kk_reading *out)
{
    return look_up(lexicon, language, word, false, out);
}

const char *kk_reading_find(const kk_reading *reading, const char *tag)
{
    const char *at = reading->values;
    for (unsigned i = 0; i < reading->n; i++) {
        const char *phonemes = at + strlen(at) + 1;
        if (strcmp(at, tag) == 0)
            return phonemes;
        at = phonemes + strlen(phonemes) + 1;
    }
    return NULL;
}
