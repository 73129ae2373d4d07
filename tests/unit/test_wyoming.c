/* test_wyoming.c - events of the Wyoming protocol: framing in any pieces, its limits, and what
 * requests say. */
#include "base/alloc.h"
#include "check.h"
#include "server/json.h"
#include "server/wyoming/wyoming_event.h"
#include "server/wyoming/wyoming_frame.h"
#include "server/wyoming/wyoming_link.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the reader makes of `bytes` in pieces of `step`: "type{data}" for each event, "?" for a bad
 * one, "!" where it is broken. */
static void read_events(kk_buf *dst, const char *bytes, size_t len, size_t step)
{
    kk_wyoming_reader reader = {.in = KK_BUF_INIT};
    for (size_t i = 0; i < len; i += step) {
        kk_wyoming_event event;
        kokoro_error err = {0};
        CHECK(kk_wyoming_reader_add(&reader, bytes + i, len - i < step ? len - i : step));
        for (;;) {
            enum kk_wyoming_verdict verdict = kk_wyoming_reader_next(&reader, &event, &err);
            if (verdict == KK_WYOMING_MORE)
                break;
            if (verdict == KK_WYOMING_EVENT) {
                kk_buf_append_str(dst, event.type);
                kk_json_write(dst, json_incref((json_t *)(uintptr_t)event.data));
                kk_wyoming_event_fini(&event);
            } else {
                CHECK(err.message[0] != '\0');
                kk_buf_append_char(dst, verdict == KK_WYOMING_BAD ? '?' : '!');
            }
            if (verdict == KK_WYOMING_BROKEN) {
                kk_wyoming_reader_fini(&reader);
                return;
            }
        }
    }
    kk_wyoming_reader_fini(&reader);
}

static void check_events(const char *bytes, const char *want)
{
    for (size_t step = 1; step < 200; step += step < 12 ? 1 : 37) {
        kk_buf got = KK_BUF_INIT;
        read_events(&got, bytes, strlen(bytes), step);
        CHECK_STR(kk_buf_str(&got), want);
        kk_buf_fini(&got);
    }
}

TEST(events)
{
    check_events("{\"type\":\"describe\"}\n", "describe{}");
    check_events("{\"type\":\"describe\",\"data\":null,\"data_length\":null}\r\n", "describe{}");
    check_events("{\"type\":\"ping\",\"data\":{\"text\":\"a\"}}\n", "ping{\"text\":\"a\"}");
    check_events("{\"type\":\"ping\",\"version\":\"1\",\"data_length\":12}\n{\"text\":\"a\"}"
                 "{\"type\":\"describe\"}\n",
                 "ping{\"text\":\"a\"}describe{}");
    check_events("{\"type\":\"x\",\"data\":{\"a\":1,\"b\":2},\"data_length\":16,"
                 "\"payload_length\":5}\n{\"b\":3,\"c\":\"\\n\"}\n{\"}\x01{\"type\":\"y\"}\n",
                 "x{\"a\":1,\"b\":3,\"c\":\"\\n\"}y{}");
    check_events(
        "{\"type\":\"x\",\"payload_length\":3}\nabc{\"type\":\"x\",\"payload_length\":0}\n",
        "x{}x{}");
}

TEST(bad_events_are_passed_over)
{
    check_events("{}\n{\"type\":\"y\"}\n", "?y{}");
    check_events("{\"type\":7}\n{\"type\":\"y\"}\n", "?y{}");
    check_events("{\"type\":\"x\",\"data\":[1]}\n{\"type\":\"y\"}\n", "?y{}");
    check_events("{\"type\":\"x\",\"data_length\":3}\n[1]{\"type\":\"y\"}\n", "?y{}");
    check_events("{\"type\":\"x\",\"data_length\":3,\"payload_length\":2}\n{{{ab{\"type\":\"y\"}\n",
                 "?y{}");
    check_events("{\"type\":\"x\",\"data_length\":10}\n{\"t\":\"\xFF\"}\n{\"type\":\"y\"}\n",
                 "?y{}");
}

TEST(broken_framing)
{
    check_events("hello\n{\"type\":\"y\"}\n", "!");
    check_events("\n", "!");
    check_events("[]\n", "!");
    check_events("{\"type\":\"x\",\"type\":\"y\"}\n", "!");
    check_events("{\"type\":\"x\",\"data_length\":-1}\n", "!");
    check_events("{\"type\":\"x\",\"data_length\":\"3\"}\n", "!");
    check_events("{\"type\":\"x\",\"data_length\":1.5}\n", "!");
    check_events("{\"type\":\"x\",\"data_length\":1048577}\n", "!");
    check_events("{\"type\":\"x\",\"payload_length\":16777217}\n", "!");
    check_events("{\"type\":\"x\",\"data_length\":99999999999999999999}\n", "!");
}

