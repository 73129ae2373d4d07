/* test_bench_stream.c - answers over HTTP as they may come in, and what is heard in them. */
#include "bench/stream_client.h"
#include "check.h"

typedef struct sink {
    char text[256];
    size_t len;
} sink;

static void take(void *user, const char *bytes, size_t n)
{
    sink *s = user;
    for (size_t i = 0; i < n && s->len + 1 < sizeof(s->text); i++)
        s->text[s->len++] = bytes[i];
    s->text[s->len] = '\0';
}

/* The whole answer in parts of `step` bytes. */
static kk_http_reader read_in_parts(const char *answer, size_t step, sink *out)
{
    kk_http_reader reader = KK_HTTP_READER_INIT;
    *out = (sink){.len = 0};
    for (size_t at = 0; at < strlen(answer); at += step) {
        const size_t rest = strlen(answer) - at;
        if (!kk_http_read(&reader, answer + at, rest < step ? rest : step, take, out))
            break;
    }
    return reader;
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\n"

TEST(a_chunked_answer_in_any_parts)
{
    static const char answer[] = HEAD "Transfer-Encoding: chunked\r\n\r\n"
                                      "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nTrailer: 1\r\n\r\n";
    for (size_t step = 1; step <= sizeof(answer); step++) {
        sink out;
        const kk_http_reader reader = read_in_parts(answer, step, &out);
        CHECK_STR(out.text, "hello world");
        CHECK(reader.is_over);
        CHECK(!reader.is_broken);
        CHECK_INT(reader.status, 200);
    }
}

TEST(a_counted_answer_and_one_that_ends_with_the_connection)
{
    sink out;
    kk_http_reader reader = read_in_parts(HEAD "Content-Length: 3\r\n\r\nabc", 4, &out);
    CHECK(reader.is_over);
    CHECK_STR(out.text, "abc");
    reader = read_in_parts(HEAD "\r\nabc", 3, &out);
    CHECK(!reader.is_over);
    CHECK_STR(out.text, "abc");
    reader = read_in_parts("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 7, &out);
    CHECK(reader.is_over);
    CHECK_INT(reader.status, 503);
    reader =
        read_in_parts("HTTP/1.1 100 Continue\r\n\r\n" HEAD "content-length: 1\r\n\r\nx", 5, &out);
    CHECK(reader.is_over);
    CHECK_INT(reader.status, 200);
}

TEST(what_is_no_answer_is_broken)
{
    static const char *const answers[] = {"ICY 200 OK\r\n\r\n",
                                          "HTTP/1.1 abc\r\n",
                                          HEAD "no colon\r\n\r\n",
                                          HEAD "Content-Length: 12x\r\n\r\n",
                                          HEAD "Content-Length: 99999999999999999999\r\n\r\n",
                                          HEAD "Transfer-Encoding: gzip\r\n\r\n",
                                          HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
                                          HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
                                          HEAD "Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n"};
    char longer[2048];
    sink out;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        CHECK(read_in_parts(answers[i], 1000, &out).is_broken);
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    CHECK(read_in_parts(longer, 100, &out).is_broken);
}

/* n samples of one value, little-endian. */
static void hear(kk_stream_ear *ear, double now_s, int value, size_t n)
{
    const unsigned char sample[2] = {(unsigned char)(value & 0xFF),
                                     (unsigned char)(value >> 8 & 0xFF)};
    for (size_t i = 0; i < n; i++)
        kk_stream_hear(ear, now_s, (const char *)sample, 2);
}

TEST(the_first_sound_is_not_silence)
{
    kk_stream_ear ear = {.asked_s = 10.0};
    hear(&ear, 10.5, 0, 2400);
    CHECK(ear.first_s <= 0.0);
    hear(&ear, 10.8, -3, 2400);
    CHECK(ear.first_s <= 0.0);
    hear(&ear, 11.0, -500, 2400);
    CHECK_NEAR(ear.first_s, 11.0, 1e-9);
    CHECK_INT(ear.n_samples, 7200);
    CHECK_NEAR(ear.heard_s, 0.1, 1e-9);
}

TEST(a_sample_may_come_in_two_halves)
{
    kk_stream_ear ear = {.asked_s = 1.0};
    const char bytes[] = {0x00, 0x10};
    kk_stream_hear(&ear, 1.1, bytes, 1);
    CHECK_INT(ear.n_samples, 0);
    kk_stream_hear(&ear, 1.2, bytes + 1, 1);
    CHECK_INT(ear.n_samples, 1);
    CHECK_NEAR(ear.first_s, 1.2, 1e-9);
}

TEST(a_listener_who_has_to_wait_ran_dry)
{
    kk_stream_ear in_time = {.asked_s = 1.0}, late = {.asked_s = 1.0};
    hear(&in_time, 1.1, 500, 24000);
    hear(&in_time, 2.0, 500, 24000);
    hear(&in_time, 3.05, 500, 24000);
    CHECK(!in_time.ran_dry);
    hear(&late, 1.1, 500, 24000);
    hear(&late, 2.3, 500, 24000);
    CHECK(late.ran_dry);
}

TEST(nobody_is_there)
{
    const kk_stream_target nobody = {.host = "127.0.0.1", .port = 1};
    kk_stream_figures figures;
    CHECK(!kk_stream_server_is_well(&nobody));
    const kk_stream_request request = {
        .target = nobody, .text = "Hello", .voice = "af_heart", .limit_s = 5.0};
    kk_stream_listen(&request, &figures);
    CHECK_STR(figures.problem, "nobody answers");
}

TEST_MAIN(T(a_chunked_answer_in_any_parts),
          T(a_counted_answer_and_one_that_ends_with_the_connection), T(what_is_no_answer_is_broken),
          T(the_first_sound_is_not_silence), T(a_sample_may_come_in_two_halves),
          T(a_listener_who_has_to_wait_ran_dry), T(nobody_is_there))
