#define _DEFAULT_SOURCE /* usleep */
/* test_http_duplex.c - answers that go out while their request still comes in, over real sockets.
 */
#include "base/str.h"
#include "check.h"
#include "server/http/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX_BODY = 1000, BUFFER = 4096, N_LOUD = 3000, LOUD = 1000 };

/* --- an endpoint: says back what it hears --- */

typedef struct echo {
    kk_http_exchange *exchange;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t news;
    kk_buf heard;
    bool has_end, is_gone;
    const char *path;
} echo;

static echo the_echo;
static atomic_int n_echoes, last_status;
static kk_http *http;

static void hear(void *user, const char *data, size_t len)
{
    echo *e = user;
    (void)pthread_mutex_lock(&e->mutex);
    kk_buf_append(&e->heard, data, len);
    e->has_end = e->has_end || len == 0;
    (void)pthread_cond_signal(&e->news);
    (void)pthread_mutex_unlock(&e->mutex);
}

static void hear_of_end(void *user)
{
    echo *e = user;
    (void)pthread_mutex_lock(&e->mutex);
    e->is_gone = true;
    (void)pthread_cond_signal(&e->news);
    (void)pthread_mutex_unlock(&e->mutex);
}

static void say_back(echo *e)
{
    bool is_over = false;
    while (!is_over) {
        kk_buf said = KK_BUF_INIT;
        (void)pthread_mutex_lock(&e->mutex);
        while (e->heard.len == 0 && !e->has_end && !e->is_gone)
            (void)pthread_cond_wait(&e->news, &e->mutex);
        is_over = e->has_end || e->is_gone;
        said = e->heard;
        e->heard = (kk_buf)KK_BUF_INIT;
        (void)pthread_mutex_unlock(&e->mutex);
        if (said.len > 0 && kk_http_write(e->exchange, said.data, said.len) != 0)
            is_over = true;
        kk_buf_fini(&said);
    }
}

static void wait_for_end(echo *e)
{
    (void)pthread_mutex_lock(&e->mutex);
    while (!e->has_end && !e->is_gone)
        (void)pthread_cond_wait(&e->news, &e->mutex);
    (void)pthread_mutex_unlock(&e->mutex);
}

static void say_much(echo *e)
{
    char piece[LOUD];
    for (int i = 0; i < N_LOUD; i++) {
        memset(piece, 'a' + i % 26, sizeof(piece));
        if (kk_http_write(e->exchange, piece, sizeof(piece)) != 0)
            return;
    }
}

static void *work(void *user)
{
    echo *e = user;
    kk_http_response response = {.status = 200, .content_type = "text/plain"};
    if (strcmp(e->path, "/late") == 0)
        wait_for_end(e);
    kk_http_begin(e->exchange, &response, KK_HTTP_LENGTH_UNKNOWN);
    if (strcmp(e->path, "/much") == 0)
        say_much(e);
    else
        say_back(e);
    kk_http_end(e->exchange, strcmp(e->path, "/cut") != 0);
    kk_http_release(e->exchange);
    kk_buf_fini(&e->heard);
    n_echoes--;
    return NULL;
}

static enum kk_http_verdict check(void *user, kk_http_request *request, kk_http_response *response)
{
    (void)user;
    (void)request;
    (void)response;
    return KK_HTTP_STREAM;
}

static enum kk_http_verdict handle(void *user, kk_http_exchange *exchange,
                                   const kk_http_request *request, kk_http_response *response)
{
    echo *e = user;
    if (strcmp(request->path, "/no") == 0) {
        response->status = 400;
        kk_buf_append_str(&response->body, "no");
        return KK_HTTP_NOW;
    }
    e->exchange = exchange;
    e->heard = (kk_buf)KK_BUF_INIT;
    e->has_end = e->is_gone = false;
    e->path = request->path;
    kk_http_hold(exchange);
    kk_http_take_body(exchange, hear, e);
    kk_http_on_gone(exchange, hear_of_end, e);
    n_echoes++;
    CHECK_INT(pthread_create(&e->thread, NULL, work, e), 0);
    (void)pthread_detach(e->thread);
    return KK_HTTP_LATER;
}

