/* test_speech_frame.c - speech as events and as one object: what asks for them, and what they hold.
 */
#include "base/alloc.h"
#include "check.h"
#include "server/json.h"
#include "server/speech/speech_frame.h"

static const kk_speech_limits limits = {.max_chars = 40, .default_voice = "af_heart"};

static int parse(kk_speech_request *request, const char *body, kk_api_error *error)
{
    memset(error, 0, sizeof(*error));
    return kk_speech_request_parse(request, kk_slice_of(body), &limits, error);
}

TEST(frames)
{
    static const struct {
        const char *body;
        enum kk_speech_frame frame;
        const char *content_type;
        bool is_streamed;
    } table[] = {
        {"{\"input\":\"a\"}", KK_FRAME_NONE, "audio/mpeg", true},
        {"{\"input\":\"a\",\"stream_format\":\"sse\",\"model\":\"tts-1\"}", KK_FRAME_EVENTS,
         "text/event-stream", true},
        {"{\"input\":\"a\",\"stream_format\":\"sse\",\"stream\":false}", KK_FRAME_EVENTS,
         "text/event-stream", false},
        {"{\"text\":\"a\",\"stream_format\":\"sse\",\"timestamps\":true}", KK_FRAME_EVENTS,
         "text/event-stream", false},
        {"{\"input\":\"a\",\"timestamps\":true,\"stream\":true}", KK_FRAME_OBJECT,
         "application/json", false},
        {"{\"input\":\"a\",\"timestamps\":false}", KK_FRAME_NONE, "audio/mpeg", true},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        kk_speech_request r;
        kk_api_error error;
        CHECK_INT(parse(&r, table[i].body, &error), 0);
        CHECK_INT(r.frame, table[i].frame);
        CHECK_STR(r.content_type, table[i].content_type);
        CHECK_INT(r.is_streamed, table[i].is_streamed);
        kk_speech_request_fini(&r);
    }
}

TEST(more_than_openai_has)
{
    kk_speech_request r;
    kk_api_error error;
    CHECK_INT(parse(&r,
                    "{\"input\":\" \\t\\u00a0Hi.\",\"sentence_pause\":0.25,\"paragraph_pause\":10,"
                    "\"timestamps\":true,\"instructions\":\"\"}",
                    &error),
              0);
    CHECK_NEAR(r.speak.sentence_pause_s, 0.25, 0.0);
    CHECK_NEAR(r.speak.paragraph_pause_s, 10.0, 0.0);
    CHECK(r.speak.wants_words);
    CHECK(!r.has_instructions);
    CHECK_INT(r.n_chars_in_front, 2); /* what is not ASCII stays in the text */
    kk_speech_request_fini(&r);
    CHECK_INT(parse(&r, "{\"input\":\"Hi.\",\"instructions\":\"softly\"}", &error), 0);
    CHECK(r.has_instructions && !r.speak.wants_words);
    kk_speech_request_fini(&r);
}

/* "data: {...}\n\n" of the dst; the object, the caller's. */
static json_t *read_event(const char **at)
{
    const char *end = strstr(*at, "\n\n");
    json_t *event = NULL;
    CHECK(strncmp(*at, "data: ", 6) == 0);
    CHECK(end != NULL);
    if (end != NULL) {
        event = json_loadb(*at + 6, (size_t)(end - *at) - 6, 0, NULL);
        *at = end + 2;
    }
    CHECK(event != NULL);
    return event;
}

static void frame_everything(kk_buf *dst, const kk_speech_request *r, bool as_object)
{
    static const kokoro_timed_word heard[] = {{0, 5, 0.1, 0.25}, {6, 4, 0.3, 1.0 / 3.0}};
    static const char bytes[30000] = "RIFF";
    const kokoro_chunk chunk = {.words = heard, .n_words = 2};
    const kokoro_stats stats = {.n_phonemes = 11};
    const kk_slice sound = {bytes, sizeof(bytes)};
    kk_frame_words words;
    kk_frame_words_init(&words, r);
    kk_frame_words_add(&words, &chunk);
    if (as_object) {
        kk_frame_object(dst, sound, r, &words);
    } else {
        kk_frame_deltas(dst, sound, 0.0, 0.4, &words); /* cut at 0.328 s */
        kk_frame_done(dst, &stats, 601);
    }
    dst->failed = dst->failed || words.failed;
    kk_frame_words_fini(&words);
}

static void check_words(const json_t *words)
{
    const json_t *word = json_array_get(words, 1);
    CHECK_INT(json_array_size(words), 2);
    CHECK_STR(json_string_value(json_object_get(word, "word")), "wide");
    CHECK_INT(json_integer_value(json_object_get(word, "offset")), 6); /* characters, with front */
    CHECK_INT(json_integer_value(json_object_get(word, "length")), 4);
    CHECK_NEAR(json_number_value(json_object_get(word, "start")), 0.3, 1e-9);
    CHECK_NEAR(json_number_value(json_object_get(word, "end")), 0.333333, 1e-9);
}

static const char framed_body[] =
    "{\"input\":\" caf\\u00e9 wide\",\"timestamps\":true,\"stream_format\":\"sse\","
    "\"response_format\":\"wav\"}";

