/* test_bench_stream.c - answers over HTTP as they may come in, and what is heard in them. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "bench/stream_client.h"

#include "base/file.h"
#include "bench/streams.h"
#include "bench/texts.h"
#include "check.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* ---- a server that says one thing to all ----------------------------------------------------- */

typedef struct deaf_server {
    int fd;
    const char *answer;
    char head[1024]; /* of the last request */
    int n_asked;
} deaf_server;

static void *answer_all(void *user)
{
    deaf_server *s = user;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0;) {
        size_t len = 0;
        ssize_t n = 1;
        s->head[0] = '\0';
        while (n > 0 && len + 1 < sizeof(s->head) && strstr(s->head, "\r\n\r\n") == NULL) {
            n = recv(fd, s->head + len, sizeof(s->head) - 1 - len, 0);
            len += n > 0 ? (size_t)n : 0;
            s->head[len] = '\0';
        }
        s->n_asked++;
        (void)kk_write_all(fd, s->answer, strlen(s->answer));
        (void)shutdown(fd, SHUT_WR);
        while (recv(fd, (char[64]){0}, 64, 0) > 0)
            continue;
        (void)close(fd);
    }
    return NULL;
}

static kk_stream_target begin_deaf(deaf_server *s, pthread_t *thread)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_INT(listen(s->fd, 16), 0);
    CHECK_INT(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
    CHECK_INT(pthread_create(thread, NULL, answer_all, s), 0);
    return (kk_stream_target){.host = "127.0.0.1", .port = ntohs(address.sin_port)};
}

static void end_deaf(deaf_server *s, pthread_t thread)
{
    (void)shutdown(s->fd, SHUT_RDWR);
    (void)pthread_join(thread, NULL);
    (void)close(s->fd);
}

#define SOUND                                                                                      \
    HEAD "Content-Length: 8\r\n\r\n\x10"                                                           \
         "a\x10"                                                                                   \
         "a\x10"                                                                                   \
         "a\x10"                                                                                   \
         "a"
#define REFUSAL "HTTP/1.1 401 Unauthorized\r\nContent-Length: 21\r\n\r\n{\"error\":\"wrong key\"}"

static int measure(const char *answer, const char *key, deaf_server *s, kk_bench_result *result,
                   kokoro_error *err)
{
    pthread_t thread;
    *s = (deaf_server){.answer = answer};
    const kk_stream_target target = begin_deaf(s, &thread);
    const kk_bench_request request = {.voice = "af_heart"};
    kk_bench_result_init(result);
    CHECK_INT(kk_bench_own_texts(result, false, err), KOKORO_OK);
    CHECK_INT(key != NULL ? setenv("KOKORO_API_KEY", key, 1) : unsetenv("KOKORO_API_KEY"), 0);
    const int status = kk_bench_measure_streams(result, &request, &target, err);
    end_deaf(s, thread);
    return status;
}

TEST(a_key_is_sent_and_never_told)
{
    deaf_server s;
    kk_bench_result result;
    kokoro_error err = {.message = ""};
    CHECK_INT(measure(SOUND, "sk-our-key_1", &s, &result, &err), KOKORO_OK);
    CHECK_STR(err.message, "");
    CHECK_HAS(s.head, "\r\nAuthorization: Bearer sk-our-key_1\r\n");
    CHECK_INT(s.n_asked, 32);
    CHECK_INT(result.streams[3].n_failed, 0);
    kk_bench_result_fini(&result);
    CHECK_INT(measure(SOUND, NULL, &s, &result, &err), KOKORO_OK);
    CHECK(strstr(s.head, "Authorization") == NULL);
    kk_bench_result_fini(&result);
    CHECK_INT(measure(SOUND, "a\r\nX-Other: b", &s, &result, &err), KOKORO_INVALID);
    CHECK_INT(s.n_asked, 0);
    CHECK_HAS(err.message, "KOKORO_API_KEY");
    CHECK(strstr(err.message, "X-Other") == NULL);
    kk_bench_result_fini(&result);
}

TEST(streams_that_fail_are_a_failure)
{
    deaf_server s;
    kk_bench_result result;
    kokoro_error err = {.message = ""};
    CHECK_INT(measure(REFUSAL, "sk-secret", &s, &result, &err), KOKORO_IO);
    CHECK_HAS(err.message, "32 of 32 streams failed, the first by status 401: ");
    CHECK_HAS(err.message, "KOKORO_API_KEY");
    CHECK(strstr(err.message, "sk-secret") == NULL);
    CHECK_INT(result.n_streams, 4); /* which the report shows all the same */
    CHECK_INT(result.streams[3].n_failed, 8);
    kk_bench_result_fini(&result);
    CHECK_INT(unsetenv("KOKORO_API_KEY"), 0);
}

TEST_MAIN(T(a_chunked_answer_in_any_parts),
          T(a_counted_answer_and_one_that_ends_with_the_connection), T(what_is_no_answer_is_broken),
          T(the_first_sound_is_not_silence), T(a_sample_may_come_in_two_halves),
          T(a_listener_who_has_to_wait_ran_dry), T(nobody_is_there),
          T(a_key_is_sent_and_never_told), T(streams_that_fail_are_a_failure))
