/*
 * voices_file.h - layout of the packed voices file, little-endian, mapped as it is.
 *
 *     head     64 bytes: magic, layout version, number of voices, XXH3-64 of the names
 *     names    n x 64 bytes, NUL-padded, in alphabetical order
 *     styles   n x float32 [510][256], from the next 4096-byte boundary
 */
#ifndef KK_VOICE_VOICES_FILE_H
#define KK_VOICE_VOICES_FILE_H

#include <stddef.h>
#include <stdint.h>

#define KK_VOICES_MAGIC "KKVOICES"

enum {
    KK_VOICES_LAYOUT = 1,
    KK_VOICES_ALIGN = 4096,
    KK_VOICES_MAX = 1000,
    KK_VOICE_NAME_SIZE = 64,
    KK_VOICE_TABLE_LEN = 510 * 256 * 4 /* bytes */
};

typedef struct kk_voices_head {
    char magic[8];
    uint32_t layout;
    uint32_t n_voices;
    uint64_t names_hash;
    unsigned char reserved[40];
} kk_voices_head;

/* Offset of the style tables. */
static inline size_t kk_voices_styles_offset(size_t n_voices)
{
    size_t end = sizeof(kk_voices_head) + n_voices * KK_VOICE_NAME_SIZE;
    return (end + KK_VOICES_ALIGN - 1) / KK_VOICES_ALIGN * KK_VOICES_ALIGN;
}

#endif