TEST(events_hold_sound_and_words)
{
    kk_speech_request r;
    kk_api_error error;
    kk_buf dst = KK_BUF_INIT;
    CHECK_INT(parse(&r, framed_body, &error), 0);
    CHECK_STR(r.speak.text, "caf\xC3\xA9 wide");
    frame_everything(&dst, &r, false);
    CHECK(!dst.failed);
    const char *at = kk_buf_str(&dst);
    json_t *first = read_event(&at), *second = read_event(&at), *done = read_event(&at);
    CHECK_STR(json_string_value(json_object_get(first, "type")), "speech.audio.delta");
    CHECK_INT(json_string_length(json_object_get(first, "audio")), 24576 / 3 * 4);
    CHECK(strncmp(json_string_value(json_object_get(first, "audio")), "UklGRgAA", 8) == 0);
    /* Each word in the event with whose sound it has ended. */
    json_t *words = json_object_get(first, "timestamps");
    CHECK_INT(json_array_size(words), 1);
    CHECK_INT(json_array_extend(words, json_object_get(second, "timestamps")), 0);
    check_words(words);
    CHECK_INT(json_string_length(json_object_get(second, "audio")), (30000 - 24576) / 3 * 4);
    CHECK_STR(json_string_value(json_object_get(done, "type")), "speech.audio.done");
    const json_t *usage = json_object_get(done, "usage");
    CHECK_INT(json_integer_value(json_object_get(usage, "input_tokens")), 11);
    CHECK_INT(json_integer_value(json_object_get(usage, "output_tokens")), 2);
    CHECK_INT(json_integer_value(json_object_get(usage, "total_tokens")), 13);
    CHECK_STR(at, "");
    json_decref(first);
    json_decref(second);
    json_decref(done);
    kk_buf_clear(&dst);
    (void)kk_api_fail(&error, 500, NULL, "engine_failed", "it \"failed\"");
    kk_frame_error(&dst, &error);
    at = kk_buf_str(&dst);
    json_t *event = read_event(&at);
    CHECK_STR(json_string_value(json_object_get(json_object_get(event, "error"), "message")),
              "it \"failed\"");
    CHECK_STR(at, "");
    json_decref(event);
    kk_buf_fini(&dst);
    kk_speech_request_fini(&r);
}

TEST(one_object_holds_sound_and_words)
{
    kk_speech_request r;
    kk_api_error error;
    kk_buf dst = KK_BUF_INIT;
    CHECK_INT(parse(&r, framed_body, &error), 0);
    frame_everything(&dst, &r, true);
    CHECK(!dst.failed);
    json_t *object = json_loads(kk_buf_str(&dst), 0, NULL);
    CHECK_INT(json_string_length(json_object_get(object, "audio")), 40000);
    CHECK_STR(json_string_value(json_object_get(object, "format")), "wav");
    CHECK_INT(json_integer_value(json_object_get(object, "sample_rate")), 24000);
    check_words(json_object_get(object, "timestamps"));
    json_decref(object);
    kk_buf_fini(&dst);
    kk_speech_request_fini(&r);
}

/* Of opus it is that of every decoder, whatever was asked for. */
TEST(the_object_tells_the_rate_of_its_sound)
{
    static const struct {
        const char *body;
        int hz;
    } table[] = {
        {"{\"input\":\"caf\u00e9 wide\",\"timestamps\":true,\"response_format\":\"wav\","
         "\"sample_rate\":16000}",
         16000},
        {"{\"input\":\"caf\u00e9 wide\",\"timestamps\":true,\"sample_rate\":44100}", 44100},
        {"{\"input\":\"caf\u00e9 wide\",\"timestamps\":true,\"response_format\":\"opus\","
         "\"sample_rate\":16000}",
         48000}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        kk_speech_request r;
        kk_api_error error;
        kk_buf dst = KK_BUF_INIT;
        CHECK_INT(parse(&r, table[i].body, &error), 0);
        frame_everything(&dst, &r, true);
        json_t *object = json_loads(kk_buf_str(&dst), 0, NULL);
        CHECK_INT(json_integer_value(json_object_get(object, "sample_rate")), table[i].hz);
        json_decref(object);
        kk_buf_fini(&dst);
        kk_speech_request_fini(&r);
    }
}

TEST(frames_tell_of_memory)
{
    kk_speech_request r;
    kk_api_error error;
    kk_json_use_kk_alloc();
    CHECK_INT(parse(&r, framed_body, &error), 0);
    for (int as_object = 0; as_object < 2; as_object++) {
        bool failed = true;
        size_t k = 1;
        for (; failed && k < 500; k++) {
            kk_buf dst = KK_BUF_INIT;
            kk_alloc_fail_at(k, 0);
            frame_everything(&dst, &r, as_object != 0);
            kk_alloc_fail_at(0, 0);
            failed = dst.failed;
            kk_buf_fini(&dst);
        }
        CHECK(!failed);
        CHECK(k > 5);
    }
    kk_speech_request_fini(&r);
}

TEST_MAIN(T(frames), T(more_than_openai_has), T(events_hold_sound_and_words),
          T(one_object_holds_sound_and_words), T(the_object_tells_the_rate_of_its_sound),
          T(frames_tell_of_memory))
