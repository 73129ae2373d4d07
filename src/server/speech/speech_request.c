/*
 * speech_request.c - reads the body of a speech request, field by field. A field that is null is
 * absent; a field that is not known here is left alone, because clients send extras.
 */
#include "server/speech/speech_request.h"

#include "base/utf8.h"
#include "server/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The fields whose names and defaults differ between the two forms. */
typedef struct form {
    const char *text, *format;
    const char *default_format;
    bool names_pcm_rate; /* its clients expect audio/L16 of raw samples */
    bool default_stream;
} form;

static const form openai_form = {"input", "response_format", "mp3", false, true};
static const form guide_form = {"text", "format", "pcm", true, false};

/* What is handed from field to field. */
typedef struct parse {
    kk_speech_request *out;
    const json_t *body;
    const form *form;
    const kk_speech_limits *limits;
    kk_api_error *error;
} parse;

static const json_t *field(const parse *p, const char *name)
{
    const json_t *value = json_object_get(p->body, name);
    return json_is_null(value) ? NULL : value;
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {"an object", "an array",  "a string",  "a number",
                                        "a number",  "a boolean", "a boolean", "null"};
    return value != NULL ? names[json_typeof(value)] : "nothing";
}

static int wrong_type(const parse *p, const char *param, const char *wanted, const json_t *value)
{
    return kk_api_fail(p->error, 400, param, "invalid_type", "'%s' must be %s, not %s", param,
                       wanted, type_name(value));
}

static int no_memory(const parse *p)
{
    (void)kk_api_fail(p->error, 503, NULL, "out_of_memory", "out of memory; try again");
    p->error->retry_after_s = 1;
    return p->error->http_status;
}

/* A string of the body, NULL when it is absent. */
static int take_string(const parse *p, const char *name, const char **out)
{
    const json_t *value = field(p, name);
    *out = NULL;
    if (value != NULL && !json_is_string(value))
        return wrong_type(p, name, "a string", value);
    *out = json_string_value(value);
    return 0;
}

static int take_bool(const parse *p, const char *name, bool *out)
{
    const json_t *value = field(p, name);
    if (value == NULL)
        return 0;
    if (!json_is_boolean(value))
        return wrong_type(p, name, "true or false", value);
    *out = json_is_true(value);
    return 0;
}

static int choose_form(parse *p)
{
    bool has_input = field(p, "input") != NULL, has_text = field(p, "text") != NULL;
    if (p->limits->text_follows) {
        p->form = &openai_form;
        p->out->text_param = "text";
        return 0;
    }
    if (has_input && has_text)
        return kk_api_fail(p->error, 400, "input", "ambiguous_text",
                           "the body has both 'input' and 'text'; send one of them");
    if (!has_input && !has_text)
        return kk_api_fail(p->error, 400, "input", "missing_required_parameter",
                           "the body must have 'input' (or 'text'): the text to speak");
    p->form = has_text ? &guide_form : &openai_form;
    p->out->text_param = p->form->text;
    return 0;
}

static int take_text(const parse *p)
{
    const char *name = p->form->text;
    const json_t *value = field(p, name);
    if (p->limits->text_follows)
        return 0;
    if (!json_is_string(value))
        return wrong_type(p, name, "a string", value);
    const kk_slice sent = {json_string_value(value), json_string_length(value)};
    const kk_slice text = kk_slice_trim(sent);
    if (text.len == 0)
        return kk_api_fail(p->error, 400, name, "nothing_to_speak", "'%s' is empty", name);
    size_t n_chars = kk_utf8_count(text);
    if (n_chars > p->limits->max_chars)
        return kk_api_fail(p->error, 400, name, "string_above_max_length",
                           "'%s' has %zu characters, over the limit of %zu; send it in parts", name,
                           n_chars, p->limits->max_chars);
    char *copy = kk_arena_strndup(&p->out->arena, text.data, text.len);
    if (copy == NULL)
        return no_memory(p);
    p->out->speak.text = copy;
    p->out->speak.text_len = text.len;
    p->out->n_chars_in_front = (size_t)(text.data - sent.data); /* trimmed is ASCII only */
    return 0;
}

static int take_model(const parse *p)
{
    const char *model;
    char shown[80];
    int status = take_string(p, "model", &model);
    if (status != 0 || model == NULL || kk_model_is_known(model))
        return status;
    return kk_api_fail(p->error, 404, "model", "model_not_found",
                       "the model '%s' does not exist; GET /v1/models lists those that do",
                       kk_text_shown(shown, sizeof(shown), model));
}