TEST(long_lines_and_data)
{
    kk_buf bytes = KK_BUF_INIT, got = KK_BUF_INIT;
    for (size_t i = 0; i <= KK_WYOMING_MAX_LINE; i++)
        kk_buf_append_char(&bytes, ' ');
    read_events(&got, bytes.data, bytes.len, 1000);
    CHECK_STR(kk_buf_str(&got), "!");
    kk_buf_clear(&got);
    kk_buf_clear(&bytes);
    kk_buf_appendf(&bytes, "{\"type\":\"x\",\"data_length\":%d}\n{\"t\":\"", KK_WYOMING_MAX_DATA);
    for (size_t i = 0; i < KK_WYOMING_MAX_DATA - 8; i++)
        kk_buf_append_char(&bytes, 'a');
    kk_buf_append_str(&bytes, "\"}");
    read_events(&got, bytes.data, bytes.len, 4096);
    CHECK_INT(got.len, 1 + KK_WYOMING_MAX_DATA);
    kk_buf_clear(&bytes);
    for (int i = 0; i < 40; i++)
        kk_buf_append_str(&bytes, "{\"a\":");
    kk_buf_append_str(&bytes, "\n");
    kk_buf_clear(&got);
    read_events(&got, bytes.data, bytes.len, 4096);
    CHECK_STR(kk_buf_str(&got), "!");
    kk_buf_fini(&bytes);
    kk_buf_fini(&got);
}

TEST(room)
{
    kk_wyoming_reader reader = {.in = KK_BUF_INIT};
    const size_t all = kk_wyoming_reader_room(&reader);
    CHECK_INT(all, KK_WYOMING_MAX_LINE + KK_WYOMING_MAX_DATA);
    CHECK(!kk_wyoming_reader_is_inside(&reader));
    CHECK(kk_wyoming_reader_add(&reader, "{\"ty", 4));
    CHECK_INT(kk_wyoming_reader_room(&reader), all - 4);
    CHECK(kk_wyoming_reader_is_inside(&reader));
    kk_wyoming_reader_fini(&reader);
}

TEST(writing)
{
    kk_buf bytes = KK_BUF_INIT;
    kk_wyoming_write(&bytes, "pong", KK_SLICE(""), 0);
    kk_wyoming_write(&bytes, "audio-chunk", KK_SLICE("{\"rate\":24000}"), 2);
    kk_buf_append_str(&bytes, "ab");
    kk_wyoming_write(&bytes, "audio-stop", KK_SLICE(""), 0);
    check_events(bytes.data, "pong{}audio-chunk{\"rate\":24000}audio-stop{}");
    kk_buf_fini(&bytes);
}

static int wish_of(const char *text, kk_wyoming_wish *wish, json_t **owner, kk_api_error *error)
{
    *owner = json_loads(text, 0, NULL);
    CHECK(*owner != NULL);
    return kk_wyoming_take_wish(*owner, wish, error);
}

TEST(wishes)
{
    kk_wyoming_wish wish;
    kk_api_error error;
    json_t *owner;
    CHECK_INT(wish_of("{}", &wish, &owner, &error), 0);
    CHECK(wish.name == NULL && wish.speaker == NULL && wish.language == NULL);
    json_decref(owner);
    CHECK_INT(wish_of("{\"voice\":{\"name\":\"af_sky\",\"language\":\"en\",\"speaker\":null},"
                      "\"text_format\":\"text\",\"context\":[]}",
                      &wish, &owner, &error),
              0);
    CHECK_STR(wish.name, "af_sky");
    CHECK_STR(wish.language, "en");
    CHECK(wish.speaker == NULL);
    json_decref(owner);
    static const char *const bad[] = {"{\"voice\":\"af_sky\"}", "{\"voice\":{\"name\":1}}",
                                      "{\"voice\":{\"language\":[]}}", "{\"text_format\":\"ssml\"}",
                                      "{\"text_format\":1}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_INT(wish_of(bad[i], &wish, &owner, &error), 400);
        CHECK(error.message[0] != '\0');
        json_decref(owner);
    }
}

TEST(texts)
{
    kk_api_error error;
    kk_slice text;
    json_t *data = json_pack("{s:s}", "text", "Hi.");
    CHECK_INT(kk_wyoming_take_text(data, &text, &error), 0);
    CHECK(kk_slice_equal(text, KK_SLICE("Hi.")));
    (void)json_object_set_new(data, "text", json_integer(1));
    CHECK_INT(kk_wyoming_take_text(data, &text, &error), 400);
    CHECK_STR(error.code, "invalid_type");
    (void)json_object_clear(data);
    CHECK_INT(kk_wyoming_take_text(data, &text, &error), 400);
    json_decref(data);
}

