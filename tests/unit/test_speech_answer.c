/*
 * test_speech_answer.c - how the speech of a request goes out: as events and bare, whole, streamed,
 * and what a client sees of speech that fails before its first sound or in its middle.
 */
#include "check.h"

#include "server/http/http_exchange.h"
#include "server/json.h"
#include "server/speech/speech_answer.h"

#include <stdlib.h>

typedef struct place {
    kk_http_exchange *exchange;
    kk_http_request http;
    kk_speech_request request;
    kk_speech_entry entry; /* zeros: nothing is kept */
    kk_speech_answer answer;
    char sent[200000];
    size_t n_sent;
    long end; /* of kk_exchange_read */
} place;

static void wake(void *connection)
{
    (void)connection;
}

static void park(void *connection)
{
    (void)connection;
}

static void set_up(place *p, const char *body)
{
    static const kk_speech_limits limits = {.max_chars = 100, .default_voice = "af_heart"};
    kk_api_error error;
    memset(p, 0, sizeof(*p));
    (void)snprintf(p->http.id, sizeof(p->http.id), "req_1");
    p->exchange = kk_exchange_create(1 << 20, 10, -1, NULL, wake);
    CHECK(p->exchange != NULL);
    CHECK_INT(kk_speech_request_parse(&p->request, kk_slice_of(body), &limits, &error), 0);
    kk_speech_answer_init(&p->answer, p->exchange, &p->http, &p->request, &p->entry);
}

static int add(place *p, size_t n_samples)
{
    static const float samples[24000];
    const kokoro_chunk chunk = {.samples = samples, .n_samples = n_samples, .n_chunks = 2};
    return kk_speech_answer_add(&p->answer, &chunk);
}

static void end(place *p, int status, const char *message)
{
    const kokoro_stats stats = {.n_phonemes = 9};
    kokoro_error err = {.status = status};
    (void)snprintf(err.message, sizeof(err.message), "%s", message);
    if (status == KOKORO_OK)
        CHECK_INT(kk_speech_answer_finish(&p->answer, &err), KOKORO_OK);
    kk_speech_answer_end(&p->answer, status, &stats, 0, &err);
    do {
        p->end = kk_exchange_read(p->exchange, p->sent + p->n_sent, 4096, park);
        p->n_sent += p->end > 0 ? (size_t)p->end : 0;
    } while (p->end > 0 && p->n_sent + 4096 < sizeof(p->sent));
    p->sent[p->n_sent] = '\0';
}

static void tear_down(place *p)
{
    kk_speech_answer_fini(&p->answer);
    kk_speech_request_fini(&p->request);
    kk_http_release(p->exchange);
}

static const char events[] =
    "{\"input\":\"Hi.\",\"response_format\":\"pcm\",\"stream_format\":\"sse\"}";

TEST(events_end_with_usage)
{
    static place p;
    set_up(&p, events);
    const kokoro_stats stats = {.n_phonemes = 0};
    kk_speech_answer_start(&p.answer, &stats);
    CHECK_INT(add(&p, 3), KOKORO_OK);
    CHECK_INT(add(&p, 1200), KOKORO_OK);
    end(&p, KOKORO_OK, "");
    CHECK_INT(p.end, KK_EXCHANGE_END);
    CHECK(strncmp(p.sent, "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAAAAAAA\"}\n\n",
                  55) == 0);
    CHECK_HAS(p.sent, "data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":9,"
                      "\"output_tokens\":3,\"total_tokens\":12}}\n\n");
    tear_down(&p);
}

TEST(events_of_broken_speech_end_with_an_error)
{
    static place p;
    set_up(&p, events);
    const kokoro_stats stats = {.n_phonemes = 0};
    kk_speech_answer_start(&p.answer, &stats);
    CHECK_INT(add(&p, 1200), KOKORO_OK);
    end(&p, KOKORO_PROVIDER, "the model \"broke\"");
    CHECK_INT(p.end, KK_EXCHANGE_CUT); /* behind what was sent */
    CHECK(strstr(p.sent, "speech.audio.done") == NULL);
    const char *event = strstr(p.sent, "data: {\"error\":");
    CHECK(event != NULL);
    json_t *object = event != NULL ? json_loads(event + 6, 0, NULL) : NULL;
    const json_t *error = json_object_get(object, "error");
    CHECK_INT(json_object_size(error), 4);
    CHECK_STR(json_string_value(json_object_get(error, "message")), "the model \"broke\"");
    CHECK_STR(json_string_value(json_object_get(error, "code")), "engine_failed");
    CHECK_STR(event + strlen(event) - 2, "\n\n");
    json_decref(object);
    tear_down(&p);
}

TEST(bare_sound_of_broken_speech_is_cut)
{
    static place p;
    set_up(&p, "{\"input\":\"Hi.\",\"response_format\":\"pcm\"}");
    const kokoro_stats stats = {.n_phonemes = 0};
    kk_speech_answer_start(&p.answer, &stats);
    CHECK_INT(add(&p, 1200), KOKORO_OK);
    end(&p, KOKORO_PROVIDER, "broke");
    CHECK_INT(p.end, KK_EXCHANGE_CUT);
    CHECK_INT(p.n_sent, 2400);
    tear_down(&p);
}

