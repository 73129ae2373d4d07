/* test_server_request.c - speech requests and their errors, origins and hosts: tables of good and
 * bad input. */
#include "base/alloc.h"
#include "base/utf8.h"
#include "check.h"
#include "server/http/origin.h"
#include "server/json.h"
#include "server/speech/speech_request.h"

#include <stdio.h>
#include <stdlib.h>

static const kk_speech_limits limits = {.max_chars = 40, .default_voice = "af_heart"};

static int parse(kk_speech_request *request, const char *body, kk_api_error *error)
{
    memset(error, 0, sizeof(*error));
    return kk_speech_request_parse(request, kk_slice_of(body), &limits, error);
}

TEST(openai_defaults)
{
    kk_speech_request r;
    kk_api_error error;
    CHECK_INT(parse(&r, "{\"input\": \" Hi. \"}", &error), 0);
    CHECK_INT(r.speak.text_len, 3);
    CHECK_STR(r.speak.text, "Hi.");
    CHECK_STR(r.speak.voice, "af_heart");
    CHECK(r.speak.language == NULL);
    CHECK_NEAR(r.speak.speed, 1.0, 0.0);
    CHECK_STR(r.codec->name, "mp3");
    CHECK_STR(r.content_type, "audio/mpeg");
    CHECK_INT(r.encoding.sample_rate_hz, 0);
    CHECK_INT(r.encoding.bitrate_kbps, 0);
    CHECK_NEAR(r.encoding.volume, 1.0, 0.0);
    CHECK(r.is_streamed);
    CHECK(!r.no_cache);
    CHECK_STR(r.text_param, "input");
    kk_speech_request_fini(&r);
}

TEST(guide_defaults)
{
    kk_speech_request r;
    kk_api_error error;
    CHECK_INT(parse(&r, "{\"text\": \"Hi.\"}", &error), 0);
    CHECK_STR(r.codec->name, "pcm");
    CHECK_STR(r.content_type, "audio/L16;rate=24000;channels=1");
    CHECK(!r.is_streamed);
    CHECK_STR(r.text_param, "text");
    kk_speech_request_fini(&r);
    CHECK_INT(parse(&r, "{\"text\": \"Hi.\", \"format\": \"wav\", \"stream\": true}", &error), 0);
    CHECK_STR(r.content_type, "audio/wav");
    CHECK(r.is_streamed);
    kk_speech_request_fini(&r);
}

TEST(every_field)
{
    kk_speech_request r;
    kk_api_error error;
    CHECK_INT(parse(&r,
                    "{\"input\":\"caf\\u00e9 \\ud83d\\ude00\",\"model\":\"gpt-4o-mini-tts\","
                    "\"voice\":{\"id\":\"onyx\"},\"response_format\":\"pcm\",\"speed\":2,"
                    "\"instructions\":\"softly\",\"stream_format\":\"audio\",\"stream\":false,"
                    "\"lang\":\"en-gb\",\"no_cache\":true,\"backend\":{\"x\":[1]},"
                    "\"seed\":18446744073709551615}",
                    &error),
              0);
    CHECK_STR(r.speak.text, "caf\xC3\xA9 \xF0\x9F\x98\x80");
    CHECK_STR(r.speak.voice, "am_onyx");
    CHECK_STR(r.speak.language, "en-gb");
    CHECK_NEAR(r.speak.speed, 2.0, 0.0);
    CHECK_STR(r.content_type, "audio/pcm");
    CHECK(!r.is_streamed);
    CHECK(r.no_cache);
    kk_speech_request_fini(&r);
}

TEST(how_a_format_is_made)
{
    kk_speech_request r;
    kk_api_error error;
    CHECK_INT(parse(&r,
                    "{\"input\":\"Hi.\",\"response_format\":\"mp3\",\"bitrate\":128.0,"
                    "\"sample_rate\":44100,\"volume\":0}",
                    &error),
              0);
    CHECK_INT(r.encoding.bitrate_kbps, 128);
    CHECK_INT(r.encoding.sample_rate_hz, 44100);
    CHECK_NEAR(r.encoding.volume, 0.0, 0.0);
    kk_speech_request_fini(&r);
    /* Raw samples do not say their rate. */
    CHECK_INT(parse(&r, "{\"text\":\"Hi.\",\"sample_rate\":8000,\"volume\":2}", &error), 0);
    CHECK_STR(r.content_type, "audio/L16;rate=8000;channels=1");
    kk_speech_request_fini(&r);
    CHECK_INT(parse(&r, "{\"input\":\"Hi.\",\"response_format\":\"opus\"}", &error), 0);
    CHECK_STR(r.content_type, "audio/ogg");
    kk_speech_request_fini(&r);
}