/* "af_heart", "alloy", "af_bella(2)+af_sky(1)", or {"id": ...} of one. */
static int take_voice(const parse *p)
{
    const json_t *value = field(p, "voice");
    const char *voice = p->limits->default_voice;
    if (json_is_object(value))
        value = json_object_get(value, "id");
    if (field(p, "voice") != NULL && !json_is_string(value))
        return wrong_type(p, "voice", "a name or an object with its 'id'", value);
    if (value != NULL)
        voice = json_string_value(value);
    if (voice[0] == '\0')
        return kk_api_fail(p->error, 400, "voice", "unknown_voice",
                           "'voice' is empty; GET /v1/audio/voices lists the voices");
    kk_buf own = KK_BUF_INIT;
    kk_voice_of_name(&own, voice);
    p->out->speak.voice = own.failed ? NULL : kk_arena_strdup(&p->out->arena, kk_buf_str(&own));
    kk_buf_fini(&own);
    return p->out->speak.voice != NULL ? 0 : no_memory(p);
}

static int take_language(const parse *p)
{
    const char *language;
    int status = take_string(p, "lang", &language);
    if (status != 0 || language == NULL)
        return status;
    if (language[0] == '\0')
        return kk_api_fail(p->error, 400, "lang", "unknown_language",
                           "'lang' is empty; leave it out to speak the voice's language");
    p->out->speak.language = kk_arena_strdup(&p->out->arena, language);
    return p->out->speak.language != NULL ? 0 : no_memory(p);
}

static int take_speed(const parse *p)
{
    const json_t *value = field(p, "speed");
    if (value == NULL)
        return 0;
    if (!json_is_number(value))
        return wrong_type(p, "speed", "a number", value);
    double speed = json_number_value(value);
    if (!(speed >= KOKORO_SPEED_MIN && speed <= KOKORO_SPEED_MAX))
        return kk_api_fail(p->error, 400, "speed", "invalid_speed",
                           "'speed' must be from %g to %g, not %g", KOKORO_SPEED_MIN,
                           KOKORO_SPEED_MAX, speed);
    p->out->speak.speed = speed;
    return 0;
}

static int take_codec(const parse *p)
{
    const char *format;
    char shown[40];
    kokoro_error problem;
    int status = take_string(p, p->form->format, &format);
    if (status != 0)
        return status;
    if (format == NULL)
        format = p->form->default_format;
    p->out->codec = kk_codec_find(format);
    if (p->out->codec == NULL)
        return kk_api_fail(p->error, 400, p->form->format, "unsupported_format",
                           "the format '%s' is not made here; those that are: %s",
                           kk_text_shown(shown, sizeof(shown), format), kk_codec_names());
    if (kk_codec_is_there(p->out->codec, &problem) != KOKORO_OK)
        return kk_api_fail(p->error, 400, p->form->format, "unsupported_format", "%s",
                           problem.message);
    return 0;
}

/* A whole number above 0; 0 when it is absent. What fits a format is seen later. */
static int take_count(const parse *p, const char *name, int *out)
{
    const json_t *value = field(p, name);
    if (value == NULL)
        return 0;
    if (!json_is_number(value))
        return wrong_type(p, name, "a whole number", value);
    const double number = json_number_value(value);
    if (!(number >= 1.0 && number <= 1e6) || number != floor(number))
        return kk_api_fail(p->error, 400, name, "invalid_value",
                           "'%s' must be a whole number from 1 to 1000000, not %g", name, number);
    *out = (int)number;
    return 0;
}

static int take_volume(const parse *p)
{
    const json_t *value = field(p, "volume");
    if (value == NULL)
        return 0;
    if (!json_is_number(value))
        return wrong_type(p, "volume", "a number", value);
    p->out->encoding.volume = json_number_value(value);
    return 0;
}

static int take_loudness(const parse *p)
{
    const json_t *value = field(p, "loudness");
    p->out->loudness_lufs = p->limits->loudness_lufs;
    if (value == NULL)
        return 0;
    if (!json_is_number(value))
        return wrong_type(p, "loudness", "a number", value);
    const double lufs = json_number_value(value);
    if (!(lufs >= KOKORO_LOUDNESS_MIN && lufs <= KOKORO_LOUDNESS_MAX) &&
        fpclassify(lufs) != FP_ZERO)
        return kk_api_fail(p->error, 400, "loudness", "invalid_loudness",
                           "'loudness' must be from %g to %g LUFS, or 0 for the voice as it is, "
                           "not %g",
                           KOKORO_LOUDNESS_MIN, KOKORO_LOUDNESS_MAX, lufs);
    p->out->loudness_lufs = lufs;
    p->out->asks_loudness = true;
    return 0;
}

/* Raw samples say nothing of themselves, so that the type must. A type outlives its request: see
 * kk_http_response. */
