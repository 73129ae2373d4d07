/*
 * blend.c - "af_bella(2)+af_sky(1)" to weights, and weights to a style vector.
 *
 *     expression := part { '+' part }        part := name [ '(' weight ')' ]
 *
 * The syntax is that of Kokoro-FastAPI, so that its users' voices work here.
 */
#include "base/status.h"
#include "voice/voices_file.h"
#include "voice/voices_internal.h"

#include <string.h>

static bool find_voice(const kk_voices *voices, kk_slice name, size_t *index)
{
    for (size_t i = 0; i < voices->n; i++) {
        if (kk_slice_equal(name, kk_slice_of(kk_voices_name(voices, i)))) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Edit distance of two short names, for the "did you mean" of an unknown voice. */
static size_t distance(kk_slice a, kk_slice b)
{
    size_t row[KK_VOICE_NAME_SIZE + 1];
    if (a.len > KK_VOICE_NAME_SIZE || b.len > KK_VOICE_NAME_SIZE)
        return KK_VOICE_NAME_SIZE;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.data[i - 1] != b.data[j - 1]);
            diagonal = row[j];
            size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = best < change ? best : change;
        }
    }
    return row[b.len];
}

static int fail_unknown(const kk_voices *voices, kk_slice name, kokoro_error *err)
{
    size_t best = 0, best_distance = SIZE_MAX;
    for (size_t i = 0; i < voices->n; i++) {
        size_t d = distance(name, kk_slice_of(kk_voices_name(voices, i)));
        if (d < best_distance) {
            best_distance = d;
            best = i;
        }
    }
    int shown = name.len > 40 ? 40 : (int)name.len;
    if (best_distance <= 3)
        return kk_fail(err, KOKORO_VOICE, "unknown voice '%.*s'; did you mean %s?", shown,
                       name.data, kk_voices_name(voices, best));
    return kk_fail(err, KOKORO_VOICE, "unknown voice '%.*s'; there are %zu, %s to %s", shown,
                   name.data, voices->n, kk_voices_name(voices, 0),
                   kk_voices_name(voices, voices->n - 1));
}

/* "name" or "name(2.5)": the name and its weight. */
static int parse_part(kk_slice part, kk_slice *name, double *weight, kokoro_error *err)
{
    *name = part;
    *weight = 1.0;
    const char *open = part.len > 0 ? memchr(part.data, '(', part.len) : NULL;
    if (open == NULL)
        return KOKORO_OK;
    char number[32];
    size_t at = (size_t)(open - part.data), len = part.len - at;
    bool is_closed = part.data[part.len - 1] == ')' && len >= 3 && len - 2 < sizeof(number);
    if (is_closed) {
        memcpy(number, open + 1, len - 2);
        number[len - 2] = '\0';
    }
    if (!is_closed || !kk_parse_real(number, weight) || *weight <= 0.0 || *weight > 1000.0)
        return kk_fail(err, KOKORO_VOICE,
                       "voice part '%.*s': a weight is a number above 0 in brackets, as in "
                       "af_bella(2)+af_sky(1)",
                       part.len > 60 ? 60 : (int)part.len, part.data);
    *name = kk_slice_trim((kk_slice){part.data, at});
    return KOKORO_OK;
}

int kk_blend_parse(const kk_voices *voices, const char *text, kk_blend *out, kokoro_error *err)
{
    *out = (kk_blend){.n = 0};
    double weights[KK_BLEND_MAX], total = 0.0;
    kk_slice rest = kk_slice_of(text);
    for (;;) {
        const char *plus = rest.len > 0 ? memchr(rest.data, '+', rest.len) : NULL;
        kk_slice part = {rest.data, plus != NULL ? (size_t)(plus - rest.data) : rest.len};
        kk_slice name;
        if (out->n == KK_BLEND_MAX)
            return kk_fail(err, KOKORO_VOICE, "a voice may blend at most %d others", KK_BLEND_MAX);
        int status = parse_part(kk_slice_trim(part), &name, &weights[out->n], err);
        if (status != KOKORO_OK)
            return status;
        if (name.len == 0)
            return kk_fail(err, KOKORO_VOICE,
                           "a part of the voice '%.60s' has no name; a blend is names with plus "
                           "signs between them, as in af_bella(2)+af_sky(1)",
                           text);
        if (!find_voice(voices, name, &out->index[out->n]))
            return fail_unknown(voices, name, err);
        total += weights[out->n++];
        if (plus == NULL)
            break;
        rest = (kk_slice){plus + 1, rest.len - part.len - 1};
    }
    for (size_t i = 0; i < out->n; i++)
        out->weight[i] = (float)(weights[i] / total);
    return KOKORO_OK;
}

int kk_blend_language(const kk_voices *voices, const kk_blend *blend, enum kk_language *out,
                      kokoro_error *err)
{
    kokoro_voice voice = kk_voices_get(voices, blend->index[0]);
    if (kk_language_parse(voice.language, out, NULL) == KOKORO_OK)
        return KOKORO_OK;
    return kk_fail(err, KOKORO_LANGUAGE,
                   "voice %s speaks %s, whose text cannot be read yet; set the language to en-us "
                   "or en-gb to hear "
                   "it speak English",
                   voice.id, voice.language);
}

void kk_blend_style(const kk_voices *voices, const kk_blend *blend, size_t n_phonemes,
                    float style[KK_STYLE_SIZE])
{
    size_t row = n_phonemes < 1               ? 0
                 : n_phonemes > KK_VOICE_ROWS ? KK_VOICE_ROWS - 1
                                              : n_phonemes - 1;
    for (size_t k = 0; k < KK_STYLE_SIZE; k++)
        style[k] = 0.0f;
    for (size_t i = 0; i < blend->n; i++) {
        float part[KK_STYLE_SIZE];
        const unsigned char *table = voices->styles + blend->index[i] * (size_t)KK_VOICE_TABLE_LEN;
        memcpy(part, table + row * sizeof(part), sizeof(part));
        if (blend->n == 1) {
            memcpy(style, part, sizeof(part));
            return;
        }
        for (size_t k = 0; k < KK_STYLE_SIZE; k++)
            style[k] += blend->weight[i] * part[k];
    }
}