TEST(loudness_is_asked_for_or_the_default)
{
    static const struct {
        const char *body;
        double lufs;
        bool is_asked;
    } table[] = {{"{\"input\":\"a\"}", -20.5, false},
                 {"{\"text\":\"a\",\"loudness\":null}", -20.5, false},
                 {"{\"input\":\"a\",\"loudness\":-16}", -16.0, true},
                 {"{\"text\":\"a\",\"loudness\":-23.5}", -23.5, true},
                 {"{\"input\":\"a\",\"loudness\":-40}", -40.0, true},
                 {"{\"input\":\"a\",\"loudness\":-10.0}", -10.0, true},
                 {"{\"input\":\"a\",\"loudness\":0}", 0.0, true}};
    const kk_speech_limits loud = {
        .max_chars = 40, .default_voice = "af_heart", .loudness_lufs = -20.5};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        kk_speech_request r;
        kk_api_error error;
        CHECK_INT(kk_speech_request_parse(&r, kk_slice_of(table[i].body), &loud, &error), 0);
        CHECK_NEAR(r.loudness_lufs, table[i].lufs, 0.0);
        CHECK_INT(r.asks_loudness, table[i].is_asked);
        CHECK_NEAR(r.encoding.gain_db, 0.0, 0.0); /* not before the voice is looked at */
        CHECK_STR(r.others, "");
        kk_speech_request_fini(&r);
    }
}

TEST(null_is_absent)
{
    kk_speech_request r;
    kk_api_error error;
    CHECK_INT(parse(&r,
                    "{\"input\":\"Hi.\",\"text\":null,\"model\":null,\"voice\":null,\"speed\":null,"
                    "\"response_format\":null,\"bitrate\":null,\"sample_rate\":null,"
                    "\"volume\":null,\"stream\":null,\"lang\":null,\"no_cache\":null}",
                    &error),
              0);
    CHECK_STR(r.speak.voice, "af_heart");
    CHECK_STR(r.codec->name, "mp3");
    kk_speech_request_fini(&r);
}