static int set_content_type(const parse *p)
{
#define L16(rate)                                                                                  \
    {                                                                                              \
        rate, "audio/L16;rate=" #rate ";channels=1"                                                \
    }
    static const struct {
        int rate_hz;
        const char *type;
    } types[] = {L16(8000),  L16(12000), L16(16000), L16(22050),
                 L16(24000), L16(32000), L16(44100), L16(48000)};
#undef L16
    p->out->content_type = p->out->codec->content_type;
    if (!p->form->names_pcm_rate || strcmp(p->out->codec->name, "pcm") != 0)
        return 0;
    const int rate_hz = kk_codec_rate_hz(p->out->codec, &p->out->encoding);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].rate_hz == rate_hz)
            p->out->content_type = types[i].type;
    }
    return 0;
}

/* The format and how it is to be made. */
static int take_format(const parse *p)
{
    static const char *const names[] = {[KK_ENCODING_SAMPLE_RATE] = "sample_rate",
                                        [KK_ENCODING_BITRATE] = "bitrate",
                                        [KK_ENCODING_VOLUME] = "volume"};
    enum kk_encoding_field wrong;
    kokoro_error problem;
    int status = take_codec(p);
    if (status == 0)
        status = take_count(p, names[KK_ENCODING_SAMPLE_RATE], &p->out->encoding.sample_rate_hz);
    if (status == 0)
        status = take_count(p, names[KK_ENCODING_BITRATE], &p->out->encoding.bitrate_kbps);
    if (status == 0)
        status = take_volume(p);
    if (status != 0)
        return status;
    if (kk_codec_check(p->out->codec, &p->out->encoding, &wrong, &problem) != KOKORO_OK)
        return kk_api_fail(p->error, 400, names[wrong], "invalid_value", "%s", problem.message);
    return set_content_type(p);
}

/* Events for whoever asks for them, whatever the model's name: no client asks for events in the
 * hope of a refusal. */
static int take_stream(const parse *p)
{
    const char *stream_format;
    p->out->is_streamed = p->form->default_stream;
    int status = take_bool(p, "stream", &p->out->is_streamed);
    if (status == 0)
        status = take_string(p, "stream_format", &stream_format);
    if (status != 0 || stream_format == NULL || strcmp(stream_format, "audio") == 0)
        return status;
    if (strcmp(stream_format, "sse") != 0)
        return kk_api_fail(p->error, 400, "stream_format", "unsupported_stream_format",
                           "'stream_format' must be audio or sse");
    p->out->frame = KK_FRAME_EVENTS;
    p->out->content_type = "text/event-stream";
    return 0;
}

/* In events each comes with the sound of its word; else all stand beside the sound, in one object.
 */
static int take_timestamps(const parse *p)
{
    int status = take_bool(p, "timestamps", &p->out->speak.wants_words);
    if (status != 0 || !p->out->speak.wants_words || p->out->frame == KK_FRAME_EVENTS)
        return status;
    p->out->frame = KK_FRAME_OBJECT;
    p->out->content_type = KK_JSON_TYPE;
    p->out->is_streamed = false;
    return 0;
}

static int take_pause(const parse *p, const char *name, double *out)
{
    const json_t *value = field(p, name);
    if (value == NULL)
        return 0;
    if (!json_is_number(value))
        return wrong_type(p, name, "a number", value);
    *out = json_number_value(value);
    if (!(*out >= 0.0 && *out <= KOKORO_PAUSE_MAX_S))
        return kk_api_fail(p->error, 400, name, "invalid_pause",
                           "'%s' must be from 0 to %g seconds, not %g", name, KOKORO_PAUSE_MAX_S,
                           *out);
    return 0;
}

/* Taken and told of as ignored: the model has no way to follow them. */
static int take_instructions(const parse *p)
{
    const char *instructions;
    int status = take_string(p, "instructions", &instructions);
    p->out->has_instructions = status == 0 && instructions != NULL && instructions[0] != '\0';
    return status;
}

/* What a text that has not come yet cannot have. */
static int check_following(const parse *p)
{
    const char *param = p->out->speak.wants_words ? "timestamps" : "stream";
    if (!p->limits->text_follows || (p->out->is_streamed && !p->out->speak.wants_words))
        return 0;
    return kk_api_fail(p->error, 400, param, "unsupported_value",
                       "'%s' does not go with a text that arrives in pieces", param);
}