static void done(void *user, const kk_http_request *request, int status, double audio_s)
{
    (void)user;
    (void)request;
    (void)audio_s;
    last_status = status;
}

static void start(void)
{
    bool is_loopback;
    const kk_http_limits limits = {.max_body_len = MAX_BODY,
                                   .max_connections = 10,
                                   .idle_s = 10,
                                   .request_s = 10,
                                   .stream_s = 10,
                                   .buffer_len = BUFFER};
    const kk_http_handler handler = {.user = &the_echo,
                                     .check = check,
                                     .handle = handle,
                                     .done = done,
                                     .too_slow_body = "",
                                     .cut_short_body = "",
                                     .stopping_body = "",
                                     .too_long_body = ""};
    last_status = 0;
    (void)pthread_mutex_init(&the_echo.mutex, NULL);
    (void)pthread_cond_init(&the_echo.news, NULL);
    CHECK_INT(kk_http_start(&http, "127.0.0.1", 0, &limits, &handler, &is_loopback, NULL),
              KOKORO_OK);
}

/* Every worker has ended, and every connection was closed. */
static void stop(int status)
{
    while (n_echoes > 0 || kk_http_active(http) > 0 || last_status == 0)
        (void)usleep(1000);
    kk_http_stop(&http);
    CHECK_INT(last_status, status);
    (void)pthread_cond_destroy(&the_echo.news);
    (void)pthread_mutex_destroy(&the_echo.mutex);
}

/* --- a client --- */

static int dial(void)
{
    const struct timeval patience = {.tv_sec = 20};
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)kk_http_port(http)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK_INT(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Read on until `text` stands in *got; with NULL until the end. False when it ended before. */
static bool read_until(int fd, kk_buf *got, const char *text)
{
    char piece[4096];
    while (text == NULL || strstr(kk_buf_str(got), text) == NULL) {
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n <= 0)
            return text == NULL && n == 0;
        kk_buf_append(got, piece, (size_t)n);
    }
    return true;
}

#define HEAD(path) "POST " path " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

TEST(the_answer_begins_before_the_request_ends)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, HEAD("/") "3\r\none\r\n");
    CHECK(read_until(fd, &got, "\r\n\r\n3\r\none\r\n"));
    CHECK_HAS(got.data, "HTTP/1.1 200 OK\r\nDate: ");
    CHECK_HAS(got.data, "\r\nConnection: close\r\n");
    CHECK_HAS(got.data, "\r\nContent-Type: text/plain\r\n");
    CHECK_HAS(got.data, "\r\nTransfer-Encoding: chunked\r\n");
    say(fd, "3\r\ntwo\r\n");
    CHECK(read_until(fd, &got, "\r\n3\r\ntwo\r\n"));
    say(fd, "0\r\n\r\n");
    CHECK(read_until(fd, &got, NULL));
    CHECK(strlen(got.data) > 5 && strcmp(got.data + strlen(got.data) - 5, "0\r\n\r\n") == 0);
    (void)close(fd);
    stop(200);
    kk_buf_fini(&got);
}

TEST(a_client_asks_to_be_told_to_continue)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
            "Expect: 100-continue\r\n\r\n");
    CHECK(read_until(fd, &got, "HTTP/1.1 100 Continue\r\n\r\n"));
    say(fd, "one");
    CHECK(read_until(fd, &got, NULL));
    CHECK_HAS(got.data, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
    CHECK_HAS(got.data, "\r\n\r\n3\r\none\r\n0\r\n\r\n");
    (void)close(fd);
    stop(200);
    kk_buf_fini(&got);
}

TEST(an_old_client_gets_no_chunks)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\none");
    CHECK(read_until(fd, &got, NULL));
    CHECK_HAS(got.data, "\r\n\r\none");
    CHECK(strstr(got.data, "chunked") == NULL);
    (void)close(fd);
    stop(200);
    kk_buf_fini(&got);
}