TEST(bad_bodies)
{
    static const struct {
        const char *body;
        int status;
        const char *param, *code, *has;
    } table[] = {
        {"", 400, NULL, "invalid_json", "empty"},
        {"  \n", 400, NULL, "invalid_json", "empty"},
        {"{", 400, NULL, "invalid_json", "not valid JSON"},
        {"{\"input\":\"Hi.\"} x", 400, NULL, "invalid_json", "not valid JSON"},
        {"{\"input\":\"Hi.\",\"input\":\"Ho.\"}", 400, NULL, "invalid_json", "duplicate"},
        {"[\"Hi.\"]", 400, NULL, "invalid_json", "an array"},
        {"\"Hi.\"", 400, NULL, "invalid_json", "not"},
        {"{\"input\":\"\xFF\"}", 400, NULL, "invalid_json", "UTF-8"},
        {"{\"input\":\"\xED\xA0\x80\"}", 400, NULL, "invalid_json", "UTF-8"},
        {"{\"input\":\"\\ud800\"}", 400, NULL, "invalid_json", "not valid JSON"},
        {"{\"input\":\"a\\u0000b\"}", 400, NULL, "invalid_json", "leave it out"},
        {"5", 400, NULL, "invalid_json", "must be a JSON object, not a number"},
        {"\"a\"", 400, NULL, "invalid_json", "must be a JSON object, not a string"},
        {"null", 400, NULL, "invalid_json", "must be a JSON object, not null"},
        {"{\"input\":\"a\nb\"}", 400, NULL, "invalid_json", "newline"},
        {"{\"input\":\"Hi.\",\"speed\":NaN}", 400, NULL, "invalid_json", "not valid JSON"},
        {"{\"input\":\"Hi.\",\"speed\":1e999}", 400, NULL, "invalid_json", "not valid JSON"},
        {"{\"input\":\"Hi.\",\"speed\":99999999999999999999}", 400, "speed", "invalid_speed",
         "1e+20"},
        {"{}", 400, "input", "missing_required_parameter", "'input'"},
        {"{\"voice\":\"af_heart\"}", 400, "input", "missing_required_parameter", "'input'"},
        {"{\"input\":\"a\",\"text\":\"b\"}", 400, "input", "ambiguous_text", "both"},
        {"{\"input\":3}", 400, "input", "invalid_type", "a number"},
        {"{\"input\":[]}", 400, "input", "invalid_type", "an array"},
        {"{\"text\":{}}", 400, "text", "invalid_type", "an object"},
        {"{\"input\":\"\"}", 400, "input", "nothing_to_speak", "empty"},
        {"{\"input\":\" \\t\\r\\n \"}", 400, "input", "nothing_to_speak", "empty"},
        {"{\"text\":\"\"}", 400, "text", "nothing_to_speak", "empty"},
        {"{\"input\":\"12345678901234567890123456789012345678901\"}", 400, "input",
         "string_above_max_length", "limit of 40"},
        {"{\"input\":\"a\",\"model\":\"whisper-1\"}", 404, "model", "model_not_found", "whisper-1"},
        {"{\"input\":\"a\",\"model\":\"\"}", 404, "model", "model_not_found", "''"},
        {"{\"input\":\"a\",\"model\":1}", 400, "model", "invalid_type", "a string"},
        {"{\"input\":\"a\",\"voice\":1}", 400, "voice", "invalid_type", "a number"},
        {"{\"input\":\"a\",\"voice\":{}}", 400, "voice", "invalid_type", "'id'"},
        {"{\"input\":\"a\",\"voice\":{\"id\":7}}", 400, "voice", "invalid_type", "'id'"},
        {"{\"input\":\"a\",\"voice\":\"\"}", 400, "voice", "unknown_voice", "empty"},
        {"{\"input\":\"a\",\"lang\":5}", 400, "lang", "invalid_type", "a string"},
        {"{\"input\":\"a\",\"lang\":\"\"}", 400, "lang", "unknown_language", "empty"},
        {"{\"input\":\"a\",\"speed\":\"fast\"}", 400, "speed", "invalid_type", "a number"},
        {"{\"input\":\"a\",\"speed\":true}", 400, "speed", "invalid_type", "a boolean"},
        {"{\"input\":\"a\",\"speed\":0}", 400, "speed", "invalid_speed", "0.25 to 4"},
        {"{\"input\":\"a\",\"speed\":0.2499}", 400, "speed", "invalid_speed", "0.25 to 4"},
        {"{\"input\":\"a\",\"speed\":4.01}", 400, "speed", "invalid_speed", "4.01"},
        {"{\"input\":\"a\",\"speed\":-1}", 400, "speed", "invalid_speed", "-1"},
        {"{\"input\":\"a\",\"response_format\":\"MP3\"}", 400, "response_format",
         "unsupported_format", "mp3, opus, aac, flac, wav, pcm"},
        {"{\"input\":\"a\",\"response_format\":1}", 400, "response_format", "invalid_type", ""},
        {"{\"text\":\"a\",\"format\":\"ogg\"}", 400, "format", "unsupported_format", "wav, pcm"},
        {"{\"input\":\"a\",\"bitrate\":\"128k\"}", 400, "bitrate", "invalid_type",
         "a whole number"},
        {"{\"input\":\"a\",\"bitrate\":63.5}", 400, "bitrate", "invalid_value", "63.5"},
        {"{\"input\":\"a\",\"bitrate\":0}", 400, "bitrate", "invalid_value", "whole number from 1"},
        {"{\"input\":\"a\",\"bitrate\":65}", 400, "bitrate", "invalid_value",
         "mp3 at 24000 Hz must be 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144 or 160"},
        {"{\"input\":\"a\",\"bitrate\":80,\"sample_rate\":8000}", 400, "bitrate", "invalid_value",
         "mp3 at 8000 Hz must be 8, 16, 24, 32, 40, 48, 56 or 64 kbit/s, not 80"},
        {"{\"input\":\"a\",\"bitrate\":5,\"response_format\":\"opus\"}", 400, "bitrate",
         "invalid_value", "from 6 to 256"},
        {"{\"text\":\"a\",\"bitrate\":64}", 400, "bitrate", "invalid_value", "pcm has no bitrate"},
        {"{\"input\":\"a\",\"sample_rate\":[]}", 400, "sample_rate", "invalid_type", "an array"},
        {"{\"input\":\"a\",\"sample_rate\":1e9}", 400, "sample_rate", "invalid_value", "1e+09"},
        {"{\"input\":\"a\",\"sample_rate\":11025}", 400, "sample_rate", "invalid_value",
         "8000, 12000, 16000, 22050, 24000, 32000, 44100 or 48000 Hz, not 11025"},
        {"{\"input\":\"a\",\"sample_rate\":11025,\"response_format\":\"opus\"}", 400, "sample_rate",
         "invalid_value", "opus must be 8000, 12000, 16000, 22050, 24000, 32000, 44100 or"},
        {"{\"input\":\"a\",\"volume\":\"loud\"}", 400, "volume", "invalid_type", "a number"},
        {"{\"input\":\"a\",\"volume\":-0.1}", 400, "volume", "invalid_value", "from 0 to 2"},
        {"{\"input\":\"a\",\"volume\":2.01}", 400, "volume", "invalid_value", "2.01"},
        {"{\"input\":\"a\",\"loudness\":\"-16\"}", 400, "loudness", "invalid_type",
         "a number, not a string"},
        {"{\"input\":\"a\",\"loudness\":true}", 400, "loudness", "invalid_type", "a boolean"},
        {"{\"input\":\"a\",\"loudness\":-9.9}", 400, "loudness", "invalid_loudness",
         "from -40 to -10 LUFS, or 0 for the voice as it is, not -9.9"},
        {"{\"text\":\"a\",\"loudness\":-40.5}", 400, "loudness", "invalid_loudness", "-40.5"},
        {"{\"input\":\"a\",\"loudness\":16}", 400, "loudness", "invalid_loudness", "not 16"},
        {"{\"input\":\"a\",\"stream\":\"yes\"}", 400, "stream", "invalid_type", "true or false"},
        {"{\"input\":\"a\",\"stream_format\":\"ws\"}", 400, "stream_format",
         "unsupported_stream_format", "audio or sse"},
        {"{\"input\":\"a\",\"timestamps\":\"word\"}", 400, "timestamps", "invalid_type", ""},
        {"{\"input\":\"a\",\"sentence_pause\":-0.5}", 400, "sentence_pause", "invalid_pause",
         "from 0 to 10 seconds"},
        {"{\"input\":\"a\",\"paragraph_pause\":10.5}", 400, "paragraph_pause", "invalid_pause",
         "10.5"},
        {"{\"input\":\"a\",\"paragraph_pause\":\"1s\"}", 400, "paragraph_pause", "invalid_type",
         "a number"},
        {"{\"input\":\"a\",\"stream_format\":1}", 400, "stream_format", "invalid_type", ""},
        {"{\"input\":\"a\",\"instructions\":[]}", 400, "instructions", "invalid_type", ""},
        {"{\"input\":\"a\",\"no_cache\":1}", 400, "no_cache", "invalid_type", "true or false"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        kk_speech_request r;
        kk_api_error error;
        int before = check_failures;
        CHECK_INT(parse(&r, table[i].body, &error), table[i].status);
        CHECK_INT(error.http_status, table[i].status);
        CHECK_STR(error.param != NULL ? error.param : "none",
                  table[i].param != NULL ? table[i].param : "none");
        CHECK_STR(error.code, table[i].code);
        CHECK_HAS(error.message, table[i].has);
        CHECK_STR(error.type, "invalid_request_error");
        if (check_failures != before)
            printf("  body %s -> %s\n", table[i].body, error.message);
        kk_speech_request_fini(&r);
    }
}

TEST(characters_are_counted_not_bytes)
{
    kk_speech_request r;
    kk_api_error error;
    char body[200] = "{\"input\":\"";
    for (int i = 0; i < 40; i++)
        strcat(body, "\xC3\xA9");
    strcat(body, "\"}");
    CHECK_INT(parse(&r, body, &error), 0);
    CHECK_INT(r.speak.text_len, 80);
    kk_speech_request_fini(&r);
}

TEST(deep_nesting_is_refused)
{
    kk_speech_request r;
    kk_api_error error;
    size_t len = 200000;
    char *body = malloc(len + 1);
    memset(body, '[', len);
    body[len] = '\0';
    CHECK_INT(parse(&r, body, &error), 400);
    CHECK_HAS(error.message, "nested");
    kk_speech_request_fini(&r);
    free(body);
    CHECK_INT(kk_json_depth(kk_slice_of("{\"a\":[[1],[2]]}")), 3);
    CHECK_INT(kk_json_depth(kk_slice_of("\"[[\\\"[[\"")), 0);
    CHECK_INT(kk_json_depth(kk_slice_of("]]][")), 1);
    CHECK_INT(kk_json_depth(kk_slice_of("\"\\")), 0);
}

TEST(names_of_openai)
{
    static const struct {
        const char *name, *voice;
    } cases[] = {
        {"alloy", "af_alloy"},
        {"cedar", "am_fenrir"},
        {"alloys", "alloys"},
        {"", ""},
        {"af_bella(2)+af_sky(1)", "af_bella(2)+af_sky(1)"},
        {"alloy(2)+nova", "af_alloy(2)+af_nova"},
        {" echo (0.5) + bm_george+ash", " am_echo (0.5) + bm_george+am_adam"},
        {"alloy(ash", "af_alloy(ash"},
        {"++alloy+", "++af_alloy+"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kk_buf voice = KK_BUF_INIT;
        kk_voice_of_name(&voice, cases[i].name);
        CHECK_STR(kk_buf_str(&voice), cases[i].voice);
        kk_buf_fini(&voice);
    }
    CHECK(kk_model_is_known("kokoro"));
    CHECK(kk_model_is_known("gpt-4o-mini-tts-2025-12-15"));
    CHECK(!kk_model_is_known("gpt-4o-mini-tts-"));
    CHECK(!kk_model_is_known(""));
}

/* Every allocation in turn fails: the answer is 503 with out_of_memory, and nothing leaks. */
TEST(memory_may_be_out_anywhere)
{
    static const char body[] = "{\"input\":\"Hi.\",\"voice\":\"alloy\",\"lang\":\"en-us\"}";
    size_t k = 1;
    kk_json_use_kk_alloc();
    for (; k < 1000; k++) {
        kk_speech_request r;
        kk_api_error error;
        kk_alloc_fail_at(k, 1);
        int status = parse(&r, body, &error);
        kk_alloc_fail_at(0, 0);
        kk_speech_request_fini(&r);
        if (status == 0)
            break;
        CHECK_INT(status, 503);
        CHECK_STR(error.code, "out_of_memory");
    }
    CHECK(k > 3 && k < 1000);
}

TEST(errors_have_four_keys)
{
    kk_buf buf = KK_BUF_INIT;
    kk_api_error error;
    (void)kk_api_fail(&error, 404, NULL, NULL, "no \"%s\" here\n", "x\\y\xFF\xC3\xA9");
    kk_api_write(&buf, &error);
    CHECK_STR(kk_buf_str(&buf),
              "{\"error\":{\"message\":\"no \\\"x\\\\y?\xC3\xA9\\\" here?\","
              "\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
    kk_buf_clear(&buf);
    (void)kk_api_fail(&error, 503, "p", "c", "m");
    kk_api_write(&buf, &error);
    CHECK_STR(kk_buf_str(&buf), "{\"error\":{\"message\":\"m\",\"type\":\"server_error\","
                                "\"param\":\"p\",\"code\":\"c\"}}");
    kk_buf_fini(&buf);
}

TEST(statuses_of_the_engine)
{
    static const struct {
        int status, http_status;
        const char *param;
    } table[] = {
        {KOKORO_BAD_TEXT, 400, "text"},     {KOKORO_NO_SPEECH, 400, "text"},
        {KOKORO_VOICE, 400, "voice"},       {KOKORO_LANGUAGE, 400, "lang"},
        {KOKORO_SPEED, 400, "speed"},       {KOKORO_NO_MEMORY, 503, "none"},
        {KOKORO_PROVIDER, 500, "none"},     {KOKORO_INVALID, 500, "none"},
        {KOKORO_BAD_MODEL, 503, "none"},    {KOKORO_BUSY, 429, "none"},
        {KOKORO_TOO_LONG, 400, "text"},     {KOKORO_PAUSES, 400, "none"},
        {KOKORO_LOUDNESS, 400, "loudness"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        kk_api_error error;
        kokoro_error err = {.status = table[i].status, .message = "why"};
        kk_api_from_engine(&error, &err, "text");
        CHECK_INT(error.http_status, table[i].http_status);
        CHECK_STR(error.param != NULL ? error.param : "none", table[i].param);
        CHECK_STR(error.message, "why");
    }
}

TEST(shown_text_is_cut_between_characters)
{
    char small[6];
    CHECK_STR(kk_text_shown(small, sizeof(small), "abcdefgh"), "abcde");
    CHECK_STR(kk_text_shown(small, sizeof(small), "abcd\xC3\xA9"), "abcd");
    CHECK_STR(kk_text_shown(small, sizeof(small), "a\x01\x7F\xC2\x85z"), "a???z");
}

TEST(hosts)
{
    static const struct {
        bool is_loopback;
        const char *configured, *host;
        bool is_own;
    } table[] = {
        {true, "127.0.0.1", "127.0.0.1", true},
        {true, "127.0.0.1", "127.0.0.1:8000", true},
        {true, "127.0.0.1", "localhost", true},
        {true, "127.0.0.1", "LocalHost:8000", true},
        {true, "127.0.0.1", "[::1]:8000", true},
        {true, "127.0.0.1", "[::1]", true},
        {true, "::1", "[::1]:1", true},
        {true, "127.0.0.2", "127.0.0.2:9", true},
        {true, "kokoro.test", "kokoro.test:9", true},
        {true, "127.0.0.1", "evil.example", false},
        {true, "127.0.0.1", "evil.example:8000", false},
        {true, "127.0.0.1", "127.0.0.1.evil.example", false},
        {true, "127.0.0.1", "localhost.evil.example", false},
        {true, "127.0.0.1", "localhost:80@evil.example", false},
        {true, "127.0.0.1", "127.0.0.2", false},
        {true, "127.0.0.1", "", false},
        {true, "127.0.0.1", ":8000", false},
        {true, "127.0.0.1", "[::1", false},
        {true, "127.0.0.1", "[::1]x", false},
        {false, "0.0.0.0", "anything:80", true},
        {false, "::", "anything", true},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const kk_origin_rule rule = {table[i].configured, table[i].is_loopback};
        if (kk_host_is_own(&rule, table[i].host) != table[i].is_own)
            CHECK_STR(table[i].host, table[i].is_own ? "own" : "foreign");
        check_count++;
    }
}

TEST(origins)
{
    static const struct {
        bool is_loopback;
        const char *origin, *host;
        bool is_own;
    } table[] = {
        {true, "http://localhost:3000", "127.0.0.1:8000", true},
        {true, "http://127.0.0.1", "127.0.0.1:8000", true},
        {true, "https://[::1]:8443", "127.0.0.1:8000", true},
        {true, "http://evil.example", "127.0.0.1:8000", false},
        {true, "http://evil.example", "evil.example", false},
        {true, "http://localhost.evil.example", "localhost", false},
        {true, "null", "127.0.0.1:8000", false},
        {true, "", "127.0.0.1:8000", false},
        {true, "http://", "127.0.0.1:8000", false},
        {true, "chrome-extension://abcdef", "127.0.0.1:8000", false},
        {false, "http://box.lan:8000", "box.lan:8000", true},
        {false, "http://BOX.lan", "box.lan:8000", true},
        {false, "http://evil.example", "box.lan:8000", false},
        {false, "http://evil.example", NULL, false},
        {false, "http://localhost", "box.lan:8000", true},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const kk_origin_rule rule = {table[i].is_loopback ? "127.0.0.1" : "0.0.0.0",
                                     table[i].is_loopback};
        if (kk_origin_is_own(&rule, table[i].origin, table[i].host) != table[i].is_own)
            CHECK_STR(table[i].origin, table[i].is_own ? "own" : "foreign");
        check_count++;
    }
}

TEST_MAIN(T(openai_defaults), T(guide_defaults), T(every_field), T(how_a_format_is_made),
          T(loudness_is_asked_for_or_the_default), T(null_is_absent), T(bad_bodies),
          T(characters_are_counted_not_bytes), T(deep_nesting_is_refused), T(names_of_openai),
          T(memory_may_be_out_anywhere), T(errors_have_four_keys), T(statuses_of_the_engine),
          T(shown_text_is_cut_between_characters), T(hosts), T(origins))