static int take_fields(parse *p)
{
    int status = choose_form(p);
    if (status == 0)
        status = take_model(p);
    if (status == 0)
        status = take_text(p);
    if (status == 0)
        status = take_voice(p);
    if (status == 0)
        status = take_language(p);
    if (status == 0)
        status = take_speed(p);
    if (status == 0)
        status = take_format(p);
    if (status == 0)
        status = take_loudness(p);
    if (status == 0)
        status = take_stream(p);
    if (status == 0)
        status = take_timestamps(p);
    if (status == 0)
        status = check_following(p);
    if (status == 0)
        status = take_pause(p, "sentence_pause", &p->out->speak.sentence_pause_s);
    if (status == 0)
        status = take_pause(p, "paragraph_pause", &p->out->speak.paragraph_pause_s);
    if (status == 0)
        status = take_instructions(p);
    if (status == 0)
        status = take_bool(p, "no_cache", &p->out->no_cache);
    p->out->skips_silence = p->out->is_streamed && p->limits->skips_silence;
    if (status == 0)
        status = take_bool(p, "skip_silence", &p->out->skips_silence);
    return status;
}

/* What the request's value does not tell is kept as text, for those who compare requests: nothing
 * that may change the answer is forgotten. A field stands here only when all of its meaning is in
 * other members, or it has none for the sound. */
static int take_others(const parse *p)
{
    static const char *const told[] = {
        "input",         "text",         "model",           "voice",
        "lang",          "speed",        "response_format", "format",
        "sample_rate",   "bitrate",      "volume",          "stream",
        "stream_format", "timestamps",   "sentence_pause",  "paragraph_pause",
        "skip_silence",  "instructions", "no_cache",        "loudness"};
    json_t *rest = json_copy((json_t *)(uintptr_t)p->body);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        (void)json_object_del(rest, told[i]);
    p->out->others = "";
    if (rest != NULL && json_object_size(rest) == 0) {
        json_decref(rest);
        return 0;
    }
    kk_buf text = KK_BUF_INIT;
    kk_json_write_sorted(&text, rest); /* takes the reference */
    if (!text.failed)
        p->out->others = kk_arena_strndup(&p->out->arena, kk_buf_str(&text), text.len);
    const bool is_well = !text.failed && p->out->others != NULL;
    kk_buf_fini(&text);
    return is_well ? 0 : no_memory(p);
}

static int load(kk_slice body, json_t **out, kk_api_error *error)
{
    json_error_t problem;
    char shown[JSON_ERROR_TEXT_LENGTH];
    if (kk_slice_trim(body).len == 0)
        return kk_api_fail(error, 400, NULL, "invalid_json",
                           "the body is empty; send a JSON object with 'input'");
    size_t valid = kk_utf8_valid_len(body);
    if (valid < body.len)
        return kk_api_fail(error, 400, NULL, "invalid_json",
                           "the body is not valid UTF-8 at byte %zu", valid);
    if (kk_json_depth(body) > KK_JSON_MAX_DEPTH)
        return kk_api_fail(error, 400, NULL, "invalid_json",
                           "the body is nested deeper than %d levels", KK_JSON_MAX_DEPTH);
    (void)kk_json_take_no_memory();
    *out = json_loadb(body.data, body.len, KK_JSON_REQUEST | JSON_DECODE_ANY, &problem);
    /* Also of an object that is there: jansson drops a byte of a text for which it had no room. */
    if (kk_json_take_no_memory()) {
        json_decref(*out);
        *out = NULL;
        (void)kk_api_fail(error, 503, NULL, "out_of_memory", "out of memory; try again");
        error->retry_after_s = 1;
        return error->http_status;
    }
    if (*out == NULL && json_error_code(&problem) == json_error_null_character)
        return kk_api_fail(error, 400, NULL, "invalid_json",
                           "the body has the character \\u0000 in line %d, which no text may hold; "
                           "leave it out",
                           problem.line);
    if (*out == NULL)
        return kk_api_fail(
            error, 400, NULL, "invalid_json", "the body is not valid JSON: %s (line %d, column %d)",
            kk_text_shown(shown, sizeof(shown), problem.text), problem.line, problem.column);
    if (!json_is_object(*out))
        return kk_api_fail(error, 400, NULL, "invalid_json",
                           "the body must be a JSON object, not %s", type_name(*out));
    return 0;
}

int kk_speech_request_parse(kk_speech_request *out, kk_slice body, const kk_speech_limits *limits,
                            kk_api_error *error)
{
    json_t *root = NULL;
    *out = (kk_speech_request){
        .arena = KK_ARENA_INIT, .encoding = KK_ENCODING_INIT, .text_param = "input"};
    kokoro_request_init(&out->speak);
    int status = load(body, &root, error);
    parse p = {.out = out, .body = root, .limits = limits, .error = error};
    if (status == 0)
        status = take_fields(&p);
    if (status == 0)
        status = take_others(&p);
    json_decref(root);
    return status;
}

void kk_speech_request_fini(kk_speech_request *request)
{
    kk_arena_fini(&request->arena);
}
