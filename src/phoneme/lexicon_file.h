/*
 * lexicon_file.h - layout of the packed English lexicons, little-endian, mapped as it is.
 *
 *     head      64 bytes
 *     entries   of en-us, then of en-gb: kk_lexicon_entry, sorted by key within each
 *     strings   keys and phonemes; each value is n pairs of (tag, phonemes), NUL-ended, tag "" for
 * the default
 */
#ifndef KK_PHONEME_LEXICON_FILE_H
#define KK_PHONEME_LEXICON_FILE_H

#include <stdint.h>

#define KK_LEXICON_MAGIC "KKLEXICO"

enum { KK_LEXICON_LAYOUT = 1, KK_LEXICON_KEY_MAX = 255 };

typedef struct kk_lexicon_head {
    char magic[8];
    uint32_t layout;
    uint32_t n_entries[2]; /* en-us, en-gb */
    uint32_t strings_len;
    uint64_t hash; /* XXH3-64 of all behind the head */
    unsigned char reserved[32];
} kk_lexicon_head;

typedef struct kk_lexicon_entry {
    uint32_t key;   /* offset in strings */
    uint32_t value; /* likewise */
    uint8_t key_len;
    uint8_t n_values;
    uint8_t is_gold;
    uint8_t reserved;
} kk_lexicon_entry;

#endif