TEST(what_is_not_streamed_fails_with_its_status)
{
    static place p;
    static const char *const bodies[] = {
        "{\"input\":\"Hi.\",\"response_format\":\"pcm\",\"stream_format\":\"sse\",\"stream\":"
        "false}",
        "{\"input\":\"Hi.\",\"timestamps\":true}",
        "{\"input\":\"Hi.\",\"stream\":false}",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        set_up(&p, bodies[i]);
        const kokoro_stats stats = {.n_phonemes = 0};
        kk_speech_answer_start(&p.answer, &stats);
        CHECK_INT(add(&p, 1200), KOKORO_OK);
        end(&p, KOKORO_PROVIDER, "broke");
        CHECK_INT(p.end, KK_EXCHANGE_END);
        CHECK(strncmp(p.sent, "{\"error\":{\"message\":\"broke\"", 27) == 0);
        tear_down(&p);
    }
}

TEST(one_object_has_exact_sizes)
{
    static place p;
    set_up(&p, "{\"input\":\"Hi.\",\"timestamps\":true,\"response_format\":\"wav\"}");
    const kokoro_stats stats = {.n_phonemes = 0};
    kk_speech_answer_start(&p.answer, &stats);
    CHECK_INT(add(&p, 1200), KOKORO_OK);
    CHECK_INT(add(&p, 1200), KOKORO_OK);
    end(&p, KOKORO_OK, "");
    CHECK_INT(p.end, KK_EXCHANGE_END);
    json_t *object = json_loads(p.sent, 0, NULL);
    CHECK_STR(json_string_value(json_object_get(object, "format")), "wav");
    CHECK_INT(json_string_length(json_object_get(object, "audio")), (4800 + 44 + 2) / 3 * 4);
    /* "RIFF", then 4836 = 0x12E4. */
    CHECK(strncmp(json_string_value(json_object_get(object, "audio")), "UklGRuQSAABX", 12) == 0);
    json_decref(object);
    tear_down(&p);
}

/* As far as `speech.c` has it: what failed within a call of the engine's. */
static void check_refused(place *p, int status, const char *message)
{
    kokoro_error err;
    const kokoro_stats stats = {.n_phonemes = 0};
    kk_speech_answer_start(&p->answer, &stats);
    CHECK_INT(add(p, 1200), KOKORO_OK);
    CHECK_INT(kk_speech_answer_failed(&p->answer, &err), KOKORO_OK);
    CHECK_INT(add(p, 1200), KOKORO_CANCELLED);
    CHECK_INT(kk_speech_answer_failed(&p->answer, &err), status);
    CHECK_HAS(err.message, message);
    end(p, status, err.message);
    CHECK_INT(p->end, KK_EXCHANGE_END);
    CHECK_HAS(p->sent, message);
    tear_down(p);
}

static const char whole_pcm[] = "{\"input\":\"Hi.\",\"stream\":false,\"response_format\":\"pcm\"}";

TEST(an_answer_that_gets_too_long_to_be_collected_is_an_error)
{
    static place p;
    set_up(&p, whole_pcm);
    CHECK_INT(p.answer.max_whole, KK_SPEECH_MAX_WHOLE);
    p.answer.max_whole = 4799;
    check_refused(&p, KOKORO_TOO_LONG, "'stream': true");
    set_up(&p, "{\"input\":\"Hi.\",\"timestamps\":true,\"response_format\":\"pcm\"}");
    CHECK_INT(p.answer.max_whole, KK_SPEECH_MAX_WHOLE / 4 * 3);
    p.answer.max_whole = 4799;
    check_refused(&p, KOKORO_TOO_LONG, "the answer has more than");
}

TEST(an_answer_for_which_others_leave_no_room_is_an_error)
{
    static place p;
    kk_http_waiting waiting = {.len = 1000, .max = 5799};
    set_up(&p, whole_pcm);
    p.exchange->waiting = &waiting;
    check_refused(&p, KOKORO_NO_MEMORY, "other clients");
    CHECK_INT(waiting.len, 1000); /* nothing of it is left */
    waiting.max++;
    set_up(&p, whole_pcm);
    p.exchange->waiting = &waiting;
    CHECK_INT(add(&p, 2400), KOKORO_OK);
    CHECK_INT(waiting.len, 5800);
    end(&p, KOKORO_OK, "");
    CHECK_INT(p.n_sent, 4800);
    CHECK_INT(waiting.len, 1000);
    tear_down(&p);
}

TEST_MAIN(T(events_end_with_usage), T(events_of_broken_speech_end_with_an_error),
          T(bare_sound_of_broken_speech_is_cut), T(what_is_not_streamed_fails_with_its_status),
          T(one_object_has_exact_sizes),
          T(an_answer_that_gets_too_long_to_be_collected_is_an_error),
          T(an_answer_for_which_others_leave_no_room_is_an_error))
