/*
 * voices.c - the packed voices file, mapped.
 */
#include "voice/voice.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/status.h"
#include "voice/voices_file.h"
#include "voice/voices_internal.h"

#include <string.h>

static int check_file(const kk_map *map, const char *path, kokoro_error *err)
{
    kk_voices_head head;
    if (map->len < sizeof(head))
        return kk_fail(err, KOKORO_BAD_DATA, "voices file %s is cut short (%zu bytes)", path,
                       map->len);
    memcpy(&head, map->data, sizeof(head));
    if (memcmp(head.magic, KK_VOICES_MAGIC, sizeof(head.magic)) != 0)
        return kk_fail(err, KOKORO_BAD_DATA,
                       "%s is not a packed voices file; make one with: kokoro pack voices", path);
    if (head.layout != KK_VOICES_LAYOUT)
        return kk_fail(err, KOKORO_BAD_DATA,
                       "voices file %s has layout %u, this program reads %d; make it anew with: "
                       "kokoro pack voices",
                       path, head.layout, KK_VOICES_LAYOUT);
    if (head.n_voices == 0 || head.n_voices > KK_VOICES_MAX)
        return kk_fail(err, KOKORO_BAD_DATA, "voices file %s is damaged: %u voices", path,
                       head.n_voices);
    size_t want =
        kk_voices_styles_offset(head.n_voices) + (size_t)head.n_voices * (size_t)KK_VOICE_TABLE_LEN;
    if (map->len != want)
        return kk_fail(err, KOKORO_BAD_DATA,
                       "voices file %s has %zu bytes, not the %zu of its %u voices", path, map->len,
                       want, head.n_voices);
    size_t names_len = head.n_voices * (size_t)KK_VOICE_NAME_SIZE;
    if (kk_hash(map->data + sizeof(head), names_len) != head.names_hash)
        return kk_fail(err, KOKORO_BAD_DATA,
                       "voices file %s is damaged: its names do not match their checksum", path);
    return KOKORO_OK;
}

int kk_voices_open(kk_voices **out, const char *path, kokoro_error *err)
{
    *out = NULL;
    kk_voices *voices = kk_calloc(1, sizeof(*voices));
    if (voices == NULL)
        return kk_fail_memory(err);
    int status = kk_map_open(&voices->map, path, "voices file", err);
    if (status == KOKORO_OK)
        status = check_file(&voices->map, path, err);
    if (status != KOKORO_OK) {
        kk_voices_close(&voices);
        return status;
    }
    kk_voices_head head;
    memcpy(&head, voices->map.data, sizeof(head));
    voices->n = head.n_voices;
    voices->names = (const char *)voices->map.data + sizeof(head);
    voices->styles = voices->map.data + kk_voices_styles_offset(voices->n);
    *out = voices;
    return KOKORO_OK;
}

void kk_voices_close(kk_voices **voices)
{
    if (*voices == NULL)
        return;
    kk_map_close(&(*voices)->map);
    kk_free(*voices);
    *voices = NULL;
}

size_t kk_voices_count(const kk_voices *voices)
{
    return voices->n;
}

const char *kk_voices_name(const kk_voices *voices, size_t index)
{
    return voices->names + index * KK_VOICE_NAME_SIZE;
}

/* A voice's name begins with its language and gender: af_heart, bm_george. From Kokoro-82M's
 * VOICES.md. */
static const char *language_of(char letter)
{
    static const struct {
        char letter;
        const char *code;
    } rows[] = {{'a', "en-us"}, {'b', "en-gb"}, {'e', "es"},    {'f', "fr-fr"}, {'h', "hi"},
                {'i', "it"},    {'j', "ja"},    {'p', "pt-br"}, {'z', "zh"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].letter == letter)
            return rows[i].code;
    }
    return "und";
}

kokoro_voice kk_voices_get(const kk_voices *voices, size_t index)
{
    const char *name = kk_voices_name(voices, index);
    bool is_named = name[0] != '\0' && name[1] != '\0' && name[2] == '_';
    const char *gender = is_named && name[1] == 'f'   ? "female"
                         : is_named && name[1] == 'm' ? "male"
                                                      : "unknown";
    return (kokoro_voice){name, is_named ? language_of(name[0]) : "und", gender};
}

int kokoro_list_voices(const char *voices_path, void (*fn)(void *user, const kokoro_voice *voice),
                       void *user, kokoro_error *err)
{
    kk_voices *voices = NULL;
    int status = kk_voices_open(&voices, voices_path, err);
    if (status != KOKORO_OK)
        return status;
    for (size_t i = 0; i < kk_voices_count(voices); i++) {
        kokoro_voice voice = kk_voices_get(voices, i);
        fn(user, &voice);
    }
    kk_voices_close(&voices);
    return KOKORO_OK;
}
