#include "server/wyoming/wyoming_event.h"

#include "base/utf8.h"

#include "server/speech/speech_request.h"

#include <stdio.h>
#include <string.h>

/* Strings of at most so many bytes: a blend of all voices is shorter. */
enum { MAX_NAME = 2000 };

static int take_string(const json_t *object, const char *name, const char **out,
                       kk_api_error *error)
{
    const json_t *value = json_object_get(object, name);
    *out = NULL;
    if (value == NULL || json_is_null(value))
        return 0;
    if (!json_is_string(value) || json_string_length(value) > MAX_NAME)
        return kk_api_fail(error, 400, NULL, "invalid_type",
                           "'%s' must be a string of at most %d bytes", name, MAX_NAME);
    *out = json_string_value(value);
    return 0;
}

int kk_wyoming_take_wish(const json_t *data, kk_wyoming_wish *out, kk_api_error *error)
{
    const json_t *voice = json_object_get(data, "voice");
    const char *format = NULL;
    *out = (kk_wyoming_wish){NULL, NULL, NULL};
    if (voice != NULL && !json_is_null(voice) && !json_is_object(voice))
        return kk_api_fail(error, 400, NULL, "invalid_type", "'voice' must be an object");
    int status = take_string(voice, "name", &out->name, error);
    if (status == 0)
        status = take_string(voice, "speaker", &out->speaker, error);
    if (status == 0)
        status = take_string(voice, "language", &out->language, error);
    if (status == 0)
        status = take_string(data, "text_format", &format, error);
    if (status == 0 && format != NULL && strcmp(format, "text") != 0)
        return kk_api_fail(error, 400, NULL, "unsupported_text_format",
                           "text_format must be text; other markup would be read aloud");
    return status;
}

int kk_wyoming_take_text(const json_t *data, kk_slice *out, kk_api_error *error)
{
    const json_t *text = json_object_get(data, "text");
    *out = (kk_slice){json_string_value(text), json_string_length(text)};
    if (json_is_string(text))
        return 0;
    return kk_api_fail(error, 400, NULL, "invalid_type", "'text' must be a string");
}

static bool find_voice(const kokoro_engine *engine, const char *id, kokoro_voice *out)
{
    for (size_t i = 0; i < kokoro_voice_count(engine); i++) {
        if (kokoro_get_voice(engine, i, out) == KOKORO_OK && strcmp(out->id, id) == 0)
            return true;
    }
    return false;
}

/* "en_US", "en-us" and "en" are en-us: the shorter one says less. */
static bool is_language(const char *wish, const char *language)
{
    for (; *wish != '\0'; wish++, language++) {
        if (kk_ascii_lower(*wish == '_' ? '-' : *wish) != *language)
            return false;
    }
    return *language == '\0' || *language == '-';
}

/* NULL: none has it. */
static const char *voice_of_language(const kokoro_engine *engine, const char *wish,
                                     const char *default_voice)
{
    kokoro_voice voice;
    if (find_voice(engine, default_voice, &voice) && is_language(wish, voice.language))
        return default_voice;
    for (size_t i = 0; i < kokoro_voice_count(engine); i++) {
        if (kokoro_get_voice(engine, i, &voice) == KOKORO_OK && is_language(wish, voice.language))
            return voice.id;
    }
    return NULL;
}

int kk_wyoming_choose_voice(const kokoro_engine *engine, const kk_wyoming_wish *wish,
                            const char *default_voice, char *voice, size_t size,
                            kk_api_error *error)
{
    kokoro_voice speaker;
    const char *chosen = default_voice;
    char shown[120];
    kk_buf own = KK_BUF_INIT;
    if (wish->speaker != NULL && find_voice(engine, wish->speaker, &speaker)) {
        chosen = speaker.id;
    } else if (wish->name != NULL && wish->name[0] != '\0') {
        kk_voice_of_name(&own, wish->name);
        chosen = own.failed ? wish->name : kk_buf_str(&own);
    } else if (wish->language != NULL && wish->language[0] != '\0') {
        chosen = voice_of_language(engine, wish->language, default_voice);
    }
    if (chosen == NULL)
        return kk_api_fail(error, 400, NULL, "unknown_language", "no voice speaks '%s'",
                           kk_text_shown(shown, sizeof(shown), wish->language));
    (void)snprintf(voice, size, "%s", chosen);
    kk_buf_fini(&own);
    return 0;
}

/* --- describe --- */

/* "en-us" as BCP 47 writes it: en-US. */
static void write_language(char *dst, size_t size, const char *language)
{
    bool is_region = false;
    (void)snprintf(dst, size, "%s", language);
    for (; *dst != '\0'; dst++) {
        if (is_region && kk_ascii_is_lower(*dst))
            *dst = (char)(*dst - 'a' + 'A');
        is_region |= *dst == '-';
    }
}

static json_t *attribution(void)
{
    return json_pack("{s:s, s:s}", "name", "hexgrad", "url", "https://github.com/hexgrad/kokoro");
}

json_t *kk_wyoming_voice(const kokoro_voice *voice)
{
    char language[24], description[120];
    const char *name = strchr(voice->id, '_');
    name = name != NULL && name[1] != '\0' ? name + 1 : voice->id;
    char first = kk_ascii_is_lower(name[0]) ? (char)(name[0] - 'a' + 'A') : name[0];
    write_language(language, sizeof(language), voice->language);
    (void)snprintf(description, sizeof(description), "%c%.60s (%s, %s)", first, name + 1, language,
                   voice->gender);
    return json_pack("{s:s, s:s, s:o, s:b, s:s, s:[s]}", "name", voice->id, "description",
                     description, "attribution", attribution(), "installed", 1, "version",
                     kokoro_version(), "languages", language);
}

json_t *kk_wyoming_info(json_t *voices)
{
    return json_pack("{s:[{s:s, s:s, s:o, s:b, s:s, s:o, s:b}]}", "tts", "name", "kokoro",
                     "description", "Kokoro-82M text to speech", "attribution", attribution(),
                     "installed", 1, "version", kokoro_version(), "voices", voices,
                     "supports_synthesize_streaming", 1);
}