TEST(info)
{
    kk_buf text = KK_BUF_INIT;
    json_t *voices = json_array();
    const kokoro_voice voice = {"bm_george", "en-gb", "male"};
    (void)json_array_append_new(voices, kk_wyoming_voice(&voice));
    kk_json_write(&text, kk_wyoming_info(voices));
    CHECK_HAS(kk_buf_str(&text), "\"name\":\"kokoro\"");
    CHECK_HAS(kk_buf_str(&text), "\"supports_synthesize_streaming\":true");
    CHECK_HAS(kk_buf_str(&text), "\"name\":\"bm_george\",\"description\":\"George (en-GB, male)\"");
    CHECK_HAS(kk_buf_str(&text), "\"languages\":[\"en-GB\"]");
    kk_buf_fini(&text);
}

TEST(memory_out)
{
    static const char bytes[] = "{\"type\":\"ping\",\"data\":{\"a\":1},\"data_length\":12}\n"
                                "{\"text\":\"a\"}";
    bool is_done = false;
    kk_json_use_kk_alloc();
    for (size_t k = 1; k < 100 && !is_done; k++) {
        kk_wyoming_reader reader = {.in = KK_BUF_INIT};
        kk_wyoming_event event = {NULL, NULL, NULL};
        kk_alloc_fail_at(k, 1);
        bool is_added = kk_wyoming_reader_add(&reader, bytes, sizeof(bytes) - 1);
        enum kk_wyoming_verdict verdict =
            is_added ? kk_wyoming_reader_next(&reader, &event, NULL) : KK_WYOMING_NO_MEMORY;
        kk_alloc_fail_at(0, 0);
        is_done = verdict == KK_WYOMING_EVENT;
        CHECK(is_done || verdict == KK_WYOMING_NO_MEMORY);
        kk_wyoming_event_fini(&event);
        kk_wyoming_reader_fini(&reader);
    }
    CHECK(is_done);
}

/* --- a client that does not read --- */

typedef struct blocking {
    int n_blocked, n_freed;
    int fd; /* of the client, who reads from then on */
    pthread_t reader;
} blocking;

static void *read_all(void *user)
{
    const blocking *b = user;
    char bytes[4096];
    while (read(b->fd, bytes, sizeof(bytes)) > 0) {
    }
    return NULL;
}

static void on_block(void *user, bool is_blocked)
{
    blocking *b = user;
    b->n_blocked += is_blocked;
    b->n_freed += !is_blocked;
    if (is_blocked && b->n_blocked == 1)
        CHECK_INT(pthread_create(&b->reader, NULL, read_all, b), 0);
}

TEST(who_waits_for_a_client_to_read_is_told)
{
    enum { LEN = 1 << 22 }; /* more than a socket holds */
    int fds[2];
    static char payload[LEN];
    const atomic_bool must_end = false;
    blocking b = {0};
    kk_wyoming_link link;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    const kk_wyoming_peer peer = {.fd = fds[0], .drain_fd = -1, .must_end = &must_end};
    b.fd = fds[1];
    kk_wyoming_link_init(&link, &peer);
    link.on_block = on_block;
    link.on_block_user = &b;
    CHECK(kk_wyoming_link_send(&link, "pong", KK_SLICE(""), KK_SLICE("")));
    CHECK_INT(b.n_blocked, 0); /* there was room */
    CHECK(kk_wyoming_link_send(&link, "audio-chunk", KK_SLICE(""), (kk_slice){payload, LEN}));
    CHECK(b.n_blocked >= 1);
    CHECK_INT(b.n_freed, b.n_blocked);
    (void)close(fds[0]);
    (void)pthread_join(b.reader, NULL);
    kk_wyoming_link_fini(&link);
    (void)close(fds[1]);
}

TEST(who_goes_while_he_is_waited_for_is_told_of_too)
{
    int fds[2];
    static char payload[1 << 22];
    atomic_bool must_end = true; /* looked at behind the first bytes */
    blocking b = {.fd = -1};
    kk_wyoming_link link;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    const kk_wyoming_peer peer = {.fd = fds[0], .drain_fd = -1, .must_end = &must_end};
    kk_wyoming_link_init(&link, &peer);
    link.on_block = on_block;
    link.on_block_user = &b;
    CHECK(!kk_wyoming_link_send(&link, "audio-chunk", KK_SLICE(""),
                                (kk_slice){payload, sizeof(payload)}));
    CHECK(link.is_gone);
    CHECK_INT(b.n_freed, b.n_blocked);
    kk_wyoming_link_fini(&link);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

TEST_MAIN(T(events), T(bad_events_are_passed_over), T(broken_framing), T(long_lines_and_data),
          T(room), T(writing), T(wishes), T(texts), T(info), T(memory_out),
          T(who_waits_for_a_client_to_read_is_told),
          T(who_goes_while_he_is_waited_for_is_told_of_too))