TEST(a_worker_that_is_faster_than_its_client_waits)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, "POST /much HTTP/1.0\r\nContent-Length: 3\r\n\r\none");
    CHECK(read_until(fd, &got, NULL));
    const char *sound = strstr(kk_buf_str(&got), "\r\n\r\n");
    CHECK(sound != NULL);
    const size_t len = strlen(sound + 4);
    CHECK_INT(len, N_LOUD * LOUD);
    size_t n_wrong = 0;
    for (size_t i = 0; i < len; i++)
        n_wrong += sound[4 + i] != (char)('a' + (i / LOUD) % 26);
    CHECK_INT(n_wrong, 0);
    (void)close(fd);
    stop(200);
    kk_buf_fini(&got);
}

TEST(an_answer_that_ends_first_is_whole)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, HEAD("/no") "3\r\none\r\n");
    CHECK(read_until(fd, &got, NULL));
    CHECK_HAS(got.data, "HTTP/1.1 400 Bad Request\r\n");
    CHECK_HAS(got.data, "\r\nContent-Length: 2\r\n");
    CHECK_HAS(got.data, "\r\n\r\nno");
    say(fd, "3\r\ntwo\r\n"); /* is read and dropped */
    (void)close(fd);
    stop(400);
    kk_buf_fini(&got);
}

TEST(a_client_that_leaves_ends_the_work)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, HEAD("/") "3\r\none\r\n");
    CHECK(read_until(fd, &got, "one"));
    (void)close(fd);
    stop(499);
    kk_buf_fini(&got);
}

TEST(an_answer_that_failed_has_no_end)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, HEAD("/cut") "3\r\none\r\n0\r\n\r\n");
    CHECK(read_until(fd, &got, NULL));
    CHECK(strstr(kk_buf_str(&got), "0\r\n\r\n") == NULL);
    (void)close(fd);
    stop(500);
    kk_buf_fini(&got);
}

/* A chunk that is longer than a body may be. */
static void say_too_much(int fd)
{
    char chunk[MAX_BODY + 2];
    memset(chunk, 'x', sizeof(chunk) - 1);
    chunk[sizeof(chunk) - 1] = '\0';
    say(fd, "3e9\r\n");
    say(fd, chunk);
    say(fd, "\r\n");
}

TEST(an_answer_ends_where_the_body_becomes_too_long)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, HEAD("/") "3\r\none\r\n");
    CHECK(read_until(fd, &got, "one"));
    say_too_much(fd);
    (void)read_until(fd, &got, NULL);
    CHECK(strstr(kk_buf_str(&got), "413") == NULL && strstr(kk_buf_str(&got), "0\r\n\r\n") == NULL);
    (void)close(fd);
    stop(499);
    kk_buf_fini(&got);
}

TEST(a_body_that_is_too_long_before_the_answer_is_refused)
{
    kk_buf got = KK_BUF_INIT;
    start();
    int fd = dial();
    say(fd, HEAD("/late") "3\r\none\r\n");
    say_too_much(fd);
    (void)read_until(fd, &got, NULL);
    CHECK(strncmp(kk_buf_str(&got), "HTTP/1.1 413 ", 13) == 0);
    CHECK(strstr(kk_buf_str(&got), "one") == NULL);
    (void)close(fd);
    stop(413);
    kk_buf_fini(&got);
}

TEST_MAIN(T(the_answer_begins_before_the_request_ends), T(a_client_asks_to_be_told_to_continue),
          T(an_old_client_gets_no_chunks), T(a_worker_that_is_faster_than_its_client_waits),
          T(an_answer_that_ends_first_is_whole), T(a_client_that_leaves_ends_the_work),
          T(an_answer_that_failed_has_no_end), T(an_answer_ends_where_the_body_becomes_too_long),
          T(a_body_that_is_too_long_before_the_answer_is_refused))
